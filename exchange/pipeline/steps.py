"""One walk: may you (gate), can it be (domain), seal, leave; then the recorded answer or the permitted groups.

Promises: the gate is asked before anything else of the request is judged; a refusal is recorded like a permit;
a read releases only groups the verdict released, and all or nothing unless the caller allows part.
Source: the design's walk; GDPR 5(1)(c), 5(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.errors import AccessDenied, CallerUnknown, ExchangeError, RuleBroken, VersionConflict
from exchange.gate.explain import explain, rules_for_requester
from exchange.gate.judge import judge
from exchange.gate.model import Field, Outcome
from exchange.pipeline.answers import refusal_error
from exchange.pipeline.decisions import decided
from exchange.pipeline.facts import assemble, law_of, seal_fields, subject_of
from exchange.pipeline.walk import CommandOutcome, ReadOutcome, RefusalOutcome, StoredAnswer
from exchange.store.batch import Request
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.answers import Answers
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.walk import CommandWalk, Group, ReadWalk, Walk

UNKNOWN_RESIDENT: Final = "unknown"
WHOLE: Final = frozenset({Outcome.PERMIT, Outcome.PERMIT_BREAK_GLASS})


def run_command(
    walk: CommandWalk, overlay: Overlay, register: Register, answers: Answers, fresh_id: Callable[[], bytes]
) -> CommandOutcome | ExchangeError:
    """Return the outcome, or the error to answer with. Raises ExchangeError for a refusal without an event."""
    told = answers.in_memory(walk)
    if told is not None:
        return told
    check_caller(walk, overlay)
    subject = subject_of(overlay, walk.anchor)
    law = law_of(walk.caller.task)
    fields = [
        Field(name, category, provider=walk.caller.task, acquired_for=law) for name, category in walk.fields
    ]
    facts = assemble(walk, overlay, subject, fields, walk.caller.task)
    verdict = judge(facts, register)
    decision_id = fresh_id().hex()
    if verdict.outcome not in WHOLE:
        told = answers.recorded(walk)
        return (
            told
            if told is not None
            else _refuse(walk, overlay, register, answers, subject, facts, verdict, decision_id)
        )
    try:
        _check_version(walk, overlay)
        steps = walk.process(overlay)
    except (RuleBroken, VersionConflict):
        # Perhaps this very command changed the state it is now refused on: then its answer is recorded.
        told = answers.recorded(walk)
        if told is not None:
            return told
        raise
    meta = _meta(walk, verdict, decision_id, overlay.position)
    return _record(walk, overlay, answers, steps.appends, dict(steps.ids), meta)


def run_read(
    walk: ReadWalk, overlay: Overlay, register: Register, fresh_id: Callable[[], bytes]
) -> ReadOutcome | ExchangeError:
    """Return what may leave, with its decision recorded in the batch; or the refusal, recorded alike."""
    check_caller(walk, overlay)
    subject = subject_of(overlay, walk.anchor)
    groups = walk.groups(overlay, walk.fields)
    resident = overlay.state(stream_of("resident", subject.resident)) if subject.resident else None
    fields = seal_fields(resident, walk.caller, [group.fact for group in groups])
    provider = _provider(overlay, walk.anchor) or walk.caller.task
    facts = assemble(walk, overlay, subject, fields, provider)
    verdict = judge(facts, register)
    decision_id = fresh_id().hex()
    short = verdict.permitted and verdict.outcome not in WHOLE
    refused_whole = short and not walk.allow_partial
    event = decided(
        decision_id=decision_id,
        subject=subject,
        caller=walk.caller,
        action=walk.action,
        facts=facts,
        verdict=verdict,
        facts_position=overlay.position,
        refused_whole=refused_whole,
    )
    stream = stream_of("disclosure", subject.resident or UNKNOWN_RESIDENT)
    overlay.append([(stream, [event])], _meta(walk, verdict, decision_id, overlay.position))
    if refused_whole or not verdict.permitted:
        return refusal_error(_refusal(verdict, facts, register, decision_id))
    return _permitted(walk, overlay, groups, verdict, decision_id, subject)


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


def _permitted(
    walk: ReadWalk,
    overlay: Overlay,
    groups: Sequence[Group],
    verdict: Verdict,
    decision_id: str,
    subject: Subject,
) -> ReadOutcome:
    released = frozenset(name for name, one in verdict.fields.items() if one.release)
    hidden = {group.path for group in groups if "R26" in verdict.fields[group.fact.name].rules}
    given = {group.path for group in groups if group.fact.name in released}
    return ReadOutcome(
        decision_id=decision_id,
        position=overlay.position,
        released=released,
        groups=groups,
        captured=walk.capture(overlay),
        verdict=verdict,
        withheld_paths=tuple(path for path in walk.fields if path not in given and path not in hidden),
        rules=rules_for_requester(verdict),
        obligations=tuple(verdict.obligations),
        resident=subject.resident,
    )


def _refuse(
    walk: CommandWalk,
    overlay: Overlay,
    register: Register,
    answers: Answers,
    subject: Subject,
    facts: Facts,
    verdict: Verdict,
    decision_id: str,
) -> AccessDenied:
    event = decided(
        decision_id=decision_id,
        subject=subject,
        caller=walk.caller,
        action="COMMAND",
        facts=facts,
        verdict=verdict,
        facts_position=overlay.position,
        refused_whole=True,
    )
    stream = stream_of("disclosure", subject.resident or UNKNOWN_RESIDENT)
    overlay.append([(stream, [event])], _meta(walk, verdict, decision_id, overlay.position))
    refusal = _refusal(verdict, facts, register, decision_id)
    text = answers.note(walk, StoredAnswer(refused=refusal))
    overlay.batch.requests.append(Request(walk.caller.organisation, walk.request_id, walk.content, text))
    return refusal_error(refusal)


def _refusal(verdict: Verdict, facts: Facts, register: Register, decision_id: str) -> RefusalOutcome:
    told = explain(verdict, facts, register)
    return RefusalOutcome(
        decision_id=decision_id,
        rules=rules_for_requester(verdict),
        explanation=told.requester,
        remedies=tuple(told.remedies),
        obligations=tuple(verdict.obligations),
    )


def _record(
    walk: CommandWalk,
    overlay: Overlay,
    answers: Answers,
    appends: Sequence[tuple[str, Sequence[Any]]],
    ids: dict[str, str],
    meta: Meta,
) -> CommandOutcome:
    touched = {stream for stream, events in appends if events}
    count, entry = overlay.append(appends, meta) if touched else (0, b"")
    position = overlay.position
    outcome = CommandOutcome(
        position=position,
        leaf_index=position - 1,
        leaves=count,
        at=walk.now,
        decision_id=meta.decision_id,
        versions={stream.partition("-")[0]: overlay.version(stream) for stream, _ in appends},
        ids=ids,
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
    origin: str = getattr(state, "origin", "")
    return origin


def _meta(walk: Walk, verdict: Verdict, decision_id: str, facts_position: int) -> Meta:
    caller = walk.caller
    basis = f"{verdict.basis_id}@{verdict.basis_version}" if verdict.basis_id else walk.claim.legal_basis
    return Meta(
        at=walk.now,
        organisation=caller.organisation,
        task=caller.task,
        professional=caller.professional,
        purpose=walk.claim.purpose,
        legal_basis=basis,
        decision_id=decision_id,
        policy_hash=verdict.policy_hash,
        facts_position=facts_position,
        necessity=walk.claim.necessity,
    )
