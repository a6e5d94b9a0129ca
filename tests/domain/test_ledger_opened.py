"""Logs of a shard: one for each year, in order, each over the end of the former."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.domain.ledger import LEDGER, NO_YEAR, LogOpened, OpenLog, name_in, year_of
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import MUNICIPALITY, NOON, fold

ROOT = "0a" * 32


def opening(**changes: Any) -> OpenLog:  # noqa: ANN401 -- fields of several types
    said: dict[str, Any] = {
        "now": NOON,
        "oin": MUNICIPALITY,
        "year": 2027,
        "former_origin": f"exchange.example/{MUNICIPALITY}/2026",
        "former_first": 0,
        "former_size": 7,
        "former_root": ROOT,
    }
    return OpenLog(**(said | changes))


def test_a_year_is_opened_over_the_end_of_the_former() -> None:
    (told,) = LEDGER.decide(opening(), None)
    assert told == LogOpened(
        oin=MUNICIPALITY,
        origin=f"exchange.example/{MUNICIPALITY}/2027",
        first=7,
        former_origin=f"exchange.example/{MUNICIPALITY}/2026",
        former_size=7,
        former_root=ROOT,
    )
    following = opening(year=2030, former_origin=told.origin, former_first=7, former_size=3)
    (next_one,) = LEDGER.decide(following, fold(LEDGER, told))
    assert isinstance(next_one, LogOpened)
    assert (next_one.origin, next_one.first) == (f"exchange.example/{MUNICIPALITY}/2030", 10)


@pytest.mark.parametrize("year", [2025, 2026])
def test_a_year_that_is_not_later_is_not_opened(year: int) -> None:
    with pytest.raises(RuleBroken, match="later year"):
        LEDGER.decide(opening(year=year), None)


@pytest.mark.parametrize("changes", [{"former_first": 6}, {"former_origin": "other.example/1/2027"}])
def test_a_log_is_opened_over_the_one_before_it_alone(changes: dict[str, Any]) -> None:
    (told,) = LEDGER.decide(opening(), None)
    assert isinstance(told, LogOpened)
    rest: dict[str, Any] = {"year": 2028, "former_origin": told.origin, "former_first": 7} | changes
    with pytest.raises(RuleBroken, match="the one before it"):
        LEDGER.decide(opening(**rest), fold(LEDGER, told))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("oin", "1"),
        ("former_origin", "exchange.example/nothing"),
        ("former_origin", "exchange.example/20261"),
        ("former_first", -1),
        ("former_size", 0),
        ("former_root", "0A" * 32),
    ],
)
def test_what_has_another_shape_is_refused(field: str, value: object) -> None:
    with pytest.raises(RequestInvalid) as refused:
        LEDGER.decide(opening(**{field: value}), None)
    assert field in refused.value.fields


def test_a_name_without_a_year_has_no_next_one() -> None:
    assert year_of("directory.example") == NO_YEAR
    assert year_of("a/2026") == 2026
    assert name_in("a/b/2026", 2031) == "a/b/2031"
