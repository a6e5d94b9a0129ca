"""A question about a right: may this person do this? Judged and recorded as the doing is; releases nothing.

Promises: facts are those of the walk it asks about, from folded streams; who asks is told of himself, of a
colleague in his own task on a case he works on, or all as the privacy officer; what he may not be told, what
the exchange has no word for and what does not exist are answered alike, and that a colleague is family is
told as that he does not work there. A claim of emergency is not judged beforehand.
Source: AuthZEN Authorization API 1.0; GDPR 5(1)(f), 5(2), 39(1)(b).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exchange.domain import stream_of
from exchange.domain.case import has_relation
from exchange.domain.obligations import EVALUATE
from exchange.gate.explain import explain
from exchange.gate.judge import judge, judge_and_tell, owing
from exchange.pipeline.callers import check_caller
from exchange.pipeline.decisions import categories_of, decided
from exchange.pipeline.facts import NOTHING_KNOWN, assemble, standing_of
from exchange.pipeline.sealed import seen_subject, sight_of
from exchange.pipeline.telling import Judged, meta_of, provider_of, refusal_of, tell
from exchange.pipeline.walk import EvaluationOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.gate.model import Facts
    from exchange.gate.register import Register
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.telling import Telling
    from exchange.pipeline.walk import Caller, EvaluationWalk, Group, View

OFFICER: Final = "fg"
FAMILY: Final = "R32"
# The one answer to everything that is not for who asks: the words must not depend on what was asked.
NOT_TOLD: Final = "Geweigerd. Dit is niet bekend, of het is niet aan u om dit te vragen."
_encode: Final = msgspec.json.Encoder(order="sorted").encode
NOT_TOLD_REMEDY: Final = (
    "Vraag het over uzelf, of over een collega met uw taak bij een casus waar u zelf aan werkt."
)


def run_evaluation(
    walk: EvaluationWalk, overlay: Overlay, register: Register, fresh_id: Callable[[], bytes]
) -> EvaluationOutcome:
    """Return yes or no, its decision recorded in the batch. Raises CallerUnknown for who asks."""
    check_caller(walk.asker, overlay)
    subject = seen_subject(walk, overlay)
    told = walk.understood and may_be_told(walk, overlay, subject)
    facts, groups = _facts(walk, overlay if told else NOTHING_KNOWN, register)
    # The resident finds the question in his own log, also where who asked was told nothing of him.
    verdict, unsealed = judge_and_tell(facts, register)
    judged = Judged(subject, facts, owing(verdict, unsealed), fresh_id().hex(), overlay.position)
    telling = tell(walk, judged, unsealed, groups, register)
    permitted = told and telling.passes
    _record(walk, overlay, judged, permitted=permitted)
    reason = _reason(walk, telling, register) if told else _NO_REASON
    return EvaluationOutcome(
        decision=permitted,
        decision_id=judged.decision_id,
        position=overlay.position,
        rules=reason.rules,
        explanation=reason.explanation,
        remedies=reason.remedies,
        withheld_paths=reason.withheld_paths,
        resident=subject.resident,
    )


def may_be_told(walk: EvaluationWalk, view: View, subject: Subject) -> bool:
    """Tell whether who asks may know the answer at all.

    A recipient is an organisation and a task, and asks about its own people only: that another desk of the
    same organisation works on a case is the resident's to know. Within it a stranger to the case learns
    nothing of it by asking about a colleague: by the colleague's right the case would show.
    """
    asker, about = walk.asker, walk.caller
    employer = view.state(stream_of("organisation", about.organisation))
    if employer is None or employer.left or about.task not in employer.tasks:
        return False
    if asker.task == OFFICER:
        own = view.state(stream_of("organisation", asker.organisation))
        return about.organisation == asker.organisation or (own is not None and own.operator)
    if about.recipient_id != asker.recipient_id:
        return False
    if is_himself(asker, about):
        return True
    case = view.state(subject.case_stream) if subject.case_stream else None
    return has_relation(case, asker.organisation, asker.task, asker.professional, walk.now)


def is_himself(asker: Caller, about: Caller) -> bool:
    """Tell whether somebody asks about himself in the task he signed in for."""
    return (about.organisation, about.task, about.professional) == (
        asker.organisation,
        asker.task,
        asker.professional,
    )


class _Reason(NamedTuple):
    """What the answer says beside yes or no."""

    explanation: str
    rules: tuple[str, ...]
    remedies: tuple[str, ...]
    withheld_paths: tuple[str, ...]


_NO_REASON: Final = _Reason(NOT_TOLD, (), (NOT_TOLD_REMEDY,), ())


def _reason(walk: EvaluationWalk, telling: Telling, register: Register) -> _Reason:
    shown = telling.shown
    if FAMILY in shown.verdict.rules and not (
        is_himself(walk.asker, walk.caller) or walk.asker.task == OFFICER
    ):
        return _reason_of_stranger(walk, shown, register)
    if not (shown.verdict.permitted or telling.passes):
        refusal = refusal_of(walk, shown, register)
        return _Reason(refusal.explanation, refusal.rules, refusal.remedies, walk.fields)
    told = explain(shown.verdict, shown.facts, register)
    withheld = (name.partition("[")[0] for name, one in shown.verdict.fields.items() if not one.release)
    return _Reason(told.requester, shown.verdict.rules, tuple(told.remedies), tuple(dict.fromkeys(withheld)))


def _reason_of_stranger(walk: EvaluationWalk, shown: Judged, register: Register) -> _Reason:
    """Return what is said of a colleague who is family: what is said of one who does not work on the case."""
    apart = replace(shown.facts, relative_of_subject=False, case_relation=False, directly_involved=False)
    verdict = judge(apart, register)
    if verdict.permitted:
        # Where no part in the case is asked, nothing but the family refused it.
        return _NO_REASON
    refusal = refusal_of(walk, shown._replace(facts=apart, verdict=verdict), register)
    return _Reason(refusal.explanation, refusal.rules, refusal.remedies, walk.fields)


def _facts(walk: EvaluationWalk, view: View, register: Register) -> tuple[Facts, Sequence[Group]]:
    known = seen_subject(walk, view)
    standing = standing_of(walk, view, known)
    sight = sight_of(walk, view, known, standing)
    seen = view if known.resident else sight.view
    provider = walk.caller.task if walk.records else provider_of(seen, walk.anchor) or walk.caller.task
    return assemble(walk, standing, sight.fields, provider, register), sight.groups


def _record(walk: EvaluationWalk, overlay: Overlay, judged: Judged, *, permitted: bool) -> None:
    event = decided(
        decision_id=judged.decision_id,
        subject=judged.subject,
        caller=walk.asker,
        action=EVALUATE,
        facts=judged.facts,
        verdict=judged.verdict,
        facts_position=judged.position,
        refused_whole=judged.verdict.permitted & (not permitted),
        released_nothing=True,
    )
    meta = msgspec.structs.replace(
        meta_of(walk, judged, categories_of(judged.facts)),
        organisation=walk.asker.organisation,
        task=walk.asker.task,
        professional=walk.asker.professional,
        evaluated=_encode({**walk.evaluated, "decision": permitted}).decode(),
    )
    overlay.append([(judged.stream, [event])], meta)
