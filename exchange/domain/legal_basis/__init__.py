"""Legal bases: an entry is proposed, approved by two others, disabled by one who may; each by an event.

Promises: a version comes into force by two different persons, neither of them who proposed it, on exactly one
text; disabling takes one person and counts at once; a version number is used once and its text never changes.
What an entry says is not judged here: the gate reads it, this room keeps who answers for it.
Source: GDPR 5(2), 24, 30; the register of legal bases in the gate's design, section 7.
"""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Command, Events, aggregate
from exchange.domain.legal_basis import state as fold
from exchange.domain.legal_basis.events import (
    LegalBasisAdopted,
    LegalBasisApproved,
    LegalBasisDisabled,
    LegalBasisProposed,
)
from exchange.domain.legal_basis.state import BasisVersion, LegalBasisState
from exchange.domain.shape import day_fault, hash_fault, person_key, refuse_faults, text_fault, token_fault
from exchange.errors import RuleBroken

__all__ = [
    "LEGAL_BASIS",
    "AdoptLegalBasis",
    "ApproveLegalBasis",
    "BasisVersion",
    "DisableLegalBasis",
    "LegalBasisAdopted",
    "LegalBasisApproved",
    "LegalBasisDisabled",
    "LegalBasisProposed",
    "LegalBasisState",
    "ProposeLegalBasis",
    "hash_of",
]

APPROVERS_MIN: Final = 2
VERSIONS_MAX: Final = 200
ENTRY_CHARS_MAX: Final = 16_000
VERSION_MAX: Final = 1_000_000
PROPOSING_TASK: Final = "beheer"
# The privacy officer never proposes: he watches over what others want (GDPR 38(6)).
DECIDING_TASKS: Final = frozenset({"beheer", "fg"})


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeLegalBasis(AuthoredCommand):
    """Propose a version: `text` is the canonical entry.

    `succeeds` is the version that ends where this one begins, 0 for none.
    """

    basis_id: str
    version: int
    text: str
    valid_from: date
    valid_to: date | None
    succeeds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveLegalBasis(AuthoredCommand):
    """Approve a version as it was read: its text has this SHA-256 (hexadecimal)."""

    version: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableLegalBasis(AuthoredCommand):
    """End a version at once, in force or not; it never comes back."""

    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptLegalBasis(Command):
    """Take a version over from the shipped register, with whom its file names as having approved it."""

    basis_id: str
    version: int
    text: str
    valid_from: date
    valid_to: date | None
    succeeds: int
    approved_by: tuple[str, ...]


# --- decide -----------------------------------------------------------------------------------------


def _propose(command: ProposeLegalBasis, state: LegalBasisState | None) -> Events:
    author = command.author
    if author.task != PROPOSING_TASK:
        raise RuleBroken(
            "this task approves and disables, it does not propose: ask an administrator of the register",
            rule="NOT_TO_PROPOSE",
        )
    _refuse_entry_faults(command)
    _refuse_number(command, state)
    _refuse_overlap(command, state, pending=True)
    proposed = LegalBasisProposed(
        basis_id=command.basis_id,
        version=command.version,
        text=command.text,
        sha256=hash_of(command.text),
        valid_from=command.valid_from,
        valid_to=command.valid_to,
        succeeds=command.succeeds,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        at=command.now,
    )
    return (proposed,)


def _adopt(command: AdoptLegalBasis, state: LegalBasisState | None) -> Events:
    _refuse_entry_faults(command)
    _refuse_number(command, state)
    _refuse_overlap(command, state, pending=True)
    adopted = LegalBasisAdopted(
        basis_id=command.basis_id,
        version=command.version,
        text=command.text,
        sha256=hash_of(command.text),
        valid_from=command.valid_from,
        valid_to=command.valid_to,
        succeeds=command.succeeds,
        approved_by=command.approved_by,
        at=command.now,
    )
    return (adopted,)


def _approve(command: ApproveLegalBasis, state: LegalBasisState | None) -> Events:
    _refuse_strangers(command.author.task)
    refuse_faults({"sha256": hash_fault(command.sha256)})
    asked, known = _known(command.version, state)
    if asked.disabled_at is not None:
        raise RuleBroken(
            "this version was disabled: propose a new one", rule="VERSION_DISABLED", place="version"
        )
    if asked.enabled_at is not None:
        raise RuleBroken("this version is approved already", rule="APPROVED_ALREADY", place="version")
    if command.sha256 != asked.sha256:
        raise RuleBroken(
            "the version has another text than the one approved: read it again",
            rule="OTHER_CONTENT",
            place="sha256",
        )
    person = command.author.professional
    if person_key(person) == person_key(asked.proposer):
        raise RuleBroken("who proposed it does not approve it: two others do", rule="PROPOSER_APPROVES")
    if person_key(person) in set(map(person_key, asked.approvers)):
        raise RuleBroken("this person approved it before: somebody else must", rule="APPROVED_TWICE")
    enables = len(asked.approvers) + 1 >= APPROVERS_MIN
    if enables:
        # Another version may have come into force since this one was proposed.
        _refuse_overlap(_as_proposed(known, asked, command), known, pending=False)
    approved = LegalBasisApproved(
        basis_id=known.basis_id,
        version=asked.number,
        sha256=asked.sha256,
        organisation=command.author.oin,
        task=command.author.task,
        professional=person,
        enables=enables,
        at=command.now,
    )
    return (approved,)


def _disable(command: DisableLegalBasis, state: LegalBasisState | None) -> Events:
    _refuse_strangers(command.author.task)
    refuse_faults({"reason": text_fault(command.reason)})
    asked, known = _known(command.version, state)
    if asked.disabled_at is not None:
        # What restricts never fails.
        return ()
    disabled = LegalBasisDisabled(
        basis_id=known.basis_id,
        version=asked.number,
        reason=command.reason,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (disabled,)


def hash_of(text: str) -> str:
    """Return the SHA-256 of an entry's canonical text, in hexadecimal: what an approver approves."""
    return sha256(text.encode()).hexdigest()


def _refuse_entry_faults(command: ProposeLegalBasis | AdoptLegalBasis) -> None:
    in_order = command.valid_to is None or command.valid_from < command.valid_to
    refuse_faults(
        {
            "basis_id": token_fault(command.basis_id),
            "version": "" if 1 <= command.version <= VERSION_MAX else f"must be 1 to {VERSION_MAX}",
            "text": ""
            if 0 < len(command.text) <= ENTRY_CHARS_MAX
            else f"must have 1 to {ENTRY_CHARS_MAX} characters",
            "valid_from": day_fault(command.valid_from),
            "valid_to": day_fault(command.valid_to, required=False)
            if in_order
            else "must be after valid_from",
            "succeeds": ""
            if 0 <= command.succeeds < max(command.version, 1)
            else "must be an earlier version, or 0",
        }
    )


def _refuse_number(command: ProposeLegalBasis | AdoptLegalBasis, state: LegalBasisState | None) -> None:
    """Refuse a number that was used: what was approved or disabled under it would be said of another text."""
    if state is None:
        if command.succeeds:
            raise _successor_of_nothing(command.succeeds)
        return
    last = max(known.number for known in state.versions)
    if command.version <= last:
        raise RuleBroken(
            "this version number was used before: take a higher one",
            rule="VERSION_USED",
            place="version",
            last=str(last),
        )
    if len(state.versions) >= VERSIONS_MAX:
        raise RuleBroken("this basis has the most versions it can have", rule="VERSIONS_FULL")
    if command.succeeds and state.version(command.succeeds) is None:
        raise _successor_of_nothing(command.succeeds)


def _successor_of_nothing(number: int) -> RuleBroken:
    return RuleBroken(
        "it succeeds a version that is not there: name one that is, or 0",
        rule="VERSION_UNKNOWN",
        place="succeeds",
        version=str(number),
    )


def _refuse_overlap(
    command: ProposeLegalBasis | AdoptLegalBasis, state: LegalBasisState | None, *, pending: bool
) -> None:
    """Refuse a day on which two versions would be valid; `pending` counts what is proposed and open too."""
    for known in () if state is None else state.versions:
        counts = known.stands or (pending and known.disabled_at is None)
        if counts and known.number != command.version and _overlaps(command, known):
            raise RuleBroken(
                "two versions of one basis would be valid on one day: begin where the other ends, "
                "name it in `succeeds`, or disable it first",
                rule="VALIDITY_OVERLAPS",
                place="valid_from",
                version=str(known.number),
            )


def _overlaps(command: ProposeLegalBasis | AdoptLegalBasis, known: BasisVersion) -> bool:
    end = known.end
    if command.succeeds == known.number and known.valid_from < command.valid_from:
        end = command.valid_from if end is None else min(end, command.valid_from)
    starts_before_its_end = end is None or command.valid_from < end
    return starts_before_its_end and (command.valid_to is None or known.valid_from < command.valid_to)


def _as_proposed(
    state: LegalBasisState, version: BasisVersion, command: ApproveLegalBasis
) -> ProposeLegalBasis:
    return ProposeLegalBasis(
        now=command.now,
        author=command.author,
        basis_id=state.basis_id,
        version=version.number,
        text=version.text,
        valid_from=version.valid_from,
        # A successor that came into force before it has ended it already.
        valid_to=version.end,
        succeeds=version.succeeds,
    )


def _refuse_strangers(task: str) -> None:
    if task not in DECIDING_TASKS:
        raise RuleBroken("this task does not decide about the register", rule="NOT_TO_DECIDE")


def _known(number: int, state: LegalBasisState | None) -> tuple[BasisVersion, LegalBasisState]:
    found = None if state is None else state.version(number)
    if state is None or found is None:
        raise RuleBroken("there is no such version of this basis", rule="VERSION_UNKNOWN", place="version")
    return found, state


LEGAL_BASIS: Final[Aggregate] = aggregate(
    "legal_basis",
    deciders={
        ProposeLegalBasis: _propose,
        ApproveLegalBasis: _approve,
        DisableLegalBasis: _disable,
        AdoptLegalBasis: _adopt,
    },
    founders={LegalBasisProposed: fold.proposed, LegalBasisAdopted: fold.adopted},
    evolvers={LegalBasisApproved: fold.approved, LegalBasisDisabled: fold.disabled},
)
