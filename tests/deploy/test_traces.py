"""Spans of calls as a collector gets them: linked to the caller's trace, and without a word about anybody.

Source: OpenTelemetry protocol (OTLP over gRPC), W3C Trace Context; exchange/server/spans.py.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from adapters.sdk.errors import Denied
from deploy.local.processes import free_ports, wait_until
from exchange.errors import SettingsInvalid
from exchange.server import spans
from tests.e2e.service import CITY, INVESTIGATE, Case, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARRIVES_WITHIN_S = 30
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRACE_ID, PARENT = "28dbeec32e77635cc19bc3204ec56c41", "893e1b2ac52d712f"
WORDS = "Ik durf de straat niet meer op."
ALLOWED = {"rpc.system", "rpc.method", "rpc.grpc.status", "exchange.reason"}
RESOURCE = {
    "service.name",
    "service.instance.id",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
}


class Collector:
    """Keeps what arrives, as it arrives."""

    def __init__(self) -> None:
        self.arrived: list[ExportTraceServiceRequest] = []
        self._lock = threading.Lock()
        handler = grpc.unary_unary_rpc_method_handler(
            self._export,
            request_deserializer=ExportTraceServiceRequest.FromString,
            response_serializer=ExportTraceServiceResponse.SerializeToString,
        )
        service, _, method = EXPORT[1:].partition("/")
        self._server = grpc.server(ThreadPoolExecutor(1))
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _export(self, told: ExportTraceServiceRequest, _: object) -> ExportTraceServiceResponse:
        with self._lock:
            self.arrived.append(told)
        return ExportTraceServiceResponse()

    def spans(self) -> list[Any]:
        with self._lock:
            return [
                span
                for told in self.arrived
                for resource in told.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    def close(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def of_the_trace(collector: Collector) -> list[Any]:
    """Return the spans of the trace that the caller named, as they ended."""
    mine = [span for span in collector.spans() if span.trace_id.hex() == TRACE_ID]
    return sorted(mine, key=lambda span: int(span.end_time_unix_nano))


def traced(folder: Path, port: int) -> Service:
    service = Service(folder)
    service._environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    return service.start()


def test_spans_arrive_in_the_callers_trace_and_tell_of_nobody(collector: Collector, tmp_path: Path) -> None:
    service = traced(tmp_path / "exchange", collector.port)
    try:
        case = Case(service, WORDS)
        case.goal()
        plan = case.wmo.with_trace(f"00-{TRACE_ID}-{PARENT}-01").plan
        plan.get_plan(claim=INVESTIGATE, plan_id=case.plan_id, fields=["version"])
        with pytest.raises(Denied):
            plan.get_plan(claim=INVESTIGATE, plan_id=str(uuid.uuid4()), fields=["version"])
        wait_until(
            lambda: len(of_the_trace(collector)) > 1,
            ARRIVES_WITHIN_S,
            "the spans",
        )
        assert service.stop() == 0
    finally:
        service.close()
    assert {"ReceiveReport", "SetGoal", "RegisterResident", "GetPlan"} <= {s.name for s in collector.spans()}
    good, refused = of_the_trace(collector)
    assert good.parent_span_id.hex() == refused.parent_span_id.hex() == PARENT
    assert [one.status.code for one in (good, refused)] == [
        Status.STATUS_CODE_UNSET,
        Status.STATUS_CODE_ERROR,
    ]
    told = {one.key: one.value.string_value for one in refused.attributes}
    assert (told["rpc.grpc.status"], told["exchange.reason"]) == ("PERMISSION_DENIED", "ACCESS_DENIED")
    for span in collector.spans():
        assert {one.key for one in span.attributes} <= ALLOWED
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        assert (span.kind, list(span.events), list(span.links)) == (span.SPAN_KIND_SERVER, [], [])
    for export in collector.arrived:
        for resource in export.resource_spans:
            assert {one.key for one in resource.resource.attributes} <= RESOURCE
    whole = b"".join(export.SerializeToString() for export in collector.arrived)
    told_of = [WORDS, CITY, case.bsn, case.case_id, case.plan_id, f"w-{case.bsn[-5:]}", "college"]
    assert [one for one in told_of if one.encode() in whole] == []
    assert case.pseudonym not in whole


@pytest.mark.slow
def test_a_collector_that_is_away_holds_up_neither_calls_nor_the_end(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    service = traced(tmp_path / "exchange", port)
    try:
        case = Case(service)
        case.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=case.plan_id, fields=["version"])
        assert service.stop() == 0
    finally:
        service.close()
    # Nothing but our own lines.
    assert all(json.loads(line)["event"] for line in service.said().splitlines())


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "TRUE"},
    ],
)
def test_without_a_collector_nothing_is_opened(environment: dict[str, str]) -> None:
    assert spans.open_spans(lambda: datetime.now(UTC), environment) is None


def test_a_collector_without_the_extra_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    named = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}
    with pytest.raises(SettingsInvalid, match="needs the extra `otel`"):
        spans.open_spans(lambda: datetime.now(UTC), named)
