"""The authorization decision log: each recorded decision as a record of the Dutch standard.

Promises: derived from what was committed before the answer left, so no decision is without its record; a
resident is known by the pseudonym of this log only; what was left out says so; nothing here is judged again.
Source: VNG Authorization Decision Log (November 2025), level 4; AuthZEN Authorization API 1.0; RFC 3339; W3C
Trace Context.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from exchange.domain.kernel import STREAM_SEPARATOR
from exchange.domain.obligations import EVALUATE
from exchange.gate.model import Outcome
from exchange.server.contract.decisions import TOPIC, DecisionReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.domain.disclosure import DisclosureDecided
    from exchange.pipeline.registers import Registers
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta
    from exchange.store.ports import EventReader

ROWS_PER_LOOK: Final = 500
LOOKS_MAX: Final = 20
# Every decision is the evaluation of one access; a search or a list is recorded as those it is made of.
TYPE: Final = "access_evaluation"
COMMAND: Final = "COMMAND"
UNKNOWN: Final = "unknown"
# The necessity is told to the resident; of what was asked about, the pseudonym stands for the record asked.
_OMITTED_ALWAYS: Final = ("request.context.necessity", "request.resource.id")
_OMITTED_SEALED: Final = (
    "request.resource.properties.fields",
    "response.context.released_fields",
    "response.context.withheld_fields",
)

_decode = msgspec.json.Decoder(dict[str, Any]).decode

Record = dict[str, Any]


class Page(NamedTuple):
    """Records in the order of the decisions, the position to go on after, and whether there may be more."""

    records: list[Record]
    last: int
    more: bool


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """Reads records. Safe between threads."""

    reader: EventReader
    codec: Codec
    registers: Registers
    log_pseudonym: Callable[[str], str]
    opens: bool = True  # which fields were asked is sealed; without opening it is left out, and said so

    def page(self, after: int, limit: int, *, until: int | None = None, organisation: str = "") -> Page:
        """Return at most `limit` records of decisions after a position and before another.

        With an organisation: of decisions it asked for. The events of one command are one decision.
        """
        found: list[Record] = []
        decision = self._decision_at(after)
        for _ in range(LOOKS_MAX):
            rows = self.reader.page(after, ROWS_PER_LOOK)
            for row in rows:
                if until is not None and row.position >= until:
                    return Page(found, after, more=False)
                clear, meta, _ = self.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                new = row.topic == TOPIC or (bool(meta.decision_id) and meta.decision_id != decision)
                if new and organisation in {"", meta.organisation}:
                    if len(found) == limit:
                        return Page(found, after, more=True)
                    found.append(self._record(row, meta, clear.get("resident", "")))
                after, decision = row.position, meta.decision_id
            if len(rows) < ROWS_PER_LOOK:
                return Page(found, after, more=False)
        # A long stretch of others' decisions: an unfull page, and where to go on.
        return Page(found, after, more=True)

    def _decision_at(self, position: int) -> str:
        """Return the decision whose event stands at a position: the next one may be of the same command."""
        rows = self.reader.page(position - 1, 1) if position > 0 else []
        if not rows:
            return ""
        _, meta, _ = self.codec.decode_clear(rows[0].state, stream=rows[0].stream, topic=rows[0].topic)
        return meta.decision_id

    def _record(self, row: Row, meta: Meta, resident: str) -> Record:
        if row.topic != TOPIC:
            return _of_command(row, meta, self._resource(row, resident))
        decisions = DecisionReader(self.codec, self.registers, self.log_pseudonym)
        event = decisions.event(row) if self.opens else decisions.unopened(row)
        told = _decode(meta.evaluated) if meta.evaluated else {}
        return _of_decision(row, meta, event, told, self._pseudonym(resident))

    def _resource(self, row: Row, resident: str) -> dict[str, Any]:
        if resident:
            return {"type": "resident", "id": self._pseudonym(resident)}
        kind, _, key = row.stream.partition(STREAM_SEPARATOR)
        return {"type": kind, "id": key}

    def _pseudonym(self, resident: str) -> str:
        return self.log_pseudonym(resident) if resident else UNKNOWN


def _of_command(row: Row, meta: Meta, resource: dict[str, Any]) -> Record:
    """Return the record of a command that was let through: its events are its decision."""
    basis_id = meta.legal_basis.partition("@")[0]
    return _whole(
        row,
        meta,
        at=meta.at,
        request={
            "subject": _subject(meta.professional, meta.organisation, meta.task),
            "action": {"name": COMMAND, "properties": {"event": row.topic}},
            "resource": resource,
            "context": {"purpose": meta.purpose, "legal_basis": basis_id},
        },
        response={"decision": True, "context": {"outcome": str(Outcome.PERMIT)}},
        basis=meta.legal_basis,
        rules=(f"P-{basis_id}",),
    )


def _of_decision(
    row: Row, meta: Meta, event: DisclosureDecided, evaluated: dict[str, Any], pseudonym: str
) -> Record:
    who = _subject(event.professional, event.organisation, event.task)
    context: dict[str, Any] = {"purpose": event.purpose, "legal_basis": event.legal_basis}
    action, decision = event.action, event.outcome != Outcome.DENY
    kind = "resident" if event.resident else "exchange"
    if event.action == EVALUATE and evaluated:
        # Who asked is not whose right it is about.
        context |= {"asked_by": who, "within": evaluated["within"]}
        who = _subject(evaluated["professional"], evaluated["organisation"], evaluated["task"])
        action, decision, kind = evaluated["action"] or UNKNOWN, evaluated["decision"], "resident"
    fields = dict.fromkeys(name.partition("[")[0] for name in (*event.released, *event.withheld))
    return _whole(
        row,
        meta,
        at=event.at,
        request={
            "subject": who,
            "action": {"name": action},
            "resource": {"type": kind, "id": pseudonym, "properties": {"fields": list(fields)}},
            "context": context,
        },
        response={
            "decision": decision,
            "context": {
                "outcome": event.outcome,
                "obligations": list(event.obligations),
                "released_fields": list(event.released),
                "withheld_fields": list(event.withheld),
            },
        },
        basis=f"{event.legal_basis}@{event.basis_version}",
        rules=event.rules,
        consent=event.consent_id,
        omitted=() if event.request else _OMITTED_SEALED,
    )


def _whole(
    row: Row,
    meta: Meta,
    *,
    at: datetime,
    request: dict[str, Any],
    response: dict[str, Any],
    basis: str,
    rules: tuple[str, ...],
    consent: str = "",
    omitted: tuple[str, ...] = (),
) -> Record:
    trace_id, _, span_id = meta.trace.partition("-")
    information: dict[str, Any] = {"events": {"position": meta.facts_position}}
    if consent:
        information["consent"] = {"id": consent}
    record: Record = {
        "id": meta.decision_id,
        "position": row.position,
        "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "type": TYPE,
        "request": request,
        "response": response,
        "policies": {"register": {"basis": basis, "rules": list(rules)}},
        "information": information,
        "configuration": {"policy_hash": meta.policy_hash},
        "omitted": [*_OMITTED_ALWAYS, *omitted],
    }
    return record | ({"trace_id": trace_id, "span_id": span_id} if trace_id else {})


def _subject(professional: str, organisation: str, task: str) -> dict[str, Any]:
    return {
        "type": "professional",
        "id": professional,
        "properties": {"organisation": organisation, "task": task},
    }
