"""Erasing somebody on a shard, through the gate, by three persons."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from exchange.domain import stream_of
from exchange.domain.erasure.decision import ApproveErasure, ProposeErasure
from exchange.domain.resident import RESIDENT
from exchange.errors import RuleBroken
from exchange.pipeline.erasure import Holdings, steps_of_approving
from exchange.pipeline.walk import Claim, CommandWalk, Steps
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from exchange.domain.kernel import AuthoredCommand
    from exchange.pipeline.walk import View
    from tests.pipeline.shard import Shard

ERASE = Claim("klacht-bezwaar", "ERASE-17")


def proposed(shard: Shard, ref: str, **changes: Any) -> str:  # noqa: ANN401 -- any field of the order
    """Propose, approve once; return the erasure's id."""
    facts: dict[str, Any] = {
        "now": NOW,
        "author": shard.author(),
        "erasure_id": str(uuid.uuid4()),
        "article": "wmo_5_3_5",
        "reason": "resident_asked",
    }
    order = ProposeErasure(**(facts | changes))
    shard.done(_walk(shard, ref, order))
    shard.done(approving(shard, ref, order.erasure_id, "prof-2"))
    return order.erasure_id


def erased(shard: Shard, ref: str, **changes: Any) -> str:  # noqa: ANN401 -- any field of the order
    """Erase somebody; return the erasure's id."""
    erasure_id = proposed(shard, ref, **changes)
    shard.done(approving(shard, ref, erasure_id, "prof-3"))
    return erasure_id


def approving(shard: Shard, ref: str, erasure_id: str, professional: str, **changes: Any) -> CommandWalk:  # noqa: ANN401 -- any field of a walk
    """A walk that approves."""
    order = ApproveErasure(
        now=NOW, author=shard.author_of("college:WMO", professional), erasure_id=erasure_id
    )
    return _walk(shard, ref, order, **changes)


def _walk(shard: Shard, ref: str, order: AuthoredCommand, **changes: Any) -> CommandWalk:  # noqa: ANN401 -- any field of a walk
    stream, core = stream_of("resident", ref), shard.core

    def process(view: View) -> Steps:
        state = view.state(stream)
        if state is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        if isinstance(order, ApproveErasure):
            return steps_of_approving(
                order, Holdings(core.reader, core.codec, ref, core.registers.now), view, state
            )
        return Steps(((stream, RESIDENT.decide(order, state)),))

    facts: dict[str, Any] = {
        "caller": shard.caller(professional=order.author.professional),
        "claim": ERASE,
        "anchor": stream,
        "relation": False,
        "fields": (),
        "alone": isinstance(order, ApproveErasure),
    }
    return shard.walk(process, **(facts | changes))
