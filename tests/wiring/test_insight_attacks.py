"""Who knows everything about everybody but one resident asks tables until the year is spent, and guesses.

The bound: of a year of epsilon E no guess, however made, is right so often that its hits are more than
(e^E - 1) / (e^E + 1) above its false alarms. The same attack on the numbers themselves is always right: so it
is an attack, and the test can fail.
Source: Wasserman and Zhou 2010, theorem 2.4; Kairouz, Oh and Viswanath 2015 (trade-off of hits and alarms).
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import pytest

from exchange.domain.insight import (
    INSIGHT,
    Change,
    InsightState,
    PublishTable,
    Question,
    Row,
    Table,
    cell_of,
)
from exchange.domain.insight.cells import (
    RESIDENTS_MIN,
    THOUSANDTHS,
    Noised,
    Scales,
    published_cells,
    shown_from,
    told_cell,
)
from exchange.domain.values import Author
from exchange.errors import RuleBroken
from exchange.wiring.noise import add_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
AUTHOR = Author("0" * 20, "beleid", "beleid-1", operator=True)
ROWS = tuple(Row("custom", f"{number:02}") for number in range(6))
TARGET = "r-target"
TOTAL = 1_000
TRIALS = 250
# Four standard errors of the difference of two shares of so many trials.
SLACK = 4 * math.sqrt(2 * 0.25 / TRIALS)

Residents = dict[str, list[Change]]


def bound(thousandths: int) -> float:
    e = math.exp(thousandths / THOUSANDTHS)
    return (e - 1) / (e + 1)


def town(in_cell: int) -> Residents:
    """Return residents without the target: so many where the target would be, and some elsewhere."""
    day = date(2026, 5, 1)
    there = {f"r-{number}": [Change(ROWS[0], "housing", day, 1)] for number in range(in_cell)}
    elsewhere = {
        f"o-{number}": [Change(ROWS[1 + number % 5], "housing", day, -1)] for number in range(5 * in_cell)
    }
    return there | elsewhere


def with_target(residents: Residents) -> Residents:
    return residents | {TARGET: [Change(ROWS[0], "housing", date(2026, 5, 1), 2)]}


class Numbers(NamedTuple):
    """What a table says of the target's cell; None where it says nothing."""

    residents: int | None
    steps: int | None


class People:
    """Residents, with what every question counts of them: one trial is as the next but for its noise."""

    def __init__(self, residents: Residents) -> None:
        self._residents = residents
        self._counted: dict[str, tuple[list[int], list[int]]] = {}

    def counted(self, question: Question) -> tuple[list[int], list[int]]:
        if question.name not in self._counted:
            self._counted[question.name] = counts(question, self._residents)
        return self._counted[question.name]


def counts(question: Question, residents: Residents) -> tuple[list[int], list[int]]:
    places = {cell: number for number, cell in enumerate(question.cells())}
    found, steps = [0] * len(places), [0] * len(places)
    for ref, changes in residents.items():
        if cell := cell_of(ref, changes, question):
            found[places[cell.row, cell.life_domain]] += 1
            steps[places[cell.row, cell.life_domain]] += cell.steps
    return found, steps


class Year:
    """One year of published tables: the real ledger, the real noise, or none."""

    def __init__(self, people: People, *, noise: bool) -> None:
        self._people = people
        self._noise = noise
        self._state: InsightState | None = None

    def publish(self, question: Question, spend: int) -> Mapping[Row, Numbers]:
        """Raises RuleBroken when the year is spent."""
        found, steps = self._people.counted(question)
        known = None if self._state is None else self._state.table(question.name)
        if known is not None:
            return _read(known)
        if not self._noise:
            # As tables are made without a budget: exact numbers, small cells left out.
            return {
                row: Numbers(n, s) if n >= RESIDENTS_MIN else Numbers(None, None)
                for (row, _), n, s in zip(question.cells(), found, steps, strict=True)
            }
        order = PublishTable(
            now=NOW,
            author=AUTHOR,
            table_id="t",
            question=question,
            cells=published_cells(question, add_noise(found, steps, spend), spend),
            spend_thousandths=spend,
            total_thousandths=TOTAL,
            as_of=1,
        )
        for event in INSIGHT.decide(order, self._state):
            self._state = INSIGHT.evolve(self._state, event)
        assert self._state is not None
        table = self._state.table(question.name)
        assert table is not None
        return _read(table)


def _read(table: Table) -> Mapping[Row, Numbers]:
    return {one.row: Numbers(one.residents, one.steps) for one in map(told_cell, table.cells)}


def asked(*rows: Row) -> Question:
    return Question.asked(2026, rows, ["housing"])


# --- the attacks: each returns a guess that the target is there ---------------------------------------------


def evidence(told: Numbers, without: Numbers, scales: Scales) -> float:
    """Return how much likelier these numbers are with the target than without: the best there is."""
    if told.residents is None or told.steps is None:
        return 0.0
    assert without.residents is not None
    assert without.steps is not None
    of_residents = abs(told.residents - without.residents) - abs(told.residents - without.residents - 1)
    of_steps = abs(told.steps - without.steps) - abs(told.steps - without.steps - 2)
    return of_residents / scales.residents + of_steps / scales.steps


def spending(year: Year, questions: Iterator[Question], spend: int) -> Iterator[tuple[Question, Numbers]]:
    for question in questions:
        try:
            yield question, year.publish(question, spend)[ROWS[0]]
        except RuleBroken as error:
            if error.metadata["rule"] != "BUDGET_EXHAUSTED":
                raise
            return


def known(question: Question, others: People) -> Numbers:
    found, steps = others.counted(question)
    place = [row for row, _ in question.cells()].index(ROWS[0])
    return Numbers(found[place], steps[place])


def once_for_everything(year: Year, others: People) -> bool:
    """Spend the whole year on one table."""
    return _sum_up(year, others, iter([asked(*ROWS)]), TOTAL)


def overlapping_categories(year: Year, others: People) -> bool:
    """Ask the target's row again and again, each time beside another one."""
    questions = (asked(ROWS[0], *ROWS[1 : 1 + n]) for n in range(len(ROWS)))
    return _sum_up(year, others, questions, TOTAL // 5)


def differencing(year: Year, others: People) -> bool:
    """Ask everything, then everything but one row, and take one from the other."""
    questions = (asked(*(row for row in ROWS if row != left_out)) for left_out in (None, *ROWS[1:]))
    return _sum_up(year, others, questions, TOTAL // 6)


def many_repeats(year: Year, others: People) -> bool:
    """Ask the same a hundred times, to have the noise average out."""
    return _sum_up(year, others, (asked(ROWS[0]) for _ in range(100)), TOTAL // 4)


def complementary_suppression(year: Year, others: People) -> bool:
    """See whether the target's cell is shown: with the target it is just large enough."""
    told = year.publish(asked(*ROWS), TOTAL)[ROWS[0]]
    return told.residents is not None


def _sum_up(year: Year, others: People, questions: Iterator[Question], spend: int) -> bool:
    scales = Scales.of(spend)
    seen: dict[str, float] = {}
    for question, told in spending(year, questions, spend):
        seen[question.name] = evidence(told, known(question, others), scales)
    return sum(seen.values()) > 0


ATTACKS: Sequence[tuple[Callable[[Year, People], bool], int]] = (
    # Each with how many others are in the target's cell, so that its numbers are shown at all.
    (once_for_everything, shown_from(TOTAL) + 20),
    (overlapping_categories, shown_from(TOTAL // 5) + 60),
    (differencing, shown_from(TOTAL // 6) + 60),
    (many_repeats, shown_from(TOTAL // 4) + 60),
    # Just too few without the target: for exact numbers by the rule, for noisy ones by the noise.
    (complementary_suppression, shown_from(TOTAL) - 1),
)


def advantage(attack: Callable[[Year, People], bool], in_cell: int, *, noise: bool, trials: int) -> float:
    """Return the share of hits above the share of false alarms."""
    residents = town(in_cell)
    others, there = People(residents), People(with_target(residents))
    hits = sum(attack(Year(there, noise=noise), others) for _ in range(trials))
    alarms = sum(attack(Year(others, noise=noise), others) for _ in range(trials))
    return (hits - alarms) / trials


@pytest.mark.slow
@pytest.mark.parametrize(("attack", "in_cell"), ATTACKS, ids=lambda one: getattr(one, "__name__", ""))
def test_no_attack_tells_more_than_the_year_allows(
    attack: Callable[[Year, People], bool], in_cell: int
) -> None:
    assert advantage(attack, in_cell, noise=True, trials=TRIALS) <= bound(TOTAL) + SLACK


@pytest.mark.parametrize(("attack", "in_cell"), ATTACKS, ids=lambda one: getattr(one, "__name__", ""))
def test_the_same_attack_on_the_numbers_themselves_is_always_right(
    attack: Callable[[Year, People], bool], in_cell: int
) -> None:
    exact = RESIDENTS_MIN - 1 if attack is complementary_suppression else in_cell
    assert advantage(attack, exact, noise=False, trials=2) == 1.0


def test_noise_that_is_too_narrow_is_caught_by_the_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that says one and a mechanism that gives a tenth of the noise: the bound does not hold."""

    right = add_noise

    def narrow(residents: Sequence[int], steps: Sequence[int], spend: int) -> Noised:
        return right(residents, steps, spend * 10)

    monkeypatch.setitem(globals(), "add_noise", narrow)
    assert advantage(once_for_everything, 60, noise=True, trials=100) > bound(TOTAL) + 4 * math.sqrt(0.005)


def test_asking_again_spends_nothing_and_says_the_same() -> None:
    year = Year(People(town(60)), noise=True)
    first = year.publish(asked(*ROWS), TOTAL)
    assert all(year.publish(asked(*reversed(ROWS)), spend) == first for spend in (TOTAL, 50, 4_000))
    with pytest.raises(RuleBroken):
        year.publish(asked(*ROWS[1:]), 50)


def test_noise_costs_what_the_ledger_says_for_every_price() -> None:
    from exchange.wiring.noise import ROUNDING, _cost, _mechanisms

    for spend in (50, 51, 333, 999, 1_000, 4_000):
        residents, steps = _mechanisms(spend)
        # By the library: one resident more or less, one cell, two steps.
        cost = _cost(residents, 1) + _cost(steps, 2)
        assert cost == pytest.approx(spend / THOUSANDTHS, abs=ROUNDING)
        # The noise is drawn anew each time, and whole.
        drawn = {tuple(add_noise([0] * 20, [0] * 20, spend).residents) for _ in range(3)}
        assert len(drawn) == 3


def test_a_table_that_would_cost_more_than_it_says_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from exchange.wiring import noise

    prices = count(60)
    monkeypatch.setattr(noise, "CHANGE_MAX", 3)
    with pytest.raises(AssertionError, match="cost more"):
        add_noise([1], [1], next(prices))
