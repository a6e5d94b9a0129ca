"""A plan as it stands to who is not shown all of it: what is kept from him is not there.

Promises: what is decided on it is what would be decided if what is kept had never been recorded; of a leaf
that is kept the element stays and says nothing, whatever it says in truth; nothing is changed in the plan
itself. Versions are those of the plan: they count what was written, seen or not.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from types import MappingProxyType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from exchange.domain.kernel import with_changes
from exchange.domain.limits.links import NO_LINKS, origins_of
from exchange.domain.plan.agreeing import agreed_version
from exchange.domain.plan.elements import Conversation, Report
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.state import PlanState, closes
from exchange.domain.values import TASKS_OF_PROVIDERS

# What a leaf says that says nothing, by its type: as the contract shows a field that was not set.
_SAYS_NOTHING: Final[Mapping[Any, object]] = MappingProxyType(
    {str: "", int: 0, bool: False, tuple: (), date: date.min, datetime: datetime.min.replace(tzinfo=UTC)}
)
# Sets of sealed leaves that are remembered taken apart.
SEALED_SETS_MAX: Final = 1_024
_WHAT_CLOSES: Final = frozenset({"conversations.kind", "conversations.outcome"})
_WHAT_IS_AGREED: Final = frozenset({"agreements.outcome", "agreements.plan_version"})


def as_seen(
    plan: PlanState, hidden: Collection[str], leaves: frozenset[str], links: frozenset[str] = NO_LINKS
) -> PlanState:
    """Return the plan without the collections in `hidden`, and blank in the paths of `leaves`.

    Without what the recipients in `links` brought or deliver, too. A copy also where nothing is kept: it
    takes as long.
    """
    if links:
        plan = _unlinked(plan, links)
    blank = _by_collection(leaves)
    seen: dict[str, Any] = {}
    unseen = list(plan.unseen)
    for name in COLLECTIONS:
        elements = seen[name] = getattr(plan, name)
        if name in hidden:
            seen[name] = ()
        elif name in blank:
            seen[name] = tuple(with_changes(one, **_blanks(name, blank[name])) for one in elements)
        else:
            continue
        unseen.append((name, len(elements)))
    known = "agreements" not in hidden and _WHAT_IS_AGREED.isdisjoint(leaves)
    agreed = plan.agreed_version if known else 0
    if known and "answers" in seen and seen["answers"] is not plan.answers:
        agreed = agreed_version(plan.agreements, seen["answers"])
    return with_changes(
        plan,
        **seen,
        unseen=tuple(unseen),
        agreed_version=agreed,
        closed=_closed(plan, seen["conversations"], hidden, leaves),
    )


def is_of(element: Any, links: frozenset[str]) -> bool:  # noqa: ANN401 -- any element of a plan
    """Tell whether one of these recipients brought an element, is to deliver it, or is paid by it."""
    if element.origin in origins_of(links):
        return True
    provider = getattr(element, "provider_oin", "") or getattr(element, "of_provider", "")
    return bool(provider) and any(f"{provider}/{task}" in links for task in TASKS_OF_PROVIDERS)


def _unlinked(plan: PlanState, links: frozenset[str]) -> PlanState:
    shown: dict[str, Any] = {}
    for name in COLLECTIONS:
        elements = getattr(plan, name)
        seen = tuple(one for one in elements if not is_of(one, links))
        if len(seen) < len(elements):
            shown[name] = seen
    if not shown:
        return plan
    # Of all else what one writes is beside what others wrote; to a support one says yes.
    unseen = (("supports", len(plan.supports)),) if "supports" in shown else ()
    if shown.keys() & {"agreements", "answers"}:
        words = shown.get("agreements", plan.agreements)
        shown["agreed_version"] = agreed_version(words, shown.get("answers", plan.answers))
    if shown.keys() & {"reports", "conversations"}:
        reports = shown.get("reports", plan.reports)
        conversations = shown.get("conversations", plan.conversations)
        shown["closed"] = _closed_since(reports, conversations)
    return with_changes(plan, **shown, unseen=unseen)


def _closed_since(reports: Iterable[Report], conversations: Iterable[Conversation]) -> bool:
    """Tell whether what is seen ends the matter, and no report that is seen came after."""
    never = datetime.min.replace(tzinfo=UTC)
    reported = max((one.recorded or one.receive_time for one in reports), default=never)
    return any(closes(one.kind, one.outcome) and (one.recorded or never) >= reported for one in conversations)


def _closed(
    plan: PlanState, conversations: Iterable[Conversation], hidden: Collection[str], leaves: frozenset[str]
) -> bool:
    if "reports" in hidden:
        # No report that he sees opened it again.
        return any(closes(one.kind, one.outcome) for one in conversations)
    unknown = "conversations" in hidden or not _WHAT_CLOSES.isdisjoint(leaves)
    return plan.closed and not unknown


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
