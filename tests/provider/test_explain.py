"""What would be shared, told without telling who it is about."""

from __future__ import annotations

import pytest

from adapters.provider.explain import LINES_SHOWN_MAX, explain
from adapters.provider.mapping import write_assignments
from adapters.provider.retour import RetourIdentity, build_retour
from adapters.provider.rules import in_message_findings
from adapters.provider.schema import Law, all_schemas, is_container, message_classes, table
from adapters.provider.xml import emit, read
from tests.provider.builders import BSN, SURNAME, TODAY, assignment, assignment_notice, message, put

SECRETS = (BSN, SURNAME, "1967", "Ans", "Dorpsstraat", "1234AB", "0591123456", "example")


def told(data: bytes) -> str:
    text = explain(data, TODAY)
    for secret in SECRETS:
        assert secret not in text
    return text


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("number", ["301", "305", "307"])
def test_purpose_basis_and_fields_are_named(law: Law, number: str) -> None:
    text = told(emit(message(number, law)))
    basis = next(row for row in table("bases") if (row["law"], row["message"]) == (law.value, number))
    assert f"purpose {basis['purpose']} on legal basis {basis['basis']}" in text
    assert "/Bericht/Client/Bsn: present; blinded here" in text
    assert "the answer would accept it" in text
    assert text.endswith("nothing was sent\n")


def test_what_would_be_shared_is_shown() -> None:
    text = told(emit(message("301")))
    assert "ToewijzingNummer = 101: shared as supports.assignment_number (WMO-PLAN)" in text
    assert "Omvang = 4 04 uur 2 per week: compared with supports.volume" in text
    text = told(emit(message("307", Law.JW)))
    assert "StopProduct[1]/RedenBeeindiging = 31: shared as supports.stop_reason (JEUGDHULP)" in text


def test_a_broken_rule_is_named() -> None:
    text = told(emit(put(message("301"), "Client/Bsn", "999900007")))
    assert "broken rule CS002 at /Bericht/Client/Bsn (code 0001)" in text
    assert "the answer would refuse it" in text
    assert "999900007" not in text


def test_a_number_that_looks_like_a_bsn_is_not_shown() -> None:
    path = "Client/ToegewezenProducten/ToegewezenProduct"
    odd = put(message("301"), f"{path}/ToewijzingNummer", BSN)
    assert "ToewijzingNummer = (present)" in told(emit(put(odd, f"{path}/ReferentieAanbieder", BSN)))


def test_a_long_message_is_told_short() -> None:
    many = tuple(assignment(number=number) for number in range(LINES_SHOWN_MAX + 7))
    text = told(emit(write_assignments(assignment_notice(assignments=many))))
    assert "and 7 more of Product" in text


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "Refused; nothing would be sent."),
        (b"<!DOCTYPE a><a/>", "a DTD"),
        (b"<a/>", "no message this adapter speaks"),
        (
            emit(message("301")).replace(b"Geslacht>2<", b"Geslacht>9<"),
            "XSD-enumeration at /Bericht/Client/Geslacht",
        ),
    ],
)
def test_what_is_no_message_is_told_too(data: bytes, what: str) -> None:
    assert what in told(data)


def test_an_answer_is_told_with_its_codes() -> None:
    identity = RetourIdentity("R1", TODAY)
    assert "accepted" in told(emit(build_retour(message("305"), (), identity)))
    wrong = put(message("305"), "Client/Bsn", "999900007")
    refused = build_retour(wrong, in_message_findings(read(emit(wrong)), TODAY), identity)
    assert "/Bericht/Header: return code 0001" in told(emit(refused))


def test_every_element_of_every_message_has_a_place_in_the_table() -> None:
    said = {(row["message"], row["element"]) for row in table("sharing")}
    apart = {"Header", "Bericht", "Relatie", "Contact"}
    for schema in all_schemas().values():
        if schema.answers:
            continue
        for name in set(message_classes(schema.classes)) - apart:
            if is_container(schema.classes[name]):
                continue
            for rule in schema.classes[name]:
                described = rule.kind in {"Contactgegevens", "Relaties"} or rule.kind not in schema.classes
                if described or rule.kind.startswith("CDT_"):
                    assert (schema.number, f"{name}/{rule.name}") in said


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("number", ["315", "317", "319"])
def test_what_stays_between_both_organisations_goes_nowhere_else(law: Law, number: str) -> None:
    text = told(emit(message(number, law)))
    assert "nothing of it goes to the exchange" in text
    assert "the answer would accept it" in text
    assert "shared as" not in text
