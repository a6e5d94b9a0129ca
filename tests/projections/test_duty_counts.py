"""Counts of duties: each on both sides of its line and on it, of the month and of nobody else's."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.projections.duty_counts import COUNT, DutyCount, duty_counts
from exchange.projections.obligations import ObligationList, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
DUE, NOW = datetime(2026, 10, 10, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)
TICK = timedelta(microseconds=1)
OURS, THEIRS = "0" * 20, "9" * 20


@pytest.fixture
def duties(tmp_path: Path) -> Iterator[ObligationList]:
    found = ObligationList(tmp_path, lambda _basis, _version: None)
    with closing(found.database):
        yield found


def arose(
    duties: ObligationList,
    at: datetime = START,
    *,
    due: datetime = DUE,
    ended: datetime | None = None,
    by_clock: datetime | None = None,
    outcome: str = "",
    organisation: str = OURS,
    duty: str = "REVIEW-1-WORKDAY",
) -> None:
    with duties.database.writing() as c:
        (position,) = c.execute("SELECT COUNT(*) + 1 FROM obligations").fetchone()
        moments = [None if one is None else microseconds(one) for one in (at, due, by_clock, ended)]
        c.execute(
            "INSERT INTO obligations (position, duty, decision_id, stream, organisation, task, professional,"
            " purpose, decided_at, due_at, executes_at, executed_at, outcome)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (position, duty, f"d{position}", "s", organisation, "t", "p", "x", *moments, outcome),
        )


def counted(duties: ObligationList, now: datetime = NOW, organisation: str = "") -> list[DutyCount]:
    return duty_counts(duties, START, END, now, organisation)


def test_no_other_month_is_gone_through(duties: ObligationList) -> None:
    names = ("start", "end", "now", "organisation", "justified", "not_justified")
    with duties.database.reading() as c:
        steps = [step for *_, step in c.execute(f"EXPLAIN QUERY PLAN {COUNT}", dict.fromkeys(names, 1))]
    assert steps[0].startswith("SEARCH obligations USING INDEX obligations_arisen")
    assert not [step for step in steps if step.startswith("SCAN obligations")]


def test_a_month_without_any_has_none(duties: ObligationList) -> None:
    assert counted(duties) == []


def test_what_ended_by_the_moment_it_was_due_is_in_time_and_later_is_late(duties: ObligationList) -> None:
    for ended in (DUE - TICK, DUE, DUE + TICK):
        arose(duties, ended=ended)
    assert counted(duties) == [DutyCount("REVIEW-1-WORKDAY", 3, 2, 1, 0, 0, 0, 0)]


def test_what_is_open_is_overdue_from_the_moment_it_was_due(duties: ObligationList) -> None:
    arose(duties, due=NOW)
    arose(duties, due=NOW + TICK)
    assert counted(duties) == [DutyCount("REVIEW-1-WORKDAY", 2, 0, 0, 2, 1, 0, 0)]


def test_what_the_clock_ends_is_ended_when_its_moment_has_come(duties: ObligationList) -> None:
    arose(duties, by_clock=NOW, due=NOW)
    assert counted(duties, NOW - TICK) == [DutyCount("REVIEW-1-WORKDAY", 1, 0, 0, 1, 0, 0, 0)]
    assert counted(duties, NOW) == [DutyCount("REVIEW-1-WORKDAY", 1, 1, 0, 0, 0, 0, 0)]


def test_what_arose_at_the_beginning_is_of_the_month_and_at_its_end_no_more(duties: ObligationList) -> None:
    for at in (START - TICK, START, END - TICK, END):
        arose(duties, at)
    assert [one.arisen for one in counted(duties)] == [2]


def test_verdicts_and_kinds_are_told_apart_and_of_one_organisation_alone(duties: ObligationList) -> None:
    arose(duties, ended=DUE, outcome="justified")
    arose(duties, ended=DUE, outcome="not_justified", organisation=THEIRS)
    arose(duties, duty="ALERT-SNOOP")
    assert [(one.duty, one.justified, one.not_justified) for one in counted(duties)] == [
        ("ALERT-SNOOP", 0, 0),
        ("REVIEW-1-WORKDAY", 1, 1),
    ]
    assert counted(duties, organisation=THEIRS) == [DutyCount("REVIEW-1-WORKDAY", 1, 1, 0, 0, 0, 0, 1)]
    assert counted(duties, organisation="1" * 20) == []
