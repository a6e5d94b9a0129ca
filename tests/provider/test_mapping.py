"""Messages to records and back, without loss for what is mapped, and without a name in any repr."""

from __future__ import annotations

import dataclasses
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.provider.codes import (
    ChangeReason,
    DateUse,
    Delivery,
    Frequency,
    Gender,
    JwStopReason,
    NameUse,
    Unit,
    WmoStopReason,
    stop_reason,
)
from adapters.provider.errors import MappingImpossible
from adapters.provider.mapping import (
    read_assignments,
    read_starts,
    read_stops,
    write_assignments,
    write_starts,
    write_stops,
)
from adapters.provider.parts import read_envelope
from adapters.provider.records import Assignment, PersonName
from adapters.provider.schema import Law, schema_of
from adapters.provider.xml import emit, read
from tests.provider.builders import (
    BSN,
    SURNAME,
    assignment,
    assignment_notice,
    codes_of,
    message,
    put,
    resident,
    start_notice,
    stop_notice,
)


@pytest.mark.parametrize("law", list(Law))
def test_notices_survive_the_way_through_bytes(law: Law) -> None:
    assert read_assignments(read(emit(write_assignments(assignment_notice(law))))) == assignment_notice(law)
    assert read_starts(read(emit(write_starts(start_notice(law))))) == start_notice(law)
    assert read_stops(read(emit(write_stops(stop_notice(law))))) == stop_notice(law)


days = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1))
lines = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)
times = st.times().map(lambda moment: moment.replace(tzinfo=None))
numbers = st.integers(min_value=0, max_value=99_999_999)


sizes = st.tuples(numbers, st.sampled_from(Unit), st.sampled_from(Frequency))
assignments = st.builds(
    Assignment,
    number=st.integers(min_value=0, max_value=999_999_999),
    product=st.just(assignment().product),
    assigned_on=days,
    assigned_at=times,
    starts_on=days,
    ends_on=st.none() | days,
    provider_reference=st.none() | lines,
    change_reason=st.none() | st.sampled_from(ChangeReason),
    budget_cents=st.none() | numbers,
    comment=st.none() | lines,
)


@given(one=assignments, size=st.none() | sizes)
def test_any_assignment_survives(one: Assignment, size: tuple[int, Unit, Frequency] | None) -> None:
    if size is not None:
        one = dataclasses.replace(one, volume=size[0], unit=size[1], frequency=size[2])
    notice = assignment_notice(assignments=(one, assignment()))
    assert read_assignments(read(emit(write_assignments(notice)))) == notice


@given(
    name=st.builds(
        PersonName,
        surname=lines,
        prefix=st.none() | st.just("van der"),
        partner_surname=lines,
        partner_prefix=st.none() | st.just("de"),
        given_names=st.none() | lines,
        initials=st.none() | st.text(alphabet="ABCÉ", min_size=1, max_size=6),
        use=st.sampled_from(NameUse),
    ),
    gender=st.sampled_from(Gender),
    birth_date_use=st.none() | st.sampled_from(DateUse),
)
def test_any_resident_survives(name: PersonName, gender: Gender, birth_date_use: DateUse | None) -> None:
    person = resident(name=name, gender=gender, birth_date_use=birth_date_use)
    notice = dataclasses.replace(assignment_notice(), resident=person)
    assert read_assignments(read(emit(write_assignments(notice)))).resident == person


def test_what_the_exchange_does_not_need_is_left_in_the_message() -> None:
    whole = message("301")
    for path, text in {
        "Client/JuridischeStatus": "11",
        "Client/WettelijkeVertegenwoordiging": "08",
        "Client/Commentaar": "x",
        "Client/Communicatie/Vorm": "2",
    }.items():
        whole = put(whole, path, text)
    assert read_assignments(whole) == assignment_notice()


def test_no_repr_of_a_record_tells_who() -> None:
    for record in (assignment_notice(), start_notice(), stop_notice()):
        told = repr(record)
        for secret in (BSN, SURNAME, "1967", "Ans", "Dorpsstraat", "1234AB", "0591123456", "example"):
            assert secret not in told


def test_the_later_decision_is_the_latest_whatever_came_first() -> None:
    early = assignment(assigned_on=date(2026, 5, 1), assigned_at=time(23, 59, 59))
    late = assignment(assigned_on=date(2026, 5, 2), assigned_at=time(0, 0, 0))
    assert max((late, early), key=lambda one: one.decided) is late
    assert assignment(change_reason=ChangeReason.REMOVED).removed
    assert not assignment(change_reason=ChangeReason.CORRECTED).removed


def test_the_same_code_means_something_else_in_the_other_law() -> None:
    assert stop_reason(Law.WMO, "31") is WmoStopReason.MOVED
    assert stop_reason(Law.JW, "31") is JwStopReason.AS_PLANNED
    with pytest.raises(ValueError, match="no such code"):
        stop_reason(Law.JW, "19")


def test_every_code_of_the_schema_has_a_name_and_no_other_has() -> None:
    wmo, jw = schema_of(Law.WMO, "301").simple, schema_of(Law.JW, "301").simple
    assert codes_of(Unit) == set(wmo["LDT_Eenheid"].values)
    assert codes_of(Frequency) == set(wmo["LDT_Frequentie"].values)
    assert codes_of(Gender) == set(wmo["LDT_Geslacht"].values)
    assert codes_of(NameUse) == set(wmo["LDT_NaamGebruik"].values)
    assert codes_of(DateUse) == set(wmo["LDT_DatumGebruik"].values)
    assert codes_of(ChangeReason) == set(wmo["LDT_RedenWijziging"].values) - {"01"}
    assert codes_of(Delivery) == {"1", "3"}
    assert codes_of(WmoStopReason) == set(wmo["LDT_RedenBeeindiging"].values)
    assert codes_of(JwStopReason) == set(jw["LDT_RedenBeeindiging"].values)
    assert all(member.dutch for kind in (Unit, Frequency, ChangeReason) for member in kind)


def test_a_message_of_another_kind_is_not_mapped() -> None:
    with pytest.raises(MappingImpossible):
        read_assignments(message("305"))
    with pytest.raises(MappingImpossible):
        read_starts(message("307"))
    with pytest.raises(MappingImpossible):
        read_stops(message("301"))


@pytest.mark.parametrize(
    ("number", "path", "text"),
    [
        ("301", "Client/Bsn", "999900007"),
        ("301", "Client/ToegewezenProducten/ToegewezenProduct/RedenWijziging", "01"),
        ("305", "Client/StartProducten/StartProduct/StatusAanlevering", "9"),
        ("307", "Client/StopProducten/StopProduct/StatusAanlevering", "2"),
    ],
)
def test_what_breaks_a_rule_is_not_mapped_and_not_told(number: str, path: str, text: str) -> None:
    reading = {"301": read_assignments, "305": read_starts, "307": read_stops}[number]
    with pytest.raises(MappingImpossible) as caught:
        reading(put(message(number), path, text))
    assert "999900007" not in str(caught.value)


def test_the_envelope_tells_who_sent_it() -> None:
    seen = read_envelope(message("305", Law.JW))
    assert (seen.law, seen.sender, seen.receiver, seen.identification) == (Law.JW, "65656055", "0363", "A1")
