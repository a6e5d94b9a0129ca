"""What explains an access and what makes it stand out: each rule on both sides of its line, and on it."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest

from exchange.projections.lookups.accesses import DAY, MINUTE, Access, Act, Known, Tie
from exchange.projections.lookups.counting import cells_of, judged
from exchange.projections.lookups.explaining import explain
from exchange.projections.lookups.indicating import indicated, is_off_hours
from exchange.projections.lookups.months import month_of, start_of
from exchange.projections.lookups.rules import (
    AFTER_END,
    BREAK_GLASS,
    CASE,
    EXPLANATIONS,
    INDICATORS,
    MANY_LOOKERS,
    MANY_RESIDENTS,
    NO_FOLLOW_UP,
    OFF_HOURS,
    OWN_PART_WORKED_DAYS,
    PAIR,
    REFERRAL,
    RIGHTS,
    STAND_IN,
    TASK,
    THRESHOLDS,
)
from exchange.projections.lookups.sampling import Anchor, chance_of_one, draw, seed_of
from exchange.projections.obligations import microseconds

ORG, WMO, ME, HE = "00000001003214345000", "college:WMO", "w-1", "w-2"
# A Tuesday, ten in the morning in the Netherlands.
NOON = microseconds(datetime(2026, 3, 10, 9, 0, tzinfo=UTC))
MONTH = start_of(month_of(NOON))
NOBODY = Known((), ())


def access(at: int = NOON, who: str = ME, of: str = "r-1", position: int = 1, emergency: str = "") -> Access:
    return Access(position, f"d-{position}", at, ORG, WMO, who, of, emergency)


def tie(kind: str = CASE, start: int = NOON - 100 * DAY, end: int | None = None, **changes: Any) -> Tie:  # noqa: ANN401 -- any field of a tie
    return Tie(kind, "r-1", ORG, WMO, ME, start, end)._replace(**changes)


def act(at: int = NOON, who: str = ME, of: str = "r-1") -> Act:
    return Act(of, ORG, WMO, who, at)


def said(one: Access, *ties: Tie, acts: tuple[Act, ...] = ()) -> str:
    return explain(one, Known(ties, acts))


# --- what explains ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (tie(), CASE),
        (tie(start=NOON), CASE),
        (tie(start=NOON + 1), ""),
        (tie(end=NOON - 14 * DAY), CASE),
        (tie(end=NOON - 14 * DAY - 1), ""),
        (tie(professional=HE), ""),
        (tie(task="college:PW"), ""),
        (tie(organisation="00000004000000077000"), ""),
        (tie(resident="r-2"), ""),
        (tie(own=True), ""),
        (tie(REFERRAL, NOON - 30 * DAY, NOON - 30 * DAY, professional=""), REFERRAL),
        (tie(REFERRAL, NOON - 30 * DAY - 1, NOON - 30 * DAY - 1, professional=""), ""),
        (tie(REFERRAL, NOON + 2 * DAY, NOON + 2 * DAY, professional=""), REFERRAL),
        (tie(REFERRAL, NOON + 2 * DAY + 1, NOON + 2 * DAY + 1, professional=""), ""),
        (tie(REFERRAL, NOON - DAY, NOON - DAY, professional="", task="college:PW"), ""),
        (tie(RIGHTS, NOON - DAY), RIGHTS),
        (tie(RIGHTS, NOON + 1), ""),
        (tie(RIGHTS, NOON - 60 * DAY, NOON - 14 * DAY), RIGHTS),
        (tie(RIGHTS, NOON - 60 * DAY, NOON - 14 * DAY - 1), ""),
        (tie(RIGHTS, NOON - DAY, professional=HE), ""),
    ],
)
def test_a_tie_explains_for_its_person_and_in_its_window(known: Tie, reason: str) -> None:
    assert said(access(), known) == reason


@pytest.mark.parametrize(
    ("worked_after_days", "reason"), [(0, CASE), (OWN_PART_WORKED_DAYS, CASE), (OWN_PART_WORKED_DAYS + 1, "")]
)
def test_who_let_himself_in_explains_nothing_until_he_works_on_it(
    worked_after_days: int, reason: str
) -> None:
    own = tie(own=True)
    worked = act(own.start + worked_after_days * DAY)
    assert said(access(), own, acts=(worked,)) == reason
    assert said(access(), own, acts=(worked._replace(professional=HE),)) == ""


@pytest.mark.parametrize(("days", "reason"), [(-15, ""), (-14, TASK), (0, TASK), (14, TASK), (15, "")])
def test_own_work_around_the_day_explains(days: int, reason: str) -> None:
    assert said(access(), acts=(act(NOON + days * DAY),)) == reason
    assert said(access(), acts=(act(NOON + days * DAY, HE),)) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, STAND_IN),
        ({"end": NOON}, STAND_IN),
        ({"end": NOON - 1}, ""),
        ({"start": NOON + 3 * DAY}, STAND_IN),
        ({"start": NOON + 3 * DAY + 1}, ""),
        ({"own": True}, ""),
        ({"place_of": "w-3"}, ""),
        ({"professional": "w-3"}, ""),
    ],
)
def test_a_stand_in_works_for_who_has_a_part(changes: dict[str, Any], reason: str) -> None:
    standing = tie(STAND_IN, NOON - DAY, NOON + 40 * DAY, place_of=HE)._replace(**changes)
    assert said(access(), tie(professional=HE), standing) == reason
    # Of who has no part any more nobody stands in the place.
    assert said(access(), tie(professional=HE, end=NOON), standing) == ""


def test_who_covers_for_a_colleague_worked_on_two_more_of_his_files_that_day() -> None:
    his = [tie(professional=HE, resident=f"r-{number}") for number in (1, 2, 3)]
    two, one = (act(of="r-2"), act(of="r-3")), (act(of="r-2"),)
    assert said(access(), *his, acts=two) == STAND_IN
    assert said(access(), *his, acts=one) == ""
    assert said(access(NOON + DAY), *his, acts=two) == "", "on another day"
    # On his own files he works every day: that covers for nobody.
    mine = tie(resident="r-2")
    assert said(access(), *his, mine, acts=two) == ""
    assert said(access(), *his[1:], acts=two) == "", "the colleague is not on this one"


@pytest.mark.parametrize(
    ("emergency", "reason"),
    [("justified", BREAK_GLASS), ("not_justified", ""), ("unreviewed", ""), ("", "")],
)
def test_an_emergency_explains_once_a_second_person_found_it_justified(emergency: str, reason: str) -> None:
    assert said(access(emergency=emergency)) == reason


def test_of_two_reasons_the_first_is_counted() -> None:
    assert said(access(emergency="justified"), tie(), acts=(act(),)) == CASE


# --- what stands out --------------------------------------------------------------------------------------


def each(accesses: list[Access], known: Known = NOBODY) -> list[tuple[str, ...]]:
    return [one for _, one in indicated(accesses, known, MONTH)]


def met(*accesses: Access, known: Known = NOBODY) -> list[set[str]]:
    return [{*one} - {NO_FOLLOW_UP} for one in each([*accesses], known)]


@pytest.mark.parametrize(
    ("moment", "off"),
    [
        ("2026-03-10T05:00+01:00", True),
        ("2026-03-10T05:59:59+01:00", True),
        ("2026-03-10T06:00+01:00", False),
        ("2026-03-10T18:59:59+01:00", False),
        ("2026-03-10T19:00+01:00", True),
        ("2026-07-07T06:00+02:00", False),
        ("2026-07-07T18:59+02:00", False),
        ("2026-03-14T10:00+01:00", True),
        ("2026-04-27T10:00+02:00", True),
        ("2026-04-28T10:00+02:00", False),
    ],
)
def test_office_hours_are_those_of_the_netherlands(moment: str, *, off: bool) -> None:
    assert is_off_hours(microseconds(datetime.fromisoformat(moment))) is off


def test_many_residents_in_an_hour_stand_out_from_the_threshold_on() -> None:
    least = THRESHOLDS[MANY_RESIDENTS]
    row = [access(NOON + number * MINUTE, of=f"r-{number}", position=number) for number in range(least)]
    assert [MANY_RESIDENTS in one for one in met(*row)] == [False] * (least - 1) + [True]
    # The same again is no other resident; the hour includes both its ends.
    assert MANY_RESIDENTS not in met(*row[:-1], access(NOON + 50 * MINUTE, of="r-0"))[-1]
    assert MANY_RESIDENTS in met(*row[:-1], access(NOON + 60 * MINUTE, of="r-x"))[-1]
    assert MANY_RESIDENTS not in met(*row[:-1], access(NOON + 60 * MINUTE + 1, of="r-x"))[-1]
    assert MANY_RESIDENTS not in met(*row[:-1], access(NOON + 50 * MINUTE, HE, "r-x"))[-1]


def test_many_who_look_at_one_stand_out_also_where_the_month_began_meanwhile() -> None:
    least = THRESHOLDS[MANY_LOOKERS]
    row = [access(MONTH - MINUTE * (least - n), f"w-{n}", position=n) for n in range(1, least)]
    last = access(MONTH - MINUTE * (least - 1) + 7 * DAY, "w-x")
    assert [MANY_LOOKERS in one for one in met(*row, last)] == [True]
    assert [MANY_LOOKERS in one for one in met(*row, last._replace(at=last.at + 1))] == [False]
    assert [MANY_LOOKERS in one for one in met(*row, last._replace(professional="w-1"))] == [False]


@pytest.mark.parametrize(
    ("end", "stands_out"),
    [
        (NOON - DAY, True),
        (NOON - DAY + 1, False),
        (NOON - 180 * DAY, True),
        (NOON - 180 * DAY - MINUTE, False),
        (None, False),
    ],
)
def test_who_left_the_case_stands_out_the_second_time(end: int | None, *, stands_out: bool) -> None:
    known = Known([tie(start=NOON - 400 * DAY, end=end)], ())
    twice = (access(), access(NOON, position=2))
    assert [AFTER_END in one for one in met(*twice, known=known)] == [False, stands_out]
    assert not any(AFTER_END in one for one in met(*twice)), "who never had a part did not leave"


def test_a_pair_stands_out_that_meets_on_many_times_the_usual_days() -> None:
    usual = [access(NOON, f"w-{n}", f"r-{n}", n) for n in range(10, 20)]
    days = THRESHOLDS[PAIR]
    pair = [access(MONTH + n * DAY + 600 * MINUTE, position=n) for n in range(days)]
    found = each(sorted([*usual, *pair], key=lambda one: one.at))
    assert sum(PAIR in one for one in found) == days
    found = each(sorted([*usual, *pair[1:]], key=lambda one: one.at))
    assert not any(PAIR in one for one in found)
    # Twice as much is usual: then so much is not unusual.
    busier = [one._replace(at=one.at + DAY) for one in usual]
    found = each(sorted([*usual, *busier, *pair], key=lambda one: one.at))
    assert not any(PAIR in one for one in found)


@pytest.mark.parametrize(("days", "none"), [(-31, True), (-30, False), (30, False), (31, True)])
def test_a_colleagues_work_is_follow_up_and_another_tasks_is_not(days: int, *, none: bool) -> None:
    one = act(NOON + days * DAY, HE)
    assert (NO_FOLLOW_UP in each([access()], Known((), [one]))[0]) is none
    other = Known((), [one._replace(task="college:PW")])
    assert NO_FOLLOW_UP in each([access()], other)[0]


# --- counting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("people", "few"), [(9, True), (10, False)])
def test_with_fewer_than_ten_professionals_nothing_is_told_apart_by_kind(people: int, *, few: bool) -> None:
    night = NOON + 12 * 60 * MINUTE
    row = [access(night, f"w-{n}", f"r-{n}", n) for n in range(people)]
    (cell,) = cells_of(judged(row, Known((), [act(who="w-0", of="r-0")]), MONTH))
    assert (cell.accesses, cell.unexplained, cell.indicated) == (people, people - 1, people - 1)
    assert cell.few is few
    assert dict(cell.explanations).get(TASK) == (None if few else 1)
    assert dict(cell.indicators).get(OFF_HOURS) == (None if few else people - 1)


def test_every_rule_has_a_source_and_a_meaning() -> None:
    for rules in (EXPLANATIONS, INDICATORS):
        assert len({one.name for one in rules}) == len(rules)
        assert all(one.source and one.meaning for one in rules)


# --- the sample -------------------------------------------------------------------------------------------

ANCHOR = Anchor("exchange.example/2026", 41, bytes(range(32)))


def test_a_sample_is_the_same_whoever_draws_it_and_in_whatever_order_they_stand() -> None:
    ids = [f"d-{number}" for number in range(100)]
    seed = seed_of(ANCHOR, ORG, "2026-03")
    drawn = draw(ids, 10, seed)
    assert draw(reversed(ids), 10, seed) == drawn
    assert draw(ids, 11, seed)[:10] == drawn, "who asks more gets the same first"
    assert len({*drawn}) == 10
    assert {*draw(ids, 500, seed)} == {*ids}
    assert draw((), 10, seed) == ()


def test_each_part_of_what_it_is_drawn_by_counts() -> None:
    seeds = {
        seed_of(ANCHOR, ORG, "2026-03"),
        seed_of(ANCHOR, ORG, "2026-04"),
        seed_of(ANCHOR, "00000004000000077000", "2026-03"),
        seed_of(ANCHOR._replace(size=42), ORG, "2026-03"),
        seed_of(ANCHOR._replace(root=bytes(32)), ORG, "2026-03"),
        seed_of(ANCHOR._replace(origin="exchange.example/2027"), ORG, "2026-03"),
    }
    assert len(seeds) == 6


@pytest.mark.parametrize(("population", "count"), [(12, 0), (12, 1), (12, 5), (12, 11), (12, 12), (12, 40)])
def test_the_chance_is_that_of_trying_every_sample(population: int, count: int) -> None:
    # One in a hundred of twelve is one; two in ten of them are three.
    for rate, unlawful in ((10, 1), (200, 3)):
        samples = [*combinations(range(population), min(count, population))]
        found = Fraction(sum(any(one < unlawful for one in drawn) for drawn in samples), len(samples))
        assert chance_of_one(population, count, rate) == pytest.approx(float(found))


def test_the_chance_in_a_month_of_a_municipality() -> None:
    # With so many, putting back or not makes hardly a difference; of 83,333 the rates make 834, 417 and 84.
    for rate, unlawful in ((10, 834), (5, 417), (1, 84)):
        put_back = 1 - (1 - unlawful / 83_333) ** 200
        assert chance_of_one(83_333, 200, rate) == pytest.approx(put_back, abs=1e-3)
    assert chance_of_one(0, 200, 10) == 0


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2026-02-28T23:59:59.999999+01:00", "2026-02"),
        ("2026-03-01T00:00+01:00", "2026-03"),
        ("2026-06-30T22:00+00:00", "2026-07"),
        ("2026-12-31T23:00+00:00", "2027-01"),
    ],
)
def test_a_month_is_one_of_the_netherlands(moment: str, month: str) -> None:
    at = microseconds(datetime.fromisoformat(moment))
    found = month_of(at)
    assert found.text == month
    assert start_of(found) <= at < start_of(found.next)
