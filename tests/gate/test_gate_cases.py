"""Decision-case files: our own cases, the design's cases, and everything a case file can get wrong."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exchange.cli.gate import app
from exchange.errors import CaseFileInvalid
from exchange.gate.cases import CASES_MAX, FILE_BYTES_MAX, Case, decide, differences, read_cases
from exchange.gate.model import Consent
from exchange.gate.register import Register
from exchange.gate.rules import RULE_IDS

HERE = Path(__file__).parent
OWN_FILE = HERE / "cases.json"
DESIGN = Path(os.environ.get("EXCHANGE_DESIGN_DIR", HERE.parents[1].parent / "shared" / "design"))
REGISTER = Register.load()
OWN = read_cases(OWN_FILE)
RAW: list[dict[str, Any]] = json.loads(OWN_FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.id)
def test_each_own_case_comes_out_as_written(case: Case) -> None:
    (found,) = decide([case], REGISTER)
    assert case.expected is not None
    assert {"id": case.id, **case.expected} == found


def test_the_cases_of_the_design_come_out_as_written() -> None:
    file = DESIGN / "gate-cases.json"
    if not file.exists():
        pytest.skip(f"the design's case file is not here: set EXCHANGE_DESIGN_DIR ({file.name})")
    cases = read_cases(file)
    assert len(cases) >= 12
    found = [
        difference
        for case, result in zip(cases, decide(cases, REGISTER), strict=True)
        for difference in differences(case, result)
    ]
    assert found == []


def test_every_rule_denies_or_withholds_in_some_case() -> None:
    assert {rule for case in RAW for rule in case["expected"]["rules"]} >= RULE_IDS


def test_every_basis_that_can_permit_permits_in_some_case() -> None:
    permitted = {rule for case in RAW for rule in case["expected"]["rules"] if rule.startswith("P-")}
    refused_always = {"AVG-6.1.a-college", "WAMS-2.3.5c", "WGS-8-2"}
    assert permitted == {f"P-{basis.id}" for basis in REGISTER.entries() if basis.id not in refused_always}


def valid_case() -> dict[str, Any]:
    case: dict[str, Any] = json.loads(json.dumps(next(item for item in RAW if item["facts"].get("consent"))))
    return case


def write(folder: Path, content: object) -> Path:
    file = folder / "cases.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


WRONG_FACTS: list[tuple[str, object, str]] = [
    ("colour", "red", "facts.colour"),
    ("now", "2026-03-02T10:00", "facts.now"),
    ("now", "2026-03-02", "facts.now"),
    ("now", "20260302", "facts.now"),
    ("now", "20260302T1", "facts.now"),
    ("now", "2026-02-30T10:00Z", "facts.now"),
    ("now", "2025-02-29T10:00Z", "facts.now"),
    ("now", "2026-03-02T24:01Z", "facts.now"),
    ("now", "", "facts.now"),
    ("now", "yesterday", "facts.now"),
    ("now", 1_700_000_000, "facts.now"),
    ("age", "44", "facts.age"),
    ("age", -1, "facts.age"),
    ("age", True, "facts.age"),
    ("age", 151, "facts.age"),
    ("age", 44.0, "facts.age"),
    ("grondslag", "", "facts.grondslag"),
    ("purpose", " ", "facts.purpose"),
    ("provider", "", "facts.provider"),
    ("recipient", "", "facts.recipient"),
    ("recipient_id", "\t", "facts.recipient_id"),
    ("acquired_for", "", "facts.acquired_for"),
    ("necessity", True, "facts.necessity"),
    ("directly_involved", 0, "facts.directly_involved"),
    ("has_authority", "ja", "facts.has_authority"),
    ("staff_identity_needed", [], "facts.staff_identity_needed"),
    ("contrary_to_child_interest", {}, "facts.contrary_to_child_interest"),
    ("disproportionate", "nee", "facts.disproportionate"),
    ("relative_of_subject", 1, "facts.relative_of_subject"),
    ("restricted", "PENDING", "facts.restricted"),
    ("delivered_later", 0, "facts.delivered_later"),
    ("objection", "pending", "facts.objection"),
    ("objection", "", "facts.objection"),
    ("need_fields", "doelen", "facts.need_fields"),
    ("need_fields", ["doelen", None], "facts.need_fields"),
    ("capable", "yes", "facts.capable"),
    ("case_relation", 1, "facts.case_relation"),
    ("roles", "sealed-reader", "facts.roles"),
    ("roles", [1], "facts.roles"),
    ("need_fields", {}, "facts.need_fields"),
    ("objection", "MAYBE", "facts.objection"),
    ("purpose", ["wmo-levering"], "facts.purpose"),
    ("fields", "doelen", "facts.fields"),
    ("fields", [{"n": "doelen"}], "facts.fields[0].cat"),
    ("fields", [{"cat": "CONTACT"}], "facts.fields[0].n"),
    ("fields", [{"n": "", "cat": "CONTACT"}], "facts.fields[0].n"),
    ("fields", [{"n": "a", "cat": "CONTACT", "colour": 1}], "facts.fields[0].colour"),
    ("fields", [{"n": "a", "cat": "CONTACT", "sealed": "no"}], "facts.fields[0].sealed"),
    ("fields", [{"n": "a", "cat": "CONTACT"}, {"n": "a", "cat": "BSN"}], "facts.fields[1].n"),
    ("fields", ["a"], "facts.fields[0]"),
    ("fields", [None], "facts.fields[0]"),
    ("fields", [{"n": " ", "cat": "CONTACT"}], "facts.fields[0].n"),
    ("fields", [{"n": "a", "cat": "\n"}], "facts.fields[0].cat"),
    ("fields", [{"n": "a", "cat": "BSN", "retention_end": "2026-02-30"}], "facts.fields[0].retention_end"),
    ("fields", [{"n": "a", "cat": "BSN", "retention_end": "20260302T1"}], "facts.fields[0].retention_end"),
    ("fields", [{"n": "a", "cat": "BSN", "secret": None, "third_party": "x"}], "facts.fields[0].third_party"),
    ("consent", {}, "facts.consent.state"),
    ("consent", {"state": None}, "facts.consent.state"),
    ("consent", {"explicit": True}, "facts.consent.state"),
    ("consent", [], "facts.consent"),
    ("consent", False, "facts.consent"),
    ("consent", {"state": "GIVEN", "to": "2026-12-31T00:00"}, "facts.consent.to"),
    ("consent", {"state": "GIVEN", "withdrawn_at": "2026-13-01"}, "facts.consent.withdrawn_at"),
    ("consent", {"state": "GIVEN", "explicit": "ja"}, "facts.consent.explicit"),
    ("consent", {"state": "GIVEN", "recipients": ["a", 1]}, "facts.consent.recipients"),
    ("consent", "GIVEN", "facts.consent"),
    ("consent", {"status": "GIVEN"}, "facts.consent.status"),
    ("consent", {"state": True}, "facts.consent.state"),
    ("consent", {"state": "PERHAPS"}, "facts.consent.state"),
    ("consent", {"state": "gegeven"}, "facts.consent.state"),
    ("consent", {"from": "soon"}, "facts.consent.from"),
    ("consent", {"given_by": "self"}, "facts.consent.given_by"),
    ("consent", {"purposes": ["wmo-levering", "wmo-onderzoek"]}, "facts.consent.purposes"),
    ("authority_disputed", "ja", "facts.authority_disputed"),
    ("break_glass", "LEVENSGEVAAR", "facts.break_glass"),
    ("break_glass", {"code": 1}, "facts.break_glass.code"),
    ("break_glass", {}, "facts.break_glass"),
    ("break_glass", {"code": None, "reason": None}, "facts.break_glass"),
    ("break_glass", {"code": "LEVENSGEVAAR", "reason": ["x"]}, "facts.break_glass.reason"),
    ("store_unavailable", "nee", "facts.store_unavailable"),
]


@pytest.mark.parametrize(("key", "value", "named"), WRONG_FACTS)
def test_a_wrong_fact_is_refused_by_case_and_key(tmp_path: Path, key: str, value: object, named: str) -> None:
    case = valid_case()
    case["facts"][key] = value
    with pytest.raises(CaseFileInvalid) as refused:
        read_cases(write(tmp_path, [case]))
    assert refused.value.metadata == {"case": case["id"], "key": named}
    assert json.dumps(value) not in refused.value.message


def test_a_consent_for_two_purposes_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    case = valid_case()
    case["facts"]["consent"] = {"purposes": ["wmo-levering", "wmo-onderzoek"]}
    with pytest.raises(CaseFileInvalid, match="make a consent of its own for each"):
        read_cases(write(tmp_path, [case]))
    # The same purpose said twice is one purpose.
    case["facts"]["consent"] = {"state": "GIVEN", "purposes": ["wmo-levering", "wmo-levering"]}
    (read,) = read_cases(write(tmp_path, [case]))
    assert read.facts.consent.purposes == {"wmo-levering"}  # type: ignore[union-attr] # there is one


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"extra": 1}, "extra"),
        ({"id": 7}, "id"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": " "}, "id"),
        ({"facts": None}, "facts"),
        ({"facts": []}, "facts"),
        ({"expected": {"decision": "DENY"}}, "expected.rules"),
        ({"expected": {"rules": []}}, "expected.decision"),
        ({"expected": {"decision": "DENY", "rules": [], "why": "x"}}, "expected.why"),
        ({"expected": {"decision": "DENIED", "rules": []}}, "expected.decision"),
        ({"expected": {"decision": "DENY", "rules": [], "fields": {"a": "maybe"}}}, "expected.fields.a"),
    ],
)
def test_a_wrong_case_is_refused_by_key(tmp_path: Path, change: dict[str, object], named: str) -> None:
    with pytest.raises(CaseFileInvalid) as refused:
        read_cases(write(tmp_path, [{**valid_case(), **change}]))
    assert refused.value.metadata["key"] == named


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "{}",
        "null",
        '[{"id": "a", "id": "b", "facts": {}}]',
        '[{"id": "a", "facts": {"age": NaN}}]',
        '[{"id": "a", "facts": {"age": Infinity}}]',
        '[{"id": "a", "facts": {"age": 1e999}}]',
        '[{"id": "a", "facts": {"fields": [{"n": "a", "n": "b", "cat": "BSN"}]}}]',
        '[{"id": "a", "facts": {"consent": {"state": "GIVEN", "state": "REFUSED"}}}]',
        '[{"id": "a", "facts": {}}, {"id": " a ", "facts": {}}]',
        "[1]",
        "[" * 100_000,
        json.dumps([{"id": "a", "facts": {}}, {"id": "a", "facts": {}}]),
        json.dumps([0] * (CASES_MAX + 1)),
        " " * (FILE_BYTES_MAX + 1),
        '[{"id": "a", "facts": {"purpose": "\\ud800"}}]',
        '[{"id": "a\\udfff", "facts": {}}]',
        '[{"id": "a", "facts": {"\\ud800": 1}}]',
        '[{"id": "a", "facts": {"now": "0001-01-01T00:00:00+23:59"}}]',
        '[{"id": "a", "facts": {"now": "9999-12-31T23:59:59-23:59"}}]',
    ],
    ids=[
        "empty",
        "half",
        "object",
        "null",
        "key twice",
        "NaN",
        "infinite",
        "beyond all numbers",
        "key of a field twice",
        "state twice",
        "id twice but for spaces",
        "number",
        "deep",
        "id twice",
        "many",
        "large",
        "half a character",
        "half in an id",
        "half in a key",
        "before all time",
        "after all time",
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(CaseFileInvalid):
        read_cases(write(tmp_path, content))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseFileInvalid, match=r"there is no such case file.*none\.json"):
        read_cases(tmp_path / "none.json")
    with pytest.raises(CaseFileInvalid, match="a folder is no case file"):
        read_cases(tmp_path)
    with pytest.raises(CaseFileInvalid, match="cannot be opened"):
        read_cases(tmp_path / ("x" * 300))
    (tmp_path / "bytes.json").write_bytes(b"\xff[]")
    with pytest.raises(CaseFileInvalid, match="cannot be read as JSON"):
        read_cases(tmp_path / "bytes.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_with_a_byte_order_mark_is_told_so(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "marked.json").write_text("[]", encoding=encoding)
    with pytest.raises(CaseFileInvalid, match="begins with a byte order mark"):
        read_cases(tmp_path / "marked.json")


def test_an_empty_id_is_told_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(CaseFileInvalid) as refused:
        read_cases(write(tmp_path, [valid_case(), {**valid_case(), "id": ""}]))
    assert refused.value.metadata["case"] == "#2"


def test_the_oldest_age_is_taken(tmp_path: Path) -> None:
    case = valid_case()
    case["facts"]["age"] = 150
    assert read_cases(write(tmp_path, [case]))[0].facts.age == 150


def test_a_consent_in_an_unknown_state_of_another_source_carries_nothing() -> None:
    facts = next(case.facts for case in OWN if case.id == "G062")
    assert isinstance(facts.consent, Consent)
    perhaps = replace(facts, consent=replace(facts.consent, state="PERHAPS"))
    (found,) = decide([Case("x", perhaps, None)], REGISTER)
    assert (found["decision"], found["rules"]) == ("DENY", ["R15"])


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["decide", *(str(argument) for argument in arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_decide_prints_the_list_in_order() -> None:
    code, out, err = run(OWN_FILE)
    printed = json.loads(out)
    assert (code, err) == (0, "")
    assert [item["id"] for item in printed] == [case["id"] for case in RAW]
    assert all(list(item) == ["id", "decision", "rules", "fields", "obligations"] for item in printed)
    assert all("LOG" in item["obligations"] for item in printed)
    assert all(item["obligations"] == sorted(item["obligations"]) for item in printed)


def test_decide_prints_lines_and_a_table() -> None:
    code, out, _ = run(OWN_FILE, "-o", "jsonl")
    assert (code, len(out.splitlines())) == (0, len(RAW))
    code, out, _ = run(OWN_FILE, "-o", "table")
    assert code == 0
    assert "G001" in out


def test_check_is_content_when_all_comes_out_as_expected() -> None:
    code, out, err = run(OWN_FILE, "--check")
    assert (code, err) == (0, "")
    assert len(json.loads(out)) == len(RAW)


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("decision", "PERMIT_BREAK_GLASS"),
        ("rules", ["R99"]),
        ("fields", {"doelen": "release"}),
        ("obligations", []),
    ],
)
def test_check_tells_each_difference_and_exits_1(tmp_path: Path, key: str, other: object) -> None:
    case = valid_case()
    case["expected"][key] = other
    code, out, err = run(write(tmp_path, [case]), "--check")
    assert code == 1
    assert json.loads(out)[0]["id"] == case["id"]
    assert f"{case['id']}: {key}: expected" in err


def test_without_check_a_difference_does_not_matter(tmp_path: Path) -> None:
    case = valid_case()
    case["expected"]["decision"] = "PARTIAL_BREAK_GLASS"
    assert run(write(tmp_path, [case]))[0] == 0


def test_check_needs_something_to_check(tmp_path: Path) -> None:
    case = valid_case()
    del case["expected"]
    file = write(tmp_path, [case])
    assert run(file)[0] == 0
    code, out, err = run(file, "--check")
    assert (code, out) == (2, "")
    assert case["id"] in err


def test_check_of_no_case_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, [])
    assert run(file)[:2] == (0, "[]\n")
    code, out, err = run(file, "--check")
    assert (code, out) == (2, "")
    assert "nothing was checked" in err


def test_a_wrong_file_call_or_register_exits_2(tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "none.json")
    assert (code, out) == (2, "")
    assert "CASE_FILE_INVALID" in err
    assert run(OWN_FILE, "--what")[0] == 2
    code, _, err = run(OWN_FILE, "--register", tmp_path)
    assert code == 2
    assert "REGISTER_INVALID" in err
