"""The door for messages over HTTP: POST one in its envelope (in SOAP or not) or bare; GET whether it may.

Promises: taken, or confirmed with Bv03, once it lies whole in the inbox and its number stands in the journal;
what is cut off, too large, too slow or wrong leaves nothing behind and is answered with its code where there
is somebody to answer; what cannot be taken now is told so, with when to come again, and so is whether it can;
what comes is written to disk by pieces, so that no size fills memory; who knocks over
TLS shows one of the certificates of the settings; no answer holds anything that was sent.
Source: GGk koppelvlak 2.1.04 (OntvangAsynchroon: Bv03, Fo03), SOAP 1.1 section 6, RFC 9110.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from adapters.kit.enduring import Light, fault_of
from adapters.kit.serving import Serving
from adapters.provider.arriving import Arriving, TooLarge, clear_passing
from adapters.provider.desk import LOCAL
from adapters.provider.envelopes import Envelopes, chance_uuid, judge
from adapters.provider.errors import EnvelopeRefused, FileRefused, MessageNotReadable, StufCode
from adapters.provider.journal import Journal
from adapters.provider.stuf import ENVELOPE_BYTES_MAX, Kind

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable, MutableMapping

    from adapters.provider.config import Config
    from adapters.provider.transport import Http
    from adapters.sdk.logs import AdapterLog

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH: Final = "/berichten"
READY: Final = "/ready"
BODY_S: Final = 120.0  # in which a whole body must have come
BODIES_MAX: Final = 16
JOURNAL_S: Final = 1.0  # for which a journal that is being opened is waited for; everybody waits meanwhile
SOON_S: Final = 5
LATER_S: Final = 60
_NOT_NOW: Final = 503
_XML: Final = b"text/xml; charset=utf-8"
_TEXT: Final = b"text/plain; charset=us-ascii"


class _Cut(Exception):
    """Who sent it hung up before the end."""


class Door:
    """The application; owned by the serving thread."""

    def __init__(self, config: Config, log: AdapterLog, wake: threading.Event) -> None:
        self._config: Final = config
        self._log: Final = log
        self._wake: Final = wake
        self._bodies = 0
        self._envelopes: Envelopes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] == READY and scope["method"] == "GET":
            await self._tell_ready(send)
        elif scope["path"] != PATH:
            await _answer(send, 404)
        elif scope["method"] != "POST":
            await _answer(send, 405, headers=[(b"allow", b"POST")])
        elif self._bodies >= BODIES_MAX:
            await _answer(send, _NOT_NOW, retry_s=SOON_S)
        else:
            self._bodies += 1
            try:
                await self._take(receive, send)
            finally:
                self._bodies -= 1

    async def _tell_ready(self, send: Send) -> None:
        """Say in one word whether a message would be taken now, or why not."""
        why, retry_s = Light(self._config.state).seen(), LATER_S
        try:
            # It may have been taken away since it was made.
            self._config.inbox.stat()
            self._kept.require_readable()
        except (OSError, sqlite3.Error) as error:
            why = fault_of(error) or "journal"
            retry_s = _retry_s(error)
        await _answer(send, _NOT_NOW if why else 200, (why or "ready").encode(), retry_s=retry_s, kind=_TEXT)

    async def _take(self, receive: Receive, send: Send) -> None:
        retry_s = LATER_S
        try:
            arriving = Arriving(self._config, secrets.token_hex(16))
        except OSError as error:
            self._log.error("inbox_failed", error=type(error).__name__)
            await _answer(send, _NOT_NOW)
            return
        try:
            async with asyncio.timeout(BODY_S):
                await _read(receive, arriving)
            status, body = self._taken(arriving)
        except _Cut:
            self._log.warning("body_cut_off")
            return
        except TimeoutError:
            self._log.warning("body_too_slow")
            status, body = 408, b""
        except TooLarge:
            # Bare, that is; within an envelope the reader counts, and has a code for it.
            status, body = 413, b""
        except (EnvelopeRefused, MessageNotReadable) as error:
            status, body = self._refused(arriving, error)
        except FileRefused:
            status, body = 409, b""
        except (OSError, sqlite3.Error) as error:
            # The disk is full, or the folder gone: whoever sends keeps it and comes again.
            self._log.error("inbox_failed", error=type(error).__name__)
            status, body, retry_s = _NOT_NOW, b"", _retry_s(error)
        finally:
            arriving.end()
        await _answer(send, status, body, retry_s=retry_s)

    def _taken(self, arriving: Arriving) -> tuple[int, bytes]:
        told, digest = arriving.whole()
        if told is None:
            arriving.put(f"http-{digest.hex()[:32]}.xml")
            self._wake.set()
            return 202, b""
        judge(self._config, told)
        if told.kind is Kind.FAULT:
            kind = self._kept.fault(told)
            event = "envelope_refused" if kind else "fault_about_nothing"
            self._log.error(event, message_type=kind, code=told.code)
        else:
            arriving.put(self._kept.came(told, digest))
            self._wake.set()
        return 200, self._kept.answer(told, None, _now(), soap=told.soap)

    def _refused(self, arriving: Arriving, error: EnvelopeRefused | MessageNotReadable) -> tuple[int, bytes]:
        code = error.told if isinstance(error, EnvelopeRefused) else StufCode.SCHEMA
        self._log.error("envelope_rejected", code=code.value)
        if arriving.reader is None:
            return 400, b""
        told = arriving.reader.told
        # SOAP 1.1 over HTTP tells a fault under 500.
        body = self._kept.answer(told, code, _now(), soap=told.soap)
        return (500 if told.soap else 422), body

    @property
    def _kept(self) -> Envelopes:
        """Return the numbers of envelopes, over a connection of this thread's own."""
        if self._envelopes is None:
            journal = Journal(self._config.journal, JOURNAL_S)
            self._envelopes = Envelopes(self._config, journal, lambda: chance_uuid(secrets.randbelow))
        return self._envelopes


class Listening:
    """The door in a thread of its own; `wake` is set when something came."""

    def __init__(self, config: Config, http: Http, log: AdapterLog, wake: threading.Event) -> None:
        clear_passing(config)
        door = Door(config, log, wake)
        self._serving: Final = Serving(door, http.port or 0, host=http.host, tls=_tls(http))
        self.url: Final = f"{self._serving.url}{PATH}"

    def start(self) -> None:
        """Begin to listen."""
        self._serving.start()

    def close(self) -> None:
        """End."""
        self._serving.close()


def _tls(http: Http) -> ssl.SSLContext | None:
    if http.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(http.certificate, http.key)
    context.verify_mode = ssl.CERT_REQUIRED
    # Each certificate named is trusted for itself: no authority vouches for anybody else here.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(http.callers)
    return context


async def _read(receive: Receive, arriving: Arriving) -> None:
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Cut
        piece = event.get("body", b"")
        size += len(piece)
        arriving.feed(piece)
        if size > ENVELOPE_BYTES_MAX:
            raise TooLarge
        if not event.get("more_body"):
            return


def _retry_s(error: OSError | sqlite3.Error) -> int:
    """Return when to come again: a journal that is only being opened, after a kill, is open in a moment."""
    return SOON_S if fault_of(error) == "locked" else LATER_S


async def _answer(
    send: Send,
    status: int,
    body: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    *,
    retry_s: int = LATER_S,
    kind: bytes = _XML,
) -> None:
    told = [(b"content-length", str(len(body)).encode()), *(headers or [])]
    if status == _NOT_NOW:
        told.append((b"retry-after", str(retry_s).encode()))
    if body:
        told.append((b"content-type", kind))
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})


def _now() -> datetime:
    return datetime.now(UTC).astimezone(LOCAL)
