"""Determinations: the newest of a kind and scope counts, and what is about one before what is about all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange.domain.limits.determinations import (
    DETERMINATIONS_MAX,
    RecordDetermination,
    cleared,
    determined,
)
from exchange.domain.obligations import NOT_CLEARED, Cleared
from exchange.domain.resident import RESIDENT
from exchange.domain.values import Author
from tests.domain.builders import CONSULENT, MUNICIPALITY, RESIDENT_REGISTERED, fold, given
from tests.domain.people import FATHER_ID, MOTHER_ID, RECORDED
from tests.domain.test_limits import CARE, WEIGH, WEIGHED


def test_the_newest_finding_counts() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(WEIGH).then(WEIGHED)
    given(RESIDENT, RESIDENT_REGISTERED, WEIGHED).when(WEIGH).then()
    otherwise, told = replace(WEIGH, holds=False), replace(WEIGHED, holds=False)
    given(RESIDENT, RESIDENT_REGISTERED, WEIGHED).when(otherwise).then(told)
    given(RESIDENT, RESIDENT_REGISTERED).when(otherwise).then()
    assert fold(RESIDENT, RESIDENT_REGISTERED, WEIGHED, told).determinations == ()


def test_a_finding_is_about_one_recorded_representative_or_about_all() -> None:
    about = replace(WEIGH, representative_id=MOTHER_ID)
    told = replace(WEIGHED, representative_id=MOTHER_ID)
    given(RESIDENT, RESIDENT_REGISTERED).when(about).refused("REPRESENTATIVE_UNKNOWN")
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED).when(about).then(told)
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED, told).when(about).then()
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED, told).when(WEIGH).then(WEIGHED)
    # That it does not hold for her says something, also where nothing was found before.
    not_hers = replace(about, holds=False)
    given(RESIDENT, RESIDENT_REGISTERED, RECORDED).when(not_hers).then(replace(told, holds=False))


def test_what_is_about_one_goes_before_what_is_about_all() -> None:
    not_hers = replace(WEIGHED, representative_id=MOTHER_ID, holds=False)
    history = (RESIDENT_REGISTERED, RECORDED, WEIGHED, not_hers)
    known = fold(RESIDENT, *history).determinations
    request = ("wmo-levering", CARE)
    assert determined(known, *request, ()) == {"disproportionate"}
    assert determined(known, *request, (FATHER_ID,)) == {"disproportionate"}
    assert determined(known, *request, (MOTHER_ID,)) == frozenset()
    hers = fold(RESIDENT, *history[:2], replace(not_hers, holds=True)).determinations
    assert determined(hers, *request, ()) == frozenset()
    assert determined(hers, *request, (MOTHER_ID,)) == {"disproportionate"}
    elsewhere = fold(RESIDENT, RESIDENT_REGISTERED, replace(WEIGHED, purpose="wgs-plan")).determinations
    assert determined(elsewhere, *request, (MOTHER_ID,)) == frozenset()


CLEARING = replace(
    WEIGH,
    kind="contrary_to_child_interest",
    holds=False,
    purpose="vt-onderzoek",
    recipient="",
    representative_id=MOTHER_ID,
)
CLEARED = replace(
    WEIGHED,
    kind="contrary_to_child_interest",
    holds=False,
    purpose="vt-onderzoek",
    recipient="",
    representative_id=MOTHER_ID,
)


def test_who_is_cleared_is_cleared_since_it_was_found_last() -> None:
    later = CLEARED.at + timedelta(days=400)
    known = (RESIDENT_REGISTERED, RECORDED, CLEARED)
    given(RESIDENT, *known[:2]).when(CLEARING).then(CLEARED)
    # What is found anew of another investigation counts from then.
    given(RESIDENT, *known).when(replace(CLEARING, now=later)).then(replace(CLEARED, at=later))
    found = fold(RESIDENT, *known, replace(CLEARED, at=later)).determinations
    assert len(found) == 1
    assert cleared(found, CARE, (MOTHER_ID,)) == Cleared(investigation=later)
    assert cleared(found, CARE, (FATHER_ID,)) == cleared(found, CARE, ()) == NOT_CLEARED


def test_who_is_cleared_of_an_emergency_is_not_of_an_investigation_and_each_is_closed_by_itself() -> None:
    of_emergencies = replace(CLEARED, purpose="acute-nood")
    later = replace(of_emergencies, at=CLEARED.at + timedelta(days=400))
    known = (RESIDENT_REGISTERED, RECORDED, of_emergencies)
    given(RESIDENT, *known).when(replace(CLEARING, purpose="acute-nood", now=later.at)).then(later)
    found = fold(RESIDENT, *known).determinations
    assert cleared(found, CARE, (MOTHER_ID,)) == Cleared(emergency=CLEARED.at)
    both = fold(RESIDENT, *known, CLEARED).determinations
    assert cleared(both, CARE, (MOTHER_ID,)) == Cleared(CLEARED.at, CLEARED.at)
    contrary = fold(RESIDENT, *known, CLEARED, replace(of_emergencies, holds=True)).determinations
    assert cleared(contrary, CARE, (MOTHER_ID,)) == Cleared(investigation=CLEARED.at)


@pytest.mark.parametrize(
    "changes",
    [
        {"holds": True},
        {"purpose": ""},
        {"purpose": "inzage"},
        {"representative_id": ""},
        {"kind": "disproportionate"},
        {"recipient": f"{0:020}/svb"},
    ],
)
def test_nobody_is_cleared_by_the_way(changes: dict[str, Any]) -> None:
    known = fold(RESIDENT, RESIDENT_REGISTERED, RECORDED, replace(CLEARED, **changes)).determinations
    assert cleared(known, CARE, (MOTHER_ID,)) == NOT_CLEARED
    contrary = replace(CLEARED, holds=True, purpose="")
    both = fold(RESIDENT, RESIDENT_REGISTERED, RECORDED, CLEARED, contrary).determinations
    assert cleared(both, CARE, (MOTHER_ID,)) == NOT_CLEARED, "the opposite was found of her in a wider scope"


def test_the_most_determinations() -> None:
    many = tuple(replace(WEIGHED, recipient=f"{n:020}/svb") for n in range(DETERMINATIONS_MAX))
    given(RESIDENT, RESIDENT_REGISTERED, *many).when(WEIGH).refused("DETERMINATIONS_FULL")
    given(RESIDENT, RESIDENT_REGISTERED, *many[:-1]).when(WEIGH).then(WEIGHED)


FG = Author(MUNICIPALITY, "fg", "fg-1", operator=True)
NAMES_STAFF = replace(WEIGH, kind="staff_identity_needed")


@pytest.mark.parametrize(
    ("author", "command", "records"),
    [
        (FG, NAMES_STAFF, True),
        (FG, replace(NAMES_STAFF, holds=False), True),
        (FG, WEIGH, False),
        (FG, replace(WEIGH, kind="contrary_to_child_interest"), False),
        (replace(FG, operator=False), NAMES_STAFF, False),
        (replace(FG, task="beheer"), NAMES_STAFF, False),
        (replace(FG, task="betrokkene"), NAMES_STAFF, False),
        (CONSULENT, NAMES_STAFF, True),
    ],
)
def test_the_officer_writes_down_about_a_staff_members_name_and_about_nothing_else(
    author: Author,
    command: RecordDetermination,
    records: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    told = replace(
        WEIGHED,
        kind=command.kind,
        holds=command.holds,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
    )
    known = replace(WEIGHED, kind=command.kind, holds=not command.holds)
    spoken = given(RESIDENT, RESIDENT_REGISTERED, known).when(replace(command, author=author))
    if records:
        spoken.then(told)
    else:
        spoken.refused("NOT_THE_COLLEGE")
