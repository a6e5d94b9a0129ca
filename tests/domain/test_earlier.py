"""What a description took the place of: held as a chain, read as tuples."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import evolve_at, with_changes
from exchange.domain.plan import PLAN, Situation
from exchange.domain.plan.earlier import LINKS_MAX
from exchange.domain.plan.words import EARLIER_MAX
from tests.domain.builders import NOON, PLAN_OPENED, SITUATION_DESCRIBED

if TYPE_CHECKING:
    from exchange.domain.plan import SituationDescribed

FIRST = date(2016, 1, 1)


def told(number: int, **changes: Any) -> SituationDescribed:  # noqa: ANN401 -- a field of the event
    return replace(
        SITUATION_DESCRIBED,
        score=1 + number * number % 5,
        judge_date=FIRST + timedelta(days=number),
        **changes,
    )


def described(state: Any, *numbers: int) -> Any:  # noqa: ANN401 -- a plan
    for number in numbers:
        state = evolve_at(PLAN, state, told(number), NOON)
    return state


def expected(*numbers: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the earlier scores and days of who was described so, the last one not yet earlier."""
    earlier = [told(number) for number in numbers[:-1][-EARLIER_MAX:]]
    return tuple(one.score for one in earlier), tuple(one.judge_date.isoformat() for one in earlier)


def read(situation: Situation) -> tuple[tuple[int, ...], tuple[str, ...]]:
    return situation.earlier_scores, situation.earlier_judge_dates


OPENED = evolve_at(PLAN, None, PLAN_OPENED, NOON)


@pytest.mark.parametrize(
    "count",
    [
        1,
        2,
        EARLIER_MAX,
        EARLIER_MAX + 1,
        EARLIER_MAX + 2,
        LINKS_MAX,
        LINKS_MAX + 1,
        LINKS_MAX + 2,
        7 * LINKS_MAX,
    ],
)
def test_of_however_many_the_newest_hundred_are_told(count: int) -> None:
    (situation,) = described(OPENED, *range(count)).situations
    assert read(situation) == expected(*range(count))
    assert situation.score == told(count - 1).score


@pytest.mark.parametrize(
    "looked", [(), ("earlier_scores",), ("earlier_judge_dates",), ("score", "earlier_scores")]
)
@pytest.mark.parametrize("count", [3, EARLIER_MAX + 7])
def test_who_reads_on_the_way_changes_nothing_of_what_is_told(count: int, looked: tuple[str, ...]) -> None:
    state: Any = OPENED
    for number in range(count):
        state = described(state, number)
        if number % 3 == 1:
            for name in looked:
                getattr(state.situations[0], name)
    assert read(state.situations[0]) == expected(*range(count))


def links_of(state: Any) -> int:  # noqa: ANN401 -- a plan
    """Return how many links hang on the first description of a plan."""
    held, count = vars(Situation)["earlier_scores"].held(state.situations[0]), 0
    while held.__class__ is list:
        held, count = held[0], count + 1
    return count


def test_however_often_it_is_described_anew_few_links_are_held() -> None:
    state: Any = OPENED
    most = 0
    for number in range(3 * EARLIER_MAX):
        state = described(state, number)
        most = max(most, links_of(state))
    assert most == LINKS_MAX < EARLIER_MAX
    assert read(state.situations[0]) == expected(*range(3 * EARLIER_MAX))
    # Of a day there is one text, whoever was judged on it.
    other = described(OPENED, *range(3 * EARLIER_MAX))
    days = read(state.situations[0])[1], read(other.situations[0])[1]
    assert [one is another for one, another in zip(*days, strict=True)] == [True] * EARLIER_MAX


def test_two_states_that_go_on_from_one_know_nothing_of_each_other() -> None:
    before = described(OPENED, 0, 1, 2)
    one, other = described(before, 3, 4), described(before, 5)
    assert read(one.situations[0]) == expected(0, 1, 2, 3, 4)
    assert read(other.situations[0]) == expected(0, 1, 2, 5)
    assert read(before.situations[0]) == expected(0, 1, 2)


def test_what_was_described_twice_beside_each_other_goes_on_as_one() -> None:
    state = described(OPENED, 0, 1)
    for number in (2, 3):
        state = evolve_at(PLAN, state, told(number, beside=True), NOON)
    (situation,) = described(state, 4, 5).situations
    assert read(situation) == expected(0, 1, 2, 3, 4, 5)


def test_it_is_the_record_that_a_tuple_would_make() -> None:
    (chain,) = described(OPENED, 0, 1, 2).situations
    scores, days = expected(0, 1, 2)
    (as_tuples,) = described(OPENED, 0, 1, 2).situations
    plain = replace(as_tuples, earlier_scores=scores, earlier_judge_dates=days)
    assert chain == plain
    assert hash(chain) == hash(plain)
    assert repr(chain) == repr(plain)
    for again in (copy.copy(chain), copy.deepcopy(chain), with_changes(chain), replace(chain)):
        assert again == plain
    assert read(with_changes(chain, earlier_scores=(5,))) == ((5,), days)


def test_the_class_names_its_fields_all_the_same() -> None:
    assert Situation.__slots__[5:7] == ("earlier_scores", "earlier_judge_dates")
    for name in Situation.__slots__[5:7]:
        assert getattr(Situation, name) is vars(Situation)[name]
