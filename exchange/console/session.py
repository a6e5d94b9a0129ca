"""Sessions: who is signed in, kept here and nowhere else; a browser holds a random number.

Promises: a number is 256 bits, drawn anew at each login, kept as its hash only; a session ends after fifteen
minutes without a page and eight hours after the login, whatever is done; it holds no BSN, and of the provider
no token in which one may stand. Who left comes in again by showing anew who he is. All end with the process.
Source: OWASP ASVS 5.0 chapter 7 (session management); RFC 6265bis (cookie prefixes); ADR 173.
"""

from __future__ import annotations

import hmac
import uuid
from base64 import urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.console.roles import Role

COOKIE: Final = "__Host-console"
LOGIN_COOKIE: Final = "__Host-login"
# What a browser that signed out was told of the provider.
LEAVING_COOKIE: Final = "__Host-leaving"
IDLE_S_MAX: Final = 15 * 60
LIFE_S_MAX: Final = 8 * 60 * 60
MINUTE_S: Final = 60
SESSIONS_MAX: Final = 10_000
# Whoever signs in a thousand times pushes out himself and nobody else.
SESSIONS_OF_ONE_MAX: Final = 20
LEFT_MAX: Final = 10_000
ID_BYTES: Final = 32
MARK_BYTES: Final = 6
UUID_BYTES: Final = 16


class Represented(NamedTuple):
    """Somebody a person acted for in this session: what he calls him, and whom the organisation knows.

    `plan`: which plan, where he keeps the money of who it is about.
    """

    name: str
    resident: bytes
    plan: str = ""


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
    plan: str = field(default="", repr=False)
    tries: int = 0  # how often he named somebody he may not act for
    # With this the provider is told who signs out; "" where its token may hold a BSN.
    id_token: str = field(default="", repr=False)

    @property
    def whose(self) -> tuple[str, str, bytes | None]:
        """Return what all sessions of one person in one role have in common, whomever he acts for."""
        if self.himself is not None:
            return "", "", self.himself
        return self.role.name, self.professional, self.resident


class Sessions:
    """Owned by the event loop. `clock` gives seconds since 1970; `fresh` random bytes, as many as asked."""

    def __init__(self, clock: Callable[[], float], fresh: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._fresh = fresh
        self._sessions: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()
        # By person, when he showed who he is for the session he left: in the order of leaving.
        self._left: OrderedDict[tuple[str, str, bytes | None], int] = OrderedDict()
        # What every number of this process begins with; it says nothing, and nobody comes in by it.
        self._mark = urlsafe_b64encode(fresh(MARK_BYTES)).decode()
        self.logins = Logins(clock, fresh)

    def word(self) -> str:
        """Return 256 random bits, as they stand in a cookie or a form."""
        return urlsafe_b64encode(self._fresh(ID_BYTES)).rstrip(b"=").decode()

    def fresh_id(self) -> str:
        """Return a new request id."""
        return str(uuid.UUID(bytes=self._fresh(UUID_BYTES), version=4))

    # --- sessions -------------------------------------------------------------------------------------

    def open(self, session: Session) -> str:
        """Return the number of a new session."""
        number = self._mark + self.word()
        self._forget()
        # In the order of last use.
        same_person = [key for key, (one, _) in self._sessions.items() if one.whose == session.whose]
        if len(same_person) >= SESSIONS_OF_ONE_MAX:
            del self._sessions[same_person[0]]
        self._sessions[_key(number)] = session, self._clock()
        if len(self._sessions) > SESSIONS_MAX:
            # Whoever looked longest ago signs in again.
            self._sessions.popitem(last=False)
        return number

    def find(self, number: str) -> Session | None:
        """Return a session that goes on, and count this as a use of it."""
        session, key = self.peek(number), _key(number)
        if session is None:
            self._sessions.pop(key, None)
            return None
        self._sessions[key] = session, self._clock()
        self._sessions.move_to_end(key)
        return session

    def peek(self, number: str) -> Session | None:
        """Return a session that goes on, without counting this as a use of it."""
        session, used = self._sessions.get(_key(number), (None, 0.0))
        return session if session is not None and self._goes_on(session, used) else None

    def change(self, number: str, session: Session) -> None:
        """Keep a session that goes on as it is now; one that has ended stays ended."""
        key = _key(number)
        if key in self._sessions:
            self._sessions[key] = session, self._sessions[key][1]

    def close(self, number: str) -> None:
        """End a session; one that has ended stays so."""
        self._sessions.pop(_key(number), None)

    def leave(self, number: str) -> Session | None:
        """End a session as who left it; return it where it went on."""
        session = self.peek(number)
        self.close(number)
        if session is not None:
            self._left[session.whose] = max(session.auth_time, self._left.pop(session.whose, 0))
            # What was shown so long ago lets nobody in any more, whoever left.
            while self._left and (
                len(self._left) > LEFT_MAX or self._is_old(next(iter(self._left.values())))
            ):
                self._left.popitem(last=False)
        return session

    def has_left(self, session: Session) -> bool:
        """Tell whether a session would stand on what a person showed before he left."""
        return session.auth_time <= self._left.get(session.whose, 0)

    def is_of_here(self, number: str) -> bool:
        """Tell whether this process may have given a number, or one before it did."""
        return number.startswith(self._mark)

    def _is_old(self, auth_time: int) -> bool:
        return auth_time < self._clock() - LIFE_S_MAX - MINUTE_S

    def _goes_on(self, session: Session, used: float) -> bool:
        """Tell whether a session has time left. A clock set back ends it too."""
        now = self._clock()
        return 0 <= now - used < IDLE_S_MAX and now - session.began < LIFE_S_MAX

    def _forget(self) -> None:
        """Keep nothing of who left without signing out: the one used longest ago is the first."""
        while self._sessions and not self._goes_on(*next(iter(self._sessions.values()))):
            self._sessions.popitem(last=False)


def same(told: str, kept: str) -> bool:
    """Tell whether a form carries the word of its session."""
    return hmac.compare_digest(told.encode(), kept.encode())


def _key(number: str) -> bytes:
    return sha256(number.encode()).digest()
