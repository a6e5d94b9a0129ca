"""What decisions bring is tracked until it is executed, over mutual TLS; emergency access is reviewed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.signers import SignatureCheck
from exchange.pipeline.walk import Caller
from exchange.projections.workdays import end_of_next_workday
from exchange.server.contract.decisions import DecisionReader
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from tests.server.story import Story
from tests.server.town import ACCESS, AUDIT, CITY, INVESTIGATE, Town

REASON = "De buurvrouw hoort al twee dagen niets meer."
WATCH = claim(pb.PURPOSE_AUDIT, "FG-WATCH-39")
FIELDS = [f"obligations.{field.name}" for field in audit_pb.Obligation.DESCRIPTOR.fields]
NOTICE_FIELDS = ["notices.decision_id", "notices.duty", "notices.explanation", "notices.told_time"]


def emergency(
    reason: str = REASON,
    code: str = "LEVENSGEVAAR",
    basis: str = "AVG-6.1.d",
    purpose: pb.Purpose.ValueType = pb.PURPOSE_ACUTE_NOOD,
) -> pb.Claim:
    return claim(purpose, basis, "nodig", break_glass=pb.BreakGlass(code=code, reason=reason))


def helper(town: Town, professional: str = "w-emergency", ago_s: int = 5) -> ExchangeClient:
    """Somebody who does not work on the case and showed both factors so long ago."""
    shown = int(time.time()) - ago_s
    return town.client(Person(professional, "college:WMO", "wacht", authenticated_at=shown))


def officer(town: Town, professional: str = "fg-1") -> ExchangeClient:
    return town.worker("fg", professional)


def duties(town: Town, **asked: Any) -> list[Any]:  # noqa: ANN401 -- fields of the request
    """Return every duty, page by page."""
    found: list[Any] = []
    request: dict[str, Any] = {"claim": AUDIT, "fields": FIELDS, "page_size": 3} | asked
    while True:
        answer = officer(town).audit.list_obligations(**request)
        found += answer.obligations
        if not answer.next_page_token:
            return found
        request["page_token"] = answer.next_page_token


def of_decision(town: Town, decision_id: str, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 -- fields of the request
    return {one.duty: one for one in duties(town, **asked) if one.decision_id == decision_id}


def end(town: Town, decision_id: str, duty: str, outcome: audit_pb.DutyOutcome.ValueType, **said: Any) -> Any:  # noqa: ANN401 -- fields of the request
    who = said.pop("who", None) or officer(town)
    return who.audit.execute_obligation(
        claim=WATCH, of_decision_id=decision_id, duty=duty, outcome=outcome, how="desk", **said
    )


@pytest.fixture
def broken(town: Town, story: Story) -> Any:  # noqa: ANN401 -- GetPlanResponse
    """Return the answer to somebody who broke the glass."""
    story.goal()
    return helper(town).plan.get_plan(claim=emergency(), plan_id=story.plan_id, fields=["goals.own_words"])


# --- emergency access -------------------------------------------------------------------------------------


def test_a_broken_glass_opens_for_an_hour_and_brings_four_duties(town: Town, broken: Any) -> None:  # noqa: ANN401 -- an answer
    assert [goal.own_words for goal in broken.plan.goals] == ["Weer zelf koken."]
    found = of_decision(town, broken.decision_id)
    assert set(found) == {"NOTIFY-FG", "NOTIFY-SUBJECT", "REVIEW-1-WORKDAY", "TTL-60M"}
    decided = found["TTL-60M"].decide_time.ToDatetime(UTC)
    assert broken.expire_time.ToDatetime(UTC) == decided + timedelta(minutes=60)
    assert found["TTL-60M"].due_time == broken.expire_time
    assert found["REVIEW-1-WORKDAY"].due_time.ToDatetime(UTC) == end_of_next_workday(decided)
    assert all(not one.HasField("execute_time") and not one.outcome for one in found.values())
    assert found["NOTIFY-FG"].resident_pseudonym


def test_who_finds_the_plan_in_an_emergency_is_reviewed_too(town: Town, story: Story) -> None:
    found = helper(town).case.find_case(
        claim=emergency(), resident=story.pseudonym, fields=["case_id", "plan_id"]
    )
    assert (found.case_id, found.plan_id) == (story.case_id, story.plan_id)
    assert found.HasField("expire_time")
    assert "REVIEW-1-WORKDAY" in of_decision(town, found.decision_id)


@pytest.mark.parametrize(
    ("asked", "ago_s", "rules"),
    [
        (emergency(reason="x" * 19), 5, {"R03", "R28"}),
        (emergency(code="HAAST"), 5, {"R03", "R28"}),
        (emergency(), 400, {"R02"}),
        (emergency(basis="WMO-2.3.2", purpose=pb.PURPOSE_WMO_ONDERZOEK), 5, {"R28", "R03"}),
        (emergency(purpose=pb.PURPOSE_WMO_ONDERZOEK), 5, {"R06"}),
    ],
    ids=["short", "code", "stale", "basis", "purpose"],
)  # fmt: skip
def test_a_refused_emergency_is_told_to_the_officer_and_not_to_who_tried(
    town: Town, story: Story, asked: pb.Claim, ago_s: int, rules: set[str]
) -> None:
    with pytest.raises(errors.Denied) as refused:
        helper(town, ago_s=ago_s).plan.get_plan(
            claim=asked, plan_id=story.plan_id, fields=["goals.own_words"]
        )
    assert set(refused.value.rules) == rules
    assert "ALERT-BREAK-GLASS-REFUSED" not in refused.value.refusal.obligations
    found = of_decision(town, refused.value.decision_id)
    assert {"NOTIFY-FG", "ALERT-BREAK-GLASS-REFUSED"} <= set(found)


def test_a_token_without_the_moment_of_its_factors_breaks_no_glass(town: Town, story: Story) -> None:
    unknown = town.client(Person("w-emergency", "college:WMO", "wacht"))
    with pytest.raises(errors.Denied) as refused:
        unknown.plan.get_plan(claim=emergency(), plan_id=story.plan_id, fields=["goals.own_words"])
    assert refused.value.rules == ("R02",)


def test_no_list_is_read_behind_a_broken_glass(town: Town, story: Story) -> None:
    with pytest.raises(errors.Denied) as refused:
        helper(town).consent.list_consents(
            claim=emergency(), case_id=story.case_id, fields=["consents.purpose"]
        )
    assert "R28" in refused.value.rules


def test_somebody_else_says_whether_it_was_justified(town: Town, broken: Any) -> None:  # noqa: ANN401 -- an answer
    decision_id, duty = broken.decision_id, "REVIEW-1-WORKDAY"
    himself = officer(town, "w-emergency")
    with pytest.raises(errors.RuleBroken) as refused:
        end(town, decision_id, duty, audit_pb.DUTY_OUTCOME_JUSTIFIED, who=himself, remark="Ik vond van wel.")
    assert refused.value.message == "a duty is executed by somebody else than who caused it"
    with pytest.raises(errors.RuleBroken):
        end(town, decision_id, duty, audit_pb.DUTY_OUTCOME_EXECUTED)
    with pytest.raises(errors.Invalid) as silent:
        end(town, decision_id, duty, audit_pb.DUTY_OUTCOME_JUSTIFIED)
    assert set(silent.value.field_violations) == {"remark"}
    end(town, decision_id, duty, audit_pb.DUTY_OUTCOME_NOT_JUSTIFIED, remark="Bellen had gekund.")
    review = of_decision(town, decision_id)[duty]
    assert review.outcome == audit_pb.DUTY_OUTCOME_NOT_JUSTIFIED
    assert review.executed_by == f"{CITY}/fg-1"
    assert duty not in of_decision(town, decision_id, state=audit_pb.OBLIGATION_STATE_OPEN)


def test_what_the_clock_executes_is_executed_by_the_clock(town: Town, broken: Any) -> None:  # noqa: ANN401 -- an answer
    decision_id = broken.decision_id
    with pytest.raises(errors.RuleBroken) as refused:
        end(town, decision_id, "TTL-60M", audit_pb.DUTY_OUTCOME_EXECUTED)
    assert refused.value.message == "this duty does not end that way"
    found = {
        minutes: duties_at(town, decision_id, timedelta(minutes=minutes))["TTL-60M"] for minutes in (59, 61)
    }
    assert not found[59].HasField("execute_time")
    late = found[61]
    assert (late.outcome, late.how, late.executed_by) == (
        audit_pb.DUTY_OUTCOME_EXECUTED, "clock", "system",
    )  # fmt: skip
    assert late.execute_time == late.due_time


def duties_at(town: Town, decision_id: str, later: timedelta, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 -- fields of the request
    """Return the duties as an officer of a later moment sees them."""
    town.skew = later
    try:
        client = ExchangeClient(
            town.target, town.credentials(), Person("fg-1", "fg", "fg"), clock=lambda: town.now().timestamp()
        )
        with client:
            answer = client.audit.list_obligations(claim=AUDIT, fields=FIELDS, page_size=200, **asked)
    finally:
        town.skew = timedelta()
    return {one.duty: one for one in answer.obligations if one.decision_id == decision_id}


def test_what_nobody_does_in_time_is_overdue(town: Town, broken: Any) -> None:  # noqa: ANN401 -- an answer
    overdue = {"state": audit_pb.OBLIGATION_STATE_OVERDUE, "duties": ["REVIEW-1-WORKDAY", "TTL-60M"]}
    decided = of_decision(town, broken.decision_id)["TTL-60M"].decide_time.ToDatetime(UTC)
    due = end_of_next_workday(decided)
    second = timedelta(seconds=5)
    assert duties_at(town, broken.decision_id, due - datetime.now(UTC) - second, **overdue) == {}
    late = duties_at(town, broken.decision_id, due - datetime.now(UTC) + second, **overdue)
    assert set(late) == {"REVIEW-1-WORKDAY"}


def test_the_second_of_two_reviewers_is_told_that_it_has_ended(town: Town, broken: Any) -> None:  # noqa: ANN401 -- an answer
    review = (town, broken.decision_id, "REVIEW-1-WORKDAY")
    mine: dict[str, Any] = {"remark": "Er was gevaar.", "request_id": str(uuid4())}
    first = end(*review, audit_pb.DUTY_OUTCOME_JUSTIFIED, **mine)
    yes, no = audit_pb.DUTY_OUTCOME_JUSTIFIED, audit_pb.DUTY_OUTCOME_NOT_JUSTIFIED
    for who, outcome in [("fg-2", no), ("fg-1", yes)]:
        with pytest.raises(errors.RuleBroken) as refused:
            end(*review, outcome, who=officer(town, who), remark="Bellen had gekund.")
        assert refused.value.rule == "ALREADY_REVIEWED"
        assert "fg-1" not in refused.value.message
    # The same request gets the same answer.
    assert end(*review, audit_pb.DUTY_OUTCOME_JUSTIFIED, **mine) == first
    assert of_decision(town, broken.decision_id)["REVIEW-1-WORKDAY"].outcome == yes


def test_of_reviewers_at_once_one_is_heard(town: Town, broken: Any) -> None:  # noqa: ANN401 -- an answer
    officers = [officer(town, f"fg-{number}") for number in range(4)]

    def review(who: ExchangeClient) -> str:
        try:
            end(
                town,
                broken.decision_id,
                "REVIEW-1-WORKDAY",
                audit_pb.DUTY_OUTCOME_JUSTIFIED,
                who=who,
                remark="Er was gevaar.",
            )
        except errors.RuleBroken as refused:
            return refused.rule
        return ""

    with ThreadPoolExecutor(len(officers)) as pool:
        told = sorted(pool.map(review, officers))
    assert told == ["", *["ALREADY_REVIEWED"] * 3]


# --- what the resident is told ------------------------------------------------------------------------------


def notices(story: Story, **asked: Any) -> Any:  # noqa: ANN401 -- ListNoticesResponse
    return story.resident().disclosure.list_notices(
        claim=ACCESS, case_id=story.case_id, fields=NOTICE_FIELDS, **asked
    )


def test_fetching_a_notice_executes_the_duty(town: Town, story: Story, broken: Any) -> None:  # noqa: ANN401 -- an answer
    (notice,) = notices(story).notices
    assert (notice.decision_id, notice.duty) == (broken.decision_id, "NOTIFY-SUBJECT")
    assert "omdat iemand in direct gevaar was" in notice.explanation
    assert not notice.HasField("told_time")
    told = of_decision(town, broken.decision_id)["NOTIFY-SUBJECT"]
    assert (told.outcome, told.how) == (audit_pb.DUTY_OUTCOME_EXECUTED, "fetched")
    (again,) = notices(story).notices
    assert again.told_time == told.execute_time


def test_a_log_in_which_asking_fulfilled_duties_is_signed_where_it_has_to_be(
    town: Town,
    story: Story,
    broken: Any,  # noqa: ANN401 -- an answer
) -> None:
    assert len(notices(story).notices) == 1
    assert of_decision(town, broken.decision_id)["NOTIFY-SUBJECT"].how == "fetched"
    key = town.credentials().signing_key.public_key().public_bytes_raw()
    reader = town.core.reader
    entries = reader.leaf_entries(0, reader.head()[0])
    organisations = {parse_leaf(entry).organisation for entry in entries}
    check = SignatureCheck(dict.fromkeys(organisations, (key,)))
    check.add(entries)
    # Another organisation of this town has a key of its own; of the municipality nothing is at fault.
    faults = {parse_leaf(entries[index]).organisation for index, _ in check.faults}
    assert CITY not in faults
    assert check.questions > 1


def test_notices_are_for_this_resident_only(town: Town, story: Story, broken: Any) -> None:  # noqa: ANN401 -- an answer
    other = Story(town, next(town.bsns))
    assert list(notices(other).notices) == []
    with pytest.raises(errors.Denied) as refused:
        other.resident().disclosure.list_notices(claim=ACCESS, case_id=story.case_id, fields=NOTICE_FIELDS)
    assert refused.value.rules == ("R21",), "as about nobody"
    found = of_decision(town, broken.decision_id)["NOTIFY-SUBJECT"]
    assert not found.HasField("execute_time"), "a refused question tells nobody anything"


def test_notices_come_in_pages_and_a_token_says_nothing(town: Town, story: Story, broken: Any) -> None:  # noqa: ANN401 -- an answer
    second = helper(town).plan.get_plan(claim=emergency(), plan_id=story.plan_id, fields=["goals.own_words"])
    first = notices(story, page_size=1)
    assert [one.decision_id for one in first.notices] == [second.decision_id]
    rest = notices(story, page_size=1, page_token=first.next_page_token)
    assert [one.decision_id for one in rest.notices] == [broken.decision_id]
    assert not rest.next_page_token
    with pytest.raises(errors.Invalid):
        notices(story, page_size=1, page_token=first.next_page_token[:-2] + "AA")


def test_what_is_told_to_veilig_thuis_is_kept_from_a_representative_and_comes_to_the_resident_later(
    town: Town, story: Story
) -> None:
    story.goal()
    oin = "00000005003214345000"
    credentials = town.join(oin, "veilig-thuis")
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=oin,
        task="veilig-thuis",
        professional="vt-1",
        role="begeleider",
    )
    asked = claim(pb.PURPOSE_VT_ONDERZOEK, "WMO-5.2.6", "nodig voor het onderzoek")
    with ExchangeClient(town.target, credentials, Person("vt-1", "veilig-thuis", "onderzoeker")) as safe:
        told = safe.plan.get_plan(claim=asked, plan_id=story.plan_id, fields=["goals.own_words"])
    assert {"NO-NOTICE-TO-SUSPECT", "DEFER-NOTICE-4W"} <= set(of_decision(town, told.decision_id))
    moments = {minutes: timedelta(weeks=4, minutes=minutes) for minutes in (-10, 10)}
    seen = {minutes: told_to_resident(town, story, later) for minutes, later in moments.items()}
    assert {minutes for minutes, ids in seen.items() if told.decision_id in ids} == {10}
    (row,) = [
        row
        for row in town.core.reader.page(0, 10_000, ["disclosure.decided.v1"])
        if told.decision_id.encode() in row.state
    ]
    reader = DecisionReader(town.core.codec, town.core.registers, town.core.log_pseudonym)
    who = Caller(CITY, "wettelijk-vertegenwoordiger", "v-1", "", "", two_factor=True, mutual_tls=True)
    assert all(reader.kept_from(row, who, town.now() + later) for later in moments.values())
    assert not reader.kept_from(row, replace(who, task="fg"), town.now())


def told_to_resident(town: Town, story: Story, later: timedelta) -> set[str]:
    """Return the decisions that the resident reads of at a later moment: in the log, notices among them."""
    person = Person("burger-1", "betrokkene", "inwoner", resident=story.pseudonym)
    asked: dict[str, Any] = {"claim": ACCESS, "case_id": story.case_id, "page_size": 200}
    town.skew = later
    try:
        with ExchangeClient(
            town.target, town.credentials(), person, clock=lambda: town.now().timestamp()
        ) as client:
            listed = client.disclosure.list_disclosures(fields=["disclosures.decision_id"], **asked)
            told = client.disclosure.list_notices(fields=["notices.decision_id"], **asked)
    finally:
        town.skew = timedelta()
    log, noticed = ({one.decision_id for one in page} for page in (listed.disclosures, told.notices))
    assert noticed <= log
    return log
