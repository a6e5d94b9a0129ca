"""One walk: may you (gate), can it be (domain), seal, leave; then the recorded answer or the released groups.

Promises: the gate is asked before anything else of the request is judged; a refusal is recorded as a permit
is; a read releases only groups the verdict released, and all or nothing unless the caller allows part.
Source: the design's walk; GDPR 5(1)(c), 5(2).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.obligations import GIVEN, NOTHING
from exchange.domain.values import task_of
from exchange.errors import AccessDenied, CallerUnknown, ExchangeError, RuleBroken, VersionConflict
from exchange.gate import vocabulary as words
from exchange.gate.explain import explain, obligations_for_requester, rules_for_requester
from exchange.gate.judge import judge, judge_and_tell, owing
from exchange.gate.model import Outcome
from exchange.pipeline.answers import refusal_error
from exchange.pipeline.asked import asked_of
from exchange.pipeline.decisions import decided
from exchange.pipeline.facts import NOTHING_KNOWN, assemble, is_stranger, standing_of, subject_of
from exchange.pipeline.sealed import decided_on, seen_subject, sight_of
from exchange.pipeline.verdicts import ONLY_RECORDED
from exchange.pipeline.walk import CommandOutcome, CommandWalk, ReadOutcome, RefusalOutcome, StoredAnswer
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.domain.organisation import OrganisationState
    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.answers import Answers
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.sealed import Sight
    from exchange.pipeline.verdicts import Verdicts
    from exchange.pipeline.walk import Caller, EvaluationWalk, Group, ReadWalk, Steps, View, Walk
    from exchange.store.codec import Asked

UNKNOWN_RESIDENT: Final = "unknown"
# TTL-60M: what was given in an emergency is used for an hour; after it the same need is a new claim.
BREAK_GLASS_LASTS: Final = timedelta(minutes=60)
WHOLE: Final = frozenset({Outcome.PERMIT, Outcome.PERMIT_BREAK_GLASS})


class Permit(NamedTuple):
    """A permit of a command: its own events name it, and hold what its facts can be found by again."""

    verdict: Verdict
    decision_id: str
    position: int  # of the facts


class Judged(NamedTuple):
    """One request as the gate saw it."""

    subject: Subject
    facts: Facts
    verdict: Verdict
    decision_id: str
    position: int  # of the facts

    @property
    def stream(self) -> str:
        """Where the decision is recorded; residents nobody knows share one stream."""
        return stream_of("disclosure", self.subject.resident or UNKNOWN_RESIDENT)


class Telling(NamedTuple):
    """What the caller is told of a question: as if nothing were sealed, and without the rows kept apart.

    `fields` are released, or would be without a seal, by name, the rows kept apart among them; `passes` tells
    whether there is an answer, be it an empty one.
    """

    shown: Judged
    fields: frozenset[str]
    passes: bool


def run_command(
    walk: CommandWalk, overlay: Overlay, verdicts: Verdicts, answers: Answers, fresh_id: Callable[[], bytes]
) -> CommandOutcome | ExchangeError:
    """Return the outcome, or the error to answer with. Raises ExchangeError where nothing is recorded."""
    # First: an answer given before is not for whose certificate or task has ended since.
    check_caller(walk.caller, overlay)
    told = answers.in_memory(walk)
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
        steps = walk.process(decided_on(walk, overlay, subject, standing))
    except (RuleBroken, VersionConflict):
        # Perhaps this very command changed the state it is now refused on: then its answer is recorded.
        told = answers.recorded(walk)
        if told is not None:
            return told
        raise
    permit = Permit(verdict, decision_id, position)
    changes = any(events for _, events in steps.appends)
    count = 0
    if not changes or verdict.obligations != ONLY_RECORDED:
        # Nothing changed, and that it was asked and permitted is on record all the same; or there are duties,
        # which stand in a decision of their own, so that somebody executes them.
        facts = verdicts.judged(walk, standing)[1] if facts is None else facts
        judged = Judged(subject, facts, verdict, decision_id, position)
        count = _decide(walk, overlay, judged, action="COMMAND", refused_whole=False)
    if changes:
        # A decision of its own holds its facts; without one the events hold what they can be found by again.
        asked = None if count else asked_of(walk, subject, (*steps.unseen, *steps.appends))
        if any(events for _, events in steps.unseen):
            overlay.append(steps.unseen, meta_of(walk, permit, asked))
            asked = None
        count = overlay.append(steps.appends, meta_of(walk, permit, asked))
    return _done(walk, overlay, answers, permit, steps, count=count)


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
    judged = Judged(subject, facts, owing(verdict, unsealed), fresh_id().hex(), overlay.position)
    telling = tell(walk, judged, unsealed, sight.groups, register)
    refused_whole = unsealed.permitted and not telling.passes
    gives = telling.passes and _gives(walk, sight, judged)
    told = _otherwise(given=gives, recorded=judged.verdict.permitted and not refused_whole)
    # Before the decision is recorded: what may not be recorded beside it (a share is used up) leaves nothing.
    beside = () if walk.beside is None or not telling.passes else walk.beside(overlay).appends
    _decide(walk, overlay, judged, action=walk.action, refused_whole=refused_whole, answered=told)
    if not telling.passes:
        return refusal_error(refusal_of(walk, telling.shown, register))
    if any(events for _, events in beside):
        overlay.append(beside, meta_of(walk, judged))
    return _permitted(walk, overlay.position, sight, judged, telling, gives=gives)


def check_caller(caller: Caller, overlay: Overlay) -> None:
    """Refuse a caller whose certificate or task ended, in the same order as everything else."""
    refuse_ended(caller, overlay.state(stream_of("organisation", caller.organisation)))


def refuse_ended(caller: Caller, organisation: OrganisationState | None) -> None:
    """Refuse a caller whose organisation, as it stands, left or has the certificate or the task no more."""
    if organisation is None or organisation.left:
        raise CallerUnknown("this organisation is not registered")
    if not any(one.thumbprint == caller.thumbprint and not one.revoked for one in organisation.certificates):
        raise CallerUnknown("this certificate is not registered, or was revoked")
    if caller.task not in organisation.tasks:
        raise CallerUnknown("this organisation has not been granted this task", task=caller.task)


def tell(
    walk: ReadWalk | EvaluationWalk,
    judged: Judged,
    unsealed: Verdict,
    groups: Sequence[Group],
    register: Register,
) -> Telling:
    """Return what the caller is told: sealed and absent alike, and nothing of the rows kept apart."""
    shown = judged._replace(verdict=unsealed)
    apart = {group.fact.name for group in groups if group.apart}
    if apart:
        own = tuple(field for field in judged.facts.fields or () if field.name not in apart)
        facts = replace(judged.facts, fields=own)
        shown = judged._replace(facts=facts, verdict=judge_and_tell(facts, register)[1])
    fields = frozenset(name for name, one in unsealed.fields.items() if one.release)
    whole = all(group.apart or group.fact.name in fields for group in groups)
    return Telling(shown, fields, unsealed.permitted and (whole or walk.allow_partial))


def _gives(walk: ReadWalk, sight: Sight, judged: Judged) -> bool:
    """Tell whether a change is told: with a leaf of its part, or the very one; never where it is hidden."""
    if walk.change_of is None:
        return True
    collection, leaf, _ = walk.change_of.partition(".")
    part = f"{collection}." if collection else ""
    fields = judged.verdict.fields
    released = [group.path for group in sight.groups if fields[group.fact.name].release]
    if collection in sight.hidden:
        return False
    return walk.change_of in released if leaf else any(path.startswith(part) for path in released)


def _otherwise(*, given: bool, recorded: bool) -> str:
    """Return how the caller was answered, where that is not what the record says: a seal is never told."""
    if given == recorded:
        return ""
    return GIVEN if given else NOTHING


def _permitted(
    walk: ReadWalk, position: int, sight: Sight, judged: Judged, telling: Telling, *, gives: bool
) -> ReadOutcome:
    shown = telling.shown.verdict
    told = {group.path for group in sight.groups if group.fact.name in telling.fields}
    ends = words.TTL_60M in shown.obligations
    return ReadOutcome(
        decision_id=judged.decision_id,
        position=position,
        released=frozenset(name for name, one in judged.verdict.fields.items() if one.release),
        groups=sight.groups,
        captured=walk.capture(sight.view),
        verdict=judged.verdict,
        withheld_paths=tuple(path for path in walk.fields if path not in told),
        rules=rules_for_requester(shown),
        obligations=obligations_for_requester(shown),
        resident=judged.subject.resident,
        hidden=sight.hidden,
        gives=gives,
        links=sight.links,
        valid_until=walk.now + BREAK_GLASS_LASTS if ends else None,
    )


def _refuse(
    walk: CommandWalk, overlay: Overlay, answers: Answers, judged: Judged, register: Register
) -> AccessDenied:
    _decide(walk, overlay, judged, action="COMMAND", refused_whole=True)
    refusal = refusal_of(walk, judged, register)
    answer = StoredAnswer(refused=refusal)
    answers.note(walk, answer)
    overlay.answer(walk, answer)
    return refusal_error(refusal)


def _decide(
    walk: Walk, overlay: Overlay, judged: Judged, *, action: str, refused_whole: bool, answered: str = ""
) -> int:
    """Record a decision; return how many events that took."""
    event = decided(
        decision_id=judged.decision_id,
        subject=judged.subject,
        caller=walk.caller,
        action=action,
        facts=judged.facts,
        verdict=judged.verdict,
        facts_position=judged.position,
        refused_whole=refused_whole,
    )
    return overlay.append([(judged.stream, [event])], meta_of(walk, judged, answered=answered))


def refusal_of(walk: Walk, judged: Judged, register: Register) -> RefusalOutcome:
    """Return what the caller is told of a refusal: to a stranger, as if it were about nobody."""
    verdict, facts = _for_stranger(walk, judged, register) or (judged.verdict, judged.facts)
    told = explain(verdict, facts, register)
    return RefusalOutcome(
        decision_id=judged.decision_id,
        rules=rules_for_requester(verdict),
        explanation=told.requester,
        remedies=tuple(told.remedies),
        obligations=obligations_for_requester(verdict),
    )


def _for_stranger(walk: Walk, judged: Judged, register: Register) -> tuple[Verdict, Facts] | None:
    """Return the refusal of the same request about nobody: no rule may tell a stranger who is known."""
    if not judged.subject.resident or not is_stranger(judged.facts):
        return None
    fields = judged.facts.fields or ()
    if not isinstance(walk, CommandWalk):
        fields = tuple(group.fact for group in walk.groups(NOTHING_KNOWN, walk.fields))
    about_nobody = subject_of(NOTHING_KNOWN, walk.anchor)
    facts = assemble(walk, standing_of(walk, NOTHING_KNOWN, about_nobody), fields, walk.caller.task, register)
    verdict = judge(facts, register)
    # Where even a request about nobody passes, being refused tells it anyway: then with the true reason.
    return None if verdict.permitted else (verdict, facts)


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


def provider_of(view: View, anchor: str) -> str:
    """Return the task that what is asked about comes from, empty where nothing is known of it."""
    state = view.state(anchor) if anchor else None
    return task_of(getattr(state, "origin", ""))


def meta_of(walk: Walk, judged: Judged | Permit, asked: Asked | None = None, answered: str = "") -> Meta:
    """Return what the events of a walk say of it."""
    caller, verdict = walk.caller, judged.verdict
    basis = f"{verdict.basis_id}@{verdict.basis_version}" if verdict.basis_id else walk.claim.legal_basis
    return Meta(
        at=walk.now,
        organisation=caller.organisation,
        task=caller.task,
        professional=caller.professional,
        purpose=walk.claim.purpose,
        legal_basis=basis,
        decision_id=judged.decision_id,
        policy_hash=verdict.policy_hash,
        facts_position=judged.position,
        necessity=walk.claim.necessity,
        trace=walk.trace,
        asked=asked,
        answered=answered,
        signed=walk.signed if isinstance(walk, CommandWalk) else None,
    )
