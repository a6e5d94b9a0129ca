"""What happened on the plans somebody works on, judged now and told with the leaves he may see.

Promises: nothing leaves on the ground of an earlier judgement, and nothing that was corrected before it was
judged; an event of whose own part nothing is released is judged, recorded and not told: of a correction that
part is the leaves it changed. One behind a sealed link is passed over, and so is what was erased.
Source: the design's walk (re-gated at the moment of delivery); GDPR 7(3).
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.case import has_relation
from exchange.domain.plan import PLAN, PlanCorrected
from exchange.domain.plan.received import ElementsReceived
from exchange.domain.plan.seen import is_of
from exchange.errors import KeyDestroyed
from exchange.pipeline.collected import end_of
from exchange.pipeline.elements import Asker
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import ReadOutcome, ReadWalk
from exchange.server.contract.changed import CHANGED, VERSION_SUFFIX, Changed, changed_element, paths_of
from exchange.server.contract.names import set_time
from exchange.server.contract.plans import build_change
from exchange.server.hub import OF_JOINING, OF_MEMBERSHIPS
from exchange.server.services.household_reading import (
    MEMBERSHIP_PART,
    found_member,
    groups_of_member,
    plans_at_home,
)
from exchange.server.traces import place_in_trace
from exchange.server.walks import ask_all
from exchange.v1 import subscription_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.pipeline.walk import Claim, View
    from exchange.server.house import Call
    from exchange.server.walks import Left
    from exchange.store.batch import Row
    from exchange.store.codec import Codec

_OF_THE_PLAN_ITSELF: Final = Changed()
_OF_WHO_JOINS: Final = ("plan_id",)
PARTED_MAX: Final = 1_024


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


async def changes_of(call: Call, rows: list[Row]) -> list[Change]:
    """Keep the events on plans the caller works on now; others are neither shown nor judged."""
    found = []
    for row in rows:
        if row.topic in OF_MEMBERSHIPS:
            found += await _change_of_member(call, row)
            continue
        if row.topic in OF_JOINING:
            found += await _change_of_joining(call, row)
            continue
        change = await _change_of_plan(call, row)
        if change is not None:
            found.append(change)
    return found


async def of_household(call: Call, household_plan_id: str, changes: list[Change]) -> list[Change]:
    """Keep what is of the household that is asked for, as it stands to the caller now; all, where none is."""
    if not household_plan_id or not changes:
        return changes
    there = await plans_at_home(call, household_plan_id)
    return [one for one in changes if _id_of(one.plan_stream) in there]


async def _change_of_plan(call: Call, row: Row) -> Change | None:
    """Return what happened on a plan the caller works on now, None where he does not or may not know."""
    house, caller = call.house, call.caller
    plan = await house.state(row.stream)
    if plan is None:
        return None
    case = await house.state(stream_of("case", plan.case_id))
    who = (caller.organisation, caller.task, caller.professional)
    # Of most events most streams are told nothing: those are not even looked into.
    if case is None or not any(each.is_person(*who) for each in case.professionals):
        return None
    now, codec, opened = house.parts.now(), house.parts.codec, house.opened
    known = opened.found(row, plan)
    at = codec.outline(row.state, stream=row.stream, topic=row.topic).at if known is None else known.at
    # Not before the event itself: by a clock that was set back, who was let in would not be there yet,
    # and what is passed over never comes.
    if not has_relation(case, *who, max(now, at)):
        return None
    # What was erased since is no change of anything: nobody is told that it was there.
    with suppress(KeyDestroyed):
        change: Change = known or opened.make(row, plan, lambda: _change(codec, row, plan))
        end = None if change.element is None else end_of(change.element)
        if end is not None and end <= now:
            change = change._replace(element=None)
        resident = await house.state(stream_of("resident", plan.resident))
        # Not even judged: the record would tell the resident's side that there was something.
        if not change.is_behind(kept_from(resident, caller).links):
            return change
    return None


async def _change_of_member(call: Call, row: Row) -> list[Change]:
    """Return what happened to a membership that is there to the caller now; of who left nothing is told."""
    member = await found_member(call, _id_of(row.stream))
    if member is None:
        return []
    with suppress(KeyDestroyed):
        return [_told(call, row, member, stream_of(PLAN.name, member.plan_id))]
    return []


async def _change_of_joining(call: Call, row: Row) -> list[Change]:
    """Return that the caller was let in to a case he works on now; of who else was let in nothing is told."""
    caller, case = call.caller, await call.house.state(row.stream)
    with suppress(KeyDestroyed):
        codec = call.house.parts.codec
        opened = codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        event: Any = opened.event
        who = (event.oin, event.task, event.professional)
        # Not before the event itself, as with what happens to a plan.
        now = max(call.house.parts.now(), event.at)
        if case is None or who != (caller.organisation, caller.task, caller.professional):
            return []
        if not has_relation(case, *who, now):
            return []
        about = _About(case.case_id, stream_of(PLAN.name, case.plan_id), "", frozenset())
        change = _change_as(opened, row, about, None, lambda _plan: None)
        resident = await call.house.state(stream_of("resident", event.resident))
        return [] if change.is_behind(kept_from(resident, caller).links) else [change]
    return []


def of_membership(path: str) -> bool:
    """Tell whether a path is one of memberships."""
    return path.startswith(f"{MEMBERSHIP_PART}.")


def _id_of(stream: str) -> str:
    return stream.partition("-")[2]


def _change(codec: Codec, row: Row, plan: Any) -> Change:  # noqa: ANN401 -- PlanState
    """Return what an event changed, whoever is told of it, also where the term of its element has ended."""
    # Opened whole: what an element is about may be sealed too.
    opened = codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    changed = CHANGED.get(row.topic.rpartition(VERSION_SUFFIX)[0], _OF_THE_PLAN_ITSELF)
    leaves: frozenset[str] = frozenset()
    if isinstance(opened.event, PlanCorrected):
        # Which collection it is about is sealed with the rest.
        changed, leaves = Changed(opened.event.collection), paths_of(opened.event, row.version, plan)
    elif isinstance(opened.event, ElementsReceived):
        # Many at once: told by the last of them, so that who follows looks again.
        changed = Changed(opened.event.collection)
    again = partial(changed_element, changed, opened.event, row.version)
    about = _About(plan.case_id, row.stream, changed.collection, leaves)
    return _change_as(opened, row, about, again(plan), again)


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


class Told(NamedTuple):
    """An event as it is told; `left` is called when it has left, or with why it did not."""

    event: pb.PublishedEvent
    left: Left


async def judged(call: Call, changes: list[Change], claim: Claim, fields: tuple[str, ...]) -> list[Told]:
    """Judge all changes, each by a walk of its own; return those of which something may be told."""
    walks = [
        (change, walk_of(call, change, claim, asked))
        for change in changes
        if (asked := asked_of(change, fields))
    ]
    # Recorded, where one is refused; the stream goes on without that event (STOP-FEED, ABORT-DELIVERY).
    outcomes = await ask_all(call, [walk for _, walk in walks])
    told = []
    for (change, _), given in zip(walks, outcomes, strict=True):
        if given is None:
            continue
        outcome, left = given
        if is_told(change, outcome):
            told.append(Told(published(change, outcome), left))
        else:
            # Sealed since it was looked up: nobody waits for it.
            call.at_end.remove(left)
            left()
    return told


def is_told(change: Change, outcome: ReadOutcome) -> bool:
    """Tell whether anything of a change is told.

    One of what is sealed to the caller did not happen, also where he asked for the plan's id only.
    """
    return outcome.gives and not change.is_behind(outcome.links)


def asked_of(change: Change, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Return the wanted paths this change can answer: of its own collection, with those of the plan itself.

    None where nothing is asked of what changed: that it changed is told with a part of it only.
    """
    if change.row.topic in OF_JOINING:
        # He asked for it beside the fields; what is judged is whether he may know of the plan at all.
        return _OF_WHO_JOINS
    own, with_plan = _parted(change.collection, fields)
    if not change.collection:
        return with_plan
    if change.leaves and change.leaves.isdisjoint(own):
        return ()
    return with_plan if own and change.element is not None else ()


@lru_cache(maxsize=PARTED_MAX)
def _parted(collection: str, fields: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths of a collection, and those with the paths of the plan itself behind them.

    A stream asks for the same paths of every event.
    """
    own = tuple(path for path in fields if collection and path.startswith(f"{collection}."))
    return own, (*own, *(path for path in fields if "." not in path))


def walk_of(call: Call, change: Change, claim: Claim, asked: tuple[str, ...]) -> ReadWalk:
    """Return the question about what changed, as it is walked."""
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


def published(change: Change, outcome: ReadOutcome) -> pb.PublishedEvent:
    """Return a change as it is told, of the leaves that were released."""
    row = change.row
    of_plan = change.collection != MEMBERSHIP_PART and row.topic not in OF_JOINING
    plan, element = outcome.captured
    told = pb.PublishedEvent(
        event_id=change.event_id,
        position=row.position,
        kind=change.kind,
        plan_id=_id_of(change.plan_stream),
        case_id=change.case_id,
        change=build_change(element, plan, change.collection, outcome.groups, outcome.released),
        plan_version=row.version if of_plan else 0,
        decision_id=outcome.decision_id,
        traceparent=change.traceparent,
    )
    set_time(told.occur_time, change.at)
    return told
