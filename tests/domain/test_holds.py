"""Legal holds: who places and lifts one, and what it holds; on both sides of each line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from exchange.domain.erasure.words import ErasureArticle
from exchange.domain.limits.holds import HOLDS_MAX, HoldKind, HoldLifted, HoldPlaced, LiftHold, PlaceHold
from exchange.domain.limits.objections import ObjectionDecided, ResidentObjected
from exchange.domain.resident import RESIDENT
from tests.domain.builders import NOON, RESIDENT_REF, RESIDENT_REGISTERED, given
from tests.domain.test_erasure import APPROVE, APPROVED, CARE, FIRST, OFFICER, PROPOSED

PLACE = PlaceHold(
    now=NOON,
    author=FIRST,
    hold_id="hold-1",
    kind=HoldKind.COURT_CASE,
    reference="AWB-26-1",
    reason="Beroep.",
    review_date=NOON.date() + timedelta(days=1),
)
PLACED = HoldPlaced(
    resident=RESIDENT_REF,
    hold_id="hold-1",
    kind="court_case",
    reference="AWB-26-1",
    reason="Beroep.",
    review_date=PLACE.review_date,
    organisation=FIRST.oin,
    task=FIRST.task,
    professional=FIRST.professional,
    at=NOON,
)
LIFT = LiftHold(now=NOON, author=OFFICER, hold_id="hold-1", reason="Uitspraak.")
LIFTED = HoldLifted(
    resident=RESIDENT_REF,
    hold_id="hold-1",
    reason="Uitspraak.",
    organisation=OFFICER.oin,
    task=OFFICER.task,
    professional=OFFICER.professional,
    at=NOON,
)
OBJECTED = ResidentObjected(
    resident=RESIDENT_REF, objection_id="o-1", purpose="", recipient="", reason="Niet doen."
)
DECIDED = ObjectionDecided(resident=RESIDENT_REF, objection_id="o-1", outcome="REJECTED", reason="Nodig.")
OVER = replace(PROPOSED, article="retention_end", reason="term_ended")


def test_a_hold_is_placed_and_lifted_by_another() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(PLACE).then(PLACED)
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(PLACE, author=CARE)).refused("NOT_TO_DECIDE")
    given(RESIDENT, RESIDENT_REGISTERED, PLACED).when(LIFT).then(LIFTED)
    given(RESIDENT, RESIDENT_REGISTERED, PLACED).when(replace(LIFT, author=CARE)).refused("NOT_TO_DECIDE")
    # Another task of the same person is the same person.
    same = replace(OFFICER, professional=FIRST.professional)
    given(RESIDENT, RESIDENT_REGISTERED, PLACED).when(replace(LIFT, author=same)).refused("SAME_PERSON")
    given(RESIDENT, RESIDENT_REGISTERED, PLACED, LIFTED).when(LIFT).refused("NO_SUCH_HOLD")
    given(RESIDENT).when(PLACE).refused("NOT_REGISTERED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "feeling"}, "kind"),
        ({"reference": ""}, "reference"),
        ({"reason": " "}, "reason"),
        ({"review_date": NOON.date()}, "review_date"),
        ({"review_date": date(2200, 1, 1)}, "review_date"),
    ],
)
def test_it_says_what_it_is_for(change: dict[str, Any], field: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(PLACE, **change)).invalid(field)


def test_there_are_so_many_and_no_more() -> None:
    most = [replace(PLACED, hold_id=f"hold-{number}") for number in range(HOLDS_MAX)]
    given(RESIDENT, RESIDENT_REGISTERED, *most[1:]).when(PLACE).then(PLACED)
    given(RESIDENT, RESIDENT_REGISTERED, *most).when(PLACE).refused("HOLDS_FULL")


@pytest.mark.parametrize("article", ErasureArticle)
def test_a_hold_stops_every_erasure_but_one_that_was_ordered(article: str) -> None:
    asked = replace(PROPOSED, article=article)
    approving = given(RESIDENT, RESIDENT_REGISTERED, PLACED, asked).when(APPROVE)
    if article == ErasureArticle.OBLIGED:
        approving.then(APPROVED)
    else:
        approving.refused("LEGAL_HOLD")
    given(RESIDENT, RESIDENT_REGISTERED, PLACED, LIFTED, asked).when(APPROVE).then(APPROVED)


def test_what_only_a_term_ended_waits_for_an_answer() -> None:
    waits = replace(APPROVE, waiting=True)
    given(RESIDENT, RESIDENT_REGISTERED, OVER).when(waits).refused("REQUEST_OPEN")
    given(RESIDENT, RESIDENT_REGISTERED, OVER).when(APPROVE).then(APPROVED)
    # What the resident asked himself is done all the same.
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(waits).then(APPROVED)
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, OVER).when(APPROVE).refused("REQUEST_OPEN")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, DECIDED, OVER).when(APPROVE).then(APPROVED)


def test_what_it_is_for_is_sealed_and_that_it_stands_is_not() -> None:
    assert set(HoldPlaced.SEALED) == {"kind", "reference", "reason"}
    assert set(HoldLifted.SEALED) == {"reason"}
