"""What is remembered by the object: made once, forgotten at the bound, never of another object."""

from __future__ import annotations

from exchange.pipeline.remembered import ByObject


def test_of_one_object_it_is_made_once_and_of_an_equal_one_again() -> None:
    asked: list[list[int]] = []
    length = ByObject(lambda one: asked.append(one) or len(one), most=3)  # type: ignore[func-returns-value]
    first, equal = [1, 2], [1, 2]
    assert [length(first), length(first), length(equal)] == [2, 2, 2]
    assert len(asked) == 2
    assert (asked[0] is first, asked[1] is equal) == (True, True)


def test_at_the_bound_all_are_forgotten() -> None:
    asked: list[list[int]] = []
    length = ByObject(lambda one: asked.append(one) or len(one), most=2)  # type: ignore[func-returns-value]
    one, two, three = [1], [1, 2], [1, 2, 3]
    for kept in (one, two, one, two):
        length(kept)
    assert len(asked) == 2
    assert [length(three), length(one)] == [3, 1]
    assert len(asked) == 4


def test_an_object_that_is_gone_gives_its_id_to_nobody() -> None:
    length = ByObject(len, most=10_000)
    assert all(length([0] * size) == size for size in range(1_000))
