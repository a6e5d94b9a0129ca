"""Who got data about a resident from elsewhere, told to him in plain words, over mutual TLS.

Source: GDPR 12(1), 14; the gate's design section 5.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.v1 import audit_service_pb2 as audit_pb
from tests.server.test_duties import duties, duties_at, end, notices, of_decision
from tests.server.test_rectification import provider
from tests.server.test_untold import seal_goals, seal_paths, told
from tests.server.town import ACCESS, CARE, DELIVER, INVESTIGATE, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story

INFORM = "INFORM-14"


@pytest.fixture
def care(town: Town, story: Story) -> ExchangeClient:
    """Return a provider that works on the case of somebody with a goal."""
    town.care()
    story.goal()
    return provider(town, story)


def read(client: ExchangeClient, story: Story, *paths: str) -> str:
    asked: dict[str, Any] = {"claim": DELIVER, "plan_id": story.plan_id}
    return client.plan.get_plan(fields=paths or ["goals.own_words"], **asked).decision_id


def test_the_resident_reads_who_got_what_for_what_and_is_told_once(
    town: Town, story: Story, care: ExchangeClient
) -> None:
    decision_id = read(care, story)
    open_one = of_decision(town, decision_id)[INFORM]
    assert not open_one.HasField("execute_time")
    assert open_one.due_time.ToDatetime(UTC) > open_one.decide_time.ToDatetime(UTC) + timedelta(days=28)
    (notice,) = notices(story).notices
    assert (notice.decision_id, notice.duty) == (decision_id, INFORM)
    assert not notice.HasField("told_time")
    for words in (
        "Een organisatie die u Wmo-hulp geeft vroeg gegevens, om u hulp te geven.",
        "Dat mag volgens Wmo 2015 art. 5.2.1",
        "Het gaat om: uw doelen.",
        "U leest dit omdat deze organisatie de gegevens niet van u zelf kreeg.",
        "U krijgt dit bericht één keer.",
    ):
        assert words in notice.explanation
    found = of_decision(town, decision_id)[INFORM]
    assert (found.outcome, found.how) == (audit_pb.DUTY_OUTCOME_EXECUTED, "fetched")
    again = read(care, story)
    assert INFORM not in of_decision(town, again)
    (known,) = notices(story).notices
    assert known.told_time == found.execute_time


def test_the_desk_that_has_it_from_the_resident_brings_none(town: Town, story: Story) -> None:
    asked: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": story.plan_id, "fields": ["plan_id"]}
    decision_id = story.wmo.plan.get_plan(**asked).decision_id
    story.resident().disclosure.list_disclosures(
        claim=ACCESS, case_id=story.case_id, fields=["disclosures.decision_id"]
    )
    assert of_decision(town, decision_id) == {}
    assert list(notices(story).notices) == []


def test_who_is_not_told_in_time_is_overdue(town: Town, story: Story, care: ExchangeClient) -> None:
    decision_id = read(care, story)
    overdue: dict[str, Any] = {"state": audit_pb.OBLIGATION_STATE_OVERDUE, "duties": [INFORM]}
    assert decision_id not in {one.decision_id for one in duties(town, **overdue)}
    assert set(duties_at(town, decision_id, timedelta(days=36), **overdue)) == {INFORM}


def test_the_officer_may_tell_it_by_letter_and_says_why_it_was_not_needed(
    town: Town, story: Story, care: ExchangeClient
) -> None:
    decision_id = read(care, story)
    with pytest.raises(errors.Invalid):
        end(town, decision_id, INFORM, audit_pb.DUTY_OUTCOME_NOT_NEEDED)
    with pytest.raises(errors.RuleBroken) as refused:
        end(town, decision_id, INFORM, audit_pb.DUTY_OUTCOME_JUSTIFIED, remark="Zomaar.")
    assert refused.value.rule == "OUTCOME_NOT_OF_THIS_DUTY"
    end(town, decision_id, INFORM, audit_pb.DUTY_OUTCOME_EXECUTED)
    assert of_decision(town, decision_id)[INFORM].how == "desk"
    second = read(care, story)
    with pytest.raises(errors.RuleBroken) as unknown:
        end(town, second, INFORM, audit_pb.DUTY_OUTCOME_EXECUTED)
    assert unknown.value.rule == "NO_SUCH_OBLIGATION"


@pytest.mark.parametrize("sealed", [True, False])
def test_the_notice_comes_whether_what_was_asked_is_sealed_or_not(
    town: Town, story: Story, care: ExchangeClient, *, sealed: bool
) -> None:
    if sealed:
        seal_goals(town, story)
    answer = care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"])
    assert len(answer.plan.goals) == (0 if sealed else 1)
    _, listed = told(story.resident(), story.case_id)
    assert listed == [(answer.decision_id, INFORM)]


def test_where_the_link_is_sealed_nothing_is_told_and_the_duty_stays(
    town: Town, story: Story, care: ExchangeClient
) -> None:
    decision_id = read(care, story)
    seal_paths(town, story, f"link:{CARE}/wmo-aanbieder")
    assert list(notices(story).notices) == []
    assert not of_decision(town, decision_id)[INFORM].HasField("execute_time")
