"""Records that are copied and made quickly are what the slow way makes of them, and as frozen."""

from __future__ import annotations

import pkgutil
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from inspect import signature
from typing import Any

import pytest

import exchange.domain
from exchange.domain import TOPICS
from exchange.domain.kernel import (
    Command,
    Event,
    changer,
    gathered,
    maker,
    quickly_made,
    what_changed,
    with_changes,
)
from exchange.domain.plan import PlanState, Situation, Support
from exchange.domain.plan.recorded import COLLECTIONS


def _records() -> list[type]:
    rooms = pkgutil.walk_packages(exchange.domain.__path__, "exchange.domain.")
    found = {
        kind
        for room in rooms
        for kind in vars(import_module(room.name)).values()
        if isinstance(kind, type) and is_dataclass(kind) and not issubclass(kind, (Event, Command))
    }
    return sorted((kind for kind in found if kind.__bases__ == (object,)), key=lambda kind: kind.__qualname__)


RECORDS = _records()


def filled(kind: type) -> Any:  # noqa: ANN401 -- a record of that kind
    return kind(**{field.name: f"{field.name}-1" for field in fields(kind) if field.init})


def values(record: Any) -> list[Any]:  # noqa: ANN401 -- any record
    return [getattr(record, field.name) for field in fields(record)]


def test_states_and_elements_are_among_the_records() -> None:
    assert {PlanState, Situation, Support} <= set(RECORDS)
    assert len(RECORDS) > 30


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_quick_copy_is_what_the_slow_one_is(kind: type) -> None:
    record, names = filled(kind), [field.name for field in fields(kind)]
    for given in ((), *((name,) for name in names), tuple(reversed(names))):
        changes: dict[str, Any] = {name: ("changed", name) for name in given}
        copy = with_changes(record, **changes)
        assert type(copy) is kind
        # Field by field: of some nothing is equal but themselves.
        assert values(copy) == values(replace(record, **changes))
        assert copy is not record
    assert values(record) == values(filled(kind))
    if kind.__dataclass_params__.frozen:  # type: ignore[attr-defined] # every dataclass has them
        with pytest.raises(FrozenInstanceError):
            setattr(with_changes(record), names[0], "written to")


def test_a_name_that_is_no_slot_is_no_change() -> None:
    with pytest.raises(AttributeError, match="Situation has no words"):
        with_changes(filled(Situation), words="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """As whoever makes it writes it; beside it the same, quickly made."""

    kind: str
    twin: str
    name: int = 7
    days: tuple[str, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """As `Slow`."""

    kind: str
    twin: str
    name: int = 7
    days: tuple[str, ...] = ()


def test_what_is_made_quickly_is_what_the_dataclass_makes() -> None:
    for given in ({}, {"name": 8}, {"days": ("monday",)}):
        words: dict[str, Any] = {"kind": "a", "twin": "b", **given}
        slow, quick = Slow(**words), Quick(**words)
        assert type(quick) is Quick
        assert values(quick) == values(slow)
        assert repr(quick) == repr(slow).replace("Slow", "Quick")
        assert hash(quick) == hash(slow)
        assert replace(quick, name=9) == with_changes(quick, name=9)
        with pytest.raises(FrozenInstanceError):
            quick.kind = "written to"  # type: ignore[misc] # it is frozen


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Its default is made anew each time."""

    name: int = 7
    days: dict[str, int] = field(default_factory=dict)


def test_what_is_made_anew_by_default_is_made_for_each_and_only_where_it_was_not_given() -> None:
    one, other = Filling(), Filling(name=8)
    assert (one.days, other.days) == ({}, {})
    assert one.days is not other.days
    days = {"monday": 1}
    assert Filling(days=days).days is days
    assert replace(Filling(days=days), name=9).days is days


def test_it_takes_what_the_dataclass_takes_and_nothing_else() -> None:
    assert signature(Quick).parameters.keys() == signature(Slow).parameters.keys()
    assert [each.default for each in signature(Quick).parameters.values()] == [
        each.default for each in signature(Slow).parameters.values()
    ]
    refused: tuple[dict[str, Any], ...] = ({"kind": "a"}, {"kind": "a", "twin": "b", "words": ""})
    for words in refused:
        for kind in (Slow, Quick):
            with pytest.raises(TypeError):
                kind(**words)
    with pytest.raises(TypeError):
        Quick("a", "b")  # type: ignore[call-arg] # by name only


def test_what_is_made_in_order_is_what_the_dataclass_makes() -> None:
    made: Slow = maker(Slow, "twin", "kind", "days")("b", "a", ("monday",))
    assert made == Slow(kind="a", twin="b", days=("monday",))
    assert type(made) is Slow
    with pytest.raises(FrozenInstanceError):
        made.kind = "written to"  # type: ignore[misc] # it is frozen
    for names in (("kind",), ("kind", "twin", "words"), ()):
        with pytest.raises(AttributeError, match="Slow is not made of these"):
            maker(Slow, *names)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_what_is_gathered_is_what_the_dataclass_makes(topic: str) -> None:
    kind = TOPICS[topic]
    names = [field.name for field in fields(kind)]
    event = kind(**{name: f"{name}-1" for name in names})
    # Each event derives from another frozen one.
    made = gathered(kind, names[:1], names[1:])(event, event)
    assert made == event
    assert made is not event
    assert type(made) is kind
    with pytest.raises(FrozenInstanceError):
        setattr(made, names[0], "written to")
    with pytest.raises(FrozenInstanceError):
        delattr(made, names[0])
    for parts in ((names[1:],), (names, names[:1]), (names, ("words",))):
        with pytest.raises(AttributeError, match="these are not the fields"):
            gathered(kind, *parts)


def test_what_was_found_once_changes_as_well_and_tells_what_changed() -> None:
    situation = filled(Situation)
    names = tuple(field.name for field in fields(Situation))
    told = what_changed(names)
    for name in set(names) - {"source"}:
        after = changer(Situation, name, "source")(situation, "other", "said")
        assert after == replace(situation, **{name: "other", "source": "said"})
        # By being another object, not by saying something else.
        assert told(situation, after) == [
            (getattr(situation, one), getattr(after, one)) for one in names if one in {name, "source"}
        ]
    assert told(situation, with_changes(situation)) == []


def test_every_collection_of_a_plan_is_noted_when_something_is_in_it() -> None:
    held = {field.name for field in fields(PlanState) if field.default == ()} - {"corrections", "unseen"}
    assert set(COLLECTIONS) == held
