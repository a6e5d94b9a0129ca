"""What an event of received elements folds to is what each of its elements is by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, get_args, get_type_hints

import pytest

from exchange.domain.limits.compartments import LEAVES_OF
from exchange.domain.plan import PlanState
from exchange.domain.plan.received import (
    ElementsReceived,
    content_of,
    element_of,
    elements_received,
    newest_of,
    told,
)
from exchange.domain.plan.recorded import COLLECTIONS

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ORIGIN = "college:WMO@00000001003214345000"
PLAN = PlanState(plan_id="p", case_id="c", resident="r", origin=ORIGIN, version=7)
SAYS: dict[Any, Any] = {
    str: 'x "é"\n',
    int: 3,
    bool: True,
    date: date(2026, 3, 1),
    datetime: NOW,
    tuple[str, ...]: ("a", "b"),
    tuple[int, ...]: (1, 2),
}


def received(collection: str, content: str) -> ElementsReceived:
    """Return an event of these elements."""
    return ElementsReceived(
        resident="r",
        plan_id="p",
        organisation="00000001003214345000",
        task="college:WMO",
        handover_id="h",
        received_from="00000001003214345001",
        collection=collection,
        category="WMO-PLAN",
        content=content,
    )


def said(collection: str) -> dict[str, Any]:
    """Return an element of a collection that says something in every leaf, as JSON holds it."""
    (kind, *_) = get_args(get_type_hints(PlanState)[collection])
    hints = get_type_hints(kind)
    found = {name: SAYS.get(hint, SAYS.get(next(iter(get_args(hint)), hint))) for name, hint in hints.items()}
    element = kind(**{name: value for name, value in found.items() if value is not None})
    one = told(element, {path.partition(".")[2] for path in LEAVES_OF[collection]})
    return one | {"origin": ORIGIN}


def folded(collection: str, *elements: dict[str, Any]) -> list[Any]:
    """Return what a plan holds of a collection after it received these."""
    after = elements_received(PLAN, received(collection, content_of(elements)))
    assert after.version == 8
    return list(getattr(after, collection))


def one_by_one(collection: str, *elements: dict[str, Any]) -> list[Any]:
    """Return the elements, each made by itself."""
    made = [element_of(collection, one) for one in json.loads(content_of(elements))]
    if collection == "supports":
        return [replace(one, requested_version=8, corrected_version=0) for one in made]
    if collection in {"agreements", "answers"}:
        return [replace(one, plan_version=0) for one in made]
    return made


def forms(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an element whole, without each leaf, with more than is known, and with other moments."""
    values = one["values"]
    return [
        one,
        *(one | {"values": {key: said for key, said in values.items() if key != name}} for name in values),
        one | {"values": {}},
        one | {"values": values | {"of_a_later_version": [{"a": 1}], "written": 99, "rewritten": [1]}},
        one | {"more": None},
        *(
            one | {"recorded": moment}
            for moment in (
                "2026-03-02T10:00:00.1234567+00:00",
                "2026-03-02T10:00:00.9999999Z",
                "2026-03-02T10:00+02:00",
                "0001-01-01T00:00:00+00:00",
            )
        ),
    ]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_is_folded_is_what_each_element_is(collection: str) -> None:
    elements = forms(said(collection))
    assert folded(collection, *elements) == one_by_one(collection, *elements)
    for one in elements:
        # Each alone, too: where one is of another shape, all of a text are read one by one.
        (made,), (found,) = folded(collection, one), one_by_one(collection, one)
        assert made == found
        assert [type(getattr(made, name)) for name in made.__slots__] == [
            type(getattr(found, name)) for name in found.__slots__
        ]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_is_no_element_is_refused_as_each_by_itself(collection: str) -> None:
    one = said(collection)
    unfit = [one | {"values": one["values"] | {name: None}} for name in one["values"]]
    unfit += [one | {"values": one["values"] | {name: {}}} for name in one["values"]]
    unfit += [one | {"recorded": "2026-03-02T10:00:00"}, one | {"recorded": "then"}]
    unfit += [{key: value for key, value in one.items() if key != name} for name in one]
    for element in unfit:
        with pytest.raises((ValueError, KeyError, TypeError)) as alone:
            element_of(collection, element)
        with pytest.raises(alone.type):
            folded(collection, one, element)


def test_the_newest_of_an_event_is_its_last_as_the_plan_has_it() -> None:
    first, last = said("goals"), said("goals") | {"recorded": "2026-03-03T10:00:00+00:00"}
    event = received("goals", content_of([first, last]))
    plan = elements_received(PLAN, event)
    assert newest_of(event, plan) is plan.goals[-1]
    assert plan.goals[-1].recorded == datetime(2026, 3, 3, 10, tzinfo=UTC)
