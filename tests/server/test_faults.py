"""What a caller gets when the service is pressed, slow, stopping or defective."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from exchange.errors import StoreFull
from exchange.logs import open_log
from exchange.pipeline.queue import Pipeline
from exchange.server import interceptor
from exchange.v1.plan_service_pb2 import GetPlanRequest
from tests.server.test_door import GET_CHECKPOINT, GET_PLAN, question, refused, token
from tests.server.town import Town, raw_call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "words of a resident"


@pytest.fixture(scope="module")
def pressed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Yield a town with little patience: what it is asked may end before it is answered."""
    yield from logged(tmp_path_factory.mktemp("pressed"), deadline_default_s=0.1, deadline_max_s=0.2)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Yield a town with the usual patience, whose log is its own."""
    yield from logged(tmp_path_factory.mktemp("calm"))


def logged(data: Path, **limits: Any) -> Iterator[Town]:  # noqa: ANN401 -- any limit
    with (data / "log").open("w", encoding="utf-8") as lines:
        town = Town(data, open_log(stream=lines), **limits)
        town.start()
        yield town
        town.close()


def log_of(town: Town) -> str:
    """Return the log once the loop's turn in which the answer left is over: then its lines are written."""
    town.run(lambda: asyncio.sleep(0))
    return (town.settings.data / "log").read_text("utf-8")


def lines_of(town: Town) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_of(town).splitlines()]


def instead(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """Let every walk fail with an error, or never end."""

    async def submit(_pipeline: Pipeline, _walk: object) -> None:
        if error is None:
            await asyncio.sleep(60)
            return
        raise error

    monkeypatch.setattr(Pipeline, "submit", submit)


def test_a_defect_leaves_as_an_incident_number_and_nothing_else(
    calm: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, ZeroDivisionError(SECRET))
    told = refused(calm, question(), token=token(calm.credentials()))
    assert told["code"] is grpc.StatusCode.INTERNAL
    incident = told["ErrorInfo"].metadata["incident"]
    lines = [line for line in lines_of(calm) if line["event"] == "defect"]
    assert [line["incident"] for line in lines] == [incident]
    assert lines[0]["error"] == "ZeroDivisionError"
    assert lines[0]["place"].startswith("test_faults.py:")
    assert SECRET not in str(told["status"]) + log_of(calm)


def test_a_full_disk_is_told_with_when_to_come_back(calm: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, StoreFull("the disk is full"))
    told = refused(calm, question(), token=token(calm.credentials()))
    assert told["code"] is grpc.StatusCode.UNAVAILABLE
    assert told["ErrorInfo"].reason == "STORE_FULL"
    assert told["RetryInfo"].retry_delay.ToMilliseconds() > 0


@pytest.mark.parametrize("timeout_s", [None, 30.0])
def test_no_walk_holds_a_call_longer_than_its_limit(
    pressed: Town, monkeypatch: pytest.MonkeyPatch, timeout_s: float | None
) -> None:
    instead(monkeypatch, None)
    told = refused(pressed, question(), token=token(pressed.credentials()), timeout_s=timeout_s)
    assert told["code"] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "request id" in told["ErrorInfo"].metadata["remedy"]


def test_an_answer_over_its_limit_is_told_and_logged_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        try:
            size = len(raw_call(town, GET_CHECKPOINT, b""))
            monkeypatch.setattr(interceptor, "ANSWER_BYTES_MAX", size)
            assert raw_call(town, GET_CHECKPOINT, b"")
            monkeypatch.setattr(interceptor, "ANSWER_BYTES_MAX", size - 1)
            told = refused(town, b"", method=GET_CHECKPOINT)
            line = lines_of(town)[-1]
        finally:
            town.close()
    assert told["code"] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told["ErrorInfo"].reason == "ANSWER_TOO_LARGE"
    assert "fewer fields" in told["ErrorInfo"].metadata["remedy"]
    assert (line["code"], line["reason"]) == ("RESOURCE_EXHAUSTED", "ANSWER_TOO_LARGE")


def test_one_line_for_each_call_and_nothing_about_a_resident_in_it(calm: Town) -> None:
    before = len(lines_of(calm))
    refused(calm, question(), token=token(calm.credentials()))
    (line,) = lines_of(calm)[before:]
    assert line["event"] == "call"
    assert (line["rpc"], line["code"], line["reason"]) == ("GetPlan", "PERMISSION_DENIED", "ACCESS_DENIED")
    assert line["caller"] == calm.credentials().oin
    assert set(line) <= {
        "event",
        "level",
        "at",
        "rpc",
        "code",
        "reason",
        "caller",
        "task",
        "request_id",
        "took_ms",
    }


def test_what_was_not_checked_is_not_logged(calm: Town) -> None:
    before = len(lines_of(calm))
    refused(calm, GetPlanRequest(plan_id=SECRET), token=token(calm.credentials(), task=SECRET[:5]))
    refused(calm, b"\xff" + SECRET.encode(), token=token(calm.credentials()))
    assert len(lines_of(calm)) == before + 2
    assert SECRET not in log_of(calm)


def test_an_organisation_over_its_share_is_told_when_to_come_back(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines), calls_per_second=0.005, calls_burst=2)
        town.start()
        try:
            raw_call(town, GET_CHECKPOINT, b"")
            raw_call(town, GET_CHECKPOINT, b"")
            told = refused(town, b"", method=GET_CHECKPOINT)
        finally:
            town.close()
    assert told["code"] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told["ErrorInfo"].reason == "QUOTA_EXCEEDED"
    # One comes back in 200 seconds, however long the two before it took.
    assert 100_000 < told["RetryInfo"].retry_delay.ToMilliseconds() < 200_100


def test_tokens_that_are_not_taken_use_up_the_share_too(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines), calls_per_second=0.001, calls_burst=2)
        town.start()
        try:
            told = [refused(town, question(), token=f"none-{number}") for number in range(3)]
        finally:
            town.close()
    assert [one["ErrorInfo"].reason for one in told] == [
        *("PERSON_TOKEN_INVALID", "PERSON_TOKEN_INVALID", "QUOTA_EXCEEDED")
    ]


def test_while_draining_new_calls_are_sent_away(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        try:
            assert town.server._house is not None
            town.server._house.bells.closing = True
            told = refused(town, question(), method=GET_PLAN, token=token(town.credentials()))
        finally:
            town.close()
    assert told["ErrorInfo"].reason == "DRAINING"
    assert told["code"] is grpc.StatusCode.UNAVAILABLE
