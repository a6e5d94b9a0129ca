"""The plan as one recipient may see it: permitted leaf fields copied into a fresh message.

Promises: nothing is removed from a whole plan, everything is copied into an empty one; a field of a group
that was not released is never touched; an element appears only if at least one of its fields is released.
Source: the gate's design section 3; GDPR 5(1)(c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.errors import RequestInvalid
from exchange.pipeline.elements import BY_LIFE_DOMAIN
from exchange.pipeline.remembered import ByObject
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exchange.pipeline.collected import Key
    from exchange.pipeline.elements import Label
    from exchange.pipeline.walk import Group
    from exchange.server.contract.copies import Copy

GROUPS_KEPT_MAX: Final = 1_024
PLAN_LABELS: Final[Mapping[str, Label]] = labels_of(Plan.DESCRIPTOR)
COLLECTIONS: Final = frozenset(
    field.name for field in Plan.DESCRIPTOR.fields if field.message_type is not None
)
# Every leaf of each: where all of them are sealed there is nothing there.
PLAN_COLLECTIONS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(path for path in PLAN_LABELS if path.startswith(f"{name}.")) for name in COLLECTIONS
}


def plan_leaves(paths: Iterable[str], *, but: Callable[[str], bool] = lambda _path: False) -> tuple[str, ...]:
    """Return the leaf paths of what was named, `but` what is none and is taken as it is.

    Raises RequestInvalid naming what is not of the plan.
    """
    named = tuple(paths)
    faults = {
        f"paths[{index}]": "is no part of the plan"
        for index, path in enumerate(named)
        if not but(path) and path not in PLAN_LABELS and path not in PLAN_COLLECTIONS
    }
    if faults:
        raise RequestInvalid("paths are named that the plan does not have", fields=faults)
    found = (leaf for path in named for leaf in sorted(PLAN_COLLECTIONS.get(path, (path,))))
    return tuple(dict.fromkeys(found))


def build_plan(
    state: Any,  # noqa: ANN401 -- PlanState
    groups: Sequence[Group],
    released: frozenset[str],
    plan: Plan | None = None,
) -> Plan:
    """Return the released part of a plan; an empty one where there is no plan.

    It is built in `plan`, an empty one, where that is given.
    """
    plan = Plan() if plan is None else plan
    if state is None:
        return plan
    for collection, asked in (_asked_of(groups) if type(groups) is tuple else _asked(groups)).items():
        if not collection:
            for name, copy in asked.own:
                if name in released:
                    copy(state, plan)
            continue
        add = getattr(plan, collection).add
        by_key: dict[Key, list[Copy]] = {}
        for element in getattr(state, collection):
            key = element.category, element.origin
            copies = by_key.get(key)
            if copies is None:
                copies = by_key[key] = [copy for name, copy in asked.of(key) if name in released]
            if copies:
                message = add()
                for copy in copies:
                    copy(element, message)
    return plan


class Given(NamedTuple):
    """An element of an answer: its place in the collection, from 0, and its released leaves."""

    collection: str
    place: int
    element: Any
    leaves: frozenset[str]


def elements_given(state: Any, groups: Sequence[Group], released: frozenset[str]) -> Iterator[Given]:  # noqa: ANN401 -- PlanState
    """Yield each element of the plan that `build_plan` returns."""
    for collection, rights in _rights(groups, released).items():
        place = 0
        for element in getattr(state, collection) if collection else ():
            leaves = rights.leaves_of((element.category, element.origin))
            if leaves:
                yield Given(collection, place, element, leaves)
                place += 1


def build_change(
    element: Any,  # noqa: ANN401 -- any element of a plan, or None
    state: Any,  # noqa: ANN401 -- PlanState
    collection: str,
    groups: Sequence[Group],
    released: frozenset[str],
) -> Plan:
    """Return a plan with one element, and of that and the plan itself only what was released."""
    plan = Plan()
    rights = _rights(groups, released)
    if "" in rights:
        rights[""].copy_own(state, plan)
    if element is not None and collection in rights:
        add = getattr(plan, collection).add
        rights[collection].copy(element, (element.category, element.origin), add)
    return plan


def leaves_given(
    collection: str, groups: Sequence[Group], released: frozenset[str]
) -> Callable[[Key], frozenset[str]]:
    """Return what tells which leaves of an element with a key were released."""
    rights = _rights(groups, released).get(collection)
    return (lambda _key: frozenset()) if rights is None else rights.leaves_of


class _Asked:
    """What was asked of one collection: under which names its leaves were judged, and what copies each."""

    def __init__(self, collection: str) -> None:
        self._copies = _copies_of(collection)
        self._leaves: list[tuple[str, str, Key, str]] = []
        self._by_key: dict[Key, tuple[tuple[str, Copy], ...]] = {}

    def add(self, path: str, leaf: str, group: Group) -> None:
        self._leaves.append((path, leaf, (group.fact.category, group.origin), group.fact.name))

    @property
    def own(self) -> tuple[tuple[str, Copy], ...]:
        """What is of the plan itself: it is of no element, so its key is not looked at."""
        return tuple((name, self._copies[leaf]) for _path, leaf, _key, name in self._leaves)

    def of(self, key: Key) -> tuple[tuple[str, Copy], ...]:
        """Return the names under which an element with this key was judged, and what copies it under each."""
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = tuple(
                (name, self._copies[leaf])
                for path, leaf, judged, name in self._leaves
                if judged == _judged_as(path, key)
            )
        return found


def _asked(groups: Sequence[Group]) -> dict[str, _Asked]:
    """Return what was asked by collection; of the plan itself under the empty name."""
    found: dict[str, _Asked] = {}
    for group in groups:
        collection, inside, leaf = group.path.partition(".")
        if not inside:
            collection, leaf = "", collection
        asked = found.get(collection)
        if asked is None:
            asked = found[collection] = _Asked(collection)
        asked.add(group.path, leaf, group)
    return found


# Of the very groups, which are made once for all who ask alike of plans of alike elements.
_asked_of: Final = ByObject(_asked, GROUPS_KEPT_MAX)


def _copies_of(collection: str) -> Mapping[str, Copy]:
    field = Plan.DESCRIPTOR.fields_by_name.get(collection)
    message = None if field is None else field.message_type
    return copies_of(Plan.DESCRIPTOR if message is None else message)


def _judged_as(path: str, key: Key) -> Key:
    """Return the key under which an element's leaf was judged, found the way the groups were made."""
    label = PLAN_LABELS[path]
    return key[0] if label.category == BY_LIFE_DOMAIN else label.category, key[1]


def _rights(groups: Sequence[Group], released: frozenset[str]) -> dict[str, _Rights]:
    """Return released leaves by collection; those of the plan itself under the empty name."""
    found: dict[str, _Rights] = {}
    for group in groups:
        if group.fact.name in released:
            collection, inside, leaf = group.path.partition(".")
            if not inside:
                collection, leaf = "", collection
            rights = found.get(collection)
            if rights is None:
                rights = found[collection] = _Rights(collection)
            rights.add(group.path, leaf, (group.fact.category, group.origin))
    return found


class _Rights:
    """Released leaves of one collection, by the key of the elements they are released of."""

    def __init__(self, collection: str) -> None:
        self._copies = _copies_of(collection)
        self._leaves: list[tuple[str, str, Key]] = []
        self._by_key: dict[Key, tuple[Copy, ...]] = {}

    def add(self, path: str, leaf: str, key: Key) -> None:
        self._leaves.append((path, leaf, key))

    def copy(self, element: Any, key: Key, target: Callable[[], Any]) -> None:  # noqa: ANN401 -- any element
        copies = self._by_key.get(key)
        if copies is None:
            copies = self._by_key[key] = tuple(self._released_of(key))
        if copies:
            message = target()
            for copy in copies:
                copy(element, message)

    def copy_own(self, state: Any, plan: Plan) -> None:  # noqa: ANN401 -- PlanState
        """Copy what is released of the plan itself: it is of no element, so its key is not looked at."""
        for _path, leaf, _key in self._leaves:
            self._copies[leaf](state, plan)

    def leaves_of(self, key: Key) -> frozenset[str]:
        """Return the names of the leaves that are released of an element with this key."""
        return frozenset(self._names_of(key))

    def _released_of(self, key: Key) -> Iterator[Copy]:
        return (self._copies[leaf] for leaf in self._names_of(key))

    def _names_of(self, key: Key) -> Iterator[str]:
        for path, leaf, released in self._leaves:
            if released == _judged_as(path, key):
                yield leaf
