"""A shape says of fields what no seal changes, and marks those that are sealed in the same steps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from exchange.gate.model import Facts, Field
from exchange.pipeline import shapes
from exchange.pipeline.decisions import categories_of, facts_text
from exchange.pipeline.recall import facts_of
from exchange.pipeline.shapes import Shape, shape_of
from tests.instructions import instructions, unlike

FIELDS = (
    Field("goals.own_words[WMO-PLAN|a]", "WMO-PLAN", provider="college:WMO"),
    Field("goals.own_words[WMO-PLAN|b]", "WMO-PLAN", provider="college:JW", secret=True),
    Field("version", "WONEN"),
)
NONE, GOALS, ELSEWHERE = frozenset[str](), frozenset({"goals.own_words"}), frozenset({"reports.desk"})


def test_the_very_fields_have_one_shape_and_others_have_their_own() -> None:
    assert shape_of(FIELDS) is shape_of([*FIELDS])
    assert shape_of(FIELDS[:2]) is not shape_of(FIELDS)
    assert shape_of(tuple(replace(one) for one in FIELDS)) is not shape_of(FIELDS)


def test_there_are_never_more_shapes_than_the_bound() -> None:
    for number in range(shapes.SHAPES_MAX + 2):
        shape_of((Field(str(number), "WONEN"),))
    assert len(shapes._shapes) <= shapes.SHAPES_MAX
    assert shape_of(FIELDS).names == tuple(one.name for one in FIELDS)


def test_fields_of_sealed_paths_are_marked_and_nothing_else_changes() -> None:
    shape = shape_of(FIELDS)
    assert shape.sealed_by(NONE) == shape.sealed_by(ELSEWHERE) == FIELDS
    first, second, third = shape.sealed_by(GOALS)
    assert (first, second) == (replace(FIELDS[0], sealed=True), replace(FIELDS[1], sealed=True))
    assert third == FIELDS[2]


def test_marking_takes_the_same_steps_whatever_is_sealed() -> None:
    shape = Shape(FIELDS)
    steps, *others = [instructions(partial(shape.sealed_by, paths)) for paths in (NONE, GOALS, ELSEWHERE)]
    assert steps.total() > 0
    assert [unlike(steps, other) for other in others] == [{}, {}]


def test_what_is_written_by_a_shape_is_what_is_written_without_it() -> None:
    shape = shape_of(FIELDS)
    for paths in (NONE, GOALS):
        facts = Facts(legal_basis="WMO-2.3.2", fields=shape.sealed_by(paths))
        assert facts_text(facts, shape) == facts_text(facts)
        assert facts_of(facts_text(facts, shape)) == facts
        assert shape.asked == categories_of(facts)
