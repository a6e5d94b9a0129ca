"""A wrong record is corrected, stays in the past, and reaches everybody who got it; over mutual TLS."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.kit.rectifications import RectifiedTold, SdkRectifications
from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.domain.plan import PlanCorrected
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.test_rectification import DONE, granted, provider, told
from tests.server.test_rights_requests import ANSWER, listed
from tests.server.town import ACCESS, AUDIT, CARE, CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

CORRECT = claim(pb.PURPOSE_CORRECTIE, "RECTIFY-16")
WORD = claim(pb.PURPOSE_CORRECTIE, "RESIDENT-WORD")
RIGHT = "Samen koken."
SAID = "Zo heb ik het niet gezegd."


def correct(
    story: Story,
    client: ExchangeClient,
    goal_id: str,
    *values: str,
    field: str = "own_words",
    collection: str = "goals",
    **said: Any,  # noqa: ANN401 -- any field of the request
) -> rights_pb.RectifyPlanResponse:
    origin: dict[str, Any] = {key: said.pop(key) for key in ("task", "oin") if key in said}
    given: dict[str, Any] = {
        "claim": CORRECT,
        "plan_id": story.plan_id,
        "expected_version": story.version,
        "element": rights_pb.PlanElement(collection=collection, name=goal_id, **origin),
        "field": field,
        "values": list(values),
    }
    answer: rights_pb.RectifyPlanResponse = client.rights.rectify_plan(**(given | said))
    story.version = answer.version
    return answer


def goals(client: ExchangeClient, story: Story, claimed: pb.Claim, *leaves: str) -> list[Any]:
    fields = [f"goals.{leaf}" for leaf in leaves or ("own_words",)]
    return list(client.plan.get_plan(claim=claimed, plan_id=story.plan_id, fields=fields).plan.goals)


def describe(story: Story, client: ExchangeClient, domain: pb.LifeDomain.ValueType, words: str) -> None:
    story.version = client.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=domain,
        description=words,
        score=2,
        judge_date="2026-03-02",
    ).version


def test_what_was_wrong_is_corrected_and_every_recipient_is_told_in_the_same_commit(
    town: Town, story: Story
) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    assert [one.own_words for one in goals(care, story, DELIVER)] == ["Weer zelf koken."]
    name = granted(story)
    done = correct(story, story.wmo, goal_id, RIGHT, rights_request_id=name)
    assert (done.rights_request_id, done.recipients) == (name, 1)
    assert [one.own_words for one in goals(care, story, DELIVER)] == [RIGHT]
    (row,) = told(care, name)
    assert (list(row.plan_ids), list(row.paths)) == ([story.plan_id], ["goals.own_words"])
    # Under a request a correction stands: then what was done need not be said again.
    executed = story.wmo.rights.execute_rights_request(
        claim=ANSWER, rights_request_id=name, reference="brief-1", how="letter"
    )
    assert executed.recipients == 0
    care.rights.confirm_rectification(
        claim=DONE, rights_request_id=name, outcome=rights_pb.RECTIFICATION_OUTCOME_RECTIFIED
    )
    assert told(care, name, only_open=True) == []


def test_the_old_words_stay_in_the_past_and_the_new_ones_are_sealed(town: Town, story: Story) -> None:
    goal_id = story.goal()
    correct(story, story.wmo, goal_id, RIGHT)
    rows = town.core.reader.tail(f"plan-{story.plan_id}").rows
    found = [town.core.codec.decode(r.state, stream=r.stream, version=r.version, topic=r.topic) for r in rows]
    said = [one.event for one in found]
    assert [getattr(one, "own_words", "") for one in said].count("Weer zelf koken.") == 1
    (corrected,) = (one for one in said if isinstance(one, PlanCorrected))
    assert (corrected.values, corrected.field) == ((RIGHT,), "own_words")
    (stored,) = (row.state for row in rows if row.topic == PlanCorrected.TOPIC)
    assert not any(word in stored for word in (RIGHT.encode(), goal_id.encode(), b"own_words", b'"goals"'))


def test_who_recorded_it_corrects_it_of_his_own_accord_and_recipients_are_told(
    town: Town, story: Story
) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    # Nobody got it yet: nobody is told, and there is nothing to confirm.
    first = correct(story, story.wmo, goal_id, "Zelf kopen.")
    assert (first.recipients, first.rights_request_id) == (0, "")
    goals(care, story, DELIVER)
    done = correct(story, story.wmo, goal_id, RIGHT)
    assert done.recipients == 1
    (row,) = told(care, done.rights_request_id)
    care.rights.confirm_rectification(
        claim=DONE,
        rights_request_id=row.rights_request_id,
        outcome=rights_pb.RECTIFICATION_OUTCOME_NOTHING_KEPT,
    )
    assert told(care, done.rights_request_id, only_open=True) == []
    # Nobody asked for it: it is no request of the resident.
    assert list(listed(story.resident(), story, ACCESS).requests) == []


def test_who_is_told_again_answers_again(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    goals(care, story, DELIVER, "own_words", "desired_effect")
    name = granted(story)
    said: dict[str, Any] = {"claim": DONE, "rights_request_id": name}
    correct(story, story.wmo, goal_id, RIGHT, rights_request_id=name)
    care.rights.confirm_rectification(outcome=rights_pb.RECTIFICATION_OUTCOME_RECTIFIED, **said)
    correct(story, story.wmo, goal_id, "samen eten", field="desired_effect", rights_request_id=name)
    (open_row,) = told(care, name, only_open=True)
    assert list(open_row.paths) == ["goals.desired_effect"]
    care.rights.confirm_rectification(outcome=rights_pb.RECTIFICATION_OUTCOME_NOTHING_KEPT, **said)
    assert [one.outcome for one in told(care, name)] == [
        rights_pb.RECTIFICATION_OUTCOME_RECTIFIED,
        rights_pb.RECTIFICATION_OUTCOME_NOTHING_KEPT,
    ]


def test_only_who_can_have_got_it_is_told(town: Town, story: Story) -> None:
    town.care()
    story.goal()
    care = provider(town, story)
    goals(care, story, DELIVER)
    later = story.goal()
    name = granted(story)
    # Recorded after all that left.
    assert correct(story, story.wmo, later, RIGHT, rights_request_id=name).recipients == 0
    # A field it never asked for.
    assert correct(story, story.wmo, later, "koken", field="desired_effect").recipients == 0


def test_who_left_the_case_is_told_and_gets_nothing(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    goals(care, story, DELIVER)
    story.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional=f"z-{story.bsn[-5:]}",
    )
    name = correct(story, story.wmo, goal_id, RIGHT).rights_request_id
    assert len(told(care, name)) == 1
    with pytest.raises(errors.Denied) as refused:
        goals(care, story, DELIVER)
    assert refused.value.rules == ("R03",)


def test_who_does_not_answer_is_overdue_from_its_line_on(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    goals(care, story, DELIVER)
    name = correct(story, story.wmo, goal_id, RIGHT).rights_request_id
    (row,) = told(care, name)
    due = row.due_time.ToDatetime(UTC)
    assert due - row.tell_time.ToDatetime(UTC) == timedelta(days=30)

    def overdue() -> list[str]:
        answer = town.signed_in(Person("fg-1", "fg", "fg")).audit.list_obligations(
            claim=AUDIT,
            fields=["obligations.decision_id", "obligations.organisation"],
            duties=["CONFIRM-RECTIFICATION"],
            state=audit_pb.OBLIGATION_STATE_OVERDUE,
            page_size=200,
        )
        return [one.organisation for one in answer.obligations if one.decision_id.startswith(name)]

    try:
        town.stands_at = due - timedelta(microseconds=1)
        assert overdue() == []
        town.stands_at = due
        assert overdue() == [CARE]
    finally:
        town.stands_at = None
    care.rights.confirm_rectification(
        claim=DONE, rights_request_id=name, outcome=rights_pb.RECTIFICATION_OUTCOME_RECTIFIED
    )
    assert told(care, name, only_open=True) == []


def test_the_providers_adapter_hears_of_it_and_answers(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    goals(care, story, DELIVER)
    name = correct(story, story.wmo, goal_id, RIGHT).rights_request_id
    port = SdkRectifications(care)
    word = RectifiedTold(name, (story.plan_id,), ("goals.own_words",))
    assert word in port.told()
    port.answer(name, rectified=False)
    assert word not in port.told()
    (row,) = told(care, name)
    assert row.outcome == rights_pb.RECTIFICATION_OUTCOME_NOTHING_KEPT


def test_the_subscription_of_who_works_on_the_case_brings_the_new_words(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    cursor = correct(story, story.wmo, goal_id, RIGHT).receipt.position - 1
    stream = care.open_stream(
        SubscribeRequest(claim=DELIVER, fields=["goals.own_words"], cursor=cursor, heartbeat_seconds=1)
    )
    (event,) = next(answer.events for answer in stream if answer.events)
    stream.cancel()
    assert (event.kind, event.plan_id) == ("plan.corrected", story.plan_id)
    assert [one.own_words for one in event.change.goals] == [RIGHT]


def test_a_college_corrects_what_colleges_recorded_once_it_was_granted(town: Town, story: Story) -> None:
    goal_id = story.goal()
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:PW",
        professional="p-1",
        role="consulent",
    )
    work = town.client(Person("p-1", "college:PW", "consulent"))
    said: dict[str, Any] = {"task": "college:WMO", "oin": CITY}
    with pytest.raises(errors.RuleBroken, match="who recorded it corrects it"):
        correct(story, work, goal_id, RIGHT, **said)
    name = granted(story)
    correct(story, work, goal_id, RIGHT, rights_request_id=name, **said)
    assert [one.own_words for one in goals(story.wmo, story, INVESTIGATE)] == [RIGHT]


def test_a_request_that_is_not_granted_corrects_nothing(story: Story) -> None:
    goal_id = story.goal()
    with pytest.raises(errors.RuleBroken, match="was granted and waits to be done"):
        correct(story, story.wmo, goal_id, RIGHT, rights_request_id=str(uuid4()))
    name = granted(story)
    correct(story, story.wmo, goal_id, RIGHT, rights_request_id=name)
    story.wmo.rights.execute_rights_request(
        claim=ANSWER, rights_request_id=name, reference="brief-1", how="letter"
    )
    with pytest.raises(errors.RuleBroken, match="was granted and waits to be done"):
        correct(story, story.wmo, goal_id, "Toch zelf.", rights_request_id=name)


def test_what_is_not_there_or_says_so_already_is_told(story: Story) -> None:
    goal_id = story.goal()
    with pytest.raises(errors.RuleBroken, match="no such element"):
        correct(story, story.wmo, str(uuid4()), RIGHT)
    for field, values, at in (
        ("own_words", ["Weer zelf koken."], "values"),
        ("own_words", [], "values"),
        ("own_words", ["een", "twee"], "values"),
        ("colour", ["rood"], "field"),
        ("goal_id", ["x"], "field"),
        ("life_domain", ["LIFE_DOMAIN_MOON"], "values"),
        ("target_date", ["morgen"], "values"),
    ):
        with pytest.raises(errors.ExchangeRefused) as refused:
            correct(story, story.wmo, goal_id, *values, field=field)
        assert set(refused.value.field_violations) == {at}, field
    with pytest.raises(errors.ExchangeRefused) as unknown:
        correct(story, story.wmo, goal_id, RIGHT, collection="agreements")
    assert set(unknown.value.field_violations) & {"field", "element.collection"}
    with pytest.raises(errors.Conflict):
        correct(story, story.wmo, goal_id, RIGHT, expected_version=story.version - 1)


def test_enums_days_and_numbers_are_corrected_as_the_contract_writes_them(story: Story) -> None:
    goal_id = story.goal()
    correct(story, story.wmo, goal_id, "LIFE_DOMAIN_HOUSING", field="life_domain")
    correct(story, story.wmo, goal_id, "2028-01-01", field="target_date")
    (goal,) = goals(story.wmo, story, INVESTIGATE, "life_domain", "target_date")
    assert (goal.life_domain, goal.target_date) == (pb.LIFE_DOMAIN_HOUSING, "2028-01-01")
    describe(story, story.wmo, pb.LIFE_DOMAIN_HOUSING, "Eerste.")
    correct(story, story.wmo, "LIFE_DOMAIN_HOUSING", "4", field="score", collection="situations")
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["situations.score"])
    assert [one.score for one in read.plan.situations] == [4]


def test_what_is_restricted_because_it_may_be_wrong_is_corrected_all_the_same(story: Story) -> None:
    goal_id = story.goal()
    story.resident().rights.restrict(
        claim=claim(pb.PURPOSE_CORRECTIE, "LIMIT-18-RESIDENT"),
        case_id=story.case_id,
        reason="Het klopt niet.",
    )
    with pytest.raises(errors.Denied) as restricted:
        goals(story.wmo, story, INVESTIGATE)
    assert restricted.value.rules == ("R24",)
    assert correct(story, story.wmo, goal_id, RIGHT).version == story.version


def speak(story: Story, client: ExchangeClient, goal_id: str, words: str = SAID) -> Any:  # noqa: ANN401 -- AddStatementResponse
    answer = client.rights.add_statement(
        claim=WORD,
        plan_id=story.plan_id,
        expected_version=story.version,
        element=rights_pb.PlanElement(collection="goals", name=goal_id, task="college:WMO", oin=CITY),
        statement=words,
    )
    story.version = answer.version
    return answer


def test_the_residents_statement_goes_where_the_element_goes(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    goals(care, story, DELIVER)
    done = speak(story, story.resident(), goal_id)
    # Who got the element has it incomplete, and is told.
    assert done.recipients == 1
    (row,) = told(care, done.rights_request_id)
    assert list(row.paths) == ["goals.statement"]
    (goal,) = goals(care, story, DELIVER, "own_words", "statement")
    assert (goal.own_words, goal.statement) == ("Weer zelf koken.", SAID)
    speak(story, story.resident(), goal_id, "Het was mijn zus.")
    (goal,) = goals(story.wmo, story, INVESTIGATE, "statement")
    assert goal.statement == "Het was mijn zus."


def test_only_the_residents_side_speaks_beside_what_others_record(story: Story) -> None:
    goal_id = story.goal()
    # On the resident's ground a college is not heard; and a statement is no field a recorder corrects.
    with pytest.raises(errors.Denied):
        speak(story, story.wmo, goal_id)
    with pytest.raises(errors.ExchangeRefused) as refused:
        correct(story, story.wmo, goal_id, SAID, field="statement")
    assert set(refused.value.field_violations) == {"field"}
    with pytest.raises(errors.ExchangeRefused) as empty:
        speak(story, story.resident(), goal_id, "")
    assert set(empty.value.field_violations) == {"statement"}


def test_a_stranger_corrects_nothing_and_learns_nothing(town: Town, story: Story) -> None:
    goal_id = story.goal()
    stranger = town.worker("college:WMO", "stranger")
    for plan_id in (story.plan_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            correct(story, stranger, goal_id, RIGHT, plan_id=plan_id)
        assert refused.value.rules == ("R03",)
