"""Recorded decisions as rows for the resident and for the privacy officer.

Promises: the resident is told the same whether something is sealed or does not exist; the officer is told
all, with a pseudonym for the resident, and alone what was done about seals; a decision whose words were
erased is told without them. Each is told under the register it was taken by.
Source: GDPR 15, 39; CJEU C-579/21; the gate's three explanations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.obligations import COMMAND, EVALUATE, Asked, is_about_seal, kept_from
from exchange.domain.values import RESIDENT_TASK
from exchange.errors import KeyDestroyed
from exchange.gate.explain import explain, view_for_requester
from exchange.gate.model import Outcome
from exchange.pipeline.facts import OWN_WORDS
from exchange.pipeline.recall import verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.gate.model import Verdict
    from exchange.pipeline.registers import Registers
    from exchange.pipeline.walk import Caller
    from exchange.store.batch import Row
    from exchange.store.codec import Codec

TOPIC: Final = DisclosureDecided.TOPIC
SEAL: Final = "R26"
SUBSCRIBE: Final = "SUBSCRIBE"
# What the resident reads of a question about a right: whatever the answer, nothing was given.
ONLY_ASKED: Final = "Iemand vroeg of een medewerker uw gegevens mag zien of gebruiken. Er is niets gegeven."
# What is left of the sealed words of a decision once they are erased.
_ERASED: Final[Mapping[str, Any]] = MappingProxyType(
    {"request": "", "subject": "", "released": (), "withheld": ()}
)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision; attributes have the names of the contract's fields."""

    decision_id: str
    decide_time: datetime
    organisation: str
    task: str
    professional: str
    purpose: str
    legal_basis: str
    action: str
    outcome: str
    rules: tuple[str, ...]
    released_fields: tuple[str, ...]
    withheld_fields: tuple[str, ...]
    explanation: str
    leaf_index: int
    obligations: tuple[str, ...]
    officer_explanation: str
    resident_pseudonym: str


class DecisionReader:
    """Opens stored decisions. Safe between threads."""

    def __init__(self, codec: Codec, registers: Registers, log_pseudonym: Callable[[str], str]) -> None:
        self._codec = codec
        self._registers = registers
        self._log_pseudonym = log_pseudonym

    def outcome(self, row: Row) -> str:
        """Return the outcome without opening what is sealed."""
        clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        outcome: str = clear["outcome"]
        return outcome

    def kept_from(self, row: Row, caller: Caller, now: datetime) -> bool:
        """Tell whether this decision is not told to the caller now; an officer is told all."""
        if caller.task not in OWN_WORDS:
            return False
        clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        asked = Asked(clear["task"], clear["purpose"], clear["legal_basis"], clear["action"])
        at = datetime.fromisoformat(clear["at"])
        representative = caller.task != RESIDENT_TASK
        return kept_from(
            asked, clear["obligations"], at, now, representative=representative
        ) or is_about_seal(asked, self._written(row, asked))

    def is_told(self, row: Row, caller: Caller, now: datetime, hidden: frozenset[str]) -> bool:
        """Tell whether a row is a decision that the resident's side is told of now."""
        return (
            row.topic == TOPIC
            and not self.kept_from(row, caller, now)
            and not (hidden and hidden & self.changes(row))
        )

    def for_officer(self, row: Row) -> Decision:
        """Return the decision whole."""
        event = self.event(row)
        register = self._registers.at(event.facts_position)
        verdict, facts = verdict_of(event, register)
        told = explain(verdict, facts, register)
        return Decision(
            decision_id=event.decision_id,
            decide_time=event.at,
            organisation=event.organisation,
            task=event.task,
            professional=event.professional,
            purpose=event.purpose,
            legal_basis=f"{event.legal_basis}@{event.basis_version}",
            action=event.action,
            outcome=event.outcome,
            rules=event.rules,
            released_fields=event.released,
            withheld_fields=event.withheld,
            explanation=ONLY_ASKED if event.action == EVALUATE else told.resident,
            leaf_index=row.position - 1,
            obligations=event.obligations,
            officer_explanation=told.officer,
            resident_pseudonym=self._log_pseudonym(event.resident) if event.resident else "",
        )

    def changes(self, row: Row) -> frozenset[str]:
        """Return the collections whose change was delivered, or kept from who subscribed; else none."""
        clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if clear["action"] != SUBSCRIBE:
            return frozenset()
        event = self.event(row)
        return frozenset(map(_collection, (*event.released, *event.withheld))) - {""}

    def for_resident(self, row: Row, hidden: frozenset[str] = frozenset()) -> Decision:
        """Return the decision as the resident may know it; `hidden` is sealed to who reads it."""
        whole = self.for_officer(row)
        if SEAL in whole.rules:
            event = self.event(row)
            verdict, _ = verdict_of(event, self._registers.at(event.facts_position))
            whole = _without_seal(whole, verdict)
        return _without_places(whole, hidden)

    def _written(self, row: Row, asked: Asked) -> frozenset[str]:
        """Return the names of what a command writes, without their places; of all else, none is opened."""
        if asked.action not in {COMMAND, EVALUATE}:
            return frozenset()
        event = self.event(row)
        return frozenset(name.partition("[")[0] for name in (*event.released, *event.withheld))

    def event(self, row: Row) -> DisclosureDecided:
        """Return a decision as it was recorded, without its sealed words where they were erased."""
        try:
            opened = self._codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        except KeyDestroyed:
            return self.unopened(row)
        assert isinstance(opened.event, DisclosureDecided)
        return opened.event

    def unopened(self, row: Row) -> DisclosureDecided:
        """Return a decision without its sealed words, whether they were erased or not."""
        clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        return msgspec.convert({"resident": "", **_ERASED, **clear}, DisclosureDecided)


def _collection(name: str) -> str:
    path, _, _ = name.partition("[")
    collection, inside, _ = path.partition(".")
    return collection if inside else ""


def _without_places(whole: Decision, hidden: frozenset[str]) -> Decision:
    # Of what, and from whom, there was something: of a collection that is not there nothing is.
    def told(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(name.partition("[")[0] if _collection(name) in hidden else name for name in names)
        )

    return replace(
        whole, released_fields=told(whole.released_fields), withheld_fields=told(whole.withheld_fields)
    )


def _without_seal(whole: Decision, verdict: Verdict) -> Decision:
    # What only a seal held back is told as given, as it would be if nothing were there.
    hidden = frozenset(name for name, one in verdict.fields.items() if one.rules == (SEAL,))
    withheld = tuple(name for name in whole.withheld_fields if name not in hidden)
    released = tuple(name for name in verdict.fields if name not in withheld)
    told = view_for_requester(verdict)
    if whole.action == EVALUATE:
        # Nothing was released, sealed or not.
        return replace(whole, rules=told.rules, outcome=str(told.outcome))
    denied = whole.outcome == Outcome.DENY and told.outcome is Outcome.DENY
    return replace(
        whole,
        rules=told.rules,
        outcome=str(told.outcome),
        released_fields=() if denied else released,
        withheld_fields=whole.withheld_fields if denied else withheld,
    )
