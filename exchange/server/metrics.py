"""Numbers about the service for Prometheus, on a loopback port of their own.

Promises: labels are rpc names and codes only: no organisation, no person, no id. A scrape reads numbers
that are in memory; it never touches the store.
Source: API rules of the architecture; house style 8.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from threading import Thread
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, MetricsHandler

from exchange.errors import SettingsInvalid
from exchange.server.shards.front import HOW

if TYPE_CHECKING:
    from collections import Counter as Counts
    from collections.abc import Callable, Mapping

    from exchange.server.house import House
    from exchange.server.nodes.holding import Holding
    from exchange.server.shards.front import ShardFront
    from exchange.server.spans import Spans

LOOPBACK: Final = "127.0.0.1"
# The server looks this often whether it has to stop; half a second, as it is unless told, would hold up each
# end of a service.
STOP_SEEN_S: Final = 0.05
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class _Reading(MetricsHandler):
    """Numbers are read: another method is refused as the caller's, not as a fault of this server."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say that a method is not allowed where the library says that it does not know it."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code, message = HTTPStatus.METHOD_NOT_ALLOWED, None
        super().send_error(code, message, explain)

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer; one that refuses a method names those there are (RFC 9110 section 15.5.6)."""
        super().send_response(code, message)
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")


class Metrics:
    """Counts calls; reads the rest when it is asked."""

    def __init__(self, spans: Spans | None = None) -> None:
        self._spans = spans
        self.registry: Final = CollectorRegistry()
        self._calls = Counter(
            "exchange_calls", "Calls by rpc and gRPC code.", ("rpc", "code"), registry=self.registry
        )
        self._seconds = Histogram(
            "exchange_call_seconds",
            "Time from request to answer.",
            ("rpc",),
            buckets=SECONDS,
            registry=self.registry,
        )
        build = Gauge(
            "exchange_build_info", "Which version this process runs.", ("version",), registry=self.registry
        )
        build.labels(_version()).set(1)
        self._counting: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._web: tuple[ThreadingHTTPServer, Thread] | None = None

    def count(self, rpc: str, code: str, seconds: float, reason: str = "", trace: str = "") -> None:
        """Count one call, and tell it where traces are collected."""
        if self._spans is not None:
            self._spans.note(rpc, code, reason, trace, seconds)
        counting = self._counting.get((rpc, code))
        if counting is None:
            # As many as the contract has rpcs and gRPC has codes: finding one anew costs more than counting.
            counting = self._calls.labels(rpc, code), self._seconds.labels(rpc)
            self._counting[rpc, code] = counting
        calls, took = counting
        calls.inc()
        took.observe(seconds)

    def watch(self, house: House, certificate_end: Callable[[], float]) -> None:
        """Let the gauges read the parts of this house, and when the door's certificate ends."""
        pipeline, hot, ledger = house.parts.pipeline, house.parts.hot, house.parts.ledger
        counts = pipeline.counts
        self._gauge("exchange_queue_depth", "Walks accepted and not yet answered.", lambda: pipeline.depth)
        self._gauge(
            "exchange_groups_overtaken",
            "Groups walked again since the start: another node had moved the head.",
            lambda: counts["overtaken"],
        )
        self._gauge(
            "exchange_groups", "Groups handed to the writer since the start.", lambda: counts["groups"]
        )
        self._gauge(
            "exchange_groups_committed",
            "Groups that recorded something since the start.",
            lambda: counts["committed"],
        )
        self._gauge("exchange_walks", "Walks handed to the writer since the start.", lambda: counts["walks"])
        self._gauge(
            "exchange_group_walks", "Mean size of a group.", lambda: _mean(counts["walks"], counts["groups"])
        )
        self._gauge("exchange_hot_entries", "Folded streams in memory.", lambda: hot.size[0])
        self._gauge(
            "exchange_hot_bytes", "Bytes of folded streams in memory, estimated.", lambda: hot.size[1]
        )
        self._gauge("exchange_streams", "Open subscriptions.", lambda: house.streams.count)
        self._gauge(
            "exchange_ledger_leaves",
            "Leaves under the newest checkpoint.",
            lambda: 0 if (newest := ledger.newest()) is None else newest.signed.checkpoint.size,
        )
        self._gauge(
            "exchange_witnesses_missing",
            "Witnesses that have not cosigned the newest checkpoint.",
            lambda: 0 if (newest := ledger.newest()) is None else len(newest.missing),
        )

        self._gauge(
            "exchange_certificate_end_seconds",
            "When the door's certificate ends, Unix time.",
            certificate_end,
        )

    def watch_lines(
        self, ends: Mapping[str, float], read: Mapping[str, Callable[[], float]] | None = None
    ) -> None:
        """Let gauges tell when certificates end that this node shows elsewhere than at its door, Unix time.

        `ends` are shown from the start to the next one; `read` are read again whenever they are shown.
        """
        meaning = "When a certificate ends that is shown on a line of this node's own, Unix time."
        told = Gauge("exchange_line_certificate_end_seconds", meaning, ("line",), registry=self.registry)
        for line, end in ends.items():
            told.labels(line).set(end)
        for line, end_now in (read or {}).items():
            told.labels(line).set_function(end_now)

    def watch_ready(self, able: Callable[[], bool]) -> None:
        """Let a gauge read whether this node can serve."""
        self._gauge("exchange_ready", "Whether this node can serve now: 1 or 0.", lambda: int(able()))

    def watch_node(self, holding: Holding, counts: Counts[str]) -> None:
        """Let the gauges read what this node is among many."""
        self._gauge(
            "exchange_lease_held", "Whether this node holds the shard: 1 or 0.", lambda: int(holding.here)
        )
        self._gauge("exchange_lease_term", "The term of the lease; it only grows.", lambda: holding.term)
        meaning = "Calls sent on to another node since the start."
        forwards = Gauge("exchange_forwards", meaning, ("how",), registry=self.registry)
        for how in ("answered", "again", "refused", "streams"):
            forwards.labels(how).set_function(partial(counts.__getitem__, how))

    def watch_front(self, front: ShardFront, refused: Callable[[], bool]) -> None:
        """Let the gauges read a front of many shards, and whether it refuses the map that lies there."""
        self._gauge("exchange_shard_map_serial", "Serial of the map in force.", lambda: front.in_force.serial)
        self._gauge(
            "exchange_shard_map_refused",
            "Whether the map that lies there is refused: 1 or 0.",
            lambda: int(refused()),
        )
        self._gauge("exchange_front_open", "Connections that stand.", lambda: front.connections)
        meaning = "Connections since the start, by what came of them."
        ended = Gauge("exchange_front_connections", meaning, ("how",), registry=self.registry)
        for how in HOW:
            ended.labels(how).set_function(partial(front.counts.__getitem__, how))

    def serve(self, port: int) -> int:
        """Open the port on loopback, 0 for a free one; return it. Raises SettingsInvalid."""
        try:
            server = ThreadingHTTPServer((LOOPBACK, port), _Reading.factory(self.registry))
        except OSError as error:
            raise SettingsInvalid("the port of the metrics cannot be opened", port=str(port)) from error
        thread = Thread(target=server.serve_forever, args=(STOP_SEEN_S,), name="metrics", daemon=True)
        thread.start()
        self._web = server, thread
        return server.server_port

    def close(self) -> None:
        """Close the port, and send the spans that are left."""
        if self._web is not None:
            server, thread = self._web
            server.shutdown()
            server.server_close()
            thread.join()
            self._web = None
        if self._spans is not None:
            self._spans.close()

    def _gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self.registry).set_function(read)


def _version() -> str:
    """Return the version that is installed; `unknown` where the code lies there without being installed."""
    try:
        return version("exchange")
    except PackageNotFoundError:
        return "unknown"


def _mean(total: int, count: int) -> float:
    return total / count if count else 0.0
