"""The register that proposed entries would come to, and the one of today beside it, for a preview.

Promises: an entry is proposed, approved by two and folded by the very code that does so when it is meant, so
what the register would refuse (a version that overlaps, a number that was used, a successor of nothing) is
refused here with its entry and key; nothing is recorded.
Source: GDPR 5(2), 24; exchange/decisions/0007-register-of-events.md.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.legal_basis import (
    LEGAL_BASIS,
    ApproveLegalBasis,
    ProposeLegalBasis,
    hash_of,
)
from exchange.domain.values import Author
from exchange.errors import RegisterInvalid, RequestInvalid, RuleBroken
from exchange.gate.canonical import canonical_text
from exchange.gate.recorded import register_of
from exchange.gate.register import Register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.domain.kernel import Command
    from exchange.domain.legal_basis import BasisVersion, LegalBasisState
    from exchange.gate.entry import LegalBasis
    from exchange.pipeline.registers import Known

ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
TASK: Final = "beheer"


def proposed_over(
    known: Known, entries: Iterable[LegalBasis], today: datetime, *, whole: bool = False
) -> tuple[Register, Register]:
    """Return (the register of today, the proposed one), each as if it had always stood.

    The entries are enabled above what is `known`, in the order of their versions; where they are the whole
    register, every other basis ends. Raises RegisterInvalid for an entry the register would refuse.
    """
    states = dict(known.states)
    newest: dict[str, LegalBasis] = {}
    for entry in sorted(entries, key=lambda one: (one.id, one.version)):
        stream = stream_of(LEGAL_BASIS.name, entry.id)
        states[stream] = _enabled(states.get(stream), entry, today)
        newest[entry.id] = entry
    current, proposed = known.register, register_of(states.values())
    now = {name: _stretched(current, name, today) for name in {basis.id for basis in current.entries()}}
    then = {name: _stretched(proposed, name, max(today, entry.valid_from)) for name, entry in newest.items()}
    return Register(now.values()), Register((then if whole else now | then).values())


def _enabled(state: LegalBasisState | None, entry: LegalBasis, today: datetime) -> LegalBasisState:
    """Return the basis with this version in force by two persons nobody knows."""
    people = (f"preview-{number}" for number in count(1))
    text = canonical_text(entry)
    version = None if state is None else state.version(entry.version)
    if version is None or version.text != text or version.disabled_at is not None:
        state = _after(state, entry, _proposal(entry, text, next(people), today))
    assert state is not None
    while not _version(state, entry).stands:
        seen = _version(state, entry)
        person = next(one for one in people if one != seen.proposer and one not in seen.approvers)
        order = ApproveLegalBasis(
            now=today, author=_author(person), version=entry.version, sha256=hash_of(text)
        )
        state = _after(state, entry, order)
    return state


def _proposal(entry: LegalBasis, text: str, person: str, today: datetime) -> ProposeLegalBasis:
    return ProposeLegalBasis(
        now=today,
        author=_author(person),
        basis_id=entry.id,
        version=entry.version,
        text=text,
        valid_from=entry.valid_from.date(),
        valid_to=None if entry.valid_to is None else entry.valid_to.date(),
        succeeds=entry.succeeds,
    )


def _after(state: LegalBasisState | None, entry: LegalBasis, command: Command) -> LegalBasisState:
    """Return what a command comes to. Raises RegisterInvalid where it is refused."""
    try:
        events = LEGAL_BASIS.decide(command, state)
    except RuleBroken as error:
        raise _refused(entry, error.metadata.get("place", ""), error.message) from error
    except RequestInvalid as error:
        key, fault = next(iter(error.fields.items()))
        raise _refused(entry, key, fault) from error
    for event in events:
        state = LEGAL_BASIS.evolve(state, event)
    assert state is not None
    return state


def _refused(entry: LegalBasis, key: str, why: str) -> RegisterInvalid:
    return RegisterInvalid(f"the register would refuse this entry: {why}", file="", entry=entry.id, key=key)


def _version(state: LegalBasisState, entry: LegalBasis) -> BasisVersion:
    version = state.version(entry.version)
    assert version is not None
    return version


def _author(person: str) -> Author:
    return Author("", TASK, person)


def _stretched(register: Register, name: str, at: datetime) -> LegalBasis:
    basis = register.find(name, at)
    assert basis is not None
    return replace(basis, enabled=basis.in_force(at), valid_from=ALWAYS, valid_to=None, succeeds=0)
