"""A handover at its edges: a consent taken back between both completions, what is sealed, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.domain.handover.state import HandoverStatus
from tests.handover.test_taking_along import came_along, taken
from tests.handover.towns import CAME_ALONG, NEWCOMER
from tests.server.test_sealed_pages import let_in_second, seal_goals
from tests.server.town import ACCESS, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.handover.towns import Mover, Towns


def newcomers_worker(towns: Towns, mover: Mover) -> ExchangeClient:
    """Return the professional of the new town who took the plan over."""
    client: ExchangeClient = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    return client


def stopped(towns: Towns, mover: Mover, at: str) -> str:
    """Take the consent back at a step, and let the taker try it twice; return the handover."""
    handover_id = mover.offer()

    def step(name: str) -> None:
        if name == at:
            mover.withdraw()

    for driver in (towns.driver(mover.bsn, step), towns.driver(mover.bsn)):
        with pytest.raises(errors.Denied) as refused:
            driver.take_over(handover_id, NEWCOMER)
        assert "R19" in refused.value.rules
    assert towns.old.state("handover", handover_id).status == HandoverStatus.COMPLETED
    return handover_id


@pytest.mark.parametrize("at", ["prove", "finish"])
def test_a_consent_taken_back_between_both_completions_stops_the_receiver(
    towns: Towns, mover: Mover, at: str
) -> None:
    handover_id = stopped(towns, mover, at)
    there = towns.new.state("handover", handover_id)
    assert there.status != HandoverStatus.COMPLETED
    assert there.contents, "what was given is kept apart, until a person there does away with it"
    assert towns.new.state("plan", there.plan_id).goals == ()
    newcomers_worker(towns, mover).handover.cancel_handover(
        claim=INVESTIGATE, handover_id=handover_id, reason="withdrawn"
    )
    assert towns.new.state("handover", handover_id).contents == ()
    # Here the case stays closed: its plan is read by right, and who needs help again gets another one.
    with pytest.raises(errors.Denied):
        mover.story.goal()
    kept = mover.story.resident().plan.get_plan(
        claim=ACCESS, plan_id=mover.story.plan_id, fields=["goals.own_words"]
    )
    assert len(kept.plan.goals) == 1
    again = mover.story.report(mover.story.wmo, "Ik blijf toch hier wonen.")
    assert again.plan_id not in {"", mover.story.plan_id}


@pytest.mark.parametrize("at", ["prove ours", "keep"])
def test_taken_back_after_both_it_undoes_nothing_and_the_giver_keeps_no_receipt(
    towns: Towns, mover: Mover, at: str
) -> None:
    handover_id = stopped(towns, mover, at)
    there = towns.new.state("handover", handover_id)
    assert there.status == HandoverStatus.COMPLETED
    assert len(came_along(towns, there.plan_id, "goals")) == 1
    assert there.other_entry
    assert not towns.old.state("handover", handover_id).other_entry


def test_what_is_sealed_does_not_travel_and_is_not_named(towns: Towns, mover: Mover) -> None:
    let_in_second(mover.story)
    seal_goals(towns.old, mover.story)
    handover_id, found = taken(towns, mover)
    theirs = towns.old.state("plan", mover.story.plan_id)
    assert len(theirs.goals) == 1
    assert came_along(towns, found.plan_id, "goals") == []
    assert len(came_along(towns, found.plan_id, "situations")) == 1
    told = mover.story.resident().handover.get_handover(
        claim=ACCESS, handover_id=handover_id, fields=["withheld_fields"]
    )
    assert not [path for path in (*found.withheld, *told.withheld_fields) if path.startswith("goals.")]
    there = towns.new.state("handover", handover_id)
    assert "goals" not in there.collections


def test_what_came_along_stands_in_the_timeline_each_element_by_itself(towns: Towns, mover: Mover) -> None:
    mover.fill(goals=2)
    _, found = taken(towns, mover)
    asked: dict[str, Any] = {
        "claim": CAME_ALONG,
        "plan_id": found.plan_id,
        "fields": ["goals.own_words", "situations.score"],
        "allow_partial": True,
    }
    worker = newcomers_worker(towns, mover)
    whole = list(worker.history.list_timeline(**asked).entries)
    assert {one.kind for one in whole} == {"plan.elements_received"}
    goals = [goal.own_words for one in whole for goal in one.change.goals]
    assert goals == ["Weer zelf koken."] * len(came_along(towns, found.plan_id, "goals"))
    assert [score.score for one in whole for score in one.change.situations] == [3]
    for size in (1, 2, 3):
        paged: list[Any] = []
        said = asked | {"page_size": size}
        while True:
            page = worker.history.list_timeline(**said)
            paged += page.entries
            if not page.next_page_token:
                break
            said["page_token"] = page.next_page_token
        assert paged == whole
