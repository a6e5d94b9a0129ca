"""What a seal takes out of sight: paths for the gate, whole collections for whatever looks at the state.

Promises: to who is no named reader a sealed collection is an empty one, in what is grouped, judged, told and
copied alike; the record of the decision alone knows of the seal. It is no quicker where nothing is sealed.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.kernel import with_changes
from exchange.domain.limits.seals import Seal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from exchange.gate.model import Field
    from exchange.pipeline.facts import Standing, Subject
    from exchange.pipeline.walk import Caller, EvaluationWalk, Group, ReadWalk, View

NOTHING_SEALED: Final[frozenset[str]] = frozenset()
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
    resident = view.state(stream_of("resident", subject.resident)) if subject.resident else None
    sealed = sealed_paths(resident, walk.caller, standing.role)
    hidden = hidden_collections(walk.collections, sealed)
    seen = WithoutSealed(view, walk.anchor, walk.collections, hidden)
    groups = walk.groups(seen, walk.fields)
    return Sight(seen, groups, seal_fields([group.fact for group in groups], sealed), hidden)


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
        for path in seal.paths
    )


def seal_fields(fields: Sequence[Field], paths: frozenset[str]) -> Sequence[Field]:
    """Mark the fields of sealed paths; as many steps where nothing is sealed."""
    return [with_changes(field, sealed=field.name.partition("[")[0] in paths) for field in fields]


def hidden_collections(collections: Mapping[str, frozenset[str]], paths: frozenset[str]) -> frozenset[str]:
    """Return the collections of which every leaf is sealed."""
    return frozenset(name for name, leaves in collections.items() if leaves <= paths)


class WithoutSealed:
    """A view in which the sealed collections of one stream's state are empty."""

    def __init__(self, view: View, stream: str, collections: Collection[str], hidden: frozenset[str]) -> None:
        self._view = view
        self._stream = stream
        self._collections = collections
        self._hidden = hidden

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, without what is sealed."""
        state = self._view.state(stream)
        if state is None or stream != self._stream:
            return state
        hidden = self._hidden
        kept = {name: () if name in hidden else getattr(state, name) for name in self._collections}
        return with_changes(state, **kept)

    def version(self, stream: str) -> int:
        """Return the version: it counts what was written, seen or not."""
        return self._view.version(stream)

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""
        return self._view.scope(resident)
