"""A support from choice to stop, each step by who may take it, and what the provider may read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from exchange.v1.plan_service_pb2 import Seen
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.town import ADMIN, CARE, DELIVER, INVESTIGATE, WORD

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town

PROVIDE = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")


class Steps:
    """The commands of one plan, each with the version the one before gave."""

    def __init__(self, town: Town, story: Story) -> None:
        self.story = story
        credentials = town.care()
        self.carer = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), credentials)
        story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=story.case_id,
            oin=CARE,
            task="wmo-aanbieder",
            professional="z-1",
            role="begeleider",
        )

    def of(self, client: Any, name: str, said: Any, **fields: Any) -> Any:  # noqa: ANN401 -- any command of a plan
        answer = getattr(client.plan, name)(
            claim=said, plan_id=self.story.plan_id, expected_version=self.story.version, **fields
        )
        self.story.version = answer.version
        return answer

    def request(self) -> str:
        goal_id = self.story.goal()
        answer = self.of(
            self.story.wmo,
            "request_support",
            INVESTIGATE,
            kind=plan_pb2.SUPPORT_KIND_CUSTOM,
            provider_oin=CARE,
            product_category="02",
            product_code="02A05",
            start_date="2027-01-01",
            volume=3,
            unit="04",
            frequency="2",
            goal_ids=[goal_id],
        )
        support_id: str = answer.support_id
        return support_id

    def agree(self, outcome: plan_pb2.AgreementOutcome.ValueType = plan_pb2.AGREEMENT_OUTCOME_AGREED) -> None:
        self.of(self.story.resident(), "agree_to_plan", WORD, outcome=outcome, remarks="Zo is het goed.")

    def look(self) -> None:
        """What is going on, and what a law allows: the decision comes after them."""
        self.of(
            self.story.wmo,
            "describe_situation",
            INVESTIGATE,
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            description="Kookt niet meer.",
            score=2,
            judge_date="2026-11-01",
        )
        lens = {"law": pb.LAW_WMO_2015, "finding": plan_pb2.LENS_FINDING_FITS, "reason": "Begeleiding past."}
        self.of(self.story.wmo, "assess_lens", INVESTIGATE, **lens)

    def assign(self, support_id: str) -> None:
        self.look()
        self.of(
            self.story.wmo,
            "assign_support",
            claim(pb.PURPOSE_WMO_LEVERING, "WMO-2.3.2", "toewijzing"),
            support_id=support_id,
            assignment_number="123456",
            assign_date="2026-12-01",
        )


def support_of(story: Story, *leaves: str) -> plan_pb2.Support:
    answer = story.wmo.plan.get_plan(
        claim=INVESTIGATE, plan_id=story.plan_id, fields=[f"supports.{leaf}" for leaf in leaves]
    )
    return answer.plan.supports[0]


def test_a_support_goes_from_choice_to_stop(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    support_id = steps.request()
    steps.agree()
    steps.assign(support_id)
    steps.of(steps.carer, "start_support", PROVIDE, support_id=support_id, care_start_date="2027-01-04")
    steps.of(
        steps.carer,
        "stop_support",
        PROVIDE,
        support_id=support_id,
        care_end_date="2027-03-01",
        reason=plan_pb2.STOP_REASON_BY_AGREEMENT,
    )
    told = support_of(story, "state", "assignment_number", "care_start_date", "care_end_date", "stop_reason")
    assert told == plan_pb2.Support(
        state=plan_pb2.SUPPORT_STATE_STOPPED,
        assignment_number="123456",
        care_start_date="2027-01-04",
        care_end_date="2027-03-01",
        stop_reason=plan_pb2.STOP_REASON_BY_AGREEMENT,
    )


def test_its_provider_refuses_a_support_before_care_and_it_is_over(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    support_id = steps.request()
    steps.agree()
    steps.assign(support_id)
    refuse = {"support_id": support_id, "reason": plan_pb2.REFUSE_REASON_NO_ROOM}
    with pytest.raises(errors.Invalid) as unsaid:
        steps.of(steps.carer, "refuse_support", PROVIDE, **(refuse | {"reason": 0}))
    assert list(unsaid.value.field_violations) == ["reason"]
    steps.of(steps.carer, "refuse_support", PROVIDE, **refuse)
    assert support_of(story, "state", "refuse_reason") == plan_pb2.Support(
        state=plan_pb2.SUPPORT_STATE_REFUSED, refuse_reason=plan_pb2.REFUSE_REASON_NO_ROOM
    )
    with pytest.raises(errors.RuleBroken) as over:
        steps.of(steps.carer, "start_support", PROVIDE, support_id=support_id, care_start_date="2027-01-04")
    assert over.value.rule == "SUPPORT_STATE"


def test_what_runs_is_changed_by_its_college_and_the_past_says_what_it_was(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    support_id = steps.request()
    steps.agree()
    steps.assign(support_id)
    start: dict[str, Any] = {"support_id": support_id, "care_start_date": "2027-01-04"}
    before = steps.of(steps.carer, "start_support", PROVIDE, **start).receipt.record_time
    change: dict[str, Any] = {"support_id": support_id, "volume": 5, "unit": "04", "frequency": "2"}
    with pytest.raises(errors.RuleBroken) as not_theirs:
        steps.of(steps.carer, "change_support", PROVIDE, **change)
    assert not_theirs.value.rule == "NOT_THE_COLLEGE"
    with pytest.raises(errors.Invalid) as too_early:
        steps.of(story.wmo, "change_support", INVESTIGATE, **change, end_date="2027-01-03")
    assert list(too_early.value.field_violations) == ["end_date"]
    with pytest.raises(errors.Conflict):
        story.wmo.plan.change_support(
            claim=INVESTIGATE, plan_id=story.plan_id, expected_version=story.version - 1, **change
        )
    read: dict[str, Any] = {
        "claim": INVESTIGATE,
        "plan_id": story.plan_id,
        "fields": ["supports.volume", "supports.state"],
    }
    seen = story.wmo.plan.get_plan(**read, with_part_versions=True)
    answer = story.wmo.plan.change_support(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        seen=Seen(claim=INVESTIGATE, fields=read["fields"], part_versions=seen.part_versions),
        **change,
        end_date="2027-12-31",
    )
    assert len(answer.part_versions) == 1
    now = support_of(story, "state", "volume", "end_date", "assignment_number")
    assert now == plan_pb2.Support(
        state=plan_pb2.SUPPORT_STATE_STARTED, volume=5, end_date="2027-12-31", assignment_number="123456"
    )
    timeline = story.wmo.history.list_timeline(**(read | {"fields": ["supports.volume"]})).entries
    assert [(one.kind, one.change.supports[0].volume) for one in timeline][-1] == ("plan.support_changed", 5)
    assert {one.change.supports[0].volume for one in timeline[:-1]} == {3}
    was = story.wmo.history.get_plan_as_of(**read, as_of_time=before).plan.supports[0]
    assert (was.volume, was.state) == (3, plan_pb2.SUPPORT_STATE_STARTED)


def test_care_that_stopped_for_a_while_starts_again_and_each_step_is_told_as_it_was(
    town: Town, story: Story
) -> None:
    steps = Steps(town, story)
    support_id = steps.request()
    steps.agree()
    steps.assign(support_id)

    def starts(day: str) -> None:
        steps.of(steps.carer, "start_support", PROVIDE, support_id=support_id, care_start_date=day)

    def stops(day: str, reason: plan_pb2.StopReason.ValueType) -> None:
        steps.of(
            steps.carer, "stop_support", PROVIDE, support_id=support_id, care_end_date=day, reason=reason
        )

    starts("2027-01-04")
    stops("2027-02-01", plan_pb2.STOP_REASON_TEMPORARY)
    with pytest.raises(errors.Invalid) as refused:
        starts("2027-02-01")
    assert list(refused.value.field_violations) == ["care_start_date"]
    starts("2027-02-02")
    leaves = ("state", "care_start_date", "care_end_date", "stop_reason")
    assert support_of(story, *leaves) == plan_pb2.Support(
        state=plan_pb2.SUPPORT_STATE_STARTED, care_start_date="2027-02-02"
    )
    stops("2027-03-01", plan_pb2.STOP_REASON_ACCORDING_TO_PLAN)
    with pytest.raises(errors.ExchangeRefused) as over:
        starts("2027-03-02")
    assert over.value.reason == "RULE_BROKEN"
    request = SubscribeRequest(
        claim=DELIVER, fields=[f"supports.{leaf}" for leaf in leaves], heartbeat_seconds=1
    )
    stream = steps.carer.open_stream(request)
    told: list[plan_pb2.Support] = []
    while len(told) < len(("assigned", "requested", "started", "stopped", "started", "stopped")):
        told += [event.change.supports[0] for event in next(stream).events if event.plan_id == story.plan_id]
    stream.cancel()
    days = [(one.care_start_date, one.care_end_date, one.stop_reason) for one in told[2:]]
    assert days == [
        ("2027-01-04", "", 0),
        ("2027-01-04", "2027-02-01", plan_pb2.STOP_REASON_TEMPORARY),
        ("2027-02-02", "", 0),
        ("2027-02-02", "2027-03-01", plan_pb2.STOP_REASON_ACCORDING_TO_PLAN),
    ]


def test_no_resident_signs_in_at_the_provider(town: Town) -> None:
    """With a portal it would say who signed in, and so answer for its own clients."""
    town.care()
    operator = town.worker("beheer", "beheerder-1").organisation
    for number, task in enumerate(("betrokkene", "wettelijk-vertegenwoordiger")):
        with pytest.raises(errors.RuleBroken) as refused:
            operator.grant_task(claim=ADMIN, oin=CARE, task=task)
        assert refused.value.rule == "PORTAL_APART"
        with pytest.raises(errors.RuleBroken) as joined:
            town.join(f"{4000000077000 + number:020}", task, "wmo-aanbieder")
        assert joined.value.rule == "PORTAL_APART"
    portal = "00000004000000074000"
    town.join(portal, "betrokkene")
    assert operator.grant_task(claim=ADMIN, oin=portal, task="wettelijk-vertegenwoordiger").version
    with pytest.raises(errors.RuleBroken) as later:
        operator.grant_task(claim=ADMIN, oin=portal, task="wmo-aanbieder")
    assert later.value.rule == "PORTAL_APART"


def test_nothing_is_assigned_before_the_resident_agreed(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    support_id = steps.request()
    with pytest.raises(errors.ExchangeRefused) as refused:
        steps.assign(support_id)
    assert refused.value.reason == "RULE_BROKEN"
    assert support_of(story, "state").state == plan_pb2.SUPPORT_STATE_REQUESTED


def test_the_residents_yes_is_the_residents(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    steps.request()
    other = town.client(Person("burger-2", "betrokkene", "inwoner", resident=b"\0" * 31 + b"\0"))
    with pytest.raises(errors.ExchangeRefused):
        steps.of(other, "agree_to_plan", WORD, outcome=plan_pb2.AGREEMENT_OUTCOME_AGREED, remarks="")


def test_a_conversation_is_recorded(story: Story) -> None:
    told = story.wmo.plan.record_conversation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        kind=plan_pb2.CONVERSATION_KIND_FIRST,
        hold_date="2026-11-20",
        outcome=plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
        summary="Wij spraken over het huishouden.",
    )
    assert told.version == story.version + 1


def test_the_provider_reads_what_its_basis_covers_and_is_told_what_not(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    for life_domain in (pb.LIFE_DOMAIN_HOUSING, pb.LIFE_DOMAIN_FINANCE):
        steps.of(
            story.wmo,
            "describe_situation",
            INVESTIGATE,
            life_domain=life_domain,
            description=f"Over {life_domain}.",
            score=2,
            judge_date="2026-11-01",
        )
    asked: dict[str, Any] = {
        "claim": DELIVER,
        "plan_id": story.plan_id,
        "fields": ["situations.description", "situations.life_domain"],
    }
    with pytest.raises(errors.Denied) as refused:
        steps.carer.plan.get_plan(**asked)
    assert refused.value.rules == ("R10",)
    part = steps.carer.plan.get_plan(**asked, allow_partial=True)
    assert [one.life_domain for one in part.plan.situations] == [pb.LIFE_DOMAIN_HOUSING]
    assert [one.description for one in part.plan.situations] == [f"Over {pb.LIFE_DOMAIN_HOUSING}."]
    assert list(part.rules) == ["R10"]
