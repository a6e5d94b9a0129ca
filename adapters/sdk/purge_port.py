"""What the exchange asks an organisation to erase, and the answer, as a port for who answers by himself.

Promises: asked for this organisation and task only, on the basis of its own; nothing here names a person: a
purge request holds ids of plans that were given before.
Source: GDPR 17 and 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from adapters.sdk.purges import ANSWERING, READING
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient

_PLAN: Final = "plan-"
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class PurgeAsked:
    """One erasure: of these plans all, or the categories named."""

    erasure_id: str
    plan_ids: tuple[str, ...]
    categories: frozenset[str] = frozenset()

    def concerns(self, held: frozenset[str]) -> bool:
        """Tell whether anything of these categories is to go."""
        return not self.categories or bool(self.categories & held)


class PurgePort(Protocol):
    """Every method raises the SDK's errors."""

    def asked(self) -> tuple[PurgeAsked, ...]:
        """Return what waits for an answer of ours, oldest first."""

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        """Tell that we erased what we held, or that we held nothing; the first answer counts."""


class SdkPurges:
    """The exchange over mutual TLS."""

    def __init__(self, client: ExchangeClient) -> None:
        self._client: Final = client

    def asked(self) -> tuple[PurgeAsked, ...]:
        """Ask for every page of what waits."""
        found: list[PurgeAsked] = []
        token = ""
        while True:
            page = self._client.rights.list_purge_requests(
                claim=READING, only_open=True, page_size=_PAGE, page_token=token
            )
            found += [
                PurgeAsked(
                    one.erasure_id,
                    tuple(name.removeprefix(_PLAN) for name in one.subjects if name.startswith(_PLAN)),
                    frozenset(one.categories),
                )
                for one in page.purge_requests
            ]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        """Record our answer."""
        outcome = pb.PURGE_OUTCOME_ERASED if erased else pb.PURGE_OUTCOME_NOTHING_KEPT
        self._client.rights.confirm_purge(claim=ANSWERING, erasure_id=erasure_id, outcome=outcome)
