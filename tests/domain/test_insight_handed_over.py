"""How many were handed over is told as a cell is, and not where it is too few."""

from __future__ import annotations

from exchange.domain.insight.cells import published_handed_over, shown_from, told_handed_over


def test_who_was_handed_over_is_told_from_as_many_as_a_cell() -> None:
    least = shown_from(1_000)
    told = [told_handed_over(published_handed_over(one, 1_000)) for one in (least, least - 1, -4)]
    assert told == [least, None, None]
    assert told_handed_over("") is None, "a table of before it was counted"
