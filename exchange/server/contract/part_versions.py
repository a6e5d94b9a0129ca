"""Versions of parts of a plan: covered, and bound to who read what of which plan on which ground.

Promises: who opens one without the key reads nothing of it; one of another caller, plan, ground or choice of
fields is refused; as long as nothing changed that its caller may read it stays the same, whatever else was
written. It says which part it is of, and nothing more.
Source: exchange/decisions/0080-versions-by-part.md; AIP-154 (resource freshness).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.plan.changes import newest
from exchange.errors import RequestInvalid
from exchange.server.contract.pages import question_of
from exchange.server.contract.plans import PLAN_COLLECTIONS, leaves_given

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from exchange.pipeline.walk import Caller, Group
    from exchange.server.contract.pages import Pages
    from exchange.v1 import common_pb2

_KIND: Final = "PartVersion"
_SEPARATOR: Final = ":"


class Reader:
    """Who reads a plan, and on which ground. Makes and opens the versions of its parts."""

    def __init__(self, pages: Pages, caller: Caller, plan_id: str, claim: common_pb2.Claim) -> None:
        self._pages = pages
        self._caller = caller
        self._bound_to = f"{plan_id}\n{claim.purpose}\n{claim.legal_basis}"

    def seal(self, part: str, leaves: Iterable[str], version: int) -> str:
        """Return the version of a part that was read by these leaf paths."""
        return f"{part}{_SEPARATOR}{self._pages.seal(version, self._question(part, leaves))}"

    def open(self, said: str, leaves: Iterable[str], field: str) -> int:
        """Return what `seal` was given. Raises RequestInvalid naming the field."""
        part, _, token = said.partition(_SEPARATOR)
        try:
            return self._pages.open(token, self._question(part, leaves), field)
        except RequestInvalid:
            raise RequestInvalid(
                "this version of a part is not one of this caller, plan, ground and fields",
                {field: "must be as GetPlan gave it, with the claim and the fields it was read by"},
            ) from None

    def _question(self, part: str, leaves: Iterable[str]) -> bytes:
        said = "\n".join((self._bound_to, part, *sorted(leaves)))
        return question_of(_KIND, self._caller, said.encode())


def part_of(said: str) -> str:
    """Return which part a version says it is of, empty where the plan has no such part."""
    part = said.partition(_SEPARATOR)[0]
    return part if part in PLAN_COLLECTIONS else ""


def by_part(paths: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the leaf paths of each part that is named, in the order of their first."""
    found: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        part, inside, _ = path.partition(".")
        if inside:
            found.setdefault(part, []).append(path)
    return {part: tuple(leaves) for part, leaves in found.items()}


def readable_in(
    part: str, groups: Sequence[Group], released: frozenset[str]
) -> Callable[[Any], Collection[str]]:
    """Return what tells which leaves of an element were released; looked up once for elements alike."""
    given = cache(leaves_given(part, groups, released))
    return lambda element: given((element.category, element.origin))


def versions_given(
    reader: Reader,
    fields: Iterable[str],
    plan: Any,  # noqa: ANN401 -- PlanState, or None
    groups: Sequence[Group],
    released: frozenset[str],
) -> list[str]:
    """Return the version of each part that was asked: of the newest change in what was released of it."""
    return [
        reader.seal(part, leaves, newest(getattr(plan, part, ()), readable_in(part, groups, released)))
        for part, leaves in by_part(fields).items()
    ]
