"""Texts against simple types, on both sides of each facet and exactly on it."""

from __future__ import annotations

import time

import pytest

from adapters.provider.schema import PATTERNS, Law, SimpleType, schema_of
from adapters.provider.values import as_date, as_time, broken_facet, canonical

TYPES = schema_of(Law.WMO, "301").simple


@pytest.mark.parametrize(
    ("kind", "text", "facet"),
    [
        ("LDT_BurgerServicenummer", "999900006", None),
        ("LDT_BurgerServicenummer", "99990000", "pattern"),
        ("LDT_BurgerServicenummer", "9999000061", "maxLength"),
        ("LDT_BurgerServicenummer", "", "minLength"),
        ("LDT_BurgerServicenummer", "99990000६", "pattern"),
        ("LDT_BurgerServicenummer", " 99990000", "pattern"),
        ("LDT_Nummer", "0", None),
        ("LDT_Nummer", "999999999", None),
        ("LDT_Nummer", "1000000000", "maxInclusive"),
        ("LDT_Nummer", "-1", "minInclusive"),
        ("LDT_Nummer", "1.0", "integer"),
        ("LDT_Nummer", "", "integer"),
        ("LDT_Nummer", "9" * 5000, "maxInclusive"),
        ("LDT_Nummer", "-" + "9" * 5000, "minInclusive"),
        ("LDT_Nummer", "१", "integer"),
        ("LDT_Datum", "2026-02-28", None),
        ("LDT_Datum", "2026-02-29", "date"),
        ("LDT_Datum", "2026-06-31", "date"),
        ("LDT_Datum", "2026-02-28Z", "date"),
        ("LDT_Datum", "2026-02-28+01:00", "date"),
        ("LDT_Datum", "20260228", "date"),
        ("LDT_Datum", "2026-2-8", "date"),
        ("LDT_Tijd", "12:34:56", None),
        ("LDT_Tijd", "12:34:56.7", None),
        ("LDT_Tijd", "12:34:56.123456789", None),
        ("LDT_Tijd", "12:34", "time"),
        ("LDT_Tijd", "12:34:56Z", "time"),
        ("LDT_Tijd", "24:00:00", "time"),
        ("LDT_Tijd", "12:34:60", "time"),
        ("LDT_Geslacht", "2", None),
        ("LDT_Geslacht", "9", "enumeration"),
        ("LDT_Geslacht", "", "enumeration"),
        ("LDT_Geslacht", " 1", "enumeration"),
        ("LDT_Naam", "x" * 200, None),
        ("LDT_Naam", "x" * 201, "maxLength"),
        ("LDT_Naam", "   ", "pattern"),
        ("LDT_Naam", "a\nb", "pattern"),
        ("LDT_Naam", "a\rb", "pattern"),
        ("LDT_Naam", "\u00a0", None),
        ("LDT_Naam", "a\x07", "character"),
        ("LDT_Naam", "\ud800", "character"),
        ("LDT_Commentaar", "a\nb .\n", None),
        ("LDT_Commentaar", "\n \t", "pattern"),
        ("LDT_Voorletters", "AÉ", None),
        ("LDT_Voorletters", "A.", "pattern"),
        ("LDT_Versie", "1.0.0", None),
        ("LDT_Versie", "01.0.0", "pattern"),
        ("LDT_Versie", "1.0", "pattern"),
    ],
)
def test_a_text_breaks_the_facet_it_breaks(kind: str, text: str, facet: str | None) -> None:
    assert broken_facet(TYPES[kind], canonical(TYPES[kind], text)) == facet


@pytest.mark.parametrize(
    ("kind", "text", "canon"),
    [
        ("LDT_Nummer", " 007\n", "7"),
        ("LDT_Nummer", "+7", "7"),
        ("LDT_Nummer", "-0", "0"),
        ("LDT_Nummer", "000", "0"),
        ("LDT_Nummer", "-07", "-7"),
        ("LDT_Nummer", "seven ", "seven"),
        ("LDT_Datum", "\t2026-01-01 ", "2026-01-01"),
        ("LDT_Naam", " van ", " van "),
    ],
)
def test_numbers_and_dates_lose_their_blanks_and_strings_keep_them(kind: str, text: str, canon: str) -> None:
    assert canonical(TYPES[kind], text) == canon


def test_a_version_number_that_must_be_three_may_not_be_written_003() -> None:
    fixed = SimpleType("T", "integer", 0, 99, "digits", ())
    assert canonical(fixed, "03") == "03"


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_takes_more_than_linear_time(name: str) -> None:
    # Of the processor, not of the clock, which tells of the neighbours too: of a power it would be minutes.
    began = time.thread_time()
    PATTERNS[name].expression.fullmatch(" . a" * 50_000 + "\n\x00")
    PATTERNS[name].expression.fullmatch(" " * 200_000 + "\n")
    assert time.thread_time() - began < 1


def test_days_and_times_are_read_only_in_their_one_form() -> None:
    assert as_date("0001-01-01") is not None
    assert as_date("0000-01-01") is None
    assert as_date("2026-W01-1") is None
    assert as_time("T12:34:56") is None
    seen = as_time("12:34:56.5")
    assert seen is not None
    assert seen.microsecond == 500_000
