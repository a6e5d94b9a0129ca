"""Takes a copy along (GDPR 20): every part, as one document of which the SHA-256 holds.

Promises: what is returned is whole and is what the exchange told the hash of; a plan that changed while it
was fetched is fetched again.
Source: protos/exchange/v1/resident_rights_service.proto; portable-copy.schema.json beside this room.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from adapters.sdk.errors import Conflict, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sdk.client import ExchangeClient
    from exchange.v1.common_pb2 import Claim

BEGIN_AGAIN_MAX: Final = 5


class PortableCopy(NamedTuple):
    """A document, its SHA-256, and the decision by which it was given: a request is executed by both."""

    document: bytes
    sha256: bytes
    decision_id: str
    leaf_index: int


def take_along(
    client: ExchangeClient, claim: Claim, plan_id: str, fields: Sequence[str], *, part_bytes: int = 0
) -> PortableCopy:
    """Return the copy. Raises Conflict where the plan never held still, and the SDK's other errors."""
    for _attempt in range(BEGIN_AGAIN_MAX):
        parts: list[bytes] = []
        named: set[bytes] = set()
        token = ""
        while True:
            answer = client.rights.get_portable_copy(
                claim=claim, plan_id=plan_id, fields=fields, page_size=part_bytes, page_token=token
            )
            parts.append(answer.part)
            named.add(answer.sha256)
            token = answer.next_page_token
            if not token or len(named) > 1:
                break
        document = b"".join(parts)
        if named == {sha256(document).digest()}:
            return PortableCopy(document, answer.sha256, answer.decision_id, answer.leaf_index)
    raise Conflict(Refusal("", "the plan changed each time while the copy was fetched"))
