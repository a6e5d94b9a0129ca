"""What a command rests on, asked again: what changed since its caller looked, as far as he may read it.

Promises: what nobody is told was not read, and is not recorded; what is told is recorded as every read is.
Source: exchange/decisions/0080-versions-by-part.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from exchange.errors import VersionConflict
from exchange.gate.judge import judge_and_tell, owing
from exchange.pipeline.facts import assemble, standing_of
from exchange.pipeline.sealed import seen_subject, sight_of
from exchange.pipeline.telling import Judged, permitted, provider_of, record_decision, tell
from exchange.pipeline.walk import (
    CommandWalk,
    Differs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.gate.register import Register
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.walk import ReadWalk


class Moved(NamedTuple):
    """What changed of what a command rests on, as the question it was read by tells it now."""

    question: ReadWalk
    judged: Judged
    differs: Differs


def moved_since(
    walk: CommandWalk, overlay: Overlay, register: Register, fresh_id: Callable[[], bytes]
) -> Moved | None:
    """Ask again what the caller of a command saw; return what changed that he may read now, if anything.

    Nothing is recorded here: what nobody is told was not read.
    """
    if walk.seen is None:
        return None
    question = walk.seen.question
    subject = seen_subject(question, overlay)
    standing = standing_of(question, overlay, subject)
    sight = sight_of(question, overlay, subject, standing)
    sealed = frozenset(field.name.partition("[")[0] for field in sight.fields if field.sealed)
    if not walk.seen.moved(sight.view, sealed):
        return None
    provider = provider_of(overlay, question.anchor) or question.caller.task
    facts = assemble(question, standing, sight.fields, provider, register)
    verdict, unsealed = judge_and_tell(facts, register)
    judged = Judged(subject, facts, owing(verdict, unsealed), fresh_id().hex(), overlay.position)
    telling = tell(question, judged, unsealed, sight.groups, register)
    if not telling.passes:
        return None
    outcome = permitted(question, overlay.position, sight, judged, telling, gives=True)
    changes = walk.seen.told(outcome)
    return Moved(question, judged, Differs(outcome, changes)) if changes else None


def tell_moved(moved: Moved, overlay: Overlay) -> VersionConflict:
    """Record that the caller reads what changed, and tell it."""
    record_decision(moved.question, overlay, moved.judged, action=moved.question.action, refused_whole=False)
    outcome = replace(moved.differs.outcome, position=overlay.position)
    return VersionConflict(
        "what this rests on has changed since it was read", differs=moved.differs._replace(outcome=outcome)
    )
