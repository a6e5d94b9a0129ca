"""A rectification reaches everybody who got what was wrong, and nobody else, until each has answered."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_rights_requests import ANSWER, ASK
from tests.server.town import AUDIT, CARE, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

TOLD = claim(pb.PURPOSE_CORRECTIE, "RECTIFIED-12")
DONE = claim(pb.PURPOSE_CORRECTIE, "RECTIFIED-19")


def provider(town: Town, story: Story) -> ExchangeClient:
    """Return a care provider on the case."""
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional=f"z-{story.bsn[-5:]}",
        role="begeleider",
    )
    return town.client(Person(f"z-{story.bsn[-5:]}", "wmo-aanbieder", "begeleider"), town.care())


def granted(story: Story) -> str:
    name = (
        story.resident()
        .rights.receive_rights_request(
            claim=ASK,
            case_id=story.case_id,
            right=rights_pb.RIGHT_RECTIFICATION,
            statement="Ik wil niet zelf koken maar samen.",
        )
        .rights_request_id
    )
    story.wmo.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    return name


def rectify(story: Story, name: str, *paths: str) -> Any:  # noqa: ANN401 -- ExecuteRightsRequestResponse
    return story.wmo.rights.execute_rights_request(
        claim=ANSWER, rights_request_id=name, reference="goal-2", how="letter", paths=paths or ["goals"]
    )


def told(client: ExchangeClient, name: str, **said: Any) -> list[Any]:  # noqa: ANN401 -- rows of the list
    answer = client.rights.list_rectifications(claim=TOLD, page_size=200, **said)
    return [one for one in answer.rectifications if one.rights_request_id == name]


def test_who_got_the_field_is_told_and_tracked_until_it_answers(town: Town, story: Story) -> None:
    town.care()
    story.goal()
    care = provider(town, story)
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"])
    name = granted(story)
    assert rectify(story, name).recipients == 1
    (row,) = told(care, name)
    # Of what was rectified, what it got; never what it says now.
    assert (list(row.plan_ids), list(row.paths)) == ([story.plan_id], ["goals.own_words"])
    assert row.due_time.ToDatetime(UTC) - row.tell_time.ToDatetime(UTC) == timedelta(days=30)
    officer = town.worker("fg", "fg-1")
    ask: dict[str, Any] = {
        "claim": AUDIT,
        "duties": ["CONFIRM-RECTIFICATION"],
        "fields": ["obligations.decision_id", "obligations.organisation", "obligations.how"],
        "page_size": 200,
    }

    def tracked(state: audit_pb.ObligationState.ValueType) -> list[Any]:
        answer = officer.audit.list_obligations(state=state, **ask)
        return [one for one in answer.obligations if one.decision_id.startswith(name)]

    assert [one.organisation for one in tracked(audit_pb.OBLIGATION_STATE_OPEN)] == [CARE]
    said: dict[str, Any] = {"claim": DONE, "rights_request_id": name}
    care.rights.confirm_rectification(outcome=rights_pb.RECTIFICATION_OUTCOME_RECTIFIED, **said)
    # The first answer counts.
    care.rights.confirm_rectification(outcome=rights_pb.RECTIFICATION_OUTCOME_NOTHING_KEPT, **said)
    assert tracked(audit_pb.OBLIGATION_STATE_OPEN) == []
    assert [one.how for one in tracked(audit_pb.OBLIGATION_STATE_UNSPECIFIED)] == ["rectified"]
    assert told(care, name, only_open=True) == []
    (row,) = told(care, name)
    assert row.outcome == rights_pb.RECTIFICATION_OUTCOME_RECTIFIED
    assert row.HasField("confirm_time")


def test_who_got_nothing_of_it_is_told_nothing_and_cannot_answer(town: Town, story: Story) -> None:
    town.care()
    story.goal()
    care = provider(town, story)
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"])
    name = granted(story)
    # What the desk itself reads, and what the resident sees, tells nobody anything.
    assert rectify(story, name, "reports.desk").recipients == 0
    assert told(care, name) == []
    for rights_request_id in (name, "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(errors.ExchangeRefused) as refused:
            care.rights.confirm_rectification(
                claim=DONE,
                rights_request_id=rights_request_id,
                outcome=rights_pb.RECTIFICATION_OUTCOME_RECTIFIED,
            )
        assert refused.value.reason == "RULE_BROKEN"
        assert refused.value.message == "this recipient was not told of such a rectification"


def test_the_data_themselves_are_judged_anew(town: Town, story: Story) -> None:
    town.care()
    story.goal()
    care = provider(town, story)
    read: dict[str, Any] = {"claim": DELIVER, "plan_id": story.plan_id, "fields": ["goals.own_words"]}
    care.plan.get_plan(**read)
    story.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional=f"z-{story.bsn[-5:]}",
    )
    name = granted(story)
    assert rectify(story, name).recipients == 1
    # Whoever got it is told, also after leaving; what it says now needs a right of now.
    assert len(told(care, name)) == 1
    with pytest.raises(errors.Denied) as refused:
        care.plan.get_plan(**read)
    assert refused.value.rules == ("R03",)


def test_a_field_the_plan_does_not_have_is_no_rectification(story: Story) -> None:
    name = granted(story)
    with pytest.raises(errors.ExchangeRefused) as refused:
        rectify(story, name, "goals.colour")
    assert set(refused.value.field_violations) == {"paths[0]"}


def test_the_list_comes_in_pages_oldest_first(town: Town, story: Story) -> None:
    town.care()
    story.goal()
    care = provider(town, story)
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"])
    names = [granted(story) for _ in range(3)]
    for name in names:
        rectify(story, name)
    seen, token = [], ""
    while True:
        page = care.rights.list_rectifications(claim=TOLD, page_size=2, page_token=token)
        seen += [one.rights_request_id for one in page.rectifications]
        token = page.next_page_token
        if not token:
            break
    assert [name for name in seen if name in names] == names
    assert len(seen) == len(set(seen))
