"""Named subscriptions, of SubscriptionService: where each is, what failed, what is parked and read anew.

Promises: a name is its organisation's and stands for one question of one person; what is told of a
subscription is what its subscriber said himself, so that no seal, withdrawal or erasure shows in it; what was
told is shown by a token and kept nowhere; a parked event is judged when it is fetched, and where nothing of
it may be told there is one and the same empty answer, after one walk, whatever the reason.
Source: exchange/decisions/0090-deliveries-have-names.md; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.delivery import (
    DELIVERY,
    Acknowledge,
    Cancel,
    DeliveryState,
    ReportFailure,
    Subscribe,
    is_due,
    key_of,
    own,
)
from exchange.domain.plan import PLAN
from exchange.errors import AccessDenied, RequestInvalid, RuleBroken
from exchange.pipeline.callers import refuse_ended
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.server.contract.labels import refuse_unlabelled
from exchange.server.contract.names import enum_names, set_time
from exchange.server.contract.pages import page_rows, question_of
from exchange.server.hub import STREAMED
from exchange.server.interceptor import Unary
from exchange.server.services.happenings import (
    asked_of,
    changes_of,
    is_told,
    of_household,
    published,
    walk_of,
)
from exchange.server.services.household_reading import LABELS
from exchange.server.walks import ask, ask_about_nobody, author_of, claim_of, command, receipt
from exchange.v1 import subscription_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exchange.domain import Command
    from exchange.domain.delivery import DeadLetter
    from exchange.pipeline.walk import Claim, CommandOutcome, View
    from exchange.server.house import Call
    from exchange.server.services.happenings import Change

SUBSCRIPTIONS_MAX: Final = 200
PAGE_BYTES_MAX: Final = 1024 * 1024
_TOLD: Final = "told"


async def create_subscription(
    call: Call, request: pb.CreateSubscriptionRequest
) -> pb.CreateSubscriptionResponse:
    """Name a subscription."""
    refuse_unlabelled(request.paths, LABELS)
    await refuse_ahead(call, request.begin_cursor, "begin_cursor")
    names = await _names(call)
    full = len(names) >= SUBSCRIPTIONS_MAX and stream_named(call, request.subscription_id) not in names
    order = Subscribe(
        now=call.now,
        author=author_of(call.caller),
        subscription_id=request.subscription_id,
        purpose=enum_names(Purpose.DESCRIPTOR).stored(request.subscribed_purpose),
        legal_basis=request.subscribed_legal_basis,
        paths=tuple(request.paths),
        household_plan_id=request.household_plan_id,
        start=call.house.parts.hot.as_of if request.begins_now else request.begin_cursor,
    )

    def decided(_state: DeliveryState | None) -> Command:
        # Behind the look at the request id: one that was made by this very request is not one too many.
        if full:
            raise RuleBroken(
                "your organisation has the most subscriptions there can be", rule="SUBSCRIPTIONS_FULL"
            )
        return order

    outcome, _ = await _decide(call, request, decided)
    return pb.CreateSubscriptionResponse(receipt=receipt(outcome))


async def list_subscriptions(
    call: Call, request: pb.ListSubscriptionsRequest
) -> pb.ListSubscriptionsResponse:
    """List one's own, and record that they were asked."""
    place = call.house.pages.place(call.rpc, call.caller, request) or 0
    outcome = await ask_about_nobody(call, request)
    mine = []
    for stream in await _names(call):
        state = await call.house.state(stream)
        if state is not None and state.is_of(author_of(call.caller)):
            mine.append(state)
    mine.sort(key=lambda state: state.subscription_id)
    answer = pb.ListSubscriptionsResponse(decision_id=outcome.decision_id)
    end, size = place, 0
    for state in mine[place : place + page_rows(request)]:
        one = _listed(call, state, outcome.position)
        size += one.ByteSize()
        if size > PAGE_BYTES_MAX and end > place:
            break
        answer.subscriptions.append(one)
        end += 1
    if len(mine) > end:
        answer.next_page_token = call.house.pages.token(end, call.rpc, call.caller, request)
    return answer


async def acknowledge_events(
    call: Call, request: pb.AcknowledgeEventsRequest
) -> pb.AcknowledgeEventsResponse:
    """Write down how far everything was taken, where that is worth an event."""
    await refuse_ahead(call, request.cursor, "cursor")
    state = await call.house.state(stream_named(call, request.subscription_id))
    told = _told_by(call, state, request.told_token)
    mine = state is not None and state.is_of(author_of(call.caller))
    plain = mine and request.cursor <= told and not request.settled_event_ids
    # Looked at without a walk: it says nothing and changes nothing, and there are many of these.
    if plain and not is_due(state, request.cursor, call.now):
        refuse_ended(call.caller, await call.house.state(stream_of("organisation", call.caller.organisation)))
        return pb.AcknowledgeEventsResponse(cursor=state.position)

    def order(state: DeliveryState | None) -> Command:
        return Acknowledge(
            now=call.now,
            author=author_of(call.caller),
            position=request.cursor,
            told=_told_by(call, state, request.told_token),
            settled=tuple(request.settled_event_ids),
        )

    outcome, after = await _decide(call, request, order)
    return pb.AcknowledgeEventsResponse(receipt=receipt(outcome), cursor=after.position)


async def report_failed_event(
    call: Call, request: pb.ReportFailedEventRequest
) -> pb.ReportFailedEventResponse:
    """Write down that an event could not be taken, and park it where it is time."""
    await refuse_ahead(call, request.position, "position")

    def order(state: DeliveryState | None) -> Command:
        return ReportFailure(
            now=call.now,
            author=author_of(call.caller),
            event_id=request.event_id,
            position=request.position,
            reason=enum_names(pb.FailureReason.DESCRIPTOR).stored(request.reason),
            told=_told_by(call, state, request.told_token),
            park=request.park,
        )

    outcome, after = await _decide(call, request, order)
    parked = after.letter(request.event_id)
    letter = parked or next((one for one in after.failing if one.event_id == request.event_id), None)
    return pb.ReportFailedEventResponse(
        receipt=receipt(outcome),
        parked=parked is not None,
        attempts=0 if letter is None else letter.attempts,
    )


async def get_parked_event(call: Call, request: pb.GetParkedEventRequest) -> pb.GetParkedEventResponse:
    """Give a parked event as it may be told now; one walk, also where there is nothing to tell."""
    state = await standing(call, request.subscription_id, request)
    letter = state.letter(request.event_id)
    if letter is None:
        raise RuleBroken("this event is not parked", rule="NOT_PARKED")
    fields, claim = refuse_unlabelled(request.fields, LABELS), claim_of(request.claim)
    change = await _still_there(call, state, letter)
    asked = () if change is None else asked_of(change, fields)
    # What is not there is asked after all the same, so that time tells nothing either.
    if change is None or not asked:
        walk = _about_nobody(call, claim, fields)
    else:
        walk = walk_of(call, change, claim, asked)
    try:
        outcome = await ask(call, walk)
    except AccessDenied:
        # Refused and recorded; which of the reasons it was is not told, as in a stream.
        return pb.GetParkedEventResponse()
    if change is None or not is_told(change, outcome):
        return pb.GetParkedEventResponse()
    return pb.GetParkedEventResponse(event=published(change, outcome))


async def cancel_subscription(
    call: Call, request: pb.CancelSubscriptionRequest
) -> pb.CancelSubscriptionResponse:
    """End a subscription."""
    order = Cancel(now=call.now, author=author_of(call.caller))
    outcome, _ = await _decide(call, request, lambda _state: order)
    return pb.CancelSubscriptionResponse(receipt=receipt(outcome))


# --- what streams ask of a name -----------------------------------------------------------------------


def stream_named(call: Call, subscription_id: str) -> str:
    """Return the stream of the caller's organisation's subscription of this name."""
    return stream_of(DELIVERY.name, key_of(call.caller.organisation, subscription_id))


async def standing(
    call: Call, subscription_id: str, request: pb.SubscribeRequest | pb.GetParkedEventRequest
) -> DeliveryState:
    """Return the caller's own subscription. Raises RuleBroken, also where another question is asked by it."""
    state = own(await call.house.state(stream_named(call, subscription_id)), author_of(call.caller))
    claim = claim_of(request.claim)
    asked = (claim.purpose, claim.legal_basis, tuple(request.fields))
    narrowed = getattr(request, "household_plan_id", state.household_plan_id)
    if (*asked, narrowed) != (state.purpose, state.legal_basis, state.paths, state.household_plan_id):
        raise RuleBroken("this is not the question this subscription is for", rule="OTHER_QUESTION")
    return state


async def refuse_ahead(call: Call, cursor: int, field: str) -> None:
    """Refuse a cursor that lies beyond the newest event. Raises RequestInvalid naming its field.

    It is of another shard, or of a store that was put back: what comes next would be passed over unseen.
    """
    parts, loop = call.house.parts, asyncio.get_running_loop()
    # A node that heard of it later than another is behind, and the cursor is not ahead: the store says.
    if (
        cursor > parts.hot.as_of
        and cursor > (await loop.run_in_executor(call.house.pool, parts.reader.head))[0]
    ):
        raise RequestInvalid(
            "this cursor lies beyond the newest event of this shard",
            fields={field: "must not lie beyond the newest event"},
        )


def token_of(call: Call, state: DeliveryState, position: int) -> str:
    """Return what shows that this subscription was told up to a position."""
    return call.house.pages.seal(position, _question(call, state))


def _told_by(call: Call, state: DeliveryState | None, token: str) -> int:
    """Return up to which position it shows that the subscription was told: 0 where it shows nothing.

    Of a subscription that is not the caller's own it shows nothing: that is refused as such, whatever it is.
    """
    if not token or state is None or not state.is_of(author_of(call.caller)):
        return 0
    try:
        return call.house.pages.open(token, _question(call, state), "told_token")
    except RequestInvalid:
        raise RequestInvalid(
            "this token is not one that this subscription was told",
            fields={"told_token": "must be of an answer of this subscription's stream"},
        ) from None


def _question(call: Call, state: DeliveryState) -> bytes:
    # With since when it stands: what was told of one that ended says nothing of the next of its name.
    stream = stream_named(call, state.subscription_id)
    return question_of(_TOLD, call.caller, f"{stream}\n{state.since.isoformat()}".encode())


# --- deciding and finding -----------------------------------------------------------------------------


async def _decide(
    call: Call,
    request: pb.CreateSubscriptionRequest
    | pb.AcknowledgeEventsRequest
    | pb.ReportFailedEventRequest
    | pb.CancelSubscriptionRequest,
    order: Callable[[DeliveryState | None], Command],
) -> tuple[CommandOutcome, DeliveryState]:
    """Walk a command on a subscription, made for it as it stands then; return it as it stands afterwards."""
    stream = stream_named(call, request.subscription_id)

    def process(view: View) -> Steps:
        state = view.state(stream)
        return Steps(((stream, DELIVERY.decide(order(state), state)),))

    outcome = await command(call, request, anchor="", process=process, streams=(stream,), relation=False)
    after = await call.house.state_behind(stream)
    assert isinstance(after, DeliveryState), "what was decided on it is there"
    return outcome, after


async def _names(call: Call) -> Sequence[str]:
    """Return the streams of the organisation's subscriptions."""
    house, loop = call.house, asyncio.get_running_loop()
    oin, reader = call.caller.organisation, house.parts.reader
    return await loop.run_in_executor(house.pool, house.named.of, oin, reader)


async def _still_there(call: Call, state: DeliveryState, letter: DeadLetter) -> Change | None:
    """Find a parked event as a stream would find it now; None where it is not there to the caller."""
    loop = asyncio.get_running_loop()
    parts = call.house.parts
    rows = await loop.run_in_executor(call.house.pool, parts.reader.rows_at, (letter.position,))
    told = [row for row in rows if row.topic in STREAMED]
    changes = await of_household(call, state.household_plan_id, await changes_of(call, told))
    return next((one for one in changes if one.event_id == letter.event_id), None)


def _about_nobody(call: Call, claim: Claim, fields: tuple[str, ...]) -> ReadWalk:
    """Return the question about a plan that nobody has: what is not there is asked after alike."""
    return ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim,
        now=call.house.parts.now(),
        anchor=stream_of(PLAN.name, call.house.parts.fresh_uuid()),
        fields=fields,
        groups=lambda _view, _paths: (),
        capture=lambda _view: None,
        action="SUBSCRIBE",
        allow_partial=True,
        delivered_later=True,
        trace=call.trace,
    )


def _listed(call: Call, state: DeliveryState, head: int) -> pb.Subscription:
    reasons = enum_names(pb.FailureReason.DESCRIPTOR)
    told = pb.Subscription(
        subscription_id=state.subscription_id,
        subscribed_purpose=Purpose.ValueType(enum_names(Purpose.DESCRIPTOR).number(state.purpose)),
        subscribed_legal_basis=state.legal_basis,
        paths=state.paths,
        household_plan_id=state.household_plan_id,
        cursor=state.position,
        behind=max(0, head - state.position),
        followed=call.house.streams.has(stream_named(call, state.subscription_id)),
    )
    set_time(told.acknowledge_time, state.written_at)
    for letter in state.parked:
        one = told.parked.add(
            event_id=letter.event_id,
            position=letter.position,
            reason=pb.FailureReason.ValueType(reasons.number(letter.reason)),
            attempts=letter.attempts,
        )
        set_time(one.park_time, letter.at)
    return told


RPCS: Final[Mapping[str, Unary]] = {
    "CreateSubscription": Unary(pb.CreateSubscriptionRequest, create_subscription),
    "ListSubscriptions": Unary(pb.ListSubscriptionsRequest, list_subscriptions),
    "AcknowledgeEvents": Unary(pb.AcknowledgeEventsRequest, acknowledge_events),
    "ReportFailedEvent": Unary(pb.ReportFailedEventRequest, report_failed_event),
    "GetParkedEvent": Unary(pb.GetParkedEventRequest, get_parked_event),
    "CancelSubscription": Unary(pb.CancelSubscriptionRequest, cancel_subscription),
}
