"""The bench of lookups on a small year: the same for the same seed, and its figures add up."""

from __future__ import annotations

from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from exchange.cli import bench as shown
from exchange.wiring import bench_lookups
from exchange.wiring.bench_lookups import IN_ALL, measure_lookups, with_lookups
from exchange.wiring.load.sizes import LONG, SHORT
from exchange.wiring.lookups_year import LAWFUL, OF_PLANTED, made_year

if TYPE_CHECKING:
    from exchange.wiring.lookups_year import Year

ACCESSES = 12_000


@pytest.fixture(scope="module")
def year() -> Year:
    return made_year(ACCESSES)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return measure_lookups(ACCESSES)


def test_the_same_seed_makes_the_same_year(year: Year) -> None:
    assert made_year(ACCESSES).accesses == year.accesses
    assert made_year(ACCESSES, seed=2).accesses != year.accesses


def test_a_year_has_every_kind_and_is_in_order(year: Year) -> None:
    kinds = Counter(one.planted for one in year.accesses)
    assert set(kinds) == {LAWFUL, *OF_PLANTED}
    assert year.accesses == sorted(year.accesses, key=lambda one: one.at)
    assert ACCESSES <= len(year.accesses) < ACCESSES + 10


def test_the_figures_of_each_way_add_up(year: Year, found: dict[str, Any]) -> None:
    assert found["accesses"] == len(year.accesses)
    planted = sum(one.planted != LAWFUL for one in year.accesses)
    for kinds in found["ways"].values():
        whole = kinds.pop(IN_ALL)
        assert (whole["planted"], whole["named"]) == (
            planted,
            sum(one["named"] for one in kinds.values()),
        )
        assert whole["recall"] == pytest.approx(whole["named"] / planted, abs=1e-4)
        named = whole["named"] + whole["named_wrongly"]
        assert whole["precision"] == pytest.approx(whole["named"] / named, abs=1e-4)
        kinds[IN_ALL] = whole
    assert sum(found["explained_by"].values()) == found["accesses"]


def test_a_long_run_tells_it_and_a_short_one_does_not(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]
) -> None:
    monkeypatch.setattr(bench_lookups, "measure_lookups", lambda _accesses: found)
    report = with_lookups({"results": {}}, ACCESSES)
    assert report["results"]["lookups_judged_s"]["median"] == found["seconds"]["judge"]
    assert (SHORT.lookups, LONG.lookups) == (0, 1_000_000)


def test_it_is_shown_by_itself(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]) -> None:
    monkeypatch.setattr(shown, "measure_lookups", lambda _accesses: found)
    with redirect_stdout(StringIO()) as out:
        shown.bench(lookups=True)
    for word in ("neighbour, once", "precision", "OFF-HOURS"):
        assert word in out.getvalue()
