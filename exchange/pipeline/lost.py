"""Answers that were permitted and did not arrive: recorded behind their decision, through the one queue.

Promises: nobody asked for this, so nothing is judged and nothing opens; it stands in the log in the order in
which it became known, on the stream of its decision; of who was erased meanwhile nothing is recorded, nor of
what was about nobody. Its leaf is found by the resident where that of the decision is: of changes, which a
seal may keep from him, never.
Source: GDPR 5(1)(d), 5(2), 15(1)(c); the gate's design sections 1 and 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.domain import stream_of
from exchange.domain.disclosure import DISCLOSURE, AbortDelivery
from exchange.pipeline.apart import DEFERRING, SUBSCRIBE
from exchange.pipeline.evaluation import run_evaluation
from exchange.pipeline.steps import run_command, run_read
from exchange.pipeline.walk import CommandWalk, EvaluationWalk, LookWalk, LostAnswer, Recorded
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.pipeline.answers import Answers
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.verdicts import Verdicts
    from exchange.pipeline.walk import AnyWalk, ReadOutcome, ReadWalk
    from exchange.pipeline.walked import Outcome


def lost_answer(walk: ReadWalk, outcome: ReadOutcome, reason: str, now: datetime) -> LostAnswer | None:
    """Return what is to be recorded; None where nothing was given, or nobody is there to be told."""
    if not outcome.gives or not outcome.resident:
        return None
    verdict = outcome.verdict
    basis = f"{verdict.basis_id}@{verdict.basis_version}" if verdict.basis_id else walk.claim.legal_basis
    return LostAnswer(
        caller=walk.caller,
        now=max(now, walk.now),
        resident=outcome.resident,
        decision_id=outcome.decision_id,
        purpose=walk.claim.purpose,
        legal_basis=basis,
        policy_hash=verdict.policy_hash,
        facts_position=outcome.position,
        reason=reason,
        apart=walk.action == SUBSCRIBE or not DEFERRING.isdisjoint(verdict.obligations),
        trace=walk.trace,
    )


def outcome_of(
    walk: AnyWalk, overlay: Overlay, verdicts: Verdicts, answers: Answers, fresh_id: Callable[[], bytes]
) -> Outcome:
    """Return what becomes of a walk. Raises ExchangeError where nothing is recorded."""
    if isinstance(walk, LookWalk):
        return Recorded(overlay.position)
    if isinstance(walk, LostAnswer):
        return _run_lost(walk, overlay)
    if isinstance(walk, CommandWalk):
        return run_command(walk, overlay, verdicts, answers, fresh_id)
    if isinstance(walk, EvaluationWalk):
        return run_evaluation(walk, overlay, verdicts.register, fresh_id)
    return run_read(walk, overlay, verdicts.register, fresh_id)


def _run_lost(walk: LostAnswer, overlay: Overlay) -> Recorded:
    if overlay.state(walk.anchor) is None:
        return Recorded(overlay.position)
    caller = walk.caller
    order = AbortDelivery(
        now=walk.now,
        resident=walk.resident,
        decision_id=walk.decision_id,
        organisation=caller.organisation,
        task=caller.task,
        reason=walk.reason,
    )
    meta = Meta(
        at=walk.now,
        organisation=caller.organisation,
        task=caller.task,
        professional=caller.professional,
        purpose=walk.purpose,
        legal_basis=walk.legal_basis,
        decision_id=walk.decision_id,
        policy_hash=walk.policy_hash,
        facts_position=walk.facts_position,
        trace=walk.trace,
        apart=walk.apart,
    )
    stream = stream_of("disclosure", walk.resident)
    overlay.append([(stream, DISCLOSURE.decide(order, None))], meta)
    return Recorded(overlay.position)
