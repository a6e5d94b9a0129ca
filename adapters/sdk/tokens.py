"""Person tokens: the organisation's signed word on who is asking, in which task, how surely known.

Promises: a token lives a few minutes, is bound to the connection's certificate, and is signed anew shortly
before it ends; no repr shows a resident's pseudonym.
Source: RFC 7519 (JWT), RFC 8037 (EdDSA), RFC 8705 section 3.1 (cnf x5t#S256).
"""

from __future__ import annotations

import re
import threading
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.credentials import Credentials

AUDIENCE: Final = "exchange.v1"
LIFETIME_S: Final = 300  # the exchange takes at most fifteen minutes
RENEW_BEFORE_S: Final = 60  # longer than any call waits for its answer
PERSONS_CACHED_MAX: Final = 1_000
PSEUDONYM_BYTES: Final = 32
# Letters, digits and a few signs: no space, so no name by accident.
_is_professional = re.compile(r"[A-Za-z0-9:._/@+-]{1,60}").fullmatch
_is_task_or_role = re.compile(r"[A-Za-z0-9:._/@+-]{1,40}").fullmatch


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `professional` is the organisation's own opaque id, never a name.

    `resident` is the organisation's own pseudonym of 32 bytes, set only when the person speaks as or for that
    resident. The exchange asks `authenticated_at`, of minutes ago, for emergency access only. Raises
    ValueError for a part of another shape.
    """

    professional: str
    task: str
    role: str
    two_factor: bool = True
    resident: bytes | None = field(default=None, repr=False)
    authenticated_at: int | None = None  # seconds since 1970 at which both factors were shown

    def __post_init__(self) -> None:
        if not (
            _is_professional(self.professional)
            and _is_task_or_role(self.task)
            and _is_task_or_role(self.role)
        ):
            raise ValueError("a person has an opaque id, a task and a role, without spaces")
        if self.resident is not None and len(self.resident) != PSEUDONYM_BYTES:
            raise ValueError("a resident's pseudonym has 32 bytes")


class PersonTokens:
    """Signs tokens for the people of one organisation and keeps each until shortly before it ends.

    Safe between threads. `clock` gives seconds since 1970 UTC.
    """

    def __init__(self, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._credentials: Final = credentials
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._kept: Final[dict[Person, tuple[str, float]]] = {}  # owned by whoever holds the lock

    def token_for(self, person: Person) -> str:
        """Return a token that holds for at least a minute more."""
        now = self._clock()
        with self._lock:
            token, renew_at = self._kept.get(person, ("", 0.0))
            # A clock set back makes kept tokens start in the future: the exchange would refuse them.
            if now < renew_at <= now + LIFETIME_S:
                return token
            token = self._sign(person, int(now))
            self._kept.pop(person, None)
            if len(self._kept) >= PERSONS_CACHED_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[person] = token, int(now) + LIFETIME_S - RENEW_BEFORE_S
            return token

    def _sign(self, person: Person, now_s: int) -> str:
        claims: dict[str, object] = {
            "iss": self._credentials.oin,
            "sub": person.professional,
            "task": person.task,
            "role": person.role,
            "acr": "2fa" if person.two_factor else "1fa",
            "aud": AUDIENCE,
            "iat": now_s,
            "exp": now_s + LIFETIME_S,
            "cnf": {"x5t#S256": base64url(self._credentials.thumbprint)},
        }
        if person.authenticated_at is not None:
            claims["auth_time"] = person.authenticated_at
        if person.resident is not None:
            claims["resident"] = base64url(person.resident)
        return jwt.encode(claims, self._credentials.signing_key, algorithm="EdDSA")


def base64url(raw: bytes) -> str:
    """Return base64url without padding, as JOSE writes it (RFC 7515 section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
