"""A second audit, of lawfulness: what left, held against the basis, the consent and the leaf of its position.

Promises: simple, and not the gate: it reads what was recorded, and compares it with the register and the
consents as they stood at that position; it judges nothing else (secrecy, seals and necessity are the gate's,
which the replay asks again). A finding tells position and rule and no word of anybody.
Source: GDPR 5(1)(b) and (c), 5(2), 6, 7, 9, 30; Wmo 2015 5.1.1(4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from exchange.domain.asked_fields import listed
from exchange.domain.consent_events import ConsentGiven, ConsentRefused, ConsentRequested, ConsentWithdrawn
from exchange.domain.disclosure import DeliveryAborted, DisclosureDecided, DisclosureDelivered
from exchange.errors import HistoryUnreadable, KeyDestroyed, ProofInvalid
from exchange.ledger.leaf import parse_leaf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exchange.domain.kernel import Event
    from exchange.gate.entry import LegalBasis
    from exchange.pipeline.registers import Registers
    from exchange.store.batch import Row
    from exchange.store.codec import Codec

APPROVERS_MIN: Final = 2
# Permits by the names they are recorded under; in an emergency nobody waits for a consent.
GIVES: Final = frozenset({"PERMIT", "PARTIAL"})
GIVES_IN_EMERGENCY: Final = frozenset({"PERMIT_BREAK_GLASS", "PARTIAL_BREAK_GLASS"})
# Of every version: an earlier one reads as what it is written as today.
_LOOKED_AT: Final = (
    *("disclosure.decided.", "disclosure.delivered.", "disclosure.delivery_aborted."),
    "consent.",
)


class Finding(NamedTuple):
    """One thing that does not hold, at one position."""

    position: int
    decision_id: str
    what: str


@dataclass(slots=True)
class Lawfulness:
    """What was looked at, and what was found. `erased` are decisions whose words are gone: not judged."""

    disclosures: int = 0
    refusals: int = 0
    erased: int = 0
    findings: list[Finding] = field(default_factory=list)


class _AskedField(msgspec.Struct):
    name: str
    category: str


class _Asked(msgspec.Struct):
    """What of a recorded request is compared here; the rest is the gate's."""

    fields: list[_AskedField] = []
    asked: dict[str, Any] | None = None  # the fields, where what they share is told once
    recipient: str = ""
    recipient_id: str = ""


@dataclass(slots=True)
class _Word:
    """A consent as its events told it so far."""

    asked: ConsentRequested
    given: ConsentGiven | None = None
    ended: bool = False


_decode_asked = msgspec.json.Decoder(_Asked).decode


def _read_asked(text: str) -> _Asked:
    """Return what was asked. Raises ValueError or TypeError where it cannot be read."""
    asked = _decode_asked(text)
    if asked.asked is not None:
        asked.fields = msgspec.convert(listed(asked.asked), list[_AskedField])
    return asked


class LawfulAudit:
    """Reads rows in the order of their positions, from the first: consents are remembered on the way."""

    def __init__(self, codec: Codec, registers: Registers) -> None:
        self._codec = codec
        self._registers = registers
        self._words: dict[str, _Word] = {}
        self._of_resident: dict[str, list[_Word]] = {}
        self._gave: set[str] = set()  # decisions that released something, or whose words are erased
        self._asked: dict[str, int] = {}  # by decision a hash of about whom it was and who asked
        self._lost: set[str] = set()  # decisions of which the answer was told as lost

    def run(self, rows: Iterable[Row], leaves: Mapping[int, bytes], told: Lawfulness) -> None:
        """Look at rows; `leaves` are the entries of their positions."""
        for row in rows:
            if row.topic.startswith(_LOOKED_AT):
                for decision_id, what in self._look(row, leaves.get(row.position, b""), told):
                    told.findings.append(Finding(row.position, decision_id, what))

    def _look(self, row: Row, leaf: bytes, told: Lawfulness) -> list[tuple[str, str]]:
        try:
            event: Event = self._codec.decode(
                row.state, stream=row.stream, version=row.version, topic=row.topic
            ).event
        except KeyDestroyed:
            return self._erased(row, told)
        except HistoryUnreadable:
            return [("", "the event is of a form this version does not know")]
        match event:
            case DisclosureDecided():
                return [(event.decision_id, what) for what in self._decided(event, row, leaf, told)]
            case DisclosureDelivered() if event.decision_id not in self._gave:
                return [(event.decision_id, "something was delivered that no earlier decision released")]
            case DeliveryAborted():
                return [(event.decision_id, what) for what in self._aborted(event, row)]
            case ConsentRequested():
                asked = self._words[event.consent_id] = _Word(event)
                self._of_resident.setdefault(event.resident, []).append(asked)
            case ConsentGiven() if (word := self._words.get(event.consent_id)) is not None:
                word.given, word.ended = event, False
            case ConsentRefused() | ConsentWithdrawn():
                if (word := self._words.get(event.consent_id)) is not None:
                    word.ended = True
        return []

    def _erased(self, row: Row, told: Lawfulness) -> list[tuple[str, str]]:
        if row.topic.startswith(_LOOKED_AT[0]):
            clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            # Whether it gave anything is erased too: what was delivered on it is not held against it.
            self._gave.add(str(clear["decision_id"]))
            self._remember(row, clear["decision_id"], clear["organisation"], clear["task"])
            told.erased += 1
        return []

    def _remember(self, row: Row, decision_id: str, *who: str) -> None:
        self._asked[decision_id] = hash((row.stream, *who))

    def _aborted(self, event: DeliveryAborted, row: Row) -> list[str]:
        """Hold what nobody signed against the decision it is about: one answer is lost once, to who asked."""
        asked = self._asked.get(event.decision_id)
        faults = {
            "an answer is told as lost that no earlier decision was about": asked is None,
            "an answer is told as lost to another than who asked": asked is not None
            and asked != hash((row.stream, event.organisation, event.task)),
            "an answer is told as lost twice": event.decision_id in self._lost,
        }
        self._lost.add(event.decision_id)
        return [what for what, so in faults.items() if so]

    def _decided(self, event: DisclosureDecided, row: Row, leaf: bytes, told: Lawfulness) -> list[str]:
        self._remember(row, event.decision_id, event.organisation, event.task)
        if event.facts_position >= row.position:
            return ["the decision rests on facts of its own future"]
        if not event.released:
            told.refusals += 1
            return _leaf_faults(event, row, leaf)
        told.disclosures += 1
        self._gave.add(event.decision_id)
        if event.outcome not in GIVES | GIVES_IN_EMERGENCY:
            return ["fields left though the decision was no", *_leaf_faults(event, row, leaf)]
        try:
            asked = _read_asked(event.request)
        except (AttributeError, TypeError, ValueError):
            return ["what was asked cannot be read"]
        basis = self._basis(event)
        if basis is None:
            return ["no such version of the basis stood at this position", *_leaf_faults(event, row, leaf)]
        return [
            *_leaf_faults(event, row, leaf),
            *_basis_faults(event, basis, asked),
            *_field_faults(event, basis, asked),
            *self._consent_faults(event, basis, asked),
        ]

    def _basis(self, event: DisclosureDecided) -> LegalBasis | None:
        if event.facts_position < self._registers.first:
            return None
        entries = self._registers.at(event.facts_position).entries()
        named = (event.legal_basis, event.basis_version)
        return next((basis for basis in entries if (basis.id, str(basis.version)) == named), None)

    def _consent_faults(self, event: DisclosureDecided, basis: LegalBasis, asked: _Asked) -> list[str]:
        """Hold the consent that the basis asks for against what left."""
        if not basis.consent_kind or event.outcome in GIVES_IN_EMERGENCY:
            return []
        word = self._words.get(event.consent_id)
        if word is None or word.given is None:
            return ["the basis asks a consent, and none was given before this position"]
        said = word.asked
        categories = _released_categories(event, asked)
        faults = {
            "the consent was refused or withdrawn before this position": word.ended,
            "the consent is of another resident": said.resident != event.resident,
            "the consent is of another kind than the basis asks": said.kind.upper() != basis.consent_kind,
            "the consent was given later": word.given.at > event.at,
            "the consent does not hold at this moment": not said.start_time <= event.at < said.end_time,
            "the consent is for another purpose": said.purpose != event.purpose,
            "the consent names another recipient": asked.recipient_id not in said.recipients,
            "a field is of a category outside the consent": not (
                categories <= set(said.categories) or categories <= self._lent(event, said, asked)
            ),
        }
        return [what for what, so in faults.items() if so]

    def _lent(self, event: DisclosureDecided, said: ConsentRequested, asked: _Asked) -> set[str]:
        """Return the categories of all consents that stand beside the named one and are to the same."""
        lent: set[str] = set()
        for word in self._of_resident.get(event.resident, ()):
            other = word.asked
            given = word.given is not None and not word.ended and word.given.at <= event.at
            same = (other.kind, other.purpose) == (said.kind, said.purpose)
            holds = other.start_time <= event.at < other.end_time
            if given and same and holds and asked.recipient_id in other.recipients:
                lent.update(other.categories)
        return lent


def _basis_faults(event: DisclosureDecided, basis: LegalBasis, asked: _Asked) -> list[str]:
    faults = {
        "the basis was not in force": not basis.in_force(event.at),
        "the basis was not approved by two": len(basis.approved_by) < APPROVERS_MIN,
        "the purpose is not one of the basis": event.purpose not in basis.purposes,
        "the recipient is not one of the basis": asked.recipient not in basis.recipients,
        "the recipient is not who asked": asked.recipient_id != f"{event.organisation}/{event.task}",
    }
    return [what for what, so in faults.items() if so]


def _field_faults(event: DisclosureDecided, basis: LegalBasis, asked: _Asked) -> list[str]:
    names = {one.name for one in asked.fields}
    faults = {
        "a field left that nobody asked for": not names.issuperset(event.released),
        "a field both left and was withheld": not set(event.released).isdisjoint(event.withheld),
        "a field is of a category outside the basis": not _released_categories(event, asked)
        <= basis.categories,
    }
    return [what for what, so in faults.items() if so]


def _released_categories(event: DisclosureDecided, asked: _Asked) -> set[str]:
    return {one.category for one in asked.fields if one.name in event.released}


def _leaf_faults(event: DisclosureDecided, row: Row, entry: bytes) -> list[str]:
    """Hold the decision against its leaf: the same bytes, the same basis, purpose and asker."""
    if not entry:
        return ["the decision has no leaf in the log"]
    try:
        leaf = parse_leaf(entry)
    except ProofInvalid:
        return ["the leaf of the decision cannot be read"]
    basis = f"{event.legal_basis}@{event.basis_version}"
    faults = {
        "the leaf is of other bytes": leaf.state_hash != sha256(row.state).digest(),
        "the leaf names another topic": leaf.topic != row.topic,
        "the leaf names another organisation or task": (leaf.organisation, leaf.task)
        != (event.organisation, event.task),
        "the leaf names another purpose": leaf.purpose != event.purpose,
        # A claim of a basis that nobody knows has no version.
        "the leaf names another basis": leaf.basis not in {basis, event.legal_basis},
    }
    return [what for what, so in faults.items() if so]
