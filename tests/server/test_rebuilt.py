"""Every view of a plan folded anew is the same bytes: the plan, its past, its timeline, the mirror.

The fifth, what insight counts, is a read model: `tests/projections/test_insight.py`. Source: GDPR 5(1)(d).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import ACCESS, Town
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient

LEAVES = sorted(PLAN_LABELS)
OF_ELEMENTS = [path for path in LEAVES if "." in path]
MIRROR = sorted(field.name for field in plan_pb2.PracticeCheck.DESCRIPTOR.fields)


def worked_on(desks: Desks) -> list[Any]:
    """Let most of what can happen to a plan happen; return two moments of it."""
    goal_id = desks.story.goal()
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.does(
        desks.team,
        "record_conversation",
        kind=plan_pb2.CONVERSATION_KIND_FIRST,
        hold_date=A_DAY,
        outcome=plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
        summary="Wil thuis blijven wonen.",
    )
    support_id = desks.choose(goal_id)
    desks.look(desks.team, pb.LAW_WMO_2015)
    then = desks.does(desks.team, "plan_evaluation", plan_date="2099-01-01").receipt.record_time
    desks.agree()
    desks.assign(support_id)
    desks.does(
        desks.team,
        "set_funding",
        support_id=support_id,
        cost_cents=10_000,
        sources=[plan_pb2.FUNDING_SOURCE_WMO_2015, plan_pb2.FUNDING_SOURCE_OTHER],
        amounts_cents=[6_000, 4_000],
        start_date="2027-01-01",
        end_date="2027-06-30",
    )
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL, score=4)
    reached = {"state": plan_pb2.GOAL_STATE_REACHED, "state_date": A_DAY}
    last = desks.does(desks.team, "mark_goal", goal_id=goal_id, **reached).receipt.record_time
    return [then, last]


def views(client: ExchangeClient, plan_id: str, moments: list[Any]) -> dict[str, bytes]:
    """Return the bytes of each view, but for the decision each answer names."""
    asked: dict[str, Any] = {"claim": ACCESS, "plan_id": plan_id}
    found: dict[str, Any] = {
        "plan": client.plan.get_plan(**asked, fields=LEAVES, allow_partial=True, with_part_versions=True),
        "mirror": client.plan.get_practice_check(**asked, fields=MIRROR),
        "timeline": client.history.list_timeline(
            **asked, fields=OF_ELEMENTS, allow_partial=True, page_size=200
        ),
    }
    for name, at in zip(("then", "last"), moments, strict=True):
        found[f"as of {name}"] = client.history.get_plan_as_of(
            **asked, as_of_time=at, fields=OF_ELEMENTS, allow_partial=True
        )
    for answer in found.values():
        answer.ClearField("decision_id")
    return {name: answer.SerializeToString(deterministic=True) for name, answer in found.items()}


@pytest.mark.slow
def test_every_view_of_a_plan_made_anew_has_the_same_bytes(tmp_path: Path) -> None:
    with (tmp_path / "exchange.log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        try:
            desks = Desks(town)
            moments = worked_on(desks)
            followed = views(desks.resident, desks.story.plan_id, moments)
        finally:
            town.close()
        again = Town(tmp_path, open_log(stream=lines))
        again.start()
        try:
            who = Person("burger-1", "betrokkene", "inwoner", resident=desks.story.pseudonym)
            anew = views(again.client(who), desks.story.plan_id, moments)
        finally:
            again.close()
    assert anew == followed
    assert len(set(followed.values())) == len(followed)
    assert b"Weer zelf koken." in followed["plan"]
    # Two moments of one plan, and both say something.
    assert len(followed["as of then"]) < len(followed["as of last"])
