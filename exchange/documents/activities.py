"""The record of processing activities, as the law asks it: one record for each activity, in three forms.

Promises: every point of GDPR 30(1) has a column, also where it says that there is nothing; the three forms
hold the same.
Source: GDPR 30(1)(a)-(g); protos/exchange/v1/legal_basis_service.proto (ListProcessingActivities).
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations
from typing import TYPE_CHECKING, Final

import msgspec

from exchange.documents.blocks import Block, Document, Facts, Heading, Text
from exchange.documents.gathered import read_strictly
from exchange.documents.tables import LIST_SEPARATOR, csv_of
from exchange.documents.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.documents.words import Words

# Of an activity, by the names of the contract, with the text that names each in a document.
PARTS: Final = {
    "purposes": "register_purposes",
    "legal_bases": "register_bases",
    "data_subjects": "register_subjects",
    "categories": "register_categories",
    "recipients": "register_recipients",
    "recipient_organisations": "register_parties",
    "third_countries": "register_third",
    "retention": "register_retention",
    "security_measures": "register_measures",
    "dpia_refs": "register_dpia",
}
# Short words, of which there can be many.
IN_A_LINE: Final = frozenset({"purposes", "data_subjects", "categories", "recipients", "dpia_refs"})
NO_TRANSFER: Final = "none"
COLUMNS: Final = ("activity_uri", "controller", "officer_contact", *PARTS)


class Activity(msgspec.Struct, frozen=True):
    """One processing activity, in words of the register."""

    activity_uri: str = ""
    purposes: tuple[str, ...] = ()
    legal_bases: tuple[str, ...] = ()
    data_subjects: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    recipient_organisations: tuple[str, ...] = ()
    third_countries: tuple[str, ...] = ()
    retention: tuple[str, ...] = ()
    security_measures: tuple[str, ...] = ()
    dpia_refs: tuple[str, ...] = ()


class ProcessingRecord(msgspec.Struct, frozen=True):
    """All of them, and who answers for them."""

    answer_time: datetime
    controller: str = ""
    officer_contact: str = ""
    policy_hash: str = ""
    activities: tuple[Activity, ...] = ()


def read_record(data: bytes) -> ProcessingRecord:
    """Return what a file holds. Raises RequestInvalid that names the place of a fault."""
    return read_strictly(data, ProcessingRecord)


def record_csv(found: ProcessingRecord) -> bytes:
    """Return one row for each activity; a cell with several words has them apart by " | "."""
    return csv_of(COLUMNS, (_row(found, one) for one in found.activities))


def _row(found: ProcessingRecord, one: Activity) -> tuple[str, ...]:
    who = (one.activity_uri, found.controller, found.officer_contact)
    told = {name: LIST_SEPARATOR.join(getattr(one, name)) for name in PARTS}
    # An empty cell would leave open whether anybody looked.
    told["third_countries"] = told["third_countries"] or NO_TRANSFER
    return (*who, *told.values())


def record_document(found: ProcessingRecord, language: str) -> Document:
    """Return the document. Raises RequestInvalid for a language there is not."""
    words = words_of(language)
    return Document(
        title=words.text("register_title"),
        about=words.text("register_about"),
        author=found.controller,
        language=language,
        made=found.answer_time,
        blocks=tuple(_blocks(found, words)),
    )


def _blocks(found: ProcessingRecord, words: Words) -> Iterator[Block]:
    unknown = words.text("not_recorded")
    yield Facts(
        (
            (words.text("register_controller"), found.controller or unknown),
            (words.text("register_officer"), found.officer_contact or unknown),
            (words.text("made_on"), words.moment(found.answer_time)),
            (words.text("register_hash"), found.policy_hash or unknown),
        )
    )
    yield Text(words.text("register_intro"))
    if not found.activities:
        yield Text(words.text("register_empty"))
    for one in found.activities:
        yield Heading(1, one.activity_uri.rstrip("/").rpartition("/")[2].replace("-", " ").capitalize())
        rows = [(words.text("register_uri"), one.activity_uri)]
        rows += [(words.text(text), _said(one, name, words)) for name, text in PARTS.items()]
        yield Facts(tuple(rows))


def _said(one: Activity, name: str, words: Words) -> str:
    rows = getattr(one, name)
    if name == "retention":
        # "<basis>: <rule>"; what a law says of its own has no basis before it.
        parts = (row.partition(": ") for row in rows)
        rows = tuple(f"{basis}: {words.retention(rule)}" for basis, _, rule in parts)
    said = (", " if name in IN_A_LINE else "\n").join(map(words.value, rows))
    return said or words.text("no_transfer" if name == "third_countries" else "not_recorded")
