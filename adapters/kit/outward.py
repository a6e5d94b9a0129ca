"""Calls to a system of the organisation over HTTP: what it said, or one of three ways it did not.

Promises: nothing is sent to another address than the one of the settings, whatever an answer names; in the
clear to this machine only; no redirect is followed; a call has a time limit, however its answer drips in, and
an answer one of bytes; a wait that was asked (429, 503, `Retry-After`) is told on, as seconds, and kept to;
no call begins before its turn; no error holds a URL, a body or what was sent.
Source: RFC 9110 (Retry-After, conditional requests), RFC 9457.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from adapters.kit.bounded import BoundedConnection, CutOff, TooLong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
# A page of a list: one row in it that is far too large hides none of the others.
ROWS_BYTES_MAX: Final = 32 * 1024 * 1024
RETRY_AFTER_S_MAX: Final = 3_600
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OK: Final = range(200, 300)
_NOT_MODIFIED: Final = 304
# Too many, or a fault on the other side that may be over later.
_NOT_NOW: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class OutwardError(Exception):
    """A call did not end well. `system` names which, `code` is a word that may stand in a log."""

    def __init__(self, system: str, code: str) -> None:
        super().__init__(f"{system}: {code}")
        self.system = system
        self.code = code


class NotNow(OutwardError):
    """It may go well later, not before `retry_after_s`. Whether it had an effect is not known."""

    def __init__(self, system: str, code: str, retry_after_s: int = 0, raw: bytes = b"") -> None:
        super().__init__(system, code)
        self.retry_after_s = retry_after_s
        self.raw = raw  # what was said, for who knows how to read it; never told on


class Refused(OutwardError):
    """The other side refuses: `status`, its word for it, and the (name, code) of each fault."""

    def __init__(
        self,
        system: str,
        status: int,
        code: str,
        params: tuple[tuple[str, str], ...] = (),
        raw: bytes = b"",
    ) -> None:
        named = ", ".join(f"{name} {why}" for name, why in params)
        super().__init__(system, f"{status} {code} {named}".strip())
        self.status = status
        self.params = params
        self.raw = raw  # what was said, for who knows how to read it; never told on


class Unexpected(OutwardError):
    """The answer is not what the standard says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said; `content` is None for 204 and 304."""

    status: int
    content: Any = field(repr=False)
    etag: str = ""

    @property
    def unchanged(self) -> bool:
        """Tell whether it is as it was (304)."""
        return self.status == _NOT_MODIFIED


class Turns(Protocol):
    """Who says when a call may begin: `rates.py`."""

    def turn(self) -> None:
        """Return when it may. Raises NotNow."""

    def hold(self, seconds: float) -> None:
        """Let none begin for so long."""


class Outward:
    """One API of one system. `headers` gives those of each call, made anew: a token lives shortly."""

    def __init__(
        self,
        system: str,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        timeout_s: float = TIMEOUT_S,
        authorities: str = "",
        identity: tuple[str, str] | None = None,
        turns: Turns | None = None,
    ) -> None:
        require_safe(base)
        self._turns: Final = turns
        self._system: Final = system
        self.base: Final = base.rstrip("/")
        self._headers: Final = headers
        self._timeout_s: Final = timeout_s
        self._tls: Final = (
            ssl.create_default_context(cafile=authorities or None) if base.startswith("https:") else None
        )
        if self._tls is not None and identity is not None:
            # Our own certificate and key, as files.
            self._tls.load_cert_chain(*identity)

    def holds(self, url: str) -> bool:
        """Tell whether a url is one of this API."""
        return url.startswith(f"{self.base}/") and ".." not in url and url.isascii()

    def ask(
        self,
        method: str,
        where: str,
        content: object = None,
        *,
        body: bytes | None = None,
        etag: str = "",
        headers: Mapping[str, str] | None = None,
        rows: bool = False,
    ) -> Answer:
        """Call `where`: a path below the base, or a url of this API. Raises NotNow, Refused, Unexpected.

        `content` goes as JSON; `body` goes as it is, and `headers` name its Content-Type. Of `rows` the
        caller judges each by itself, with `is_sound`, and one may be large.
        """
        url = f"{self.base}{where}" if where.startswith("/") else where
        if not self.holds(url):
            raise Unexpected(self._system, "url_of_another_system")
        told = {"Accept": "application/json", **self._headers(), **(headers or {})}
        if content is not None:
            body = json.dumps(content, ensure_ascii=False).encode()
            told.setdefault("Content-Type", "application/json")
        if etag:
            told["If-None-Match"] = etag
        most = ROWS_BYTES_MAX if rows else ANSWER_BYTES_MAX
        status, answered, raw = self._exchange(method, url, body, told, most)
        if status in _OK or status == _NOT_MODIFIED:
            return Answer(status, self._read(raw, rows=rows), answered.get("etag", ""))
        if status in _NOT_NOW:
            raise self._not_now(status, answered)
        raise self._refused(status, raw)

    def post(self, where: str, pieces: Sequence[bytes], headers: Mapping[str, str]) -> bytes:
        """Post bytes, whatever they are, by pieces, and return what was said. Raises as `ask` does."""
        told = {**self._headers(), **headers, "Content-Length": str(sum(map(len, pieces)))}
        status, answered, raw = self._exchange("POST", f"{self.base}{where}", pieces, told)
        if status in _OK:
            return raw
        if status in _NOT_NOW:
            raise self._not_now(status, answered, raw)
        raise Refused(self._system, status, "refused", raw=raw)

    def _not_now(self, status: int, answered: Mapping[str, str], raw: bytes = b"") -> NotNow:
        wait_s = retry_after_s(answered.get("retry-after", ""), answered.get("date", ""))
        if wait_s and self._turns is not None:
            self._turns.hold(wait_s)
        return NotNow(self._system, f"status_{status}", wait_s, raw)

    def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | Sequence[bytes] | None,
        headers: Mapping[str, str],
        most: int = ANSWER_BYTES_MAX,
    ) -> tuple[int, dict[str, str], bytes]:
        if self._turns is not None:
            self._turns.turn()
        where = urlsplit(url)
        line = BoundedConnection(where.hostname or "", where.port, tls=self._tls, limit_s=self._timeout_s)
        target = where.path + (f"?{where.query}" if where.query else "")
        try:
            line.request(method, target, body, dict(headers))
            answer = line.getresponse()
            raw = line.whole(answer, most)
        except TooLong:
            raise Unexpected(self._system, "answer_too_large") from None
        except CutOff:
            raise NotNow(self._system, "cut_off") from None
        except (OSError, http.client.HTTPException) as error:
            raise NotNow(self._system, type(error).__name__) from None
        finally:
            line.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, raw

    def _read(self, raw: bytes, *, rows: bool = False) -> object:
        if not raw:
            return None
        try:
            told: object = json.loads(raw)
        except (ValueError, RecursionError):
            raise Unexpected(self._system, "answer_is_no_json") from None
        if not rows and b"\\u" in raw and not is_sound(told):
            raise Unexpected(self._system, "answer_is_no_json")
        return told

    def _refused(self, status: int, raw: bytes) -> Refused:
        """Return the refusal, in words of the standard only: what else it says may hold what was sent."""
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            return Refused(self._system, status, "no_problem_document")
        params = told.get("invalidParams")
        named = tuple(
            (_word(one.get("name")), _word(one.get("code")))
            for one in (params if isinstance(params, list) else ())
            if isinstance(one, dict)
        )
        return Refused(self._system, status, _word(told.get("code")), named)


def require_safe(base: str) -> None:
    """Raise ValueError unless this is https, or http to this machine."""
    where = urlsplit(base)
    if where.scheme != "https" and not (where.scheme == "http" and where.hostname in LOOPBACK):
        raise ValueError("an address outside this machine begins with https://")
    if where.query or where.fragment or not where.hostname or where.username:
        raise ValueError("an address is a scheme, a host and a path")


def _word(told: object) -> str:
    """Return a code or a name as far as it is one: letters, few digits, never a number of nine."""
    text = "".join(one for one in str(told) if one.isalpha() or one in "._-")
    return text[:60]


def is_sound(told: object) -> bool:
    """Tell whether JSON holds whole letters: it can name half a one, which no journal takes."""
    try:
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def retry_after_s(told: str, date: str = "") -> int:
    """Return the seconds of a Retry-After header, at most an hour; 0 where there is none to understand.

    A moment counts from the answer's own Date, where it has one: whoever set our clock changes no wait.
    """
    try:
        if told.isdecimal():
            return min(int(told), RETRY_AFTER_S_MAX)
        at = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        # More digits than a number may have are not understood either.
        return 0
    if not at.tzinfo:
        return 0
    return max(0, min(int((at - _said_at(date)).total_seconds()) + 1, RETRY_AFTER_S_MAX))


def _said_at(date: str) -> datetime:
    try:
        found = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return datetime.now(UTC)
    return found if found.tzinfo else datetime.now(UTC)
