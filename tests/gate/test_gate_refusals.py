"""What a wrong case file or register file is refused with, word for word: place, what is asked, remedy.

Whoever corrects a policy reads these sentences; none of them repeats a value, which may be about somebody.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from exchange.cli.gate import app
from exchange.errors import CaseFileInvalid, RegisterInvalid
from exchange.gate.cases import CASES_MAX, FILE_BYTES_MAX, Case, Difference, differences, read_cases
from exchange.gate.model import BreakGlass, Facts, Field
from exchange.gate.register import FILE_BYTES_MAX as REGISTER_BYTES_MAX
from exchange.gate.register import RULES_VERSION, Register
from tests.gate.test_gate_register import VALID, later, load, with_line

if TYPE_CHECKING:
    from pathlib import Path

NO_TIME = "a time in ISO 8601 with its zone is asked"
NO_TEXT = "a text is asked"
NO_OBJECT = "an object is asked"
NO_STATE = "REQUESTED, GIVEN, REFUSED, WITHDRAWN, EXPIRED or REPLACED is asked"
UNKNOWN = "the key is unknown"

HASH_OF_VALID = "26defb8f40572715122aa0a1b90ae5311b56ef5e62641d27fdec1c5d9bb8e103"


def write(folder: Path, content: object) -> Path:
    file = folder / "cases.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def refused(folder: Path, content: object) -> CaseFileInvalid:
    with pytest.raises(CaseFileInvalid) as error:
        read_cases(write(folder, content))
    assert error.value.remedy
    assert set(error.value.metadata) == {"case", "key"}
    return error.value


FACTS: list[tuple[dict[str, Any], str, str]] = [
    ({"colour": "red"}, "colour", UNKNOWN),
    ({"now": "yesterday"}, "now", NO_TIME),
    ({"now": "2026-03-02T10:00"}, "now", NO_TIME),
    ({"now": "2026-03-0"}, "now", NO_TIME),
    ({"now": 1}, "now", NO_TEXT),
    ({"now": "0001-01-01T00:00:00+23:59"}, "now", "a time of the years 1 to 9999 in UTC is asked"),
    ({"age": True}, "age", "a whole number of years, 0 to 150, is asked"),
    ({"age": -1}, "age", "a whole number of years, 0 to 150, is asked"),
    ({"age": 4.5}, "age", "a whole number of years, 0 to 150, is asked"),
    ({"capable": 1}, "capable", "true or false is asked"),
    ({"roles": "reader"}, "roles", "a list of texts is asked"),
    ({"roles": [1]}, "roles", NO_TEXT),
    ({"purpose": 1}, "purpose", NO_TEXT),
    ({"objection": "MAYBE"}, "objection", "PENDING, UPHELD or REJECTED is asked"),
    ({"objection": 1}, "objection", NO_TEXT),
    ({"fields": {}}, "fields", "a list of fields is asked"),
    ({"fields": [1]}, "fields[0]", NO_OBJECT),
    ({"fields": [{"n": "a"}]}, "fields[0].cat", "a field has a name and a category"),
    ({"fields": [{"cat": "CONTACT"}]}, "fields[0].n", "a field has a name and a category"),
    ({"fields": [{"n": "a", "cat": ""}]}, "fields[0].cat", "a field has a name and a category"),
    ({"fields": [{"n": "a", "cat": "b"}] * 2}, "fields[1].n", "two fields bear one name"),
    ({"fields": [{"n": "a", "cat": "b", "hue": 1}]}, "fields[0].hue", UNKNOWN),
    ({"fields": [{"n": "a", "cat": "b", "sealed": 1}]}, "fields[0].sealed", "true or false is asked"),
    ({"fields": [{"n": "a", "cat": "b", "retention_end": 1}]}, "fields[0].retention_end", NO_TEXT),
    ({"consent": "GIVEN"}, "consent", NO_OBJECT),
    ({"consent": {"status": "GIVEN"}}, "consent.status", UNKNOWN),
    ({"consent": {"from": "soon"}}, "consent.from", NO_TIME),
    ({"consent": {"cats": "CONTACT"}}, "consent.cats", "a list of texts is asked"),
    ({"consent": {"state": "given?"}}, "consent.state", NO_STATE),
    ({"consent": {"state": ["GIVEN"]}}, "consent.state", NO_TEXT),
    ({"consent": {"state": "GIVEN", "given_by": "self"}}, "consent.given_by", "a list of texts is asked"),
    ({"consent": {"state": "GIVEN", "given_by": [["self"]]}}, "consent.given_by", NO_TEXT),
    ({"consent": {}}, "consent.state", "a consent has a state; where there is none, write null"),
    ({"break_glass": []}, "break_glass", NO_OBJECT),
    (
        {"break_glass": {}},
        "break_glass",
        "a claim has a code or a reason; where there is none, leave the key out",
    ),
    ({"now": "2026-03-02"}, "now", NO_TIME),
    ({"purpose": " "}, "purpose", "a text that says something is asked"),
    ({"break_glass": {"who": "me"}}, "break_glass.who", UNKNOWN),
]


@pytest.mark.parametrize(("facts", "key", "sentence"), FACTS)
def test_a_wrong_fact_is_refused_with_its_place_and_what_is_asked(
    tmp_path: Path, facts: dict[str, Any], key: str, sentence: str
) -> None:
    error = refused(tmp_path, [{"id": "C1", "facts": {}}, {"id": "C2", "facts": facts}])
    assert error.metadata == {"case": "C2", "key": f"facts.{key}"}
    assert error.message == f"a case is refused: {sentence}"


CASES: list[tuple[object, str, str, str]] = [
    (1, "#2", "", NO_OBJECT),
    ({"facts": {}}, "#2", "id", "a case has an id and facts"),
    ({"id": 7, "facts": {}}, "#2", "id", NO_TEXT),
    ({"id": "C2"}, "C2", "facts", "a case has an id and facts"),
    ({"id": "C2", "facts": {}, "hue": 1}, "C2", "hue", UNKNOWN),
    ({"id": "C2", "facts": {}, "title": 1}, "C2", "title", NO_TEXT),
    (
        {"id": "C2", "facts": {}, "expected": {"rules": []}},
        "C2",
        "expected.decision",
        "a decision and its rules are asked",
    ),
    (
        {"id": "C2", "facts": {}, "expected": {"decision": "DENY"}},
        "C2",
        "expected.rules",
        "a decision and its rules are asked",
    ),
    (
        {"id": "C2", "facts": {}, "expected": {"decision": "DENY", "rules": [], "fields": []}},
        "C2",
        "expected.fields",
        NO_OBJECT,
    ),
    (
        {"id": "C2", "facts": {}, "expected": {"decision": "DENY", "rules": [], "fields": {"a": "given"}}},
        "C2",
        "expected.fields.a",
        "release or withhold is asked",
    ),
    *(
        (
            {"id": "C2", "facts": {}, "expected": {"decision": "DENY", "rules": [], "fields": {"a": word}}},
            "C2",
            "expected.fields.a",
            "release or withhold is asked",
        )
        for word in (["withhold"], {"withhold": 1}, 1, None, True, "Release")
    ),
]


@pytest.mark.parametrize(("case", "named", "key", "sentence"), CASES)
def test_a_wrong_case_is_refused_by_its_id_or_its_place(
    tmp_path: Path, case: object, named: str, key: str, sentence: str
) -> None:
    error = refused(tmp_path, [{"id": "C1", "facts": {}}, case])
    assert error.metadata == {"case": named, "key": key}
    assert error.message == f"a case is refused: {sentence}"


HALF = "a text of the case file holds half a character, or it is nested too deeply"
FILES = [
    ("{", "the case file cannot be read as JSON"),
    ("", "the case file cannot be read as JSON"),
    ("[" * 100_000, "the case file cannot be read as JSON"),
    ("{}", "a case file is a list of cases"),
    (json.dumps([{}] * (CASES_MAX + 1)), "a case file is a list of cases"),
    (" " * (FILE_BYTES_MAX + 1), "the case file is too large"),
    ('[{"id": "a", "id": "b", "facts": {}}]', "the case file is refused: a key is said twice in one object"),
    ('[{"id": "a", "facts": {"age": NaN}}]', "the case file is refused: NaN is not JSON"),
    ('[{"id": "a", "facts": {"age": -Infinity}}]', "the case file is refused: -Infinity is not JSON"),
    ('[{"id": "a", "facts": {"purpose": "\\ud800"}}]', HALF),
]


@pytest.mark.parametrize(("content", "sentence"), FILES, ids=range(len(FILES)))
def test_a_wrong_file_is_refused_as_a_whole(tmp_path: Path, content: str, sentence: str) -> None:
    error = refused(tmp_path, content)
    assert (error.message, error.metadata) == (sentence, {"case": "", "key": ""})


def test_a_case_said_twice_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, [{"id": "C1", "facts": {}}, {"id": "C1", "facts": {}}])
    assert (error.message, error.metadata) == ("two cases bear one id", {"case": "C1", "key": "id"})


def test_exactly_on_their_bounds_files_are_read(tmp_path: Path) -> None:
    many = [{"id": str(number), "facts": {}} for number in range(CASES_MAX)]
    assert len(read_cases(write(tmp_path, many))) == CASES_MAX
    text = json.dumps([{"id": "C1", "facts": {}}])
    assert len(read_cases(write(tmp_path, text.ljust(FILE_BYTES_MAX)))) == 1


def test_a_key_as_long_as_a_page_is_told_in_short(tmp_path: Path) -> None:
    error = refused(tmp_path, [{"id": "C1", "facts": {"x" * 200: 1}}])
    assert error.metadata["key"] == f"facts.{'x' * 114}"


def test_what_a_case_says_is_read_as_it_is_meant(tmp_path: Path) -> None:
    facts = {
        "now": "2026-03-02T12:00:00+02:00",
        "break_glass": {"code": ""},
        "age": 0,
        "fields": [{"n": "a", "cat": "b", "retention_end": "2026-03-02"}],
    }
    (case,) = read_cases(write(tmp_path, [{"id": "C1", "facts": facts, "expected": None}]))
    assert case.facts.now is not None
    assert (case.facts.now.hour, case.facts.now.tzinfo) == (10, UTC)
    assert case.facts.now.tzinfo is UTC
    assert (case.facts.break_glass, case.facts.age) == (BreakGlass("", ""), 0)
    assert case.facts.fields == (Field("a", "b", retention_end=case.facts.now.replace(hour=0)),)
    assert case.expected is None


@pytest.mark.parametrize(
    ("claim", "said"),
    [({"reason": "brand"}, BreakGlass("", "brand")), ({"code": "HAAST"}, BreakGlass("HAAST", ""))],
)
def test_half_a_claim_is_read_as_no_more_than_it_says(
    tmp_path: Path, claim: dict[str, str], said: BreakGlass
) -> None:
    (case,) = read_cases(write(tmp_path, [{"id": "C1", "facts": {"break_glass": claim}}]))
    assert case.facts.break_glass == said


def test_a_difference_says_what_was_expected_and_what_was_found() -> None:
    case = Case("C1", Facts(), {"decision": "DENY", "rules": ["R01"]})
    found = {"id": "C1", "decision": "PERMIT", "rules": ["R01"]}
    assert list(differences(case, found)) == [Difference("C1", "decision", "DENY", "PERMIT")]
    with pytest.raises(CaseFileInvalid) as error:
        list(differences(Case("C1", Facts(), None), found))
    assert error.value.metadata == {"case": "C1", "key": "expected"}
    assert error.value.message == "a case without `expected` cannot be checked"


def test_the_command_tells_place_sentence_and_remedy_and_no_value(tmp_path: Path) -> None:
    file = write(tmp_path, [{"id": "C1", "facts": {"now": "Jan Jansen"}}])
    done = CliRunner().invoke(app, ["decide", str(file)])
    assert (done.exit_code, done.stdout) == (2, "")
    told = done.stderr
    assert told.startswith("CASE_FILE_INVALID: ")
    assert NO_TIME in told
    assert "facts.now" in told
    assert CaseFileInvalid.remedy in told
    assert "Jansen" not in told


# --- the register --------------------------------------------------------------------------------------

ENTRIES = [
    ("dpia_ref", "", "the key is missing"),
    ("dpia_ref", "dpia_ref = 7", NO_TEXT),
    ("title", f'title = "{"x" * 1001}"', NO_TEXT),
    ("mode", 'mode = "PERHAPS"', "not a word of the list"),
    ("providers", 'providers = "uwv"', "a list of texts is asked"),
    ("purposes", 'purposes = ["wmo-levering", "wmo-levering"]', "each item is a text, and said once"),
    ("recipients", 'recipients = ["everybody"]', "holds a word that is not in the list"),
    ("enabled", "enabled = 1", "true or false is asked"),
    ("valid_from", 'valid_from = "2015"', "a day is asked, without a time"),
    ("version", "version = 0", "a number from 1"),
    ("citation", 'citation = "5.2"', "a table of law, article, paragraph, part and wording is asked"),
    ("bsn_allowed", "", "BSN is one of the categories"),
    ("gdpr9", "", "special data need an exception"),
    ("criminal_allowed", "", "criminal data need an exception"),
    ("approved_by", 'approved_by = ["one"]', "two approvers are asked"),
    ("processing_activity_uri", 'processing_activity_uri = "http://x.example"', "an https address"),
    ("providers", "providers = []", "an empty list allows nothing"),
    ("recipients", "recipients = []", "an empty list allows nothing"),
    ("purposes", "purposes = []", "an empty list allows nothing"),
    ("secrecy", 'secrecy = "CONSENT"', "no consent is there to lift it"),
]
BESIDE = [
    ('hue = "red"', "hue", UNKNOWN),
    ("valid_to = 2015-01-01", "valid_to", "the validity ends before it begins"),
    ("explicit_required = true", "explicit_required", "no consent is asked"),
    ('consent_kind = "ASSENT"', "consent_kind", "not a kind of consent that can be a condition"),
    ('consent_kind = ["GDPR"]', "consent_kind", "not a kind of consent that can be a condition"),
]


def register_refused(folder: Path, text: str) -> RegisterInvalid:
    with pytest.raises(RegisterInvalid) as error:
        load(folder, text)
    assert error.value.remedy
    return error.value


@pytest.mark.parametrize(("key", "line", "sentence"), ENTRIES)
def test_a_wrong_line_of_an_entry_is_refused_with_what_is_asked(
    tmp_path: Path, key: str, line: str, sentence: str
) -> None:
    error = register_refused(tmp_path, with_line(key, line))
    assert error.message.startswith(f"a register entry is refused: {sentence}")
    assert error.metadata == {"file": "test.toml", "entry": "TEST-1", "key": key}


@pytest.mark.parametrize(("line", "key", "sentence"), BESIDE)
def test_a_line_that_may_not_be_there_is_refused(tmp_path: Path, line: str, key: str, sentence: str) -> None:
    error = register_refused(tmp_path, f"{VALID}{line}\n")
    assert error.message == f"a register entry is refused: {sentence}"
    assert error.metadata == {"file": "test.toml", "entry": "TEST-1", "key": key}


@pytest.mark.parametrize(
    ("citation", "key", "sentence"),
    [
        ('law = "Wmo", article = "5", wording = "2015", page = "3"', "page", UNKNOWN),
        ('law = "Wmo", article = "5"', "wording", NO_TEXT),
        ('law = "Wmo", article = 5, wording = "2015"', "article", NO_TEXT),
        ('law = "Wmo", article = " ", wording = "2015"', "article", NO_TEXT),
        ('law = "Wmo", article = "5", wording = "2015", part = 1', "part", NO_TEXT),
    ],
)
def test_a_wrong_citation_is_refused_by_its_part(
    tmp_path: Path, citation: str, key: str, sentence: str
) -> None:
    error = register_refused(tmp_path, with_line("citation", f"citation = {{ {citation} }}"))
    assert error.message == f"a register entry is refused: {sentence}"
    assert error.metadata["key"] == f"citation.{key}"


def test_a_citation_says_only_what_it_knows(tmp_path: Path) -> None:
    plain = with_line("citation", 'citation = { law = "Wmo", article = "5", wording = "2015" }')
    assert [str(one.citation) for one in load(tmp_path, plain).entries()] == ["Wmo art. 5"]
    whole = 'citation = { law = "Wmo", article = "5", paragraph = "2", part = "a", wording = "2015" }'
    (entry,) = load(tmp_path, with_line("citation", whole)).entries()
    assert str(entry.citation) == "Wmo art. 5, lid 2, onder a"


def test_an_id_of_another_shape_is_refused(tmp_path: Path) -> None:
    error = register_refused(tmp_path, with_line("id", 'id = "test 1"'))
    assert error.message == (
        "a register entry is refused: an id of letters, digits, dots and hyphens is asked"
    )
    assert error.metadata == {"file": "test.toml", "entry": "?", "key": "id"}


@pytest.mark.parametrize(
    ("text", "key", "sentence"),
    [
        ("", "basis", "a register file holds [[basis]] tables"),
        ("basis = 1", "basis", "a register file holds [[basis]] tables"),
        ("x = 1", "x", "a register file holds [[basis]] tables only"),
        ("[[basis]", "", "a register file cannot be read"),
        ("#" * (REGISTER_BYTES_MAX + 1), "", "a register file is too large"),
    ],
    ids=["empty", "no tables", "more", "half", "large"],
)
def test_a_register_file_of_another_shape_is_refused(
    tmp_path: Path, text: str, key: str, sentence: str
) -> None:
    error = register_refused(tmp_path, text)
    assert error.message == sentence
    assert error.metadata == {"file": "test.toml", "entry": "", "key": key}


def test_exactly_on_their_bounds_entries_are_read(tmp_path: Path) -> None:
    text = with_line("title", f'title = "{"x" * 1000}"')
    assert len(load(tmp_path, text + "#" * (REGISTER_BYTES_MAX - len(text))).entries()) == 1
    exceptions = '"9(2)(h)", ' + ", ".join(
        f'"UAVG {22 + number // 26}(1)({chr(97 + number % 26)})"' for number in range(99)
    )
    assert len(load(tmp_path, with_line("gdpr9", f"gdpr9 = [{exceptions}]")).entries()) == 1
    error = register_refused(tmp_path, with_line("gdpr9", f'gdpr9 = [{exceptions}, "9(2)(x)"]'))
    assert error.message == "a register entry is refused: a list of texts is asked"


def test_a_folder_without_a_register_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegisterInvalid) as error:
        Register.load(tmp_path)
    assert error.value.message == "the folder holds no register file"
    assert error.value.metadata == {"file": tmp_path.name, "entry": "", "key": ""}


def test_versions_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    error = register_refused(tmp_path, VALID + later(2, "2020-01-01"))
    assert error.message.startswith("two versions of one entry overlap")
    assert error.metadata == {"file": "test.toml", "entry": "TEST-1", "key": "valid_to"}
    ended = with_line("valid_from", "valid_from = 2015-01-01\nvalid_to = 2020-01-01")
    error = register_refused(tmp_path, ended + later(1, "2020-01-01"))
    assert error.message == "two versions of one entry share a number"
    assert error.metadata == {"file": "test.toml", "entry": "TEST-1", "key": "version"}


def test_the_hash_of_an_entry_stays_what_it_is(tmp_path: Path) -> None:
    """A decision replays under its own hash only: one that changes by accident orphans all that is stored."""
    register = load(tmp_path, VALID)
    # Taken under the second version of the rules; a later one is another policy on the same entries.
    assert register.hash_under("2") == HASH_OF_VALID
    assert register.policy_hash == register.hash_under(RULES_VERSION) != HASH_OF_VALID
