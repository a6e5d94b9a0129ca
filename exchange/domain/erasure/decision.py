"""Erasing a resident: proposed by one, approved by two others, and then his keys are destroyed; or refused.

Promises: three different persons are behind every erasure, whichever tasks they have; the second approval and
the destruction are one decision, so that nothing happens between them; a term that the law sets forbids it
by name, at each step; what is written of a destruction holds nothing of the resident.
Source: GDPR 5(2), 12(3), 17; Wmo 2015 5.3.5; Jeugdwet 7.3.9; the design of the ledger, section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.erasure.words import (
    ENDED_BY_TERM,
    ERASABLE_APART,
    ORDERED,
    REASONS_OF,
    ErasureArticle,
    ErasureReason,
    KeepingReason,
)
from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent
from exchange.domain.limits.seals import person_of
from exchange.domain.mandate import refuse_but_operators_college
from exchange.domain.shape import FINE, member_fault, members_fault, refuse_faults, text_fault, token_fault
from exchange.domain.values import Objection
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState

APPROVERS_MIN: Final = 2
PROPOSALS_MAX: Final = 20
# The answer is due in three months at most (GDPR 12(3) extended; Wmo 2015 5.3.5): an older yes is asked anew.
PROPOSAL_DAYS_MAX: Final = 92
PRIVACY_OFFICER: Final = "fg"
_SEALED_WORDS: Final[Mapping[str, str]] = MappingProxyType({"motivation": "LOG"})


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeErasure(AuthoredCommand):
    """Propose to erase. `categories` is empty for all there is; else `kept` says why the rest stays."""

    erasure_id: str
    article: str
    reason: str
    categories: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    motivation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveErasure(AuthoredCommand):
    """Approve what another proposed.

    `forbidden` are the terms that forbid it now, by the laws behind what is recorded: "pw 2036-03-02";
    `open_duties` those about who looked at this resident that nobody ended yet; `waiting` tells whether
    the resident asked something by right and still waits for it.
    """

    erasure_id: str
    forbidden: tuple[str, ...] = ()
    open_duties: tuple[str, ...] = ()
    waiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseErasure(AuthoredCommand):
    """Refuse it, and say on which reasons."""

    erasure_id: str
    reasons: tuple[str, ...]
    motivation: str


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureProposed(ResidentEvent):
    """One person proposes an erasure."""

    TOPIC: ClassVar[str] = "resident.erasure_proposed.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_WORDS
    erasure_id: str
    article: str
    reason: str
    categories: tuple[str, ...]
    kept: tuple[str, ...]
    motivation: str
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureApproved(ResidentEvent):
    """Another person approves it; with the second it is executed."""

    TOPIC: ClassVar[str] = "resident.erasure_approved.v1"
    erasure_id: str
    organisation: str
    task: str
    professional: str
    executes: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRefused(ResidentEvent):
    """It is not erased, and why."""

    TOPIC: ClassVar[str] = "resident.erasure_refused.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_WORDS
    erasure_id: str
    reasons: tuple[str, ...]
    motivation: str
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysDestroyed(ResidentEvent):
    """From here on nothing of these categories opens; `categories` is empty for all of them.

    Holds nothing of the resident: his ref is a random word that leads to nobody any more.
    """

    TOPIC: ClassVar[str] = "resident.key_destroyed.v1"
    erasure_id: str
    article: str
    reason: str
    categories: tuple[str, ...]
    kept: tuple[str, ...]
    at: datetime


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErasureProposal:
    """What one person proposed and others did not yet end. `approvers` and `proposer` are persons."""

    erasure_id: str
    article: str
    reason: str
    categories: tuple[str, ...]
    kept: tuple[str, ...]
    proposer: str
    approvers: tuple[str, ...]
    at: datetime

    def open_at(self, now: datetime) -> bool:
        """Tell whether it can still be approved."""
        return now < self.at + timedelta(days=PROPOSAL_DAYS_MAX)


# --- decide -----------------------------------------------------------------------------------------


def propose(command: ProposeErasure, state: "ResidentState") -> Events:
    """Decide `ProposeErasure`."""
    author = command.author
    if not author.is_college:
        raise RuleBroken("a college proposes an erasure; others approve or refuse it", rule="NOT_TO_PROPOSE")
    refuse_but_operators_college(author)
    refuse_faults(
        {
            "erasure_id": token_fault(command.erasure_id),
            "article": member_fault(ErasureArticle, command.article),
            "reason": _reason_fault(command),
            "categories": _categories_fault(command.categories),
            "kept": _kept_fault(command),
            "motivation": text_fault(command.motivation, required=False),
        }
    )
    waiting = [one for one in state.erasures if one.open_at(command.now)]
    if waiting:
        # Two that run side by side would each be approved by persons who did not see the other.
        raise RuleBroken(
            "an erasure waits for approval: approve or refuse that one first", rule="ERASURE_WAITS"
        )
    proposed = ErasureProposed(
        resident=state.resident,
        erasure_id=command.erasure_id,
        article=command.article,
        reason=command.reason,
        categories=tuple(sorted(command.categories)),
        kept=tuple(sorted(command.kept)),
        motivation=command.motivation,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        at=command.now,
    )
    return (proposed,)


def approve(command: ApproveErasure, state: "ResidentState") -> Events:
    """Decide `ApproveErasure`: the second approval destroys."""
    asked = _waiting(command, state)
    person = person_of(command.author)
    # First: what the law or a review holds is told to who can approve it, and to nobody who tries it alone.
    if person == asked.proposer:
        raise RuleBroken("who proposed it does not approve it: two others do", rule="PROPOSER_APPROVES")
    if person in asked.approvers:
        raise RuleBroken("this person approved it before: somebody else must", rule="APPROVED_TWICE")
    _refuse_terms(command)
    refuse_held(asked.article, state, waiting=command.waiting)
    if command.open_duties and not asked.categories:
        # With the keys goes what a review would be about: nobody escapes one by erasing whom he looked at.
        raise RuleBroken(
            "the privacy officer still has to judge who looked at this resident: let him end that first",
            rule="DUTY_OPEN",
            duties=", ".join(command.open_duties),
        )
    executes = len(asked.approvers) + 1 >= APPROVERS_MIN
    approved = ErasureApproved(
        resident=state.resident,
        erasure_id=asked.erasure_id,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        executes=executes,
        at=command.now,
    )
    if not executes:
        return (approved,)
    destroyed = KeysDestroyed(
        resident=state.resident,
        erasure_id=asked.erasure_id,
        article=asked.article,
        reason=asked.reason,
        categories=asked.categories,
        kept=asked.kept,
        at=command.now,
    )
    return (approved, destroyed)


def refuse(command: RefuseErasure, state: "ResidentState") -> Events:
    """Decide `RefuseErasure`."""
    asked = _waiting(command, state)
    refuse_faults(
        {
            "reasons": members_fault(KeepingReason, command.reasons),
            "motivation": text_fault(command.motivation),
        }
    )
    if person_of(command.author) == asked.proposer:
        raise RuleBroken("who proposed it does not refuse it: somebody else does", rule="PROPOSER_REFUSES")
    refused = ErasureRefused(
        resident=state.resident,
        erasure_id=asked.erasure_id,
        reasons=tuple(sorted(command.reasons)),
        motivation=command.motivation,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (refused,)


def _waiting(command: ApproveErasure | RefuseErasure, state: "ResidentState") -> ErasureProposal:
    if not (command.author.is_college or command.author.task == PRIVACY_OFFICER):
        raise RuleBroken("this task does not decide about an erasure", rule="NOT_TO_DECIDE")
    if command.author.is_college:
        refuse_but_operators_college(command.author)
    asked = next((one for one in state.erasures if one.erasure_id == command.erasure_id), None)
    if asked is None or not asked.open_at(command.now):
        raise RuleBroken("no such erasure waits for approval", rule="NO_SUCH_ERASURE")
    return asked


def refuse_held(article: str, state: "ResidentState", *, waiting: bool) -> None:
    """Refuse while a hold stands, and a term that ended while the resident waits for an answer."""
    if article not in ORDERED and state.holds:
        # What it is for is sealed, and stays so here.
        raise RuleBroken("a hold stands: nothing is erased before it is lifted", rule="LEGAL_HOLD")
    objected = any(one.status == Objection.PENDING for one in state.objections)
    if article in ENDED_BY_TERM and (waiting or objected):
        raise RuleBroken(
            "the resident waits for an answer: nothing is destroyed because its term ended before he has it",
            rule="REQUEST_OPEN",
        )


def _refuse_terms(command: ApproveErasure) -> None:
    if command.forbidden:
        raise RuleBroken(
            "a law demands that this is kept until the day named: refuse the erasure, or erase the "
            "categories whose terms have ended",
            rule="RETENTION_TERM",
            until=", ".join(command.forbidden),
        )


def _reason_fault(command: ProposeErasure) -> str:
    fault = member_fault(ErasureReason, command.reason)
    if fault or command.article not in REASONS_OF:
        return fault
    return FINE if command.reason in REASONS_OF[command.article] else "is no reason that this article names"


def _categories_fault(categories: tuple[str, ...]) -> str:
    if len(set(categories)) != len(categories):
        return "must name each once"
    if ERASABLE_APART.issuperset(categories):
        return FINE
    return f"only these are erased apart from who the resident is: {', '.join(sorted(ERASABLE_APART))}"


def _kept_fault(command: ProposeErasure) -> str:
    if not command.categories:
        return "nothing is kept where all is erased" if command.kept else FINE
    return members_fault(KeepingReason, command.kept)


# --- evolve -----------------------------------------------------------------------------------------


def proposed(state: "ResidentState", event: ErasureProposed) -> "ResidentState":
    """Fold `ErasureProposed`."""
    proposal = ErasureProposal(
        erasure_id=event.erasure_id,
        article=event.article,
        reason=event.reason,
        categories=event.categories,
        kept=event.kept,
        proposer=f"{event.organisation}/{event.professional}",
        approvers=(),
        at=event.at,
    )
    return replace(state, erasures=(*state.erasures[-PROPOSALS_MAX + 1 :], proposal))


def approved(state: "ResidentState", event: ErasureApproved) -> "ResidentState":
    """Fold `ErasureApproved`."""
    person = f"{event.organisation}/{event.professional}"
    return replace(
        state,
        erasures=tuple(
            replace(one, approvers=(*one.approvers, person)) if one.erasure_id == event.erasure_id else one
            for one in state.erasures
        ),
    )


def ended(state: "ResidentState", event: ErasureRefused | KeysDestroyed) -> "ResidentState":
    """Fold what ends a proposal; what was destroyed of a resident who stays is remembered by its name."""
    waiting = tuple(one for one in state.erasures if one.erasure_id != event.erasure_id)
    done = (*state.erased, event.erasure_id) if isinstance(event, KeysDestroyed) else state.erased
    return replace(state, erasures=waiting, erased=done)
