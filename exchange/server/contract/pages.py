"""Page tokens: where the next page starts, bound to the very question it continues.

Promises: a token of another caller or another question is refused; it holds a place in an order and nothing
else.
Source: AIP-158 (pagination).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import RequestInvalid
from exchange.server.parts import PAGE_ROWS_DEFAULT

if TYPE_CHECKING:
    from exchange.pipeline.walk import Caller

PLACE_BYTES: Final = 8
MAC_BYTES: Final = 16
PAGED_FIELDS: Final = ("page_token", "page_size")


class Pages:
    """Makes and opens tokens under one secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, place: int, rpc: str, caller: Caller, request: Any) -> str:  # noqa: ANN401 -- any paged request
        """Return the token that continues this question at `place`, from 0."""
        raw = place.to_bytes(PLACE_BYTES, "big")
        return base64.urlsafe_b64encode(raw + self._mac(raw, rpc, caller, request)).decode().rstrip("=")

    def place(self, rpc: str, caller: Caller, request: Any) -> int | None:  # noqa: ANN401 -- any paged request
        """Return where this question continues, None for a first page. Raises RequestInvalid."""
        token: str = request.page_token
        if not token:
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        place, mac = raw[:PLACE_BYTES], raw[PLACE_BYTES:]
        if not hmac.compare_digest(mac, self._mac(place, rpc, caller, request)):
            raise RequestInvalid(
                "this page token is not one of this question", {"page_token": "must be of the page before"}
            )
        return int.from_bytes(place, "big")

    def _mac(self, place: bytes, rpc: str, caller: Caller, request: Any) -> bytes:  # noqa: ANN401 -- any paged request
        question = type(request)()
        question.CopyFrom(request)
        for name in PAGED_FIELDS:
            if name in question.DESCRIPTOR.fields_by_name:
                question.ClearField(name)
        who = f"{rpc}\n{caller.recipient_id}\n{caller.professional}\n{caller.resident}"
        said = sha256(who.encode() + b"\0" + question.SerializeToString(deterministic=True)).digest()
        return hmac.digest(self._key, place + said, "sha256")[:MAC_BYTES]


def page_rows(request: Any) -> int:  # noqa: ANN401 -- any paged request
    """Return how many rows are asked; the contract's limit was checked before."""
    size: int = request.page_size
    return size or PAGE_ROWS_DEFAULT
