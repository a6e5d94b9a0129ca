"""The register: what it refuses, which version it finds, and what its hash covers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange.errors import RegisterInvalid
from exchange.gate import vocabulary
from exchange.gate.register import FILE_BYTES_MAX, SHIPPED_FOLDER, Register

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
VALID = """
[[basis]]
id = "TEST-1"
version = 1
title = "A basis for a test"
citation = { law = "Wmo 2015", article = "5.2.1", paragraph = "2", wording = "2015" }
valid_from = 2015-01-01
enabled = true
approved_by = ["one", "two"]
gdpr6 = "6(1)(e)"
gdpr9 = ["9(2)(h)"]
criminal_allowed = true
mode = "MAY"
direction = "DISCLOSE"
providers = ["college:WMO"]
recipients = ["wmo-aanbieder"]
purposes = ["wmo-levering"]
categories = ["WMO-PLAN", "GEZONDHEID-FUNCTIONEEL", "BSN", "STRAFRECHT"]
acquired_for = ["wmo"]
regime = "WMO"
secrecy = "NONE"
bsn_allowed = true
information_duty = "14"
retention_rule = "P15Y"
processing_activity_uri = "https://register.exchange.example/x"
dpia_ref = "DPIA-1"
"""


def load(folder: Path, text: str) -> Register:
    (folder / "test.toml").write_text(text, encoding="utf-8")
    return Register.load(folder)


def with_line(key: str, line: str) -> str:
    """Return the valid entry with the line of one key replaced; an empty line takes the key away."""
    pattern = re.compile(rf"^{key} = .*\n", re.MULTILINE)
    assert pattern.search(VALID)
    return pattern.sub(f"{line}\n" if line else "", VALID)


def later(version: int, valid_from: str, text: str = VALID) -> str:
    return text.replace("version = 1", f"version = {version}").replace("2015-01-01", valid_from)


def test_a_valid_entry_loads(tmp_path: Path) -> None:
    (basis,) = load(tmp_path, VALID).entries()
    assert (basis.id, basis.version, str(basis.citation)) == ("TEST-1", 1, "Wmo 2015 art. 5.2.1, lid 2")
    assert basis.necessity_required
    assert basis.limits_apply
    assert not basis.break_glass


REQUIRED = """version title citation valid_from enabled approved_by gdpr6 mode direction providers recipients
    purposes categories acquired_for regime secrecy information_duty retention_rule processing_activity_uri
    dpia_ref"""


@pytest.mark.parametrize("key", REQUIRED.split())
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        load(tmp_path, with_line(key, ""))
    assert refused.value.metadata == {"file": "test.toml", "entry": "TEST-1", "key": key}


WRONG = [
    ("dpia_ref", 'dpia_ref = " "', "dpia_ref"),
    ("dpia_ref", "dpia_ref = 7", "dpia_ref"),
    ("title", f'title = "{"x" * 1001}"', "title"),
    ("version", "version = 0", "version"),
    ("version", "version = true", "version"),
    ("version", 'version = "1"', "version"),
    ("citation", 'citation = "Wmo 5.2.1"', "citation"),
    ("citation", 'citation = { law = "Wmo 2015", wording = "2015" }', "citation.article"),
    ("citation", 'citation = { law = "Wmo 2015", article = "5.2.1" }', "citation.wording"),
    ("citation", 'citation = { law = "W", article = "5", wording = "2015", page = "3" }', "citation.page"),
    ("citation", 'citation = { law = "W", article = 5, wording = "2015" }', "citation.article"),
    ("valid_from", 'valid_from = "2015-01-01"', "valid_from"),
    ("valid_from", "valid_from = 2015-01-01T00:00:00Z", "valid_from"),
    ("valid_from", "valid_from = 2015-01-01\nvalid_to = 2015-01-01", "valid_to"),
    ("enabled", 'enabled = "yes"', "enabled"),
    ("approved_by", 'approved_by = ["one", "one"]', "approved_by"),
    ("approved_by", 'approved_by = ["one"]', "approved_by"),
    ("approved_by", 'approved_by = ["one", ""]', "approved_by"),
    ("approved_by", 'approved_by = "one, two"', "approved_by"),
    ("gdpr6", 'gdpr6 = "6(1)(z)"', "gdpr6"),
    ("mode", 'mode = "PERHAPS"', "mode"),
    ("direction", 'direction = "SIDEWAYS"', "direction"),
    ("providers", 'providers = ["college:ALL"]', "providers"),
    ("providers", "providers = []", "providers"),
    ("recipients", "recipients = []", "recipients"),
    ("recipients", 'recipients = ["*"]', "recipients"),
    ("purposes", 'purposes = ["alles"]', "purposes"),
    ("purposes", "purposes = []", "purposes"),
    ("categories", 'categories = ["ALLES"]', "categories"),
    ("categories", 'categories = ["CONTACT", "CONTACT"]', "categories"),
    ("acquired_for", 'acquired_for = ["WMO"]', "acquired_for"),
    ("regime", 'regime = "X"', "regime"),
    ("secrecy", 'secrecy = "SOMETIMES"', "secrecy"),
    ("secrecy", 'secrecy = "CONSENT"', "secrecy"),
    ("secrecy", 'secrecy = "NONE"\nconsent_kind = "ASSENT"', "consent_kind"),
    ("secrecy", 'secrecy = "NONE"\nconsent_kind = 1', "consent_kind"),
    ("secrecy", 'secrecy = "NONE"\nexplicit_required = true', "explicit_required"),
    ("secrecy", 'secrecy = "NONE"\npermit_obligations = ["DANCE"]', "permit_obligations"),
    ("secrecy", 'secrecy = "NONE"\ncolour = "red"', "colour"),
    ("bsn_allowed", "", "bsn_allowed"),
    ("gdpr9", "", "gdpr9"),
    ("gdpr9", 'gdpr9 = "9(2)(h)"', "gdpr9"),
    ("criminal_allowed", "criminal_allowed = false", "criminal_allowed"),
    ("criminal_allowed", "criminal_allowed = 1", "criminal_allowed"),
    ("processing_activity_uri", 'processing_activity_uri = "http://x.example"', "processing_activity_uri"),
    ("information_duty", 'information_duty = "15"', "information_duty"),
]


@pytest.mark.parametrize(("replaced", "line", "named"), WRONG)
def test_a_wrong_key_is_named(tmp_path: Path, replaced: str, line: str, named: str) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        load(tmp_path, with_line(replaced, line))
    assert refused.value.metadata == {"file": "test.toml", "entry": "TEST-1", "key": named}


@pytest.mark.parametrize("line", ["", "id = 7", 'id = "test 1"', 'id = "test-1"'])
def test_an_entry_without_a_good_id_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        load(tmp_path, with_line("id", line))
    assert refused.value.metadata == {"file": "test.toml", "entry": "?", "key": "id"}


def test_a_disabled_entry_needs_no_approval(tmp_path: Path) -> None:
    text = with_line("enabled", "enabled = false").replace('["one", "two"]', "[]")
    (basis,) = load(tmp_path, text).entries()
    assert not basis.in_force(NOON)
    assert basis.valid_at(NOON)


@pytest.mark.parametrize(
    "text",
    ["basis = 1", "basis = [1]", "x = 1", VALID + "\n[other]\na = 1", "[[basis]", "", "a = " + "[" * 20_000],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        load(tmp_path, text)
    assert refused.value.metadata["file"] == "test.toml"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.toml").write_bytes(b"# \xff\n" + VALID.encode())
    with pytest.raises(RegisterInvalid) as refused:
        Register.load(tmp_path)
    assert refused.value.metadata["file"] == "test.toml"


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    before = load(tmp_path, VALID).policy_hash
    assert load(tmp_path, VALID + "# said again\n").policy_hash == before
    assert load(tmp_path, with_line("valid_from", "valid_from = 2015-01-02")).policy_hash != before


def test_a_large_file_or_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegisterInvalid):
        Register.load(tmp_path)
    with pytest.raises(RegisterInvalid):
        load(tmp_path, "#" * (FILE_BYTES_MAX + 1))


def test_versions_that_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        load(tmp_path, VALID + later(2, "2020-01-01"))
    assert (refused.value.metadata["entry"], refused.value.metadata["key"]) == ("TEST-1", "valid_to")
    ended = with_line("valid_from", "valid_from = 2015-01-01\nvalid_to = 2020-01-02")
    with pytest.raises(RegisterInvalid):
        load(tmp_path, ended + later(2, "2020-01-01"))


def test_two_versions_with_one_number_are_refused(tmp_path: Path) -> None:
    ended = with_line("valid_from", "valid_from = 2015-01-01\nvalid_to = 2020-01-01")
    with pytest.raises(RegisterInvalid) as refused:
        load(tmp_path, ended + later(1, "2020-01-01"))
    assert refused.value.metadata["key"] == "version"


def test_the_version_of_the_day_is_found(tmp_path: Path) -> None:
    ended = with_line("valid_from", "valid_from = 2015-01-01\nvalid_to = 2020-01-01")
    register = load(tmp_path, ended + later(2, "2020-01-01"))

    def version(moment: datetime) -> int:
        basis = register.find("TEST-1", moment)
        assert basis is not None
        return basis.version

    assert version(datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC)) == 1
    assert version(datetime(2020, 1, 1, tzinfo=UTC)) == 2
    # Before any version the newest is found, so that the gate can say it is not in force.
    assert version(datetime(2000, 1, 1, tzinfo=UTC)) == 2
    assert register.find("TEST-2", NOON) is None


def test_the_hash_covers_every_entry(tmp_path: Path) -> None:
    first = load(tmp_path, VALID).policy_hash
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert load(tmp_path, VALID + "# a comment says nothing\n").policy_hash == first
    assert load(tmp_path, with_line("dpia_ref", 'dpia_ref = "DPIA-2"')).policy_hash != first
    assert load(tmp_path, with_line("purposes", 'purposes = ["wmo-onderzoek"]')).policy_hash != first


def test_the_rules_version_is_in_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Register.load().policy_hash
    monkeypatch.setattr("exchange.gate.register.RULES_VERSION", "other")
    assert Register.load().policy_hash != before


def test_the_shipped_register_is_whole() -> None:
    register = Register.load(SHIPPED_FOLDER)
    entries = {basis.id: basis for basis in register.entries()}
    asked = """WMO-5.1.1-4 WMO-5.2.1-2a WMO-5.2.2-a WMO-5.2.5-1 WMO-5.2.6 JW-7.3.11-1 JW-7.3.11-2a PW-64-1
        PW-67-1e SUWI-62 WGS-8 AVG-6.1.a AVG-6.1.a-college AVG-6.1.d WAMS-2.3.5c SUBJECT-15 FG-AUDIT-39"""
    assert set(asked.split()) <= set(entries)
    assert [basis.id for basis in entries.values() if not basis.in_force(NOON)] == [
        "WAMS-2.3.5c",
        "WGS-8-2",
    ]
    years = {basis.id: re.findall(r"\b(?:19|20)\d\d\b", basis.citation.wording) for basis in entries.values()}
    assert [name for name, found in years.items() if not found] == []
    assert "college:WMO" not in entries["PW-64-1"].providers
    assert not entries["AVG-6.1.a"].categories & (vocabulary.SPECIAL | {vocabulary.BSN})
    assert not entries["ORG-ADMIN-24"].categories
    used = {purpose for basis in entries.values() for purpose in basis.purposes}
    assert used == vocabulary.PURPOSES
    assert {kind for basis in entries.values() for kind in basis.recipients} == vocabulary.KINDS
