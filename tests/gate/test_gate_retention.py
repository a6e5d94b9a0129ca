"""Terms of retention: both sides of the line and on it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exchange.domain.values import LAW_OF_TASK
from exchange.gate.judge import judge
from exchange.gate.model import Facts, Field
from exchange.gate.register import Register
from exchange.gate.retention import TERMS, WMO, binding_terms, record_end, retention_end, rule_years, term_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REGISTER = Register.load()


@pytest.mark.parametrize(
    ("law", "years"),
    [("wmo", 15), ("jw", 20), ("wgbo", 20), ("zvw", 20), ("pw", 10), ("wgs", 5), ("suwi", 5), (None, 15)],
)
def test_a_term_runs_from_the_record(law: str | None, years: int) -> None:
    assert retention_end(NOON, law) == datetime(2026 + years, 3, 2, 12, tzinfo=UTC)


def test_a_term_from_the_day_that_is_not_in_every_year_ends_with_the_month() -> None:
    leap = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert retention_end(leap, "wmo") == datetime(2039, 3, 1, 12, tzinfo=UTC)
    assert retention_end(leap, "jw") == datetime(2044, 2, 29, 12, tzinfo=UTC)


def test_every_law_of_a_task_has_a_term_with_its_article() -> None:
    assert {term_of(law).years for law in LAW_OF_TASK.values()} <= {one.years for one in TERMS.values()}
    assert all(one.citation for one in TERMS.values())
    assert term_of("bw") is WMO


@pytest.mark.parametrize(
    ("late", "released"), [(timedelta(microseconds=-1), True), (timedelta(0), False), (timedelta(1), False)]
)
def test_the_last_moment_of_a_term_is_not_included(late: timedelta, *, released: bool) -> None:
    field = Field("doelen", "WMO-PLAN", retention_end=retention_end(NOON, "wmo"))
    facts = Facts(
        now=retention_end(NOON, "wmo") + late,
        actor_auth="2FA+mTLS",
        legal_basis="WMO-2.3.2",
        purpose="wmo-onderzoek",
        provider="college:WMO",
        recipient="college:WMO",
        recipient_id="college-1",
        fields=(field, replace(field, name="nieuw", retention_end=None)),
        case_relation=True,
        necessity="nodig",
        consent=None,
    )
    verdict = judge(facts, REGISTER)
    assert verdict.fields["doelen"].release is released
    assert verdict.fields["nieuw"].release


@pytest.mark.parametrize(
    ("article", "law", "binds"),
    [
        ("avg_17_1_a", "wmo", True),
        ("avg_17_1_d", "wmo", False),
        ("avg_17_1_e", "pw", False),
        ("wmo_5_3_5", "wmo", False),
        ("wmo_5_3_5", "avg", False),
        ("wmo_5_3_5", "jw", True),
        ("wmo_5_3_5", "pw", True),
        ("wmo_5_3_5", "onbekend", True),
        ("jeugdwet_7_3_9", "jw", False),
        ("jeugdwet_7_3_9", "wmo", True),
        ("retention_end", "wgs", True),
        ("", "wgs", True),
    ],
)
def test_a_term_binds_an_erasure_unless_its_own_law_yields(article: str, law: str, *, binds: bool) -> None:
    assert bool(binding_terms(article, {law: retention_end(NOON, law)}, NOON)) is binds


@pytest.mark.parametrize(
    ("late", "bound"), [(timedelta(microseconds=-1), True), (timedelta(0), False), (timedelta(1), False)]
)
def test_a_term_binds_until_it_ends(late: timedelta, *, bound: bool) -> None:
    ends = {"wgs": retention_end(NOON, "wgs"), "pw": NOON - timedelta(days=366)}
    found = binding_terms("retention_end", ends, retention_end(NOON, "wgs") + late)
    assert found == (("wgs 2031-03-02",) if bound else ())


def test_terms_are_told_by_law_and_day() -> None:
    ends = {law: retention_end(NOON, law) for law in ("wmo", "pw")}
    assert binding_terms("avg_17_1_b", ends, NOON) == ("pw 2036-03-02", "wmo 2041-03-02")


@pytest.mark.parametrize(
    ("rule", "years"),
    [
        ("P15Y, Wmo 2015 5.3.4(1)", 15),
        ("P5Y after the answer", 5),
        ("P100Y", 100),
        ("P15YT1H", 0),
        ("P6M, for a while", 0),
        ("PT60M, then only the record", 0),
        ("until the consent ends", 0),
        ("as P15Y", 0),
        ("", 0),
    ],
)
def test_a_rule_of_an_entry_is_read_where_it_begins_with_years(rule: str, years: int) -> None:
    assert rule_years(rule) == years


def test_the_longer_of_law_and_entry_counts() -> None:
    assert record_end(NOON, "wgs", "P4Y") == record_end(NOON, "wgs", "") == retention_end(NOON, "wgs")
    assert record_end(NOON, "wgs", "P6Y").year == NOON.year + 6
    leap = NOON.replace(year=2028, month=2, day=29)
    assert record_end(leap, "wgs", "P7Y").date().isoformat() == "2035-03-01"


def test_no_shipped_entry_tells_a_shorter_term_than_what_is_recorded_under_its_law_is_kept() -> None:
    """What a resident and the record of processing read is what happens (GDPR 15(1)(d), 30(1)(f))."""
    told = {
        basis.id: (years, TERMS[basis.regime.lower()].years)
        for basis in REGISTER.entries()
        if basis.regime in {"WMO", "JW", "WGBO"}  # these laws set a term themselves
        for years in (int(found.group(1)) for found in re.finditer(r"P([0-9]+)Y", basis.retention_rule))
    }
    assert {name: both for name, both in told.items() if both[0] < both[1]} == {}
    assert len(told) > 10
