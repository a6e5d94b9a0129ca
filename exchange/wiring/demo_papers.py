"""What the demo leaves on paper: an answer to a resident, her receipts, a month, the record of processing.

Promises: made from what was gathered through the gate and from the shard's own files, as by `exchange
export`; only the owner of the folder reads them.
Source: GDPR 15, 30(1), 39(1)(b); exchange/decisions/0136-documents-of-plain-values.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.documents.access import access_document
from exchange.documents.activities import record_document
from exchange.documents.disclosures import receipts_json_ld
from exchange.documents.gathered import read_gathered
from exchange.documents.month import month_document
from exchange.documents.typeset import pdf_of
from exchange.wiring.core import utc_now
from exchange.wiring.exporting import month_summary, processing_record
from exchange.wiring.holding import private_files

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings

FOLDER: Final = "papers"
DUTCH: Final = "nl"
ANSWER_PDF: Final = "answer.pdf"


def make_papers(settings: Settings, answer: Path, folder: Path) -> list[Path]:
    """Write the documents of a story that was told; return them. Raises ExchangeError."""
    gathered, now = read_gathered(answer.read_bytes()), utc_now()
    made = {
        ANSWER_PDF: pdf_of(access_document(gathered, DUTCH)),
        "receipts.jsonld": receipts_json_ld(gathered),
        "month.pdf": pdf_of(month_document(month_summary(settings, now.year, now.month), DUTCH)),
        "processing.pdf": pdf_of(record_document(processing_record(settings, now), DUTCH)),
    }
    with private_files():
        folder.mkdir()
        for name, text in made.items():
            (folder / name).write_bytes(text)
    return [folder / name for name in made]
