"""Headers of callers who do not use the SDK: the person token, and the signature a command needs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING

from adapters.sdk.line import PERSON_KEY
from adapters.sdk.signing import SIGNATURE_KEY, sign
from adapters.sdk.tokens import Person

if TYPE_CHECKING:
    from adapters.sdk.credentials import Credentials

Headers = tuple[tuple[str, str], ...]


def signed_headers(credentials: Credentials, method: str, raw: bytes, token: str | None) -> Headers:
    """Return token and signature, as the SDK sends them; a question carries the signature in vain."""
    if token is None:
        return ()
    person = _person_of(token)
    if person is None:
        return ((PERSON_KEY, token),)
    signature = sign(credentials, method, person, raw).signature
    return (PERSON_KEY, token), (SIGNATURE_KEY, signature)


def _person_of(token: str) -> Person | None:
    """Read what a token says; None where it is none that could be signed for."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Person(claims["sub"], claims["task"], claims["role"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
