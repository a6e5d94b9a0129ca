"""What all calls of the review of lookups do alike: ask, judge a month, decide.

Promises: the operator's officer sees every organisation, another's only his own; what may not be read now is
refused after the gate and before a decision says that it was read.
Source: GDPR 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exchange.domain import stream_of
from exchange.domain.lookups import LOOKUPS, Month, key_of
from exchange.domain.lookups.words import month_fault
from exchange.domain.shape import refuse_faults
from exchange.errors import RuleBroken
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.server.contract.officers import asked_by
from exchange.server.services import duties
from exchange.server.walks import ask, claim_of, command, given_paths, question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain import Command
    from exchange.pipeline.walk import CommandOutcome, ReadOutcome, View
    from exchange.server.house import Call


async def look(
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
    streams = () if of_cell is None else (stream_for(request),)
    return await ask(call, replace(walk, streams=streams))


async def of_month(call: Call, outcome: ReadOutcome, look_up: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever it finds
    """Ask the judged lookups, as of the answer's own decision. Raises Unavailable while they are behind."""
    await duties.followed(call, outcome.position)
    return await run(call, look_up)


async def decide(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message with an organisation and a month
    order: Command,
    ids: Mapping[str, str] | None = None,
) -> CommandOutcome:
    """Walk a command of the review; `ids` are what the answer repeats."""
    month_of_request(request.month)
    stream = stream_for(request)

    def process(view: View) -> Steps:
        return Steps(((stream, LOOKUPS.decide(order, view.state(stream))),), ids or {})

    return await command(call, request, anchor="", process=process, streams=(stream,), relation=False)


async def run(call: Call, work: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 -- whatever it does
    """Do work outside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(call.house.pool, work, *given)


def stream_for(request: Any) -> str:  # noqa: ANN401 -- a message with an organisation and a month
    """Return where the review of that month is recorded."""
    return stream_of(LOOKUPS.name, key_of(request.of_organisation, request.month))


def month_of_request(text: str) -> Month:
    """Return the month that was asked. Raises RequestInvalid."""
    refuse_faults({"month": month_fault(text)})
    month = Month.told(text)
    assert month is not None, "checked above"
    return month


def leaves_of(outcome: ReadOutcome, of: str) -> list[str]:
    """Return which leaves of one part of the answer may leave."""
    parts = (path.partition(".") for path in given_paths(outcome))
    return [leaf for name, _, leaf in parts if name == of]


async def look_at_requests(call: Call, request: Any) -> ReadOutcome:  # noqa: ANN401 -- a message with an organisation and a month
    """Ask what names were asked for: nothing of the log, so that who may agree can read it."""
    stream = stream_for(request)

    def refused(_view: View) -> Steps:
        if not call.caller.operator and call.caller.organisation != request.of_organisation:
            what = "what was asked of another organisation is not told"
            raise RuleBroken(what, rule="OTHER_ORGANISATION")
        return Steps(())

    def capture(view: View) -> Any:  # noqa: ANN401 -- LookupsState, or None
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
        beside=refused,
        trace=call.trace,
    )
    return await ask(call, walk)
