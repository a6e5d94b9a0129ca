"""A desk for the scenarios of the standard: people and policy of theirs, the gate of the service."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.gate.entry import NO_BASIS, LegalBasis
from exchange.gate.judge import judge
from exchange.gate.model import Facts, Outcome
from exchange.gate.register import Register
from exchange.server.authzen.desk import Answer, Candidate
from exchange.server.authzen.messages import Action, Entity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from exchange.server.authzen.messages import Evaluation
    from exchange.server.house import Call

FOLDER = Path(__file__).parent / "scenario"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def register() -> Register:
    return Register(map(basis, read("register.toml")["basis"]))


def basis(entry: dict[str, Any]) -> LegalBasis:
    return replace(
        NO_BASIS,
        id=entry["id"],
        version=1,
        valid_from=BEGIN,
        enabled=True,
        providers=frozenset({"scenario"}),
        recipients=frozenset(entry["recipients"]),
        purposes=frozenset(entry["purposes"]),
        necessity_required=False,
        case_relation_required=entry.get("own", False),
        limits_apply=entry.get("limits", False),
    )


class ScenarioDesk:
    """Answers for one of the scenarios; a question claims each basis for its purpose in turn."""

    def __init__(self, scenario: str) -> None:
        self._known = read("people.toml")[scenario]
        self._register = register()

    async def evaluate(self, _call: Call, asked: Evaluation) -> Answer:
        verdicts = [judge(facts, self._register) for facts in self._facts(asked)]
        decision = any(verdict.outcome is Outcome.PERMIT for verdict in verdicts)
        return Answer(decision, {"rules": sorted({rule for one in verdicts for rule in one.rules})})

    async def subjects(self, _call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        people = list(self._known["people"]) if asked.subject.type == "user" else []
        for number, name in enumerate(people[start:], start=start + 1):
            yield Candidate(number, replace(asked, subject=Entity("user", name)))

    async def resources(self, _call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        records = list(self._known["records"]) if asked.resource.type == "record" else []
        for number, name in enumerate(records[start:], start=start + 1):
            resource = Entity("record", name, asked.resource.properties)
            yield Candidate(number, replace(asked, resource=resource))

    async def actions(self, _call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        for number, name in enumerate(self._known["actions"][start:], start=start + 1):
            yield Candidate(number, replace(asked, action=Action(name)))

    def _facts(self, asked: Evaluation) -> Iterator[Facts]:
        record = self._known.get("records", {}).get(asked.resource.id, {})
        status = asked.resource.properties.get("status")
        archived = status == "archived" or (status is None and record.get("archived", False))
        soft = asked.action.properties.get("soft") is True
        purpose = f"{asked.action.name} softly" if soft else asked.action.name
        name = self._known.get("names", {}).get(asked.subject.id)
        for kind in self._kinds(asked.subject, record, archived=archived):
            for entry in self._register.entries():
                if purpose in entry.purposes:
                    yield Facts(
                        now=NOON,
                        actor_auth="2FA+mTLS",
                        legal_basis=entry.id,
                        purpose=purpose,
                        provider="scenario",
                        recipient=kind,
                        recipient_id=asked.subject.id,
                        fields=(),
                        case_relation=name is not None and name == asked.resource.properties.get("ownerID"),
                        consent=None,
                        restricted=archived,
                    )

    def _kinds(self, subject: Entity, record: dict[str, Any], *, archived: bool) -> list[str]:
        """Return in which capacities somebody stands to a record."""
        if subject.type != "user" or subject.id not in self._known["people"]:
            return []
        kinds = list(self._known["people"][subject.id])
        if archived and "admin" in {*kinds, subject.properties.get("role")}:
            kinds.append("admin of what is archived")
        department = self._known.get("departments", {}).get(subject.id)
        if record.get("owner") == subject.id:
            kinds.append("owner")
        if department is not None and record.get("department") == department:
            kinds.append("manager of the department" if "manager" in kinds else "colleague")
        return kinds
