"""What a resident's streams hold behind the asked paths, in groups that the gate judges one by one.

Promises: a group is all elements of one path with one data category and one origin (the task that brought
them); a path without elements has a group too, so that it is judged as well; nothing is filtered by right.
Source: the gate's data model (fields with category and origin); GDPR 5(1)(b)-(c).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.values import origin_of, task_of
from exchange.gate.model import Field
from exchange.gate.vocabulary import ANY_ORIGIN
from exchange.pipeline.facts import law_of
from exchange.pipeline.walk import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

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
CACHED_GROUPS_MAX: Final = 8_192

Key = tuple[str, str]  # (data category, origin: task and organisation that brought the element)


@dataclass(frozen=True, slots=True)
class Label:
    """What the contract says of one leaf. The category "@life_domain" is that of the element itself."""

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


class PlanGroups:
    """Groups of plans; remembers the keys of collections already seen. Owned by the writer thread."""

    def __init__(self, labels: Mapping[str, Label], registers: Registers) -> None:
        self._labels = labels
        self._registers = registers
        # By stream: the keys of each collection, beside the very tuple they were taken from.
        self._seen: OrderedDict[str, dict[str, tuple[object, tuple[Key, ...]]]] = OrderedDict()
        self._collections = tuple(sorted({path.partition(".")[0] for path in labels if "." in path}))

    def of_plan(self, stream: str, asker: Asker) -> Groups:
        """Return the groups of one plan."""

        def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
            state = view.state(stream)
            holder = self._holder(stream, state, asker)
            found: list[Group] = []
            for path in paths:
                collection, inside, _ = path.partition(".")
                keys: tuple[Key, ...] = ()
                if state is not None and inside:
                    keys = self._keys(stream, collection, getattr(state, collection))
                found += groups_of(path, self._labels[path], keys, holder, self._others(asker))
            return found

        return groups

    def of_change(self, stream: str, collection: str, key: Key, asker: Asker) -> Groups:
        """Return the groups of one changed element: paths of its collection, and of the plan itself."""

        def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
            holder = self._holder(stream, view.state(stream), asker)
            found: list[Group] = []
            for path in paths:
                keys = (key,) if path.startswith(f"{collection}.") else ()
                found += groups_of(path, self._labels[path], keys, holder, self._others(asker))
            return found

        return groups

    def _others(self, asker: Asker) -> str:
        """Return who asks, where the claimed basis opens an organisation's own record only; else empty.

        The gate knows kinds of organisations: what another one of the caller's kind recorded must not
        pass for the caller's own.
        """
        basis = self._registers.now.find(asker.legal_basis, asker.now)
        if basis is None or basis.direction != "OBTAIN":
            return ""
        return origin_of(asker.caller.task, asker.caller.organisation)

    def _holder(self, stream: str, state: Any, asker: Asker) -> str:  # noqa: ANN401 -- PlanState, or None
        """Return the task that provides what is no element: the plan's own id and version, or nothing yet.

        Every task that brought something to the plan holds these alike, and so does who asks; the one that
        the claimed basis names is taken. Where it names none, the plan is of the task that opened it.
        """
        basis = self._registers.now.find(asker.legal_basis, asker.now)
        own = origin_of(asker.caller.task, asker.caller.organisation)
        if state is None:
            # About nobody: whom the basis names, so that only the missing relation speaks (R03).
            holders = [own, *sorted(basis.providers if basis is not None else ())]
        else:
            holders = [state.origin, own]
            for collection in self._collections:
                held = self._keys(stream, collection, getattr(state, collection))
                holders += [origin for _, origin in held]
        if basis is not None:
            any_law = ANY_ORIGIN in basis.acquired_for
            for holder in holders:
                task = task_of(holder)
                law = law_of(task)
                if task in basis.providers and (any_law or law is None or law in basis.acquired_for):
                    return holder
        return holders[0]

    def _keys(self, stream: str, collection: str, elements: tuple[Any, ...]) -> tuple[Key, ...]:
        seen = self._seen.get(stream)
        if seen is None:
            seen = self._seen[stream] = {}
            if len(self._seen) > CACHED_PLANS_MAX:
                self._seen.popitem(last=False)
        known = seen.get(collection)
        # The same tuple holds the same elements; a version number would not survive a dropped group.
        if known is None or known[0] is not elements:
            keys = dict.fromkeys((element.category, element.origin) for element in elements)
            known = seen[collection] = (elements, tuple(keys))
        return known[1]


def of_origin(labels: Mapping[str, Label], origin: str) -> Groups:
    """Return one group for each path, all of one origin: consents, a case, the log."""

    def groups(_view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        return [_group(path, labels[path], labels[path].category, origin, alone=True) for path in paths]

    return groups


def groups_of(path: str, label: Label, keys: tuple[Key, ...], origin: str, own: str = "") -> list[Group]:
    """Return the groups of one path whose elements have these keys; `own` as `PlanGroups` finds it."""
    if label.category == BY_LIFE_DOMAIN:
        merged = list(keys) or [(CATEGORY_WITHOUT_ELEMENTS, origin)]
    else:
        origins = dict.fromkeys(brought for _, brought in keys) or {origin: None}
        merged = [(label.category, brought) for brought in origins]
    alone = len(merged) == 1
    return [_group(path, label, category, brought, own, alone=alone) for category, brought in merged]


@lru_cache(maxsize=CACHED_GROUPS_MAX)
def _group(path: str, label: Label, category: str, origin: str, own: str = "", *, alone: bool) -> Group:
    name = path if alone else f"{path}[{category}|{origin}]"
    task = task_of(origin)
    foreign = bool(own) and task == task_of(own) and "@" in origin and origin != own
    fact = Field(
        name,
        category,
        secret=label.secret,
        third_party=label.third_party,
        staff_name=label.staff_name,
        provider=f"{OTHER_ORGANISATION}:{task}" if foreign else task,
        acquired_for=law_of(task),
    )
    return Group(path, fact, origin)
