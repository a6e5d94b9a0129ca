"""One walk: may you (gate), can it be (domain), seal, leave; then the recorded answer or the released groups.

Promises: the gate is asked before anything else of the request is judged; a refusal is recorded as a permit
is; a read releases only groups the verdict released, and all or nothing unless the caller allows part.
Source: the design's walk; GDPR 5(1)(c), 5(2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.values import task_of
from exchange.errors import AccessDenied, CallerUnknown, ExchangeError, RuleBroken, VersionConflict
from exchange.gate.explain import explain, obligations_for_requester, rules_for_requester
from exchange.gate.judge import judge
from exchange.gate.model import Outcome
from exchange.pipeline.answers import refusal_error
from exchange.pipeline.decisions import decided
from exchange.pipeline.facts import NOTHING_KNOWN, assemble, is_stranger, seal_fields, standing_of, subject_of
from exchange.pipeline.walk import CommandOutcome, ReadOutcome, ReadWalk, RefusalOutcome, StoredAnswer
from exchange.store.batch import Request
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.answers import Answers
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.verdicts import Verdicts
    from exchange.pipeline.walk import CommandWalk, Group, Steps, Walk

UNKNOWN_RESIDENT: Final = "unknown"
WHOLE: Final = frozenset({Outcome.PERMIT, Outcome.PERMIT_BREAK_GLASS})


class Permit(NamedTuple):
    """A permit of a command: its own events name it, so its facts are not kept."""

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


def run_command(
    walk: CommandWalk, overlay: Overlay, verdicts: Verdicts, answers: Answers, fresh_id: Callable[[], bytes]
) -> CommandOutcome | ExchangeError:
    """Return the outcome, or the error to answer with. Raises ExchangeError where nothing is recorded."""
    # First: an answer given before is not for whose certificate or task has ended since.
    check_caller(walk, overlay)
    told = answers.in_memory(walk)
    if told is not None:
        return told
    subject = subject_of(overlay, walk.anchor)
    standing = standing_of(walk, overlay, subject)
    verdict, facts = verdicts.of_command(walk, standing)
    decision_id, position = fresh_id().hex(), overlay.position
    if verdict.outcome not in WHOLE:
        told = answers.recorded(walk)
        assert facts is not None
        judged = Judged(subject, facts, verdict, decision_id, position)
        return _refuse(walk, overlay, answers, judged, verdicts.register) if told is None else told
    try:
        _check_version(walk, overlay)
        steps = walk.process(overlay)
    except (RuleBroken, VersionConflict):
        # Perhaps this very command changed the state it is now refused on: then its answer is recorded.
        told = answers.recorded(walk)
        if told is not None:
            return told
        raise
    permit = Permit(verdict, decision_id, position)
    if any(events for _, events in steps.appends):
        count, entry = overlay.append(steps.appends, _meta(walk, permit))
    else:
        # Nothing changed; that it was asked and permitted is on record all the same.
        _, facts = verdicts.judged(walk, standing)
        judged = Judged(subject, facts, verdict, decision_id, position)
        count, entry = _decide(walk, overlay, judged, action="COMMAND", refused_whole=False)
    return _done(walk, overlay, answers, permit, steps, count=count, entry=entry)


def run_read(
    walk: ReadWalk, overlay: Overlay, register: Register, fresh_id: Callable[[], bytes]
) -> ReadOutcome | ExchangeError:
    """Return what may leave, with its decision recorded in the batch; or the refusal, recorded alike."""
    check_caller(walk, overlay)
    subject = subject_of(overlay, walk.anchor)
    groups = walk.groups(overlay, walk.fields)
    resident = overlay.state(stream_of("resident", subject.resident)) if subject.resident else None
    standing = standing_of(walk, overlay, subject)
    fields = seal_fields(resident, walk.caller, standing.role, [group.fact for group in groups])
    provider = _provider(overlay, walk.anchor) or walk.caller.task
    facts = assemble(walk, standing, fields, provider, register)
    verdict = judge(facts, register)
    judged = Judged(subject, facts, verdict, fresh_id().hex(), overlay.position)
    short = verdict.permitted and any(
        not (one.apart or verdict.fields[one.fact.name].release) for one in groups
    )
    refused_whole = short and not walk.allow_partial
    _decide(walk, overlay, judged, action=walk.action, refused_whole=refused_whole)
    if refused_whole or not verdict.permitted:
        return refusal_error(_refusal(walk, judged, _beside_apart(judged, groups, register), register))
    told, _ = _beside_apart(judged, groups, register)
    return _permitted(walk, overlay, groups, judged, told)


def check_caller(walk: Walk, overlay: Overlay) -> None:
    """Refuse a caller whose certificate or task ended, in the same order as everything else."""
    caller = walk.caller
    organisation = overlay.state(stream_of("organisation", caller.organisation))
    if organisation is None or organisation.left:
        raise CallerUnknown("this organisation is not registered")
    if not any(one.thumbprint == caller.thumbprint and not one.revoked for one in organisation.certificates):
        raise CallerUnknown("this certificate is not registered, or was revoked")
    if caller.task not in organisation.tasks:
        raise CallerUnknown("this organisation has not been granted this task", task=caller.task)


def _beside_apart(judged: Judged, groups: Sequence[Group], register: Register) -> tuple[Verdict, Facts]:
    """Return the judgement as if the rows kept apart were not there: all that the caller is told of it."""
    apart = {group.fact.name for group in groups if group.apart}
    if not apart:
        return judged.verdict, judged.facts
    fields = tuple(field for field in judged.facts.fields or () if field.name not in apart)
    facts = replace(judged.facts, fields=fields)
    return judge(facts, register), facts


def _permitted(
    walk: ReadWalk, overlay: Overlay, groups: Sequence[Group], judged: Judged, told: Verdict
) -> ReadOutcome:
    verdict = judged.verdict
    released = frozenset(name for name, one in verdict.fields.items() if one.release)
    hidden = {group.path for group in groups if "R26" in verdict.fields[group.fact.name].rules}
    given = {group.path for group in groups if group.fact.name in released}
    return ReadOutcome(
        decision_id=judged.decision_id,
        position=overlay.position,
        released=released,
        groups=groups,
        captured=walk.capture(overlay),
        verdict=verdict,
        withheld_paths=tuple(path for path in walk.fields if path not in given and path not in hidden),
        rules=rules_for_requester(told),
        obligations=obligations_for_requester(told),
        resident=judged.subject.resident,
    )


def _refuse(
    walk: CommandWalk, overlay: Overlay, answers: Answers, judged: Judged, register: Register
) -> AccessDenied:
    _decide(walk, overlay, judged, action="COMMAND", refused_whole=True)
    refusal = _refusal(walk, judged, (judged.verdict, judged.facts), register)
    text = answers.note(walk, StoredAnswer(refused=refusal))
    overlay.batch.requests.append(Request(walk.caller.organisation, walk.request_id, walk.content, text))
    return refusal_error(refusal)


def _decide(
    walk: Walk, overlay: Overlay, judged: Judged, *, action: str, refused_whole: bool
) -> tuple[int, bytes]:
    """Record a decision; return how many events that took, and the last leaf entry."""
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
    return overlay.append([(judged.stream, [event])], _meta(walk, judged))


def _refusal(
    walk: Walk, judged: Judged, beside_apart: tuple[Verdict, Facts], register: Register
) -> RefusalOutcome:
    verdict, facts = _for_stranger(walk, judged, register) or beside_apart
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
    if isinstance(walk, ReadWalk):
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
    entry: bytes,
) -> CommandOutcome:
    """Return the outcome, and note it as the answer to this request id.

    It took `count` events; `entry` is the last one's leaf.
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
        leaf_entry=entry,
    )
    # Recorded whole, so that a repeat after a restart gets the same bytes.
    text = answers.note(walk, StoredAnswer(done=outcome))
    overlay.batch.requests.append(Request(walk.caller.organisation, walk.request_id, walk.content, text))
    return outcome


def _check_version(walk: CommandWalk, overlay: Overlay) -> None:
    if walk.expected is None:
        return
    stream, expected = walk.expected
    found = overlay.version(stream)
    if found != expected:
        raise VersionConflict("somebody else was first", expected=str(expected), found=str(found))


def _provider(overlay: Overlay, anchor: str) -> str:
    state = overlay.state(anchor) if anchor else None
    return task_of(getattr(state, "origin", ""))


def _meta(walk: Walk, judged: Judged | Permit) -> Meta:
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
    )
