"""Residents: facts that stay; the limits on them have a room of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from exchange.domain.days import day_of
from exchange.domain.limits.restrictions import ResidentRestricted
from exchange.domain.representation import Representation
from exchange.domain.representation.state import Judgement
from exchange.domain.resident import (
    RESIDENT,
    RegisterResident,
    ResidentState,
    age_at,
    agrees_himself,
    agrees_with_parents,
)
from tests.domain.builders import (
    A_DAY,
    DAY,
    REGISTER,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    fold,
    given,
)
from tests.domain.test_limits import SEALED


def test_registering() -> None:
    given(RESIDENT).when(REGISTER).then(RESIDENT_REGISTERED)


@pytest.mark.parametrize("birth_date", [REGISTER.birth_date, REGISTER.birth_date + A_DAY])
@pytest.mark.parametrize("capable", [True, False])
def test_registering_somebody_known_changes_and_tells_nothing(birth_date: date, *, capable: bool) -> None:
    again = replace(REGISTER, birth_date=birth_date, capable=capable)
    given(RESIDENT, RESIDENT_REGISTERED).when(again).then(RESIDENT_REGISTERED)
    assert fold(RESIDENT, RESIDENT_REGISTERED, RESIDENT_REGISTERED) == fold(RESIDENT, RESIDENT_REGISTERED)


def test_capacity_judged_anew_keeps_seals_and_limits() -> None:
    restricted = ResidentRestricted(
        resident=RESIDENT_REF, restriction_id="b-1", purpose="", recipient="", reason="", review_date=None
    )
    history = (RESIDENT_REGISTERED, SEALED, restricted, replace(RESIDENT_REGISTERED, capable=False))
    state = fold(RESIDENT, *history)
    assert (len(state.seals), len(state.restrictions), state.capable) == (1, 1, False)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(REGISTER, birth_date=DAY + A_DAY), "birth_date"),
        (replace(REGISTER, birth_date=date(1899, 12, 31)), "birth_date"),
        (replace(REGISTER, resident=""), "resident"),
    ],
)
def test_registering_with_a_fault_names_the_field(command: RegisterResident, path: str) -> None:
    given(RESIDENT).when(command).invalid(path)


@pytest.mark.parametrize("birth_date", [DAY, date(1900, 1, 1)])
def test_the_first_and_last_birth_dates_there_are(birth_date: date) -> None:
    registered = replace(RESIDENT_REGISTERED, birth_date=birth_date)
    given(RESIDENT).when(replace(REGISTER, birth_date=birth_date)).then(registered)


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(2010, 3, 2), date(2026, 3, 1), 15),
        (date(2010, 3, 2), date(2026, 3, 2), 16),
        (date(2010, 3, 2), date(2026, 3, 3), 16),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2010, 12, 31), date(2026, 1, 1), 15),
        (date(2026, 3, 2), date(2026, 3, 2), 0),
    ],
)
def test_age_changes_on_the_birthday(born: date, day: date, age: int) -> None:
    assert age_at(ResidentState(RESIDENT_REF, born, capable=True), day) == age


def test_whose_own_yes_to_a_plan_counts_by_age_and_by_what_was_judged_last_about_care() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    today, tomorrow = date(2026, 3, 2), date(2026, 3, 3)
    child = ResidentState("r", date(2014, 3, 3), capable=True)
    assert [agrees_himself(child, day) for day in (today, tomorrow)] == [False, True]
    unable = replace(child, birth_date=date(1980, 3, 3), capable=False)
    assert not agrees_himself(unable, today)
    for matter, capable, own in (("care", True, True), ("consent", True, False)):
        judged = Judgement(matter, capable=capable, at=noon, until=tomorrow)
        known = replace(unable, representation=Representation(judgements=(judged,)))
        # Once it is over nobody found that he cannot: it takes nobody's own word away.
        assert [agrees_himself(known, day) for day in (today, tomorrow)] == [own, matter == "care"]


def test_both_agree_from_the_twelfth_birthday_here_until_the_sixteenth() -> None:
    child = ResidentState("r", date(2014, 7, 3), capable=True)
    midnight = {12: datetime(2026, 7, 2, 22, tzinfo=UTC), 16: datetime(2030, 7, 2, 22, tzinfo=UTC)}
    moments = [at - before for at in midnight.values() for before in (timedelta(seconds=1), timedelta())]
    assert [agrees_with_parents(child, day_of(at)) for at in moments] == [False, True, True, False]
    assert [agrees_himself(child, day_of(at)) for at in moments] == [False, True, True, True]
    leap = replace(child, birth_date=date(2016, 2, 29))
    days = (date(2028, 2, 28), date(2028, 2, 29), date(2032, 2, 28), date(2032, 2, 29))
    assert [agrees_with_parents(leap, day) for day in days] == [False, True, True, False]
    unable = Judgement("care", capable=False, at=midnight[12], until=date(2026, 9, 1))
    judged = replace(child, representation=Representation(judgements=(unable,)))
    until_over = (date(2026, 8, 31), date(2026, 9, 1))
    assert [agrees_with_parents(judged, day) for day in until_over] == [False, True]
