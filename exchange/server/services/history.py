"""HistoryService: a plan as it was known, what happened to it, and what differs between two moments.

Promises: every right is of now, what is told is of then, and what was corrected since is told right; an
element appears only if at least one of its fields is released, and an entry only with such an element. The
past is looked up only for who could be told of it, so that no time it takes tells a stranger that there is a
plan.
Source: GDPR 5(1)(c), 16, 17; the domain's design section 2 (P7).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from exchange.domain import stream_of
from exchange.domain.limits.compartments import NOTHING_KEPT
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.received import ElementsReceived, brought_by
from exchange.domain.plan.seen import is_of
from exchange.domain.relations import relation_of
from exchange.errors import RequestInvalid, Unavailable
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.past_plans import NOT_FOLDED, Past, Rectifying
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.telling import is_refused_of_anybody
from exchange.server.contract.changed import CHANGED, VERSION_SUFFIX, Changed, changed_element, paths_of
from exchange.server.contract.names import moment, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.contract.pasts import (
    Difference,
    Happened,
    Page,
    Whole,
    corrected_later,
    entry_of,
    page_of,
)
from exchange.server.contract.plans import PLAN_LABELS, build_plan
from exchange.server.interceptor import Unary
from exchange.server.walks import ask, question
from exchange.v1 import history_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from exchange.domain.limits.compartments import Kept
    from exchange.pipeline.past_plans import Step
    from exchange.pipeline.walk import ReadOutcome, ReadWalk, View
    from exchange.server.house import Call

EVENTS_PER_LOOK: Final = 256
# More than there is room for in one event.
PARTS_OF_AN_EVENT_MAX: Final = 1 << 20
# The version counts what was written, seen or not: told for any moment it would tell when.
LABELS: Final = MappingProxyType({path: label for path, label in PLAN_LABELS.items() if path != "version"})
_NOT_YET: Final = "must not lie in the future: nothing is known of it yet"

_Answer = TypeVar("_Answer", pb.GetPlanAsOfResponse, pb.ListTimelineResponse, pb.GetPlanDifferenceResponse)
_Told = TypeVar("_Told", Whole, Page, Difference)


async def get_plan_as_of(call: Call, request: pb.GetPlanAsOfRequest) -> pb.GetPlanAsOfResponse:
    """Read listed fields of a plan as it was known at a moment."""
    at = moment(request.as_of_time)
    _refuse_future(call, as_of_time=at)
    past, look = call.house.parts.past, _Look(call, request)
    outcome, told = await look.judged(lambda: past.as_of(look.stream, at), Whole.of)
    answer = pb.GetPlanAsOfResponse(plan=build_plan(told.plan, outcome.groups, outcome.released))
    answer.corrected_later.extend(corrected_later(told.plan, outcome, look.rectifying))
    return _finished(answer, outcome)


async def get_plan_difference(
    call: Call, request: pb.GetPlanDifferenceRequest
) -> pb.GetPlanDifferenceResponse:
    """Tell what differs between two moments."""
    first, second = moment(request.from_time), moment(request.to_time)
    _refuse_future(call, from_time=first, to_time=second)
    if first > second:
        raise RequestInvalid(
            "the first moment comes after the second",
            {"from_time": "must not come after to_time: exchange the two"},
        )
    past, look = call.house.parts.past, _Look(call, request)

    def folded() -> Any:  # noqa: ANN401 -- two PlanStates, or Nones
        return past.as_of(look.stream, first), past.as_of(look.stream, second)

    outcome, told = await look.judged(folded, Difference.of)
    before, after = told.seen(outcome, look.rectifying)
    answer = pb.GetPlanDifferenceResponse(
        before=build_plan(before, outcome.groups, outcome.released),
        after=build_plan(after, outcome.groups, outcome.released),
    )
    answer.before_corrected_later.extend(corrected_later(before, outcome, look.rectifying))
    answer.after_corrected_later.extend(corrected_later(after, outcome, look.rectifying))
    return _finished(answer, outcome)


async def list_timeline(call: Call, request: pb.ListTimelineRequest) -> pb.ListTimelineResponse:
    """List what happened to a plan, oldest first."""
    pages, size = call.house.pages, page_rows(request)
    start = divmod(pages.place(call.rpc, call.caller, request) or 0, PARTS_OF_AN_EVENT_MAX)
    look = _Look(call, request)
    happened: list[Happened] = []
    more = False

    def folded() -> Sequence[Happened]:
        nonlocal happened, more
        # From the event the page before ended in: it may have brought more than one element.
        seen = _seen(look.events_after(max(0, start[0] - 1)), request.fields, look.kept)
        happened, more = page_of((one for one in seen if one.place > start), size, call.now)
        return happened

    outcome, page = await look.judged(folded, Page.of)
    answer = pb.ListTimelineResponse()
    for one in page.seen(outcome.links):
        entry = entry_of(one, outcome, look.rectifying)
        if entry is not None:
            answer.entries.append(entry)
    if more:
        version, part = happened[-1].place
        place = version * PARTS_OF_AN_EVENT_MAX + part
        answer.next_page_token = pages.token(place, call.rpc, call.caller, request)
    return _finished(answer, outcome)


class _Look:
    """One question about one plan's past."""

    def __init__(self, call: Call, request: Any) -> None:  # noqa: ANN401 -- one of three questions
        self._call = call
        self._request = request
        self.stream = stream_of("plan", request.plan_id)
        # From him, as it was looked up; a seal that comes before the walk is heeded there.
        self.kept = NOTHING_KEPT
        self.rectifying = Rectifying()

    def events_after(self, version: int) -> Iterator[Step]:
        """Yield the events of the plan after a version, without what was erased."""
        parts = self._call.house.parts
        _, last = parts.reader.last_version(self.stream)
        for start in range(version, last, EVENTS_PER_LOOK):
            yield from parts.past.steps(self.stream, start, EVENTS_PER_LOOK)

    async def judged(
        self, folded: Callable[[], Any], right: Callable[[Any, Any, Rectifying], _Told]
    ) -> tuple[ReadOutcome, _Told]:
        """Fold what was, in a pool, and walk the question on it as it is right now. Raises ExchangeError."""
        call, stream = self._call, self.stream
        past, made = Past(), right(None, None, self.rectifying)

        def put_right(was: Any, now: Any) -> Any:  # noqa: ANN401 -- what was folded, PlanState; PlanState, or None
            nonlocal made
            made = right(was, now, self.rectifying)
            return made.plan

        # Of its own: the shared one remembers what plans hold now.
        groups = PlanGroups(LABELS, call.house.parts.register)

        def capture(view: View) -> _Told:
            if not past.folded:
                # Since it was looked at somebody let him in: then the answer would be nothing, and untrue.
                raise Unavailable(NOT_FOLDED)
            # Of this very walk: it may be walked again, on a plan of which more was corrected.
            return made._replace(plan=groups.within_term(stream, view.state(stream), call.now))

        walk = question(
            call,
            self._request,
            anchor=stream,
            labels=LABELS,
            groups=groups.of_plan(stream, Asker(call.caller, self._request.claim.legal_basis, call.now)),
            capture=capture,
            collections=groups.collections,
        )
        if await self._may_be_told(walk):
            stands = call.house.parts.past.witness()
            loop = asyncio.get_running_loop()
            was = await loop.run_in_executor(call.house.pool, folded)
            past = Past(was, folded=True, stands=stands, right=put_right)
        outcome = await ask(call, replace(walk, past=past))
        return outcome, outcome.captured

    async def _may_be_told(self, walk: ReadWalk) -> bool:
        """Tell whether the caller may know of the plan: he works on it, it is his, or he breaks the glass.

        Broken glass is asked no relation: then a plan that is not there is looked up too, and answered empty.
        Where breaking it is refused whatever there is, it opens no past either.
        """
        call, house, caller = self._call, self._call.house, self._call.caller
        breaks_glass = walk.claim.break_glass is not None and not is_refused_of_anybody(
            walk, house.parts.register.now
        )
        plan = await house.state(self.stream)
        if plan is None:
            return breaks_glass
        case = await house.state(stream_of("case", plan.case_id))
        relation = relation_of(case, caller.organisation, caller.task, caller.professional, call.now)
        his = bool(caller.resident) and caller.resident == plan.resident
        if relation is None and not his and not breaks_glass:
            return False
        resident = await house.state(stream_of("resident", plan.resident))
        self.kept = kept_from(resident, caller, "" if relation is None else relation.role)
        return True


def _seen(steps: Iterable[Step], fields: Sequence[str], kept: Kept) -> Iterator[Happened]:
    """Yield the entries of what changed an element that is asked about and can be seen.

    That a plan was opened is told by its first report.
    """
    asked = {path for path in fields if path not in kept.paths}
    collections = {path.partition(".")[0] for path in asked}
    for step in steps:
        kind = step.topic.rpartition(VERSION_SUFFIX)[0]
        if step.by in kept.links:
            continue
        for part, (collection, element) in enumerate(_changed(kind, step, asked)):
            if element is not None and collection in collections and not is_of(element, kept.links):
                yield Happened(step, kind, collection, element, part)


def _changed(kind: str, step: Step, asked: Collection[str]) -> Sequence[tuple[str, Any]]:
    """Return the elements an event changed, each with its collection."""
    event = step.event
    if isinstance(event, ElementsReceived):
        # One event brought many, from another municipality.
        return [(event.collection, one) for one in brought_by(event, step.state)]
    changed = CHANGED.get(kind, Changed())
    if isinstance(event, PlanCorrected):
        # Else what was wrong would be put right without a word. It is of the leaves it changed: where none of
        # them is asked about, or all are kept, nothing happened.
        of_asked = not paths_of(event, step.version, step.state).isdisjoint(asked)
        changed = Changed(event.collection) if of_asked else Changed()
    return [(changed.collection, changed_element(changed, event, step.version, step.state))]


def _finished(answer: _Answer, outcome: ReadOutcome) -> _Answer:
    """Write what surrounds every answer."""
    answer.decision_id = outcome.decision_id
    answer.withheld_fields.extend(outcome.withheld_paths)
    answer.rules.extend(outcome.rules)
    answer.obligations.extend(outcome.obligations)
    if outcome.valid_until is not None:
        set_time(answer.expire_time, outcome.valid_until)
    return answer


def _refuse_future(call: Call, **moments: Any) -> None:  # noqa: ANN401 -- datetimes by the contract's field
    faults = {name: _NOT_YET for name, at in moments.items() if at > call.now}
    if faults:
        raise RequestInvalid("a moment is asked that is still to come", faults)


RPCS: Final[Mapping[str, Unary]] = {
    "GetPlanAsOf": Unary(pb.GetPlanAsOfRequest, get_plan_as_of),
    "ListTimeline": Unary(pb.ListTimelineRequest, list_timeline),
    "GetPlanDifference": Unary(pb.GetPlanDifferenceRequest, get_plan_difference),
}
