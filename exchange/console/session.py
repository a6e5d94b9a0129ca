"""Sessions: who is signed in, kept here and nowhere else; a browser holds a random number.

Promises: a number is 256 bits, drawn anew at each login, kept as its hash only; a session ends after fifteen
minutes without a page and eight hours after the login, whatever is done; it holds no BSN and no token of the
provider. All sessions end with the process.
Source: OWASP ASVS 5.0 chapter 7 (session management); RFC 6265bis (cookie prefixes).
"""

from __future__ import annotations

import hmac
import uuid
from base64 import urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.console.roles import Role

COOKIE: Final = "__Host-console"
LOGIN_COOKIE: Final = "__Host-login"
IDLE_S_MAX: Final = 15 * 60
LIFE_S_MAX: Final = 8 * 60 * 60
LOGIN_S_MAX: Final = 10 * 60
SESSIONS_MAX: Final = 10_000
LOGINS_MAX: Final = 1_000
ID_BYTES: Final = 32
UUID_BYTES: Final = 16


class Represented(NamedTuple):
    """Somebody a person acted for in this session: what he calls him, and whom the organisation knows."""

    name: str
    resident: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """One person who signed in. `resident` is the organisation's pseudonym where a resident did."""

    role: Role
    professional: str  # the opaque id the exchange records
    name: str = field(repr=False)
    two_factor: bool
    auth_time: int  # seconds since 1970 at which the person showed who he is
    csrf: str = field(repr=False)
    began: float
    resident: bytes | None = field(default=None, repr=False)
    # Whether somebody may look along with this resident: it stands here and in no cookie.
    safe: bool = field(default=False, repr=False)
    # What the provider calls who signed in as a resident: by that a record of representation knows him.
    person: str = field(default="", repr=False)
    # His own pseudonym, also while he acts for another; for whom he acted, and who it is now, in his words.
    himself: bytes | None = field(default=None, repr=False)
    represented: tuple[Represented, ...] = field(default=(), repr=False)
    acting: str = field(default="", repr=False)
    tries: int = 0  # how often he named somebody he may not act for


@dataclass(frozen=True, slots=True)
class Login:
    """A login that has begun: what must come back with it, and where the person wanted to go."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    state: str = field(repr=False)
    onward: str
    began: float


class Sessions:
    """Owned by the event loop. `clock` gives seconds since 1970; `fresh` random bytes, as many as asked."""

    def __init__(self, clock: Callable[[], float], fresh: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._fresh = fresh
        self._sessions: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()
        self._logins: OrderedDict[bytes, Login] = OrderedDict()

    def word(self) -> str:
        """Return 256 random bits, as they stand in a cookie or a form."""
        return urlsafe_b64encode(self._fresh(ID_BYTES)).rstrip(b"=").decode()

    def fresh_id(self) -> str:
        """Return a new request id."""
        return str(uuid.UUID(bytes=self._fresh(UUID_BYTES), version=4))

    # --- logins ---------------------------------------------------------------------------------------

    def begin(self, onward: str) -> tuple[str, Login]:
        """Return the number of a login that begins, for this browser alone, and the login."""
        login = Login(self.word(), self.word() + self.word(), self.word(), onward, self._clock())
        number = self.word()
        self._logins[_key(number)] = login
        # Whoever begins thousands and ends none pushes out the oldest of them.
        if len(self._logins) > LOGINS_MAX:
            self._logins.popitem(last=False)
        return number, login

    def end_login(self, number: str, state: str) -> Login | None:
        """Return the login a browser comes back from, once; None for another browser's, or a late one."""
        login = self._logins.pop(_key(number), None)
        if login is None or not hmac.compare_digest(login.state.encode(), state.encode()):
            return None
        return login if 0 <= self._clock() - login.began <= LOGIN_S_MAX else None

    # --- sessions -------------------------------------------------------------------------------------

    def open(self, session: Session) -> str:
        """Return the number of a new session."""
        number = self.word()
        self._sessions[_key(number)] = session, self._clock()
        if len(self._sessions) > SESSIONS_MAX:
            # In the order of last use: whoever looked longest ago signs in again.
            self._sessions.popitem(last=False)
        return number

    def find(self, number: str) -> Session | None:
        """Return a session that goes on, and count this as a use of it."""
        key = _key(number)
        session, used = self._sessions.get(key, (None, 0.0))
        if session is None:
            return None
        now = self._clock()
        # A clock set back ends it too.
        if not (0 <= now - used < IDLE_S_MAX and now - session.began < LIFE_S_MAX):
            del self._sessions[key]
            return None
        self._sessions[key] = session, now
        self._sessions.move_to_end(key)
        return session

    def peek(self, number: str) -> Session | None:
        """Return a session without counting this as a use of it; it may be about to end."""
        session, _ = self._sessions.get(_key(number), (None, 0.0))
        return session

    def change(self, number: str, session: Session) -> None:
        """Keep a session that goes on as it is now; one that has ended stays ended."""
        key = _key(number)
        if key in self._sessions:
            self._sessions[key] = session, self._sessions[key][1]

    def close(self, number: str) -> None:
        """End a session; one that has ended stays so."""
        self._sessions.pop(_key(number), None)


def same(told: str, kept: str) -> bool:
    """Tell whether a form carries the word of its session."""
    return hmac.compare_digest(told.encode(), kept.encode())


def _key(number: str) -> bytes:
    return sha256(number.encode()).digest()
