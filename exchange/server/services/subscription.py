"""SubscriptionService: what happens on the plans a professional works on, each event judged when it is read.

Promises: at least once and in order, idempotent by event id; what is told, and what not: `happenings.py`. The
stream ends when the service drains, the person's token or the certificate ends, the subscription is
cancelled, or the organisation leaves or has the certificate or the task no more. A cursor is the position of
the last event that was told, and a beat comes at its time: neither moves by what is not told. A named
subscription goes on where it was acknowledged; its name opens nothing.
Source: the design's walk (re-gated at the moment of delivery); GDPR 7(3).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.delivery import no_such
from exchange.errors import CallerUnknown, Draining, RequestInvalid, Unavailable
from exchange.pipeline.callers import refuse_ended
from exchange.server.contract.labels import refuse_unlabelled
from exchange.server.contract.pages import question_of
from exchange.server.hub import OF_JOINING, OF_MEMBERSHIPS, ROWS_PER_LOOK, TOPICS
from exchange.server.interceptor import Streaming
from exchange.server.services import delivery
from exchange.server.services.happenings import Told, changes_of, judged, of_household, of_membership
from exchange.server.services.household_reading import LABELS
from exchange.server.walks import claim_of
from exchange.v1 import subscription_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from exchange.domain.delivery import DeliveryState
    from exchange.server.house import Call
    from exchange.server.interceptor import Unary

HEARTBEAT_S_DEFAULT: Final = 10
EVENTS_BYTES_MAX: Final = 1024 * 1024
# Few are judged together, so that a withdrawal in between finds few on their way; who is far behind, and was
# told so many at a stretch, is told in larger parts.
ROWS_AT_FIRST: Final = 64
TOLD_AT_A_STRETCH: Final = 256


async def subscribe(call: Call, request: pb.SubscribeRequest) -> AsyncGenerator[pb.SubscribeResponse, None]:
    """Stream events after a cursor."""
    fields = refuse_unlabelled(request.fields, LABELS)
    topics = _topics(request, fields)
    claim = claim_of(request.claim)
    heartbeat_s = request.heartbeat_seconds or HEARTBEAT_S_DEFAULT
    named = request.subscription_id
    told, looked, question = request.cursor, call.house.looked, _question(call, request)
    await delivery.refuse_ahead(call, told, "cursor")
    state = await delivery.standing(call, named, request) if named else None
    told = max(told, state.position) if state else told
    place = looked.beyond(question, told)
    house, clock = call.house, asyncio.get_running_loop().time
    call.resume_at = str(told)
    with house.streams.one(call.caller.organisation, named and delivery.stream_named(call, named)):
        beat, due, stretch = clock() + heartbeat_s, 0, 0
        while True:
            ring = house.bells.next_ring
            await _refuse_to_go_on(call)
            if state and (await delivery.standing(call, named, request)).since != state.since:
                # It was ended, and its name begun anew: that is another one, with a beginning of its own.
                raise no_such()
            most = ROWS_AT_FIRST if stretch < TOLD_AT_A_STRETCH else ROWS_PER_LOOK
            rows, place = await house.hub.after(place, topics, most)
            stretch = stretch if len(rows) == most else 0
            if rows:
                async with house.hub.turns:
                    changes = await of_household(
                        call, request.household_plan_id, await changes_of(call, rows)
                    )
                    events = await judged(call, changes, claim, fields)
                stretch += len(events)
                for batch in _messages(call, events):
                    told = batch[-1].position
                    yield _answer(call, state, told, batch)
                    call.resume_at, beat = str(told), clock() + heartbeat_s
                looked.keep(question, told, place)
            elif clock() < beat:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0, beat - clock())):
                        await ring.wait()
            if clock() >= beat:
                due = due or house.parts.hot.as_of
                # At its own time, whatever others do: all that was there by then has been looked at.
                await house.hub.tail()
                if place >= due:
                    yield _answer(call, state, told)
                    beat, due = clock() + heartbeat_s, 0


def _topics(request: pb.SubscribeRequest, fields: Iterable[str]) -> tuple[str, ...]:
    """Return which events are looked at: of memberships, and of joining, where it is asked for."""
    if request.subscription_id and request.with_joins:
        raise RequestInvalid(
            "a named subscription tells of no joins", {"with_joins": "must be left out with a name"}
        )
    memberships = OF_MEMBERSHIPS if any(map(of_membership, fields)) else ()
    return (*TOPICS, *memberships, *(OF_JOINING if request.with_joins else ()))


def _messages(call: Call, told: list[Told]) -> Iterator[list[pb.PublishedEvent]]:
    """Yield events in messages of a bounded size; one event is one, however long it is.

    What is in a later one has not left with the first: a withdrawal waits for it.
    """
    batches, size = [list[Told]()], 0
    for one in told:
        size += one.event.ByteSize()
        if batches[-1] and size > EVENTS_BYTES_MAX:
            batches.append([])
            size = one.event.ByteSize()
        batches[-1].append(one)
    for batch in batches[1:]:
        for one in batch:
            call.at_end.remove(one.left)
            call.held.append(one.left)
    for number, batch in enumerate(batches if told else ()):
        for one in batch if number else ():
            call.held.remove(one.left)
            call.at_end.append(one.left)
        yield [one.event for one in batch]


def _answer(
    call: Call, state: DeliveryState | None, told: int, events: list[pb.PublishedEvent] | None = None
) -> pb.SubscribeResponse:
    answer = pb.SubscribeResponse(events=events or (), cursor=told)
    if state is not None:
        answer.told_token = delivery.token_of(call, state, told)
    return answer


def _question(call: Call, request: pb.SubscribeRequest) -> bytes:
    """Return what tells streams apart: who asks what, wherever he goes on and however often it beats."""
    asked = pb.SubscribeRequest(
        claim=request.claim,
        fields=request.fields,
        household_plan_id=request.household_plan_id,
        with_joins=request.with_joins,
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


RPCS: Final[Mapping[str, Unary | Streaming]] = {
    "Subscribe": Streaming(pb.SubscribeRequest, subscribe),
    **delivery.RPCS,
}
