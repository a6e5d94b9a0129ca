"""Searches in a real town: only what the gate permits, only where who asks stands himself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.authzen.test_questions import INVESTIGATING, let_join, question, worker
from tests.authzen.web import SEARCH
from tests.server.story import Story
from tests.server.town import CARE, CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.authzen.web import Web
    from tests.server.town import Town

    Open = Callable[..., Web]


def found(web: Web, gap: str, asked: dict[str, Any]) -> list[str]:
    answer = web.post(SEARCH + gap, asked)
    assert answer.status == 200, answer.body
    return [one.get("id", one.get("name")) for one in answer.body["results"]]


def colleagues(story: Story, key: str = "") -> dict[str, Any]:
    return question(
        story, subject={"type": "professional"}, resource={"type": "plan", "id": key or story.plan_id}
    )


def plans_of(story: Story, professional: str = "", kind: str = "plan") -> dict[str, Any]:
    return question(story, professional, resource={"type": kind})


def test_who_works_on_the_case_hears_of_his_own_organisations_people(
    web: Open, town: Town, story: Story
) -> None:
    town.care()
    let_join(story, "w-second")
    let_join(story, "z-7", CARE, "wmo-aanbieder")
    mine = web(worker(story))
    assert found(mine, "subject", colleagues(story)) == [worker(story), "w-second"]
    answer = mine.post(SEARCH + "subject", colleagues(story)).body["results"][1]
    assert answer["properties"] == {"organisation": CITY, "task": "college:WMO"}
    case = {"type": "case", "id": story.case_id}
    assert found(mine, "subject", question(story, resource=case)) == [worker(story), "w-second"]


def test_who_left_is_not_found(web: Open, story: Story) -> None:
    let_join(story, "w-gone")
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, task="college:WMO", professional="w-gone"
    )
    assert found(web(worker(story)), "subject", colleagues(story)) == [worker(story)]


def appoint(story: Story, professional: str, stand_in_for: str) -> None:
    start, end = Timestamp(), Timestamp()
    now = datetime.now(UTC)
    start.FromDatetime(now - timedelta(minutes=1))
    end.FromDatetime(now + timedelta(days=1))
    story.wmo.rights.appoint_stand_in(
        claim=INVESTIGATE,
        case_id=story.case_id,
        task="college:WMO",
        professional=professional,
        stand_in_for=stand_in_for,
        mandate="mandaat-2026-4",
        start_time=start,
        end_time=end,
    )


def test_a_stand_in_is_found_as_long_as_whom_he_stands_in_for_works_there(web: Open, story: Story) -> None:
    let_join(story, "w-away")
    appoint(story, "w-instead", "w-away")
    mine = web(worker(story))
    assert found(mine, "subject", colleagues(story)) == [worker(story), "w-away", "w-instead"]
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, task="college:WMO", professional="w-away"
    )
    before = story.town.core.reader.head()[0]
    assert found(mine, "subject", colleagues(story)) == [worker(story)]
    # He was not even looked at: one right was, that of who works there.
    assert story.town.core.reader.head()[0] - before == 1


def test_who_has_two_relations_is_found_once(web: Open, story: Story) -> None:
    let_join(story, "w-both")
    appoint(story, "w-both", worker(story))
    assert found(web(worker(story)), "subject", colleagues(story)) == [worker(story), "w-both"]


def test_a_stranger_finds_nobody_whether_there_is_a_plan_or_not(web: Open, town: Town, story: Story) -> None:
    stranger = web("stranger")
    before = town.core.reader.head()[0]
    answers = [stranger.post(SEARCH + "subject", colleagues(story, key)).body for key in ("", str(uuid4()))]
    assert answers[0] == answers[1] == {"results": [], "page": {"next_token": "", "count": 0}}
    # Each looked at one right, the stranger's own, and is recorded.
    assert town.core.reader.head()[0] - before == 2


def test_the_operators_officer_finds_everybody_for_whom_it_is_permitted(
    web: Open, town: Town, story: Story
) -> None:
    town.care()
    let_join(story, "z-6", CARE, "wmo-aanbieder")
    context = {"purpose": "wmo-levering", "legal_basis": "WMO-5.2.1-2a", "necessity": "nodig om te leveren"}
    fields = {"fields": ["version"]}
    asked = question(
        story,
        subject={"type": "professional"},
        resource={"type": "plan", "id": story.plan_id, "properties": fields},
        context=context,
    )
    assert found(web("fg-1", "fg"), "subject", asked) == ["z-6"]


def test_one_finds_the_plans_and_cases_one_works_on(web: Open, town: Town, story: Story) -> None:
    other = Story(town, next(town.bsns))
    let_join(other, worker(story))
    mine = web(worker(story))
    assert found(mine, "resource", plans_of(story)) == [story.plan_id, other.plan_id]
    assert found(mine, "resource", plans_of(story, kind="case")) == [story.case_id, other.case_id]
    first = mine.post(SEARCH + "resource", plans_of(story) | {"page": {"limit": 1}}).body
    token = first["page"]["next_token"]
    rest = mine.post(SEARCH + "resource", plans_of(story) | {"page": {"token": token}}).body
    assert [one["id"] for one in first["results"] + rest["results"]] == [story.plan_id, other.plan_id]
    assert rest["page"]["next_token"] == ""


def test_who_joined_again_is_found_once(web: Open, story: Story) -> None:
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional=worker(story),
        role="regisseur",
    )
    assert found(web(worker(story)), "resource", plans_of(story)) == [story.plan_id]


def test_of_a_colleague_one_finds_only_what_one_works_on_oneself(web: Open, town: Town, story: Story) -> None:
    other = Story(town, next(town.bsns))
    let_join(other, worker(story))
    let_join(story, "w-nosy")
    assert found(web("w-nosy"), "resource", plans_of(story)) == [story.plan_id]


@pytest.mark.parametrize("kind", ["consent", "resident", "spaceship"])
def test_other_kinds_are_not_searched(web: Open, story: Story, kind: str) -> None:
    assert found(web(worker(story)), "resource", plans_of(story, kind=kind)) == []


def test_the_actions_are_those_the_gate_permits(web: Open, story: Story) -> None:
    asked = question(story)
    assert found(web(worker(story)), "action", asked) == [
        "READ",
        "DISCLOSE",
        "SEARCH",
        "EXPORT",
        "SUBSCRIBE",
        "COMMAND",
    ]
    assert found(web("stranger"), "action", question(story, "stranger")) == []
    assert found(web(worker(story)), "action", asked | {"subject": {"type": "spaceship", "id": "x"}}) == []


def test_a_page_token_is_of_who_asked(web: Open, town: Town, story: Story) -> None:
    let_join(story, "w-second")
    asked = colleagues(story)
    token = (
        web(worker(story)).post(SEARCH + "subject", asked | {"page": {"limit": 1}}).body["page"]["next_token"]
    )
    assert token
    refused = web("w-second").post(SEARCH + "subject", asked | {"page": {"token": token}})
    assert (refused.status, list(refused.body["fields"])) == (400, ["page.token"])


def test_without_a_claim_nothing_is_found(web: Open, story: Story) -> None:
    mine = web(worker(story))
    assert found(mine, "subject", colleagues(story) | {"context": {}}) == []
    assert found(mine, "resource", plans_of(story) | {"context": INVESTIGATING | {"purpose": "audit"}}) == []
