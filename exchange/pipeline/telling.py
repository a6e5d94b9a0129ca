"""What came of a question to the gate: recorded, told to who asked, and what its events say of it.

Promises: what is sealed and what is absent are told alike, and a stranger is told what he would be told about
nobody; a refusal is recorded as a permit is.
Source: the design's walk; GDPR 5(1)(c), 5(2), 25.
"""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import timedelta
from itertools import compress
from operator import attrgetter, not_
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.kernel import maker
from exchange.domain.values import task_of
from exchange.gate import vocabulary as words
from exchange.gate.explain import explain, obligations_for_requester, rules_for_requester
from exchange.gate.judge import judge, judge_and_tell
from exchange.gate.model import Outcome
from exchange.pipeline.decisions import categories_of, decided
from exchange.pipeline.elements import CATEGORY_WITHOUT_ELEMENTS
from exchange.pipeline.facts import NOTHING_KNOWN, assemble, is_stranger, standing_of, subject_of
from exchange.pipeline.walk import (
    CommandWalk,
    ReadOutcome,
    RefusalOutcome,
)
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.gate.model import Facts, Field, Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.sealed import Sight
    from exchange.pipeline.shapes import Shape
    from exchange.pipeline.walk import EvaluationWalk, Group, ReadWalk, View, Walk
    from exchange.store.codec import Asked

UNKNOWN_RESIDENT: Final = "unknown"
# TTL-60M: what was given in an emergency is used for an hour; after it the same need is a new claim.
BREAK_GLASS_LASTS: Final = timedelta(minutes=60)
NOT_COVERED: Final = ("R10",)
_name_of, _path_of, _apart_of = attrgetter("fact.name"), attrgetter("path"), attrgetter("apart")
_release_of = attrgetter("release")
_made_outcome = maker(
    ReadOutcome, *(field.name for field in dataclass_fields(ReadOutcome) if field.name != "beside")
)
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
    shape: Shape | None = None  # of the fields of the facts, where it was found

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


def tell(
    walk: ReadWalk | EvaluationWalk,
    judged: Judged,
    unsealed: Verdict,
    groups: Sequence[Group],
    register: Register,
) -> Telling:
    """Return what the caller is told: sealed and absent alike, and nothing of the rows kept apart."""
    shown = judged._replace(verdict=unsealed)
    names = judged.shape.names if judged.shape is not None else [*map(_name_of, groups)]
    aside = [*map(_apart_of, groups)]
    if any(aside):
        apart = {*compress(names, aside)}
        own = tuple(field for field in judged.facts.fields or () if field.name not in apart)
        facts = replace(judged.facts, fields=own)
        shown = judged._replace(facts=facts, verdict=judge_and_tell(facts, register)[1], shape=None)
    fields = frozenset(compress(unsealed.fields, map(_release_of, unsealed.fields.values())))
    whole = fields.issuperset(compress(names, map(not_, aside)))
    return Telling(shown, fields, unsealed.permitted and (whole or walk.allow_partial))


def permitted(
    walk: ReadWalk, position: int, sight: Sight, judged: Judged, telling: Telling, *, gives: bool
) -> ReadOutcome:
    """Return what a question that was permitted releases; `gives` tells whether a change is told."""
    shown, fields = telling.shown.verdict, judged.verdict.fields
    told = {*compress(map(_path_of, sight.groups), map(telling.fields.__contains__, sight.shape.names))}
    ends = words.TTL_60M in shown.obligations
    outcome: ReadOutcome = _made_outcome(
        judged.decision_id,
        position,
        frozenset(compress(fields, map(_release_of, fields.values()))),
        sight.groups,
        walk.capture(sight.view),
        judged.verdict,
        tuple([path for path in walk.fields if path not in told]),
        rules_for_requester(shown),
        obligations_for_requester(shown),
        judged.subject.resident,
        sight.hidden,
        gives,
        sight.links,
        walk.now + BREAK_GLASS_LASTS if ends else None,
    )
    return outcome


def record_decision(
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
        shape=judged.shape,
    )
    categories = categories_of(judged.facts) if judged.shape is None else judged.shape.asked
    meta = meta_of(walk, judged, categories, answered)
    return overlay.append([(judged.stream, [event])], meta)


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
    verdict, facts = _about_nobody(walk, judged.facts.fields or (), register)
    # Where even a request about nobody passes, being refused tells it anyway: then with the true reason.
    return None if verdict.permitted else (verdict, facts)


def is_refused_of_anybody(walk: ReadWalk, register: Register) -> bool:
    """Tell whether a question is refused whomever it is about: then nobody has to be looked up for it.

    What has no category of its own where nothing is known may have one that the basis covers: there R10
    alone refuses nobody.
    """
    verdict, facts = _about_nobody(walk, (), register)
    open_still = {one.name for one in facts.fields or () if one.category == CATEGORY_WITHOUT_ELEMENTS}
    return not any(
        one.release or (one.rules == NOT_COVERED and name in open_still)
        for name, one in verdict.fields.items()
    )


def _about_nobody(walk: Walk, fields: Sequence[Field], register: Register) -> tuple[Verdict, Facts]:
    """Judge the same request about nobody; `fields` are those of a command, which writes the same of all."""
    if not isinstance(walk, CommandWalk):
        fields = [group.fact for group in walk.groups(NOTHING_KNOWN, walk.fields)]
    about_nobody = subject_of(NOTHING_KNOWN, walk.anchor)
    facts = assemble(walk, standing_of(walk, NOTHING_KNOWN, about_nobody), fields, walk.caller.task, register)
    return judge(facts, register), facts


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
