"""What recipients are asked after an erasure, and what they say they did: one stream for each erasure.

Promises: nothing here is about a resident any more: streams are named by random ids that lead to nobody, and
no pseudonym is kept, for whoever holds the service's key could try every BSN on one. Each recipient is asked
once; the first confirmation counts, and a second changes nothing.
Source: GDPR 17(2), 19; the design of the ledger, section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Command, Event, Events, aggregate
from exchange.domain.shape import member_fault, oin_fault, refuse_faults, token_fault, tokens_fault
from exchange.errors import RuleBroken

PURGE_SUBJECTS_MAX: Final = 1_000
# Without undue delay (GDPR 19): a month, as for an answer to the resident.
PURGE_WITHIN: Final = timedelta(days=30)


class PurgeOutcome(StrEnum):
    """What a recipient says of what it got."""

    ERASED = "erased"
    NOTHING_KEPT = "nothing_kept"
    KEPT_BY_LAW = "kept_by_law"


@dataclass(frozen=True, slots=True)
class ToPurge:
    """One recipient, and the streams it was told of: "plan-<id>", "case-<id>"."""

    organisation: str
    task: str
    subjects: tuple[str, ...]


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPurges(Command):
    """Ask every recipient of what an erasure ended."""

    erasure_id: str
    categories: tuple[str, ...]
    recipients: tuple[ToPurge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmErased(AuthoredCommand):
    """A recipient says what it did; the author's organisation and task are the recipient."""

    erasure_id: str
    outcome: str


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePurgeRequested(Event):
    """A recipient is asked to erase what it holds of these streams; of these categories, or all of it."""

    TOPIC: ClassVar[str] = "erasure.purge_requested.v1"
    erasure_id: str
    organisation: str
    task: str
    subjects: tuple[str, ...]
    categories: tuple[str, ...]
    due_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePurgeConfirmed(Event):
    """The recipient says what it did."""

    TOPIC: ClassVar[str] = "erasure.purge_confirmed.v1"
    erasure_id: str
    organisation: str
    task: str
    professional: str
    outcome: str
    at: datetime


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErasureState:
    """Who was asked, and who confirmed: `<oin>/<task>` each."""

    erasure_id: str
    confirmed: Mapping[str, bool] = field(default_factory=dict)


# --- decide -----------------------------------------------------------------------------------------


def _request(command: RequestPurges, state: ErasureState | None) -> Events:
    refuse_faults(
        {"erasure_id": token_fault(command.erasure_id)}
        | {
            f"recipients[{index}]": oin_fault(one.organisation)
            or token_fault(one.task)
            or tokens_fault(one.subjects, PURGE_SUBJECTS_MAX)
            for index, one in enumerate(command.recipients)
        }
    )
    if state is not None:
        return ()
    return tuple(
        ErasurePurgeRequested(
            erasure_id=command.erasure_id,
            organisation=one.organisation,
            task=one.task,
            subjects=one.subjects,
            categories=command.categories,
            due_at=command.now + PURGE_WITHIN,
            at=command.now,
        )
        for one in command.recipients
    )


def _confirm(command: ConfirmErased, state: ErasureState | None) -> Events:
    refuse_faults({"outcome": member_fault(PurgeOutcome, command.outcome)})
    author = command.author
    asked = None if state is None else state.confirmed.get(f"{author.oin}/{author.task}")
    if asked is None:
        raise RuleBroken("this recipient was not asked to erase anything here", rule="NO_SUCH_PURGE")
    if asked:
        return ()
    confirmed = ErasurePurgeConfirmed(
        erasure_id=command.erasure_id,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        outcome=command.outcome,
        at=command.now,
    )
    return (confirmed,)


# --- evolve -----------------------------------------------------------------------------------------


def _requested(state: ErasureState | None, event: ErasurePurgeRequested) -> ErasureState:
    known = ErasureState(event.erasure_id) if state is None else state
    return replace(known, confirmed={**known.confirmed, f"{event.organisation}/{event.task}": False})


def _confirmed(state: ErasureState, event: ErasurePurgeConfirmed) -> ErasureState:
    return replace(state, confirmed={**state.confirmed, f"{event.organisation}/{event.task}": True})


ERASURE: Final[Aggregate] = aggregate(
    "erasure",
    deciders={RequestPurges: _request, ConfirmErased: _confirm},
    founders={ErasurePurgeRequested: _requested},
    evolvers={ErasurePurgeConfirmed: _confirmed},
)
