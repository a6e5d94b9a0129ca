"""Answers: accepted, refused for their form, refused line by line; valid against their schemas."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.provider.errors import Finding, MappingImpossible
from adapters.provider.retour import NOT_JUDGED, RetourIdentity, build_retour, read_retour
from adapters.provider.rules import in_message_findings
from adapters.provider.schema import Law
from adapters.provider.xml import Message, emit, read
from tests.provider.builders import TODAY, message, put
from tests.provider.test_schema import official_file

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = RetourIdentity("R1", date(2026, 6, 1))
EACH = [(law, number) for law in Law for number in ("301", "305", "307", "315", "317", "319")]
LINE = {
    "301": "/Bericht/Client/ToegewezenProducten/ToegewezenProduct",
    "305": "/Bericht/Client/StartProducten/StartProduct[2]",
    "307": "/Bericht/Client/StopProducten/StopProduct[1]",
    "315": "/Bericht/Client/AangevraagdeProducten/AangevraagdProduct[2]",
    "317": "/Bericht/Client/Verzoek/TeWijzigenProducten/TeWijzigenProduct",
    "319": "/Bericht/Antwoord",
}


def answers(number: str, law: Law) -> list[Message]:
    sent = message(number, law)
    return [
        build_retour(sent, (), IDENTITY),
        build_retour(sent, (Finding("CS002", "/Bericht/Client/Bsn", "0001"),), IDENTITY),
        build_retour(sent, (Finding("TR056", "/Bericht/Header", "9056"),), IDENTITY),
        build_retour(sent, (Finding("TR332", LINE[number], "9332"),), IDENTITY),
    ]


@pytest.mark.parametrize(("law", "number"), EACH)
def test_every_answer_is_valid_and_reads_back(standards_dir: Path, law: Law, number: str) -> None:
    path = official_file(standards_dir, law, str(int(number) + 1))
    official = etree.XMLSchema(etree.parse(path))
    for answer in answers(number, law):
        data = emit(answer)
        official.assertValid(etree.fromstring(data))
        assert read(data) == answer


@pytest.mark.parametrize(("law", "number"), EACH)
def test_sender_and_receiver_stand_as_they_stood(law: Law, number: str) -> None:
    sent = message(number, law)
    for answer in answers(number, law):
        for name in ("Afzender", "Ontvanger", "BerichtIdentificatie", "XsdVersie"):
            assert answer.root.find(f"Header/{name}") == sent.root.find(f"Header/{name}")
        assert answer.number == str(int(number) + 1)
        assert answer.root.value("Header/IdentificatieRetour") == "R1"
        assert answer.root.value("Header/DagtekeningRetour") == "2026-06-01"
        assert answer.root.find("Header/XsltVersie") is None


def test_an_accepted_message_gets_a_header_without_codes() -> None:
    answer = build_retour(message("301"), (), IDENTITY)
    assert [child.name for child in answer.root.children] == ["Header"]
    seen = read_retour(answer)
    assert seen.accepted
    assert (seen.answers, seen.identification, seen.codes) == ("A1", "R1", ())


def test_any_rule_inside_the_message_gives_a_header_with_0001_once() -> None:
    wrong = put(put(message("301"), "Client/Bsn", "999900007"), "Client/Naam/NaamGebruik", "2")
    findings = in_message_findings(wrong, TODAY)
    assert len(findings) == 2
    answer = build_retour(wrong, findings, IDENTITY)
    assert [child.name for child in answer.root.children] == ["Header"]
    assert read_retour(answer).codes == (("/Bericht/Header", "0001"),)


def test_a_rule_about_an_absent_element_gives_0001_too() -> None:
    wrong = put(message("301"), "Client/ToegewezenProducten/ToegewezenProduct/Einddatum", None)
    findings = in_message_findings(wrong, TODAY)
    assert [finding.rule for finding in findings] == ["CD076"]
    assert read_retour(build_retour(wrong, findings, IDENTITY)).codes == (("/Bericht/Header", "0001"),)


@pytest.mark.parametrize("code", ["9056", "8848"])
def test_an_error_in_the_header_goes_back_as_header_only(code: str) -> None:
    where = "/Bericht/Header/BerichtIdentificatie/Identificatie"
    findings = (Finding("TR056", where, code), Finding("TR332", LINE["301"], "9332"))
    answer = build_retour(message("301"), findings, IDENTITY)
    assert read_retour(answer).codes == (("/Bericht/Header", code),)


def test_a_rule_across_messages_marks_its_class_and_every_other_class_too() -> None:
    findings = (
        Finding("TR074", f"{LINE['305']}/Begindatum", "9074"),
        Finding("TR326", LINE["305"], "9326"),
    )
    answer = build_retour(message("305"), findings, IDENTITY)
    lines = "/Bericht/Client/StartProducten"
    assert read_retour(answer).codes == (
        (f"{lines}/StartProduct[1]", "0200"),
        (f"{lines}/StartProduct[2]", "9074"),
        (f"{lines}/StartProduct[2]", "9326"),
        ("/Bericht/Client", "0200"),
    )
    assert not read_retour(answer).accepted


def test_classes_nobody_looked_at_say_so() -> None:
    findings = (Finding("TR332", LINE["301"], "9332"),)
    answer = build_retour(message("301"), findings, IDENTITY, frozenset({"Contact", "Relatie"}))
    codes = dict(read_retour(answer).codes)
    assert codes["/Bericht/Client/Contactgegevens/Contact[1]"] == NOT_JUDGED
    assert codes["/Bericht/Client"] == "0200"
    assert codes[LINE["301"]] == "9332"


def test_a_schema_error_has_no_answer() -> None:
    with pytest.raises(MappingImpossible, match="no retour"):
        build_retour(message("301"), (Finding("XSD-missing", "/Bericht/Client"),), IDENTITY)


@pytest.mark.parametrize("path", ["/Bericht/Client/Elders", "/Bericht"])
def test_a_finding_outside_every_class_has_no_answer(path: str) -> None:
    with pytest.raises(MappingImpossible):
        build_retour(message("301"), (Finding("TR332", path, "9332"),), IDENTITY)


def test_a_message_is_no_answer() -> None:
    with pytest.raises(MappingImpossible):
        read_retour(message("301"))
