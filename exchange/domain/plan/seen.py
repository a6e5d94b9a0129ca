"""A plan as it stands to who is not shown all of it: what is kept from him is not there.

Promises: what is decided on it is what would be decided if what is kept had never been recorded; of a leaf
that is kept the element stays and says nothing, whatever it says in truth; nothing is changed in the plan
itself. The steps are the same where nothing is kept. Versions are those of the plan: they count what was
written, seen or not (exchange/decisions/0042-versions-count-what-was-written.md).
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType, UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from exchange.domain.kernel import with_changes
from exchange.domain.limits.links import NO_LINKS, origins_of
from exchange.domain.plan.agreeing import agreed_version
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.state import PlanState, closed_since, closes
from exchange.domain.values import TASKS_OF_PROVIDERS

# What a leaf says that says nothing, by its type: as the contract shows a field that was not set.
_SAYS_NOTHING: Final[Mapping[Any, object]] = MappingProxyType(
    {str: "", int: 0, bool: False, tuple: (), date: date.min, datetime: datetime.min.replace(tzinfo=UTC)}
)
_NO_LEAVES: Final[frozenset[str]] = frozenset()
# Sets of sealed leaves that are remembered taken apart.
SEALED_SETS_MAX: Final = 1_024
_WHAT_CLOSES: Final = frozenset({"conversations.kind", "conversations.outcome"})
_WHAT_ENDS: Final = frozenset({"reports", "conversations"})
_WHAT_WAS_SAID: Final = frozenset({"agreements", "answers"})
_WHAT_IS_AGREED: Final = frozenset({"agreements.outcome", "agreements.plan_version", "agreements.waits"})


class Part(NamedTuple):
    """One collection: the very tuple of the plan, what of it no link hides, and what is shown of that."""

    whole: tuple[Any, ...]
    linked: tuple[Any, ...]
    shown: tuple[Any, ...]


@dataclass(slots=True)
class Parts:
    """What one sees of a plan, by collection; whether what no link hides ends it, and what was agreed.

    `solved` says that a conversation he is shown ends it, whatever was reported.
    """

    by_name: dict[str, Part] = field(default_factory=dict)
    ended: bool = False
    solved: bool = False
    agreed: int = 0


_NOTHING_YET: Final = Part((), (), ())
_LINKED: Final = attrgetter("linked")


def as_seen(
    plan: PlanState,
    hidden: Collection[str],
    leaves: frozenset[str],
    links: frozenset[str] = NO_LINKS,
    parts: Parts | None = None,
) -> PlanState:
    """Return the plan without the collections in `hidden`, and blank in the paths of `leaves`.

    Without what the recipients in `links` brought or deliver, too. A copy also where nothing is kept, in the
    same steps. `parts` are those of this plan as it was seen with the same before: only what changed since is
    looked through again, and noted there.
    """
    parts = Parts() if parts is None else parts
    found, blank = parts.by_name, _by_collection(leaves)
    changes: dict[str, Any] = {}
    changed = said = False
    for name in COLLECTIONS:
        elements = getattr(plan, name)
        part = found.get(name)
        if part is None or part.whole is not elements:
            how = _How(name in hidden, blank.get(name, _NO_LEAVES), links)
            part = found[name] = _part(name, elements, how, part)
            changed = changed or name in _WHAT_ENDS
            said = said or name in _WHAT_WAS_SAID
        changes[name] = part.shown
    reports, conversations = found["reports"], found["conversations"]
    if changed:
        parts.ended = closed_since(reports.linked, conversations.linked)
        parts.solved = any(closes(one.kind, one.outcome) for one in conversations.shown)
    # From here on each is looked up among what it can be, without a branch that only a seal takes.
    closed = (plan.closed, parts.ended)[_is_less(reports) | _is_less(conversations)]
    # Of all else what one writes is beside what others wrote; to a support one says yes.
    supports = found["supports"]
    fewer = ((), (("supports", len(supports.whole)),))[_is_less(supports)]
    away = _looked_away(frozenset(hidden), leaves)
    held = map(len, map(_LINKED, map(found.__getitem__, away)))
    changes["unseen"] = (*zip(away, held, strict=True), *fewer)
    agreements, answers = found["agreements"], found["answers"]
    if said:
        parts.agreed = agreed_version(agreements.linked, answers.shown)
    agreed = (plan.agreed_version, parts.agreed)[_is_less(agreements) | (answers.shown is not answers.whole)]
    unknown = ("agreements" in hidden) | (not _WHAT_IS_AGREED.isdisjoint(leaves))
    changes["agreed_version"] = (agreed, 0)[unknown]
    changes["closed"] = _closed(closed, parts.solved, hidden, leaves)
    return with_changes(plan, **changes)


@lru_cache(maxsize=SEALED_SETS_MAX)
def _looked_away(hidden: frozenset[str], leaves: frozenset[str]) -> tuple[str, ...]:
    """Return the collections of which something is kept, in the order of the plan."""
    blank = _by_collection(leaves)
    return tuple(name for name in COLLECTIONS if name in hidden or name in blank)


class _How(NamedTuple):
    hidden: bool
    blank: frozenset[str]
    links: frozenset[str]


def _part(name: str, whole: tuple[Any, ...], how: _How, before: Part | None) -> Part:
    # What was only added to is looked through from there.
    start = 0 if before is None else len(before.whole)
    if before is None or whole[:start] != before.whole:
        start, before = 0, _NOTHING_YET
    origins = origins_of(how.links)
    added = [one for one in whole[start:] if not _is_of(one, how.links, origins)]
    # The very tuple where nothing is left out: who remembers by it finds what he remembered.
    linked = (*before.linked, *added) if len(before.linked) + len(added) < len(whole) else whole
    if how.hidden:
        return Part(whole, linked, ())
    if how.blank:
        says = _blanks(name, how.blank)
        return Part(whole, linked, (*before.shown, *(with_changes(one, **says) for one in added)))
    return Part(whole, linked, linked)


def _is_less(part: Part) -> bool:
    return len(part.linked) < len(part.whole)


def is_of(element: Any, links: frozenset[str]) -> bool:  # noqa: ANN401 -- any element of a plan
    """Tell whether one of these recipients brought an element, is to deliver it, or is paid by it."""
    return _is_of(element, links, origins_of(links))


def _is_of(element: Any, links: frozenset[str], origins: frozenset[str]) -> bool:  # noqa: ANN401 -- as above
    if element.origin in origins:
        return True
    provider = getattr(element, "provider_oin", "") or getattr(element, "of_provider", "")
    return bool(provider) and any(f"{provider}/{task}" in links for task in TASKS_OF_PROVIDERS)


def _closed(
    closed: bool,  # noqa: FBT001 -- what is true of what no link hides
    solved: bool,  # noqa: FBT001 -- what the conversations he is shown say
    hidden: Collection[str],
    leaves: frozenset[str],
) -> bool:
    unknown = ("conversations" in hidden) | (not _WHAT_CLOSES.isdisjoint(leaves))
    # Where the reports are hidden, none that he sees opened it again.
    return (closed & (not unknown), solved)["reports" in hidden]


@lru_cache(maxsize=SEALED_SETS_MAX)
def _by_collection(leaves: frozenset[str]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for path in leaves:
        collection, _, leaf = path.partition(".")
        found.setdefault(collection, set()).add(leaf)
    return {name: frozenset(names) for name, names in found.items()}


@lru_cache(maxsize=SEALED_SETS_MAX)
def _blanks(collection: str, names: frozenset[str]) -> Mapping[str, object]:
    """Return what these leaves say when they say nothing: of the type alone, never of the value."""
    (element, *_) = get_args(get_type_hints(PlanState)[collection])
    hints = get_type_hints(element)
    return {name: _nothing(hints[name]) for name in names}


def _nothing(hint: Any) -> object:  # noqa: ANN401 -- any annotation of an element
    if isinstance(hint, UnionType) and type(None) in get_args(hint):
        return None
    return _SAYS_NOTHING[get_origin(hint) or hint]
