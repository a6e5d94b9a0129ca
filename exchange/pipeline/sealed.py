"""What a seal takes out of sight: paths for the gate, whole collections for whatever looks at the state.

Promises: to who is no named reader a sealed collection is an empty one, in what is grouped, judged, told and
copied alike, and in what a command of his is decided on; what he does is folded onto the true state, which
named readers see and decide on. The record of the decision alone knows of the seal.

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
from exchange.domain.limits.seals import Seal
from exchange.domain.plan import as_seen
from exchange.pipeline.facts import PLAN_PREFIX, RESIDENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.gate.model import Field
    from exchange.pipeline.facts import Standing, Subject
    from exchange.pipeline.walk import Caller, CommandWalk, EvaluationWalk, Group, ReadWalk, View

NOTHING_SEALED: Final[frozenset[str]] = frozenset()
# Who does not see the goals does not see either that a support serves goals he does not see.
NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {"goals.goal_id": ("supports.goal_ids",)}
# As many as most residents who have seals have.
DECOYS: Final = (Seal("", tuple(f"decoy.{number}" for number in range(2)), (), ()),) * 2


class Sight(NamedTuple):
    """What a question is about as far as the caller can see: sealed collections are empty in it."""

    view: View
    groups: Sequence[Group]
    fields: Sequence[Field]
    hidden: frozenset[str]  # collections that are sealed to the caller


def sight_of(walk: ReadWalk | EvaluationWalk, view: View, subject: Subject, standing: Standing) -> Sight:
    """Take out of sight what is sealed to the caller."""
    resident = view.state(RESIDENT_PREFIX + subject.resident) if subject.resident else None
    sealed = sealed_paths(resident, walk.caller, standing.role)
    hidden = hidden_collections(walk.collections, sealed)
    # Leaves stay as they are: the gate judges them one by one, and nothing sealed is copied.
    seen = WithoutSealed(view, hidden)
    groups = walk.groups(seen, walk.fields)
    return Sight(seen, groups, seal_fields([group.fact for group in groups], sealed), hidden)


def decided_on(walk: CommandWalk, view: View, subject: Subject, standing: Standing) -> View:
    """Return what a command is decided on: sealed collections are empty in it, other sealed leaves blank."""
    resident = view.state(RESIDENT_PREFIX + subject.resident) if subject.resident else None
    if resident is None or not resident.seals:
        return view
    sealed = sealed_paths(resident, walk.caller, standing.role)
    return WithoutSealed(view, hidden_collections(walk.collections, sealed), sealed)


def sealed_paths(resident: Any, caller: Caller, role: str) -> frozenset[str]:  # noqa: ANN401 -- ResidentState
    """Return the paths that lie in a compartment the caller is no named reader of."""
    if resident is None:
        return NOTHING_SEALED
    names = {caller.recipient_id, f"{caller.recipient_id}/{caller.professional}"}
    seals = resident.seals
    # Who has no seal, or one, is looked through like who has two: decoys that hide nothing fill the places.
    looked_through = (*seals, *DECOYS[len(seals) :])
    return frozenset(
        path
        for seal in looked_through
        if names.isdisjoint(seal.readers) and not (role and role in seal.reader_roles)
        for sealed in seal.paths
        for path in (sealed, *NAMED_BY.get(sealed, ()))
    )


def seal_fields(fields: Sequence[Field], paths: frozenset[str]) -> Sequence[Field]:
    """Mark the fields of sealed paths; as many steps where nothing is sealed."""
    return [with_changes(field, sealed=field.name.partition("[")[0] in paths) for field in fields]


def hidden_collections(collections: Mapping[str, frozenset[str]], paths: frozenset[str]) -> frozenset[str]:
    """Return the collections of which every leaf is sealed."""
    return frozenset(name for name, leaves in collections.items() if leaves <= paths)


class WithoutSealed:
    """A view in which what is sealed of plans is not there: a walk is about one resident's."""

    def __init__(self, view: View, hidden: frozenset[str], leaves: frozenset[str] = NOTHING_SEALED) -> None:
        self._view = view
        self._hidden = hidden
        self._leaves = leaves

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, without what is sealed."""
        state = self._view.state(stream)
        if state is None or not stream.startswith(PLAN_PREFIX):
            return state
        return as_seen(state, self._hidden, self._leaves)

    def version(self, stream: str) -> int:
        """Return the version: it counts what was written, seen or not."""
        return self._view.version(stream)

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""
        return self._view.scope(resident)
