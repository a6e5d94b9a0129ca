"""Insight: published tables of what moved which scores, and the privacy that a year has to spend on them.

Promises: this room only gathers; question, changes, events, state and rules each have their own.
Source: GDPR 89(1); the domain's design section 2 (P15).
"""

from typing import Final

from exchange.domain.insight.changes import Cell, Change, cell_of, changes_of
from exchange.domain.insight.corrected import Dated, corrected
from exchange.domain.insight.decide import (
    ApproveBudget,
    ProposeBudget,
    PublishTable,
    approve_budget,
    propose_budget,
    publish_table,
)
from exchange.domain.insight.events import BudgetApproved, BudgetProposed, TablePublished
from exchange.domain.insight.question import Question, Row
from exchange.domain.insight.state import InsightState, ProposedBudget, Table, approved, proposed, published
from exchange.domain.kernel import Aggregate, aggregate

INSIGHT: Final[Aggregate] = aggregate(
    "insight",
    deciders={PublishTable: publish_table, ProposeBudget: propose_budget, ApproveBudget: approve_budget},
    founders={TablePublished: published, BudgetProposed: proposed},
    evolvers={BudgetApproved: approved},
)

__all__ = [
    "INSIGHT",
    "ApproveBudget",
    "BudgetApproved",
    "BudgetProposed",
    "Cell",
    "Change",
    "Dated",
    "InsightState",
    "ProposeBudget",
    "ProposedBudget",
    "PublishTable",
    "Question",
    "Row",
    "Table",
    "TablePublished",
    "cell_of",
    "changes_of",
    "corrected",
]
