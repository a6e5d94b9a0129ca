"""The shipped register and the recorded one: adopted once, proposed from then on.

Promises: the first register of a store is adopted with the names its files give; after that a shipped version
the store has never seen is proposed and opens nothing until two persons approved it; a version whose text
changed under its old number is left as it was recorded, and named.
Source: GDPR 5(2), 24; exchange/decisions/0007-register-of-events.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.legal_basis import (
    LEGAL_BASIS,
    AdoptLegalBasis,
    LegalBasisState,
    ProposeLegalBasis,
    hash_of,
)
from exchange.domain.values import Author
from exchange.errors import ExchangeError
from exchange.gate.canonical import canonical_text
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Command, Event
    from exchange.gate.entry import LegalBasis
    from exchange.gate.register import Register
    from exchange.pipeline.walk import View
    from exchange.wiring.core import Core

GENESIS_BASIS: Final = "GENESIS"
SHIPPED_BASIS: Final = "SHIPPED"
ADMINISTRATION: Final = "beheer"
# Who proposes what a new release brings; no person, so that nobody can approve in this name.
SHIPPED_BY: Final = "release"

Appends = list[tuple[str, tuple["Event", ...]]]


class Drift(NamedTuple):
    """How the shipped register differs from the recorded one: `id@version` each."""

    proposed: tuple[str, ...]  # now, by this start
    changed: tuple[str, ...]  # another text under a number that was used
    refused: tuple[str, ...]  # the recorded versions leave no room for it


def adopting(now: datetime, entries: Iterable[LegalBasis]) -> Appends:
    """Return the events that adopt these entries, all of them or none. Raises RuleBroken, RequestInvalid."""
    states: dict[str, LegalBasisState] = {}
    appends: Appends = []
    for entry in sorted(entries, key=lambda one: (one.id, one.version)):
        command = AdoptLegalBasis(
            now=now,
            basis_id=entry.id,
            version=entry.version,
            text=canonical_text(entry),
            valid_from=entry.valid_from.date(),
            valid_to=None if entry.valid_to is None else entry.valid_to.date(),
            succeeds=entry.succeeds,
            approved_by=entry.approved_by,
        )
        stream = stream_of(LEGAL_BASIS.name, entry.id)
        events = LEGAL_BASIS.decide(command, states.get(stream))
        for event in events:
            states[stream] = LEGAL_BASIS.evolve(states.get(stream), event)
        appends.append((stream, events))
    return appends


def keep_register(core: Core, shipped: Register, now: datetime) -> Drift:
    """Compare at the start; propose what is new. Raises StoreUnavailable, Unavailable."""
    if not core.registers.first:
        # A store from before the register was recorded was judged by the shipped one.
        core.writer.record(lambda _: adopting(now, shipped.written), service_meta(core, now, GENESIS_BASIS))
        return Drift((), (), ())
    found: dict[str, list[str]] = {}

    def proposing(view: View) -> Appends:
        found.clear()
        return _proposing(core, shipped.written, view, now, found)

    core.writer.record(proposing, service_meta(core, now, SHIPPED_BASIS))
    return Drift(*(tuple(found.get(name, ())) for name in Drift._fields))


def _proposing(
    core: Core, entries: Sequence[LegalBasis], view: View, now: datetime, found: dict[str, list[str]]
) -> Appends:
    appends: Appends = []
    proposed: dict[str, LegalBasisState] = {}
    for entry in sorted(entries, key=lambda one: (one.id, one.version)):
        stream, name = stream_of(LEGAL_BASIS.name, entry.id), f"{entry.id}@{entry.version}"
        state: LegalBasisState | None = proposed.get(stream) or view.state(stream)
        text = canonical_text(entry)
        known = None if state is None else state.version(entry.version)
        if known is not None:
            if known.sha256 != hash_of(text):
                found.setdefault("changed", []).append(name)
            continue
        try:
            events = LEGAL_BASIS.decide(_proposal(core, entry, text, now), state)
        except ExchangeError:
            found.setdefault("refused", []).append(name)
            continue
        for event in events:
            proposed[stream] = state = LEGAL_BASIS.evolve(state, event)
        appends.append((stream, events))
        found.setdefault("proposed", []).append(name)
    return appends


def _proposal(core: Core, entry: LegalBasis, text: str, now: datetime) -> Command:
    return ProposeLegalBasis(
        now=now,
        author=Author(core.settings.operator_oin, ADMINISTRATION, SHIPPED_BY),
        basis_id=entry.id,
        version=entry.version,
        text=text,
        valid_from=entry.valid_from.date(),
        valid_to=None if entry.valid_to is None else entry.valid_to.date(),
        succeeds=entry.succeeds,
    )


def service_meta(core: Core, now: datetime, basis: str) -> Meta:
    """Return what stands beside an event that the service itself says."""
    return Meta(
        at=now,
        organisation=core.settings.operator_oin,
        task=ADMINISTRATION,
        professional="",
        purpose=ADMINISTRATION,
        legal_basis=basis,
        decision_id="",
        policy_hash=core.register.policy_hash,
        facts_position=0,
    )
