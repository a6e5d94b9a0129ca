"""What is remembered by the object: made once, forgotten at the bound, never of another object."""

from __future__ import annotations

from exchange.pipeline.remembered import ByObject


class Lengths:
    """Tells how long a list is, and keeps what it was asked of."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, one: list[int]) -> int:
        self.asked.append(one)
        return len(one)


def test_of_one_object_it_is_made_once_and_of_an_equal_one_again() -> None:
    lengths = Lengths()
    length = ByObject(lengths, most=3)
    first, equal = [1, 2], [1, 2]
    assert [length(first), length(first), length(equal)] == [2, 2, 2]
    assert len(lengths.asked) == 2
    assert (lengths.asked[0] is first, lengths.asked[1] is equal) == (True, True)


def test_at_the_bound_all_are_forgotten() -> None:
    lengths = Lengths()
    length = ByObject(lengths, most=2)
    one, two, three = [1], [1, 2], [1, 2, 3]
    for kept in (one, two, one, two):
        length(kept)
    assert len(lengths.asked) == 2
    assert [length(three), length(one)] == [3, 1]
    assert len(lengths.asked) == 4


def test_an_object_that_is_gone_gives_its_id_to_nobody() -> None:
    length = ByObject(Lengths(), most=10_000)
    assert all(length([0] * size) == size for size in range(1_000))
