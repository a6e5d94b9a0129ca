"""Page tokens: where the next page starts, bound to the very question it continues.

Promises: a token of another caller or another question is refused; whoever opens one without the key reads
nothing of it: a place in an order is a count, and tells how much was left out.
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
        return self.seal(place, question_of(rpc, caller, _said(request)))

    def place(self, rpc: str, caller: Caller, request: Any) -> int | None:  # noqa: ANN401 -- any paged request
        """Return where this question continues, None for a first page. Raises RequestInvalid."""
        token: str = request.page_token
        return self.open(token, question_of(rpc, caller, _said(request)), "page_token") if token else None

    def seal(self, place: int, question: bytes) -> str:
        """Return the token that continues a question, which includes who asks, at `place`."""
        raw = place.to_bytes(PLACE_BYTES, "big")
        mac = self._mac(raw, question)
        return base64.urlsafe_b64encode(self._cover(raw, mac) + mac).decode().rstrip("=")

    def open(self, token: str, question: bytes, field: str) -> int:
        """Return where the question continues. Raises RequestInvalid naming the token's field."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        covered, mac = raw[:PLACE_BYTES], raw[PLACE_BYTES:]
        place = self._cover(covered, mac)
        if not hmac.compare_digest(mac, self._mac(place, question)):
            raise RequestInvalid(
                "this page token is not one of this question", {field: "must be of the page before"}
            )
        return int.from_bytes(place, "big")

    def _cover(self, place: bytes, mac: bytes) -> bytes:
        """Cover a place, or uncover it: the proof over place and question is what the cover is drawn from."""
        cover = hmac.digest(self._key, b"cover" + mac, "sha256")
        return bytes(one ^ other for one, other in zip(place, cover, strict=False))

    def _mac(self, place: bytes, question: bytes) -> bytes:
        return hmac.digest(self._key, place + question, "sha256")[:MAC_BYTES]


def question_of(rpc: str, caller: Caller, said: bytes) -> bytes:
    """Return the 32 bytes a token is bound to: what is asked, and by whom."""
    who = f"{rpc}\n{caller.recipient_id}\n{caller.professional}\n{caller.resident}"
    return sha256(who.encode() + b"\0" + said).digest()


def _said(request: Any) -> bytes:  # noqa: ANN401 -- any paged request
    question = type(request)()
    question.CopyFrom(request)
    for name in PAGED_FIELDS:
        if name in question.DESCRIPTOR.fields_by_name:
            question.ClearField(name)
    said: bytes = question.SerializeToString(deterministic=True)
    return said


def page_rows(request: Any) -> int:  # noqa: ANN401 -- any paged request
    """Return how many rows are asked; the contract's limit was checked before."""
    size: int = request.page_size
    return size or PAGE_ROWS_DEFAULT
