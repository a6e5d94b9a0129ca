"""A line of a declaration is held to terms, care and what was granted; a month to the one before."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider.codes import ChangeReason, Frequency, Unit, WmoStopReason
from adapters.provider.declaration_book import Declared, LineState
from adapters.provider.declaration_rules import Ledger, declaration_findings, spans_of_care
from adapters.provider.declarations import (
    write_declaration,
)
from adapters.provider.records import CareStart, CareStop, Product
from adapters.provider.terms import Term
from adapters.sdk.bsn import Bsn
from tests.provider.builders import BSN, assignment, declaration, performance

if TYPE_CHECKING:
    from adapters.provider.declarations import Declaration, Performance
    from adapters.provider.records import Assignment


APRIL = (date(2026, 4, 1), date(2026, 4, 30))
TERMS = assignment(starts_on=date(2026, 3, 15), ends_on=date(2026, 12, 15))


def codes(
    *,
    terms: Assignment | None = TERMS,
    before: tuple[Declared, ...] = (),
    care: tuple[tuple[date, date], ...] = (APRIL,),
    whose: str = "one",
    known: str | None = "one",
    lines: tuple[Performance, ...] = (),
    **changes: Any,  # noqa: ANN401 -- the fields of the record
) -> list[str]:
    line = performance(**changes)
    told = declaration(clients=((Bsn(BSN), (line, *lines)),))
    ledger = Ledger(
        terms=lambda number: None if terms is None or number != 101 else Term(whose, terms),
        before=lambda reference: next((one for one in before if one.line.reference == reference), None),
        under=lambda _number: [one for one in before if one.state is not LineState.REFUSED],
        care=lambda _whose, _number: care,
    )
    return found(told, ledger, known)


def found(told: Declaration, ledger: Ledger, known: str | None = "one") -> list[str]:
    written = write_declaration(told)
    return [one.code for one in declaration_findings(written, told, [known], ledger)]


def was(state: LineState = LineState.GRANTED, **changes: Any) -> Declared:  # noqa: ANN401 -- the fields of the record
    line = performance(reference="P-0", first=date(2026, 5, 1), last=date(2026, 5, 31))
    return Declared(dataclasses.replace(line, **changes), "DN000", "one", state)


def terms(**changes: Any) -> Assignment:  # noqa: ANN401 -- the fields of the record
    return dataclasses.replace(TERMS, **changes)


SAME: dict[str, Any] = {"first": APRIL[0], "last": APRIL[1]}
BUDGET: dict[str, Any] = {"volume": None, "unit": None, "frequency": None, "budget_cents": 10_000}
EUROS: dict[str, Any] = {"unit": Unit.EURO, "rate_cents": None}

LINES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"terms": None}, ["9338"]),
    ({"whose": "other"}, ["8187"]),
    ({"known": None}, ["8187"]),
    ({"terms": terms(change_reason=ChangeReason.REMOVED)}, ["9384"]),
    # Days: the whole month, or what of it the assignment covers.
    ({"first": date(2026, 4, 2)}, ["9387"]),
    ({"last": date(2026, 4, 29)}, ["9388"]),
    ({"terms": terms(starts_on=date(2026, 4, 2))}, ["9307"]),
    ({"terms": terms(starts_on=date(2026, 4, 2)), "first": date(2026, 4, 2)}, []),
    ({"terms": terms(ends_on=date(2026, 4, 29))}, ["9308"]),
    ({"terms": terms(ends_on=date(2026, 4, 29)), "last": date(2026, 4, 29)}, []),
    ({"terms": terms(ends_on=None, frequency=Frequency.PER_MONTH), "volume": 4, "cents": 6000}, []),
    ({"first": date(2026, 5, 1), "last": date(2026, 5, 31), "care": ((APRIL[0], date.max),)}, ["9319"]),
    # Care: on its first and last day, and beside them.
    ({"care": ((date(2026, 4, 30), date.max),)}, []),
    ({"care": ((date(2026, 5, 1), date.max),)}, ["9307"]),
    ({"care": ((date(2026, 3, 15), date(2026, 4, 1)),)}, []),
    ({"care": ((date(2026, 3, 15), date(2026, 3, 31)),)}, ["9308"]),
    ({"care": ()}, ["9307"]),
    # Product and unit.
    ({"product": Product("03", "02A03")}, ["9339"]),
    ({"product": Product("02", "02A04")}, ["9340"]),
    ({"terms": terms(product=None), "product": Product("03", "03A01")}, []),
    ({"unit": Unit.DAY_AND_NIGHT}, ["9341"]),
    ({"unit": Unit.MINUTE, "volume": 300, "rate_cents": 25}, []),
    ({"cents": 7499}, ["9346"]),
    # How much: five weeks of four hours have begun in April; 39.4 weeks run from 15 March to 15 December.
    ({"volume": 20, "cents": 30_000}, []),
    ({"volume": 21, "cents": 31_500}, ["9321"]),
    ({"unit": Unit.MINUTE, "volume": 1_201, "cents": 30_025, "rate_cents": 25}, ["9321"]),
    ({"before": (was(volume=155),)}, []),
    ({"before": (was(volume=156),)}, ["9322"]),
    ({"before": (was(LineState.REFUSED, volume=156),)}, []),
    ({"before": (was(volume=156), was(volume=156, reference="P-00", credits_reference="P-0"))}, []),
    ({"terms": terms(frequency=Frequency.PER_DAY, volume=1), "volume": 30, "cents": 45_000}, []),
    ({"terms": terms(frequency=Frequency.PER_DAY, volume=1), "volume": 31, "cents": 46_500}, ["9321"]),
    ({"terms": terms(frequency=Frequency.IN_TOTAL, volume=5)}, []),
    ({"terms": terms(frequency=Frequency.IN_TOTAL, volume=4)}, ["9321"]),
    ({"terms": terms(**BUDGET), **EUROS, "volume": 10_000, "cents": 10_000}, []),
    ({"terms": terms(**BUDGET), **EUROS, "volume": 10_001, "cents": 10_001}, ["9369"]),
    ({"terms": terms(**BUDGET)}, ["9341"]),
    # What was declared before.
    ({"before": (was(reference="P-1"),)}, ["8021"]),
    ({"before": (was(LineState.REFUSED, reference="P-1"),)}, ["8021"]),
    ({"before": (was(**SAME),)}, ["9389"]),
    ({"before": (was(LineState.REFUSED, **SAME),)}, []),
    ({"before": (was(**SAME), was(reference="P-00", credits_reference="P-0", **SAME))}, []),
    ({"credits_reference": "P-0"}, ["8017"]),
    ({"credits_reference": "P-0", "before": (was(),)}, ["8017"]),
    ({"credits_reference": "P-0", "before": (was(**SAME),)}, []),
    ({"credits_reference": "P-0", "before": (was(LineState.REFUSED, **SAME),)}, ["8017"]),
    (
        {
            "credits_reference": "P-0",
            "before": (was(**SAME), was(reference="P-00", credits_reference="P-0", **SAME)),
        },
        ["9390"],
    ),
    # Lines of one message count for each other.
    (
        {
            "terms": terms(frequency=Frequency.IN_TOTAL, volume=9),
            "lines": (performance(reference="P-2", first=date(2026, 3, 15), last=date(2026, 3, 31)),),
            "care": ((date(2026, 3, 15), date.max),),
        },
        ["9322"],
    ),
]


@pytest.mark.parametrize(("case", "expected"), LINES)
def test_a_line_is_held_to_terms_care_and_what_was_granted(case: dict[str, Any], expected: list[str]) -> None:
    assert codes(**case) == expected


@pytest.mark.parametrize(
    ("latest", "gap", "expected"),
    [
        (None, True, []),
        (date(2026, 3, 31), True, []),
        (date(2026, 2, 28), True, ["8214"]),
        (date(2026, 2, 28), False, []),
        (date(2026, 4, 30), False, ["8214"]),
        (date(2026, 5, 31), False, ["8214"]),
    ],
)
def test_a_month_follows_the_one_before(latest: date | None, gap: bool, expected: list[str]) -> None:  # noqa: FBT001 -- a column
    asked = []

    def between(span: tuple[date, date]) -> bool:
        asked.append(span)
        return gap

    told = declaration(clients=((Bsn(BSN), (performance(),)),))
    ledger = Ledger(
        terms=lambda _number: Term("one", TERMS),
        before=lambda _reference: None,
        under=lambda _number: (),
        care=lambda _whose, _number: (APRIL,),
        latest=latest,
        delivered_between=between,
    )
    assert found(told, ledger) == expected
    assert asked in ([], [(date(2026, 3, 1), date(2026, 3, 31))])
    assert found(told, dataclasses.replace(ledger, number_used=True))[0] == "9333"


def test_care_is_told_from_start_to_stop() -> None:
    start = CareStart(APRIL[0], 101)
    stop = CareStop(APRIL[0], APRIL[1], WmoStopReason.AS_PLANNED, 101)
    assert spans_of_care(101, [start], []) == ((APRIL[0], date.max),)
    assert spans_of_care(101, [start], [stop]) == (APRIL,)
    assert spans_of_care(102, [start], [stop]) == ()
    other = dataclasses.replace(stop, starts_on=APRIL[1])
    assert spans_of_care(101, [start], [other]) == ((APRIL[0], date.max),)
