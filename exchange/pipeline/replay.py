"""Every decision judged again, by the register that was folded up to its position and by the facts of then.

Promises: nothing is written; a decision is the same only if outcome, rules, released fields, obligations and
basis all are; the facts of a permitted command are found again in the streams as of its position; what
cannot be judged again (erased words, a newer form, no register yet) is counted apart and never as the same; a
difference is told by ids and rules, without a word of what was asked.
Source: the gate's laws P5 (a basis in force behind each permit) and P6 (same facts and policy hash, same
decision); GDPR 5(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.ledger import LEDGER
from exchange.domain.obligations import EVALUATE
from exchange.domain.service_keys import SERVICE_KEYS
from exchange.errors import HistoryUnreadable, KeyDestroyed
from exchange.gate import register as gate_register
from exchange.gate.judge import judge, judge_to_record
from exchange.gate.model import Outcome
from exchange.pipeline.asked import facts_again
from exchange.pipeline.hot import DISCLOSURE_PREFIX
from exchange.pipeline.past import Past
from exchange.pipeline.recall import facts_of
from exchange.pipeline.registers import LEGAL_BASIS_PREFIX
from exchange.pipeline.verdicts import ONLY_RECORDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.gate.model import Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.registers import Registers
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta
    from exchange.store.ports import EventReader

# Of every version: `disclosure.decided.v2` would be read as what it is written as today.
DECISIONS: Final = "disclosure.decided."
PARTS: Final = frozenset({Outcome.PARTIAL, Outcome.PARTIAL_BREAK_GLASS})
OBTAIN: Final = "OBTAIN"
# From this version of the rules on a permitted command keeps what it asked: one that does not is no old one.
KEPT_SINCE_RULES: Final = 3
# What the service itself records there was asked by nobody: its first organisation, register, keys and logs.
OF_THE_SERVICE: Final = ("organisation-", LEGAL_BASIS_PREFIX, f"{SERVICE_KEYS.name}-", f"{LEDGER.name}-")
POLICIES_KEPT_MAX: Final = 1_024


class Found(StrEnum):
    """What became of a decision that was judged again."""

    SAME = "same"
    DIFFERS = "differs"
    # The recorded policy hash is not that of the register at its position, under any version of the rules.
    POLICY_UNKNOWN = "policy_unknown"
    # Taken by an earlier version of the rules: what differs then is what the rules changed.
    OTHER_RULES = "other_rules"
    OTHER_RULES_DIFFER = "other_rules_differ"
    WORDS_ERASED = "words_erased"
    NO_REGISTER = "no_register"
    UNREADABLE = "unreadable"
    # Permitted commands from before what they asked was kept: the basis they name stood, or did not.
    COMMAND_SAME = "command_same"
    COMMAND_DIFFERS = "command_differs"


# What makes a replay fail: the others are told, and are no fault of anybody.
FAULTS: Final = frozenset({Found.DIFFERS, Found.POLICY_UNKNOWN, Found.UNREADABLE, Found.COMMAND_DIFFERS})
TOLD: Final = FAULTS | {Found.OTHER_RULES_DIFFER}


class Placed(Enum):
    """Where an event stands to the command it names."""

    FIRST = 1
    FURTHER = 2
    NOWHERE = 3


class Difference(NamedTuple):
    """One decision, then and now. `rules_version` is that of an earlier version of the rules, else empty."""

    position: int
    decision_id: str
    found: Found
    outcome_then: str = ""
    outcome_now: str = ""
    rules_then: tuple[str, ...] = ()
    rules_now: tuple[str, ...] = ()
    basis_then: str = ""
    basis_now: str = ""
    rules_version: str = ""


@dataclass(slots=True)
class Tally:
    """How many of each; the differences in order. A command with a decision of its own is one decision."""

    counts: dict[Found, int] = field(default_factory=lambda: dict.fromkeys(Found, 0))
    differences: list[Difference] = field(default_factory=list)
    decisions: int = 0  # stored decisions that were looked at
    commands: int = 0  # permitted commands that were looked at

    @property
    def ok(self) -> bool:
        """Tell whether every decision that could be judged again came out the same."""
        return not any(self.counts[found] for found in FAULTS)


class Replay:
    """Judges rows again, in order. Owned by one thread."""

    def __init__(self, codec: Codec, registers: Registers, reader: EventReader) -> None:
        self._codec = codec
        self._registers = registers
        self._past = Past(reader, codec)
        # Of the last row that was looked at: its decision, and what the first event of a command says.
        self._walk = ""
        self._first: Meta | None = None

    def after(self, row: Row) -> None:
        """Begin behind a row: what its walk wrote more is counted where the first of it was."""
        _, meta, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        self._walk = meta.decision_id
        self._first = None if row.topic.startswith(DECISIONS) else structs.replace(meta, asked=None)

    def run(
        self, rows: Iterable[Row], tally: Tally, *, organisation: str = "", opened_max: int | None = None
    ) -> int:
        """Look at rows in order; with an organisation, only at what it asked.

        Returns the position of the last row looked at: it stops after `opened_max` events of the past.
        """
        position = 0
        for row in rows:
            position = row.position
            if row.topic.startswith(DECISIONS):
                difference = self.decision(row, organisation)
                # A command that has a decision of its own is judged again by that.
                self._walk, self._first = self._walk if difference is None else difference.decision_id, None
                tally.decisions += difference is not None
            elif row.stream.startswith(DISCLOSURE_PREFIX):
                # What became of a decision, and no decision itself.
                difference = None
            else:
                _, meta, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                said = structs.replace(meta, asked=None)
                # All events of a walk name its one decision; the first of them stands for it.
                seen = bool(self._walk) and self._walk == meta.decision_id and self._first in {None, said}
                self._walk, self._first = meta.decision_id, said
                skip = seen or organisation not in {"", meta.organisation}
                difference = None if skip else self._command(row, meta)
                tally.commands += difference is not None
            if difference is not None:
                tally.counts[difference.found] += 1
                if difference.found in TOLD:
                    tally.differences.append(difference)
            if opened_max is not None and self._past.opened >= opened_max:
                break
        return position

    def decision(self, row: Row, organisation: str = "") -> Difference | None:
        """Judge a stored decision again; None for one that another organisation asked for."""
        codec, place = self._codec, {"stream": row.stream, "topic": row.topic}
        try:
            event = codec.decode(row.state, version=row.version, **place).event
        except KeyDestroyed:
            clear, meta, _ = codec.decode_clear(row.state, **place)
            if organisation not in {"", meta.organisation}:
                return None
            return Difference(row.position, str(clear["decision_id"]), Found.WORDS_ERASED)
        assert isinstance(event, DisclosureDecided)
        if organisation not in {"", event.organisation}:
            return None
        if event.facts_position < self._registers.first:
            return Difference(row.position, event.decision_id, Found.NO_REGISTER)
        register = self._registers.at(event.facts_position)
        try:
            again = judge_to_record(facts_of(event.request), register)
        except HistoryUnreadable:
            return Difference(row.position, event.decision_id, Found.UNREADABLE)
        rules_version = rules_version_of(event.policy_hash, register)
        return Difference(
            row.position,
            event.decision_id,
            _found_of(rules_version, same=_same(event, again)),
            event.outcome,
            str(again.outcome),
            event.rules,
            again.rules,
            f"{event.legal_basis}@{event.basis_version}",
            f"{again.basis_id or event.legal_basis}@{again.basis_version}",
            "" if rules_version == gate_register.RULES_VERSION else rules_version or "",
        )

    def _command(self, row: Row, meta: Meta) -> Difference | None:
        """Judge a permit that has no decision of its own again; None for what is no command."""
        if not meta.decision_id and row.stream.startswith(OF_THE_SERVICE):
            return None
        placed = self._placed(row, meta)
        if placed is Placed.FURTHER:
            return None
        if placed is Placed.FIRST and meta.facts_position < self._registers.first:
            return Difference(row.position, meta.decision_id, Found.NO_REGISTER)
        register = self._registers.at(meta.facts_position)
        version = rules_version_of(meta.policy_hash, register)
        told = Difference(
            row.position,
            meta.decision_id,
            Found.COMMAND_DIFFERS,
            basis_then=meta.legal_basis,
            basis_now=_basis_now(meta, register),
            rules_version="" if version == gate_register.RULES_VERSION else version or "",
        )
        if meta.asked is None:
            stands = placed is Placed.FIRST and _kept_nothing(version) and basis_stands(meta, register)
            return told._replace(found=Found.COMMAND_SAME) if stands else told
        return self._judged_again(row, meta, told, version, written_where_judged=placed is Placed.FIRST)

    def _judged_again(
        self, row: Row, meta: Meta, told: Difference, version: str | None, *, written_where_judged: bool
    ) -> Difference:
        assert meta.asked is not None
        register = self._registers.at(meta.facts_position)
        try:
            past = self._past.at(meta.facts_position)
            again = judge(facts_again(meta, meta.asked, row.stream, past, register), register)
        except KeyDestroyed:
            return told._replace(found=Found.WORDS_ERASED)
        except HistoryUnreadable:
            return told._replace(found=Found.UNREADABLE)
        permit = (f"P-{meta.legal_basis.rpartition('@')[0]}",)
        same = (
            written_where_judged
            and (again.outcome, again.rules, again.obligations) == (Outcome.PERMIT, permit, ONLY_RECORDED)
            and f"{again.basis_id}@{again.basis_version}" == meta.legal_basis
        )
        return told._replace(
            found=_found_of(version, same=same),
            outcome_then=str(Outcome.PERMIT),
            outcome_now=str(again.outcome),
            rules_then=permit,
            rules_now=again.rules,
        )

    def _placed(self, row: Row, meta: Meta) -> Placed:
        """Tell whether an event is the first of its command, one of its others, or none of them.

        What was judged at a position is written right after it, all of it together.
        """
        start = meta.facts_position + 1
        if row.position == start and meta.decision_id:
            return Placed.FIRST
        first = self._past.row(start) if start < row.position else None
        if first is None or not meta.decision_id:
            return Placed.NOWHERE
        _, found, _ = self._codec.decode_clear(first.state, stream=first.stream, topic=first.topic)
        same = structs.replace(found, asked=None) == structs.replace(meta, asked=None)
        return Placed.FURTHER if same and meta.asked is None else Placed.NOWHERE


def rules_version_of(policy_hash: str, register: Register) -> str | None:
    """Return the version of the rules under which this register has this hash; None where there is none."""
    if policy_hash == register.policy_hash:
        return gate_register.RULES_VERSION
    return _earlier_rules(policy_hash, register)


@lru_cache(maxsize=POLICIES_KEPT_MAX)
def _earlier_rules(policy_hash: str, register: Register) -> str | None:
    # Versions are numbers that only grow.
    newest = int(gate_register.RULES_VERSION) if gate_register.RULES_VERSION.isdigit() else 1
    return next(
        (
            str(version)
            for version in range(newest - 1, 0, -1)
            if register.hash_under(str(version)) == policy_hash
        ),
        None,
    )


def _kept_nothing(rules_version: str | None) -> bool:
    """Tell whether commands permitted under this version of the rules held nothing of what was asked."""
    return rules_version is not None and rules_version.isdigit() and int(rules_version) < KEPT_SINCE_RULES


def basis_stands(meta: Meta, register: Register) -> bool:
    """Tell whether the version a permitted command named was in force and lets this task record for this."""
    name, _, version = meta.legal_basis.rpartition("@")
    basis = register.find(name, meta.at)
    return (
        basis is not None
        and str(basis.version) == version
        and basis.in_force(meta.at)
        and basis.direction == OBTAIN
        and meta.purpose in basis.purposes
        and meta.task in basis.recipients
    )


def _basis_now(meta: Meta, register: Register) -> str:
    basis = register.find(meta.legal_basis.rpartition("@")[0], meta.at)
    return "" if basis is None else f"{basis.id}@{basis.version}"


def _found_of(rules_version: str | None, *, same: bool) -> Found:
    if rules_version is None:
        return Found.POLICY_UNKNOWN
    if rules_version == gate_register.RULES_VERSION:
        return Found.SAME if same else Found.DIFFERS
    return Found.OTHER_RULES if same else Found.OTHER_RULES_DIFFER


def _same(event: DisclosureDecided, again: Verdict) -> bool:
    if event.rules != again.rules or event.obligations != again.obligations:
        return False
    # An unknown basis has no version, and was recorded by the name that was claimed.
    if again.basis_id and (event.legal_basis, event.basis_version) != (
        again.basis_id,
        str(again.basis_version),
    ):
        return False
    if event.consent_id != again.consent_id:
        return False
    if event.action == EVALUATE:
        # A question gives nothing, and whoever may not be told is answered no whatever the verdict is.
        answered = event.outcome in {again.outcome, Outcome.DENY}
        return answered and not event.released
    # What was asked as all or nothing was refused whole: then the verdict itself was a partial one.
    if event.outcome == Outcome.DENY and again.outcome in PARTS:
        return not event.released
    released = {name for name, one in again.fields.items() if one.release}
    return event.outcome == again.outcome and released == set(event.released)
