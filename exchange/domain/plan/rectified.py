"""What was corrected in a plan: noted beside it, so that nobody who looks back is handed what was wrong.

Promises: of what was corrected after a moment the newest value stands in the place of what stood there then,
and it is told that something else did; only what is right is kept here, and of a number or day that came to
stand among the earlier ones of an element what it was, by which it is found. What other events set anew, such
as days of care, is corrected from when what was wrong came to stand there: in nothing that stood before it.
What the resident says beside an element completes it, and stands beside what it was before he said so.
Source: GDPR 5(1)(d), 16; exchange/decisions/0070-nobody-reads-what-was-corrected.md.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from heapq import merge
from itertools import takewhile, zip_longest
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from exchange.domain.kernel import quickly_made, with_changes

# What names an element within its collection, beside who recorded it. What the resident said of the plan is
# no record of another about him: he says it anew.
NAMED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reports": "report_id",
        "conversations": "conversation_id",
        "situations": "life_domain",
        "goals": "goal_id",
        "lens_assessments": "law",
        "rule_conflicts": "conflict_id",
        "supports": "support_id",
        "funding": "funding_id",
        "trajectories": "trajectory_id",
        "evaluations": "evaluation_id",
        "signals": "signal_id",
    }
)
# By collection, what is written anew with what it was before kept beside it: the day first, which tells them
# apart, then what stood then.
_KEPT_BEFORE: Final[Mapping[str, tuple[tuple[str, str], tuple[str, str]]]] = MappingProxyType(
    {
        "situations": (("judge_date", "earlier_judge_dates"), ("score", "earlier_scores")),
        "trajectories": (("since_date", "earlier_dates"), ("step", "earlier_steps")),
    }
)


class Former(NamedTuple):
    """What is found among the earlier ones of an element, and stood in it once: on which day, and what.

    `place` is which of them it was, counted from 0, where another one is alike; else nothing.
    """

    day: str
    stood: int | str
    place: int | None
    says: int | str

    def is_at(self, day: str, stood: Any, place: int) -> bool:  # noqa: ANN401 -- a number, or a day as it is kept
        """Tell whether it is the one of this day, with that many before it."""
        return (self.day, self.stood) == (day, stood) and self.place in (None, place)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A field of an element says `value` from this version of the plan on.

    `element_recorded` is when the element was recorded, `recorded` when it was corrected, `by` the recipient
    that corrected it, as a seal names it. `since` is the version at which what was wrong came to stand there.
    With `formers` it is of those alone, before `since`, in whichever element of that name they stood; `field`
    is what each stood in while it was the newest.
    """

    version: int
    collection: str
    name: str
    origin: str
    element_recorded: datetime | None
    field: str
    value: Any
    since: int
    by: str
    formers: tuple[Former, ...] = ()
    recorded: datetime | None = None

    def finds(self, collection: str, element: Any) -> bool:  # noqa: ANN401 -- any element of a plan
        """Tell whether this is the element it is about."""
        if collection != self.collection or self.element_recorded not in (None, element.recorded):
            return False
        return (getattr(element, NAMED_BY[collection]), element.origin) == (self.name, self.origin)

    def puts_right(self, element: Any, version: int) -> Mapping[str, Any]:  # noqa: ANN401 -- the element it is about
        """Return what it changes in the element as of a version of before it, by field."""
        if self.formers:
            # From `since` on they stand among the earlier ones, which are put right whole.
            return _formerly(self, element) if version < self.since else {}
        return {self.field: self.value} if self.since <= version else {}


class Rectified(NamedTuple):
    """An element without what was wrong in it, and the corrections that took, oldest first."""

    element: Any
    by: tuple[Correction, ...]


class Noted:
    """The corrections of a plan by what they are of: an element looks at its own, however many there are."""

    def __init__(self, corrections: Iterable[Correction]) -> None:
        self._of: dict[tuple[str, str, str, datetime | None], list[Correction]] = {}
        for one in corrections:
            name = (one.collection, one.name, one.origin, one.element_recorded)
            self._of.setdefault(name, []).append(one)

    def since(self, version: int, collection: str, element: Any) -> Sequence[Correction]:  # noqa: ANN401 -- any element of a plan
        """Return those of an element of after a version of the plan, oldest first."""
        if collection not in NAMED_BY:
            return ()
        name = (collection, getattr(element, NAMED_BY[collection]), element.origin)
        own, any_of_it = (self._of.get((*name, at), ()) for at in (element.recorded, None))
        return since(tuple(merge(own, any_of_it, key=lambda one: one.version)), version)


def since(corrections: Sequence[Correction], version: int) -> tuple[Correction, ...]:
    """Return those of after a version of the plan."""
    return tuple(one for one in corrections if one.version > version)


def paths_at(corrections: Sequence[Correction], version: int) -> frozenset[str]:
    """Return the leaves that the correction of that version of the plan changed, with what followed it."""
    first = bisect_left(corrections, version, key=lambda one: one.version)
    of_it = takewhile(lambda one: one.version == version, corrections[first:])
    return frozenset(f"{one.collection}.{one.field}" for one in of_it if not one.formers)


def rectified(
    collection: str,
    element: Any,  # noqa: ANN401 -- any element of a plan
    version: int,
    corrections: Iterable[Correction],
) -> Rectified:
    """Return the element of a version as it may be read, by all corrections of after it, oldest first."""
    taken = []
    for one in corrections:
        changes = one.puts_right(element, version) if one.finds(collection, element) else {}
        if changes:
            element = with_changes(element, **changes)
            taken += [with_changes(one, field=field, value=value) for field, value in changes.items()]
    return Rectified(element, tuple(taken))


def said_now(
    element: Any,  # noqa: ANN401 -- a support
    field: str,
    value: Any,  # noqa: ANN401 -- what a field of it held
    version: int,
    corrections: Iterable[Correction],
) -> Any:  # noqa: ANN401 -- what it says
    """Return what a field of a support that held this at a version says by now, by all corrections after."""
    for one in corrections:
        if one.field == field and one.finds(one.collection, element) and one.since <= version:
            value = one.value
    return value


# --- noting ------------------------------------------------------------------------------------------


def noted(
    corrections: Sequence[Correction],
    head: Correction,
    element: Any,  # noqa: ANN401 -- the element as it was
    changes: Mapping[str, Any],
) -> Iterator[Correction]:
    """Yield what is noted of an element that was corrected, a note for each leaf that says something else.

    `head` says of all of them what is alike.
    """
    for field, value in changes.items():
        was = getattr(element, field)
        if was == value:
            continue
        stands = _stands_since(corrections, head.collection, element, field)
        yield with_changes(head, field=field, value=value, since=stands)
        for days, (newest, earlier) in _histories(head.collection):
            if earlier == field:
                # Of what came along from elsewhere they may not be as many: what has no day is found by none.
                stood = tuple(zip(getattr(element, days), was, strict=False))
                formers = tuple(
                    Former(*one, place if stood.count(one) > 1 else None, says)
                    for place, (one, says) in enumerate(zip(stood, value, strict=False))
                    if one[1] != says
                )
                yield with_changes(head, element_recorded=None, field=newest, since=stands, formers=formers)


def _stands_since(corrections: Sequence[Correction], collection: str, element: Any, field: str) -> int:  # noqa: ANN401 -- any element of a plan
    """Return the version of the plan at which came to stand there what a field says, but for corrections."""
    version: int = next((one.version for one in element.rewritten if one.leaf == field), element.written)
    for one in corrections[bisect_left(corrections, version, key=lambda each: each.version) :]:
        if one.version != version:
            break
        if one.field == field and not one.formers and one.finds(collection, element):
            version = one.since
            break
    # The same number again, later, is another one: the first of them is kept beside it.
    earlier = next((kept for _, (newest, kept) in _histories(collection) if newest == field), "")
    return max(version, _stands_since(corrections, collection, element, earlier)) if earlier else version


def _histories(collection: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each leaf with the one that keeps what it was before, after the one that keeps their days."""
    kept = _KEPT_BEFORE.get(collection)
    return iter(()) if kept is None else ((kept[0][1], one) for one in kept)


def _formerly(one: Correction, element: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- any element of a plan
    """Return what changes where they stood then, and where they were kept since; all of them at once."""

    def right(day: str, stood: Any, place: int) -> Any:  # noqa: ANN401 -- a number, or a day as it is kept
        return next((each.says for each in one.formers if each.is_at(day, stood, place)), stood)

    (day, days), _ = _KEPT_BEFORE[one.collection]
    earlier = next(kept for _, (newest, kept) in _histories(one.collection) if newest == one.field)
    stands, were = getattr(element, one.field), getattr(element, earlier)
    written = stands.isoformat() if one.field == day else stands
    says = right(getattr(element, day).isoformat(), written, len(were))
    dated = enumerate(zip_longest(getattr(element, days)[: len(were)], were, fillvalue=""))
    kept = tuple(right(*of_day, place) for place, of_day in dated)
    changes = {one.field: date.fromisoformat(says) if one.field == day else says, earlier: kept}
    return {field: value for field, value in changes.items() if value != getattr(element, field)}
