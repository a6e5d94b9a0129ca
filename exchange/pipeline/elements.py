"""What a resident's streams hold behind the asked paths, in groups that the gate judges one by one.

Promises: a group is all elements of one path with one data category and one origin (the task that brought
them), within their term or past it; a path without elements has a group too, so that it is judged as well;
nothing is filtered by right; words are secret where the contract says that they can be and who recorded them
is bound to secrecy.
Source: the gate's data model (fields with category and origin); GDPR 5(1)(b)-(c).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.kernel import with_changes
from exchange.domain.values import origin_of, task_of
from exchange.gate.model import Field
from exchange.gate.vocabulary import ANY_ORIGIN, keeps_secret
from exchange.pipeline.collected import has_ended, held_in
from exchange.pipeline.facts import law_of
from exchange.pipeline.walk import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from exchange.gate.register import Register
    from exchange.pipeline.collected import Held, Key
    from exchange.pipeline.registers import Registers
    from exchange.pipeline.walk import Caller, View

    Groups = Callable[[View, tuple[str, ...]], Sequence[Group]]

BY_LIFE_DOMAIN: Final = "@life_domain"
# A plan without situations is judged like one whose situations are of the plan itself.
CATEGORY_WITHOUT_ELEMENTS: Final = "WMO-PLAN"
# The municipality is the controller of the log of decisions, whoever asked (GDPR 4(7), 5(2)).
KEEPER_OF_THE_LOG: Final = "college:WMO"
# No basis names this kind: an organisation's own basis never opens what another organisation recorded (R09).
OTHER_ORGANISATION: Final = "andere-organisatie"
CACHED_PLANS_MAX: Final = 1_024
# Of paths as callers name them: few ask alike, and nobody may fill the memory with his own order of them.
MADE_MAX: Final = 256
CACHED_GROUPS_MAX: Final = 8_192


@dataclass(frozen=True, slots=True)
class Label:
    """What the contract says of one leaf. The category "@life_domain" is that of the element itself.

    `secret` says that the leaf can hold words of somebody bound to secrecy, not that it always does.
    """

    category: str
    secret: bool = False
    third_party: bool = False
    staff_name: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a plan, on which claimed basis, and when."""

    caller: Caller
    legal_basis: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """What of a claim decides how elements are told to the gate.

    `own` is who asks, where the claimed basis opens an organisation's own record only; else empty. The gate
    knows kinds of organisations: what another one of the caller's kind recorded must not pass for the
    caller's own.
    """

    legal_basis: str = ""
    own: str = ""


NOTHING_CLAIMED: Final = Claimed()


def _collection_of(path: str) -> str:
    """Return the collection that a path is in; empty for what is of the plan itself."""
    collection, inside, _ = path.partition(".")
    return collection if inside else ""


@lru_cache(maxsize=MADE_MAX)
def _collections_of(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the collections that paths are in, each once."""
    return tuple(dict.fromkeys(name for path in paths if (name := _collection_of(path))))


def _over(group: Group, end: datetime | None) -> Group:
    """Return the group as one whose term has ended, under a name of its own."""
    fact = group.fact
    name = f"{group.path}[{fact.category}|{group.origin}|ended]"
    return Group(group.path, with_changes(fact, name=name, retention_end=end), group.origin)


class PlanGroups:
    """Groups of plans; remembers the keys of collections already seen. Owned by the writer thread."""

    def __init__(self, labels: Mapping[str, Label], registers: Registers) -> None:
        self._labels = labels
        self._registers = registers
        # By stream and collection: what it holds, by the id of the very tuple it was taken from; newest last.
        self._seen: OrderedDict[str, dict[str, dict[int, Held]]] = OrderedDict()
        # By what alone they are made of: kinds of elements and who brought them, of whichever plan.
        self._made: dict[tuple[object, ...], tuple[Group, ...]] = {}
        self._collections = tuple(sorted({path.partition(".")[0] for path in labels if "." in path}))
        # Every leaf of each: where all of them are sealed there is nothing there.
        self.collections: Mapping[str, frozenset[str]] = {
            name: frozenset(path for path in labels if path.startswith(f"{name}."))
            for name in self._collections
        }

    def forget(self) -> None:
        """Forget what was held of any plan."""
        self._seen.clear()

    def of_plan(self, stream: str, asker: Asker) -> Groups:
        """Return the groups of one plan."""

        def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
            state = view.state(stream)
            holder = self._holder(stream, state, asker)
            claimed = self._claimed(asker)
            names = () if state is None else _collections_of(paths)
            of = {name: self._held(stream, name, state) for name in names}
            if any(one.earliest is not None and one.earliest <= asker.now for one in of.values()):
                return self._found(paths, of, asker.now, holder, claimed)
            place = (paths, tuple([one.keys for one in of.values()]), holder, claimed)
            made = self._made.get(place)
            if made is None:
                if len(self._made) >= MADE_MAX:
                    self._made.clear()
                made = self._made[place] = tuple(self._found(paths, of, asker.now, holder, claimed))
            return made

        return groups

    def _found(
        self, paths: tuple[str, ...], of: Mapping[str, Held], now: datetime, holder: str, claimed: Claimed
    ) -> list[Group]:
        """Return the groups of each path: of elements within their term, then of those past it."""
        found: list[Group] = []
        for path in paths:
            held = of.get(_collection_of(path))
            keys, ended = ((), ()) if held is None else held.at(now)
            if keys or not ended:
                found += groups_of(path, self._labels[path], keys, holder, claimed)
            if held is not None and ended:
                of_ended = groups_of(path, self._labels[path], ended, holder, claimed)
                found += [_over(group, held.earliest) for group in of_ended]
        return found

    def of_whole(self, stream: str, labels: Mapping[str, Label], asker: Asker) -> Groups:
        """Return the groups of what is computed of a plan: held as its own id and version are."""

        def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
            holder = self._holder(stream, view.state(stream), asker)
            claimed = self._claimed(asker)
            return [one for path in paths for one in groups_of(path, labels[path], (), holder, claimed)]

        return groups

    def of_change(self, stream: str, collection: str, key: Key, asker: Asker) -> Groups:
        """Return the groups of one changed element: paths of its collection, and of the plan itself."""

        def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
            holder = self._holder(stream, view.state(stream), asker)
            claimed = self._claimed(asker)
            found: list[Group] = []
            for path in paths:
                keys = (key,) if path.startswith(f"{collection}.") else ()
                found += groups_of(path, self._labels[path], keys, holder, claimed)
            return found

        return groups

    def _claimed(self, asker: Asker) -> Claimed:
        return claimed_by(asker, self._registers.now)

    def _holder(self, stream: str, state: Any, asker: Asker) -> str:  # noqa: ANN401 -- PlanState, or None
        """Return the task that provides what is no element: the plan's own id and version, or nothing yet.

        Every task that brought something to the plan holds these alike, and so does who asks; the one that
        the claimed basis names is taken. Where it names none, the plan is of the task that opened it.
        """
        basis = self._registers.now.find(asker.legal_basis, asker.now)
        own = origin_of(asker.caller.task, asker.caller.organisation)
        if basis is not None:
            any_law = ANY_ORIGIN in basis.acquired_for
            for holder in self._holders(stream, state, own, basis.providers):
                task = task_of(holder)
                law = law_of(task)
                if task in basis.providers and (any_law or law is None or law in basis.acquired_for):
                    return holder
        return own if state is None else str(state.origin)

    def _holders(
        self,
        stream: str,
        state: Any,  # noqa: ANN401 -- as above
        own: str,
        providers: frozenset[str],
    ) -> Iterator[str]:
        if state is None:
            # About nobody: whom the basis names, so that only the missing relation speaks (R03).
            yield own
            yield from sorted(providers)
            return
        yield state.origin
        yield own
        for collection, _ in self._filled(state):
            for _, origin in self._held(stream, collection, state).keys:
                yield origin

    def _filled(self, state: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:  # noqa: ANN401 -- as above
        """Return the collections of a plan that hold anything, with what they hold."""
        return ((name, held) for name in self._collections if (held := getattr(state, name)))

    def within_term(self, stream: str, state: Any, now: datetime) -> Any:  # noqa: ANN401 -- PlanState, or None
        """Return the state without the elements whose term has ended: they are judged, and never copied."""
        if state is None:
            return None
        changes = {}
        for collection, elements in self._filled(state):
            held = self._held(stream, collection, state)
            if held.earliest is not None and held.earliest <= now:
                changes[collection] = tuple(one for one in elements if not has_ended(one, now))
        return with_changes(state, **changes) if changes else state

    def _held(self, stream: str, collection: str, state: Any) -> Held:  # noqa: ANN401 -- PlanState
        seen = self._seen.get(stream)
        if seen is None:
            seen = self._seen[stream] = {}
            if len(self._seen) > CACHED_PLANS_MAX:
                self._seen.popitem(last=False)
        known = seen.get(collection)
        if known is None:
            known = seen[collection] = {}
        return held_in(known, getattr(state, collection), state.version)


def claimed_by(asker: Asker, register: Register) -> Claimed:
    """Return what the groups must know of a claim."""
    basis = register.find(asker.legal_basis, asker.now)
    records = basis is not None and basis.direction == "OBTAIN"
    own = origin_of(asker.caller.task, asker.caller.organisation) if records else ""
    return Claimed(asker.legal_basis, own)


def of_origin(labels: Mapping[str, Label], origin: str) -> Groups:
    """Return one group for each path, all of one origin: a case, the log."""

    def groups(_view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        return [_group(path, labels[path], labels[path].category, origin, alone=True) for path in paths]

    return groups


def of_log(labels: Mapping[str, Label], caller: Caller, readers: frozenset[str]) -> Groups:
    """Return the groups of what is recorded about whoever dealt with a resident, for tasks that may read it.

    No basis names the other kind: a basis on which a college records a limit opens no log.
    """
    return of_origin(labels, KEEPER_OF_THE_LOG if caller.task in readers else OTHER_ORGANISATION)


def of_rows(
    labels: Mapping[str, Label],
    origins: Callable[[View], Sequence[str]],
    asker: Asker,
    registers: Registers,
) -> Groups:
    """Return the groups of a list whose rows were brought by many, each path once for each origin.

    The caller's own origin always is one of them. Rows of the others are `apart`: who may not see them is
    answered as if they were not there.
    """
    own = origin_of(asker.caller.task, asker.caller.organisation)

    def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        # By the register of the walk: it may have changed since the call came in.
        claimed = claimed_by(asker, registers.now)
        others = [origin for origin in dict.fromkeys(origins(view)) if origin != own]
        found = []
        for path in paths:
            label = labels[path]
            found.append(_group(path, label, label.category, own, claimed, alone=True))
            for origin in others:
                group = _group(path, label, label.category, origin, claimed, alone=False)
                found.append(replace(group, apart=True))
        return found

    return groups


def held_as(consent: Any, caller: Caller) -> str:  # noqa: ANN401 -- ConsentState
    """Return the origin by which a consent is judged: who asked for it, or the caller whom it names.

    A recipient must be able to see the word it relies on (GDPR 7(1)).
    """
    if caller.recipient_id in consent.recipients:
        return origin_of(caller.task, caller.organisation)
    origin: str = consent.origin
    return origin


@lru_cache(maxsize=CACHED_GROUPS_MAX)
def groups_of(
    path: str, label: Label, keys: tuple[Key, ...], origin: str, claimed: Claimed = NOTHING_CLAIMED
) -> tuple[Group, ...]:
    """Return the groups of one path whose elements have these keys."""
    if label.category == BY_LIFE_DOMAIN:
        merged = list(keys) or [(CATEGORY_WITHOUT_ELEMENTS, origin)]
    else:
        origins = dict.fromkeys(brought for _, brought in keys) or {origin: None}
        merged = [(label.category, brought) for brought in origins]
    alone = len(merged) == 1
    return tuple(_group(path, label, category, brought, claimed, alone=alone) for category, brought in merged)


@lru_cache(maxsize=CACHED_GROUPS_MAX)
def _group(
    path: str,
    label: Label,
    category: str,
    origin: str,
    claimed: Claimed = NOTHING_CLAIMED,
    *,
    alone: bool,
) -> Group:
    name = path if alone else f"{path}[{category}|{origin}]"
    task, own = task_of(origin), claimed.own
    foreign = bool(own) and task == task_of(own) and "@" in origin and origin != own
    fact = Field(
        name,
        category,
        secret=label.secret and keeps_secret(task, claimed.legal_basis),
        third_party=label.third_party,
        staff_name=label.staff_name,
        provider=f"{OTHER_ORGANISATION}:{task}" if foreign else task,
        acquired_for=law_of(task),
    )
    return Group(path, fact, origin)
