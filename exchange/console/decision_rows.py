"""The decisions of a filter, as pages show them and as files hold them.

Promises: each page of them is asked of the exchange, and so is itself a recorded decision; a file holds every
decision of its filter or is not given; no cell of it is run by a spreadsheet.
Source: GDPR 39(1)(b); RFC 4180, RFC 8259.
"""

from __future__ import annotations

import json
from datetime import UTC
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from exchange.console.decision_filter import stored_word
from exchange.console.language import later
from exchange.console.refusals import Refused
from exchange.documents.tables import LIST_SEPARATOR, csv_of
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_AUDIT, Claim, Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.console.decision_filter import Asked
    from exchange.console.page import Look

AUDIT: Final = Claim(purpose=PURPOSE_AUDIT, legal_basis="FG-AUDIT-39")
PAGE_ROWS: Final = 50
FILE_ROWS_PER_ASK: Final = 200
FILE_ROWS_MAX: Final = 10_000
# Of the disclosure itself; a file has these and two of the log, in this order.
COLUMNS: Final = (
    *("decision_id", "decide_time", "organisation", "task", "professional", "purpose", "legal_basis"),
    *("action", "outcome", "rules", "released_fields", "withheld_fields", "leaf_index", "abort_time"),
)
OF_LOG: Final = ("resident_pseudonym", "obligations")
FIELDS: Final = [
    *(f"decisions.disclosure.{name}" for name in COLUMNS),
    *(f"decisions.{name}" for name in OF_LOG),
]
_LARGE: Final = later(
    "Dit filter vindt meer dan 10.000 beslissingen. Kies een kortere periode, of gebruik het commando."
)


async def page_of(look: Look, asked: Asked) -> pb.ListDecisionsResponse:
    """Return one page, newest first."""
    request = pb.ListDecisionsRequest(
        claim=AUDIT,
        fields=FIELDS,
        filter=asked.filter(),
        newest_first=True,
        page_size=PAGE_ROWS,
        page_token=asked.page_token,
    )
    return await look.ask(request, pb.ListDecisionsResponse)


async def every_row(look: Look, asked: Asked) -> list[dict[str, Any]]:
    """Return every decision of a filter, newest first. Raises Refused for more than a file holds."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        request = pb.ListDecisionsRequest(
            claim=AUDIT,
            fields=FIELDS,
            filter=asked.filter(),
            newest_first=True,
            page_size=FILE_ROWS_PER_ASK,
            page_token=token,
        )
        answer = await look.ask(request, pb.ListDecisionsResponse)
        found += rows_of(answer.decisions)
        token = answer.next_page_token
        if not token:
            return found
        if len(found) >= FILE_ROWS_MAX:
            raise Refused("FILE_LARGE", _LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def rows_of(decisions: Sequence[pb.AuditedDecision]) -> list[dict[str, Any]]:
    """Return decisions under the names of the contract: moments in UTC, purposes in the register's words."""
    return [_row(one) for one in decisions]


def as_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return one row for each decision; lists are apart by " | "."""
    return csv_of((*COLUMNS, *OF_LOG), ([_cell(value) for value in row.values()] for row in rows))


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """Return one list."""
    return json.dumps(rows, ensure_ascii=False, indent=1)


def purpose_of(number: int) -> str:
    """Return a purpose as the register writes it; the number of one that this version does not know."""
    if number not in Purpose.values():
        return str(number)
    return stored_word(Purpose.Name(number)) if number else ""  # type: ignore[arg-type] # one of its values


def _row(one: pb.AuditedDecision) -> dict[str, Any]:
    row = {name: _plain(one.disclosure, name) for name in COLUMNS}
    return row | {name: _plain(one, name) for name in OF_LOG}


def _plain(message: Any, name: str) -> Any:  # noqa: ANN401 -- any field of two messages
    if name in {"decide_time", "abort_time"}:
        at = getattr(message, name)
        return at.ToDatetime(UTC).isoformat().replace("+00:00", "Z") if message.HasField(name) else None
    value = getattr(message, name)
    if name == "purpose":
        return purpose_of(value)
    return value if isinstance(value, str | int) else list(value)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return LIST_SEPARATOR.join(value)
    return "" if value is None else str(value)
