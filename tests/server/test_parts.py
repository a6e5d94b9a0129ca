"""The small parts of the door: limits, page tokens, certificates, log lines, numbers."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.request
from typing import TYPE_CHECKING

import pytest

from exchange.errors import CallerUnknown, QuotaExceeded, RequestInvalid, SettingsInvalid
from exchange.keys.authority import DevelopmentAuthority
from exchange.logs import ALLOWED_KEYS, LogKeyUnknown, open_log
from exchange.pipeline.walk import Caller
from exchange.server.caller.certificates import Certificates
from exchange.server.contract.pages import Pages, page_rows
from exchange.server.limits import BUCKETS_MAX, Buckets, Streams
from exchange.server.metrics import Metrics
from exchange.v1.consent_service_pb2 import ListConsentsRequest

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# --- limits ---------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = Buckets("calls", 10.0, 3, clock)
    for _ in range(3):
        buckets.take("a")
    with pytest.raises(QuotaExceeded) as refused:
        buckets.take("a")
    assert refused.value.metadata == {"limit": "calls"}
    assert refused.value.retry_after_ms is not None
    assert 100 <= refused.value.retry_after_ms <= 150
    buckets.take("b")
    clock.now = 0.1
    buckets.take("a")
    with pytest.raises(QuotaExceeded):
        buckets.take("a")


def test_a_bucket_takes_all_or_nothing_and_never_overflows() -> None:
    clock = Clock()
    buckets = Buckets("evaluations", 1.0, 10, clock)
    with pytest.raises(QuotaExceeded):
        buckets.take("a", 11)
    buckets.take("a", 10)
    clock.now = 1_000.0
    buckets.take("a", 10)
    with pytest.raises(QuotaExceeded):
        buckets.take("a", 1)


def test_buckets_are_bounded() -> None:
    buckets = Buckets("calls", 1.0, 1, Clock())
    for number in range(BUCKETS_MAX + 10):
        buckets.take(str(number))
    assert len(buckets._left) == BUCKETS_MAX


def test_streams_are_bounded_for_each_and_for_all() -> None:
    streams = Streams(per_organisation_max=2, in_all_max=3)
    with streams.one("a"), streams.one("a"):
        with pytest.raises(QuotaExceeded), streams.one("a"):
            pass
        with streams.one("b"):
            assert streams.count == 3
            with pytest.raises(QuotaExceeded), streams.one("c"):
                pass
    assert streams.count == 0


# --- pages ----------------------------------------------------------------------------------------------


def caller(professional: str = "p", task: str = "fg") -> Caller:
    return Caller("0" * 20, task, professional, "r", "t", two_factor=True, mutual_tls=True)


def test_a_page_token_leads_back_to_its_place() -> None:
    pages = Pages(b"k" * 32)
    asked = ListConsentsRequest(case_id="c", page_size=10)
    assert pages.place("ListConsents", caller(), asked) is None
    asked.page_token = pages.token(41, "ListConsents", caller(), asked)
    asked.page_size = 20
    assert pages.place("ListConsents", caller(), asked) == 41


@pytest.mark.parametrize("token", ["x", "AAAA", "=" * 40, "A" * 32, "A" * 33])
def test_a_made_up_page_token_is_refused(token: str) -> None:
    with pytest.raises(RequestInvalid):
        Pages(b"k" * 32).place("ListConsents", caller(), ListConsentsRequest(page_token=token))


def test_a_page_token_holds_for_its_caller_question_rpc_and_key_only() -> None:
    pages = Pages(b"k" * 32)
    asked = ListConsentsRequest(case_id="c")
    asked.page_token = pages.token(1, "ListConsents", caller(), asked)
    other = ListConsentsRequest(case_id="d", page_token=asked.page_token)
    for how in (
        (pages, "ListConsents", caller("q"), asked),
        (pages, "ListConsents", caller(task="college:WMO"), asked),
        (pages, "ListDisclosures", caller(), asked),
        (pages, "ListConsents", caller(), other),
        (Pages(b"j" * 32), "ListConsents", caller(), asked),
    ):
        with pytest.raises(RequestInvalid):
            how[0].place(*how[1:])


def test_a_page_has_fifty_rows_unless_said() -> None:
    assert page_rows(ListConsentsRequest()) == 50
    assert page_rows(ListConsentsRequest(page_size=7)) == 7


# --- certificates ---------------------------------------------------------------------------------------


def test_a_certificate_tells_oin_and_thumbprint(tmp_path: Path) -> None:
    issued = DevelopmentAuthority(tmp_path).issue_organisation("1" * 20, "Een", tmp_path / "files")
    read = Certificates().read((issued.folder / "client.pem").read_bytes())
    assert (read.oin, read.thumbprint) == ("1" * 20, issued.thumbprint)


def test_a_certificate_without_oin_is_refused(tmp_path: Path) -> None:
    issued = DevelopmentAuthority(tmp_path).issue_server(tmp_path / "files")
    with pytest.raises(CallerUnknown):
        Certificates().read(issued.certificate.read_bytes())
    with pytest.raises(CallerUnknown):
        Certificates().read(b"no certificate")


# --- log lines ------------------------------------------------------------------------------------------


def test_a_line_is_json_with_time_and_level() -> None:
    lines = io.StringIO()
    open_log(stream=lines).info("call", rpc="GetPlan", code="OK", took_ms=1.5)
    told = json.loads(lines.getvalue())
    assert told.pop("at").endswith("Z")
    assert told == {"event": "call", "level": "info", "rpc": "GetPlan", "code": "OK", "took_ms": 1.5}


async def test_lines_of_one_turn_of_the_loop_leave_together_and_in_order() -> None:
    lines = io.StringIO()
    log = open_log(stream=lines)
    for number in range(3):
        log.info("call", count=number)
    assert lines.getvalue() == ""
    await asyncio.sleep(0)
    assert [json.loads(line)["count"] for line in lines.getvalue().splitlines()] == [0, 1, 2]


def test_an_unknown_key_raises_and_nothing_is_written() -> None:
    lines = io.StringIO()
    log = open_log(stream=lines)
    with pytest.raises(LogKeyUnknown) as refused:
        log.info("call", own_words="Ik woon hier")
    assert refused.value.metadata == {"key": "own_words"}
    assert "woon" not in str(refused.value)
    assert lines.getvalue() == ""


@pytest.mark.parametrize("value", ["x" * 201, b"bytes", ["list"], {"a": 1}])
def test_a_value_that_is_not_short_and_plain_raises(value: object) -> None:
    with pytest.raises(LogKeyUnknown):
        open_log(stream=io.StringIO()).info("call", reason=value)


def test_no_allowed_key_is_about_a_person() -> None:
    assert ALLOWED_KEYS.isdisjoint({"resident", "professional", "pseudonym", "plan_id", "case_id", "message"})


def test_below_its_level_nothing_is_written_and_a_file_is_appended_to(tmp_path: Path) -> None:
    lines = io.StringIO()
    open_log(level="warning", stream=lines).info("call")
    assert lines.getvalue() == ""
    with pytest.raises(SettingsInvalid):
        open_log(tmp_path / "absent" / "log")


# --- numbers --------------------------------------------------------------------------------------------


def test_calls_are_counted_by_rpc_and_code_and_by_nothing_else() -> None:
    metrics = Metrics()
    metrics.count("GetPlan", "OK", 0.002)
    metrics.count("GetPlan", "OK", 0.002)
    value = metrics.registry.get_sample_value
    assert value("exchange_calls_total", {"rpc": "GetPlan", "code": "OK"}) == 2
    assert value("exchange_call_seconds_bucket", {"rpc": "GetPlan", "le": "0.0025"}) == 2


def test_metrics_are_served_on_loopback_and_a_taken_port_is_told() -> None:
    metrics = Metrics()
    port = metrics.serve(0)
    try:
        metrics.count("GetPlan", "OK", 0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b'exchange_calls_total{code="OK",rpc="GetPlan"} 1.0' in answer.read()
        with pytest.raises(SettingsInvalid):
            Metrics().serve(port)
    finally:
        metrics.close()
