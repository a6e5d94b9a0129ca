"""Numbers of a process beside the service: a witness, a directory, the second party, a console alone.

Promises: as those of the service, on loopback, from memory, without a person, an organisation or a log's
name: what is counted is how requests ended, by a word from a list that is known before the first of them.
Source: house style 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Counter, Gauge

from exchange.server.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.server.web.door import App

WITNESS, DIRECTORY, SECOND_PARTY, CONSOLE = "witness", "directory", "second_party", "console"
COSIGNED: Final = "COSIGNED"
# How a page ended, by the first digit of its status: an address is never counted by itself.
CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_ANSWER: Final = "5xx"


class Beside:
    """Counts answers; reads the rest when it is asked. Each outcome is there from the start, at nought."""

    def __init__(self, process: str, outcomes: Iterable[str]) -> None:
        self._metrics = Metrics()
        meaning = "Answers of a process beside the service, by how they ended."
        told = Counter("exchange_answers", meaning, ("process", "outcome"), registry=self._metrics.registry)
        # The first of its kind is seen by no rate where it makes its series.
        self._counters = {outcome: told.labels(process, outcome) for outcome in outcomes}

    def count(self, outcome: str) -> None:
        """Count one answer, by an outcome that was named before."""
        self._counters[outcome].inc()

    def watch_cosigned(self, last: Callable[[], float]) -> None:
        """Let a gauge read when something was cosigned last, Unix time; since the start, when it started."""
        self._watch(
            "exchange_witness_cosigned_seconds", "When a checkpoint was cosigned last, Unix time.", last
        )

    def watch_taken(self, last: Callable[[], float]) -> None:
        """Let a gauge read when a directory took something last, Unix time; at first, when it started."""
        self._watch("exchange_directory_taken_seconds", "When a checkpoint was taken last, Unix time.", last)

    def watch_certificate(self, end: Callable[[], float]) -> None:
        """Let a gauge read when the certificate of the door ends, Unix time."""
        self._watch("exchange_certificate_end_seconds", "When the door's certificate ends, Unix time.", end)

    def serve(self, port: int | None) -> int:
        """Open the port on loopback, 0 for a free one, none for None; return it. Raises SettingsInvalid."""
        return 0 if port is None else self._metrics.serve(port)

    def close(self) -> None:
        """Close the port."""
        self._metrics.close()

    def _watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self._metrics.registry).set_function(read)


def counted(app: App, count: Callable[[str], None]) -> App:
    """Return an application whose answers are counted by the class of their status."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- as ASGI has it
        ended = [NO_ANSWER]

        async def sent(message: Any) -> None:  # noqa: ANN401 -- as above
            if message["type"] == "http.response.start":
                ended[0] = f"{message['status'] // 100}xx"
            await send(message)

        try:
            await app(scope, receive, sent)
        finally:
            count(ended[0])

    return answer
