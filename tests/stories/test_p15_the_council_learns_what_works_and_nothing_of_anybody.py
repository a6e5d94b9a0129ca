"""P15, what a council notices: it reads which help moved which score, and nothing about any resident.

Source: Movisie, "Samen sturen op doen wat werkt"; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.story import Story
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

STATISTICS = claim(pb.PURPOSE_STATISTIEK, "STAT-89", "om te weten welke hulp werkt")
READ = claim(pb.PURPOSE_STATISTIEK, "STAT-READ-89")
BUDGET = claim(pb.PURPOSE_STATISTIEK, "STAT-BUDGET-89")
YEAR = 2025
# With all a year can have, a cell is shown from thirteen: the many are, and the few are not.
TOTAL = 4_000
MANY, FEW = 26, 2
WALKING, COOKING = "general_service/07", "general_service/08"
FOLLOWED_WITHIN_S = 10
COME_NEARER = 2
# The noise is drawn anew by each run. What is told of it holds nineteen times in twenty; eight times as much,
# but for once in thirty million.
ERRORS_MAX = 8


def helped(town: Town, category: str) -> int:
    """Let somebody be scored, helped and scored again; return the position of the last."""
    story = Story(town, next(town.bsns))
    goal_id = story.goal()

    def does(command: str, **fields: Any) -> Any:  # noqa: ANN401 -- fields and answer of any command
        answer = getattr(story.wmo.plan, command)(
            claim=INVESTIGATE, plan_id=story.plan_id, expected_version=story.version, **fields
        )
        story.version = answer.version
        return answer

    does(
        "request_support",
        kind=plan_pb2.SUPPORT_KIND_GENERAL_SERVICE,
        product_category=category,
        start_date=f"{YEAR}-02-01",
        goal_ids=[goal_id],
    )
    for score, day in ((2, "01-15"), (2 + COME_NEARER, "06-01")):
        told = does(
            "describe_situation",
            life_domain=pb.LIFE_DOMAIN_SOCIAL_NETWORK,
            description="Zo gaat het met de buren.",
            score=score,
            judge_date=f"{YEAR}-{day}",
        )
    position: int = told.receipt.position
    return position


@pytest.fixture(scope="module")
def council(town: Town) -> ExchangeClient:
    """Return the council's policy officer, in a year with many who were helped one way, and few another."""
    positions = [helped(town, "07") for _ in range(MANY)] + [helped(town, "08") for _ in range(FEW)]
    assert town.following.followed(max(positions), FOLLOWED_WITHIN_S)
    officer = town.worker("beleid", "beleid-1")
    officer.insight.propose_budget(claim=BUDGET, year=YEAR, total_thousandths=TOTAL, reason="Raadsvragen.")
    town.worker("fg", "fg-1").insight.approve_budget(claim=BUDGET, year=YEAR, total_thousandths=TOTAL)
    return officer


def asked(council: ExchangeClient, spend: int = TOTAL, *rows: str) -> Any:  # noqa: ANN401 -- PublishTableResponse
    return council.insight.publish_table(
        claim=STATISTICS,
        year=YEAR,
        rows=list(rows or (WALKING, COOKING)),
        life_domains=[pb.LIFE_DOMAIN_SOCIAL_NETWORK],
        spend_thousandths=spend,
    )


def test_the_council_sees_what_moved_a_score_where_many_were_helped_and_nothing_where_few_were(
    council: ExchangeClient, town: Town
) -> None:
    published = asked(council)
    cells = {cell.row: cell for cell in published.table.cells}
    many, few = cells[WALKING], cells[COOKING]
    assert abs(many.residents - MANY) <= published.table.residents_error * ERRORS_MAX
    assert COME_NEARER / 2 < many.mean_change <= COME_NEARER
    assert few.suppressed
    assert (few.residents, few.mean_change) == (0, 0.0)
    # Who asks again gets the same noise, so that asking often tells no more.
    assert asked(town.worker("beleid", "beleid-2")).table == published.table
    # Nor does asking otherwise: a year has only so much privacy to spend, and this one has none left.
    with pytest.raises(errors.RuleBroken) as refused:
        asked(council, 50, COOKING)
    assert refused.value.rule == "BUDGET_EXHAUSTED"
    # The council itself reads what was published.
    listed = town.worker("college:WMO").insight.list_tables(claim=READ, year=YEAR)
    assert list(listed.tables) == [published.table]


def test_who_makes_policy_reads_no_plan(council: ExchangeClient, town: Town) -> None:
    story = Story(town, next(town.bsns))
    story.goal()
    for why in (READ, STATISTICS, INVESTIGATE):
        with pytest.raises(errors.Denied):
            council.plan.get_plan(claim=why, plan_id=story.plan_id, fields=["goals.own_words"])
