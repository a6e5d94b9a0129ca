"""Every stored decision judged again by the register that was folded up to its position.

Promises: nothing is written; a decision is the same only if outcome, rules, released fields, obligations and
basis all are; what cannot be judged again (erased words, a newer form, no register yet) is counted apart and
never as the same; a difference is told by ids and rules, without a word of what was asked.
Source: the gate's laws P5 (a basis in force behind each permit) and P6 (same facts and policy hash, same
decision); GDPR 5(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.obligations import EVALUATE
from exchange.errors import HistoryUnreadable, KeyDestroyed
from exchange.gate import register as gate_register
from exchange.gate.judge import judge_to_record
from exchange.gate.model import Outcome
from exchange.pipeline.hot import DISCLOSURE_PREFIX
from exchange.pipeline.recall import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.gate.model import Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.registers import Registers
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta

# Of every version: `disclosure.decided.v2` would be read as what it is written as today.
DECISIONS: Final = "disclosure.decided."
PARTS: Final = frozenset({Outcome.PARTIAL, Outcome.PARTIAL_BREAK_GLASS})
OBTAIN: Final = "OBTAIN"
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
    COMMAND_SAME = "command_same"
    COMMAND_DIFFERS = "command_differs"


# What makes a replay fail: the others are told, and are no fault of anybody.
FAULTS: Final = frozenset({Found.DIFFERS, Found.POLICY_UNKNOWN, Found.UNREADABLE, Found.COMMAND_DIFFERS})
TOLD: Final = FAULTS | {Found.OTHER_RULES_DIFFER}


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
    """How many of each; the differences in order."""

    counts: dict[Found, int] = field(default_factory=lambda: dict.fromkeys(Found, 0))
    differences: list[Difference] = field(default_factory=list)

    @property
    def decisions(self) -> int:
        """Stored decisions that were looked at."""
        of_commands = (Found.COMMAND_SAME, Found.COMMAND_DIFFERS)
        return sum(count for found, count in self.counts.items() if found not in of_commands)

    @property
    def commands(self) -> int:
        """Permitted commands that were looked at."""
        return self.counts[Found.COMMAND_SAME] + self.counts[Found.COMMAND_DIFFERS]

    @property
    def ok(self) -> bool:
        """Tell whether every decision that could be judged again came out the same."""
        return not any(self.counts[found] for found in FAULTS)


class Replay:
    """Judges rows again. Safe between threads: what it keeps is what it would find again."""

    def __init__(self, codec: Codec, registers: Registers) -> None:
        self._codec = codec
        self._registers = registers

    def run(self, rows: Iterable[Row], tally: Tally, *, organisation: str = "") -> None:
        """Look at rows in order; with an organisation, only at what it asked."""
        walk = ""
        for row in rows:
            if row.topic.startswith(DECISIONS):
                difference = self.decision(row, organisation)
                # A command that has a decision of its own is judged again by that.
                walk = difference.decision_id if difference is not None else walk
            elif row.stream.startswith(DISCLOSURE_PREFIX):
                # What became of a decision, and no decision itself.
                difference = None
            else:
                _, meta, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                # All events of a walk name its one decision; the first of them stands for it.
                seen, walk = walk == meta.decision_id, meta.decision_id
                skip = seen or not walk or organisation not in {"", meta.organisation}
                difference = None if skip else self._command(row.position, meta)
            if difference is not None:
                tally.counts[difference.found] += 1
                if difference.found in TOLD:
                    tally.differences.append(difference)

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
            _found(event, again, rules_version),
            event.outcome,
            str(again.outcome),
            event.rules,
            again.rules,
            f"{event.legal_basis}@{event.basis_version}",
            f"{again.basis_id or event.legal_basis}@{again.basis_version}",
            "" if rules_version == gate_register.RULES_VERSION else rules_version or "",
        )

    def _command(self, position: int, meta: Meta) -> Difference:
        """Check a permit whose facts are not kept: the basis it names stood, for this task and purpose."""
        if meta.facts_position < self._registers.first:
            return Difference(position, meta.decision_id, Found.NO_REGISTER)
        register = self._registers.at(meta.facts_position)
        version = rules_version_of(meta.policy_hash, register)
        found = Found.COMMAND_SAME if version and basis_stands(meta, register) else Found.COMMAND_DIFFERS
        return Difference(
            position,
            meta.decision_id,
            found,
            basis_then=meta.legal_basis,
            basis_now=_basis_now(meta, register),
            rules_version="" if version == gate_register.RULES_VERSION else version or "",
        )


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


def _found(event: DisclosureDecided, again: Verdict, rules_version: str | None) -> Found:
    same = _same(event, again)
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
