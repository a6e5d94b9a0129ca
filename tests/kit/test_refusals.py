"""How often something was refused within a restriction, and since when."""

from __future__ import annotations

import sqlite3

import pytest

from adapters.kit.refusals import TERM_MS, Refusals


@pytest.fixture
def refusals() -> Refusals:
    return Refusals(sqlite3.connect(":memory:", isolation_level=None))


def test_what_is_asked_after_each_refusal_has_another_name(refusals: Refusals) -> None:
    names = [refusals.again("a")]
    for now_ms in (1, 2):
        refusals.refused("a", "plan", now_ms)
        names.append(refusals.again("a"))
    refusals.settled("a")
    assert names == ["", " after-1", " after-2"]
    # A name that was refused is used for good.
    assert refusals.again("a") == " after-2"
    assert refusals.again("b") == ""


def test_a_month_counts_from_the_first_refusal_since_it_went_on(refusals: Refusals) -> None:
    assert not refusals.too_long("a", TERM_MS)
    refusals.refused("a", "plan", 5)
    refusals.refused("a", "plan", TERM_MS)
    assert not refusals.too_long("a", TERM_MS + 4)
    assert refusals.too_long("a", TERM_MS + 5)
    refusals.settled("a")
    assert not refusals.too_long("a", TERM_MS * 2)
    refusals.refused("a", "plan", TERM_MS * 2)
    assert not refusals.too_long("a", TERM_MS * 2)
    refusals.lifted("plan")
    assert not refusals.too_long("a", TERM_MS * 4)


def test_a_clock_that_ran_ahead_holds_nothing_for_longer(refusals: Refusals) -> None:
    refusals.refused("a", "plan", TERM_MS * 9)
    refusals.refused("a", "plan", 0)
    assert refusals.too_long("a", TERM_MS)


def test_with_a_plan_all_of_it_goes(refusals: Refusals) -> None:
    refusals.refused("a", "plan", 1)
    refusals.refused("b", "other", 1)
    refusals.forget_plan("plan")
    assert (refusals.again("a"), refusals.again("b")) == ("", " after-1")
    refusals.forget("b")
    assert refusals.again("b") == ""
