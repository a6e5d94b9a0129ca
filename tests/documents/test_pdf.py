"""Documents as a reader's software finds them: tagged, in order, whole, the same bytes every time."""

from __future__ import annotations

import json
import resource
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange.documents import typeset, typesetter
from exchange.documents.access import access_document
from exchange.documents.activities import Activity, ProcessingRecord, record_document
from exchange.documents.blocks import Document, Heading, Listing, Text
from exchange.documents.month import Decisions, Duties, Ledger, Scope, Summary, month_document
from exchange.documents.typeset import content_of, pdf_of
from exchange.errors import DocumentNotSet, RequestInvalid, SettingsInvalid
from tests.documents.papers import LOOKED, OIN, STAFF, accessible_faults, gathered, opened, said, text_of

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
OCTOBER = Scope(datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC), NOON)
MONTH = Summary(
    OCTOBER,
    decisions=(Decisions(OIN, "WMO-2.3.2@1", "READ", "PERMIT", 41), Decisions(OIN, "x@1", "READ", "DENY", 2)),
    duties=(Duties("REVIEW-1-WORKDAY", 3, 1, 1, 1, 1, 2, 0),),
    ledger=Ledger("log.example/1", 812, 800, quorum=True),
)
RECORD = ProcessingRecord(
    NOON, "Gemeente", "fg@gemeente.example", "ab12", (Activity("https://r.example/onderzoek", ("wmo",)),)
)
LETTERS = 'Ik zei: #read("/etc/passwd") $x^2$ @ref *vet* _schuin_ \\ `code` <b> // /* = + - ~ --- "aanhaling"'
HEBREW = "שלום, אני רוצה לגור בשלום"


def paper(language: str, kind: str) -> Document:
    documents = {
        "access": lambda: access_document(said("Rust."), language),
        "month": lambda: month_document(MONTH, language),
        "record": lambda: record_document(RECORD, language),
    }
    return documents[kind]()


@pytest.mark.parametrize(("language", "kind"), [("nl", "access"), ("en", "month"), ("nl", "record")])
def test_it_is_tagged_in_order_and_the_same_every_time(language: str, kind: str) -> None:
    document = paper(language, kind)
    made = pdf_of(document)
    assert accessible_faults(made, language, document.title) == []
    assert pdf_of(document) == made
    with opened(made) as pdf:
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20261126120000")


def test_a_fault_of_what_it_is_held_to_is_seen() -> None:
    document = Document("t", "a", "g", "nl", NOON, (Text("geen kop"),))
    assert accessible_faults(pdf_of(document), "en", "x") == [
        "language nl",
        "title not shown",
        "headings begin at []",
    ]


def test_his_own_words_are_shown_as_he_said_them_and_never_run() -> None:
    made = pdf_of(access_document(said(LETTERS), "nl"))
    assert LETTERS in text_of(made)
    assert b"root:" not in made


def test_what_no_font_has_is_shown_by_its_number_and_said_to_be_so() -> None:
    shown = text_of(pdf_of(access_document(said("你好 a😀\u202eb\x00c\u200bd"), "nl")))
    assert "[U+4F60][U+597D] a[U+1F600][U+202E]b[U+0000]c[U+200B]d" in shown
    assert "niet tonen" in shown
    assert "niet tonen" not in text_of(pdf_of(access_document(said("Één café, ąęłż, Привет"), "nl")))


def test_what_is_read_from_right_to_left_is_marked_and_kept() -> None:
    content = content_of(access_document(said(HEBREW), "nl"))
    assert f'{{"rtl": "{HEBREW}"}}' in content
    assert f'"text": "{LETTERS[:7]}' in content_of(access_document(said(LETTERS), "nl"))
    shown = text_of(pdf_of(access_document(said(HEBREW), "nl")))
    assert sorted(letter for letter in shown if "א" <= letter <= "ת") == sorted(
        letter for letter in HEBREW if "א" <= letter <= "ת"
    )


def test_a_word_that_is_longer_than_the_line_is_broken_and_nothing_of_it_lost() -> None:
    word = "W" + "o" * 900 + "rd"
    assert word in text_of(pdf_of(access_document(said(word), "nl")))
    shown = json.loads(content_of(access_document(said(word), "nl")))
    (quoted,) = [one["text"] for one in shown["blocks"] if one["kind"] == "quote"]
    assert max(map(len, quoted.split(typeset.BREAK_HERE))) == typeset.WORD_CHARS_MAX


def test_nobody_of_the_staff_is_in_it_nor_the_key_that_finds_his_leaves() -> None:
    made = pdf_of(access_document(said("Rust."), "nl"))
    shown = text_of(made)
    assert "De gemeente (Wmo) keek in uw plan." in shown
    for kept in (STAFF, "c2xldXRlbA", "sleutel"):
        assert kept not in shown
        assert kept.encode() not in made


def test_what_happened_names_collections_and_the_fields_stay_in_the_file() -> None:
    given = "goals.own_words, goals.state[a], supports.kind"
    told = f"U vroeg dat. Gegeven, als het er is: {given}. Niet gegeven: x.y. Klaar."
    content = content_of(access_document(gathered(disclosures=[LOOKED | {"explanation": told}]), "nl"))
    assert "U vroeg dat. Gegeven, als het er is: Doelen, Hulp. Niet gegeven: X. Klaar." in content
    # Of what was given in part it says in both lists that it is a part; nothing contradicts itself.
    some = f"Gegeven, als het er is: {given}. Niet gegeven: supports.rate, x.y."
    content = content_of(access_document(gathered(disclosures=[LOOKED | {"explanation": some}]), "nl"))
    assert (
        "Gegeven, als het er is: Doelen, Hulp (een deel). Niet gegeven: Hulp (een ander deel), X." in content
    )
    # What the gate explains is Dutch: in English it says what came of it.
    assert 'allowed"' in content_of(access_document(gathered(), "en"))


def test_of_who_was_erased_it_says_that_there_is_nothing() -> None:
    erased = gathered(answer={}, plan={}, consents=[], disclosures=[], withheld={})
    shown = text_of(pdf_of(access_document(erased, "nl")))
    assert "Er zijn hier geen gegevens van u." in shown
    assert "Wie er keek" not in shown


def test_a_month_in_which_nothing_was_decided_says_so() -> None:
    shown = text_of(pdf_of(month_document(Summary(OCTOBER), "nl")))
    assert "Maandverslag oktober 2026" in shown
    assert "In deze maand is niets beslist." in shown
    running = Summary(Scope(OCTOBER.start_time, OCTOBER.end_time, OCTOBER.start_time))
    assert "tot nu toe" in content_of(month_document(running, "nl"))
    assert "tot nu toe" not in content_of(month_document(Summary(OCTOBER), "nl"))


def test_the_month_adds_up_by_outcome_organisation_and_basis() -> None:
    shown = text_of(pdf_of(month_document(MONTH, "nl")))
    for words in ("Beslissingen: 43", "toegestaan41", "geweigerd2", f"{OIN}432", "WMO-2.3.2@1410"):
        assert words in shown
    for words in ("Achteraf te beoordelen: 3", "Te laat beoordeeld: 1", "Terecht: 2", "Waarvan te laat: 1"):
        assert words in shown


@pytest.mark.slow
def test_a_plan_of_five_thousand_events_takes_a_bounded_time_and_memory() -> None:
    goals = [{"goal_id": f"g-{n}", "own_words": f"Doel {n}: rust in huis."} for n in range(1_000)]
    looked = [LOOKED | {"decision_id": f"d-{n}"} for n in range(4_000)]
    found = gathered(plan={"plan_id": "p", "goals": goals}, disclosures=looked)
    document = access_document(found, "nl")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    made = pdf_of(document)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # What its process may take at most, and what the greatest of all children here took.
    assert after.ru_utime - before < typesetter.PROCESSOR_S_MAX
    assert after.ru_maxrss * 1024 < typesetter.MEMORY_BYTES_MAX / 2
    with opened(made) as pdf:
        assert len(pdf.pages) > 150


def test_beyond_the_rows_of_a_document_it_says_how_many_there_are() -> None:
    most = access_document(gathered(disclosures=[LOOKED] * 5_000), "nl")
    more = access_document(gathered(disclosures=[LOOKED] * 5_001), "nl")
    tables = [one for one in more.blocks if isinstance(one, Listing) and len(one.rows) > 10]
    # Who looked, and the numbers of it.
    assert [len(one.rows) for one in tables] == [5_000, 5_000]
    said_so = [one.text for one in more.blocks if isinstance(one, Text) and "5001" in one.text]
    assert len(said_so) == 1
    assert not [one for one in most.blocks if isinstance(one, Text) and "5000" in one.text]


def test_without_the_extra_and_where_it_fails_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "other.py"
    monkeypatch.setattr(typesetter, "__file__", str(program))
    for code, kind in ((typesetter.NOT_INSTALLED, SettingsInvalid), (typesetter.FAILED, DocumentNotSet)):
        program.write_text(f"import sys\nsys.stdin.read()\nsys.exit({code})\n")
        with pytest.raises(kind) as raised:
            pdf_of(paper("nl", "month"))
        assert "Maandverslag" not in str(raised.value)
    # What it says it lacks and was given already would be asked for ever.
    program.write_text("import sys\nsys.stdin.read()\nprint('[\"x\"]')\nsys.exit(3)\n")
    with pytest.raises(DocumentNotSet):
        pdf_of(paper("nl", "month"))


def test_in_another_language_there_are_none() -> None:
    with pytest.raises(RequestInvalid, match="language"):
        month_document(MONTH, "fr")


def test_what_typst_names_is_read_with_its_escapes() -> None:
    told = 'error: the text `"\\u{202e}\\"你"` could not be displayed with font `"x"`'
    assert typesetter.not_in_a_font(told) == ["\u202e", "你"]
    assert typesetter.not_in_a_font("error: anything else") == []


def test_a_heading_may_not_skip_a_level() -> None:
    document = Document("t", "a", "g", "nl", NOON, (Heading(1, "een"), Heading(3, "drie")))
    with pytest.raises(DocumentNotSet):
        pdf_of(document)
