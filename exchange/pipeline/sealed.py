"""What a seal takes out of sight: paths for the gate; collections and links for whatever looks at the state.

Promises: to who is no named reader a sealed collection is an empty one, in what is grouped, judged, told and
copied alike, and in what a command of his is decided on; what he does is folded onto the true state, which
named readers see and decide on. The record of the decision alone knows of the seal. Whose link with the case
is sealed is not there: not his people, his consents, nor what he brought; a consent of his is nobody's. Only
to take a word back is it still found, by who has its id (GDPR 7(3)).

Time: a question takes the same steps where nothing is sealed. A command does not: of a resident who has no
seal at all it is decided on the very state, so that the common command pays nothing; of who has one it is
decided on a copy, some ten microseconds more, for named readers as for others; where leaves are sealed one by
one, two for each element of theirs as well. Commands of a group are answered together, after a commit that
takes milliseconds; nothing promises that nobody can measure it.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.kernel import with_changes
from exchange.domain.limits.links import NO_LINKS, is_link, links_sealed_to
from exchange.domain.limits.seals import Seal
from exchange.domain.plan import as_seen
from exchange.domain.unlinked import case_without, consent_without, resident_without
from exchange.pipeline.facts import (
    CASE_PREFIX,
    CONSENT_PREFIX,
    OWN_WORDS,
    PLAN_PREFIX,
    RESIDENT_PREFIX,
    Subject,
    subject_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.gate.model import Field
    from exchange.pipeline.facts import Standing
    from exchange.pipeline.walk import Caller, CommandWalk, EvaluationWalk, Group, ReadWalk, View, Walk

FUNDING_LEAVES: Final = (
    *("funding_id", "support_id", "cost_cents", "sources", "amounts_cents"),
    *("start_date", "end_date"),
)
NOTHING_SEALED: Final[frozenset[str]] = frozenset()
# Who does not see the goals does not see either that something serves goals he does not see, nor how far they
# are reached; who does not see a support does not see its money; what is kept now is kept of before.
NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "goals.goal_id": (
        "supports.goal_ids",
        "trajectories.goal_ids",
        "evaluations.goal_ids",
        "evaluations.scores",
    ),
    "supports.support_id": tuple(f"funding.{leaf}" for leaf in FUNDING_LEAVES),
    "situations.score": ("situations.earlier_scores",),
    "situations.judge_date": ("situations.earlier_judge_dates",),
    "trajectories.step": ("trajectories.earlier_steps",),
    "trajectories.since_date": ("trajectories.earlier_dates",),
}
# As many as most residents who have seals have.
DECOYS: Final = (Seal("", tuple(f"decoy.{number}" for number in range(2)), (), ()),) * 2


class Sight(NamedTuple):
    """What a question is about as far as the caller can see: sealed collections are empty in it."""

    view: View
    groups: Sequence[Group]
    fields: Sequence[Field]
    hidden: frozenset[str]  # collections that are sealed to the caller
    links: frozenset[str]  # recipients of whom he is not shown that they are on the case


def seen_subject(walk: Walk, view: View) -> Subject:
    """Return whom a walk is about; nobody, where the consent it asks about is behind a sealed link."""
    subject = subject_of(view, walk.anchor)
    if not subject.resident or not walk.anchor.startswith(CONSENT_PREFIX) or _takes_back(walk):
        return subject
    links = sealed_links(view.state(RESIDENT_PREFIX + subject.resident), walk.caller)
    hidden = bool(links) and consent_without(view.state(walk.anchor), links) is None
    return Subject("", "", subject.key) if hidden else subject


def sight_of(walk: ReadWalk | EvaluationWalk, view: View, subject: Subject, standing: Standing) -> Sight:
    """Take out of sight what is sealed to the caller."""
    resident = _resident(walk, view, subject)
    sealed = sealed_paths(resident, walk.caller, standing.role)
    hidden = hidden_collections(walk.collections, sealed)
    links = sealed_links(resident, walk.caller)
    # Leaves stay as they are: the gate judges them one by one, and nothing sealed is copied. What is computed
    # of them is no leaf: there they say nothing.
    blank = sealed if getattr(walk, "computed", False) else NOTHING_SEALED
    seen = WithoutSealed(view, hidden, blank, links=links, people=True)
    groups = walk.groups(seen, walk.fields)
    return Sight(seen, groups, seal_fields([group.fact for group in groups], sealed), hidden, links)


def decided_on(walk: CommandWalk, view: View, subject: Subject, standing: Standing) -> View:
    """Return what a command is decided on: sealed collections are empty in it, other sealed leaves blank."""
    resident = _resident(walk, view, subject)
    if resident is None or not resident.seals:
        return view
    sealed = sealed_paths(resident, walk.caller, standing.role)
    return WithoutSealed(
        view,
        hidden_collections(walk.collections, sealed),
        sealed,
        links=sealed_links(resident, walk.caller),
        shown=walk.anchor if _takes_back(walk) else "",
    )


def _resident(walk: Walk, view: View, subject: Subject) -> Any:  # noqa: ANN401 -- ResidentState, or None
    """Return whose seals count: also where the consent that is asked about was taken out of sight."""
    whose = subject.resident
    if not whose and walk.anchor.startswith(CONSENT_PREFIX):
        consent = view.state(walk.anchor)
        whose = "" if consent is None else consent.resident
    return view.state(RESIDENT_PREFIX + whose) if whose else None


def _takes_back(walk: Walk) -> bool:
    return bool(getattr(walk, "takes_back", False)) and walk.caller.task in OWN_WORDS


def _looked_through(resident: Any) -> tuple[Seal, ...]:  # noqa: ANN401 -- ResidentState
    """Return the seals; who has none, or one, is looked through like who has two: decoys hide nothing."""
    return (*resident.seals, *DECOYS[len(resident.seals) :])


def sealed_links(resident: Any, caller: Caller) -> frozenset[str]:  # noqa: ANN401 -- ResidentState, or None
    """Return the recipients of whom the caller is not shown that they are on the case."""
    if resident is None:
        return NO_LINKS
    return links_sealed_to(_looked_through(resident), caller.recipient_id, caller.professional)


def sealed_paths(resident: Any, caller: Caller, role: str) -> frozenset[str]:  # noqa: ANN401 -- ResidentState
    """Return the paths that lie in a compartment the caller is no named reader of."""
    if resident is None:
        return NOTHING_SEALED
    names = {caller.recipient_id, f"{caller.recipient_id}/{caller.professional}"}
    return frozenset(
        path
        for seal in _looked_through(resident)
        if names.isdisjoint(seal.readers) and not (role and role in seal.reader_roles)
        for sealed in seal.paths
        if not is_link(sealed)
        for path in (sealed, *NAMED_BY.get(sealed, ()))
    )


def seal_fields(fields: Sequence[Field], paths: frozenset[str]) -> Sequence[Field]:
    """Mark the fields of sealed paths; as many steps where nothing is sealed."""
    return [with_changes(field, sealed=field.name.partition("[")[0] in paths) for field in fields]


def hidden_collections(collections: Mapping[str, frozenset[str]], paths: frozenset[str]) -> frozenset[str]:
    """Return the collections of which every leaf is sealed."""
    return frozenset(name for name, leaves in collections.items() if leaves <= paths)


class WithoutSealed:
    """A view in which what is sealed is not there: a walk is about one resident's.

    `people` says that representatives are left out as well, which is for looking: who decides for the
    resident does so whoever recorded it. `shown` is a consent that is there all the same.
    """

    def __init__(
        self,
        view: View,
        hidden: frozenset[str],
        leaves: frozenset[str] = NOTHING_SEALED,
        *,
        links: frozenset[str] = NO_LINKS,
        people: bool = False,
        shown: str = "",
    ) -> None:
        self._view = view
        self._hidden = hidden
        self._leaves = leaves
        self._links = links
        self._people = people
        self._shown = shown

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, without what is sealed."""
        state = self._view.state(stream)
        if state is None:
            return None
        if stream.startswith(PLAN_PREFIX):
            return as_seen(state, self._hidden, self._leaves, self._links)
        return self._unlinked(stream, state) if self._links else state

    def _unlinked(self, stream: str, state: Any) -> Any:  # noqa: ANN401 -- as above
        if stream.startswith(CASE_PREFIX):
            return case_without(state, self._links)
        if stream.startswith(CONSENT_PREFIX) and stream != self._shown:
            return consent_without(state, self._links)
        if stream.startswith(RESIDENT_PREFIX) and self._people:
            return resident_without(state, self._links)
        return state

    def version(self, stream: str) -> int:
        """Return the version: it counts what was written, seen or not."""
        return self._view.version(stream)

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""
        streams = self._view.scope(resident)
        if not self._links:
            return streams
        return tuple(
            one for one in streams if not one.startswith(CONSENT_PREFIX) or self.state(one) is not None
        )
