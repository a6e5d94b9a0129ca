"""Elements of a plan that another municipality recorded: told as JSON, and made again from it.

Promises: who recorded an element and when goes along with it and is what the new plan says of it; a leaf that
was not given says nothing; whatever a later version no longer knows is left out. Generic over the plan's
collections. A support is as if chosen at the version at which it came: no earlier yes covers it here. What is
read straight into records is what `element_of` makes of the same text; what is not of that shape it reads.
Source: GDPR 5(1)(d), 14(2)(f) (from which source); Wmo 2015 2.3.2 (the new college looks for itself).
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, date, datetime
from functools import cache
from types import MappingProxyType, SimpleNamespace, UnionType
from typing import Any, ClassVar, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from exchange.domain.kernel import gathered, quickly_made, with_changes
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.state import PlanState

HEAD: Final = frozenset({"origin", "category", "recorded"})
# Of the versions of one plan: in another one they say nothing.
_OF_THIS_PLAN: Final = frozenset({"written", "rewritten"})
# What was said of a version of that plan is said of none of this one.
_SAID_OF_A_VERSION: Final = frozenset({"agreements", "answers"})
_IN_TUPLES: Final = frozenset({str, int})
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NOTHING: Final[Mapping[Any, object]] = MappingProxyType(
    {str: "", int: 0, bool: False, tuple: (), date: date.min, datetime: _NEVER}
)


def _moment(said: str) -> datetime:
    moment = datetime.fromisoformat(said)
    if moment.tzinfo is None:
        raise ValueError("a moment has no offset")
    return moment


# By type: what JSON holds it as, and what makes it of that; None is as it is.
_MADE_OF: Final[Mapping[Any, tuple[type, Callable[[Any], object] | None]]] = MappingProxyType(
    {
        str: (str, None),
        int: (int, None),
        bool: (bool, None),
        date: (str, date.fromisoformat),
        datetime: (str, _moment),
        tuple: (list, tuple),
    }
)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsReceived(PlanEvent):
    """Elements of one collection and category came from another municipality; who recorded each is in it."""

    TOPIC: ClassVar[str] = "plan.elements_received.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"content": "@category"})
    handover_id: str
    received_from: str
    collection: str
    category: str
    content: str

    def sealed_fields(self) -> Mapping[str, str]:
        """Return the field to seal, under the category of these elements."""
        return {"content": self.category}


@cache
def _kind_of(collection: str) -> type:
    (element, *_) = get_args(get_type_hints(PlanState)[collection])
    kind: type = element
    return kind


def told(element: Any, leaves: Collection[str]) -> dict[str, Any]:  # noqa: ANN401 -- any element of a plan
    """Return an element as JSON can hold it, with these leaves of it."""
    values = {name: _plain(getattr(element, name)) for name in sorted(leaves) if hasattr(element, name)}
    recorded = element.recorded or _NEVER
    return {
        "origin": element.origin,
        "category": element.category,
        "recorded": recorded.isoformat(),
        "values": {name: value for name, value in values.items() if value is not None},
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 -- what a field of an element holds
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [one if type(one) is int else str(one) for one in value]
    return value


class _Leaf(NamedTuple):
    """What is asked of one leaf of an element: looked up in its annotation once."""

    name: str
    form: type | None  # what JSON holds it as; None does not come along
    make: Callable[[Any], object] | None
    must_say: bool  # whether the element says nothing by itself where it was not given
    nothing: object  # what it says where it was not given
    read_as: Any  # what it is read as; None does not come along


@cache
def _leaves_of(kind: Any) -> tuple[_Leaf, ...]:  # noqa: ANN401 -- any class of elements
    """Return the leaves of an element that come along, or must be there all the same."""
    hints = get_type_hints(kind)
    return tuple(
        _leaf(field.name, hints[field.name], field.default)
        for field in fields(kind)
        if field.name not in HEAD and field.name not in _OF_THIS_PLAN
    )


def _leaf(name: str, hint: Any, default: object) -> _Leaf:  # noqa: ANN401 -- any annotation of an element
    base, must_say = _base(hint), default is MISSING
    form, make = _MADE_OF.get(base, (None, None))
    read_as = None if form is None else base
    if form is list:
        make, read_as = _all_of(get_args(hint)[0]), hint
    if base is datetime:
        # Of a longer fraction the one cuts off what the other rounds.
        read_as = str
    optional = isinstance(hint, UnionType) and type(None) in get_args(hint)
    nothing = None if optional else _NOTHING.get(base, ())
    return _Leaf(name, form, make, must_say, nothing if must_say else default, read_as)


def _all_of(kind: type) -> Callable[[list[Any]], tuple[Any, ...]]:
    def make(said: list[Any]) -> tuple[Any, ...]:
        if any(type(one) is not kind for one in said):
            raise TypeError("what this leaf holds is of another type")
        return tuple(said)

    return make


def element_of(collection: str, one: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- any element of a plan
    """Return the element. Raises ValueError, KeyError or TypeError where it is none."""
    kind = _kind_of(collection)
    made: dict[str, Any] = {"origin": str(one["origin"]), "category": str(one["category"])}
    made["recorded"] = _moment(one["recorded"])
    values = one["values"]
    for name, form, make, must_say, nothing, _ in _leaves_of(kind):
        if form is not None and name in values:
            value = values[name]
            if type(value) is not form:
                raise TypeError("this leaf is of another type")
            made[name] = value if make is None else make(value)
        elif must_say:
            made[name] = nothing
    return kind(**made)


@cache
def _reading_of(collection: str) -> Callable[[str], list[Any]]:
    """Return what reads a text of `content_of` into elements, at a fifth of the time of `element_of`.

    It raises ValueError where the text is of another shape.
    """
    kind = _kind_of(collection)
    leaves = _leaves_of(kind)
    said = sorted((one.name, one.read_as, one.nothing) for one in leaves if one.read_as is not None)
    values: Any = msgspec.defstruct(kind.__name__, said, kw_only=True, gc=False)
    head = [("category", str), ("origin", str), ("recorded", str), ("values", values)]
    shape: Any = list[msgspec.defstruct("Carried", head, gc=False)]  # type: ignore[misc] # made here
    decode = msgspec.json.Decoder(shape).decode
    moments = [one.name for one in leaves if one.make is _moment]
    kept = {one.name: one.nothing for one in leaves if one.read_as is None}
    unsaid: Any = SimpleNamespace(**kept, written=0, rewritten=())
    fromisoformat = datetime.fromisoformat
    made = gathered(kind, HEAD, [name for name, *_ in said], vars(unsaid))

    def read(content: str) -> list[Any]:
        elements = []
        for one in decode(content):
            recorded, values = fromisoformat(one.recorded), one.values
            if recorded.tzinfo is None:
                raise ValueError("a moment has no offset")
            one.recorded = recorded
            for name in moments:
                value = getattr(values, name)
                if value.__class__ is str:
                    setattr(values, name, _moment(value))
            elements.append(made(one, values, unsaid))
        return elements

    return read


def _elements_in(event: ElementsReceived) -> Sequence[Any]:
    """Return the elements of an event. Raises ValueError, KeyError or TypeError where one is none."""
    try:
        return _reading_of(event.collection)(event.content)
    except ValueError:
        return [element_of(event.collection, one) for one in json.loads(event.content)]


def _base(hint: Any) -> Any:  # noqa: ANN401 -- any annotation of an element
    if isinstance(hint, UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    origin = get_origin(hint)
    if origin is tuple and get_args(hint)[0] not in _IN_TUPLES:
        return None
    return origin or hint


def content_of(elements: Iterable[Mapping[str, Any]]) -> str:
    """Return the text an event keeps; the same elements, the same text."""
    return json.dumps(list(elements), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def most_elements(content: str) -> int:
    """Return how many elements a text of `content_of` holds at the most, without reading it."""
    # Each has its values once, and a quote within words is written otherwise.
    return content.count('"values":')


def elements_received(state: PlanState, event: ElementsReceived) -> PlanState:
    """Fold them behind what the plan holds."""
    version = state.version + 1
    if event.collection not in COLLECTIONS:
        return with_changes(state, version=version)
    elements = _elements_in(event)
    if elements and hasattr(elements[0], "requested_version"):
        elements = [with_changes(one, requested_version=version, corrected_version=0) for one in elements]
    elif event.collection in _SAID_OF_A_VERSION:
        elements = [with_changes(one, plan_version=0) for one in elements]
    whole = (*getattr(state, event.collection), *elements)
    return with_changes(state, version=version, **{event.collection: whole})


def newest_of(event: ElementsReceived, plan: PlanState) -> Any:  # noqa: ANN401 -- any element of a plan, or None
    """Return the last element an event brought, as it is in the plan now."""
    *_, last = _elements_in(event)
    mark = (last.recorded, last.origin, last.category)
    elements = reversed(getattr(plan, event.collection))
    return next((one for one in elements if (one.recorded, one.origin, one.category) == mark), None)


def brought_by(event: ElementsReceived, plan: PlanState) -> tuple[Any, ...]:
    """Return the elements an event brought, in the plan as it left it: the last of their collection."""
    if event.collection not in COLLECTIONS:
        return ()
    elements: tuple[Any, ...] = getattr(plan, event.collection)
    return elements[len(elements) - len(json.loads(event.content)) :]
