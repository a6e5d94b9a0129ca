"""A plan through the years over mutual TLS: rights of now, facts of then; hidden or gone now is so then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.pipeline.facts import FRESH_FACTOR_S_MAX
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_correction import correct
from tests.server.test_erasure import Erasure
from tests.server.test_sealed_pages import seal_goals
from tests.server.town import ACCESS, CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story

FIELDS = ["situations.life_domain", "situations.score", "goals.own_words", "reports.own_words"]


def describe(
    story: Story, points: int, domain: pb.LifeDomain.ValueType = pb.LIFE_DOMAIN_HOUSING
) -> Timestamp:
    """Describe a life domain; return a moment after it, before anything else."""
    answer = story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=domain,
        description=f"stand {points}",
        score=points,
        judge_date="2026-03-02",
    )
    story.version = answer.version
    recorded: Timestamp = answer.receipt.record_time
    return recorded


def as_of(client: ExchangeClient, story: Story, at: Timestamp, **changes: Any) -> Any:  # noqa: ANN401 -- GetPlanAsOfResponse
    asked: dict[str, Any] = {
        "claim": INVESTIGATE,
        "plan_id": story.plan_id,
        "as_of_time": at,
        "fields": FIELDS,
    }
    return client.history.get_plan_as_of(**(asked | changes))


def timeline(client: ExchangeClient, story: Story, **changes: Any) -> list[Any]:  # noqa: ANN401 -- fields of the request
    asked: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": story.plan_id, "fields": FIELDS}
    found: list[Any] = []
    while True:
        page = client.history.list_timeline(**(asked | changes))
        found += page.entries
        if not page.next_page_token:
            return found
        asked["page_token"] = page.next_page_token


def difference(
    client: ExchangeClient, story: Story, first: Timestamp, second: Timestamp, plan_id: str = ""
) -> Any:  # noqa: ANN401 -- GetPlanDifferenceResponse
    asked: dict[str, Any] = {
        "claim": INVESTIGATE,
        "plan_id": plan_id or story.plan_id,
        "from_time": first,
        "to_time": second,
        "fields": FIELDS,
    }
    return client.history.get_plan_difference(**asked)


def scores(plan: Any) -> list[int]:  # noqa: ANN401 -- a Plan
    return [one.score for one in plan.situations]


def colleague_of(town: Town, story: Story) -> ExchangeClient:
    """Let a colleague join the case."""
    who = {"task": "college:WMO", "professional": "w-second"}
    story.wmo.case.join_professional(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, role="consulent", **who
    )
    return town.worker(**who)


def test_a_plan_is_told_as_it_was_known(story: Story) -> None:
    first = describe(story, 2)
    story.goal()
    second = describe(story, 4)
    was, now = as_of(story.wmo, story, first), as_of(story.wmo, story, second)
    assert (scores(was.plan), len(was.plan.goals)) == ([2], 0)
    assert (scores(now.plan), len(now.plan.goals)) == ([4], 1)
    assert was.plan.reports[0].own_words == "Ik red het huishouden niet meer."
    before = Timestamp(seconds=first.seconds - 3_600)
    assert not as_of(story.wmo, story, before).plan.ListFields()
    whole = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=FIELDS)
    assert now.plan == whole.plan
    assert was.decision_id != now.decision_id


def test_what_happened_is_told_in_order_and_as_it_was(story: Story) -> None:
    describe(story, 2)
    story.goal()
    describe(story, 4)
    whole = timeline(story.wmo, story)
    assert [one.kind for one in whole] == [
        "plan.report_received",
        "plan.situation_described",
        "plan.goal_set",
        "plan.situation_described",
    ]
    assert [scores(one.change) for one in whole] == [[], [2], [], [4]]
    assert [one.record_time.ToNanoseconds() for one in whole] == sorted(
        one.record_time.ToNanoseconds() for one in whole
    )
    for size in (1, 2, 200):
        assert timeline(story.wmo, story, page_size=size) == whole
    only = timeline(story.wmo, story, fields=["goals.own_words"])
    assert [one.kind for one in only] == ["plan.goal_set"]
    with pytest.raises(errors.Invalid):
        story.wmo.history.list_timeline(
            claim=INVESTIGATE, plan_id=story.plan_id, fields=FIELDS, page_token="AAAA"
        )


def test_what_differs_is_told_on_both_sides(story: Story) -> None:
    first = describe(story, 2)
    describe(story, 3, pb.LIFE_DOMAIN_SOCIAL_NETWORK)
    story.goal()
    second = describe(story, 4)
    told = difference(story.wmo, story, first, second)
    assert scores(told.before) == [2]
    assert sorted(scores(told.after)) == [3, 4]
    assert (len(told.before.goals), len(told.after.goals)) == (0, 1)
    assert not told.before.reports, "what is in both is in neither"
    nothing = difference(story.wmo, story, second, second)
    assert not nothing.before.ListFields()
    assert not nothing.after.ListFields()
    opened = difference(story.wmo, story, Timestamp(seconds=first.seconds - 3_600), second)
    assert not opened.before.ListFields()
    assert len(opened.after.reports) == 1


def test_the_resident_reads_his_own_past(story: Story) -> None:
    first = describe(story, 2)
    describe(story, 4)
    told = as_of(story.resident(), story, first, claim=ACCESS)
    assert scores(told.plan) == [2]
    assert [scores(one.change) for one in timeline(story.resident(), story, claim=ACCESS)] == [[], [2], [4]]


def test_who_does_not_work_on_it_is_refused_as_for_a_plan_that_is_not_there(town: Town, story: Story) -> None:
    at = describe(story, 2)
    stranger = town.worker("college:WMO", "stranger-7")
    for ask in (
        lambda plan_id: as_of(stranger, story, at, plan_id=plan_id),
        lambda plan_id: timeline(stranger, story, plan_id=plan_id),
        lambda plan_id: difference(stranger, story, at, at, plan_id=plan_id),
    ):
        told = []
        for plan_id in (story.plan_id, str(uuid4())):
            with pytest.raises(errors.Denied) as refused:
                ask(plan_id)
            told.append((refused.value.rules, refused.value.message, refused.value.remedies))
        assert told[0] == told[1]
        assert "R03" in told[0][0]


@pytest.fixture
def looked(town: Town, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the plans whose past was looked up, as they are."""
    found: list[str] = []
    past = type(town.server._parts.past)

    def noting(right: Any) -> Any:  # noqa: ANN401 -- a method
        def noted(self: Any, stream: str, *rest: Any) -> Any:  # noqa: ANN401 -- as the method
            found.append(stream)
            return right(self, stream, *rest)

        return noted

    for name in ("as_of", "steps"):
        monkeypatch.setattr(past, name, noting(getattr(past, name)))
    return found


def test_for_a_stranger_nothing_is_looked_up(town: Town, story: Story, looked: list[str]) -> None:
    at = describe(story, 2)
    with pytest.raises(errors.Denied):
        as_of(town.worker("college:WMO", "stranger-8"), story, at)
    assert looked == []
    as_of(story.wmo, story, at)
    assert looked == [f"plan-{story.plan_id}"]


def test_who_left_the_case_reads_no_past_of_it(story: Story) -> None:
    at = describe(story, 2)
    assert as_of(story.wmo, story, at).decision_id
    story.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional=f"w-{story.bsn[-5:]}",
    )
    with pytest.raises(errors.Denied):
        as_of(story.wmo, story, at)


def test_what_is_sealed_now_was_never_there(town: Town, story: Story) -> None:
    story.goal()
    at = describe(story, 2)
    colleague = colleague_of(town, story)
    before = {one.kind for one in timeline(colleague, story)}
    seal_goals(town, story)
    told = as_of(colleague, story, at)
    assert (scores(told.plan), len(told.plan.goals)) == ([2], 0)
    assert {one.kind for one in timeline(colleague, story)} == before - {"plan.goal_set"}
    assert not difference(colleague, story, Timestamp(seconds=1), at).after.goals


def test_what_was_erased_since_is_in_no_past(town: Town, story: Story) -> None:
    at = describe(story, 2)
    describe(story, 3, pb.LIFE_DOMAIN_SOCIAL_NETWORK)
    assert len(timeline(story.wmo, story)) == 3
    Erasure(town, story, categories=["WONEN"], kept=[rights_pb.KEEPING_REASON_LEGAL_CLAIM]).executed()
    assert scores(as_of(story.wmo, story, at).plan) == []
    assert [scores(one.change) for one in timeline(story.wmo, story, page_size=1)] == [[], [3]]
    Erasure(town, story).executed()
    with pytest.raises(errors.Denied):
        as_of(story.wmo, story, at)


def test_a_moment_to_come_and_moments_the_wrong_way_round_are_refused(story: Story) -> None:
    at = describe(story, 2)
    later = Timestamp(seconds=int(time.time()) + 3_600)
    with pytest.raises(errors.Invalid) as refused:
        as_of(story.wmo, story, later)
    assert set(refused.value.field_violations) == {"as_of_time"}
    with pytest.raises(errors.Invalid) as refused:
        difference(story.wmo, story, at, Timestamp(seconds=at.seconds - 60))
    assert set(refused.value.field_violations) == {"from_time"}
    with pytest.raises(errors.Invalid) as refused:
        as_of(story.wmo, story, at, fields=["goals.secret"])
    assert "fields[0]" in refused.value.field_violations


def pages_of(client: ExchangeClient, story: Story) -> list[tuple[tuple[str, ...], bool]]:
    """Return every page of one entry, with whether another one is told of."""
    asked: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": story.plan_id, "fields": FIELDS, "page_size": 1}
    found = []
    while True:
        page = client.history.list_timeline(**asked)
        found.append((tuple(one.kind for one in page.entries), bool(page.next_page_token)))
        if not page.next_page_token:
            return found
        asked["page_token"] = page.next_page_token


def test_what_is_sealed_takes_no_place_in_a_page(town: Town, story: Story) -> None:
    colleague = colleague_of(town, story)
    describe(story, 2)
    plain = pages_of(colleague, story)
    for _ in range(3):
        story.goal()
    assert len(pages_of(colleague, story)) == len(plain) + 3
    seal_goals(town, story)
    assert (
        pages_of(colleague, story)
        == plain
        == [
            (("plan.report_received",), True),
            (("plan.situation_described",), False),
        ]
    )
    # What comes after it stands where it would without.
    describe(story, 4)
    assert [kinds for kinds, _ in pages_of(colleague, story)][-1] == ("plan.situation_described",)
    assert len(pages_of(colleague, story)) == len(plain) + 1


def test_what_was_erased_takes_no_place_in_a_page(town: Town, story: Story) -> None:
    describe(story, 2)
    describe(story, 3, pb.LIFE_DOMAIN_SOCIAL_NETWORK)
    Erasure(town, story, categories=["WONEN"], kept=[rights_pb.KEEPING_REASON_LEGAL_CLAIM]).executed()
    assert all(kinds for kinds, _ in pages_of(story.wmo, story))


def test_no_version_is_told_of_the_past(story: Story) -> None:
    at = describe(story, 2)
    for ask in (
        lambda: as_of(story.wmo, story, at, fields=["version"]),
        lambda: timeline(story.wmo, story, fields=["version", "goals.own_words"]),
    ):
        with pytest.raises(errors.Invalid) as refused:
            ask()
        assert "fields[0]" in refused.value.field_violations


def test_a_correction_is_an_entry_of_its_own(story: Story) -> None:
    goal_id = story.goal()
    correct(story, story.wmo, goal_id, "Samen koken.")
    told = timeline(story.wmo, story, fields=["goals.own_words"])
    assert [(one.kind, one.change.goals[0].own_words) for one in told] == [
        ("plan.goal_set", "Samen koken."),
        ("plan.corrected", "Samen koken."),
    ]


def in_an_emergency(town: Town, ago_s: int = 0) -> tuple[ExchangeClient, pb.Claim]:
    """Return somebody who does not work on the case, and a claim that breaks the glass.

    He showed both factors so long ago.
    """
    person = Person("nood-1", "college:WMO", "regisseur", authenticated_at=int(time.time()) - ago_s)
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al dagen niets meer.")
    return town.client(person), claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", break_glass=glass)


def test_in_an_emergency_one_moment_is_told_and_no_list(town: Town, story: Story) -> None:
    story.goal()
    at = describe(story, 2)
    client, glass = in_an_emergency(town)
    told = as_of(client, story, at, claim=glass, fields=["goals.own_words"])
    assert [one.own_words for one in told.plan.goals] == ["Weer zelf koken."]
    assert {"NOTIFY-FG", "NOTIFY-SUBJECT", "REVIEW-1-WORKDAY", "TTL-60M"} <= set(told.obligations)
    assert told.expire_time.seconds > at.seconds
    with pytest.raises(errors.Denied) as refused:
        timeline(client, story, claim=glass)
    assert "R28" in refused.value.rules
    colleague_of(town, story)
    seal_goals(town, story)
    assert not as_of(client, story, at, claim=glass, fields=["goals.own_words"]).plan.ListFields()


def test_in_an_emergency_a_plan_that_is_not_there_is_answered_and_recorded(town: Town, story: Story) -> None:
    at = describe(story, 2)
    client, glass = in_an_emergency(town)
    absent, head = str(uuid4()), town.core.reader.head()[0]
    looked = client.plan.get_plan(claim=glass, plan_id=absent, fields=["goals.own_words"])
    told = as_of(client, story, at, claim=glass, plan_id=absent, fields=["goals.own_words"])
    assert told.plan == looked.plan
    assert list(told.obligations) == list(looked.obligations)
    apart = client.history.get_plan_difference(
        claim=glass, plan_id=absent, from_time=at, to_time=at, fields=["goals.own_words"]
    )
    assert not apart.after.ListFields()
    # Each is on record: it is the officer's to see who tries plans in an emergency.
    assert town.core.reader.head()[0] == head + 3


WORK = ["trajectories.step"]


def test_where_breaking_the_glass_is_refused_nothing_is_looked_up(
    town: Town, story: Story, looked: list[str]
) -> None:
    """Refused after the past was folded, the time it takes would tell that there is a plan."""
    at = describe(story, 2)
    client, glass = in_an_emergency(town)
    late, _ = in_an_emergency(town, ago_s=FRESH_FACTOR_S_MAX + 60)
    other = claim(pb.PURPOSE_WMO_ONDERZOEK, "AVG-6.1.d", break_glass=glass.break_glass)
    for ask, rule in (
        (lambda plan_id: as_of(late, story, at, claim=glass, plan_id=plan_id), "R02"),
        (lambda plan_id: as_of(client, story, at, claim=other, plan_id=plan_id), "R06"),
        (lambda plan_id: timeline(client, story, claim=glass, plan_id=plan_id), "R28"),
        (lambda plan_id: as_of(client, story, at, claim=glass, plan_id=plan_id, fields=WORK), "R10"),
    ):
        told = []
        for plan_id in (story.plan_id, str(uuid4())):
            with pytest.raises(errors.Denied) as refused:
                ask(plan_id)
            told.append((refused.value.rules, refused.value.message, refused.value.remedies))
        assert told[0] == told[1]
        assert rule in told[0][0]
    assert looked == []
    as_of(client, story, at, claim=glass)
    assert looked == [f"plan-{story.plan_id}"]
