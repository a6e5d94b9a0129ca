"""MatchingService: what residents offer and ask, and a desk that brings two of them together.

Promises: a match is looked for before the walk and judged in it, of both sides, in one order with every
withdrawal; a desk is answered alike whether anybody was found; who did not say yes, took it back, sealed it,
limits its use or was erased is not told from who was never there. Contacts leave where both said yes and the
gate lets both leave, at that moment.
Source: protos/exchange/v1/matching_service.proto; exchange/decisions/0078-two-sides.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.plan import (
    PLAN,
    AnswerMatch,
    CloseWish,
    EndMatch,
    Match,
    OfferContribution,
    OpenWish,
    ProposeForContribution,
    ProposeForWish,
    WithdrawContribution,
)
from exchange.domain.plan.matching import (
    MATCHING_TASK,
    Side,
    made,
    match_of,
    stands_by_offer,
    stands_by_wish,
    wish_to_match,
)
from exchange.domain.values import origin_of
from exchange.pipeline.elements import Asker
from exchange.pipeline.walk import CommandWalk, ReadWalk, Steps
from exchange.server.contract.labels import labels_of, refuse_unlabelled, written_by
from exchange.server.contract.names import day, enum_names, required_day
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.services.plan import commanding
from exchange.server.services.plan_orders import Order, Who
from exchange.server.walks import action_of, author_of, claim_of, command, given_paths, read, receipt
from exchange.v1 import matching_service_pb2 as pb
from exchange.v1 import plan_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exchange.domain import Command
    from exchange.domain.plan import PlanState, Wish
    from exchange.pipeline.matching import Candidate
    from exchange.pipeline.walk import View
    from exchange.server.house import Call

_LABELS: Final = labels_of(pb.MatchForDesk.DESCRIPTOR)
_MATCH_ID: Final = "match_id"


def _terms(said: Any) -> dict[str, Any]:  # noqa: ANN401 -- either of two messages
    return {
        "kind": enum_names(plan_pb2.OfferKind.DESCRIPTOR).stored(said.kind),
        "neighbourhood": said.neighbourhood,
        "hours_a_week": said.hours_a_week,
        "start_date": required_day(said.start_date),
        "end_date": day(said.end_date),
        "own_words": said.own_words,
    }


def _offer(said: pb.OfferContributionRequest, who: Who) -> Command:
    return OfferContribution(**who.when, contribution_id=who.fresh_id, **_terms(said))


def _withdrawal(said: pb.WithdrawContributionRequest, who: Who) -> Command:
    return WithdrawContribution(**who.when, contribution_id=said.contribution_id)


def _wish(said: pb.OpenWishRequest, who: Who) -> Command:
    return OpenWish(**who.when, wish_id=who.fresh_id, **_terms(said))


def _closing(said: pb.CloseWishRequest, who: Who) -> Command:
    return CloseWish(**who.when, wish_id=said.wish_id)


def _answer(said: pb.AnswerMatchRequest, who: Who) -> Command:
    word = enum_names(plan_pb2.MatchAnswer.DESCRIPTOR).stored(said.said)
    return AnswerMatch(**who.when, match_id=said.match_id, said=word, contact=said.contact)


def _end(said: pb.EndMatchRequest, who: Who) -> Command:
    return EndMatch(**who.when, match_id=said.match_id)


class _Proposal:
    """One match that is proposed: who may be asked along, and who is."""

    def __init__(
        self, call: Call, request: pb.ProposeMatchRequest, match_id: str, candidates: Sequence[Candidate]
    ) -> None:
        self._call = call
        self._request = request
        self._stream = stream_of("plan", request.plan_id)
        self._own = Side(request.plan_id, match_id)
        self._candidates = candidates
        self._asked = self._nobody

    @property
    def _nobody(self) -> Side:
        """Return the other side where nobody was found: it looks as any, and is nowhere."""
        return Side(self._candidates[-1].plan_id, self._candidates[-1].match_id)

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(stream_of("plan", one.plan_id) for one in self._candidates)

    def others(self, view: View) -> Sequence[CommandWalk]:
        """Return a command about each candidate. Raises RuleBroken where the wish is none to match."""
        # A walk may be walked again.
        self._asked = self._nobody
        wish = wish_to_match(view.state(self._stream), self._request.wish_id, self._call.now)
        return [self._about(one, wish) for one in self._candidates]

    def process(self, view: View) -> Steps:
        """Propose it to who asks."""
        proposing = ProposeForWish(
            now=self._call.now,
            author=author_of(self._call.caller),
            wish_id=self._request.wish_id,
            match_id=self._own.match_id,
            other=self._asked,
        )
        events = PLAN.decide(proposing, view.state(self._stream))
        return Steps(((self._stream, events),), {_MATCH_ID: self._own.match_id})

    def _about(self, one: Candidate, wish: Wish) -> CommandWalk:
        call, request = self._call, self._request
        stream = stream_of("plan", one.plan_id)
        proposing = ProposeForContribution(
            now=call.now,
            author=author_of(call.caller),
            contribution_id=one.contribution_id,
            wish=wish,
            match_id=one.match_id,
            other=self._own,
        )

        def process(view: View) -> Steps:
            events = PLAN.decide(proposing, view.state(stream))
            self._asked = Side(one.plan_id, one.match_id)
            return Steps(((stream, events),))

        return CommandWalk(
            rpc=call.rpc,
            caller=call.caller,
            claim=claim_of(request.claim),
            now=call.now,
            request_id="",
            content=b"",
            anchor=stream,
            fields=written_by(request.DESCRIPTOR).in_request(request),
            process=process,
            collections=call.house.plan_groups.collections,
            trace=call.trace,
            signed=call.signed,
        )


async def propose_match(call: Call, request: pb.ProposeMatchRequest) -> pb.ProposeMatchResponse:
    """Look for an offer that fits, and ask both sides; answered alike where nobody was found."""
    stream, match_id = stream_of("plan", request.plan_id), call.house.parts.fresh_uuid()
    proposal = _Proposal(call, request, match_id, await _candidates(call, request, match_id))
    outcome = await command(
        call,
        request,
        anchor=stream,
        process=proposal.process,
        streams=proposal.streams,
        others=proposal.others,
    )
    return pb.ProposeMatchResponse(receipt=receipt(outcome), match_id=outcome.ids[_MATCH_ID])


async def _candidates(call: Call, request: pb.ProposeMatchRequest, match_id: str) -> tuple[Candidate, ...]:
    """Return who may be asked along: nobody, where this caller would be refused for his task anyway."""
    # A match that is proposed to nobody waits as any does: it may not be for an offer that was not yet read.
    await followed(call, call.house.parts.hot.as_of)
    plan = await call.house.state(stream_of("plan", request.plan_id))
    found = plan is not None and call.caller.task == MATCHING_TASK
    wish = next((one for one in plan.wishes if one.wish_id == request.wish_id), None) if found else None
    look = call.house.parts.matcher.candidates
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(call.house.pool, look, wish, match_id, call.now)


async def get_match(call: Call, request: pb.GetMatchRequest) -> pb.GetMatchResponse:
    """Tell how both are reached where both said yes and both may be told of now; else that it is not made."""
    stream, fresh_uuid = stream_of("plan", request.plan_id), call.house.parts.fresh_uuid
    asker = Asker(call.caller, request.claim.legal_basis, call.now)
    nobody = Side(fresh_uuid(), fresh_uuid())
    groups = call.house.plan_groups

    def other(mine: Match | None) -> ReadWalk:
        side = nobody if mine is None else Side(mine.other_plan, mine.other_match)
        theirs = stream_of("plan", side.plan_id)
        return ReadWalk(
            rpc=call.rpc,
            caller=call.caller,
            claim=claim_of(request.claim),
            now=call.now,
            anchor=theirs,
            fields=refuse_unlabelled(request.fields, _LABELS),
            groups=groups.of_whole(theirs, _LABELS, asker),
            capture=_capturing(call, theirs, side.match_id, stands_by_offer),
            action=action_of(call.rpc),
            bulk=False,
            collections=groups.collections,
            computed=True,
            trace=call.trace,
        )

    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=_LABELS,
        groups=groups.of_whole(stream, _LABELS, asker),
        capture=_capturing(call, stream, request.match_id, stands_by_wish),
        collections=groups.collections,
        computed=True,
        other=other,
    )
    answer = pb.GetMatchResponse(decision_id=outcome.decision_id)
    if outcome.beside is None:
        return answer
    mine, (_, beside) = outcome.captured, outcome.beside
    theirs, ours, given = beside.captured, given_paths(outcome), given_paths(beside)
    if mine is not None and theirs is not None and made(mine, theirs):
        answer.match.made = "made" in ours & given
        answer.match.contact_of_wish = mine.contact if "contact_of_wish" in ours else ""
        answer.match.contact_of_offer = theirs.contact if "contact_of_offer" in given else ""
    return answer


def _capturing(
    call: Call, stream: str, match_id: str, stands: Callable[[PlanState, Match], bool]
) -> Callable[[View], Match | None]:
    """Return what takes one side that stands from a plan: for the desk that proposed it alone."""
    own = origin_of(call.caller.task, call.caller.organisation)

    def capture(view: View) -> Match | None:
        plan = call.house.plan_groups.within_term(stream, view.state(stream), call.now)
        found = match_of(plan, match_id)
        return found if found is not None and found.origin == own and stands(plan, found) else None

    return capture


ORDERS: Final[Mapping[str, Order]] = {
    "OfferContribution": Order(
        pb.OfferContributionRequest, pb.OfferContributionResponse, _offer, "contribution_id"
    ),
    "WithdrawContribution": Order(
        pb.WithdrawContributionRequest, pb.WithdrawContributionResponse, _withdrawal, fence=True
    ),
    "OpenWish": Order(pb.OpenWishRequest, pb.OpenWishResponse, _wish, "wish_id"),
    "CloseWish": Order(pb.CloseWishRequest, pb.CloseWishResponse, _closing, fence=True),
    "AnswerMatch": Order(pb.AnswerMatchRequest, pb.AnswerMatchResponse, _answer),
    "EndMatch": Order(pb.EndMatchRequest, pb.EndMatchResponse, _end, fence=True),
}
RPCS: Final[Mapping[str, Unary]] = {
    **{name: commanding(order) for name, order in ORDERS.items()},
    "ProposeMatch": Unary(pb.ProposeMatchRequest, propose_match),
    "GetMatch": Unary(pb.GetMatchRequest, get_match),
}
