"""A plan as it stands to who is not shown all of it: what is kept from him is not there.

Promises: what is decided on it is what would be decided if what is kept had never been recorded; of a leaf
that is kept the element stays and says nothing, whatever it says in truth; nothing is changed in the plan
itself. The steps are the same where nothing is kept. Versions are those of the plan: they count what was
written, seen or not (exchange/decisions/0042-versions-count-what-was-written.md).
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from types import MappingProxyType, UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from exchange.domain.kernel import with_changes
from exchange.domain.limits.links import NO_LINKS, origins_of
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.state import Conversation, PlanState, Report, closes
from exchange.domain.values import TASKS_OF_PROVIDERS

# What a leaf says that says nothing, by its type: as the contract shows a field that was not set.
_SAYS_NOTHING: Final[Mapping[Any, object]] = MappingProxyType(
    {str: "", int: 0, tuple: (), date: date.min, datetime: datetime.min.replace(tzinfo=UTC)}
)
_NO_LEAVES: Final[frozenset[str]] = frozenset()
# Sets of sealed leaves that are remembered taken apart.
SEALED_SETS_MAX: Final = 1_024
_WHAT_CLOSES: Final = frozenset({"conversations.kind", "conversations.outcome"})
_WHAT_IS_AGREED: Final = frozenset({"agreements.outcome", "agreements.plan_version"})


class Part(NamedTuple):
    """One collection: the very tuple of the plan, what of it no link hides, and what is shown of that."""

    whole: tuple[Any, ...]
    linked: tuple[Any, ...]
    shown: tuple[Any, ...]


def as_seen(
    plan: PlanState,
    hidden: Collection[str],
    leaves: frozenset[str],
    links: frozenset[str] = NO_LINKS,
    parts: dict[str, Part] | None = None,
) -> PlanState:
    """Return the plan without the collections in `hidden`, and blank in the paths of `leaves`.

    Without what the recipients in `links` brought or deliver, too. A copy also where nothing is kept, in the
    same steps. `parts` are those of this plan as it was seen with the same before: only what changed since is
    looked through again, and noted there.
    """
    parts = {} if parts is None else parts
    blank = _by_collection(leaves)
    for name in COLLECTIONS:
        elements = getattr(plan, name)
        known = parts.get(name)
        if known is None or known.whole is not elements:
            parts[name] = _part(name, elements, name in hidden, blank.get(name, _NO_LEAVES), links)
    # Of all else what one writes is beside what others wrote; to a support one says yes.
    unseen = [(name, len(parts[name].whole)) for name in ("supports",) if _is_less(parts[name])]
    unseen += [(name, len(parts[name].linked)) for name in COLLECTIONS if name in hidden or name in blank]
    agrees = "agreements" not in hidden and _WHAT_IS_AGREED.isdisjoint(leaves)
    reports, conversations = parts["reports"], parts["conversations"]
    since = _closed_since(reports.linked, conversations.linked)
    closed = since if _is_less(reports) or _is_less(conversations) else plan.closed
    return with_changes(
        plan,
        **{name: parts[name].shown for name in COLLECTIONS},
        unseen=tuple(unseen),
        agreed_version=plan.agreed_version if agrees else 0,
        closed=_closed(closed, conversations.shown, hidden, leaves),
    )


def _part(
    name: str,
    whole: tuple[Any, ...],
    hidden: bool,  # noqa: FBT001 -- what is done to it
    blank: frozenset[str],
    links: frozenset[str],
) -> Part:
    origins = origins_of(links)
    found = tuple([one for one in whole if not _is_of(one, links, origins)])
    # The very tuple where nothing is left out: who remembers by it finds what he remembered.
    linked = found if len(found) < len(whole) else whole
    if hidden:
        return Part(whole, linked, ())
    if blank:
        return Part(whole, linked, tuple(with_changes(one, **_blanks(name, blank)) for one in linked))
    return Part(whole, linked, linked)


def _is_less(part: Part) -> bool:
    return len(part.linked) < len(part.whole)


def is_of(element: Any, links: frozenset[str]) -> bool:  # noqa: ANN401 -- any element of a plan
    """Tell whether one of these recipients brought an element, or is to deliver it."""
    return _is_of(element, links, origins_of(links))


def _is_of(element: Any, links: frozenset[str], origins: frozenset[str]) -> bool:  # noqa: ANN401 -- as above
    if element.origin in origins:
        return True
    provider = getattr(element, "provider_oin", "")
    return bool(provider) and any(f"{provider}/{task}" in links for task in TASKS_OF_PROVIDERS)


def _closed_since(reports: Iterable[Report], conversations: Iterable[Conversation]) -> bool:
    """Tell whether what is seen ends the matter, and no report that is seen came after."""
    never = datetime.min.replace(tzinfo=UTC)
    reported = max((one.recorded or one.receive_time for one in reports), default=never)
    return any(closes(one.kind, one.outcome) and (one.recorded or never) >= reported for one in conversations)


def _closed(
    closed: bool,  # noqa: FBT001 -- what is true of what no link hides
    conversations: Iterable[Conversation],
    hidden: Collection[str],
    leaves: frozenset[str],
) -> bool:
    if "reports" in hidden:
        # No report that he sees opened it again.
        return any(closes(one.kind, one.outcome) for one in conversations)
    unknown = "conversations" in hidden or not _WHAT_CLOSES.isdisjoint(leaves)
    return closed and not unknown


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
