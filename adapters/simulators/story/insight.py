"""What a town may learn of all its plans: a table with noise, paid from a budget that runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.simulators.story.stage import NECESSITY, StoryBroken
from exchange.v1.common_pb2 import LifeDomain, Purpose

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling
    from exchange.v1.insight_service_pb2 import PublishTableResponse

STATISTICS: Final = claim(Purpose.PURPOSE_STATISTIEK, "STAT-89", NECESSITY)
DOMAINS: Final = [LifeDomain.LIFE_DOMAIN_SOCIAL_NETWORK, LifeDomain.LIFE_DOMAIN_MENTAL_HEALTH]
SPEND: Final = 400
TOO_DEAR: Final = 700


def what_helps(told: Telling, plan: Plan) -> None:
    """Ask twice, then for more than the year has left."""
    told.chapter("What helps, without anybody in it")
    policy = plan.municipality.as_("beleid-1", "beleid", "beleid")

    def publish(row: str, spend: int) -> PublishTableResponse:
        return policy.insight.publish_table(
            claim=STATISTICS,
            year=plan.script.today.year,
            rows=[row],
            life_domains=DOMAINS,
            spend_thousandths=spend,
        )

    first, again = publish("custom/02", SPEND), publish("custom/02", SPEND)
    told.keep(plan.municipality, first)
    if again.table != first.table or again.budget != first.budget:
        raise StoryBroken("the same question got another table, or cost something")
    hidden = sum(cell.suppressed for cell in first.table.cells)
    if hidden != len(first.table.cells):
        raise StoryBroken("a cell of one resident showed")
    told.step(
        "table",
        f"Does guidance help? Of {len(first.table.cells)} cells {hidden} stay empty: with so few residents a "
        "table would tell of one of them. That is the point.",
        "TOLD",
    )
    budget = again.budget
    told.step(
        "table-again",
        "The same question again gives the same table and costs nothing: spent "
        f"{budget.spent_thousandths} of {budget.total_thousandths}.",
        "TOLD",
    )
    told.broken(
        "too-dear",
        "Another table, for more than the year has left: not unless two people give the year more.",
        lambda: publish("own_network", TOO_DEAR),
        "RULE_BROKEN",
        rule="BUDGET_EXHAUSTED",
    )
