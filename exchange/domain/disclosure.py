"""Disclosures: what the gate decided about a resident's data, and what became of it.

Promises: a decision is a fact of the gate and is recorded as it is, refusals included; appended without an
expected version, so that recording never loses a race. Who caused a duty never says that it was executed; of
two who say it, the first counts. A delivery is aborted where an answer that was permitted did not get as far
as the transport: what is lost behind that is not known here.
Source: GDPR 5(2), 15, 19 and 30; the gate's design sections 1 and 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Command, Events, ResidentEvent, aggregate
from exchange.domain.obligations import WITH_REMARK, Duty, DutyOutcome, EntryDuty, outcomes_of
from exchange.domain.shape import member_fault, oin_fault, refuse_faults, text_fault, token_fault
from exchange.domain.values import Author, DisclosureOutcome
from exchange.errors import RuleBroken

_OF_ENTRIES: Final = frozenset(EntryDuty)
# Which fields were asked, and of what, tells of the resident what the fields would.
_SEALED_REQUEST: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("request", "released", "withheld", "subject"), "LOG")
)


class AbortReason(StrEnum):
    """Why an answer that was permitted did not arrive."""

    DENIED = "denied"  # judged again at delivery
    CALLER_GONE = "caller_gone"  # the caller hung up, or the connection broke, before it was handed over
    ANSWER_REFUSED = "answer_refused"  # too large, too late, or not to be made: the caller got an error


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureDecided(ResidentEvent):
    """The gate's decision. `request` is JSON of the judged facts; `subject` the plan or case asked about."""

    TOPIC: ClassVar[str] = "disclosure.decided.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REQUEST
    decision_id: str
    at: datetime
    organisation: str
    task: str
    professional: str
    purpose: str
    legal_basis: str
    basis_version: str
    consent_id: str
    action: str
    subject: str
    outcome: str
    rules: tuple[str, ...]
    released: tuple[str, ...]
    withheld: tuple[str, ...]
    obligations: tuple[str, ...]
    policy_hash: str
    facts_position: int
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureDelivered(ResidentEvent):
    """What was decided earlier has left."""

    TOPIC: ClassVar[str] = "disclosure.delivered.v1"
    decision_id: str
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAborted(ResidentEvent):
    """What was permitted did not arrive as far as is known; where it was judged again, rules say why."""

    TOPIC: ClassVar[str] = "disclosure.delivery_aborted.v2"
    decision_id: str
    organisation: str
    task: str
    reason: str
    rules: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeRequested(ResidentEvent):
    """A recipient was asked to erase what it got (GDPR 19)."""

    TOPIC: ClassVar[str] = "disclosure.purge_requested.v1"
    decision_id: str
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeConfirmed(ResidentEvent):
    """The recipient says it erased what it got."""

    TOPIC: ClassVar[str] = "disclosure.purge_confirmed.v1"
    decision_id: str
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationExecuted(ResidentEvent):
    """A duty that a decision brought was executed. `how` is a word such as "fetched", `by` a person."""

    TOPIC: ClassVar[str] = "disclosure.obligation_executed.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"remark": "LOG"})
    decision_id: str
    obligation: str
    outcome: str
    how: str
    remark: str
    by: str
    at: datetime


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDecision(Command):
    """Record what the gate decided."""

    decision: DisclosureDecided


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDelivery(Command):
    """Record that it left, to the organisation and task named."""

    resident: str
    decision_id: str
    organisation: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortDelivery(Command):
    """Record that it did not arrive after all, and why; of what was denied, by which rules."""

    resident: str
    decision_id: str
    organisation: str
    task: str
    reason: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPurge(Command):
    """Record that the recipient was asked to erase."""

    resident: str
    decision_id: str
    organisation: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPurge(Command):
    """Record that the recipient erased."""

    resident: str
    decision_id: str
    organisation: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteObligation(AuthoredCommand):
    """Record how a duty was executed. `duties` and `decided_for` are those of the recorded decision.

    `ended` are those of its duties that were executed before.
    """

    resident: str
    decision_id: str
    duties: tuple[str, ...]
    decided_for: Author
    obligation: str
    outcome: str
    how: str
    remark: str = ""
    ended: frozenset[str] = frozenset()


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DisclosureState:
    """How many decisions there are, and the last one: the list itself is a projection's."""

    count: int
    last_decision_id: str
    last_at: datetime


# --- decide -----------------------------------------------------------------------------------------


def _record_decision(command: RecordDecision, _state: DisclosureState | None) -> Events:
    decision = command.decision
    refuse_faults(
        {
            "resident": token_fault(decision.resident),
            "decision_id": token_fault(decision.decision_id),
            "organisation": oin_fault(decision.organisation),
            "outcome": member_fault(DisclosureOutcome, decision.outcome),
        }
    )
    return (decision,)


def _refuse_recipient_faults(command: RecordDelivery | AbortDelivery | RequestPurge | ConfirmPurge) -> None:
    refuse_faults(
        {
            "resident": token_fault(command.resident),
            "decision_id": token_fault(command.decision_id),
            "organisation": oin_fault(command.organisation),
            "task": token_fault(command.task),
        }
    )


def _record_delivery(command: RecordDelivery, _state: DisclosureState | None) -> Events:
    _refuse_recipient_faults(command)
    delivered = DisclosureDelivered(
        resident=command.resident,
        decision_id=command.decision_id,
        organisation=command.organisation,
        task=command.task,
        at=command.now,
    )
    return (delivered,)


def _abort_delivery(command: AbortDelivery, _state: DisclosureState | None) -> Events:
    _refuse_recipient_faults(command)
    denied = command.reason == AbortReason.DENIED
    refuse_faults(
        {
            "reason": member_fault(AbortReason, command.reason),
            "rules": "" if bool(command.rules) is denied else "must be named where it was denied, only then",
        }
    )
    aborted = DeliveryAborted(
        resident=command.resident,
        decision_id=command.decision_id,
        organisation=command.organisation,
        task=command.task,
        reason=command.reason,
        rules=command.rules,
        at=command.now,
    )
    return (aborted,)


def _request_purge(command: RequestPurge, _state: DisclosureState | None) -> Events:
    _refuse_recipient_faults(command)
    requested = PurgeRequested(
        resident=command.resident,
        decision_id=command.decision_id,
        organisation=command.organisation,
        task=command.task,
        at=command.now,
    )
    return (requested,)


def _confirm_purge(command: ConfirmPurge, _state: DisclosureState | None) -> Events:
    _refuse_recipient_faults(command)
    confirmed = PurgeConfirmed(
        resident=command.resident,
        decision_id=command.decision_id,
        organisation=command.organisation,
        task=command.task,
        at=command.now,
    )
    return (confirmed,)


def _execute_obligation(command: ExecuteObligation, _state: DisclosureState | None) -> Events:
    outcome, author = command.outcome, command.author
    refuse_faults(
        {
            "obligation": "" if command.obligation in _OF_ENTRIES else member_fault(Duty, command.obligation),
            "outcome": member_fault(DutyOutcome, outcome),
            "how": token_fault(command.how),
            "remark": text_fault(command.remark, required=outcome in WITH_REMARK),
        }
    )
    if command.obligation not in command.duties:
        raise RuleBroken("this decision brought no such duty", rule="NO_SUCH_OBLIGATION")
    if outcome not in outcomes_of(command.obligation):
        raise RuleBroken("this duty does not end that way", rule="OUTCOME_NOT_OF_THIS_DUTY")
    decided_for = command.decided_for
    # Recording the objection itself favours the resident: whoever hears it does so.
    himself = (author.oin, author.professional) == (decided_for.oin, decided_for.professional)
    if himself and outcome != DutyOutcome.OBJECTION_RECORDED:
        raise RuleBroken("a duty is executed by somebody else than who caused it", rule="SAME_PERSON")
    if command.obligation in command.ended:
        # An objection stands by itself: it needs no duty to end.
        if outcome == DutyOutcome.OBJECTION_RECORDED:
            return ()
        raise RuleBroken("this duty was ended before: read how in the list", rule="ALREADY_REVIEWED")
    executed = ObligationExecuted(
        resident=command.resident,
        decision_id=command.decision_id,
        obligation=command.obligation,
        outcome=command.outcome,
        how=command.how,
        remark=command.remark,
        by=f"{author.oin}/{author.professional}",
        at=command.now,
    )
    return (executed,)


# --- evolve -----------------------------------------------------------------------------------------


def _decided(state: DisclosureState | None, event: DisclosureDecided) -> DisclosureState:
    if state is None:
        return DisclosureState(1, event.decision_id, event.at)
    return replace(state, count=state.count + 1, last_decision_id=event.decision_id, last_at=event.at)


def _unchanged(
    state: DisclosureState,
    _event: DisclosureDelivered | DeliveryAborted | PurgeRequested | PurgeConfirmed | ObligationExecuted,
) -> DisclosureState:
    return state


DISCLOSURE: Final[Aggregate] = aggregate(
    "disclosure",
    deciders={
        RecordDecision: _record_decision,
        RecordDelivery: _record_delivery,
        AbortDelivery: _abort_delivery,
        RequestPurge: _request_purge,
        ConfirmPurge: _confirm_purge,
        ExecuteObligation: _execute_obligation,
    },
    founders={DisclosureDecided: _decided},
    evolvers={
        DisclosureDelivered: _unchanged,
        DeliveryAborted: _unchanged,
        PurgeRequested: _unchanged,
        PurgeConfirmed: _unchanged,
        ObligationExecuted: _unchanged,
    },
)
