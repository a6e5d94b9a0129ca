"""In what the word of who is signed in counts: all of a resident's own, and of who acts for him what he may.

Promises: what is not his to say is not offered; whatever a page offers, the exchange judges again.
Source: UAVG 5; Jeugdwet 7.3.4, 7.3.15; protos/exchange/v1/representation_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.resident.asking import ACCESS
from exchange.console.roles import REPRESENTATIVE
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import representation_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from exchange.console.page import Look

FIELDS: Final = ["relations", "speaks", "consent_kinds", "takes_back_objections"]
SELF: Final = "self"
_RELATION: Final = "RELATION_"


class Authority(NamedTuple):
    """What may be offered. `kinds`: of consent, as the contract writes them; None is every kind."""

    speaks: bool
    words: tuple[str, ...]
    kinds: frozenset[str] | None
    takes_back: bool  # an objection that stands

    @property
    def word(self) -> str:
        """In whose words an answer is given."""
        return self.words[0] if self.words else SELF

    def answers(self, consent: Mapping[str, Any]) -> bool:
        """Tell whether a consent is for him to answer, and so to take back."""
        return self.kinds is None or consent.get("kind") in self.kinds


HIS_OWN: Final = Authority(speaks=True, words=(), kinds=None, takes_back=True)


async def authority_of(look: Look, case_id: str) -> Authority:
    """Return what may be offered on a page about a case."""
    if look.session.role is not REPRESENTATIVE:
        return HIS_OWN
    request = pb.GetAuthorityRequest(claim=ACCESS, case_id=case_id, fields=FIELDS)
    told = await look.ask(request, pb.GetAuthorityResponse)
    return Authority(
        told.speaks,
        tuple(pb.Relation.Name(one).removeprefix(_RELATION).lower() for one in told.relations),
        frozenset(map(consent_pb.ConsentKind.Name, told.consent_kinds)),
        told.takes_back_objections,
    )
