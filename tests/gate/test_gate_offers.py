"""What a resident offers is opened to himself, and by his consent to no college: no entry means otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.gate.entry_meaning import OF_WHO_OFFERS, faults
from exchange.gate.register import Register
from exchange.gate.vocabulary import OFFERED, RESIDENT_SIDE, SAID_TO_A_MATCH

if TYPE_CHECKING:
    from exchange.gate.entry import LegalBasis

COLLEGES = ("college:PW", "college:WMO", "college-andere-gemeente:PW")


ENTRIES = tuple(Register.load().entries())


def fault_of(entry: LegalBasis) -> list[str]:
    return [why for key, why in faults(entry) if key == "categories"]


@pytest.mark.parametrize("college", COLLEGES)
def test_no_entry_opens_what_a_resident_offers_to_a_college(college: str) -> None:
    for entry in ENTRIES:
        wide = replace(
            entry, categories=entry.categories | {OFFERED}, recipients=entry.recipients | {college}
        )
        assert fault_of(wide) == [OF_WHO_OFFERS], entry.id


def test_what_opens_it_to_others_is_the_residents_consent_and_his_answer_opens_to_nobody() -> None:
    opened = {
        entry.id: entry for entry in ENTRIES if not entry.categories.isdisjoint({OFFERED, SAID_TO_A_MATCH})
    }
    assert set(opened) == {"SUBJECT-15", "RESIDENT-OFFER", "MATCH-6.1.a", "MATCH-READ-6.1.a"}
    for entry in opened.values():
        assert fault_of(entry) == []
        if not entry.recipients <= RESIDENT_SIDE:
            assert (entry.gdpr6, entry.consent_kind) == ("6(1)(a)", "GDPR")
            assert fault_of(replace(entry, gdpr6="6(1)(e)")) == [OF_WHO_OFFERS]
            said = replace(entry, categories=entry.categories | {SAID_TO_A_MATCH})
            assert fault_of(said) == [OF_WHO_OFFERS]
