"""What changed in a part of a plan since a version, as far as somebody may read it.

Promises: of an element of which he may read nothing, nothing is said, nor of a leaf that he may not read; so
what is told is the same whatever is written there. An element that went away is no change: it is not there,
and that is all there is to say. A version of a part is that of its newest change which he may read, so it
stands still while others write what he may not.
Source: exchange/decisions/0080-versions-by-part.md; GDPR 5(1)(c), 25(2).
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from exchange.domain.plan.elements import Rewrite

_ID: Final = "_id"

# Which leaves of an element somebody may read.
Readable = Callable[[Any], Collection[str]]


class Change(NamedTuple):
    """One element that was added, or leaves of it that were changed, since a version.

    `name` is what names it in its collection, empty where nothing does that he may read; `by` is task and
    organisation of who wrote last.
    """

    name: str
    added: bool
    leaves: tuple[str, ...]
    by: str
    version: int


def newest(elements: Iterable[Any], readable: Readable) -> int:
    """Return the version of the newest change; 0 where there is nothing he may read."""
    return max((version for one in elements for version in _versions(one, readable(one))), default=0)


def changes_since(elements: Iterable[Any], version: int, readable: Readable) -> Iterator[Change]:
    """Yield what changed after a version, in the order of the plan."""
    for element in elements:
        leaves = readable(element)
        if not leaves:
            continue
        if element.written > version:
            last = max(_of(element, leaves), key=_version, default=None)
            by = element.origin if last is None else last.by
            yield Change(
                _name(element, leaves),
                added=True,
                leaves=tuple(sorted(leaves)),
                by=by,
                version=_newest(element, leaves),
            )
            continue
        since = [one for one in _of(element, leaves) if one.version > version]
        if since:
            changed = tuple(sorted(one.leaf for one in since))
            last = max(since, key=_version)
            yield Change(
                _name(element, leaves), added=False, leaves=changed, by=last.by, version=last.version
            )


def is_named(element: Any, name: str) -> bool:  # noqa: ANN401 -- any element of a plan
    """Tell whether an element is the one of this id."""
    field = id_of(element.__class__)
    return bool(field) and getattr(element, field) == name


@cache
def id_of(kind: Any) -> str:  # noqa: ANN401 -- any class of elements
    """Return the leaf that holds the id of such elements, empty where they have none."""
    first: str = kind.__slots__[0]
    return first if first.endswith(_ID) else ""


def _name(element: Any, leaves: Collection[str]) -> str:  # noqa: ANN401 -- as above
    field = id_of(element.__class__)
    return getattr(element, field) if field in leaves else ""


def _of(element: Any, leaves: Collection[str]) -> list[Rewrite]:  # noqa: ANN401 -- as above
    return [one for one in element.rewritten if one.leaf in leaves]


def _versions(element: Any, leaves: Collection[str]) -> Iterator[int]:  # noqa: ANN401 -- as above
    if leaves:
        yield element.written
        yield from (one.version for one in _of(element, leaves))


def _newest(element: Any, leaves: Collection[str]) -> int:  # noqa: ANN401 -- as above
    return max(_versions(element, leaves))


def _version(one: Rewrite) -> int:
    return one.version
