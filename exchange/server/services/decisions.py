"""Decisions found by what they have in common, counted, one whole, and whose they are: for the officer.

Promises: the gate was asked before the read model is looked at; a page, a count and a decision are of what
was decided before the very question; another organisation's officer finds and counts what his own one asked.
The read model says where to look: what is told is read from the events. Whoever is looked up by his pseudonym
is told of it in his own list.
Source: GDPR 5(2), 15, 39(1)(b); ADR 130 (kinds of decisions), ADR 132 (from a resident to the log).
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.errors import RequestInvalid
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, OTHER_ORGANISATION, of_origin
from exchange.projections import facets
from exchange.projections.facets import Span
from exchange.projections.kinds import Facet
from exchange.server.contract.copies import copies_of
from exchange.server.contract.decisions import TOPIC, Decision, DecisionReader
from exchange.server.contract.filters import wanted_of
from exchange.server.contract.informing import as_arrived
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import day_text, enum_names
from exchange.server.contract.officers import OFFICER, asked_by
from exchange.server.contract.pages import page_rows
from exchange.server.contract.whole_decisions import Whole, whole_of
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed, listed
from exchange.server.services.replay import copy_part
from exchange.server.walks import claim_of, given_paths, read
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from exchange.pipeline.walk import ReadOutcome
    from exchange.projections.facets import Counts, Wanted
    from exchange.server.house import Call
    from exchange.server.parts import Parts

_LIST: Final = labels_of(pb.ListDecisionsResponse.DESCRIPTOR)
_FACETS: Final = labels_of(pb.FacetDecisionsResponse.DESCRIPTOR)
_WHOLE: Final = labels_of(pb.GetDecisionResponse.DESCRIPTOR)
_FOUND: Final = labels_of(pb.FindLogPseudonymResponse.DESCRIPTOR)
VALUES_MAX: Final = 200
EPOCH: Final = date(1970, 1, 1)


class _Count(NamedTuple):
    """One line of the counts; attributes have the names of the contract's fields."""

    facet: str
    value: str
    decisions: int


class _Day(NamedTuple):
    """One day; attributes have the names of the contract's fields."""

    day: str
    decisions: int
    refused: int


class _Found(NamedTuple):
    """A decision and all that is told of it."""

    decision: Decision
    whole: Whole


async def list_filtered(call: Call, request: pb.ListDecisionsRequest) -> pb.ListDecisionsResponse:
    """List decisions of a filter, in either order."""
    parts, caller = call.house.parts, call.caller
    place = call.house.pages.place(call.rpc, caller, request)
    wanted, size = wanted_of(request.filter, request.outcomes), page_rows(request)
    outcome = await _ask(call, request, _LIST)
    span = _span(outcome.position, place, newest_first=request.newest_first)
    look = partial(_page, parts, wanted._replace(asked_by=outcome.captured), span, size)
    rows, last, more = await _in_pool(call, look)
    answer = pb.ListDecisionsResponse(decision_id=outcome.decision_id)
    copies = copies_of(pb.AuditedDecision.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for row in rows:
        told = answer.decisions.add()
        for leaf in leaves:
            copies[leaf](row, told)
    if more:
        answer.next_page_token = call.house.pages.token(last, call.rpc, caller, request)
    return answer


async def facet_decisions(call: Call, request: pb.FacetDecisionsRequest) -> pb.FacetDecisionsResponse:
    """Count decisions of a filter."""
    wanted = wanted_of(request.filter)
    outcome = await _ask(call, request, _FACETS)
    wanted = wanted._replace(asked_by=outcome.captured)
    look = partial(facets.counts, call.house.parts.decisions.database, wanted, outcome.position)
    found = await _in_pool(call, look)
    answer = pb.FacetDecisionsResponse(decision_id=outcome.decision_id)
    paths = given_paths(outcome)
    if "total" in paths:
        answer.total = found.total
    if any(path.startswith("counts.") for path in paths):
        for count in _lines(found):
            copy_part(outcome, "counts", count, answer.counts.add())
    if any(path.startswith("days.") for path in paths):
        for day in await _in_pool(call, partial(_days, call.house.parts, wanted, outcome.position)):
            copy_part(outcome, "days", day, answer.days.add())
    return answer


async def get_decision(call: Call, request: pb.GetDecisionRequest) -> pb.GetDecisionResponse:
    """Give one decision whole; nothing of one that others asked, or that is not there."""
    parts = call.house.parts
    outcome = await _ask(call, request, _WHOLE)
    find = partial(_find, parts, request.of_decision_id, outcome.position, outcome.captured)
    found = await _in_pool(call, find)
    answer = pb.GetDecisionResponse(decision_id=outcome.decision_id)
    if found is None:
        return answer
    copy_part(outcome, "decision", found.decision, answer.decision)
    copy_part(outcome, "judged_basis", found.whole.judged_basis, answer.judged_basis)
    duties = await _in_pool(call, partial(parts.obligations.of_decision, request.of_decision_id))
    lists: tuple[tuple[str, Sequence[object], Any], ...] = (
        ("rules", found.whole.rules, answer.rules),
        ("judged_fields", found.whole.fields, answer.judged_fields),
        ("obligations", [listed(one, call.now, parts.log_pseudonym) for one in duties], answer.obligations),
    )
    paths = given_paths(outcome)
    for name, sources, targets in lists:
        if any(path.startswith(f"{name}.") for path in paths):
            for source in sources:
                copy_part(outcome, name, source, targets.add())
    return answer


async def find_log_pseudonym(call: Call, request: pb.FindLogPseudonymRequest) -> pb.FindLogPseudonymResponse:
    """Give the log's pseudonym of a resident whom the operator's officer knows by his own organisation's."""
    caller = call.caller
    if not claim_of(request.claim).necessity.strip():
        raise RequestInvalid(
            "a resident is looked up for a reason",
            fields={"claim.necessity.text": "must say why, such as the request that is answered"},
        )
    resident = await call.house.residents.find(caller.organisation, request.resident)
    own = caller.operator and caller.task == OFFICER
    outcome = await read(
        call,
        request,
        anchor=stream_of("resident", resident),
        labels=_FOUND,
        groups=of_origin(_FOUND, KEEPER_OF_THE_LOG if own else OTHER_ORGANISATION),
        capture=lambda _view: None,
    )
    answer = pb.FindLogPseudonymResponse(decision_id=outcome.decision_id)
    if given_paths(outcome):
        answer.resident_pseudonym = call.house.parts.log_pseudonym(resident)
    return answer


async def _ask(call: Call, request: Any, labels: Mapping[str, Any]) -> ReadOutcome:  # noqa: ANN401 -- one of three questions
    """Ask the gate, then wait until the read models hold all that came before the question."""
    outcome = await read(
        call,
        request,
        anchor="",
        labels=labels,
        groups=of_origin(labels, KEEPER_OF_THE_LOG),
        capture=asked_by(call.caller),
    )
    await followed(call, outcome.position)
    return outcome


async def _in_pool(call: Call, look: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever the look gives
    return await asyncio.get_running_loop().run_in_executor(call.house.pool, look)


def _span(position: int, place: int | None, *, newest_first: bool) -> Span:
    """Return where the page lies: before the question, and behind the last row of the page before."""
    if place is None:
        return Span(end=position, newest_first=newest_first)
    if newest_first:
        return Span(end=min(place, position), newest_first=True)
    return Span(first=place + 1, end=position)


def _page(parts: Parts, wanted: Wanted, span: Span, size: int) -> tuple[list[Decision], int, bool]:
    """Return the rows of a page, the position it goes up to, and whether there are more behind it.

    Where the read model names an event that is no decision, the page is not full.
    """
    positions = facets.page(parts.decisions.database, wanted, span, size + 1)
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    found = {row.position: row for row in parts.reader.rows_at(positions[:size]) if row.topic == TOPIC}
    rows = [reader.for_officer(found[position]) for position in positions[:size] if position in found]
    aborted = parts.obligations.aborted([row.decision_id for row in rows])
    told = [as_arrived(row, aborted.get(row.decision_id)) for row in rows]
    return told, positions[size - 1] if len(positions) > size else 0, len(positions) > size


def _find(parts: Parts, decision_id: str, before: int, organisation: str) -> _Found | None:
    """Return one decision taken before a position, and asked by an organisation where one is named."""
    position = facets.position_of(parts.decisions.database, decision_id)
    rows = parts.reader.rows_at([position]) if 0 < position < before else []
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    for row in rows:
        if row.topic != TOPIC:
            continue
        event = reader.event(row)
        if event.decision_id == decision_id and organisation in {"", event.organisation}:
            (leaf,) = parts.reader.leaf_entries(row.position - 1, row.position)
            register = parts.register.at(event.facts_position)
            whole = whole_of(event, register, row.position, leaf.decode("ascii"))
            aborted = parts.obligations.aborted([decision_id]).get(decision_id)
            return _Found(as_arrived(reader.for_officer(row), aborted), whole)
    return None


def _lines(found: Counts) -> Iterator[_Count]:
    """Yield the counts facet by facet, the most first; what is beyond the most common values, as one."""
    for facet in Facet:
        counted = found.facets[facet]
        ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
        for value, count in islice(ordered, VALUES_MAX):
            yield _Count(facet, _purpose(value) if facet is Facet.PURPOSE else value, count)
        rest = sum(count for _, count in ordered[VALUES_MAX:])
        if rest:
            yield _Count(facet, "", rest)


def _days(parts: Parts, wanted: Wanted, position: int) -> list[_Day]:
    """Return the days that have decisions, oldest first; a refusal is counted in both numbers."""
    found = facets.by_day(parts.decisions.database, wanted, position)
    return [_Day(day_text(EPOCH + timedelta(days=day)), *counts) for day, counts in found.items()]


def _purpose(stored: str) -> str:
    """Return a purpose by its name in the contract; a word that this version does not know as it is."""
    number = enum_names(Purpose.DESCRIPTOR).number(stored)
    return Purpose.DESCRIPTOR.values_by_number[number].name if number else stored


RPCS: Final[Mapping[str, Unary]] = {
    "FacetDecisions": Unary(pb.FacetDecisionsRequest, facet_decisions),
    "GetDecision": Unary(pb.GetDecisionRequest, get_decision),
    "FindLogPseudonym": Unary(pb.FindLogPseudonymRequest, find_log_pseudonym),
}
