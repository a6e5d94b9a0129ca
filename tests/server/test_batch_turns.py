"""What a command of a batch may not do that it may not do alone, and what holds back what."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import grpc
import pytest

from adapters.sdk.tokens import Person
from exchange.errors import AnswerTooLarge
from exchange.v1.plan_service_pb2 import Seen, SetGoalResponse
from tests.server.batching import Raw, head, reason_of
from tests.server.story import Story
from tests.server.town import INVESTIGATE, Town, details_of


@pytest.fixture
def raw(town: Town, story: Story) -> Raw:
    return Raw(town, story)


def test_what_asks_what_changed_is_no_part_of_a_batch(raw: Raw) -> None:
    """Its answer tells of the resident, would wait for the last of the batch, and a withdrawal for it."""
    read = raw.story.wmo.plan.get_plan(
        claim=INVESTIGATE, plan_id=raw.story.plan_id, fields=["goals.own_words"], with_part_versions=True
    )
    raw.story.goal()
    looked = Seen(claim=INVESTIGATE, fields=["goals.own_words"], part_versions=read.part_versions)
    stands = head(raw.town)
    reason, fields = raw.reason(raw.command(seen=looked, expected_version=0))
    assert (reason, list(fields)) == ("REQUEST_INVALID", ["seen"])
    assert head(raw.town) == stands


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (AnswerTooLarge("the answer is over its limit"), ["ANSWER_TOO_LARGE", "", ""]),
        (TimeoutError(), ["DEADLINE_EXCEEDED"] * 3),
    ],
    ids=["for good", "perhaps done"],
)
def test_only_what_may_be_done_later_holds_back_what_comes_behind_it(
    raw: Raw, monkeypatch: pytest.MonkeyPatch, raised: Exception, told: list[str]
) -> None:
    submit, seen = raw.town.pipeline.submit, []

    async def first_fails(walk: Any) -> Any:  # noqa: ANN401 -- any walk
        seen.append(walk)
        if len(seen) == 1:
            raise raised
        return await submit(walk)

    monkeypatch.setattr(raw.town.pipeline, "submit", first_fails)
    version = raw.story.version
    commands = [raw.command(expected_version=version + number) for number in (0, 0, 1)]
    assert [reason_of(one) for one in raw.send(*commands).outcomes] == told


def test_a_service_that_stops_begins_no_more_of_a_batch(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is answered within the grace; the rest is held back, to be done elsewhere."""
    submit, house = raw.town.pipeline.submit, raw.town.server._house
    assert house is not None

    async def stops(walk: Any) -> Any:  # noqa: ANN401 -- any walk
        outcome = await submit(walk)
        monkeypatch.setattr(house.bells, "closing", True)
        return outcome

    monkeypatch.setattr(raw.town.pipeline, "submit", stops)
    commands = [raw.command(expected_version=raw.story.version + number) for number in range(3)]
    told = [reason_of(one) for one in raw.send(*commands).outcomes]
    assert told == ["", "DRAINING", "DRAINING"]
    assert len(raw.town.state("plan", raw.story.plan_id).goals) == 1


def test_each_is_looked_at_when_its_turn_comes_and_by_a_token_that_still_holds(
    aging_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = Raw(aging_town, Story(aging_town, next(aging_town.bsns)))
    submit, minutes = aging_town.pipeline.submit, iter((1, 30))

    async def slowly(walk: Any) -> Any:  # noqa: ANN401 -- any walk
        outcome = await submit(walk)
        aging_town.skew = timedelta(minutes=next(minutes))
        return outcome

    monkeypatch.setattr(aging_town.pipeline, "submit", slowly)
    commands = [raw.command(expected_version=raw.story.version + number) for number in range(3)]
    outcomes = raw.send(*commands).outcomes
    assert [reason_of(one) for one in outcomes] == ["", "", "PERSON_TOKEN_INVALID"]
    first, second = (
        SetGoalResponse.FromString(one.response).receipt.record_time.ToDatetime() for one in outcomes[:2]
    )
    assert second - first >= timedelta(seconds=59)
    assert len(aging_town.state("plan", raw.story.plan_id).goals) == 2


def test_what_has_no_rpc_of_a_batch_is_logged_under_the_batchs_own_name(raw: Raw) -> None:
    log = raw.town.settings.data / "exchange.log"
    before = log.stat().st_size
    raw.send(raw.command(rpc="/exchange.v1.PlanService/Nonsense"))
    raw.town.run(lambda: asyncio.sleep(0))  # a line is written behind its answer
    with log.open(encoding="utf-8") as file:
        file.seek(before)
        lines = [json.loads(line) for line in file]
    refused = [one["rpc"] for one in lines if one.get("reason") == "REQUEST_INVALID"]
    assert refused == ["SendCommands"]
    assert "Nonsense" not in json.dumps(lines)


@pytest.mark.parametrize("task", ["betrokkene", "wettelijk-vertegenwoordiger"])
def test_what_a_resident_says_is_taken_one_at_a_time(raw: Raw, task: str) -> None:
    raw.person = Person("burger-1", task, "inwoner", resident=raw.story.pseudonym)
    stands = head(raw.town)
    with pytest.raises(grpc.RpcError) as refused:
        raw.send(raw.command())
    assert [one.field for one in details_of(refused.value)["BadRequest"].field_violations] == ["commands"]
    assert head(raw.town) == stands
