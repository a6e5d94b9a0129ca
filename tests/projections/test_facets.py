"""Counts and pages of decisions: exact for any filter, and no statement that reads all of them."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from exchange.projections import facets
from exchange.projections.decisions import DAY_US, DecisionList, Filed, file_all
from exchange.projections.facets import Span, Wanted
from exchange.projections.kinds import Facet, Kind, basis_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.projections.decisions import DecisionFile

START = 1_790_000_000_000_000
DECISIONS = 600
# Spread over three months, so that days, months and the rest of a day all count.
STEP_US = 90 * DAY_US // DECISIONS
PEOPLE = tuple(f"{number:024x}" for number in range(40))
CHOICES: dict[str, tuple[Any, ...]] = {
    "organisations": ("1" * 20, "2" * 20, "3" * 20),
    "tasks": ("college:WMO", "wmo-aanbieder", "uwv"),
    "legal_bases": ("WMO-2.3.2", "WMO-2.3.2@2", "PW-7@1", "-"),
    "purposes": ("wmo-onderzoek", "wmo-levering"),
    "categories": ("WMO-PLAN", "INKOMEN", "STRAFRECHT"),
    "outcomes": ("PERMIT", "DENY", "PARTIAL_BREAK_GLASS"),
    "rules": ("R03", "R10", "P-WMO-2.3.2"),
}


def drawn(position: int, draw: random.Random) -> Filed:
    """A decision; its clock runs back now and then, as a clock that is set does."""
    outcome = draw.choice(("PERMIT", "PERMIT", "PERMIT", "DENY", "PARTIAL", "PARTIAL_BREAK_GLASS"))
    basis, version = draw.choice((("WMO-2.3.2", "1"), ("WMO-2.3.2", "2"), ("PW-7", "1"), ("-", "")))
    kind = Kind(
        draw.choice(CHOICES["organisations"]),
        draw.choice(CHOICES["tasks"]),
        basis,
        version,
        draw.choice((*CHOICES["purposes"], "audit")),
        outcome,
        int(outcome == "PARTIAL_BREAK_GLASS" or draw.random() < 0.05),
        " ".join(sorted({draw.choice((*CHOICES["categories"], "LOG")) for _ in range(2)})),
        " ".join(sorted({draw.choice((*CHOICES["rules"], "R22")) for _ in range(2)})),
    )
    at = START + position * STEP_US - draw.choice((0, 0, 0, 3 * DAY_US))
    return Filed(position, kind, at, position.to_bytes(16), bytes.fromhex(draw.choice((*PEOPLE, ""))))


@pytest.fixture(scope="module")
def filed() -> list[Filed]:
    draw = random.Random(20261126)  # noqa: S311 -- decisions anybody may guess
    # Others' events stand between decisions.
    return [drawn(position, draw) for position in range(2, 2 * DECISIONS + 1, 2)]


@pytest.fixture(scope="module")
def database(filed: list[Filed], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionFile]:
    made = DecisionList(tmp_path_factory.mktemp("facets"), lambda ref: ref)
    for start in range(0, len(filed), 170):
        rows = filed[start : start + 170]
        after = made.database.position()
        with made.database.following(after, rows[-1].position) as c:
            file_all(c, rows)
    yield made.database
    made.database.close()


def is_wanted(wanted: Wanted, one: Filed) -> bool:
    """The same filter over one decision, said in another way."""
    kind = one.kind
    sets = {
        "organisations": {kind.organisation},
        "tasks": {kind.task},
        "legal_bases": {kind.basis, basis_of(kind)},
        "purposes": {kind.purpose},
        "categories": set(kind.categories.split()),
        "outcomes": {kind.outcome},
        "rules": set(kind.rules.split()),
    }
    return (
        all(not getattr(wanted, name) or values & set(getattr(wanted, name)) for name, values in sets.items())
        and wanted.emergency in {None, bool(kind.glass)}
        and wanted.since <= one.at < wanted.until
        and wanted.resident in {"", one.resident.hex()}
        and wanted.decision_id in {"", one.name.hex()}
        and wanted.asked_by in {"", kind.organisation}
    )


def paged(
    database: DecisionFile, wanted: Wanted, position: int, *, newest_first: bool, size: int
) -> list[int]:
    """Every page of a listing, one behind the other."""
    found: list[int] = []
    while True:
        span = Span(end=position, newest_first=newest_first)
        if found:
            span = span._replace(end=found[-1]) if newest_first else span._replace(first=found[-1] + 1)
        page = facets.page(database, wanted, span, size + 1)
        found += page[:size]
        if len(page) <= size:
            return found


def drawn_filters(filed: list[Filed], count: int) -> Iterator[Wanted]:
    draw = random.Random(7)  # noqa: S311 -- filters anybody may guess
    for _ in range(count):
        asked: dict[str, Any] = {
            name: tuple(draw.sample(values, draw.choice((1, 1, 2))))
            for name, values in CHOICES.items()
            if draw.random() < 0.3
        }
        if draw.random() < 0.4:
            ends = sorted(draw.choice(filed).at + draw.choice((0, 0, 1, 12_345)) for _ in range(2))
            asked |= dict(zip(draw.choice((("since", "until"), ("since",), ("until",))), ends, strict=False))
        for name, value in (
            ("emergency", draw.random() < 0.5),
            ("resident", draw.choice(PEOPLE)),
            ("decision_id", draw.choice(filed).name.hex()),
            ("asked_by", draw.choice(CHOICES["organisations"])),
        ):
            if draw.random() < 0.15:
                asked[name] = value
        yield Wanted(**asked)


def test_counts_are_the_rows_of_a_full_listing_for_every_filter(
    filed: list[Filed], database: DecisionFile
) -> None:
    sizes, left_off = set(), 0
    for number, wanted in enumerate(drawn_filters(filed, 90)):
        position = (filed[-1].position + 1, filed[-3].position, filed[400].position)[number % 3]
        rows = [one for one in filed if one.position < position and is_wanted(wanted, one)]
        assert rows == [one for one in filed if one.position < position and wanted.holds(one)]
        counts = facets.counts(database, wanted, position)
        assert counts.total == len(rows), wanted
        told = {
            Facet.ORGANISATION: [one.kind.organisation for one in rows],
            Facet.TASK: [one.kind.task for one in rows],
            Facet.LEGAL_BASIS: [basis_of(one.kind) for one in rows],
            Facet.PURPOSE: [one.kind.purpose for one in rows],
            Facet.OUTCOME: [one.kind.outcome for one in rows],
            Facet.CATEGORY: [word for one in rows for word in one.kind.categories.split()],
            Facet.RULE: [word for one in rows for word in one.kind.rules.split()],
        }
        for facet, values in told.items():
            counted = counts.facets[facet]
            assert counted.total() == len(values)
            assert all(counted[value] == values.count(value) for value in set(values)), (wanted, facet)
        days = {one.at // DAY_US for one in filed if one.at < wanted.until}
        # The oldest of the story are older than what is counted back from the newest.
        first = max(days, default=0) - facets.DAYS_MAX + 1
        of_days = Counter(one.at // DAY_US for one in rows if one.at // DAY_US >= first)
        refused = Counter(one.at // DAY_US for one in rows if one.kind.outcome == "DENY")
        by_day = {day: (count, refused[day]) for day, count in of_days.items()}
        assert facets.by_day(database, wanted, position) == by_day, wanted
        left_off += len(rows) - of_days.total()
        newest_first, size = bool(number % 2), len(rows) // 3 + 1 + number % 2
        listed = paged(database, wanted, position, newest_first=newest_first, size=size)
        expected = [one.position for one in rows]
        assert listed == (expected[::-1] if newest_first else expected), wanted
        sizes.add(len(rows))
    assert left_off, "the story is within the days that are counted"
    assert len(sizes) > 20, "filters that find as many rows each try nothing"


def test_a_moment_is_on_its_line(filed: list[Filed], database: DecisionFile) -> None:
    one, end = filed[300], filed[-1].position + 1
    for since, until in (
        (one.at, one.at + 1),
        (one.at, one.at + DAY_US),
        (one.at // DAY_US * DAY_US, (one.at // DAY_US + 1) * DAY_US),
        (one.at // DAY_US * DAY_US, (one.at // DAY_US + 33) * DAY_US),
        (one.at + 1, one.at + 2),
    ):
        rows = [row.position for row in filed if since <= row.at < until]
        assert (one.position in rows) == (since <= one.at)
        wanted = Wanted(since=since, until=until)
        assert facets.counts(database, wanted, end).total == len(rows)
        assert facets.page(database, wanted, Span(end=end), 5_000) == rows


def test_pages_stay_where_they_are_while_decisions_arrive(filed: list[Filed], tmp_path: Path) -> None:
    made = DecisionList(tmp_path, lambda ref: ref)
    with made.database.following(0, filed[199].position) as c:
        file_all(c, filed[:200])
    wanted = Wanted(outcomes=("DENY",))
    first = facets.page(made.database, wanted, Span(end=filed[199].position + 1, newest_first=True), 10)
    with made.database.following(filed[199].position, filed[-1].position) as c:
        file_all(c, filed[200:])
    second = facets.page(made.database, wanted, Span(end=first[-1], newest_first=True), 10)
    expected = [one.position for one in filed[:200] if one.kind.outcome == "DENY"][::-1]
    assert [*first, *second] == expected[:20]
    made.database.close()


@pytest.mark.parametrize(
    "words", ["%", "' OR 1=1 --", "\x00", "x" * 10_000, "R03 R10", "", "é"], ids=range(7)
)
def test_words_are_taken_by_the_letter(database: DecisionFile, words: str) -> None:
    end = 2**40
    for name in (*CHOICES, "decision_id", "asked_by"):
        asked: Any = (words,) if name in CHOICES else words
        wanted = Wanted(**{name: asked})
        all_of_them = not words and name not in CHOICES
        assert bool(facets.counts(database, wanted, end).total) == all_of_them
        assert bool(facets.page(database, wanted, Span(end=end), 5)) == all_of_them


def statements(
    database: DecisionFile, wanted: Wanted, span: Span, monkeypatch: pytest.MonkeyPatch
) -> set[str]:
    """Every statement that a page and its counts take, with its values in it."""
    seen: set[str] = set()
    with closing(sqlite3.connect(database._path, isolation_level=None)) as traced:
        traced.set_trace_callback(seen.add)
        monkeypatch.setattr(database, "_connection", lambda: traced)
        facets.counts(database, wanted, span.end)
        facets.page(database, wanted, span, 51)
        facets.by_day(database, wanted, span.end)
        monkeypatch.undo()
    return {one for one in seen if one.lstrip().startswith("SELECT")}


# A question looks at each kind once: there are as many as kinds, however many decisions.
MAY_SCAN = ("SCAN kinds", "SCAN json_each VIRTUAL TABLE INDEX", "SCAN CONSTANT ROW", "SCAN days")


def test_no_filter_reads_all_decisions(
    filed: list[Filed], database: DecisionFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the plan that SQLite makes of each statement, not by the clock."""
    since: dict[str, Any] = {"since": filed[100].at, "until": filed[550].at}
    only: list[dict[str, Any]] = [{name: values[:1]} for name, values in CHOICES.items()]
    filters = [
        Wanted(),
        Wanted(**since),
        *(Wanted(**asked) for asked in only),
        *(Wanted(**asked, **since) for asked in only),
        Wanted(emergency=True),
        Wanted(resident=PEOPLE[1]),
        Wanted(decision_id=filed[0].name.hex()),
        Wanted(asked_by=CHOICES["organisations"][0]),
    ]
    looked_at = 0
    with closing(sqlite3.connect(database._path)) as c:
        for wanted, newest_first in product(filters, (False, True)):
            span = Span(end=filed[-2].position, newest_first=newest_first)
            for statement in statements(database, wanted, span, monkeypatch):
                for *_, step in c.execute(f"EXPLAIN QUERY PLAN {statement}"):
                    looked_at += step.startswith(("SCAN", "SEARCH"))
                    assert not step.startswith("SCAN") or step.startswith(MAY_SCAN), (step, statement)
                    # In the order it is stored in: nothing is sorted that is not on the page.
                    assert "TEMP B-TREE FOR ORDER BY" not in step, statement
    assert looked_at > len(filters)


def test_the_plan_of_a_statement_without_an_index_is_seen(database: DecisionFile) -> None:
    with closing(sqlite3.connect(database._path)) as c:
        steps = c.execute("EXPLAIN QUERY PLAN SELECT position FROM decisions WHERE resident > x'00'")
        (step,) = [one[-1] for one in steps]
    assert step.startswith("SCAN")
    assert not step.startswith(MAY_SCAN)


def test_kinds_that_came_since_and_a_file_made_anew_are_counted_alike(
    filed: list[Filed], tmp_path: Path
) -> None:
    made = DecisionList(tmp_path, lambda ref: ref)
    denied = Wanted(outcomes=("DENY",))

    def follow(rows: list[Filed]) -> None:
        with made.database.following(made.database.position(), rows[-1].position) as c:
            file_all(c, rows)

    with closing(made.database):
        for rows in (filed[:40], filed[40:300], filed[300:]):
            follow(rows)
            seen = [one for one in filed if one.position <= rows[-1].position and is_wanted(denied, one)]
            assert facets.counts(made.database, denied, facets.END).total == len(seen)
        whole = facets.counts(made.database, Wanted(), facets.END)
        made.database.forget()
        assert facets.counts(made.database, Wanted(), facets.END).total == 0
        follow(filed[:40])
        # Of others: so that a number that was kept would stand for another kind.
        made.database.forget()
        follow([one._replace(position=nth) for nth, one in enumerate(reversed(filed), 1)])
        again = facets.counts(made.database, Wanted(), facets.END)
        assert again == whole
        assert facets.page(made.database, denied, Span(), DECISIONS) == [
            nth for nth, one in enumerate(reversed(filed), 1) if is_wanted(denied, one)
        ]
