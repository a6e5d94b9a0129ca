"""SubscriptionService: what happens on the plans a professional works on, each event judged when it is read.

Promises: at least once and in order, idempotent by event id; nothing leaves on the ground of an earlier
judgement, and nothing that was corrected before it was judged; an event of whose own part nothing is
released is judged, recorded and not sent: of a correction that part is the leaves it changed. One behind a
sealed link is passed over; the stream ends when the service drains, the person's token or the certificate
ends, or the organisation leaves or has the certificate or the task no more. A cursor is the position of the
last event that was told, and a beat comes at its time: neither moves by what is not told.
Source: the design's walk (re-gated at the moment of delivery); GDPR 7(3).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.case import has_relation
from exchange.domain.household import MEMBERSHIP
from exchange.domain.plan import PLAN, PlanCorrected
from exchange.domain.plan.received import ElementsReceived
from exchange.domain.plan.seen import is_of
from exchange.errors import AccessDenied, CallerUnknown, Draining, KeyDestroyed, Unavailable
from exchange.pipeline.callers import refuse_ended
from exchange.pipeline.elements import Asker, end_of
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import ReadOutcome, ReadWalk
from exchange.server.contract.changed import CHANGED, VERSION_SUFFIX, Changed, changed_element, paths_of
from exchange.server.contract.labels import refuse_unlabelled
from exchange.server.contract.names import set_time
from exchange.server.contract.pages import question_of
from exchange.server.contract.plans import build_change
from exchange.server.interceptor import Streaming
from exchange.server.services.household_reading import (
    LABELS,
    MEMBERSHIP_PART,
    found_member,
    groups_of_member,
    plans_at_home,
)
from exchange.server.traces import place_in_trace
from exchange.server.walks import ask, claim_of
from exchange.store.upcasts import UPCASTS
from exchange.v1 import subscription_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from exchange.pipeline.walk import Claim, View
    from exchange.server.house import Call
    from exchange.store.batch import Row

HEARTBEAT_S_DEFAULT: Final = 10
ROWS_PER_LOOK: Final = 64
# With those of earlier versions: what was stored then is streamed as what would be written today.
TOPICS: Final = tuple(
    sorted(
        {event.TOPIC for event in PLAN.events} | {old for old in UPCASTS if old.startswith(f"{PLAN.name}.")}
    )
)
OF_MEMBERSHIPS: Final = tuple(sorted(event.TOPIC for event in MEMBERSHIP.events))
_OF_THE_PLAN_ITSELF: Final = Changed()


class Change(NamedTuple):
    """One event on a plan the caller works on."""

    row: Row
    kind: str
    case_id: str
    at: datetime
    event_id: str
    traceparent: str
    collection: str
    element: Any  # of the plan as it is now; None where the event is about the plan itself
    by: str  # the recipient whose event it is, as a seal names it
    plan_stream: str
    leaves: frozenset[str]  # what was corrected, and nothing else of the element; else empty
    again: Callable[[Any], Any]  # finds the element in the plan as it is when this is judged

    def is_behind(self, links: frozenset[str]) -> bool:
        """Tell whether it tells of a recipient of whom the caller is not shown that he is on the case."""
        return self.by in links or (self.element is not None and is_of(self.element, links))


async def subscribe(call: Call, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
    """Stream events after a cursor."""
    fields = refuse_unlabelled(request.fields, LABELS)
    # What happens to memberships is looked at where it is asked for.
    topics = TOPICS if not any(map(_of_membership, fields)) else (*TOPICS, *OF_MEMBERSHIPS)
    claim = claim_of(request.claim)
    heartbeat_s = request.heartbeat_seconds or HEARTBEAT_S_DEFAULT
    told, looked, question = request.cursor, call.house.looked, _question(call, request)
    place = looked.beyond(question, told)
    clock = asyncio.get_running_loop().time
    with call.house.streams.one(call.caller.organisation):
        beat, due = clock() + heartbeat_s, 0
        while True:
            ring = call.house.bells.next_ring
            await _refuse_to_go_on(call)
            rows = await _look(call, place, topics)
            if rows:
                place = rows[-1].position
                changes = await _of_household(call, request, await _changes(call, rows))
                events = await _judged(call, changes, claim, fields)
                if events:
                    told = events[-1].position
                    yield pb.SubscribeResponse(events=events, cursor=told)
                    beat = clock() + heartbeat_s
                looked.keep(question, told, place)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ring.wait(), timeout=max(0, beat - clock()))
            if clock() >= beat:
                # At its own time, whatever others do: all that was there by then has been looked at.
                due = due or call.house.parts.hot.as_of
                if not rows or place >= due:
                    yield pb.SubscribeResponse(cursor=told)
                    beat, due = clock() + heartbeat_s, 0


def _question(call: Call, request: pb.SubscribeRequest) -> bytes:
    """Return what tells streams apart: who asks what, wherever he goes on and however often it beats."""
    asked = pb.SubscribeRequest(
        claim=request.claim, fields=request.fields, household_plan_id=request.household_plan_id
    )
    return question_of(call.rpc, call.caller, asked.SerializeToString(deterministic=True))


async def _refuse_to_go_on(call: Call) -> None:
    if call.house.bells.closing:
        raise Draining("the service is stopping; resume at the last cursor")
    now = call.house.parts.now().timestamp()
    if now > call.identity.certified_until:
        raise CallerUnknown("this certificate is not valid now")
    if now >= call.identity.expires_at:
        raise Unavailable("the person's token has ended; resume at the last cursor with a new one")
    # Also where nothing happens: a stream of who may ask nothing any more does not stay open and silent.
    refuse_ended(call.caller, await call.house.state(stream_of("organisation", call.caller.organisation)))


async def _look(call: Call, cursor: int, topics: tuple[str, ...]) -> list[Row]:
    parts = call.house.parts
    loop = asyncio.get_running_loop()
    rows = await loop.run_in_executor(call.house.pool, parts.reader.page, cursor, ROWS_PER_LOOK, topics)
    # A row can be in the store before the states know of it: it is not looked at before they do.
    return [row for row in rows if row.position <= parts.hot.as_of]


async def _changes(call: Call, rows: list[Row]) -> list[Change]:
    """Keep the events on plans the caller works on now; others are neither shown nor judged."""
    found = []
    for row in rows:
        if row.topic in OF_MEMBERSHIPS:
            found += await _change_of_member(call, row)
            continue
        plan = await call.house.state(row.stream)
        if plan is None:
            continue
        case = await call.house.state(stream_of("case", plan.case_id))
        caller = call.caller
        # Not before the event itself: by a clock that was set back, who was let in would not be there yet,
        # and what is passed over never comes.
        outline = call.house.parts.codec.outline(row.state, stream=row.stream, topic=row.topic)
        now = max(call.house.parts.now(), outline.at)
        if has_relation(case, caller.organisation, caller.task, caller.professional, now):
            # What was erased since is no change of anything: nobody is told that it was there.
            with suppress(KeyDestroyed):
                change = _change(call, row, plan)
                resident = await call.house.state(stream_of("resident", plan.resident))
                # Not even judged: the record would tell the resident's side that there was something.
                if not change.is_behind(kept_from(resident, caller).links):
                    found.append(change)
    return found


async def _of_household(call: Call, request: pb.SubscribeRequest, changes: list[Change]) -> list[Change]:
    """Keep what is of the household that is asked for, as it stands to the caller now; all, where none is."""
    if not request.household_plan_id or not changes:
        return changes
    there = await plans_at_home(call, request.household_plan_id)
    return [one for one in changes if _id_of(one.plan_stream) in there]


async def _change_of_member(call: Call, row: Row) -> list[Change]:
    """Return what happened to a membership that is there to the caller now; of who left nothing is told."""
    member = await found_member(call, _id_of(row.stream))
    if member is None:
        return []
    with suppress(KeyDestroyed):
        return [_told(call, row, member, stream_of(PLAN.name, member.plan_id))]
    return []


def _of_membership(path: str) -> bool:
    return path.startswith(f"{MEMBERSHIP_PART}.")


def _id_of(stream: str) -> str:
    return stream.partition("-")[2]


def _change(call: Call, row: Row, plan: Any) -> Change:  # noqa: ANN401 -- PlanState
    # Opened whole: what an element is about may be sealed too.
    opened = call.house.parts.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    changed = CHANGED.get(row.topic.rpartition(VERSION_SUFFIX)[0], _OF_THE_PLAN_ITSELF)
    leaves: frozenset[str] = frozenset()
    if isinstance(opened.event, PlanCorrected):
        # Which collection it is about is sealed with the rest.
        changed, leaves = Changed(opened.event.collection), paths_of(opened.event, row.version, plan)
    elif isinstance(opened.event, ElementsReceived):
        # Many at once: told by the last of them, so that who follows looks again.
        changed = Changed(opened.event.collection)
    again = partial(changed_element, changed, opened.event, row.version)
    element = again(plan)
    end = None if element is None else end_of(element)
    if end is not None and end <= call.house.parts.now():
        element = None
    about = _About(plan.case_id, row.stream, changed.collection, leaves)
    return _change_as(opened, row, about, element, again)


def _told(call: Call, row: Row, element: Any, plan_stream: str) -> Change:  # noqa: ANN401 -- MembershipState
    opened = call.house.parts.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    about = _About(element.case_id, plan_stream, MEMBERSHIP_PART, frozenset())
    # Of a membership its kind alone is told.
    return _change_as(opened, row, about, element, lambda _plan: None)


class _About(NamedTuple):
    """What a change is about."""

    case_id: str
    plan_stream: str
    collection: str
    leaves: frozenset[str]


def _change_as(opened: Any, row: Row, about: _About, element: Any, again: Callable[[Any], Any]) -> Change:  # noqa: ANN401 -- as opened; any element
    meta, kind = opened.meta, row.topic.rpartition(VERSION_SUFFIX)[0]
    return Change(
        row=row,
        kind=kind,
        case_id=about.case_id,
        at=meta.at,
        event_id=opened.event_id.hex(),
        traceparent=place_in_trace(meta.trace, meta.decision_id).traceparent,
        collection=about.collection,
        element=element,
        by=f"{meta.organisation}/{meta.task}",
        plan_stream=about.plan_stream,
        leaves=about.leaves,
        again=again,
    )


async def _judged(
    call: Call, changes: list[Change], claim: Claim, fields: tuple[str, ...]
) -> list[pb.PublishedEvent]:
    """Judge all changes, each by a walk of its own; return those of which something may be told."""
    walks = [
        (change, _walk(call, change, claim, asked)) for change in changes if (asked := _asked(change, fields))
    ]
    outcomes = await asyncio.gather(*(_ask(call, walk) for _, walk in walks))
    return [
        _published(change, outcome)
        for (change, _), outcome in zip(walks, outcomes, strict=True)
        # A change of what is sealed to the caller did not happen, also where he asked for the plan's id only.
        if outcome is not None and outcome.gives and not change.is_behind(outcome.links)
    ]


def _asked(change: Change, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Return the wanted paths this change can answer: of its own collection, with those of the plan itself.

    None where nothing is asked of what changed: that it changed is told with a part of it only.
    """
    of_plan = tuple(path for path in fields if "." not in path)
    if not change.collection:
        return of_plan
    own = tuple(path for path in fields if path.startswith(f"{change.collection}."))
    if change.leaves and change.leaves.isdisjoint(own):
        return ()
    return (*own, *of_plan) if own and change.element is not None else ()


def _walk(call: Call, change: Change, claim: Claim, asked: tuple[str, ...]) -> ReadWalk:
    stream = change.plan_stream
    element = change.element

    now = call.house.parts.now()
    asker = Asker(call.caller, claim.legal_basis, now)
    if change.collection == MEMBERSHIP_PART:
        groups = groups_of_member(call, stream, asker)
    else:
        key = ("", "") if element is None else (element.category, element.origin)
        groups = call.house.plan_groups.of_change(stream, change.collection, key, asker)

    def capture(view: View) -> Any:  # noqa: ANN401 -- PlanState, and the element or None
        # What was corrected since it was looked up is not told as it was then.
        plan = view.state(stream)
        return plan, None if element is None or plan is None else change.again(plan)

    return ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim,
        now=now,
        anchor=stream,
        fields=asked,
        groups=groups,
        capture=capture,
        action="SUBSCRIBE",
        allow_partial=True,
        delivered_later=True,
        trace=call.trace,
        change_of=change.collection,
        leaves_changed=change.leaves,
        collections=call.house.plan_groups.collections,
    )


async def _ask(call: Call, walk: ReadWalk) -> ReadOutcome | None:
    try:
        return await ask(call, walk)
    except AccessDenied:
        # Recorded; the stream goes on without this event (STOP-FEED, ABORT-DELIVERY).
        return None


def _published(change: Change, outcome: ReadOutcome) -> pb.PublishedEvent:
    row, of_member = change.row, change.collection == MEMBERSHIP_PART
    plan, element = outcome.captured
    told = pb.PublishedEvent(
        event_id=change.event_id,
        position=row.position,
        kind=change.kind,
        plan_id=_id_of(change.plan_stream),
        case_id=change.case_id,
        change=build_change(element, plan, change.collection, outcome.groups, outcome.released),
        plan_version=0 if of_member else row.version,
        decision_id=outcome.decision_id,
        traceparent=change.traceparent,
    )
    set_time(told.occur_time, change.at)
    return told


RPCS: Final[Mapping[str, Streaming]] = {"Subscribe": Streaming(pb.SubscribeRequest, subscribe)}
