"""What every aggregate is made of: events that report, commands that order, `decide` and `evolve`.

Promises: `decide` may refuse and never changes; `evolve` changes and never refuses. Topics are permanent
after the first stored event and are never a Python path. Event fields hold only str, int, bool, aware UTC
datetime, date, tuples of str, or None for an absent day: what JSON can hold for ever.
Source: house style 2, 3 and 13 (emmett, eventsourcing).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from exchange.domain.values import NOBODY, Author

STREAM_SEPARATOR: Final = "-"
_NOTHING_SEALED: Final[Mapping[str, str]] = MappingProxyType({})
_NO_FOLDS: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Values only: equal fields, equal events."""

    TOPIC: ClassVar[str]
    # Field name to data category; those fields are stored sealed under the resident's key of that category.
    SEALED: ClassVar[Mapping[str, str]] = _NOTHING_SEALED
    # Fields the leaf commits to, each under a salt of its own, so that one can be shown without the others.
    # All events of a topic commit to the same, whatever they hold: a leaf tells nothing by how much it says.
    COMMITTED: ClassVar[tuple[str, ...]] = ()

    @property
    def resident(self) -> str:
        """Random reference of the resident it is about; empty for events about an organisation."""
        return ""

    def sealed_fields(self) -> Mapping[str, str]:
        """Return the fields to seal, each with its data category."""
        return self.SEALED


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentEvent(Event):
    """Something that happened to what is recorded about one resident."""

    # field() keeps the property above from becoming this field's default.
    resident: str = field()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An order. Time, identity and ids are arguments: the domain has no clock and draws nothing."""

    now: datetime
    author: Author = NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredCommand(Command):
    """An order whose rules, or whose events, look at who gives it."""

    # field() takes the default away.
    author: Author = field()


_Record = TypeVar("_Record")


def with_changes(record: _Record, **changes: object) -> _Record:
    """Return a copy of a frozen, slotted record with other values: `dataclasses.replace`, but quick.

    On the walk, and for each event of a fold, a state is changed. Raises AttributeError for a name that is
    no slot.
    """
    kind: Any = type(record)
    copied: _Record = _copier(kind, tuple(changes))(record, *changes.values())
    return copied


def changer(kind: Any, *names: str) -> Callable[..., Any]:  # noqa: ANN401 -- any slotted class, and its records
    """Return what changes these fields of a record, in this order, as `with_changes` does: found once."""
    return _copier(kind, names)


@cache
def _copier(kind: Any, given: tuple[str, ...]) -> Callable[..., Any]:  # noqa: ANN401 -- any slotted class
    """Write the function that copies such a record, as `dataclasses` writes `__init__`."""
    slots: tuple[str, ...] = kind.__slots__
    for name in given:
        if name not in slots:
            message = f"{kind.__name__} has no {name}"  # only a bug gets here
            raise AttributeError(message)
    lines = (
        f"def _copy(_record, {', '.join(given)}):",
        " _new = _blank(_twin)",
        *(f" _new.{name} = {name if name in given else f'_record.{name}'}" for name in slots),
        " _new.__class__ = _kind",
        " return _new",
    )
    return _written(lines, "_copy", _blank=object.__new__, _twin=_twin(kind), _kind=kind)


def what_changed(names: tuple[str, ...]) -> Callable[[Any, Any], list[Any]]:
    """Return what gives the fields of these that are another object in the second of two records of a kind.

    What each holds in the first and in the second, in the order of the names. It is asked for each event of a
    fold.
    """
    lines = (
        "def _changed(_was, _is):",
        " _found = []",
        *(f" if _is.{name} is not _was.{name}: _found.append((_was.{name}, _is.{name}))" for name in names),
        " return _found",
    )
    return _written(lines, "_changed")


def quickly_made(kind: type[_Record]) -> type[_Record]:
    """Give a frozen, slotted dataclass that folding makes many of an `__init__` of a third of the time.

    It takes what the dataclass's own takes. Not for a class that others are derived from.
    """
    slotted: Any = kind
    told = [field for field in fields(slotted) if field.init]
    lines = (
        f"def __init__(self, *, {', '.join(f'{field.name}{_default(field)}' for field in told)}):",
        " _put(self, '__class__', _twin)",
        *(f" self.{field.name} = {_given(field)}" for field in told),
        " self.__class__ = _kind",
    )
    defaults = {f"_default_{field.name}": field.default for field in told}
    defaults |= {f"_make_{field.name}": field.default_factory for field in told}
    made = _written(lines, "__init__", **defaults, _put=object.__setattr__, _twin=_twin(slotted), _kind=kind)
    kind.__init__ = made  # type: ignore[method-assign] # of the same parameters
    return kind


def gathered(kind: Any, *parts: Iterable[str]) -> Callable[..., Any]:  # noqa: ANN401 -- any slotted dataclass
    """Return what makes such a record out of other objects: each holds the fields of its part.

    For who makes thousands of what is spread over several. Raises AttributeError where the parts are not the
    fields of the record, each once.
    """
    told = [(name, number) for number, names in enumerate(parts) for name in names]
    if sorted(name for name, _ in told) != sorted(field.name for field in fields(kind)):
        message = f"these are not the fields of {kind.__name__}"  # only a bug gets here
        raise AttributeError(message)
    lines = (
        f"def _gathered({', '.join(f'_part{number}' for number in range(len(parts)))}):",
        " _new = _blank(_twin)",
        *(f" _new.{name} = _part{number}.{name}" for name, number in told),
        " _new.__class__ = _kind",
        " return _new",
    )
    return _written(lines, "_gathered", _blank=object.__new__, _twin=_twin(kind), _kind=kind)


def maker(kind: Any, *names: str) -> Callable[..., Any]:  # noqa: ANN401 -- any slotted dataclass
    """Return what makes such a record of these fields, given in this order; the others are as by default.

    For who makes one for each event of a fold: to pass them by name takes as long as to fill them in. Raises
    AttributeError where a field without a default is not among them, or a name is no field.
    """
    own = {field.name: field for field in fields(kind)}
    if not own.keys() >= set(names) or any(
        field.default is MISSING for name, field in own.items() if name not in names
    ):
        message = f"{kind.__name__} is not made of these"  # only a bug gets here
        raise AttributeError(message)
    lines = (
        f"def _made({', '.join(names)}):",
        " _new = _blank(_twin)",
        *(f" _new.{name} = {name if name in names else f'_default_{name}'}" for name in own),
        " _new.__class__ = _kind",
        " return _new",
    )
    defaults = {f"_default_{name}": field.default for name, field in own.items()}
    return _written(lines, "_made", **defaults, _blank=object.__new__, _twin=_twin(kind), _kind=kind)


def _default(field: Field[Any]) -> str:
    # Of one that is made anew each time the default says that nothing was given.
    needed = field.default is MISSING and field.default_factory is MISSING
    return "" if needed else f"=_default_{field.name}"


def _given(field: Field[Any]) -> str:
    if field.default_factory is MISSING:
        return field.name
    return f"_make_{field.name}() if {field.name} is _default_{field.name} else {field.name}"


@cache
def _twin(kind: Any) -> type:  # noqa: ANN401 -- any slotted class
    """Return a class of the same slots that is not frozen.

    To go round a frozen record costs a call for each field. So a record is filled in as its twin, and becomes
    what it is once it is whole: nobody else has seen it by then.
    """
    # Both methods: of one alone Python would still look for the other in the frozen class it comes from.
    thawed = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(kind.__name__, kind.__bases__, {"__slots__": kind.__slots__, **thawed})


def _written(lines: Iterable[str], name: str, /, **names: object) -> Callable[..., Any]:
    exec("\n".join(lines), names)  # noqa: S102 -- of the names of our own classes' fields, nothing else
    made: Callable[..., Any] = names[name]  # type: ignore[assignment] # it was just defined
    return made


Events: TypeAlias = tuple[Event, ...]
# Erased on purpose: each aggregate's table pairs a type with the function that takes exactly that type.
Decider: TypeAlias = Callable[[Any, Any], Events]
Evolver: TypeAlias = Callable[[Any, Any], Any]
Stamp: TypeAlias = Callable[[Any, Any, Event, datetime], Any]
Fold: TypeAlias = Callable[[Any, Any, datetime, bool], Any]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One consistency boundary. A state of None is a stream without events."""

    name: str
    decide: Decider
    evolve: Evolver
    events: tuple[type[Event], ...]
    # Evolves and stamps: folds an event that was recorded at a moment, and may write into the state before it
    # where whoever asks made that himself and shows it to nobody.
    fold: Fold
    # What an event leaves whose category was erased: where the state counts its events, that there was one.
    counted: Callable[[Any], Any] | None = None


def aggregate(
    name: str,
    *,
    deciders: Mapping[type[Command], Decider],
    founders: Mapping[type[Event], Evolver],
    evolvers: Mapping[type[Event], Evolver],
    stamp: Stamp | None = None,
    folds: Mapping[type[Event], Fold] = _NO_FOLDS,
    counted: Callable[[Any], Any] | None = None,
) -> Aggregate:
    """Build an aggregate from its tables.

    Founders make a state out of nothing (or renew it); evolvers are asked only where there is one.
    An event that is not the aggregate's own leaves the state as it is. Folds do in one step what the
    evolver of their event does and the stamp then: `stamp` notes in the new state, beside the old one, when
    what is new in it was recorded, and by which event.
    """

    def decide(command: Command, state: object) -> Events:
        decider = deciders.get(type(command))
        if decider is None:
            message = f"{name} has no decision for {type(command).__name__}"  # only a bug gets here
            raise TypeError(message)
        return decider(command, state)

    # Looked up for each event of a fold: most are no founders, which come first all the same.
    others = {kind: evolver for kind, evolver in evolvers.items() if kind not in founders}

    def evolve(state: object, event: Event) -> object:
        evolver = others.get(type(event))
        if evolver is not None:
            return state if state is None else evolver(state, event)
        founder = founders.get(type(event))
        return state if founder is None else founder(state, event)

    def fold(state: object, event: Event, at: datetime, own: bool) -> object:  # noqa: FBT001 -- for each event of a fold
        at_once = folds.get(type(event))
        if at_once is not None:
            return state if state is None else at_once(state, event, at, own)
        after = evolve(state, event)
        return after if stamp is None or after is None else stamp(state, after, event, at)

    return Aggregate(name, decide, evolve, (*founders, *evolvers), fold, counted)


def evolve_at(kind: Aggregate, state: object, event: Event, at: datetime) -> object:
    """Fold an event that was recorded at a moment; the state before it stays as it is."""
    return kind.fold(state, event, at, False)  # noqa: FBT003 -- for each event of a fold


def skipped(kind: Aggregate, state: object) -> object:
    """Fold an event that says nothing any more: only that it was there, where somebody counts."""
    return state if kind.counted is None or state is None else kind.counted(state)


def stream_of(aggregate_name: str, key: str) -> str:
    """Return the id of a stream, such as "plan-<uuid>"."""
    return f"{aggregate_name}{STREAM_SEPARATOR}{key}"
