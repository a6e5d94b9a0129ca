"""A span for each call, sent to the collector that the standard's variables name; none where they do not.

Promises: a span holds the rpc, the code, the reason, two times and its place in the caller's trace: no
organisation, no person, no id of ours, no text. A collector that is away or slow holds up no call, and a stop
for two seconds at most; what does not fit in the queue is dropped.
Source: OpenTelemetry specification (trace SDK, exporter, environment variables), W3C Trace Context.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Final

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

WHERE: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
DISABLED: Final = "OTEL_SDK_DISABLED"
SERVICE: Final = "exchange"
CLOSE_WAIT_S: Final = 2.0
NOT_FAULTS: Final = frozenset({"OK", "CANCELLED"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEX: Final = 16


class Spans:
    """Told of each call by the event loop; a thread of the library's sends what it is told."""

    def __init__(self, provider: TracerProvider, clock: Callable[[], datetime]) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE)
        self._clock = clock

    def note(self, rpc: str, code: str, reason: str, trace: str, seconds: float) -> None:
        """Keep one call that has just ended; `trace` is "<trace id>-<span id>" of its caller, or nothing."""
        from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415 -- the extra may not be there

        ended = self._clock()
        told = {"rpc.system": "grpc", "rpc.method": rpc, "rpc.grpc.status": code}
        if reason:
            told["exchange.reason"] = reason
        span = self._tracer.start_span(
            rpc,
            context=_under(trace),
            kind=SpanKind.SERVER,
            attributes=told,
            start_time=_nanoseconds(ended - timedelta(seconds=seconds)),
        )
        if code not in NOT_FAULTS:
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(ended))

    def close(self) -> None:
        """Send what is left, as far as two seconds reach."""
        ending = Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(CLOSE_WAIT_S)


def open_spans(clock: Callable[[], datetime], environment: Mapping[str, str] | None = None) -> Spans | None:
    """Return where calls are told, None where the environment names no collector. Raises SettingsInvalid."""
    told = os.environ if environment is None else environment
    if not any(told.get(name) for name in WHERE) or told.get(DISABLED, "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 -- as above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 -- as above
    except ModuleNotFoundError:
        raise SettingsInvalid(
            "a collector of traces needs the extra `otel`: pip install 'exchange[otel]'", name=WHERE[1]
        ) from None
    # Its own lines have another shape than ours, and name hosts; what does not arrive, the collector sees.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    named = {} if told.get("OTEL_SERVICE_NAME") else {"service.name": SERVICE}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider, clock)


def _under(trace: str) -> Context:
    from opentelemetry.context import Context  # noqa: PLC0415 -- the extra may not be there
    from opentelemetry.trace import (  # noqa: PLC0415 -- as above
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    # A context of its own: nothing that a library put into the thread's gets into a span.
    if not trace:
        return Context()
    trace_id, _, span_id = trace.partition("-")
    sampled = TraceFlags(TraceFlags.SAMPLED)
    parent = SpanContext(int(trace_id, _HEX), int(span_id, _HEX), is_remote=True, trace_flags=sampled)
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
