"""Calls to a system of the organisation over HTTP: what it said, or one of three ways it did not.

Promises: nothing is sent to another address than the one of the settings, whatever an answer names; in the
clear to this machine only; no redirect is followed; a call has a time limit, however its answer drips in, and
an answer one of bytes; a wait that was asked (429, 503, `Retry-After`) is told on, as seconds; no error holds
a URL, a body or what was sent.
Source: RFC 9110 (Retry-After, conditional requests), RFC 9457.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from adapters.kit.bounded import BoundedConnection, CutOff, TooLong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
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
    ) -> None:
        require_safe(base)
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
    ) -> Answer:
        """Call `where`: a path below the base, or a url of this API. Raises NotNow, Refused, Unexpected.

        `content` goes as JSON; `body` goes as it is, and `headers` name its Content-Type.
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
        status, answered, raw = self._exchange(method, url, body, told)
        if status in _OK or status == _NOT_MODIFIED:
            return Answer(status, self._read(raw), answered.get("etag", ""))
        if status in _NOT_NOW:
            raise NotNow(self._system, f"status_{status}", _retry_after_s(answered.get("retry-after", "")))
        raise self._refused(status, raw)

    def post(self, where: str, pieces: Sequence[bytes], headers: Mapping[str, str]) -> bytes:
        """Post bytes, whatever they are, by pieces, and return what was said. Raises as `ask` does."""
        told = {**self._headers(), **headers, "Content-Length": str(sum(map(len, pieces)))}
        status, answered, raw = self._exchange("POST", f"{self.base}{where}", pieces, told)
        if status in _OK:
            return raw
        if status in _NOT_NOW:
            wait_s = _retry_after_s(answered.get("retry-after", ""))
            raise NotNow(self._system, f"status_{status}", wait_s, raw)
        raise Refused(self._system, status, "refused", raw=raw)

    def _exchange(
        self, method: str, url: str, body: bytes | Sequence[bytes] | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        where = urlsplit(url)
        line = BoundedConnection(where.hostname or "", where.port, tls=self._tls, limit_s=self._timeout_s)
        target = where.path + (f"?{where.query}" if where.query else "")
        try:
            line.request(method, target, body, dict(headers))
            answer = line.getresponse()
            raw = line.whole(answer, ANSWER_BYTES_MAX)
        except TooLong:
            raise Unexpected(self._system, "answer_too_large") from None
        except CutOff:
            raise NotNow(self._system, "cut_off") from None
        except (OSError, http.client.HTTPException) as error:
            raise NotNow(self._system, type(error).__name__) from None
        finally:
            line.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, raw

    def _read(self, raw: bytes) -> object:
        if not raw:
            return None
        try:
            told: object = json.loads(raw)
            if b"\\u" in raw:
                # JSON can name half a letter, which no journal and no message takes.
                json.dumps(told, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise Unexpected(self._system, "answer_is_no_json") from None
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


def _retry_after_s(told: str) -> int:
    """Return the seconds of a Retry-After header, at most an hour; 0 where there is none to understand."""
    try:
        if told.isdecimal():
            return min(int(told), RETRY_AFTER_S_MAX)
        at = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        # More digits than a number may have are not understood either.
        return 0
    wait = (at - datetime.now(UTC)).total_seconds() if at.tzinfo else 0.0
    return max(0, min(int(wait) + 1, RETRY_AFTER_S_MAX))
