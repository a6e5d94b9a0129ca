"""What may happen in a year of published tables.

Promises: what is asked again is answered by the table that was published, and spends nothing; what a year
spends never passes its total; a total changes by two persons, and never below what is spent.
Source: Dwork and Roth 2014, section 3.5 (composition); GDPR 25, 89(1).
"""

from dataclasses import dataclass
from typing import Final

from exchange.domain.insight.cells import FEW
from exchange.domain.insight.events import BudgetApproved, BudgetProposed, TablePublished
from exchange.domain.insight.question import Question, question_faults
from exchange.domain.insight.state import InsightState
from exchange.domain.kernel import AuthoredCommand, Events
from exchange.domain.shape import (
    YEAR_MAX,
    YEAR_MIN,
    person_key,
    range_fault,
    refuse_faults,
    text_fault,
    token_fault,
)
from exchange.domain.values import Author
from exchange.errors import RuleBroken

POLICY_TASK: Final = "beleid"
# The privacy officer may agree to a total; he never asks for one (GDPR 38(6)).
APPROVING_TASKS: Final = frozenset({POLICY_TASK, "fg"})
SPENT_THOUSANDTHS_MIN: Final = 50
# What a year has unless two persons decided otherwise; settings can make it less and never more.
TOTAL_THOUSANDTHS_DEFAULT: Final = 1_000
# Beyond this a table hides nobody any more: one resident may be e^4 times as likely there as not.
TOTAL_THOUSANDTHS_MAX: Final = 4_000
TABLES_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishTable(AuthoredCommand):
    """Publish a table made from the events up to `as_of`; its cells have their noise already."""

    table_id: str
    question: Question
    cells: tuple[str, ...]
    spend_thousandths: int
    total_thousandths: int  # of a year that has none of its own yet
    as_of: int
    handed_over: str = FEW


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeBudget(AuthoredCommand):
    """Propose another total for a year."""

    year: int
    total_thousandths: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveBudget(AuthoredCommand):
    """Approve the total that waits; it must still be this one."""

    year: int
    total_thousandths: int


def publish_table(command: PublishTable, state: InsightState | None) -> Events:
    """Decide on a table; none is published twice."""
    _refuse_others(command.author, frozenset({POLICY_TASK}))
    question = command.question
    refuse_faults(
        {
            **question_faults(question, command.now.year),
            "table_id": token_fault(command.table_id),
            "spend_thousandths": range_fault(
                command.spend_thousandths, SPENT_THOUSANDTHS_MIN, TOTAL_THOUSANDTHS_MAX
            ),
        }
    )
    known = state or InsightState(question.year)
    if known.table(question.name) is not None:
        return ()
    total = known.total_thousandths or command.total_thousandths
    left = total - known.spent_thousandths
    if command.spend_thousandths > left:
        raise RuleBroken(
            "this year has not so much privacy left to spend on tables",
            rule="BUDGET_EXHAUSTED",
            left_thousandths=str(left),
        )
    if len(known.tables) >= TABLES_MAX:
        raise RuleBroken("this year has the most tables it can have", rule="TABLES_FULL")
    assert len(command.cells) == len(question.cells()), "a table was made for who may publish it"
    event = TablePublished(
        year=question.year,
        table_id=command.table_id,
        question=question.name,
        cells=command.cells,
        handed_over=command.handed_over,
        spent_thousandths=command.spend_thousandths,
        total_thousandths=total,
        as_of=command.as_of,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (event,)


def propose_budget(command: ProposeBudget, state: InsightState | None) -> Events:
    """Decide on a total that one person wants."""
    _refuse_others(command.author, frozenset({POLICY_TASK}))
    refuse_faults(
        {
            "year": range_fault(command.year, YEAR_MIN, YEAR_MAX),
            "total_thousandths": range_fault(
                command.total_thousandths, SPENT_THOUSANDTHS_MIN, TOTAL_THOUSANDTHS_MAX
            ),
            "reason": text_fault(command.reason),
        }
    )
    if state is not None and command.total_thousandths < state.spent_thousandths:
        raise RuleBroken("more than that is spent already", rule="BUDGET_SPENT")
    event = BudgetProposed(
        year=command.year,
        total_thousandths=command.total_thousandths,
        reason=command.reason,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (event,)


def approve_budget(command: ApproveBudget, state: InsightState | None) -> Events:
    """Decide on the second person's yes."""
    _refuse_others(command.author, APPROVING_TASKS)
    waits = None if state is None else state.proposal
    if state is None or waits is None or waits.total_thousandths != command.total_thousandths:
        raise RuleBroken("no such total waits for a second person", rule="NO_SUCH_BUDGET")
    if person_key(waits.proposer) == person_key(command.author.professional):
        raise RuleBroken("who proposed it does not approve it: somebody else does", rule="SAME_PERSON")
    if command.total_thousandths < state.spent_thousandths:
        # A table may have been published since it was proposed.
        raise RuleBroken("more than that is spent already", rule="BUDGET_SPENT")
    event = BudgetApproved(
        year=state.year,
        total_thousandths=command.total_thousandths,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (event,)


def _refuse_others(author: Author, tasks: frozenset[str]) -> None:
    if author.task not in tasks:
        raise RuleBroken("this task does not decide about published tables", rule="NOT_TO_PUBLISH")
    if not author.operator:
        raise RuleBroken("only the municipality of this exchange publishes tables", rule="NOT_THE_OPERATOR")
