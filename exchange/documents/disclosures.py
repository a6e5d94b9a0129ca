"""Who looked, as files for computers: CSV, JSON, lines of JSON; and all receipts of consents as one.

Promises: the same rows in the same order in every form, under the names of the contract; no number of a
member of staff is among them.
Source: GDPR 15, 20(1) (a common, machine-readable form); RFC 4180, RFC 8259; ISO/IEC TS 27560, JSON-LD 1.1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.documents.tables import LIST_SEPARATOR, csv_of
from exchange.errors import RequestInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.documents.gathered import Gathered, Looked

# Each column, and what stands in it: README.md of this floor says the same to people.
COLUMNS: Final = {
    "decision_id": "number of the decision",
    "decide_time": "when, RFC 3339 in UTC",
    "organisation": "OIN of who asked",
    "task": "in which task",
    "purpose": "for which purpose, as the contract writes it",
    "legal_basis": "on which entry of the register, with its version",
    "action": "what was asked",
    "outcome": "what came of it",
    "rules": "rules that decided",
    "released_fields": "fields that were given",
    "withheld_fields": "fields that were not",
    "explanation": "what happened, in plain Dutch",
    "leaf_index": "number of its leaf in the ledger",
    "abort_time": "when it was recorded that the answer did not arrive; empty where nothing says so",
}


def disclosures_csv(found: Gathered) -> bytes:
    """Return one row for each decision; lists are apart by " | "."""
    return csv_of(tuple(COLUMNS), (_cells(row) for row in rows_of(found.disclosures)))


def disclosures_json(found: Gathered) -> bytes:
    """Return one list."""
    return json.dumps(rows_of(found.disclosures), ensure_ascii=False, indent=1).encode() + b"\n"


def disclosures_jsonl(found: Gathered) -> bytes:
    """Return one line for each decision."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows_of(found.disclosures))
    return "".join(f"{line}\n" for line in lines).encode()


def rows_of(disclosures: Sequence[Looked]) -> list[dict[str, Any]]:
    """Return the rows by the names of the columns."""
    return [{name: msgspec.to_builtins(getattr(one, name)) for name in COLUMNS} for one in disclosures]


def _cells(row: dict[str, Any]) -> list[str]:
    return [_cell(value) for value in row.values()]


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return LIST_SEPARATOR.join(map(str, value))
    return "" if value is None else str(value)


def receipts_json_ld(found: Gathered) -> bytes:
    """Return all receipts as one JSON-LD document, each as it was given. Raises RequestInvalid.

    Their contexts are one and the same, which stands once; a receipt is byte for byte what JSON makes of it.
    """
    contexts = [one.get("@context") for one in found.receipts]
    if any(one != contexts[0] for one in contexts):
        raise RequestInvalid(
            "these receipts are of several versions: each stays a file of its own",
            {"receipts": "must have one context"},
        )
    graph = [{name: value for name, value in one.items() if name != "@context"} for one in found.receipts]
    told: dict[str, Any] = {"@context": contexts[0] if contexts else {}, "@graph": graph}
    return json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n"
