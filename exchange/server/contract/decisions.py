"""Recorded decisions as rows for the resident and for the privacy officer.

Promises: the resident is told the same whether something is sealed or does not exist; the officer is told
all, with a pseudonym for the resident, and alone what was done about seals; what an organisation asked whose
link with the case is sealed to who reads is not there; a decision whose words were erased is told without
them. Each is told under the register it was taken by.
Source: GDPR 15, 39; CJEU C-579/21; the gate's three explanations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.limits.links import NO_LINKS, origins_of
from exchange.domain.obligations import (
    COMMAND,
    EVALUATE,
    NOT_CLEARED,
    Asked,
    Cleared,
    is_about_seal,
    kept_from,
)
from exchange.domain.values import RESIDENT_TASK
from exchange.errors import KeyDestroyed
from exchange.gate.explain import explain, view_for_requester
from exchange.gate.judge import judge_and_tell
from exchange.gate.model import Outcome
from exchange.pipeline.facts import OWN_WORDS, law_of
from exchange.pipeline.recall import verdict_of
from exchange.pipeline.telling import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register
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
    abort_time: datetime | None = None  # filled in by who looks up what became of it


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

    def kept_from(
        self,
        row: Row,
        caller: Caller,
        now: datetime,
        links: frozenset[str] = NO_LINKS,
        cleared: Cleared = NOT_CLEARED,
    ) -> bool:
        """Tell whether this decision is not told to the caller now; an officer is told all.

        `links` are the recipients of whom the caller is not shown that they are on the case; `cleared` says
        since when a representative may be told of an investigation of Veilig Thuis, or of an emergency.
        """
        if caller.task not in OWN_WORDS:
            return False
        clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if f"{clear['organisation']}/{clear['task']}" in links:
            return True
        asked = Asked(clear["task"], clear["purpose"], clear["legal_basis"], clear["action"])
        at = datetime.fromisoformat(clear["at"])
        representative = caller.task != RESIDENT_TASK
        return kept_from(
            asked, clear["obligations"], at, now, representative=representative, cleared=cleared
        ) or is_about_seal(asked, self._written(row, asked))

    def is_told(
        self,
        row: Row,
        caller: Caller,
        now: datetime,
        hidden: frozenset[str],
        links: frozenset[str] = NO_LINKS,
        *,
        cleared: Cleared = NOT_CLEARED,
    ) -> bool:
        """Tell whether a row is a decision that the resident's side is told of now."""
        return (
            row.topic == TOPIC
            and not self.kept_from(row, caller, now, links, cleared)
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

    def for_resident(
        self, row: Row, hidden: frozenset[str] = frozenset(), links: frozenset[str] = NO_LINKS
    ) -> Decision:
        """Return the decision as the resident may know it; what is `hidden`, and `links`, is sealed."""
        whole = self.for_officer(row)
        named = _names_any((*whole.released_fields, *whole.withheld_fields), origins_of(links))
        if SEAL in whole.rules or named:
            event = self.event(row)
            register = self._registers.at(event.facts_position)
            verdict, facts = verdict_of(event, register)
            if named and facts.fields:
                whole = _without_links(whole, facts, register, origins_of(links))
            else:
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


def _origin(name: str) -> str:
    """Return the origin in the name of a field that stands beside others of its path, else nothing."""
    _, _, key = name.rstrip("]").partition("[")
    return key.partition("|")[2].partition("|")[0]


def _names_any(names: tuple[str, ...], origins: frozenset[str]) -> bool:
    return bool(origins) and any(_origin(name) in origins for name in names)


def _without_links(whole: Decision, facts: Facts, register: Register, origins: frozenset[str]) -> Decision:
    """Return the decision as it would be if nothing of these origins were there, and nothing were sealed."""
    asked = facts.fields or ()
    shown = [one for one in asked if _origin(one.name) not in origins]
    paths = [one.name.partition("[")[0] for one in shown]
    # Of what is left alone under its path the name says no more than the path.
    own = [
        replace(one, name=path) if paths.count(path) == 1 else one
        for one, path in zip(shown, paths, strict=True)
    ]
    # A path of which nothing is left was asked all the same, of who asked.
    gone = {one.name.partition("[")[0]: one for one in asked if _origin(one.name) in origins}
    own += [
        replace(one, name=path, provider=whole.task, acquired_for=law_of(whole.task), sealed=False)
        for path, one in gone.items()
        if path not in paths
    ]
    facts = replace(facts, fields=tuple(own))
    told = judge_and_tell(facts, register)[1]
    # What is whole without them would not have been refused because a part was.
    refused = whole.outcome == Outcome.DENY and told.outcome not in WHOLE
    names = tuple(one.name for one in own)
    released = () if refused else tuple(name for name in names if told.fields[name].release)
    withheld = names if refused else tuple(name for name in names if not told.fields[name].release)
    return replace(
        whole,
        outcome=str(Outcome.DENY if refused else told.outcome),
        rules=told.rules,
        released_fields=() if whole.action == EVALUATE else released,
        withheld_fields=whole.withheld_fields if whole.action == EVALUATE else withheld,
        explanation=ONLY_ASKED if whole.action == EVALUATE else explain(told, facts, register).resident,
    )


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
