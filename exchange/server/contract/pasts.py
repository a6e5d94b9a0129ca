"""What is put before the gate of a plan's past, and what of it may be told: pages, differences, corrections.

Promises: what was corrected since is put right before it is judged, and told as corrected with the leaf
itself or not at all; two elements that differ in nothing that may be seen do not differ; a correction is an
entry of the leaves it changed, and of no other.
Source: GDPR 16; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.kernel import with_changes
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.rectified import NAMED_BY, Noted
from exchange.pipeline.collected import has_ended
from exchange.server.contract.changed import paths_of
from exchange.server.contract.names import set_time
from exchange.server.contract.plans import Given, build_change, elements_given, leaves_given
from exchange.v1 import history_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from exchange.pipeline.past_plans import Rectifying, Step
    from exchange.pipeline.walk import ReadOutcome

# What names an element beside who recorded it and when; of the others those two do.
_NAMES: Final = MappingProxyType(
    {
        **NAMED_BY,
        "preferences": "preference_id",
        "contributions": "contribution_id",
        "wishes": "wish_id",
        "matches": "match_id",
    }
)


class Happened(NamedTuple):
    """One entry of a timeline, with its element; `part` counts those that one event brought, from 0."""

    step: Step
    kind: str
    collection: str
    element: Any
    part: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among all that happened to the plan."""
        return self.step.version, self.part

    @property
    def leaves(self) -> frozenset[str]:
        """The leaves a correction changed; none where the whole element is what happened."""
        event, plan = self.step.event, self.step.state
        if not isinstance(event, PlanCorrected):
            return frozenset()
        return frozenset(path.partition(".")[2] for path in paths_of(event, self.step.version, plan))


def page_of(seen: Iterable[Happened], size: int, now: datetime) -> tuple[list[Happened], bool]:
    """Return what happened up to `size` entries that are within their term, and whether there is another one.

    What is past it is judged with them, as in the plan, and takes no place: it is never told.
    """
    page: list[Happened] = []
    room = size
    for one in seen:
        if not has_ended(one.element, now):
            if not room:
                return page, True
            room -= 1
        page.append(one)
    return page, False


class Whole(NamedTuple):
    """A plan as it was known at a moment, as it is judged."""

    plan: Any  # PlanState, or None

    @classmethod
    def of(cls, plan: Any, now: Any, rectifying: Rectifying) -> Whole:  # noqa: ANN401 -- PlanStates, or None
        """Return a plan as it was, by the corrections that stand in it now."""
        return cls(rectifying.plan(plan, now))


class Page(NamedTuple):
    """A page of a timeline, as it is judged: a plan of nothing but what its entries are about."""

    plan: Any  # PlanState, or None
    entries: tuple[Happened, ...]

    @classmethod
    def of(cls, happened: Sequence[Happened] | None, now: Any, rectifying: Rectifying) -> Page:  # noqa: ANN401 -- PlanState, or None
        """Return what happened, by the corrections that stand in the plan now."""
        if not happened:
            return cls(None, ())
        held: dict[str, list[Any]] = {name: [] for name in COLLECTIONS}
        entries, noted = [], Noted(now.corrections)
        for one in happened:
            element = rectifying.element(one.collection, one.element, one.step.version, noted)
            held[one.collection].append(element)
            entries.append(one._replace(element=element))
        plan = with_changes(happened[-1].step.state, **{name: tuple(some) for name, some in held.items()})
        return cls(plan, tuple(entries))

    def seen(self, links: frozenset[str]) -> list[Happened]:
        """Return the entries of what is left of the plan, without what those behind a sealed link did."""
        there = {id(one) for name in COLLECTIONS for one in getattr(self.plan, name, ())}
        return [one for one in self.entries if id(one.element) in there and one.step.by not in links]


class Difference(NamedTuple):
    """What differs between two moments, as it is judged: a plan of what is in one of them only."""

    plan: Any  # PlanStates, or None
    before: Any
    after: Any

    @classmethod
    def of(cls, plans: tuple[Any, Any] | None, now: Any, rectifying: Rectifying) -> Difference:  # noqa: ANN401 -- PlanState, or None
        """Compare two plans as they were, and return what differs by the corrections that stand now."""
        was, became = plans or (None, None)
        before, after = rectifying.plan(was, now), rectifying.plan(became, now)
        if was is None or became is None:
            return cls(after if was is None else before, before, after)
        sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for name in COLLECTIONS:
            earlier, later = getattr(was, name), getattr(became, name)
            sides[0][name] = _only_here(earlier, later, getattr(before, name))
            sides[1][name] = _only_here(later, earlier, getattr(after, name))
        both = {name: sides[0][name] + sides[1][name] for name in COLLECTIONS}
        return cls(
            with_changes(after, **both), with_changes(before, **sides[0]), with_changes(after, **sides[1])
        )

    def seen(self, outcome: ReadOutcome, rectifying: Rectifying) -> tuple[Any, Any]:
        """Return both sides as far as they may be seen: without pairs that differ in nothing of that."""
        if self.plan is None or self.before is None or self.after is None:
            return (None, self.plan) if self.before is None else (self.plan, None)
        sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for name in COLLECTIONS:
            there = {id(one) for one in getattr(self.plan, name)}
            given = leaves_given(name, outcome.groups, outcome.released)
            before, after = (
                [
                    (self._told(name, one, given, outcome, rectifying), one)
                    for one in elements
                    if id(one) in there
                ]
                for elements in (getattr(self.before, name), getattr(self.after, name))
            )
            alike = {told for told, _ in before} & {told for told, _ in after}
            sides[0][name] = tuple(one for told, one in before if told not in alike)
            sides[1][name] = tuple(one for told, one in after if told not in alike)
        return with_changes(self.before, **sides[0]), with_changes(self.after, **sides[1])

    @staticmethod
    def _told(name: str, element: Any, given: Any, outcome: ReadOutcome, rectifying: Rectifying) -> Any:  # noqa: ANN401 -- any element; what tells its leaves
        """Return what is told of an element: which one it is, what its leaves say, what was corrected."""
        leaves = sorted(given((element.category, element.origin)))
        corrected = frozenset(
            one.version for one in rectifying.by(element, outcome.links) if one.field in leaves
        )
        named = getattr(element, _NAMES[name]) if name in _NAMES else ""
        which = (named, element.origin, element.recorded)
        return which, tuple(getattr(element, leaf) for leaf in leaves), corrected


def _only_here(mine: tuple[Any, ...], others: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what one plan held and the other did not, each as it is told."""
    there = set(others)
    return tuple(told for one, told in zip(mine, right, strict=True) if one not in there)


def corrected_later(
    plan: Any,  # noqa: ANN401 -- PlanState, or None
    outcome: ReadOutcome,
    rectifying: Rectifying,
) -> Iterator[pb.CorrectedLater]:
    """Yield what of a plan that was built of an outcome was corrected later."""
    if plan is None or not rectifying.took:
        return
    for one in elements_given(plan, outcome.groups, outcome.released):
        yield from _corrected(one, outcome, rectifying)


def entry_of(one: Happened, outcome: ReadOutcome, rectifying: Rectifying) -> pb.TimelineEntry | None:
    """Return an entry as it may be told; None where nothing of it is released."""
    leaves_of = leaves_given(one.collection, outcome.groups, outcome.released)
    leaves = leaves_of((one.element.category, one.element.origin))
    if not leaves or (one.leaves and one.leaves.isdisjoint(leaves)):
        return None
    change = build_change(one.element, one.step.state, one.collection, outcome.groups, outcome.released)
    entry = pb.TimelineEntry(kind=one.kind, change=change)
    given = Given(one.collection, 0, one.element, leaves)
    entry.corrected_later.extend(_corrected(given, outcome, rectifying))
    set_time(entry.record_time, one.step.at)
    return entry


def _corrected(given: Given, outcome: ReadOutcome, rectifying: Rectifying) -> Iterator[pb.CorrectedLater]:
    newest = {one.field: one for one in rectifying.by(given.element, outcome.links)}
    for one in newest.values():
        if one.field in given.leaves:
            told = pb.CorrectedLater(path=f"{given.collection}.{one.field}", element=given.place)
            if one.recorded is not None:
                set_time(told.correct_time, one.recorded)
            yield told
