"""The door of the second party: evaluates blinded elements under its half of the key, and counts.

Promises: one caller, by the thumbprint of its certificate, over mutual TLS; every element was counted on the
share of the day, on disk, before it is answered; a log line holds numbers only; a bad frame ends its
connection and nothing else.
Source: RFC 9497; RFC 8446; LEDGER design section 6 (k = k1·k2).
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from contextlib import suppress
from hashlib import sha256
from time import perf_counter  # a stopwatch, not a clock: no moment is taken from it
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import ExchangeError, GroupElementInvalid, QuotaExceeded, RequestInvalid, RuleBroken
from exchange.server.party.frames import (
    LENGTH_BYTES,
    STEP,
    WAIT_BYTES,
    Word,
    elements_of,
    framed,
    length_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from exchange.keys.half_renewal import Stepped
    from exchange.keys.voprf import BatchEvaluation

    class Evaluates(Protocol):
        """The key and its count."""

        def evaluate(self, blinded: Sequence[bytes]) -> BatchEvaluation:
            """Count, then evaluate. Raises GroupElementInvalid, QuotaExceeded, KeyUnavailable."""
            ...

    class Steps(Protocol):
        """What takes elements from this half to the next, while that is renewed."""

        def step(self, blinded: Sequence[bytes]) -> Stepped:
            """Count, then take over. Raises GroupElementInvalid, RuleBroken, KeyUnavailable."""
            ...


REFUSED: Final = "REFUSED"  # a connection of somebody else, or one too many
# How a question may end, for who counts them.
OUTCOMES: Final = (*Word.__members__, REFUSED)
CONNECTIONS_MAX: Final = 32
IDLE_S_MAX: Final = 120.0
# Above the 2 s the exchange waits for an answer, so that it is the exchange that gives up first.
FRAME_S_MAX: Final = 5.0
CLOSE_S_MAX: Final = 1.0


class PartyDoor:
    """Owned by one event loop: `start` once, `stop` once. `caller` is the thumbprint of a certificate.

    `steps` is there while this half is renewed.
    """

    def __init__(
        self,
        key: Evaluates,
        tls: ssl.SSLContext,
        caller: str,
        log: Any,  # noqa: ANN401 -- structlog's logger has no public type
        steps: Steps | None = None,
        *,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`count` gets one of OUTCOMES for each question, and for each connection that is refused."""
        self._count = count
        self._key = key
        self._steps = steps
        self._tls = tls
        self._caller = caller
        self._log = log
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[Any]] = {}

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=self._tls, ssl_shutdown_timeout=CLOSE_S_MAX
        )
        opened: int = self._server.sockets[0].getsockname()[1]
        return opened

    async def stop(self) -> None:
        """Take no more and hang up."""
        if self._server is None:
            return
        self._server.close()
        serving = list(self._open.items())
        for writer, task in serving:
            # Not closed politely: the other end keeps idle lines open, and would be waited for.
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*(task for _, task in serving), return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX or not self._is_caller(writer):
            self._count(REFUSED)
            self._log.warning("refused", reason="CALLER_UNKNOWN")
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None, "each connection is served by a task"
        self._open[writer] = task
        try:
            while True:
                async with asyncio.timeout(IDLE_S_MAX):
                    head = await reader.readexactly(LENGTH_BYTES)
                async with asyncio.timeout(FRAME_S_MAX):
                    content = await reader.readexactly(length_of(head))
                writer.write(framed(await self._answer(content)))
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass  # The exchange hung up, or said nothing any more.
        except RequestInvalid:
            # Where the next frame begins is not known any more.
            self._count(Word.MALFORMED.name)
            self._log.warning("refused", reason="REQUEST_INVALID")
        finally:
            del self._open[writer]
            writer.close()
            with suppress(ConnectionError, TimeoutError, ssl.SSLError):
                await writer.wait_closed()

    def _is_caller(self, writer: asyncio.StreamWriter) -> bool:
        tls = writer.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) or b""
        return hmac.compare_digest(sha256(shown).hexdigest(), self._caller)

    async def _answer(self, content: bytes) -> bytes:
        started, count, reason, word = perf_counter(), 0, "", Word.FAILED
        answered = b""
        steps = content[:1] == STEP
        try:
            elements = elements_of(content)
            count = len(elements)
            # In a thread: it waits for the disk.
            asked = self._stepped if steps else self._evaluated
            word, answered = await asyncio.get_running_loop().run_in_executor(None, asked, elements)
        except GroupElementInvalid as error:
            word, reason = Word.NO_ELEMENT, error.code
        except QuotaExceeded as error:
            word, reason = Word.OVER_QUOTA, error.code
            answered = (error.retry_after_ms or 0).to_bytes(WAIT_BYTES, "big")
        except RuleBroken as error:
            word, reason = Word.NO_STEP, error.code
        except RequestInvalid as error:
            word, reason = Word.MALFORMED, error.code
        except ExchangeError as error:
            reason = error.code
        self._count(word.name)
        took_ms = round((perf_counter() - started) * 1_000, 2)
        self._log.info("stepped" if steps else "evaluated", count=count, reason=reason, took_ms=took_ms)
        return bytes((word,)) + answered

    def _evaluated(self, blinded: Sequence[bytes]) -> tuple[Word, bytes]:
        batch = self._key.evaluate(blinded)
        return Word.EVALUATED, b"".join(batch.elements) + batch.proof

    def _stepped(self, blinded: Sequence[bytes]) -> tuple[Word, bytes]:
        if self._steps is None:
            return Word.NO_STEP, b""
        made = self._steps.step(blinded)
        return Word.STEPPED, made.public + b"".join(made.elements) + made.proof
