"""Each rule of the standard on both sides of its line, and exactly on it."""

from __future__ import annotations

import csv
from datetime import date
from typing import TYPE_CHECKING

import pytest

from adapters.provider.rules import in_message_findings
from adapters.provider.schema import Law, table
from adapters.provider.xml import Message, emit, read
from tests.provider.builders import TODAY, message, put
from tests.provider.cases import DECLARATION_CASES, JW_CASES, REQUEST_CASES, Edits

if TYPE_CHECKING:
    from pathlib import Path

PRODUCT = "Client/ToegewezenProducten/ToegewezenProduct"
CONTACT = "Client/Contactgegevens/Contact"
TEMPORARY = f"{CONTACT}[2]"
NAME = "Client/Naam"
BORN = "Client/Geboortedatum"
START = "Client/StartProducten/StartProduct"
STOP = "Client/StopProducten/StopProduct"
DATED = "Header/BerichtIdentificatie/Dagtekening"
RELATION = "Client/Relaties/Relatie"

SPOKEN = ("301", "305", "307", "315", "317", "319", "323", "325")
EXAMPLES = SPOKEN[:-1]


def edited(number: str, edits: Edits, law: Law = Law.WMO) -> Message:
    whole = message(number, law)
    for path, text in edits.items():
        whole = put(whole, path, text)
    # Every case is a message that passes its schema: the rules come after that.
    return read(emit(whole))


def rules_broken(number: str, edits: Edits, law: Law = Law.WMO) -> set[str]:
    findings = in_message_findings(edited(number, edits, law), TODAY)
    assert all(finding.code == ("8848" if finding.rule == "TR135" else "0001") for finding in findings)
    return {finding.rule for finding in findings}


def second(**changes: str | None) -> Edits:
    """Add a second assignment, like the first but for its number."""
    like: Edits = {
        "ToewijzingNummer": "102",
        "Product/Categorie": "02",
        "Product/Code": "02A03",
        "Toewijzingsdatum": "2026-05-19",
        "Toewijzingstijd": "12:00:00",
        "Ingangsdatum": "2026-06-01",
        "Einddatum": "2027-05-31",
        "Omvang/Volume": "1",
        "Omvang/Eenheid": "04",
        "Omvang/Frequentie": "2",
    }
    like |= {name.replace("__", "/"): text for name, text in changes.items()}
    return {f"{PRODUCT}[2]/{name}": text for name, text in like.items() if text is not None}


def relation(number: str, **changes: str | None) -> Edits:
    like: Edits = {
        "Nummer": "1",
        "Soort": "12",
        "Naam/Geslachtsnaam/Achternaam": "Bos",
        "Naam/NaamGebruik": "1",
        "Contact/Soort": "02",
        "Contact/Telefoon/Telefoon01/Telefoonnummer": "0591000000",
        "Contact/Telefoon/Telefoon01/Landnummer": "0031",
    }
    like |= {name.replace("__", "/"): text for name, text in changes.items()}
    return {f"{RELATION}[{number}]/{name}": text for name, text in like.items() if text is not None}


OLD: Edits = {f"{PRODUCT}/Ingangsdatum": "2020-01-01"}
IN_2020: Edits = OLD | {f"{PRODUCT}/Einddatum": "2020-12-31"}
IN_2021: Edits = OLD | {f"{PRODUCT}/Einddatum": "2021-01-01"}
NO_SIZE: Edits = {f"{PRODUCT}/Omvang": None}
BUDGET: Edits = NO_SIZE | {f"{PRODUCT}/Budget": "100", f"{PRODUCT}/Product": None}

AID: Edits = {f"{PRODUCT}/Product/Categorie": "11"}

CASES: list[tuple[str, Edits, set[str]]] = [
    ("301", {}, set()),
    ("305", {}, set()),
    ("307", {}, set()),
    # CS002
    ("301", {"Client/Bsn": "999900007"}, {"CS002"}),
    ("305", {"Client/Bsn": "000000000"}, {"CS002"}),
    ("307", {"Client/Bsn": "111222333"}, set()),
    # CS003
    ("301", {f"{PRODUCT}/Einddatum": "2026-05-31"}, {"CS003"}),
    ("301", {f"{PRODUCT}/Einddatum": "2026-06-01"}, set()),
    (
        "301",
        {f"{TEMPORARY}/Periode/Begindatum": "2026-06-02", f"{TEMPORARY}/Periode/Einddatum": "2026-06-01"},
        {"CS003"},
    ),
    (
        "301",
        {f"{TEMPORARY}/Periode/Begindatum": "2026-06-01", f"{TEMPORARY}/Periode/Einddatum": "2026-06-01"},
        set(),
    ),
    ("301", {f"{TEMPORARY}/Periode/Einddatum": "2026-06-01"}, set()),
    # CS050 and CS318
    ("301", {f"{NAME}/NaamGebruik": "2"}, {"CS050"}),
    ("301", {f"{NAME}/NaamGebruik": "6"}, {"CS318"}),
    ("301", {f"{NAME}/Partnernaam/Achternaam": "Vos"}, set()),
    ("301", {f"{NAME}/Partnernaam/Achternaam": "Vos", f"{NAME}/NaamGebruik": "4"}, set()),
    ("301", {f"{NAME}/Partnernaam/Achternaam": "Vos", f"{NAME}/NaamGebruik": "5"}, {"CS050"}),
    ("301", {f"{NAME}/Partnernaam/Achternaam": "Vos", f"{NAME}/NaamGebruik": "6"}, {"CS050", "CS318"}),
    ("301", relation("1", Naam__NaamGebruik="6"), set()),
    ("301", relation("1", Naam__NaamGebruik="3"), {"CS050"}),
    # CS058
    ("305", {f"{START}/StatusAanlevering": "2"}, {"CS058"}),
    ("305", {f"{START}/StatusAanlevering": "3"}, set()),
    ("307", {f"{STOP}/StatusAanlevering": "9"}, {"CS058"}),
    ("307", {f"{STOP}/StatusAanlevering": "3"}, set()),
    # CS089
    ("301", {f"{CONTACT}/Adres/Postcode": "0234AB"}, {"CS089"}),
    ("301", {f"{CONTACT}/Adres/Postcode": "1234 AB"}, {"CS089"}),
    ("301", {f"{CONTACT}/Adres/Postcode": "1234ab"}, set()),
    ("301", {f"{CONTACT}/Adres/Postcode": "B-1000", f"{CONTACT}/Adres/LandCode": "BE"}, set()),
    # CS139
    ("305", {f"{BORN}/DatumGebruik": "1"}, {"CS139"}),
    ("305", {f"{BORN}/DatumGebruik": "1", f"{BORN}/Datum": "1967-08-01"}, set()),
    ("305", {f"{BORN}/DatumGebruik": "2", f"{BORN}/Datum": "1967-08-01"}, {"CS139"}),
    ("305", {f"{BORN}/DatumGebruik": "2", f"{BORN}/Datum": "1967-01-01"}, set()),
    ("305", {f"{BORN}/DatumGebruik": "3", f"{BORN}/Datum": "1967-01-01"}, {"CS139"}),
    ("305", {f"{BORN}/DatumGebruik": "3", f"{BORN}/Datum": "1900-01-01"}, set()),
    # CS335 and CS336
    ("301", {f"{PRODUCT}/RedenWijziging": "13"}, {"CS335"}),
    ("301", {f"{PRODUCT}/RedenWijziging": "13", f"{PRODUCT}/Einddatum": "2026-06-01"}, set()),
    (
        "301",
        {
            f"{PRODUCT}/RedenWijziging": "13",
            f"{PRODUCT}/Einddatum": None,
            f"{PRODUCT}/Omvang/Frequentie": "4",
        },
        {"CS335"},
    ),
    ("301", {f"{PRODUCT}/RedenWijziging": "14"}, set()),
    ("301", {f"{PRODUCT}/RedenWijziging": "01"}, {"CS336"}),
    # CS338
    ("301", {f"{PRODUCT}/Omvang/Eenheid": "14", f"{PRODUCT}/Omvang/Frequentie": "1"}, {"CS338"}),
    ("301", {f"{PRODUCT}/Omvang/Eenheid": "16", f"{PRODUCT}/Omvang/Frequentie": "1"}, {"CS338"}),
    ("301", {f"{PRODUCT}/Omvang/Eenheid": "83", f"{PRODUCT}/Omvang/Frequentie": "1"}, {"CS338"}),
    ("301", {f"{PRODUCT}/Omvang/Eenheid": "84", f"{PRODUCT}/Omvang/Frequentie": "1"}, {"CS338"}),
    ("301", {f"{PRODUCT}/Omvang/Eenheid": "82", f"{PRODUCT}/Omvang/Frequentie": "1"}, set()),
    ("301", {f"{PRODUCT}/Omvang/Eenheid": "14", f"{PRODUCT}/Omvang/Frequentie": "6"}, set()),
    ("301", IN_2020 | {f"{PRODUCT}/Omvang/Eenheid": "14", f"{PRODUCT}/Omvang/Frequentie": "1"}, set()),
    ("301", IN_2021 | {f"{PRODUCT}/Omvang/Eenheid": "14", f"{PRODUCT}/Omvang/Frequentie": "1"}, {"CS338"}),
    # CD005, CD025, CD034, TR006
    ("301", {f"{CONTACT}/Adres/LandCode": None}, {"CD005"}),
    ("301", {f"{TEMPORARY}/Adres/Postcode": None}, {"CD005"}),
    ("301", {f"{TEMPORARY}/Adres/Postcode": None, f"{TEMPORARY}/Adres/LandCode": None}, set()),
    ("301", {f"{TEMPORARY}/Adres/Huis": None}, {"CD025"}),
    ("301", {f"{TEMPORARY}/Adres/Huis": None, f"{TEMPORARY}/Adres/LandCode": "DE"}, set()),
    ("301", {f"{CONTACT}/Adres": None}, {"CD034", "TR006"}),
    ("301", {f"{TEMPORARY}/Soort": "03", f"{TEMPORARY}/Adres": None}, {"CD034"}),
    ("301", {f"{TEMPORARY}/Soort": "02", f"{TEMPORARY}/Adres": None}, set()),
    ("301", {f"{TEMPORARY}/Telefoon": None}, set()),
    ("301", {f"{TEMPORARY}/Telefoon": None, f"{TEMPORARY}/Adres": None}, {"TR006"}),
    (
        "301",
        {f"{TEMPORARY}/Telefoon": None, f"{TEMPORARY}/Adres/Huis": None, f"{TEMPORARY}/Adres/LandCode": "DE"},
        {"TR006"},
    ),
    # CD007
    ("301", {"Client/Communicatie/Vorm": "1"}, {"CD007"}),
    ("301", {"Client/Communicatie/Vorm": "1", "Client/Communicatie/Taal": "Deens"}, set()),
    ("301", {"Client/Communicatie/Vorm": "2"}, set()),
    ("301", {"Client/Communicatie/Vorm": "2", "Client/Communicatie/Taal": "Deens"}, {"CD007"}),
    # CD009
    ("301", {f"{CONTACT}/Periode/Begindatum": "2026-06-01"}, {"CD009"}),
    ("301", {f"{TEMPORARY}/Periode/Begindatum": "2026-06-01"}, set()),
    # CD041, CD080
    ("301", NO_SIZE, {"CD041"}),
    ("301", NO_SIZE | {f"{PRODUCT}/Product/Code": None}, set()),
    ("301", {f"{PRODUCT}/Product/Code": None}, {"CD080"}),
    ("301", IN_2020 | {f"{PRODUCT}/Product/Code": None}, set()),
    ("301", IN_2021 | {f"{PRODUCT}/Product/Code": None}, {"CD080"}),
    # CD075 to CD079
    ("301", BUDGET, set()),
    ("301", BUDGET | {f"{PRODUCT}/Einddatum": None}, {"CD075"}),
    ("301", {f"{PRODUCT}/Einddatum": None}, {"CD076"}),
    ("301", {f"{PRODUCT}/Einddatum": None, f"{PRODUCT}/Omvang/Frequentie": "4"}, set()),
    ("301", {f"{PRODUCT}/Budget": "100"}, {"CD077", "CD078"}),
    ("301", NO_SIZE | {f"{PRODUCT}/Product": None}, {"CD079"}),
    # TR002
    ("305", {f"{BORN}/Datum": "1906-05-20"}, set()),
    ("305", {f"{BORN}/Datum": "1906-05-19"}, {"TR002"}),
    ("305", {f"{BORN}/Datum": "1900-01-01"}, {"TR002"}),
    ("305", {f"{BORN}/Datum": "1904-02-29", DATED: "2024-02-29"}, {"TR134"}),
    ("301", relation("1", Geboortedatum__Datum="1906-05-19"), {"TR002"}),
    # TR018
    ("307", {f"{STOP}/Einddatum": "2026-03-31"}, {"TR018"}),
    ("307", {f"{STOP}/Einddatum": "2026-04-01"}, set()),
    # TR061
    ("301", {f"{CONTACT}/Soort": "02"}, set()),
    ("301", {f"{CONTACT}/Soort": "04", TEMPORARY: None}, {"TR061"}),
    # TR101
    ("301", second(ToewijzingNummer="101", Product__Code="02A04"), {"TR101"}),
    ("301", {f"{TEMPORARY}/Soort": "01"}, {"TR101"}),
    ("301", relation("1") | relation("2"), {"TR101"}),
    ("301", relation("1") | relation("2", Nummer="2"), set()),
    ("305", {f"{START}[2]/ToewijzingNummer": "101"}, {"TR101"}),
    ("305", {f"{START}[2]/ToewijzingNummer": "101", f"{START}[2]/Begindatum": "2026-05-19"}, set()),
    ("305", {f"{START}[2]/ToewijzingNummer": None}, set()),
    ("305", {f"{START}/ToewijzingNummer": None, f"{START}[2]/ToewijzingNummer": None}, {"TR101"}),
    ("307", {f"{STOP}[2]/ToewijzingNummer": "101"}, {"TR101"}),
    ("307", {f"{STOP}[2]/ToewijzingNummer": "101", f"{STOP}[2]/RedenBeeindiging": "20"}, set()),
    ("307", {f"{STOP}[2]/ToewijzingNummer": "101", f"{STOP}[2]/Einddatum": "2026-05-17"}, set()),
    # TR134
    ("301", {f"{PRODUCT}/Toewijzingsdatum": "2026-05-21"}, {"TR134"}),
    ("301", {f"{PRODUCT}/Toewijzingsdatum": "2026-05-20"}, set()),
    ("305", {f"{BORN}/Datum": "2026-05-21"}, {"TR134"}),
    ("301", relation("1", Geboortedatum__Datum="2026-05-21"), {"TR134"}),
    ("305", {f"{START}/Begindatum": "2026-05-21"}, {"TR134"}),
    ("307", {f"{STOP}/Einddatum": "2026-05-21"}, {"TR134"}),
    ("307", {f"{STOP}/Einddatum": "2026-05-20"}, set()),
    # TR135
    ("305", {DATED: "2026-06-02"}, {"TR135"}),
    ("305", {DATED: "2026-06-01"}, set()),
    # TR302
    ("301", second(), {"TR302"}),
    ("301", second(Product__Code="02A04"), set()),
    ("301", second(Product__Categorie="03"), set()),
    ("301", second(Ingangsdatum="2027-06-01", Einddatum="2027-12-31"), set()),
    ("301", second(Ingangsdatum="2027-05-31", Einddatum="2027-12-31"), {"TR302"}),
    ("301", second(Ingangsdatum="2026-05-01", Einddatum="2026-05-31"), set()),
    ("301", second(Ingangsdatum="2026-05-01", Einddatum="2026-06-01"), {"TR302"}),
    ("301", second(Ingangsdatum="2026-05-01", Einddatum=None, Omvang__Frequentie="4"), {"TR302"}),
    ("301", second(RedenWijziging="13", Einddatum="2026-06-01"), set()),
    (
        "301",
        second(Product__Code=None, Omvang__Volume=None, Omvang__Eenheid=None, Omvang__Frequentie=None),
        {"TR302"},
    ),
    ("301", AID | second(Product__Categorie="11"), set()),
]


ALL_CASES = [*CASES, *REQUEST_CASES, *DECLARATION_CASES]


@pytest.mark.parametrize(("number", "edits", "expected"), ALL_CASES)
def test_a_message_breaks_the_rules_it_breaks(number: str, edits: Edits, expected: set[str]) -> None:
    assert rules_broken(number, edits) == expected


def test_a_line_without_a_product_may_be_any_product() -> None:
    budget: Edits = {
        "Omvang__Volume": None,
        "Omvang__Eenheid": None,
        "Omvang__Frequentie": None,
        "Budget": "5",
    }
    open_to_all = second(Product__Categorie=None, Product__Code=None, **budget)
    assert rules_broken("301", open_to_all) == {"TR302"}
    assert rules_broken("301", open_to_all | AID) == set()


def test_every_rule_of_the_table_is_broken_and_kept_by_some_case() -> None:
    seen = {rule for cases in (ALL_CASES, JW_CASES) for _, _, broken in cases for rule in broken}
    assert seen == {row["rule"] for row in table("rules")}
    assert {number for number, _, broken in ALL_CASES if not broken} == set(SPOKEN)


@pytest.mark.parametrize(("number", "edits", "expected"), JW_CASES)
def test_what_only_the_jeugdwet_has_is_held_to_its_rules(
    number: str, edits: Edits, expected: set[str]
) -> None:
    assert rules_broken(number, edits, Law.JW) == expected


def test_both_laws_have_the_same_rules() -> None:
    assert rules_broken("301", {}, Law.JW) == set()
    assert rules_broken("301", {"Client/Bsn": "999900007"}, Law.JW) == {"CS002"}
    assert rules_broken("307", {f"{STOP}/Einddatum": "2026-03-31"}, Law.JW) == {"TR018"}


def test_a_finding_names_the_place() -> None:
    found = in_message_findings(edited("305", {f"{START}[2]/StatusAanlevering": "2"}), TODAY)
    assert [finding.path for finding in found] == [
        "/Bericht/Client/StartProducten/StartProduct[2]/StatusAanlevering"
    ]
    found = in_message_findings(edited("301", second()), TODAY)
    assert [finding.path for finding in found] == ["/Bericht/Client/ToegewezenProducten/ToegewezenProduct[2]"]


def test_today_decides_what_lies_in_the_future() -> None:
    seen = message("305")
    assert in_message_findings(seen, date(2026, 5, 20)) == ()
    assert [finding.rule for finding in in_message_findings(seen, date(2026, 5, 19))] == ["TR135"]


@pytest.mark.parametrize("law", list(Law))
def test_no_rule_of_the_standard_for_these_messages_was_left_out(standards_dir: Path, law: Law) -> None:
    named = ((each, row["rule"]) for row in table("rules") for each in row["messages"].split(","))
    ours = {(each.rpartition(":")[2], rule) for each, rule in named}
    prefix = law.value.upper()
    theirs: set[tuple[str, str]] = set()
    folder = standards_dir / f"{law.standard}-3.2" / "afgeleid"
    with (folder / "condities_constraints_restricties.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["retourcode"] == "0001":
                theirs.add((row["bericht"].removeprefix(prefix), row["regel"]))
    with (folder / "technische_regels.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["controleniveau"].startswith("bericht inhoud") or row["regel"] == "TR135":
                theirs |= {
                    (each[len(prefix) :], row["regel"])
                    for each in row["berichten"].split(",")
                    if each.startswith(prefix)
                }
    missing = {rule for rule in theirs - ours if rule[0] in SPOKEN}
    assert missing == set()


def test_the_official_examples_break_no_rule(standards_dir: Path) -> None:
    for number in EXAMPLES:
        data = (standards_dir / "iwmo-3.2" / "voorbeeldberichten" / f"WMO{number}.xml").read_bytes()
        # The example of a 317 wishes for a day that is not later than its own.
        expected = ["TR380"] if number == "317" else []
        assert [finding.rule for finding in in_message_findings(read(data), TODAY)] == expected
