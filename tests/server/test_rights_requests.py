"""What a resident asks by right, over mutual TLS: the term, the answer, the duty that shows what is due."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.domain.days import day_of
from exchange.domain.rights.terms import due_day
from exchange.domain.rights.words import Right
from exchange.projections.workdays import end_of_day, is_workday
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.town import ACCESS, AUDIT, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story

ASK = claim(pb.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT")
ANSWER = claim(pb.PURPOSE_INZAGE, "RIGHTS-12")
READ = claim(pb.PURPOSE_INZAGE, "RIGHTS-12-READ")
COMPLAIN = "Klacht: Autoriteit Persoonsgegevens. Bezwaar: binnen zes weken bij het college."
ALL = [f"requests.{field.name}" for field in rights_pb.RightsRequest.DESCRIPTOR.fields]


@pytest.fixture(autouse=True)
def clock(town: Town) -> Iterator[None]:
    yield
    town.skew, town.stands_at = timedelta(), None


def ask(client: ExchangeClient, story: Story, right: Any = rights_pb.RIGHT_ACCESS, **said: Any) -> str:  # noqa: ANN401 -- any field of the request
    said = {"claim": ASK, "case_id": story.case_id, "right": right} | said
    return client.rights.receive_rights_request(**said).rights_request_id


def listed(client: ExchangeClient, story: Story, claimed: pb.Claim, **said: Any) -> Any:  # noqa: ANN401 -- ListRightsRequestsResponse
    asked: dict[str, Any] = {"claim": claimed, "case_id": story.case_id, "fields": ALL}
    return client.rights.list_rights_requests(**(asked | said))


def duties(town: Town, state: Any, name: str) -> list[Any]:  # noqa: ANN401 -- rows of the list
    officer = town.signed_in(Person("fg-1", "fg", "fg"))
    answer = officer.audit.list_obligations(
        claim=AUDIT,
        fields=[f"obligations.{one.name}" for one in audit_pb.Obligation.DESCRIPTOR.fields],
        duties=["ANSWER-RIGHTS-REQUEST"],
        state=state,
        page_size=200,
    )
    return [one for one in answer.obligations if one.decision_id == name]


def burger(town: Town, story: Story) -> ExchangeClient:
    """Return the resident, whose tokens follow the town's clock."""
    return town.signed_in(Person("burger-1", "betrokkene", "inwoner", resident=story.pseudonym))


def professional_of(story: Story) -> str:
    person = story.wmo._person
    assert person is not None
    return person.professional


def rule(refused: pytest.ExceptionInfo[errors.ExchangeRefused]) -> str:
    assert refused.value.reason == "RULE_BROKEN"
    return refused.value.message


def test_a_request_goes_from_receipt_to_what_was_done(town: Town, story: Story) -> None:
    resident = story.resident()
    name = ask(resident, story, statement="Ik wil alles zien.")
    (row,) = listed(resident, story, ACCESS).requests
    due = end_of_day(due_day(Right.ACCESS, day_of(town.now()), is_workday, extended=False))
    assert (row.rights_request_id, row.right, row.statement) == (
        name,
        rights_pb.RIGHT_ACCESS,
        "Ik wil alles zien.",
    )
    assert row.due_time.ToDatetime(UTC) == due
    assert row.status == rights_pb.REQUEST_STATUS_RECEIVED
    (open_duty,) = duties(town, audit_pb.OBLIGATION_STATE_OPEN, name)
    assert open_duty.due_time.ToDatetime(UTC) == due
    story.wmo.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    # What was granted is still to be done.
    assert len(duties(town, audit_pb.OBLIGATION_STATE_OPEN, name)) == 1
    done: dict[str, Any] = {"claim": ANSWER, "rights_request_id": name, "how": "portal"}
    looked = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    # A word of its own, or what a professional got, is no answer to the resident.
    for other in ("d-1", looked.decision_id):
        with pytest.raises(errors.ExchangeRefused) as refused:
            story.wmo.rights.execute_rights_request(reference=other, **done)
        assert rule(refused) == "the log holds no answer to the resident's side of this name"
    answer = resident.rights.get_access_answer(claim=ACCESS, case_id=story.case_id, fields=["rights.article"])
    story.wmo.rights.execute_rights_request(reference=answer.decision_id, **done)
    (row,) = listed(story.wmo, story, READ).requests
    assert (row.status, row.outcome, row.reference) == (
        rights_pb.REQUEST_STATUS_EXECUTED,
        rights_pb.RIGHTS_OUTCOME_GRANTED,
        answer.decision_id,
    )
    assert duties(town, audit_pb.OBLIGATION_STATE_OPEN, name) == []
    (ended,) = duties(town, audit_pb.OBLIGATION_STATE_UNSPECIFIED, name)
    assert (ended.outcome, ended.how) == (audit_pb.DUTY_OUTCOME_EXECUTED, "executed")


def test_a_refusal_tells_why_and_where_to_complain_and_ends_the_duty(town: Town, story: Story) -> None:
    name = ask(story.resident(), story)
    said: dict[str, Any] = {
        "claim": ANSWER,
        "rights_request_id": name,
        "outcome": rights_pb.RIGHTS_OUTCOME_REFUSED,
    }
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.decide_rights_request(**said)
    assert set(refused.value.field_violations) == {"reason", "refusal_article", "complain_at"}
    story.wmo.rights.decide_rights_request(
        reason="Het gaat ook over uw zus.",
        refusal_article=rights_pb.REFUSAL_ARTICLE_AVG_15_4,
        complain_at=COMPLAIN,
        **said,
    )
    (row,) = listed(story.resident(), story, ACCESS).requests
    assert (row.status, row.reason, row.complain_at) == (
        rights_pb.REQUEST_STATUS_REFUSED,
        "Het gaat ook over uw zus.",
        COMPLAIN,
    )
    (ended,) = duties(town, audit_pb.OBLIGATION_STATE_UNSPECIFIED, name)
    assert ended.how == "refused"
    with pytest.raises(errors.ExchangeRefused) as again:
        story.wmo.rights.execute_rights_request(
            claim=ANSWER, rights_request_id=name, reference="d-1", how="portal"
        )
    assert rule(again) == "what was not granted is not executed: decide first"


def test_what_is_not_answered_in_time_is_overdue_until_it_is_answered(town: Town, story: Story) -> None:
    name = ask(burger(town, story), story)
    due = listed(burger(town, story), story, ACCESS).requests[0].due_time.ToDatetime(UTC)
    town.stands_at = due - timedelta(microseconds=1)
    assert duties(town, audit_pb.OBLIGATION_STATE_OVERDUE, name) == []
    town.stands_at = due
    assert len(duties(town, audit_pb.OBLIGATION_STATE_OVERDUE, name)) == 1
    desk = town.signed_in(Person(professional_of(story), "college:WMO", "regisseur"))
    with pytest.raises(errors.ExchangeRefused) as refused:
        desk.rights.extend_rights_request(
            claim=ANSWER, rights_request_id=name, reason="Twaalf dossiers.", how="letter"
        )
    assert rule(refused) == "who extends tells so within the first month: it is over"
    desk.rights.decide_rights_request(
        claim=ANSWER,
        rights_request_id=name,
        outcome=rights_pb.RIGHTS_OUTCOME_REFUSED,
        reason="Al drie keer gevraagd.",
        refusal_article=rights_pb.REFUSAL_ARTICLE_AVG_12_5_B,
        complain_at=COMPLAIN,
    )
    assert duties(town, audit_pb.OBLIGATION_STATE_OVERDUE, name) == []


def test_the_term_is_extended_by_two_months_from_receipt(town: Town, story: Story) -> None:
    name = ask(story.resident(), story)
    story.wmo.rights.extend_rights_request(
        claim=ANSWER, rights_request_id=name, reason="Twaalf dossiers.", how="letter"
    )
    (row,) = listed(story.resident(), story, ACCESS).requests
    today = day_of(town.now())
    assert row.due_time.ToDatetime(UTC) == end_of_day(due_day(Right.ACCESS, today, is_workday, extended=True))
    assert (row.status, row.extension_reason) == (rights_pb.REQUEST_STATUS_EXTENDED, "Twaalf dossiers.")
    (open_duty,) = duties(town, audit_pb.OBLIGATION_STATE_OPEN, name)
    assert open_duty.due_time == row.due_time


def test_destroying_is_due_in_three_months_and_never_extended(town: Town, story: Story) -> None:
    name = ask(story.resident(), story, rights_pb.RIGHT_DESTRUCTION_WMO)
    (row,) = listed(story.resident(), story, ACCESS).requests
    assert row.due_time.ToDatetime(UTC) == end_of_day(
        due_day(Right.DESTRUCTION_WMO, day_of(town.now()), is_workday, extended=False)
    )
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.extend_rights_request(
            claim=ANSWER, rights_request_id=name, reason="Druk.", how="letter"
        )
    assert rule(refused) == "the law gives three months at once, and no more"


def test_the_term_of_a_letter_runs_from_the_day_it_came_in(town: Town, story: Story) -> None:
    came_in = day_of(town.now()) - timedelta(days=4)
    ask(story.wmo, story, claim=ANSWER, received_date=came_in.isoformat())
    (row,) = listed(story.wmo, story, READ).requests
    assert row.received_date == came_in.isoformat()
    assert row.due_time.ToDatetime(UTC) == end_of_day(
        due_day(Right.ACCESS, came_in, is_workday, extended=False)
    )
    with pytest.raises(errors.ExchangeRefused) as refused:
        ask(story.resident(), story, received_date=came_in.isoformat())
    assert set(refused.value.field_violations) == {"received_date"}


def test_a_restriction_is_executed_by_one_that_stands(story: Story) -> None:
    name = ask(story.resident(), story, rights_pb.RIGHT_RESTRICTION)
    story.wmo.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    done: dict[str, Any] = {"claim": ANSWER, "rights_request_id": name, "how": "letter"}
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.rights.execute_rights_request(reference=str(uuid4()), **done)
    assert rule(refused) == "nothing of this name stands that would execute it"
    restricted = story.wmo.rights.restrict(
        claim=claim(pb.PURPOSE_WMO_ONDERZOEK, "LIMIT-18"), case_id=story.case_id, reason="Gevraagd."
    )
    story.wmo.rights.execute_rights_request(reference=restricted.restriction_id, **done)
    assert listed(story.resident(), story, ACCESS).requests[0].status == rights_pb.REQUEST_STATUS_EXECUTED


def test_the_list_comes_in_pages_newest_first(story: Story) -> None:
    resident = story.resident()
    names = [ask(resident, story) for _ in range(5)]
    first = listed(resident, story, ACCESS, page_size=2)
    ask(resident, story)
    rest = listed(resident, story, ACCESS, page_size=2, page_token=first.next_page_token)
    last = listed(resident, story, ACCESS, page_size=2, page_token=rest.next_page_token)
    told = [one.rights_request_id for page in (first, rest, last) for one in page.requests]
    assert told == names[::-1]
    assert last.next_page_token == ""


def test_strangers_learn_nothing_and_a_college_reads_no_log_by_it(town: Town, story: Story) -> None:
    name = ask(story.resident(), story)
    stranger = town.worker("college:WMO", "stranger")
    for unknown in (story.case_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            listed(stranger, story, READ, case_id=unknown)
        assert refused.value.rules == ("R03",)
    for known in (name, str(uuid4())):
        with pytest.raises(errors.Denied) as undecided:
            stranger.rights.decide_rights_request(
                claim=ANSWER, rights_request_id=known, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
            )
        assert undecided.value.rules == ("R03",)
    with pytest.raises(errors.Denied) as log:
        story.wmo.disclosure.list_disclosures(
            claim=READ, case_id=story.case_id, fields=["disclosures.organisation"]
        )
    assert log.value.rules == ("R09",)


def test_a_duty_about_a_request_ends_by_its_answer_only(town: Town, story: Story) -> None:
    name = ask(story.resident(), story)
    with pytest.raises(errors.ExchangeRefused) as refused:
        town.worker("fg", "fg-1").audit.execute_obligation(
            claim=claim(pb.PURPOSE_TOEZICHT, "FG-WATCH-39"),
            of_decision_id=name,
            duty="ANSWER-RIGHTS-REQUEST",
            outcome=audit_pb.DUTY_OUTCOME_EXECUTED,
            how="desk",
        )
    assert refused.value.reason in {"RULE_BROKEN", "REQUEST_INVALID"}
    assert len(duties(town, audit_pb.OBLIGATION_STATE_OPEN, name)) == 1


def test_the_same_request_twice_is_one(story: Story) -> None:
    request_id = str(uuid4())
    resident = story.resident()
    assert ask(resident, story, request_id=request_id) == ask(resident, story, request_id=request_id)
    assert len(listed(resident, story, ACCESS).requests) == 1
    assert date.fromisoformat(listed(resident, story, ACCESS).requests[0].received_date)
