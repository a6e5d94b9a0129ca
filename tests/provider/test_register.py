"""The organisation's register: who is who, the latest version of an assignment, and what a purge leaves."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import date, time
from typing import TYPE_CHECKING

import pytest

from adapters.provider.codes import DateUse, NameUse
from adapters.provider.errors import JournalConflict
from adapters.provider.journal import Journal, MessageKey, Outgoing
from adapters.provider.records import PersonName
from adapters.provider.register import AssignmentKey, Register
from adapters.provider.schema import Law
from adapters.sdk.bsn import Bsn
from tests.provider.builders import BSN, SURNAME, TODAY, assignment, resident

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = AssignmentKey(Law.WMO, "0363", 101)
OTHER_BSN = "111222333"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


@pytest.fixture
def register(journal: Journal) -> Register:
    return Register(journal)


def test_a_resident_is_known_by_pseudonym_and_by_bsn(register: Register) -> None:
    person = resident(
        birth_date_use=DateUse.DAY_UNKNOWN,
        name=PersonName("Zwart", "de", "Vos", "van", "Ans Bé", "AB", NameUse.OWN_THEN_PARTNER),
    )
    register.remember("p1", person)
    assert register.resident("p1") == person
    assert register.pseudonym(Bsn(BSN)) == "p1"
    assert register.resident("p2") is None
    assert register.pseudonym(Bsn(OTHER_BSN)) is None


def test_a_new_name_replaces_the_old(register: Register) -> None:
    register.remember("p1", resident())
    register.remember("p1", resident(name=PersonName("Bos")))
    seen = register.resident("p1")
    assert seen is not None
    assert seen.name.surname == "Bos"


def test_a_pseudonym_is_one_person_and_a_person_one_pseudonym(register: Register) -> None:
    register.remember("p1", resident())
    with pytest.raises(JournalConflict):
        register.remember("p2", resident())
    with pytest.raises(JournalConflict):
        register.remember("p1", resident(bsn=Bsn(OTHER_BSN)))
    assert register.resident("p1") == resident()


def test_an_assignment_keeps_its_support_when_a_newer_version_comes(register: Register) -> None:
    assert register.assign(KEY, "p1", assignment()) is True
    register.link(KEY, "plan", "support")
    later = assignment(assigned_on=date(2026, 5, 20), ends_on=date(2026, 12, 31))
    assert register.assign(KEY, "p1", later) is True
    known = register.known(KEY)
    assert known is not None
    assert known == register.of_support("support")
    assert (known.ends_on, known.plan_id, known.product) == (date(2026, 12, 31), "plan", later.product)


VERSIONS = (
    (date(2026, 4, 30), time(23)),
    (date(2026, 5, 1), time(8)),
    (date(2026, 5, 1), time(9)),
    (date(2026, 5, 2), time(7)),
)


def test_the_latest_decision_stands_in_whatever_order_they_come(register: Register) -> None:
    for case, order in enumerate(itertools.permutations(range(4))):
        key = dataclasses.replace(KEY, number=case)
        latest = -1
        for number in order:
            day, moment = VERSIONS[number]
            one = assignment(assigned_on=day, assigned_at=moment, ends_on=date(2027, 1, 1 + number))
            assert register.assign(key, "p1", one) is (number > latest)
            latest = max(latest, number)
        known = register.known(key)
        assert known is not None
        assert known.ends_on == date(2027, 1, 4)


def test_the_same_version_again_changes_nothing(register: Register) -> None:
    assert register.assign(KEY, "p1", assignment()) is True
    assert register.assign(KEY, "p1", assignment(ends_on=None)) is False


def test_a_number_of_another_resident_is_refused(register: Register) -> None:
    register.assign(KEY, "p1", assignment())
    with pytest.raises(JournalConflict, match="TR332"):
        register.assign(KEY, "p2", assignment())
    assert register.assign(dataclasses.replace(KEY, municipality="0384"), "p2", assignment()) is True
    assert register.assign(dataclasses.replace(KEY, law=Law.JW), "p2", assignment(Law.JW)) is True


def test_an_assignment_without_a_product_is_kept_so(register: Register) -> None:
    register.assign(KEY, "p1", assignment(product=None, ends_on=None))
    known = register.known(KEY)
    assert known is not None
    assert (known.product, known.ends_on, known.support_id) == (None, None, None)


def test_what_is_unknown_is_none_and_cannot_be_linked(register: Register) -> None:
    assert register.known(KEY) is None
    assert register.of_support("support") is None
    with pytest.raises(JournalConflict):
        register.link(KEY, "plan", "support")


def test_a_purge_leaves_no_trace_of_a_person_in_the_file(
    tmp_path: Path, journal: Journal, register: Register
) -> None:
    register.remember("p1", resident())
    register.remember("p2", resident(bsn=Bsn(OTHER_BSN), name=PersonName("Bos")))
    register.assign(KEY, "p1", assignment())
    key = MessageKey("0363", "WMO301", "A1", b"d")
    journal.receive(key, 1, TODAY)
    content = f"<Bsn>{BSN}</Bsn>".encode()
    journal.answer(key, Outgoing("R1.xml", "WMO302", "R1", content, pseudonym="p1"), 2)
    journal.archived(key, "a.xml")
    assert register.purge("p1") == ("a.xml",)
    assert register.purge("p1") == ("a.xml",)
    register.files_gone("p1")
    assert register.purge("p1") == ()
    assert register.resident("p1") is None
    assert register.known(KEY) is None
    assert register.resident("p2") is not None
    assert journal.due(10) == ()
    journal.close()
    for path in tmp_path.iterdir():
        kept = path.read_bytes()
        assert BSN.encode() not in kept
        assert SURNAME.encode() not in kept
    assert OTHER_BSN.encode() in (tmp_path / "journal.sqlite").read_bytes()
