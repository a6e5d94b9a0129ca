"""One part of a plan that is handed over: JSON of released leaves, and what the other side reads of it.

Promises: made of leaves that were released, and of nothing else; sorted and without spaces, so that its
SHA-256 is its name; read strictly: a word that is none, an element that is none, or a text with a BSN refuses
the whole part, and no fault repeats a value.
Source: GDPR 5(1)(c), 20(2); protos/exchange/v1/handover_service.proto.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.plan.received import content_of, element_of, told
from exchange.domain.shape import TEXT_CHARS_MAX, oin_fault, token_fault
from exchange.domain.values import DataCategory
from exchange.errors import BsnRefused, RequestInvalid
from exchange.pipeline.elements import BY_LIFE_DOMAIN
from exchange.server.contract.formats import BSN_FOUND, FORMATS
from exchange.server.contract.plans import PLAN_COLLECTIONS, PLAN_LABELS, leaves_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exchange.domain.handover import HandoverState
    from exchange.domain.plan import PlanState
    from exchange.pipeline.walk import ReadOutcome

FORM: Final = "handover-part-1"
ELEMENTS_PER_PART: Final = 10
# What somebody offers and asks is of the neighbourhood he leaves, and was consented to there.
STAYS_BEHIND: Final = frozenset({"contributions", "wishes", "matches"})
_KEYS: Final = frozenset({"form", "handover", "plan_version", "number", "collection", "total", "elements"})
_ELEMENT_KEYS: Final = frozenset({"origin", "category", "recorded", "values"})
_CATEGORIES: Final = frozenset(DataCategory)
_FOR_MACHINES: Final = ("_id", "_oin", "_number", "_code", "_category")


def collections_of(plan: PlanState | None) -> tuple[str, ...]:
    """Return the collection of each part a plan is handed over in."""
    found: list[str] = []
    for name in sorted(PLAN_COLLECTIONS.keys() - STAYS_BEHIND) if plan is not None else ():
        found += [name] * -(-len(getattr(plan, name)) // ELEMENTS_PER_PART)
    return tuple(found)


def part_of(handover: HandoverState, number: int, plan: PlanState, outcome: ReadOutcome) -> bytes:
    """Return a part as it may leave now; `plan` is what who takes over is shown of it."""
    collection = handover.collections[number - 1]
    place = handover.collections[: number - 1].count(collection) * ELEMENTS_PER_PART
    whole = getattr(plan, collection)
    given = leaves_given(collection, outcome.groups, outcome.released)
    elements = []
    for element in whole[place : place + ELEMENTS_PER_PART]:
        leaves = given((element.category, element.origin))
        if leaves:
            elements.append(told(element, leaves))
    part = {
        "form": FORM,
        "handover": handover.handover_id,
        "plan_version": handover.plan_version,
        "number": number,
        "collection": collection,
        "total": len(whole),
        "elements": elements,
    }
    return json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class PartRead(NamedTuple):
    """A part as it came: what it says it is, its elements as texts by category, and the fields it writes."""

    handover_id: str
    plan_version: int
    number: int
    collection: str
    total: int
    contents: Mapping[str, str]
    fields: tuple[tuple[str, str], ...]


def read_part(raw: bytes, digest: bytes) -> PartRead:
    """Read a part. Raises RequestInvalid, BsnRefused."""
    if sha256(raw).digest() != digest:
        raise RequestInvalid("the part is not what its hash says", {"sha256": "is of other bytes"})
    try:
        return _read(json.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RequestInvalid("the part cannot be read", {"part": "is no part of a plan"}) from None


def _read(part: Any) -> PartRead:  # noqa: ANN401 -- whatever came
    if type(part) is not dict or part.keys() != _KEYS or part["form"] != FORM:
        raise TypeError("a part has other keys")
    collection, elements = part["collection"], part["elements"]
    if collection not in PLAN_COLLECTIONS.keys() - STAYS_BEHIND or len(elements) > ELEMENTS_PER_PART:
        raise ValueError("a part is of a collection of the plan")
    for element in elements:
        _check(collection, element)
    return PartRead(
        str(part["handover"]),
        int(part["plan_version"]),
        int(part["number"]),
        collection,
        int(part["total"]),
        _by_category(elements),
        _fields(collection, elements),
    )


def _check(collection: str, element: Any) -> None:  # noqa: ANN401 -- whatever came
    if element.keys() != _ELEMENT_KEYS or element["category"] not in _CATEGORIES:
        raise ValueError("an element has other keys, or another category")
    task, _, oin = element["origin"].partition("@")
    if token_fault(task) or oin_fault(oin):
        raise ValueError("an origin is a task and an organisation")
    if not {f"{collection}.{name}" for name in element["values"]} <= PLAN_LABELS.keys():
        raise ValueError("a leaf is none of the plan")
    made = element_of(collection, element)
    for text in _texts(made, element["values"]):
        if FORMATS["text"](text) == BSN_FOUND:
            raise BsnRefused("a text of this part holds a burgerservicenummer", fields={"part": BSN_FOUND})
        if len(text) > TEXT_CHARS_MAX:
            raise ValueError("a text is longer than one may be")


def _texts(made: Any, names: Iterable[str]) -> Iterator[str]:  # noqa: ANN401 -- any element of a plan
    """Yield the words of an element: names for machines are none, and random digits in them are no BSN."""
    for name in names:
        value = getattr(made, name)
        if isinstance(value, str) and not name.endswith(_FOR_MACHINES):
            yield value


def _by_category(elements: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for element in elements:
        found.setdefault(element["category"], []).append(element)
    return {category: content_of(held) for category, held in found.items()}


def _fields(collection: str, elements: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    for element in elements:
        for name in element["values"]:
            path = f"{collection}.{name}"
            category = PLAN_LABELS[path].category
            found[path, element["category"] if category == BY_LIFE_DOMAIN else category] = None
    return tuple(found)
