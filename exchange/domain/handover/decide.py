"""What may happen to one handover, on its own stream; what goes over several streams is in `__init__`.

Promises: a repeated order that changes nothing gives no events; another hash under a number is refused, and
so is every order on the other side's half of the work.
Source: protos/exchange/v1/handover_service.proto.
"""

import re
from typing import Final

from exchange.domain.handover.commands import (
    AcceptHandover,
    CancelHandover,
    CompleteHandover,
    ConfirmPart,
    FinishHandover,
    KeepReceipt,
    OfferHandover,
    ReceivePart,
    TakeUpHandover,
)
from exchange.domain.handover.events import (
    HandoverAccepted,
    HandoverCancelled,
    HandoverCompleted,
    HandoverOffered,
    HandoverTakenUp,
    PartKept,
    PartReceived,
    ReceiptKept,
)
from exchange.domain.handover.state import CancelReason, HandoverState, HandoverStatus, Side
from exchange.domain.kernel import AuthoredCommand, Events
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.state import PlanState
from exchange.domain.shape import FINE, hash_fault, member_fault, oin_fault, refuse_faults, token_fault
from exchange.errors import RuleBroken

OTHER_COLLEGE: Final = "college-andere-gemeente:"
PARTS_MAX: Final = 2_000
_ENVELOPE: Final = re.compile(r"[0-9a-f]{132}")


def _existing(state: HandoverState | None, side: Side) -> HandoverState:
    if state is None or state.side != side:
        raise RuleBroken("there is no such handover on this side", rule="NO_HANDOVER")
    return state


def _refuse_ended(handover: HandoverState) -> None:
    if handover.status == HandoverStatus.CANCELLED:
        raise RuleBroken("this handover was cancelled", rule="HANDOVER_CANCELLED")
    if handover.status == HandoverStatus.COMPLETED:
        raise RuleBroken("this handover is completed", rule="HANDOVER_COMPLETED")


def _of_recipient(command: AuthoredCommand, state: HandoverState | None) -> HandoverState:
    handover = _existing(state, Side.GIVING)
    if f"{command.author.oin}/{command.author.task}" != handover.recipient:
        raise RuleBroken("this plan is handed over to somebody else", rule="OTHER_RECIPIENT")
    return handover


def offer_alone(command: OfferHandover, state: HandoverState | None) -> Events:
    """Check an offer by itself; the event is made where plan and consent are known."""
    if state is not None:
        raise RuleBroken("a handover has this id already", rule="HANDOVER_KNOWN")
    refuse_faults(
        {
            "recipient_oin": oin_fault(command.recipient_oin),
            "recipient_task": token_fault(command.recipient_task),
            "envelope": FINE
            if _ENVELOPE.fullmatch(command.envelope)
            else "must be 66 bytes, as the SDK makes it",
        }
    )
    if not command.author.is_college:
        raise RuleBroken("a college hands its plan over", rule="NOT_A_COLLEGE")
    if command.recipient_oin == command.author.oin or not command.recipient_task.startswith(OTHER_COLLEGE):
        raise RuleBroken(
            "a plan is handed over to another municipality's college", rule="NOT_ANOTHER_COLLEGE"
        )
    return ()


def offered_event(command: OfferHandover, plan: PlanState, consent_id: str) -> HandoverOffered:
    """Return the event of an offer that was decided."""
    return HandoverOffered(
        resident=plan.resident,
        handover_id=command.handover_id,
        case_id=plan.case_id,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        recipient_oin=command.recipient_oin,
        recipient_task=command.recipient_task,
        consent_id=consent_id,
        purpose=command.purpose,
        envelope=command.envelope,
        at=command.now,
    )


def accept(command: AcceptHandover, state: HandoverState | None) -> Events:
    """Accept, or accept anew where the plan is at another version."""
    handover = _of_recipient(command, state)
    _refuse_ended(handover)
    if command.plan_id != handover.plan_id:
        raise RuleBroken("this handover is of another plan", rule="OTHER_PLAN")
    if (handover.plan_version, handover.collections) == (command.plan_version, command.collections):
        return ()
    event = HandoverAccepted(
        resident=handover.resident,
        handover_id=handover.handover_id,
        plan_version=command.plan_version,
        collections=command.collections,
        at=command.now,
    )
    return (event,)


def _refuse_number(handover: HandoverState, number: int) -> None:
    if not 1 <= number <= len(handover.collections):
        raise RuleBroken("this handover has no part with that number", rule="NO_SUCH_PART")


def _refuse_not_accepted(handover: HandoverState) -> None:
    _refuse_ended(handover)
    if handover.status != HandoverStatus.ACCEPTED:
        raise RuleBroken("this handover was not accepted yet", rule="NOT_ACCEPTED")


def _known(handover: HandoverState, number: int, sha256: str) -> bool:
    part = handover.part(number)
    if part is not None and part.sha256 != sha256:
        raise RuleBroken("this part was received with another hash", rule="PART_ALTERED")
    return part is not None


def confirm_part(command: ConfirmPart, state: HandoverState | None) -> Events:
    """Note on the giving side that a part is recorded on the other."""
    handover = _of_recipient(command, state)
    _refuse_not_accepted(handover)
    _refuse_number(handover, command.number)
    refuse_faults({"sha256": hash_fault(command.sha256)})
    if _known(handover, command.number, command.sha256):
        return ()
    event = PartReceived(
        resident=handover.resident,
        handover_id=handover.handover_id,
        plan_version=handover.plan_version,
        number=command.number,
        total=0,
        sha256=command.sha256,
        withheld=command.withheld,
        at=command.now,
    )
    return (event,)


def complete(command: CompleteHandover, state: HandoverState | None) -> Events:
    """Complete the giving side, once every part of the plan as it stands is confirmed."""
    handover = _of_recipient(command, state)
    if handover.status == HandoverStatus.COMPLETED:
        return ()
    _refuse_not_accepted(handover)
    if command.plan_version != handover.plan_version:
        raise RuleBroken("the plan changed since it was accepted: accept it anew", rule="PLAN_CHANGED")
    return (_completed(handover, command, "", ""),)


def _completed(
    handover: HandoverState, command: AuthoredCommand, entry: str, proof: str
) -> HandoverCompleted:
    if not handover.is_whole:
        raise RuleBroken("not every part was received", rule="PARTS_MISSING")
    return HandoverCompleted(
        resident=handover.resident,
        handover_id=handover.handover_id,
        digest=handover.digest_of_parts(),
        other_entry=entry,
        other_proof=proof,
        at=command.now,
    )


def take_up(command: TakeUpHandover, state: HandoverState | None) -> Events:
    """Begin on the receiving side; again with a later version of the giver's plan."""
    refuse_faults(
        {
            "giver_oin": oin_fault(command.giver_oin),
            "collections": FINE
            if len(command.collections) <= PARTS_MAX and set(command.collections) <= set(COLLECTIONS)
            else f"must be at most {PARTS_MAX} collections of the plan",
        }
    )
    if not command.author.is_college:
        raise RuleBroken("a college takes a plan up", rule="NOT_A_COLLEGE")
    if command.giver_oin == command.author.oin:
        raise RuleBroken("a plan comes from another municipality's college", rule="NOT_ANOTHER_COLLEGE")
    if state is not None:
        handover = _existing(state, Side.RECEIVING)
        same = (handover.plan_id, handover.other_oin) == (command.plan_id, command.giver_oin)
        if not same:
            raise RuleBroken("this handover was taken up for another plan or giver", rule="HANDOVER_KNOWN")
        if handover.plan_version == command.plan_version:
            return ()
        _refuse_ended(handover)
    event = HandoverTakenUp(
        resident=command.resident,
        handover_id=command.handover_id,
        case_id=command.case_id,
        plan_id=command.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        giver_oin=command.giver_oin,
        plan_version=command.plan_version,
        collections=command.collections,
        at=command.now,
    )
    return (event,)


def receive_part(command: ReceivePart, state: HandoverState | None) -> Events:
    """Record a part; all parts of a collection say alike how many elements it has."""
    handover = _existing(state, Side.RECEIVING)
    _refuse_ended(handover)
    _refuse_number(handover, command.number)
    said = (command.handover_id, command.plan_version, command.collection)
    asked = (handover.handover_id, handover.plan_version, handover.collections[command.number - 1])
    if said != asked:
        raise RuleBroken("these bytes are of another handover, version or collection", rule="PART_ALTERED")
    if _known(handover, command.number, command.sha256):
        return ()
    alike = (
        one.total for one in handover.parts if handover.collections[one.number - 1] == command.collection
    )
    if any(total != command.total for total in alike):
        raise RuleBroken("what may leave changed between two parts: accept it anew", rule="PLAN_CHANGED")
    received = PartReceived(
        resident=handover.resident,
        handover_id=handover.handover_id,
        plan_version=handover.plan_version,
        number=command.number,
        total=command.total,
        sha256=command.sha256,
        withheld=command.withheld,
        at=command.now,
    )
    kept = (
        PartKept(
            resident=handover.resident,
            handover_id=handover.handover_id,
            number=command.number,
            category=category,
            content=content,
        )
        for category, content in sorted(command.contents.items())
    )
    return (received, *kept)


def finish(command: FinishHandover, state: HandoverState | None) -> Events:
    """Complete the receiving side."""
    handover = _existing(state, Side.RECEIVING)
    if handover.status == HandoverStatus.COMPLETED:
        return ()
    _refuse_ended(handover)
    return (_completed(handover, command, command.other_entry, command.other_proof),)


def keep_receipt(command: KeepReceipt, state: HandoverState | None) -> Events:
    """Keep the receiver's receipt; the first one stays."""
    handover = _of_recipient(command, state)
    if handover.status != HandoverStatus.COMPLETED:
        raise RuleBroken("this handover is not completed yet", rule="NOT_COMPLETED")
    if handover.other_proof:
        if handover.other_entry != command.other_entry:
            raise RuleBroken("another receipt was kept before", rule="RECEIPT_KNOWN")
        return ()
    event = ReceiptKept(
        resident=handover.resident,
        handover_id=handover.handover_id,
        other_entry=command.other_entry,
        other_proof=command.other_proof,
        at=command.now,
    )
    return (event,)


def cancel(command: CancelHandover, state: HandoverState | None) -> Events:
    """End what is not completed; the college of this side does."""
    if state is None:
        raise RuleBroken("there is no such handover on this side", rule="NO_HANDOVER")
    refuse_faults({"reason": member_fault(CancelReason, command.reason)})
    if command.author.oin != state.organisation or not command.author.is_college:
        raise RuleBroken("the college of this side ends it", rule="NOT_A_COLLEGE")
    if state.status == HandoverStatus.CANCELLED:
        return ()
    _refuse_ended(state)
    event = HandoverCancelled(
        resident=state.resident,
        handover_id=state.handover_id,
        organisation=command.author.oin,
        task=command.author.task,
        reason=command.reason,
        at=command.now,
    )
    return (event,)
