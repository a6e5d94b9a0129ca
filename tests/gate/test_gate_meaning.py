"""What no new register entry can mean: refused by its place, in a file and proposed; read where recorded."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import TYPE_CHECKING

import pytest

from exchange.domain.shape import person_key
from exchange.errors import RegisterInvalid
from exchange.gate.canonical import canonical_text, entry_of_text
from exchange.gate.register import Register
from tests.gate.test_gate_register import NOON, VALID, later, load, with_line

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = "a register entry is refused: "
DUTIES = '["DEFER-NOTICE-4W", "NO-NOTICE-TO-SUSPECT"]'
EXCEPTIONS = "letters of GDPR 9(2) are asked, such as 9(2)(h), with articles 22 to 30 of the UAVG beside them"
REFERENCE = "a reference to an assessment is asked"
ADDRESS = "an https address of a host is asked"


def bent(**changes: str) -> str:
    """Return the valid entry with these keys said otherwise, or beside the others."""
    text = VALID
    for key, value in changes.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key} = ")]
        text = "\n".join([*lines, f"{key} = {value}"]) + "\n"
    return text


YEAR = "the year of the text it was written on is asked, such as 2015"


def on(wording: str) -> dict[str, str]:
    return {"citation": f'{{ law = "Wmo 2015", article = "5.2.1", wording = "{wording}" }}'}


WRONG = [
    *(
        (on(wording), "citation.wording", YEAR)
        for wording in ("as introduced", "-", "1 January", "36 295", "120151", "1815", "2115")
    ),
    ({"consent_kind": '"CARE"'}, "consent_kind", "not a kind of consent that can be a condition"),
    ({"consent_kind": '"ASSENT"'}, "consent_kind", "not a kind of consent that can be a condition"),
    ({"gdpr6": '"6(1)(a)"'}, "consent_kind", "6(1)(a) is consent: the kind GDPR is asked"),
    (
        {"gdpr6": '"6(1)(a)"', "consent_kind": '"STATUTORY"'},
        "consent_kind",
        "6(1)(a) is consent: the kind GDPR is asked",
    ),
    *(
        (
            {"gdpr6": f'"6(1)({letter})"', "consent_kind": '"GDPR"', "public_task": public},
            "gdpr6",
            "GDPR consent is a ground of its own, 6(1)(a); as a condition of another it is not freely given",
        )
        for letter in "bcdef"
        for public in ("true", "false")
    ),
    *(
        (
            {"information_duty": '"DEFER:P4W"', "permit_obligations": duties},
            "permit_obligations",
            "to defer the notice asks its duties: DEFER-NOTICE-4W and NO-NOTICE-TO-SUSPECT",
        )
        for duties in ("[]", '["DEFER-NOTICE-4W"]', '["NO-NOTICE-TO-SUSPECT"]')
    ),
    *(
        (
            {"permit_obligations": duties},
            "information_duty",
            "a notice is deferred by this duty only: DEFER:P4W",
        )
        for duties in ('["DEFER-NOTICE-4W"]', DUTIES)
    ),
    *(
        ({"gdpr9": f"[{words}]"}, "gdpr9", EXCEPTIONS)
        for words in (
            '"zomaar"',
            '"9(2)(k)"',
            '"9(2)(h) "',
            '"9(2)(h)", "zomaar"',
            '"9(1)(h)"',
            '"UAVG 30(3)"',
            '"9(2)(h)", "UAVG 21"',
            '"9(2)(h)", "UAVG 31"',
            '"GDPR 15"',
        )
    ),
    *(({"dpia_ref": f'"{word}"'}, "dpia_ref", REFERENCE) for word in (".", " - ", "__", "\u200b")),
    *(
        ({"processing_activity_uri": f'"https://{rest}"'}, "processing_activity_uri", ADDRESS)
        for rest in ("", ".", "/x", " ", "x y", "x.", "-/", "x/a b")
    ),
]
RIGHT = [
    {"gdpr6": '"6(1)(a)"', "consent_kind": '"GDPR"'},
    {"gdpr6": '"6(1)(a)"', "consent_kind": '"GDPR"', "public_task": "true"},
    {"consent_kind": '"STATUTORY"'},
    {"consent_kind": '"SECRECY"'},
    {"consent_kind": '"NO_OBJECTION"', "explicit_required": "true"},
    {"information_duty": '"DEFER:P4W"', "permit_obligations": DUTIES},
    {"permit_obligations": '["NO-NOTICE-TO-SUSPECT"]'},
    *({"gdpr9": f'["9(2)({letter})"]'} for letter in "aj"),
    *({"gdpr9": f'["9(2)(h)", "UAVG {word}"]'} for word in ("22", "30", "30(3)", "22(2)(a)")),
    {"gdpr9": '["GDPR 15: own data"]', "subject_access": "true"},
    {"dpia_ref": '"1"'},
    *map(on, ("25 May 2018", "2015-01-01", "1999", "bill of 2023 (36 295)", "2099")),
    *({"processing_activity_uri": f'"https://{rest}"'} for rest in ("x", "x.nl:8443", "x.nl/a", "x?b=c")),
]


@pytest.mark.parametrize(("changes", "key", "why"), WRONG)
def test_what_no_entry_can_mean_is_refused_by_its_place(
    tmp_path: Path, changes: dict[str, str], key: str, why: str
) -> None:
    text = bent(**changes)
    proposal = text.replace('approved_by = ["one", "two"]\n', "")
    for read in (lambda: load(tmp_path, text), lambda: entry_of_text(proposal, "test.toml")):
        with pytest.raises(RegisterInvalid) as error:
            read()
        assert error.value.message == REFUSED + why
        assert error.value.metadata == {"file": "test.toml", "entry": "TEST-1", "key": key}
    if changes.get("consent_kind") == '"ASSENT"':
        # No version of the exchange knew a basis on assent: that is no older shape of an entry.
        with pytest.raises(RegisterInvalid) as error:
            entry_of_text(proposal, "test.toml", recorded=True)
        assert error.value.metadata == {"file": "test.toml", "entry": "TEST-1", "key": key}
    else:
        # What was approved before this was asked is read as it stands.
        assert entry_of_text(proposal, recorded=True).id == "TEST-1"


@pytest.mark.parametrize("changes", RIGHT)
def test_what_an_entry_can_mean_is_read(tmp_path: Path, changes: dict[str, str]) -> None:
    (entry,) = load(tmp_path, bent(**changes)).entries()
    assert entry_of_text(canonical_text(entry)).id == "TEST-1"


# --- one person -----------------------------------------------------------------------------------------

SAME = [
    ("jos\u00e9", "jose\u0301"),
    ("an", "an\u200b"),
    ("an", "\u2060An "),
    ("an", "\uff21\uff2e"),
    ("stra\u00dfe", "STRASSE"),
    ("a n", "a\u00a0 n"),
    ("an", "a\u00adn"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_person_in_two_spellings_is_one(tmp_path: Path, one: str, other: str) -> None:
    assert one != other
    assert person_key(one) == person_key(other) == person_key(person_key(other))
    with pytest.raises(RegisterInvalid) as error:
        load(tmp_path, with_line("approved_by", f'approved_by = ["{one}", "{other}"]'))
    assert error.value.message == f"{REFUSED}one person is named twice: two different persons are asked"
    assert error.value.metadata == {"file": "test.toml", "entry": "TEST-1", "key": "approved_by"}


@pytest.mark.parametrize(
    ("one", "other"), [("an", "ann"), ("an", "a n"), ("jose", "jos\u00e9"), ("a-n", "an")]
)
def test_two_persons_stay_two(tmp_path: Path, one: str, other: str) -> None:
    assert person_key(one) != person_key(other)
    assert load(tmp_path, with_line("approved_by", f'approved_by = ["{one}", "{other}"]')).entries()


def test_no_mark_that_nobody_sees_is_part_of_a_name() -> None:
    unseen = [chr(point) for point in range(0x2000, 0x2070) if unicodedata.category(chr(point)) == "Cf"]
    assert len(unseen) > 10
    assert {person_key(f"a{mark}n") for mark in unseen} == {"an"}


# --- versions of a folder ---------------------------------------------------------------------------------


def test_versions_that_overlap_in_two_files_name_both(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(VALID, encoding="utf-8")
    (tmp_path / "a.toml").write_text(later(2, "2020-01-01"), encoding="utf-8")
    (tmp_path / "c.toml").write_text(VALID.replace("TEST-1", "OTHER-1"), encoding="utf-8")
    with pytest.raises(RegisterInvalid) as error:
        Register.load(tmp_path)
    assert error.value.metadata == {"file": "a.toml, b.toml", "entry": "TEST-1", "key": "valid_to"}


@pytest.mark.parametrize("enabled", [True, False])
def test_a_successor_ends_what_it_succeeds_whether_enabled_or_not(tmp_path: Path, *, enabled: bool) -> None:
    second = later(2, "2020-01-01") + "succeeds = 1\n"
    if not enabled:
        second = second.replace("enabled = true", "enabled = false")
    register = load(tmp_path, VALID + second)
    day = date(2020, 1, 1)
    before, after = (NOON.replace(year=day.year - 1), NOON)
    first = register.find("TEST-1", before)
    assert first is not None
    assert (first.version, first.in_force(before)) == (1, True)
    found = register.find("TEST-1", after)
    assert found is not None
    assert (found.version, found.in_force(after)) == (2, enabled)
