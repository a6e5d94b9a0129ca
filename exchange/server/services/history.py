"""HistoryService: a plan as it was known, what happened to it, and what differs between two moments.

Promises: every right is of now, what is told is of then; an element appears only if at least one of its
fields is released, and an entry only with such an element. The past is looked up only for who could be told
of it, so that no time it takes tells a stranger that there is a plan.
Source: GDPR 5(1)(c), 17; the domain's design section 2 (P7).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from exchange.domain import stream_of
from exchange.domain.kernel import with_changes
from exchange.domain.limits.compartments import NOTHING_KEPT
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.seen import is_of
from exchange.domain.relations import relation_of
from exchange.errors import RequestInvalid, Unavailable
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.past_plans import NOT_FOLDED, Past
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.telling import is_refused_of_anybody
from exchange.server.contract.names import moment, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.contract.plans import PLAN_LABELS, build_change, build_plan
from exchange.server.interceptor import Unary
from exchange.server.services.subscription import CHANGED, VERSION_SUFFIX, Changed, changed_element
from exchange.server.walks import ask, question
from exchange.v1 import history_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exchange.domain.limits.compartments import Kept
    from exchange.pipeline.past_plans import Step
    from exchange.pipeline.walk import ReadOutcome, ReadWalk, View
    from exchange.server.house import Call

EVENTS_PER_LOOK: Final = 256
# The version counts what was written, seen or not: told for any moment it would tell when.
LABELS: Final = MappingProxyType({path: label for path, label in PLAN_LABELS.items() if path != "version"})
_NOT_YET: Final = "must not lie in the future: nothing is known of it yet"


_Answer = TypeVar("_Answer", pb.GetPlanAsOfResponse, pb.ListTimelineResponse, pb.GetPlanDifferenceResponse)


class Happened(NamedTuple):
    """One entry before it is judged. `by` is the recipient whose event it is, as a seal names it."""

    step: Step
    kind: str
    collection: str
    element: Any


async def get_plan_as_of(call: Call, request: pb.GetPlanAsOfRequest) -> pb.GetPlanAsOfResponse:
    """Read listed fields of a plan as it was known at a moment."""
    at = moment(request.as_of_time)
    _refuse_future(call, as_of_time=at)
    past, look = call.house.parts.past, _Look(call, request)
    outcome = await look.judged(lambda: past.as_of(look.stream, at))
    answer = pb.GetPlanAsOfResponse(plan=build_plan(outcome.captured, outcome.groups, outcome.released))
    return _told(answer, outcome)


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
    found: dict[str, Any] = {}

    def folded() -> Any:  # noqa: ANN401 -- PlanState, or None
        before, after = past.as_of(look.stream, first), past.as_of(look.stream, second)
        found["before"], found["after"] = before, after
        return _both(before, after)

    outcome = await look.judged(folded)
    before, after = _apart(outcome.captured, found.get("before"), found.get("after"))
    answer = pb.GetPlanDifferenceResponse(
        before=build_plan(before, outcome.groups, outcome.released),
        after=build_plan(after, outcome.groups, outcome.released),
    )
    return _told(answer, outcome)


async def list_timeline(call: Call, request: pb.ListTimelineRequest) -> pb.ListTimelineResponse:
    """List what happened to a plan, oldest first."""
    pages, size = call.house.pages, page_rows(request)
    start = pages.place(call.rpc, call.caller, request) or 0
    look = _Look(call, request)
    happened: list[Happened] = []

    def folded() -> Any:  # noqa: ANN401 -- PlanState, or None
        happened.extend(islice(_seen(look.events_after(start), request.fields, look.kept), size + 1))
        return _of_page(happened[:size])

    outcome = await look.judged(folded)
    answer = pb.ListTimelineResponse()
    there = {id(one) for name in COLLECTIONS for one in getattr(outcome.captured, name, ())}
    for one in happened[:size]:
        if id(one.element) in there and one.step.by not in outcome.links:
            _tell(outcome, one, answer)
    if len(happened) > size:
        answer.next_page_token = pages.token(happened[size - 1].step.version, call.rpc, call.caller, request)
    return _told(answer, outcome)


class _Look:
    """One question about one plan's past."""

    def __init__(self, call: Call, request: Any) -> None:  # noqa: ANN401 -- one of three questions
        self._call = call
        self._request = request
        self.stream = stream_of("plan", request.plan_id)
        # From him, as it was looked up; a seal that comes before the walk is heeded there.
        self.kept = NOTHING_KEPT

    def events_after(self, version: int) -> Iterator[Step]:
        """Yield the events of the plan after a version, without what was erased."""
        parts = self._call.house.parts
        _, last = parts.reader.last_version(self.stream)
        for start in range(version, last, EVENTS_PER_LOOK):
            yield from parts.past.steps(self.stream, start, EVENTS_PER_LOOK)

    async def judged(self, folded: Callable[[], Any]) -> ReadOutcome:
        """Fold what was, in a pool, and walk the question on it. Raises ExchangeError."""
        call, stream, past = self._call, self.stream, Past()
        # Of its own: the shared one remembers what plans hold now.
        groups = PlanGroups(LABELS, call.house.parts.register)

        def capture(view: View) -> Any:  # noqa: ANN401 -- PlanState, or None
            if not past.folded:
                # Since it was looked at somebody let him in: then the answer would be nothing, and untrue.
                raise Unavailable(NOT_FOLDED)
            return groups.within_term(stream, view.state(stream), call.now)

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
            past = Past(await loop.run_in_executor(call.house.pool, folded), folded=True, stands=stands)
        return await ask(call, replace(walk, past=past))

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
    asked = {path.partition(".")[0] for path in fields if path not in kept.paths}
    for step in steps:
        kind = step.topic.rpartition(VERSION_SUFFIX)[0]
        changed = CHANGED.get(kind)
        if isinstance(step.event, PlanCorrected):
            # Else what was wrong would stand there alone.
            changed = Changed(step.event.collection)
        element = None if changed is None else changed_element(changed, step.event, step.state)
        if changed is None or element is None or changed.collection not in asked:
            continue
        if step.by not in kept.links and not is_of(element, kept.links):
            yield Happened(step, kind, changed.collection, element)


def _of_page(happened: Sequence[Happened]) -> Any:  # noqa: ANN401 -- PlanState, or None
    """Return a plan that holds what the entries of a page are about, and nothing else: so it is judged."""
    if not happened:
        return None
    held: dict[str, list[Any]] = {name: [] for name in COLLECTIONS}
    for one in happened:
        held[one.collection].append(one.element)
    return with_changes(happened[-1].step.state, **{name: tuple(some) for name, some in held.items()})


def _both(before: Any, after: Any) -> Any:  # noqa: ANN401 -- PlanStates, or None
    """Return a plan that holds what is in one of two only: so it is judged."""
    if before is None or after is None:
        return after if before is None else before
    differing = {}
    for name in COLLECTIONS:
        earlier, later = getattr(before, name), getattr(after, name)
        in_earlier, in_later = set(earlier), set(later)
        gone = tuple(one for one in earlier if one not in in_later)
        differing[name] = gone + tuple(one for one in later if one not in in_earlier)
    return with_changes(after, **differing)


def _apart(captured: Any, before: Any, after: Any) -> tuple[Any, Any]:  # noqa: ANN401 -- PlanStates, or None
    """Return what may be seen of a difference, each side by itself."""
    if captured is None or before is None or after is None:
        return (None, captured) if before is None else (captured, None)
    was = {id(one) for name in COLLECTIONS for one in getattr(before, name)}
    sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name in COLLECTIONS:
        seen = getattr(captured, name)
        sides[0][name] = tuple(one for one in seen if id(one) in was)
        sides[1][name] = tuple(one for one in seen if id(one) not in was)
    return with_changes(captured, **sides[0]), with_changes(captured, **sides[1])


def _tell(outcome: ReadOutcome, one: Happened, answer: pb.ListTimelineResponse) -> None:
    change = build_change(one.element, one.step.state, one.collection, outcome.groups, outcome.released)
    if not getattr(change, one.collection):
        # Nothing of it is released: that it happened is not told either.
        return
    entry = answer.entries.add(kind=one.kind, change=change)
    set_time(entry.record_time, one.step.at)


def _told(answer: _Answer, outcome: ReadOutcome) -> _Answer:
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
