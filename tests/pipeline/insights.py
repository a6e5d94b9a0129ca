"""Residents who were helped and scored, on a shard."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import TYPE_CHECKING

from exchange.domain.insight import Question, Row
from exchange.domain.plan import DescribeSituation, RequestSupport
from exchange.domain.values import category_of
from exchange.pipeline.tabulating import Asking
from exchange.projections.follower import catch_up
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard

YEAR = NOW.year
START = date(YEAR, 2, 1)
ROW = Row("general_service", "07")
QUESTION = Question.asked(YEAR, [ROW], ["housing"])


def helped(shard: Shard, *scores: int, life_domain: str = "housing") -> tuple[str, str]:
    """Let somebody be scored, helped, and scored again; return (resident, plan id)."""
    ref, _, plan_id = shard.plan()
    support(shard, plan_id)
    for number, points in enumerate(scores):
        scored(shard, plan_id, points, START + timedelta(days=number * 10), life_domain)
    return ref, plan_id


def support(shard: Shard, plan_id: str, product_category: str = "07") -> None:
    """Choose a general service from 1 February."""
    shard.done(shard.goal(plan_id))
    goals = shard.core.loader.load(f"plan-{plan_id}").state.goals
    order = RequestSupport(
        now=NOW,
        author=shard.author(),
        support_id=str(uuid.uuid4()),
        kind=ROW.kind,
        product_category=product_category,
        start_date=START,
        goal_ids=(goals[0].goal_id,),
    )
    shard.done(shard.command(order, "plan", plan_id, anchor=f"plan-{plan_id}"))


def scored(shard: Shard, plan_id: str, points: int, day: date, life_domain: str = "housing") -> None:
    """Describe a life domain with a score."""
    order = DescribeSituation(
        now=NOW,
        author=shard.author(),
        life_domain=life_domain,
        description="zo gaat het",
        score=points,
        judge_date=day,
    )
    category = category_of(life_domain)
    shard.done(shard.command(order, "plan", plan_id, anchor=f"plan-{plan_id}", category=category))


def counted(shard: Shard, question: Question = QUESTION) -> tuple[list[int], list[int]]:
    """Return what a table would be made of, without noise."""
    catch_up(shard.core.insight, shard.core.reader, shard.core.codec)
    asking = Asking(f"{shard.oin}/beleid", NOW + timedelta(hours=1))
    found = shard.core.tables.counted(question, asking)
    return found.residents, found.steps


def handed_over(shard: Shard) -> int:
    """Return how many are in no cell because their plan went along, without noise."""
    catch_up(shard.core.insight, shard.core.reader, shard.core.codec)
    return shard.core.tables.counted(QUESTION, Asking(f"{shard.oin}/beleid", NOW)).handed_over
