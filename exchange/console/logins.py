"""Logins that began: the browser keeps them, under a seal of this console, and nothing is kept for them here.

Promises: whoever begins logins by the million takes no place from anybody; what a login must come back with
is drawn anew for each, and nobody reads it from its cookie; a login that came back is over.
Source: exchange/decisions/0165-what-one-person-takes-of-a-console.md; OpenID Connect Core 1.0 (3.1.2.1, nonce
and state); RFC 7636 section 4.1 (verifier); RFC 2104 (HMAC).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOGIN_S_MAX: Final = 10 * 60
# Of those that came back. Who replays one that was pushed out needs its code, which the provider takes once.
ENDED_MAX: Final = 10_000
NUMBER_BYTES: Final = 32
MS_PER_S: Final = 1_000
_SEPARATOR: Final = "."
_PARTS: Final = 6
MARK_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class Login:
    """A login that has begun: what must come back with it, and where the person wanted to go."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    state: str = field(repr=False)
    onward: str
    began: float  # seconds since 1970
    anew: bool = False  # whether he has to show again who he is, whatever the provider remembers


class Logins:
    """Owned by the event loop. `clock` gives seconds since 1970; `fresh` random bytes, as many as asked."""

    def __init__(self, clock: Callable[[], float], fresh: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._fresh = fresh
        self._key = fresh(NUMBER_BYTES)
        self._mark = _base64url(fresh(MARK_BYTES))
        self._ended: OrderedDict[str, float] = OrderedDict()  # number -> when it came back

    def begin(self, onward: str, *, anew: bool = False) -> tuple[str, Login]:
        """Return what the browser keeps of a login that begins, and the login."""
        number = _base64url(self._fresh(NUMBER_BYTES))
        began = int(self._clock() * MS_PER_S)
        told = (self._mark, number, str(began), str(int(anew)), _base64url(onward.encode()))
        kept = _SEPARATOR.join(told)
        return _SEPARATOR.join((kept, self._drawn("kept", kept))), self._login(
            number, onward, began, anew=anew
        )

    def end(self, told: str, state: str) -> Login | None:
        """Return the login a browser comes back from, once; None for another browser's, or a late one."""
        parts = told.split(_SEPARATOR)
        if len(parts) != _PARTS or not told.isascii():
            return None
        kept, seal = told.rpartition(_SEPARATOR)[::2]
        if not hmac.compare_digest(seal, self._drawn("kept", kept)):
            return None
        # From here on it is as it was written here.
        _, number, began, anew, onward = parts[:-1]
        login = self._login(number, _unfolded(onward), int(began), anew=anew == "1")
        now = self._clock()
        if not hmac.compare_digest(login.state.encode(), state.encode()) or number in self._ended:
            return None
        if not 0 <= now - login.began <= LOGIN_S_MAX:
            return None
        self._end(number, now)
        return login

    def begun_elsewhere(self, told: str) -> str | None:
        """Return where a login led that began before this process did; None for any other.

        Nobody vouches for what it says: it is to be looked at as an address that somebody typed.
        """
        parts = told.split(_SEPARATOR)
        if len(parts) != _PARTS or parts[0] == self._mark:
            return None
        try:
            return _unfolded(parts[-2])
        except ValueError:
            return None

    def _end(self, number: str, now: float) -> None:
        """Remember it for as long as it could come back once more."""
        self._ended[number] = now
        while len(self._ended) > ENDED_MAX or next(iter(self._ended.values())) < now - LOGIN_S_MAX:
            self._ended.popitem(last=False)

    def _login(self, number: str, onward: str, began_ms: int, *, anew: bool) -> Login:
        return Login(
            self._drawn("nonce", number),
            self._drawn("verifier", number),
            self._drawn("state", number),
            onward,
            began_ms / MS_PER_S,
            anew,
        )

    def _drawn(self, what: str, about: str) -> str:
        """Return 256 bits that only this console draws from these words."""
        return _base64url(hmac.digest(self._key, f"{what}\n{about}".encode(), "sha256"))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unfolded(told: str) -> str:
    """Return the text of a part. Raises ValueError for what is none."""
    return urlsafe_b64decode(told.encode("ascii") + b"=" * (-len(told) % 4)).decode()
