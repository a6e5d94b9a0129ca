"""LookupReviewService: lookups that nothing explains, for the privacy officer (GDPR 39).

Promises: counts come without people; names only to who asked for them, for one cell, while a second person's
yes stands; each reading is itself a recorded decision. What was drawn follows from the log and the month, and
never from who draws. The operator's officer sees every organisation, another's only his own.
Source: GDPR 5(1)(f), 24, 32, 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.lookups import (
    LOOKUPS,
    ApproveNames,
    DrawSample,
    Month,
    RecordReview,
    RequestNames,
    key_of,
)
from exchange.domain.lookups.words import OFFICER, month_fault
from exchange.domain.shape import refuse_faults
from exchange.errors import RuleBroken
from exchange.ledger.merkle import range_hash
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.pipeline.walk import Steps
from exchange.projections.lookups.counting import cells_of
from exchange.projections.lookups.rules import RULES_VERSION
from exchange.projections.lookups.sampling import (
    RATES_THOUSANDTHS,
    Anchor,
    chance_of_one,
    draw,
    seed_of,
)
from exchange.projections.obligations import moment
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names, set_time
from exchange.server.contract.officers import asked_by
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services import duties
from exchange.server.walks import ask, author_of, command, given_paths, question, receipt
from exchange.v1 import lookup_review_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from exchange.domain import Command
    from exchange.domain.lookups import LookupsState, Sample
    from exchange.pipeline.walk import CommandOutcome, ReadOutcome, View
    from exchange.projections.lookups.counting import Cell, Judged
    from exchange.server.house import Call

_NAMES_REQUEST_ID: Final = "names_request_id"
_CELLS: Final = labels_of(pb.ListLookupCellsResponse.DESCRIPTOR)
_UNEXPLAINED: Final = labels_of(pb.ListUnexplainedResponse.DESCRIPTOR)
_SAMPLE: Final = labels_of(pb.GetSampleResponse.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Unexplained:
    """One access; attributes have the names of the contract's fields."""

    decision_id: str
    decide_time: datetime
    professional: str
    resident_pseudonym: str
    indicators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """One access that was drawn; attributes have the names of the contract's fields."""

    decision_id: str
    explanation: str
    indicators: tuple[str, ...]
    outcome: str


# --- counts -----------------------------------------------------------------------------------------


async def list_lookup_cells(call: Call, request: pb.ListLookupCellsRequest) -> pb.ListLookupCellsResponse:
    """Count a month."""
    month = _month(request.month)
    outcome = await _look(call, request, _CELLS)
    found = await _judged(call, outcome, month)
    answer = pb.ListLookupCellsResponse(decision_id=outcome.decision_id)
    copies, leaves = copies_of(pb.LookupCell.DESCRIPTOR), _leaves(outcome, "cells")
    for cell in cells_of(found):
        if outcome.captured in {"", cell.organisation}:
            counted, told = _Counted(cell), answer.cells.add()
            for leaf in leaves:
                copies[leaf](counted, told)
    return answer


class _Counted:
    """One cell, with the counts of its kinds under the names of the contract's fields."""

    def __init__(self, cell: Cell) -> None:
        self.rules_version = RULES_VERSION
        self._cell = cell
        self._kinds = {f"by_{_field(name)}": count for name, count in cell.explanations}
        self._kinds |= {_field(name): count for name, count in cell.indicators}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- a word or a count
        return getattr(self._cell, name) if name in self._cell._fields else self._kinds.get(name, 0)


def _field(rule: str) -> str:
    return rule.lower().replace("-", "_")


# --- names ------------------------------------------------------------------------------------------


async def request_names(call: Call, request: pb.RequestNamesRequest) -> pb.RequestNamesResponse:
    """Ask for the names of one cell."""
    order = RequestNames(
        now=call.now,
        author=author_of(call.caller),
        names_request_id=call.house.parts.fresh_uuid(),
        of_organisation=request.of_organisation,
        of_task=request.of_task,
        month=request.month,
        reason=request.reason,
    )
    outcome = await _decide(call, request, order, {_NAMES_REQUEST_ID: order.names_request_id})
    return pb.RequestNamesResponse(receipt=receipt(outcome), names_request_id=outcome.ids[_NAMES_REQUEST_ID])


async def approve_names(call: Call, request: pb.ApproveNamesRequest) -> pb.ApproveNamesResponse:
    """Agree to it."""
    order = ApproveNames(
        now=call.now,
        author=author_of(call.caller),
        names_request_id=request.names_request_id,
        of_organisation=request.of_organisation,
        of_task=request.of_task,
        month=request.month,
    )
    outcome = await _decide(call, request, order)
    state: LookupsState = await call.house.state(_stream(request))
    asked = state.request(request.names_request_id)
    assert asked is not None, "what was approved was asked"
    assert asked.end_time is not None, "and has an end"
    answer = pb.ApproveNamesResponse(receipt=receipt(outcome))
    set_time(answer.end_time, asked.end_time)
    return answer


async def list_unexplained(call: Call, request: pb.ListUnexplainedRequest) -> pb.ListUnexplainedResponse:
    """List the names of one cell, to who may read them now."""
    month, pages = _month(request.month), call.house.pages
    start = pages.place(call.rpc, call.caller, request) or 0
    stream, who = _stream(request), (call.caller.organisation, call.caller.professional)

    def refused(view: View) -> Steps:
        state: LookupsState | None = view.state(stream)
        if state is None or state.opens(request.of_task, *who, call.now) is None:
            what = "no second person let you read these names, or not any more"
            raise RuleBroken(what, rule="NAMES_NOT_OPEN")
        return Steps(())

    outcome = await _look(call, request, _UNEXPLAINED, refused)
    cell = (request.of_organisation, request.of_task)
    found = [
        one
        for one in await _judged(call, outcome, month)
        if (one.access.organisation, one.access.task) == cell
        and not one.explained
        and (one.indicators or not request.only_indicated)
    ]
    stop = start + page_rows(request)
    answer = pb.ListUnexplainedResponse(decision_id=outcome.decision_id)
    copies, leaves = copies_of(pb.UnexplainedLookup.DESCRIPTOR), _leaves(outcome, "lookups")
    for one in found[start:stop]:
        shown, told = _unexplained(one, call.house.parts.log_pseudonym), answer.lookups.add()
        for leaf in leaves:
            copies[leaf](shown, told)
    if stop < len(found):
        answer.next_page_token = pages.token(stop, call.rpc, call.caller, request)
    return answer


def _unexplained(one: Judged, log_pseudonym: Callable[[str], str]) -> Unexplained:
    access = one.access
    return Unexplained(
        access.decision_id,
        moment(access.at),
        access.professional,
        log_pseudonym(access.resident),
        one.indicators,
    )


# --- the sample -------------------------------------------------------------------------------------


async def draw_sample(call: Call, request: pb.DrawSampleRequest) -> pb.DrawSampleResponse:
    """Draw the sample of a month."""
    month = _month(request.month)
    # For who may not draw nothing is drawn: the walk judges everybody.
    anchor = await _anchor(call, month) if call.caller.task == OFFICER else None
    population: list[str] = []
    if anchor is not None:
        look = call.house.parts.lookups.decision_ids
        population = await _run(call, look, request.of_organisation, month)
    found = anchor or Anchor("", 0, b"")
    drawn = draw(population, request.sample_size, seed_of(found, request.of_organisation, month.text))
    order = DrawSample(
        now=call.now,
        author=author_of(call.caller),
        of_organisation=request.of_organisation,
        month=month.text,
        origin=found.origin,
        size=found.size,
        root=found.root.hex(),
        population=len(population),
        decision_ids=drawn,
    )
    return pb.DrawSampleResponse(receipt=receipt(await _decide(call, request, order)))


async def _anchor(call: Call, month: Month) -> Anchor | None:
    """Return the log as it was at the first decision after a month; None while there is none."""
    parts = call.house.parts
    head, _ = await _run(call, parts.reader.head)
    await duties.followed(call, head)
    first = await _run(call, parts.lookups.first_after, month)
    if not first:
        return None
    # A signed checkpoint covers it, so that everybody is held to this root.
    proof = await parts.ledger.receipt(first - 1)
    newest = parts.ledger.newest_of(proof.origin)
    assert newest is not None, "a receipt is under a checkpoint"
    log = parts.ledger.log_of(newest)
    size = first - log.first
    root = await _run(call, range_hash, 0, size, log.tiles.hash_reader(newest.signed.checkpoint.size))
    return Anchor(log.origin, size, root)


async def get_sample(call: Call, request: pb.GetSampleRequest) -> pb.GetSampleResponse:
    """Give the sample of a month and what was found."""
    month = _month(request.month)
    outcome = await _look(call, request, _SAMPLE, lambda _view: Steps(()))
    state: LookupsState | None = await call.house.state(_stream(request))
    answer = pb.GetSampleResponse(decision_id=outcome.decision_id)
    if state is None or state.sample is None:
        return answer
    copies = copies_of(pb.LookupSample.DESCRIPTOR)
    worth = _Worth(state.sample)
    for leaf in _leaves(outcome, "sample"):
        copies[leaf](worth, answer.sample)
    known = {one.access.decision_id: one for one in await _judged(call, outcome, month)}
    copies, leaves = copies_of(pb.SampledLookup.DESCRIPTOR), _leaves(outcome, "lookups")
    for decision_id in state.sample.decision_ids:
        one = known[decision_id]
        said = state.outcomes.get(decision_id, "")
        shown, told = Sampled(decision_id, one.explanation, one.indicators, said), answer.lookups.add()
        for leaf in leaves:
            copies[leaf](shown, told)
    return answer


class _Worth:
    """A sample under the names of the contract's fields."""

    def __init__(self, sample: Sample) -> None:
        self.origin, self.size, self.root = sample.origin, sample.size, sample.root
        self.population, self.drawn = sample.population, len(sample.decision_ids)
        chances = [chance_of_one(self.population, self.drawn, rate) for rate in RATES_THOUSANDTHS]
        self.chance_one_percent, self.chance_half_percent, self.chance_one_in_thousand = chances


async def record_review(call: Call, request: pb.RecordReviewRequest) -> pb.RecordReviewResponse:
    """Record what was found."""
    order = RecordReview(
        now=call.now,
        author=author_of(call.caller),
        of_organisation=request.of_organisation,
        month=request.month,
        decision_id=request.of_decision_id,
        outcome=enum_names(pb.ReviewOutcome.DESCRIPTOR).stored(request.outcome),
    )
    return pb.RecordReviewResponse(receipt=receipt(await _decide(call, request, order)))


# --- what all of them do alike ----------------------------------------------------------------------


async def _look(
    call: Call,
    request: Any,  # noqa: ANN401 -- any question here
    labels: Mapping[str, Any],
    of_cell: Callable[[View], Steps] | None = None,
) -> ReadOutcome:
    """Walk a question; `of_cell` refuses, after the gate and before the decision, what may not be read."""
    scope = asked_by(call.caller)

    def refused(view: View) -> Steps:
        own = scope(view)
        if own not in {"", request.of_organisation}:
            what = "an officer reviews the lookups of his own organisation"
            raise RuleBroken(what, rule="OTHER_ORGANISATION")
        assert of_cell is not None, "asked of a cell only"
        return of_cell(view)

    walk = question(
        call,
        request,
        anchor="",
        labels=labels,
        groups=of_origin(labels, KEEPER_OF_THE_LOG),
        capture=scope,
        relation=False,
        beside=None if of_cell is None else refused,
    )
    streams = () if of_cell is None else (_stream(request),)
    return await ask(call, replace(walk, streams=streams))


async def _judged(call: Call, outcome: ReadOutcome, month: Month) -> list[Judged]:
    await duties.followed(call, outcome.position)
    found: list[Judged] = await _run(call, call.house.parts.lookups.judged, month)
    return found


async def _decide(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message with an organisation and a month
    order: Command,
    ids: Mapping[str, str] | None = None,
) -> CommandOutcome:
    _month(request.month)
    stream = _stream(request)

    def process(view: View) -> Steps:
        return Steps(((stream, LOOKUPS.decide(order, view.state(stream))),), ids or {})

    return await command(call, request, anchor="", process=process, streams=(stream,), relation=False)


async def _run(call: Call, work: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 -- whatever it does
    return await asyncio.get_running_loop().run_in_executor(call.house.pool, work, *given)


def _stream(request: Any) -> str:  # noqa: ANN401 -- a message with an organisation and a month
    return stream_of(LOOKUPS.name, key_of(request.of_organisation, request.month))


def _month(text: str) -> Month:
    """Return the month that was asked. Raises RequestInvalid."""
    refuse_faults({"month": month_fault(text)})
    month = Month.told(text)
    assert month is not None, "checked above"
    return month


def _leaves(outcome: ReadOutcome, of: str) -> list[str]:
    """Return which leaves of one part of the answer may leave."""
    parts = (path.partition(".") for path in given_paths(outcome))
    return [leaf for name, _, leaf in parts if name == of]


RPCS: Final[Mapping[str, Unary]] = {
    "ListLookupCells": Unary(pb.ListLookupCellsRequest, list_lookup_cells),
    "RequestNames": Unary(pb.RequestNamesRequest, request_names),
    "ApproveNames": Unary(pb.ApproveNamesRequest, approve_names),
    "ListUnexplained": Unary(pb.ListUnexplainedRequest, list_unexplained),
    "DrawSample": Unary(pb.DrawSampleRequest, draw_sample),
    "GetSample": Unary(pb.GetSampleRequest, get_sample),
    "RecordReview": Unary(pb.RecordReviewRequest, record_review),
}
