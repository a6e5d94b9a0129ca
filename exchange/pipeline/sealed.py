"""What a seal takes out of sight: paths for the gate; collections and links for whatever looks at the state.

Promises: to who is no named reader a sealed collection is an empty one, in what is grouped, judged, told and
copied alike, and in what a command of his is decided on; what he does is folded onto the true state, which
named readers see and decide on. The record of the decision alone knows of the seal. Whose link with the case
is sealed is not there: not his people, his consents, nor what he brought; a consent of his is nobody's. Only
to take a word back is it still found, by who has its id (GDPR 7(3)).

Time: questions and commands take the same instructions where nothing is sealed. What is kept from somebody is
looked up, not worked out (`domain/limits/compartments.py`); what he sees is made once for as long as it stays
the same, and of what changed only the collection that did is looked through again. There kept elements cost
their share, 0.3 microseconds each, and blank ones two; nothing promises that nobody can measure it.
Source: GDPR 32; the gate's design section 5 (uniform absence); exchange/decisions/0041-the-same-steps.md and
0069-the-same-instructions.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.limits.compartments import MEMBERSHIP, NOTHING_KEPT
from exchange.domain.plan import as_seen
from exchange.domain.plan.seen import Parts
from exchange.domain.unlinked import case_without, consent_without, resident_without
from exchange.pipeline.facts import (
    CASE_PREFIX,
    OWN_WORDS,
    PLAN_PREFIX,
    RESIDENT_PREFIX,
    Subject,
    subject_of,
)
from exchange.pipeline.heard import CONSENT_PREFIX
from exchange.pipeline.hot import SCOPE_PREFIX
from exchange.pipeline.past_plans import AsItWas
from exchange.pipeline.shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from exchange.domain.limits.compartments import Kept
    from exchange.gate.model import Field
    from exchange.pipeline.facts import Standing
    from exchange.pipeline.shapes import Shape
    from exchange.pipeline.walk import Caller, CommandWalk, EvaluationWalk, Group, ReadWalk, View, Walk

NOTHING_HIDDEN: Final[frozenset[str]] = frozenset()
# Of these streams a part can be kept.
MEMBERSHIP_PREFIX: Final = "membership-"
_WITH_PARTS: Final = (PLAN_PREFIX, CASE_PREFIX, CONSENT_PREFIX, RESIDENT_PREFIX, MEMBERSHIP_PREFIX)
# What is asked about by its own id, and can be out of sight whole.
_OUT_OF_SIGHT: Final = (CONSENT_PREFIX, MEMBERSHIP_PREFIX)


class Sight(NamedTuple):
    """What a question is about as far as the caller can see: sealed collections are empty in it."""

    view: View
    groups: Sequence[Group]
    fields: tuple[Field, ...]
    shape: Shape
    hidden: frozenset[str]  # collections that are sealed to the caller
    links: frozenset[str]  # recipients of whom he is not shown that they are on the case


def seen_subject(walk: Walk, view: View) -> Subject:
    """Return whom a walk is about; nobody, where the consent or membership it asks about is out of sight."""
    subject = subject_of(view, walk.anchor)
    if not subject.resident or not walk.anchor.startswith(_OUT_OF_SIGHT) or _takes_back(walk):
        return subject
    kept = kept_from(view.state(RESIDENT_PREFIX + subject.resident), walk.caller)
    seen = WithoutSealed(view, kept, walk.collections).state(walk.anchor)
    return Subject("", "", subject.key) if seen is None else subject


def sight_of(walk: ReadWalk | EvaluationWalk, view: View, subject: Subject, standing: Standing) -> Sight:
    """Take out of sight what is sealed to the caller."""
    kept = kept_from(_resident(walk, view, subject), walk.caller, standing.role)
    past = getattr(walk, "past", None)
    stands = view if past is None else AsItWas(view, walk.anchor, past)
    # Leaves stay as they are: the gate judges them one by one, and nothing sealed is copied. What is computed
    # of them is no leaf: there they say nothing.
    blank = getattr(walk, "computed", False)
    seen = WithoutSealed(stands, kept, walk.collections, blank=blank, people=True)
    groups = walk.groups(seen, walk.fields)
    shape = shape_of([group.fact for group in groups])
    fields = shape.sealed_by(kept.paths)
    return Sight(
        seen, groups, fields, shape, kept.collections if walk.collections else NOTHING_HIDDEN, kept.links
    )


def decided_on(walk: CommandWalk, view: View, subject: Subject, standing: Standing) -> View:
    """Return what a command is decided on: sealed collections are empty in it, other sealed leaves blank."""
    kept = kept_from(_resident(walk, view, subject), walk.caller, standing.role)
    shown = walk.anchor if _takes_back(walk) else ""
    return WithoutSealed(view, kept, walk.collections, blank=True, shown=shown)


def _resident(walk: Walk, view: View, subject: Subject) -> Any:  # noqa: ANN401 -- ResidentState, or None
    """Return whose seals count: also where what is asked about was taken out of sight."""
    whose = subject.resident
    if not whose and walk.anchor.startswith(_OUT_OF_SIGHT):
        asked = view.state(walk.anchor)
        whose = "" if asked is None else asked.resident
    return view.state(RESIDENT_PREFIX + whose) if whose else None


def _takes_back(walk: Walk) -> bool:
    return bool(getattr(walk, "takes_back", False)) and walk.caller.task in OWN_WORDS


def kept_from(resident: Any, caller: Caller, role: str = "") -> Kept:  # noqa: ANN401 -- ResidentState, or None
    """Return what is kept from the caller of whatever is about a resident."""
    if resident is None:
        return NOTHING_KEPT
    kept: Kept = resident.compartments.kept_from(caller.recipient_id, caller.professional, role)
    return kept


class WithoutSealed:
    """A view in which what is kept from somebody is not there: a walk is about one resident's.

    Collections are empty where the walk knows of any; `blank` says that other leaves say nothing. `people`
    says that representatives are left out as well, which is for looking: who decides for the resident does so
    whoever recorded it. `shown` is a consent or membership that is there all the same. What is seen is made
    once, and again when what it is made of changes: a look takes the same steps whatever was left out.
    """

    def __init__(
        self,
        view: View,
        kept: Kept,
        collections: Mapping[str, frozenset[str]],
        *,
        blank: bool = False,
        people: bool = False,
        shown: str = "",
    ) -> None:
        self._view = view
        self._kept = kept
        self._hidden = kept.collections if collections else NOTHING_HIDDEN
        self._blank = kept.paths if blank else NOTHING_HIDDEN
        self._people = people
        self._shown = shown
        self._name = (kept, bool(collections), blank, people, shown)

    @property
    def whole(self) -> View:
        """What is looked through: for what is asked about somebody else, whose own seals count there."""
        return self._view

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, without what is sealed."""
        state = self._view.state(stream)
        if state is None or not stream.startswith(_WITH_PARTS):
            return state
        return self._view.derive(stream, self._name, partial(self._seen, stream, state))

    def _seen(self, stream: str, state: Any, parts: dict[str, Any]) -> Any:  # noqa: ANN401 -- as above
        links = self._kept.links
        if stream.startswith(PLAN_PREFIX):
            return as_seen(state, self._hidden, self._blank, links, parts.setdefault(PLAN_PREFIX, Parts()))
        if stream.startswith(CASE_PREFIX):
            return case_without(state, links)
        if stream.startswith(CONSENT_PREFIX):
            return state if stream == self._shown else consent_without(state, links)
        if stream.startswith(MEMBERSHIP_PREFIX):
            return state if MEMBERSHIP not in self._kept.collections or stream == self._shown else None
        return resident_without(state, links) if self._people and links else state

    def version(self, stream: str) -> int:
        """Return the version: it counts what was written, seen or not."""
        return self._view.version(stream)

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""
        found: tuple[str, ...] = self._view.derive(
            SCOPE_PREFIX + resident, self._name, partial(self._linked, resident)
        )
        return found

    def _linked(self, resident: str, _parts: dict[str, Any]) -> tuple[str, ...]:
        streams = self._view.scope(resident)
        if not self._kept.links:
            return streams
        return tuple(
            one for one in streams if not one.startswith(CONSENT_PREFIX) or self.state(one) is not None
        )

    def derive(self, stream: str, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401, ARG002 -- whatever is made; what is seen is remembered below
        """Return what is made, made now."""
        return make({})
