"""What a case file is refused with before its cases are judged: the whole sentence, and the whole place."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import tempfile
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import CaseFileInvalid
from exchange.gate import cases
from exchange.gate.model import Consent, Facts
from exchange.gate.register import Register
from exchange.gate.representation import Speaker, who_spoke

if TYPE_CHECKING:
    from types import ModuleType

REGISTER = Register.load()
LONG = "x" * 300
MARKED = "the case file begins with a byte order mark: save it as UTF-8 without one"


def refused(file: Path, reader: ModuleType = cases) -> tuple[str, dict[str, str]]:
    with pytest.raises(CaseFileInvalid) as error:
        reader.read_cases(file)
    return error.value.message, error.value.metadata


def test_a_file_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.json") == (
        "there is no such case file",
        {"file": "none.json", "case": "", "key": ""},
    )
    assert refused(tmp_path) == ("a folder is no case file", {"file": tmp_path.name, "case": "", "key": ""})
    assert refused(tmp_path / LONG) == (
        "the case file cannot be opened",
        {"file": LONG, "reason": os.strerror(errno.ENAMETOOLONG), "case": "", "key": ""},
    )


class NeverRead(PosixPath):
    """A file that tells its size, and breaks the test when it is read."""

    def read_bytes(self) -> bytes:
        raise AssertionError("what is too large was read")


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = NeverRead(tmp_path / "large.json")
    with file.open("wb") as written:
        written.truncate(cases.FILE_BYTES_MAX + 1)
    assert refused(file) == ("the case file is too large", {"case": "", "key": ""})


@pytest.mark.parametrize("case_id", ["", " ", "\t\n"])
def test_an_id_says_something(tmp_path: Path, case_id: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([{"id": case_id, "facts": {}}]), encoding="utf-8")
    sentence, place = refused(file)
    assert sentence == "a case is refused: a text that says something is asked"
    assert place["key"] == "id"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_told_and_how_to_save(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "marked.json"
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    file.write_bytes(f"{mark}[]".encode(encoding))
    assert refused(file) == (MARKED, {"case": "", "key": ""})


def test_a_check_of_nothing_is_refused_and_of_one_case_is_not() -> None:
    with pytest.raises(CaseFileInvalid) as error:
        cases.refuse_nothing(())
    assert error.value.message == "there is no case in this file: nothing was checked"
    assert error.value.metadata == {"case": "", "key": ""}
    cases.refuse_nothing((cases.Case("C1", Facts(), None),))


@pytest.mark.parametrize(
    ("purposes", "sentence"),
    [
        (["a"], None),
        ([], None),
        (["a", "a"], None),
        (["a", "b"], "one consent is one purpose: make a consent of its own for each"),
    ],
)
def test_a_consent_is_for_one_purpose(tmp_path: Path, purposes: list[str], sentence: str | None) -> None:
    file = tmp_path / "cases.json"
    case = {"id": "C1", "facts": {"consent": {"state": "GIVEN", "purposes": purposes}}}
    file.write_text(json.dumps([case]), encoding="utf-8")
    if sentence is None:
        (read,) = cases.read_cases(file)
        assert getattr(read.facts.consent, "purposes", None) == frozenset(purposes)
    else:
        told = refused(file)
        assert told == (f"a case is refused: {sentence}", {"case": "C1", "key": "facts.consent.purposes"})


# --- words of a list -----------------------------------------------------------------------------------


@pytest.fixture
def fresh() -> ModuleType:
    """Return the reader as a new process loads it: its tables of words are made at that moment."""
    assert cases.__spec__ is not None
    module = importlib.util.module_from_spec(cases.__spec__)
    assert cases.__spec__.loader is not None
    cases.__spec__.loader.exec_module(module)
    return module


CHOICES: list[tuple[dict[str, Any], str, str]] = [
    ({"facts": {"objection": "?"}}, "facts.objection", "PENDING, UPHELD or REJECTED is asked"),
    ({"facts": {"objection": "pending"}}, "facts.objection", "PENDING, UPHELD or REJECTED is asked"),
    (
        {"facts": {"consent": {"state": "YES"}}},
        "facts.consent.state",
        "REQUESTED, GIVEN, REFUSED, WITHDRAWN, EXPIRED or REPLACED is asked",
    ),
]


@pytest.mark.parametrize(("case", "key", "sentence"), CHOICES)
def test_a_word_that_is_not_in_the_list_is_told_the_list(
    tmp_path: Path, fresh: ModuleType, case: dict[str, Any], key: str, sentence: str
) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([{"id": "C1", **case}]), encoding="utf-8")
    assert refused(file, fresh) == (f"a case is refused: {sentence}", {"case": "C1", "key": key})


@pytest.mark.parametrize("word", ["PENDING", "UPHELD", "REJECTED"])
def test_each_word_of_a_list_is_read(tmp_path: Path, fresh: ModuleType, word: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([{"id": "C1", "facts": {"objection": word}}]), encoding="utf-8")
    (read,) = fresh.read_cases(file)
    assert read.facts.objection == word


@pytest.mark.parametrize("state", ["REQUESTED", "GIVEN", "REFUSED", "WITHDRAWN", "EXPIRED", "REPLACED"])
def test_the_states_of_a_consent_are_read_in_any_letters(tmp_path: Path, state: str) -> None:
    for written in (state, state.lower(), f" {state.title()} "):
        file = tmp_path / "cases.json"
        file.write_text(
            json.dumps([{"id": "C1", "facts": {"consent": {"state": written}}}]), encoding="utf-8"
        )
        (read,) = cases.read_cases(file)
        assert read.facts.consent == Consent(state=state)


@pytest.mark.parametrize(
    ("words", "spoke"),
    [
        (["both"], {Speaker.SELF, Speaker.PARENT}),
        ([" Beide "], {Speaker.SELF, Speaker.PARENT}),
        (["child"], {Speaker.SELF}),
        (["kind", "Jongere"], {Speaker.SELF}),
        (["written proxy"], {Speaker.PROXY}),
        (["written_proxy", "written-proxy", "Written  Proxy"], {Speaker.PROXY}),
        (["schriftelijk gemachtigde"], {Speaker.PROXY}),
        (["legal_representative"], {Speaker.REPRESENTATIVE}),
        (["wettelijk vertegenwoordiger", "Wettelijke_vertegenwoordiger"], {Speaker.REPRESENTATIVE}),
        (["representative with authority"], {Speaker.REPRESENTATIVE}),
        (["ouder met gezag"], {Speaker.PARENT}),
        (["Curator", "MENTOR", "bewindvoerder"], {Speaker.CURATOR, Speaker.MENTOR, Speaker.BEWINDVOERDER}),
        (["partner", "familie"], {Speaker.PARTNER, Speaker.FAMILY}),
        (["buurman", "", "-", "zelf niet"], set()),
    ],
)
def test_who_spoke_is_read_as_people_write_it(tmp_path: Path, words: list[str], spoke: set[Speaker]) -> None:
    file = tmp_path / "cases.json"
    told = {"consent": {"state": "given", "given_by": words}}
    file.write_text(json.dumps([{"id": "C1", "facts": told}]), encoding="utf-8")
    (read,) = cases.read_cases(file)
    assert isinstance(read.facts.consent, Consent)
    assert who_spoke(read.facts.consent.given_by or ()) == spoke


# --- whatever a file holds ---------------------------------------------------------------------------------

KEYS = [*cases._CASE_KEYS, *cases._FACT_KEYS, *cases._CONSENT_KEYS, *cases._FIELD_KEYS, *cases._EXPECTED_KEYS]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "GIVEN", "2026-03-02T10:00Z", "2026-03-02", "release", "DENY", "WMO-2.3.2", "self"]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*cases._CASE_KEYS]) | st.text(max_size=3), ANYTHING), st.booleans())
def test_whatever_a_case_holds_it_is_read_or_refused_with_its_place(
    case: dict[str, object],
    named: bool,  # noqa: FBT001 -- drawn
) -> None:
    told = {"facts": {}} | case | ({"id": "C1"} if named else {})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.json"
        file.write_text(json.dumps([told]), encoding="utf-8")
        try:
            read = cases.read_cases(file)
        except CaseFileInvalid as refusal:
            found = refusal.remedy, sorted(refusal.metadata)
            assert found == (refusal.remedy or "a remedy", ["case", "key"])  # noqa: PT017 -- both ways are right
        else:
            (result,) = cases.decide(read, REGISTER)
            assert result["id"] == read[0].id
