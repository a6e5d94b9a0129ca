"""Envelopes as the other side makes them, for a provider's adapter."""

from __future__ import annotations

import uuid
from typing import Any

from adapters.provider.stuf import Kind
from adapters.provider.stuf_writing import Letter, write_envelope
from tests.provider.builders import MUNICIPALITY, PROVIDER


def letter(kind: Kind = Kind.OUTWARD, **changes: Any) -> Letter:  # noqa: ANN401 -- the fields of the record
    whole: dict[str, Any] = {
        "kind": kind,
        "sender": MUNICIPALITY,
        "sender_application": "Regie",
        "receiver": PROVIDER,
        "receiver_application": "GGk",
        "reference": str(uuid.uuid4()),
        "told_at": "20260601090000",
        "cross_reference": str(uuid.uuid4()) if kind is not Kind.OUTWARD else "",
        "function": "WMO301" if kind in (Kind.OUTWARD, Kind.RETURN) else "",
    }
    return Letter(**(whole | changes))


def envelope(content: bytes, *, soap: bool = False, **changes: Any) -> bytes:  # noqa: ANN401 -- as above
    return b"".join(write_envelope(letter(**changes), content, soap=soap))
