"""One walk: may you (gate), can it be (domain), seal, leave; then the recorded answer or the released groups.

Promises: the gate is asked before anything else of the request is judged; a refusal is recorded as a permit
is; a read releases only groups the verdict released, and all or nothing unless the caller allows part.
Source: the design's walk; GDPR 5(1)(c), 5(2).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

from exchange.domain.obligations import GIVEN, NOTHING
from exchange.errors import AccessDenied, ExchangeError, RuleBroken, VersionConflict
from exchange.gate.judge import judge_and_tell, owing
from exchange.pipeline.answers import refusal_error
from exchange.pipeline.asked import asked_of
from exchange.pipeline.callers import check_caller
from exchange.pipeline.counterparts import Counterpart, first_of
from exchange.pipeline.facts import assemble, standing_of
from exchange.pipeline.moved import moved_since, tell_moved
from exchange.pipeline.sealed import decided_on, seen_subject, sight_of
from exchange.pipeline.telling import (
    WHOLE,
    Judged,
    Permit,
    meta_of,
    permitted,
    provider_of,
    record_decision,
    refusal_of,
    tell,
)
from exchange.pipeline.verdicts import ONLY_RECORDED
from exchange.pipeline.walk import (
    CommandOutcome,
    CommandWalk,
    ReadOutcome,
    StoredAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.gate.register import Register
    from exchange.pipeline.answers import Answers
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.sealed import Sight
    from exchange.pipeline.verdicts import Verdicts
    from exchange.pipeline.walk import ReadWalk, Steps, View
    from exchange.store.codec import Asked


def run_command(
    walk: CommandWalk, overlay: Overlay, verdicts: Verdicts, answers: Answers, fresh_id: Callable[[], bytes]
) -> CommandOutcome | ExchangeError:
    """Return the outcome, or the error to answer with. Raises ExchangeError where nothing is recorded."""
    # First: an answer given before is not for whose certificate or task has ended since.
    check_caller(walk.caller, overlay)
    told = answers.lately(walk)
    if told is not None:
        return told
    subject = seen_subject(walk, overlay)
    standing = verdicts.standings.of(walk, overlay, subject)
    verdict, facts = verdicts.of_command(walk, standing)
    decision_id, position = fresh_id().hex(), overlay.position
    if verdict.outcome not in WHOLE:
        told = answers.recorded(walk)
        assert facts is not None
        judged = Judged(subject, facts, verdict, decision_id, position)
        return _refuse(walk, overlay, answers, judged, verdicts.register) if told is None else told
    try:
        _check_version(walk, overlay)
        if (moved := moved_since(walk, overlay, verdicts.register, fresh_id)) is not None:
            return answers.recorded(walk) or tell_moved(moved, overlay)
        seen = decided_on(walk, overlay, subject, standing)
        along = _along(walk, seen, overlay, verdicts, fresh_id)
        steps = walk.process(seen)
    except (RuleBroken, VersionConflict):
        # Perhaps this very command changed the state it is now refused on: then its answer is recorded.
        told = answers.recorded(walk)
        if told is not None:
            return told
        raise
    if along is not None:
        _record_along(along, overlay)
        # That is about another: the own facts are what they were, and stand right before the own events.
        position = overlay.position
    permit = Permit(verdict, decision_id, position)
    changes = any(events for _, events in steps.appends)
    count = 0
    if not changes or verdict.obligations != ONLY_RECORDED:
        # Nothing changed, and that it was asked and permitted is on record all the same; or there are duties,
        # which stand in a decision of their own, so that somebody executes them.
        facts = verdicts.judged(walk, standing)[1] if facts is None else facts
        judged = Judged(subject, facts, verdict, decision_id, position)
        count = record_decision(walk, overlay, judged, action="COMMAND", refused_whole=False)
    if changes:
        # A decision of its own holds its facts; without one the events hold what they can be found by again.
        asked = None if count else asked_of(walk, subject, (*steps.unseen, *steps.appends))
        count = _append(walk, overlay, permit, steps, asked)
    return _done(walk, overlay, answers, permit, steps, count=count)


def _append(walk: CommandWalk, overlay: Overlay, permit: Permit, steps: Steps, asked: Asked | None) -> int:
    """Append what a command did, first what nobody is told of; return how many events are told of."""
    if any(events for _, events in steps.unseen):
        overlay.append(steps.unseen, meta_of(walk, permit, asked))
        asked = None
    return overlay.append(steps.appends, meta_of(walk, permit, asked))


def _along(
    asking: CommandWalk, seen: View, overlay: Overlay, verdicts: Verdicts, fresh_id: Callable[[], bytes]
) -> Counterpart | None:
    """Return who is asked along; judged and decided on as if the command were about him."""

    def judging(walk: CommandWalk) -> Judged:
        subject = seen_subject(walk, overlay)
        verdict, facts = verdicts.judged(walk, standing_of(walk, overlay, subject))
        return Judged(subject, facts, verdict, fresh_id().hex(), overlay.position)

    def processing(walk: CommandWalk, judged: Judged) -> Steps | None:
        # A permit that brings duties would be a record of its own, and one more where somebody was found.
        if judged.verdict.outcome not in WHOLE or judged.verdict.obligations != ONLY_RECORDED:
            return None
        standing = standing_of(walk, overlay, judged.subject)
        return walk.process(decided_on(walk, overlay, judged.subject, standing))

    if asking.others is None:
        return None
    # Not earlier than any command before it, as the one they are asked along with.
    walks = [replace(one, now=asking.now) for one in asking.others(seen)]
    return first_of(walks, judging, processing)


def _record_along(found: Counterpart, overlay: Overlay) -> None:
    walk, judged, steps = found
    if steps is None:
        record_decision(walk, overlay, judged, action="COMMAND", refused_whole=True)
        return
    overlay.append(steps.appends, meta_of(walk, judged, asked_of(walk, judged.subject, steps.appends)))


def run_read(
    walk: ReadWalk, overlay: Overlay, register: Register, fresh_id: Callable[[], bytes]
) -> ReadOutcome | ExchangeError:
    """Return what may leave, with its decision recorded in the batch; or the refusal, recorded alike."""
    check_caller(walk.caller, overlay)
    subject = seen_subject(walk, overlay)
    standing = standing_of(walk, overlay, subject)
    sight = sight_of(walk, overlay, subject, standing)
    provider = provider_of(overlay if subject.resident else sight.view, walk.anchor) or walk.caller.task
    facts = assemble(walk, standing, sight.fields, provider, register)
    verdict, unsealed = judge_and_tell(facts, register)
    judged = Judged(subject, facts, owing(verdict, unsealed), fresh_id().hex(), overlay.position, sight.shape)
    telling = tell(walk, judged, unsealed, sight.groups, register)
    refused_whole = unsealed.permitted and not telling.passes
    gives = telling.passes and _gives(walk, sight, judged)
    told = _otherwise(given=gives, recorded=judged.verdict.permitted & (not refused_whole))
    # Before the decision is recorded: what may not be recorded beside it (a share is used up) leaves nothing.
    beside = () if walk.beside is None or not telling.passes else walk.beside(overlay).appends
    record_decision(walk, overlay, judged, action=walk.action, refused_whole=refused_whole, answered=told)
    if not telling.passes:
        return refusal_error(refusal_of(walk, telling.shown, register))
    if any(events for _, events in beside):
        overlay.append(beside, meta_of(walk, judged))
    outcome = permitted(walk, overlay.position, sight, judged, telling, gives=gives)
    if walk.other is None:
        return outcome
    other = replace(walk.other(outcome.captured), now=walk.now)
    answer = run_read(other, overlay, register, fresh_id)
    return replace(outcome, beside=(other, answer)) if isinstance(answer, ReadOutcome) else outcome


def _gives(walk: ReadWalk, sight: Sight, judged: Judged) -> bool:
    """Tell whether a change is told: with a leaf of its part that changed; never where it is hidden."""
    if walk.change_of is None:
        return True
    part = f"{walk.change_of}." if walk.change_of else ""
    changed = walk.leaves_changed
    fields = judged.verdict.fields
    of_part = [group.path in changed if changed else group.path.startswith(part) for group in sight.groups]
    released = any(compress(of_part, [fields[group.fact.name].release for group in sight.groups]))
    return (walk.change_of not in sight.hidden) & released


def _otherwise(*, given: bool, recorded: bool) -> str:
    """Return how the caller was answered, where that is not what the record says: a seal is never told."""
    return ("", (NOTHING, GIVEN)[given])[given != recorded]


def _refuse(
    walk: CommandWalk, overlay: Overlay, answers: Answers, judged: Judged, register: Register
) -> AccessDenied:
    record_decision(walk, overlay, judged, action="COMMAND", refused_whole=True)
    refusal = refusal_of(walk, judged, register)
    answer = StoredAnswer(refused=refusal)
    answers.note(walk, answer)
    overlay.answer(walk, answer)
    return refusal_error(refusal)


def _done(
    walk: CommandWalk,
    overlay: Overlay,
    answers: Answers,
    permit: Permit,
    steps: Steps,
    *,
    count: int,
) -> CommandOutcome:
    """Return the outcome of so many events, and note it as the answer to this request id.

    The leaf of the last one is put into it when the group is whole.
    """
    position = overlay.position
    outcome = CommandOutcome(
        position=position,
        leaf_index=position - 1,
        leaves=count,
        at=walk.now,
        decision_id=permit.decision_id,
        versions={stream.partition("-")[0]: overlay.version(stream) for stream, _ in steps.appends},
        ids=dict(steps.ids),
    )
    # Recorded whole, so that a repeat after a restart gets the same bytes.
    answer = StoredAnswer(done=outcome)
    answers.note(walk, answer)
    overlay.answer(walk, answer)
    return outcome


def _check_version(walk: CommandWalk, overlay: Overlay) -> None:
    if walk.expected is None:
        return
    stream, expected = walk.expected
    found = overlay.version(stream)
    if found != expected:
        raise VersionConflict("somebody else was first", expected=str(expected), found=str(found))
