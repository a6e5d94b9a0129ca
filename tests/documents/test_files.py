"""Files for computers: CSV that no spreadsheet runs, JSON of the same rows, receipts as one; and words."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sdk.access import labelled
from exchange.cli import decisions
from exchange.documents.activities import COLUMNS as RECORD_COLUMNS
from exchange.documents.activities import Activity, ProcessingRecord, read_record, record_csv
from exchange.documents.disclosures import (
    COLUMNS,
    disclosures_csv,
    disclosures_json,
    disclosures_jsonl,
    receipts_json_ld,
)
from exchange.documents.gathered import read_gathered
from exchange.documents.month import COLUMNS as MONTH_COLUMNS
from exchange.documents.month import Decisions, Duties, Scope, Summary, month_csv, read_summary
from exchange.documents.tables import csv_of, guarded, unguarded
from exchange.documents.words import words_of
from exchange.errors import RequestInvalid
from exchange.gate import explain
from exchange.gate.register import Register
from exchange.gate.vocabulary import CATEGORIES, KINDS, PURPOSES
from exchange.server.accountability.activities import Activity as Derived
from exchange.server.contract.access import RIGHTS
from exchange.v1 import consent_service_pb2 as consent
from exchange.v1 import disclosure_service_pb2 as disclosure
from exchange.v1 import plan_pb2 as plan
from exchange.v1 import representation_service_pb2 as representation
from exchange.v1 import resident_rights_service_pb2 as rights
from tests.documents.papers import LOOKED, NOON, OIN, STAFF, gathered
from tests.house.tree import REPOSITORY

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
FORMULAS = ["=1+1", "+31 6", "-5", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", '=HYPERLINK("x","y")']
ROW_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": list(COLUMNS),
    "additionalProperties": False,
    "properties": {
        name: {"type": ["string", "array", "integer", "null"], "items": {"type": "string"}}
        for name in COLUMNS
    }
    | {"decide_time": {"type": "string", "format": "date-time"}, "leaf_index": {"type": "integer"}},
}


def cells(made: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made.decode("utf-8"), newline="")))


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_a_spreadsheet_would_run_is_text(cell: str) -> None:
    made = csv_of(["words"], [[cell]])
    (read,) = cells(made)
    assert read["words"].startswith("'")
    assert unguarded(read["words"]) == cell


@pytest.mark.parametrize("sign", "=+-@\uff1d")
@pytest.mark.parametrize("end", [";", "; ", "\t", "\r\n", ";\u00a0 "])
def test_nothing_is_run_where_cells_end_at_a_semicolon(sign: str, end: str) -> None:
    cell = f"Wmo 2.3.2{end}{sign}HYPERLINK(1)"
    made = csv_of(["words", "more"], [[cell, "1"], ["a; b - c; d", "'; '="]])
    # As a spreadsheet reads it that speaks Dutch: quotes within a cell are signs as any.
    as_dutch = [one for line in made.decode().splitlines() for one in line.replace("\t", ";").split(";")]
    assert not [one for one in as_dutch if one.strip(" \u00a0").startswith(sign)]
    read = [{name: unguarded(told) for name, told in row.items()} for row in cells(made)]
    assert read == [{"words": cell, "more": "1"}, {"words": "a; b - c; d", "more": "'; '="}]
    assert b"a; b - c; d" in made


@given(st.text())
def test_every_cell_can_be_read_back_and_none_begins_a_formula(cell: str) -> None:
    kept = guarded(cell)
    assert unguarded(kept) == cell
    assert kept.lstrip(" \u00a0")[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


def test_lines_end_as_the_rfc_says_and_quotes_are_doubled() -> None:
    made = csv_of(["a", "b"], [['zei "ja", toen', "twee\nregels"], ["é", ""]])
    assert made == 'a,b\r\n"zei ""ja"", toen","twee\nregels"\r\né,\r\n'.encode()


def test_the_same_rows_are_in_every_form_without_anybody_of_the_staff() -> None:
    found = gathered(disclosures=[LOOKED, LOOKED | {"explanation": "=1+1", "abort_time": NOON}])
    rows = json.loads(disclosures_json(found))
    check = fastjsonschema.compile(ROW_SCHEMA)
    for row in rows:
        check(row)
    lines = disclosures_jsonl(found).decode().splitlines()
    assert [json.loads(line) for line in lines] == rows
    as_cells = cells(disclosures_csv(found))
    assert [row["explanation"] for row in as_cells] == [LOOKED["explanation"], "'=1+1"]
    assert [row["abort_time"] for row in as_cells] == ["", "2026-11-26T12:00:00Z"]
    assert as_cells[0]["released_fields"] == "goals.own_words | goals.state"
    for made in (disclosures_csv(found), disclosures_json(found), disclosures_jsonl(found)):
        assert STAFF.encode() not in made
    assert cells(disclosures_csv(gathered(disclosures=[]))) == []


def test_the_columns_are_the_contracts_and_told_in_the_readme() -> None:
    told = labelled(disclosure.Disclosure.DESCRIPTOR)
    assert [*COLUMNS] == [name for name in told if name != "professional"]
    page = (REPOSITORY / "exchange/documents/README.md").read_text("utf-8")
    for name, said in COLUMNS.items():
        assert f"| `{name}` | {said} |" in page


def test_receipts_of_one_resident_are_one_file_and_each_as_it_was() -> None:
    receipts = [{"@context": {"dpv": "https://w3id.org/dpv#"}, "@id": f"urn:uuid:{n}"} for n in range(3)]
    whole = json.loads(receipts_json_ld(gathered(receipts=receipts)))
    assert [{"@context": whole["@context"], **one} for one in whole["@graph"]] == receipts
    assert json.loads(receipts_json_ld(gathered())) == {"@context": {}, "@graph": []}
    with pytest.raises(RequestInvalid, match="versions"):
        receipts_json_ld(gathered(receipts=[*receipts, {"@context": {}, "@id": "urn:uuid:4"}]))


def test_the_month_is_one_number_a_row() -> None:
    month = Summary(
        Scope(AT, AT, AT),
        decisions=(Decisions(OIN, "WMO-2.3.2@1", "READ", "DENY", 2),),
        duties=(Duties("RETRY", 1, 1),),
    )
    rows = cells(month_csv(month))
    assert tuple(rows[0]) == MONTH_COLUMNS
    assert (rows[0]["organisation"], rows[0]["outcome"], rows[0]["count"]) == (OIN, "DENY", "2")
    assert {row["measure"]: row["count"] for row in rows if row["duty"] == "RETRY"} == {
        "arisen": "1",
        "ended_in_time": "1",
        "ended_late": "0",
        "open": "0",
        "overdue": "0",
        "justified": "0",
        "not_justified": "0",
    }


def test_every_point_of_the_record_has_a_column_and_says_where_there_is_nothing() -> None:
    assert {one.name for one in fields(Derived)} | {"controller", "officer_contact"} == set(RECORD_COLUMNS)
    found = ProcessingRecord(
        AT, "Gemeente", "fg@g.example", "h", (Activity("https://r.example/a", ("x", "y")),)
    )
    (row,) = cells(record_csv(found))
    assert (row["purposes"], row["third_countries"], row["controller"]) == ("x | y", "none", "Gemeente")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"", "file"),
        (b"\xff\xfe", "file"),
        (b"[" * 100_000, "file"),
        (b"{}", "file"),
        (b'{"gathered_at": "gisteren"}', "gathered_at"),
        (b'{"gathered_at": "2026-11-26T12:00:00"}', "gathered_at"),
        (b'{"gathered_at": "2026-11-26T12:00:00Z", "other": 1}', "file"),
        (b'{"gathered_at": "2026-11-26T12:00:00Z", "disclosures": [{"rules": 5}]}', "disclosures[0].rules"),
    ],
)
def test_a_file_that_is_none_is_refused_by_its_place_and_repeats_nothing(text: bytes, place: str) -> None:
    with pytest.raises(RequestInvalid) as raised:
        read_gathered(text)
    assert list(raised.value.fields) == [place]
    assert "gisteren" not in str(raised.value.fields)


@pytest.mark.parametrize("read", [read_summary, read_record])
def test_so_are_a_month_and_a_record(read: Any) -> None:  # noqa: ANN401 -- either reader
    with pytest.raises(RequestInvalid):
        read(b'{"year": 2026}')


# --- words ------------------------------------------------------------------------------------------


def test_residents_read_the_same_words_here_as_in_every_explanation() -> None:
    dutch = words_of("nl")
    assert {name: dutch.task(name) for name in explain._WHO} == dict(explain._WHO)
    assert {name: dutch.purpose(name) for name in explain._WHAT_FOR} == dict(explain._WHAT_FOR)
    assert dutch.purpose("PURPOSE_WMO_ONDERZOEK") == dutch.purpose("wmo-onderzoek")


def test_everything_a_resident_can_be_shown_has_a_dutch_word() -> None:
    dutch = words_of("nl")
    messages = (
        plan.Plan,
        consent.Consent,
        representation.Representative,
        rights.RightsRequest,
    )
    names = {part for one in messages for path in labelled(one.DESCRIPTOR) for part in path.split(".")}
    known = dutch._all["fields"]
    assert sorted(names - known.keys()) == []
    values = {
        value.name
        for file in (plan, consent, representation, rights)
        for kind, enum in file.DESCRIPTOR.enum_types_by_name.items()
        if kind in SHOWN
        for value in enum.values
        if value.number
    }
    assert len(values) > 100
    assert sorted(values - dutch._all["values"].keys()) == []
    # English is made of the word itself, without its kind.
    english = words_of("en")
    assert [one for one in sorted(values) if english.value(one) == one] == []
    assert [one for one in PURPOSES if dutch.purpose(one) == one] == []
    assert [one for one in KINDS if dutch.task(one) == one] == []
    assert [one for one in CATEGORIES if dutch.category(one) == one] == []
    assert [one.article for one in RIGHTS if dutch.right(one.article) == one.article] == []


SHOWN = {
    "LifeDomain",
    "Law",
    "ConversationOutcome",
    "ConversationKind",
    "Attendee",
    "LensFinding",
    "SupportKind",
    "SupportState",
    "RefuseReason",
    "StopReason",
    "AgreementOutcome",
    "AgreementSpeaker",
    "FundingSource",
    "GoalState",
    "GoalCarrier",
    "TrajectoryState",
    "SignalPartner",
    "OfferKind",
    "MatchAnswer",
    "ConsentKind",
    "ConsentState",
    "Relation",
    "Gezag",
    "EvidenceSource",
    "Right",
    "RightsOutcome",
    "RefusalArticle",
    "RequestStatus",
}


def test_every_term_of_the_shipped_register_is_told_in_dutch() -> None:
    dutch, rules = words_of("nl"), {one.retention_rule for one in Register.load().entries()}
    assert sorted(rule for rule in rules if dutch.retention(rule) == rule) == []
    assert dutch.retention("P15Y") == "15 jaar"
    assert words_of("en").retention("P15Y") == "15 years"
    assert dutch.retention("until tomorrow") == "until tomorrow"


def test_every_text_is_there_in_both_languages() -> None:
    for name, told in words_of("nl")._all["texts"].items():
        assert set(told) == {"nl", "en"}, name
        assert re.findall(r"{(\w+)}", told["nl"]).sort() == re.findall(r"{(\w+)}", told["en"]).sort()


def test_moments_are_told_in_the_time_of_the_netherlands_and_other_words_as_they_are() -> None:
    dutch = words_of("nl")
    assert dutch.told("2026-03-29T00:59:59Z") == "29 maart 2026, 01:59"
    assert dutch.told("2026-03-29T01:00:00Z") == "29 maart 2026, 03:00"
    assert dutch.told("2026-02-28") == "28 februari 2026"
    for plain in ("2026-02-30", "2026-xx-01", "1234-5678-9", "zomaar"):
        assert dutch.told(plain) == plain
    assert dutch.value("GOAL_STATE_UNSPECIFIED") == ""
    assert dutch.value("GOAL_STATE_NEWER") == "Newer"


def test_the_command_line_guards_its_cells_too(capsys: pytest.CaptureFixture[str]) -> None:
    row = dict.fromkeys(decisions._NAMES, "a") | {"professional": " =1;@2", "task": "[red]x[/red]"}
    decisions._show([row], decisions.Output.CSV)
    (read,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert read["professional"] == "' =1;'@2"
    decisions._show([row], decisions.Output.TABLE)
    assert "[red]" in capsys.readouterr().out
