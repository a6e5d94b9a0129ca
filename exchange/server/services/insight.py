"""InsightService: published tables of what moved which scores, and the privacy a year has to spend on them.

Promises: a table is made outside the event loop and outside the walk; it becomes one where the walk says so,
in order with every other: of two who ask the same at once, the second gets the first one's table. No answer
holds a number without noise.
Source: GDPR 89(1); exchange/decisions/0064-published-tables.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.insight import (
    INSIGHT,
    ApproveBudget,
    InsightState,
    ProposeBudget,
    PublishTable,
    Question,
    Row,
)
from exchange.domain.insight.cells import residents_error, shown_from, told_cell, told_handed_over
from exchange.domain.insight.decide import POLICY_TASK
from exchange.domain.insight.question import question_faults
from exchange.domain.shape import refuse_faults
from exchange.domain.values import DataCategory, category_of
from exchange.pipeline.tabulating import Asking, Made
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.server.contract.names import enum_names, set_time, stored_words
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.walks import ask, author_of, claim_of, command, receipt
from exchange.v1 import insight_service_pb2 as pb
from exchange.v1.common_pb2 import LifeDomain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain import Command
    from exchange.domain.insight import Table
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

_TABLE_ID: Final = "table_id"


async def publish_table(call: Call, request: pb.PublishTableRequest) -> pb.PublishTableResponse:
    """Publish a table, or give the one that was."""
    question = Question.asked(
        request.year, map(Row.named, request.rows), stored_words(LifeDomain.DESCRIPTOR, request.life_domains)
    )
    refuse_faults(question_faults(question, call.now.year))
    stream = stream_of(INSIGHT.name, str(question.year))
    made = await _made(call, stream, question, request.spend_thousandths)
    order = PublishTable(
        now=call.now,
        author=author_of(call.caller),
        table_id=call.house.parts.fresh_uuid(),
        question=question,
        cells=made.cells,
        spend_thousandths=request.spend_thousandths,
        total_thousandths=call.house.config.insight_total_thousandths,
        as_of=made.as_of,
        handed_over=made.handed_over,
    )

    def process(view: View) -> Steps:
        before: InsightState | None = view.state(stream)
        events = INSIGHT.decide(order, before)
        # Asked before: the table that was published is the answer, and what was made for this one is thrown
        # away.
        known = None if before is None else before.table(question.name)
        return Steps(((stream, events),), {_TABLE_ID: order.table_id if known is None else known.table_id})

    fields = (("supports.kind", DataCategory.WMO_PLAN.value), *_scores_of(question))
    outcome = await command(
        call, request, anchor="", process=process, streams=(stream,), relation=False, fields=fields
    )
    state = await call.house.state_behind(stream)
    table = next(one for one in state.tables if one.table_id == outcome.ids[_TABLE_ID])
    return pb.PublishTableResponse(
        receipt=receipt(outcome),
        table=_table(question.year, table),
        budget=_budget(call, question.year, state),
    )


async def _made(call: Call, stream: str, question: Question, spend_thousandths: int) -> Made:
    """Make the table, for who may publish one and where there is none: the walk judges everybody.

    What is made is noise until it is published, and is never seen where it is not.
    """
    state = await call.house.state(stream)
    known = state is not None and state.table(question.name) is not None
    if known or call.caller.task != POLICY_TASK or not call.caller.operator:
        return Made((), 0)
    asking = Asking(call.caller.recipient_id, call.now)
    make = call.house.parts.tables.make
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(call.house.pool, make, question, spend_thousandths, asking)


def _scores_of(question: Question) -> tuple[tuple[str, str], ...]:
    """Return what the table is made of, for the gate: a basis that lacks one category refuses the whole."""
    return tuple((f"situations.score[{domain}]", category_of(domain)) for domain in question.life_domains)


async def list_tables(call: Call, request: pb.ListTablesRequest) -> pb.ListTablesResponse:
    """List the tables of a year, in the order they were published."""
    pages = call.house.pages
    start = pages.place(call.rpc, call.caller, request) or 0
    stream = stream_of(INSIGHT.name, str(request.year))

    def capture(view: View) -> Any:  # noqa: ANN401 -- InsightState, or None
        return view.state(stream)

    walk = ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor="",
        fields=(),
        groups=lambda _view, _paths: (),
        capture=capture,
        relation=False,
        streams=(stream,),
        trace=call.trace,
    )
    outcome = await ask(call, walk)
    state = outcome.captured or InsightState(request.year)
    stop = start + page_rows(request)
    answer = pb.ListTablesResponse(
        tables=[_table(request.year, one) for one in state.tables[start:stop]],
        budget=_budget(call, request.year, state),
        decision_id=outcome.decision_id,
    )
    if stop < len(state.tables):
        answer.next_page_token = pages.token(stop, call.rpc, call.caller, request)
    return answer


async def propose_budget(call: Call, request: pb.ProposeBudgetRequest) -> pb.ProposeBudgetResponse:
    """Propose another total."""
    order = ProposeBudget(
        now=call.now,
        author=author_of(call.caller),
        year=request.year,
        total_thousandths=request.total_thousandths,
        reason=request.reason,
    )
    return pb.ProposeBudgetResponse(receipt=receipt(await _decide(call, request, order)))


async def approve_budget(call: Call, request: pb.ApproveBudgetRequest) -> pb.ApproveBudgetResponse:
    """Approve it."""
    order = ApproveBudget(
        now=call.now,
        author=author_of(call.caller),
        year=request.year,
        total_thousandths=request.total_thousandths,
    )
    return pb.ApproveBudgetResponse(receipt=receipt(await _decide(call, request, order)))


async def _decide(call: Call, request: Any, order: Command) -> CommandOutcome:  # noqa: ANN401 -- a message with a year
    stream = stream_of(INSIGHT.name, str(request.year))

    def process(view: View) -> Steps:
        return Steps(((stream, INSIGHT.decide(order, view.state(stream))),))

    return await command(call, request, anchor="", process=process, streams=(stream,), relation=False)


def _table(year: int, table: Table) -> pb.PublishedTable:
    told = pb.PublishedTable(
        table_id=table.table_id,
        year=year,
        spent_thousandths=table.spent_thousandths,
        residents_error=residents_error(table.spent_thousandths),
        shown_from=shown_from(table.spent_thousandths),
    )
    set_time(told.publish_time, table.published_at)
    handed_over = told_handed_over(table.handed_over)
    if handed_over is not None:
        told.handed_over_told, told.handed_over = True, handed_over
    for recorded in table.cells:
        cell = told_cell(recorded)
        added = told.cells.add(
            row=cell.row.name,
            life_domain=enum_names(LifeDomain.DESCRIPTOR).number(cell.life_domain),
            suppressed=cell.residents is None,
        )
        if cell.residents is not None and cell.mean is not None:
            added.residents, added.mean_change = cell.residents, cell.mean
    return told


def _budget(call: Call, year: int, state: InsightState) -> pb.PrivacyBudget:
    return pb.PrivacyBudget(
        year=year,
        total_thousandths=state.total_thousandths or call.house.config.insight_total_thousandths,
        spent_thousandths=state.spent_thousandths,
        proposed_thousandths=0 if state.proposal is None else state.proposal.total_thousandths,
        proposed_reason="" if state.proposal is None else state.proposal.reason,
    )


RPCS: Final[Mapping[str, Unary]] = {
    "PublishTable": Unary(pb.PublishTableRequest, publish_table),
    "ListTables": Unary(pb.ListTablesRequest, list_tables),
    "ProposeBudget": Unary(pb.ProposeBudgetRequest, propose_budget),
    "ApproveBudget": Unary(pb.ApproveBudgetRequest, approve_budget),
}
