"""The handover of a plan to another municipality, as one aggregate on each side under one id.

Promises: only a college offers, on a consent that is given now and names the recipient; a part is there once,
under one hash; nothing is completed before every part of one version of the plan is there; what was done is
not done twice. On the receiving side the plan has nothing of it before it is whole.
Source: GDPR 6(1)(a), 7, 9(2)(a), 20(2); Wmo 2015 1.2.1 and 2.3.2 (who lives in the municipality).
"""

import json
from collections.abc import Collection
from typing import Final

from exchange.domain.case_events import CaseHandedOver
from exchange.domain.consent import ConsentState
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
from exchange.domain.handover.decide import (
    accept,
    cancel,
    complete,
    confirm_part,
    finish,
    keep_receipt,
    offer_alone,
    offered_event,
    receive_part,
    take_up,
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
from exchange.domain.handover.state import (
    CancelReason,
    HandoverState,
    HandoverStatus,
    Side,
    accepted,
    cancelled,
    completed,
    offered,
    part_kept,
    part_received,
    receipt_kept,
    taken_up,
)
from exchange.domain.kernel import Aggregate, Events, aggregate, stream_of
from exchange.domain.plan import PLAN, PlanState
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.plan.received import ElementsReceived, most_elements
from exchange.domain.relations import CaseState
from exchange.domain.values import ConsentKind, ConsentStatus
from exchange.errors import RuleBroken

StreamsOfEvents = tuple[tuple[str, Events], ...]
PREFIX: Final = "handover-"

HANDOVER: Final[Aggregate] = aggregate(
    "handover",
    deciders={
        OfferHandover: offer_alone,
        AcceptHandover: accept,
        ConfirmPart: confirm_part,
        CompleteHandover: complete,
        TakeUpHandover: take_up,
        ReceivePart: receive_part,
        FinishHandover: finish,
        KeepReceipt: keep_receipt,
        CancelHandover: cancel,
    },
    founders={HandoverOffered: offered, HandoverTakenUp: taken_up},
    evolvers={
        HandoverAccepted: accepted,
        PartReceived: part_received,
        PartKept: part_kept,
        HandoverCompleted: completed,
        ReceiptKept: receipt_kept,
        HandoverCancelled: cancelled,
    },
)


def offer_handover(
    order: OfferHandover,
    plan: PlanState | None,
    case: CaseState | None,
    consent: ConsentState | None,
    others: Collection[HandoverState],
) -> StreamsOfEvents:
    """Decide on an offer over plan, case and consent; `others` are handovers of the same resident."""
    HANDOVER.decide(order, None)
    if plan is None or case is None or case.closed or case.resident != plan.resident:
        raise RuleBroken("there is no plan of an open case to hand over", rule="CASE_CLOSED")
    _refuse_unless_consented(consent, order, plan.resident)
    if plan.care_runs:
        raise RuleBroken("care that runs ends first: the other municipality cannot stop it", rule="CARE_RUNS")
    if any(one.plan_id == plan.plan_id and one.side == Side.GIVING and one.is_open for one in others):
        raise RuleBroken("this plan is being handed over already", rule="ALREADY_OFFERED")
    assert consent is not None
    return ((stream_of(HANDOVER.name, order.handover_id), (offered_event(order, plan, consent.consent_id),)),)


def _refuse_unless_consented(consent: ConsentState | None, order: OfferHandover, resident: str) -> None:
    recipient = f"{order.recipient_oin}/{order.recipient_task}"
    given = (
        consent is not None
        and consent.state == ConsentStatus.GIVEN
        and consent.resident == resident
        and consent.kind == ConsentKind.GDPR
        and consent.purpose == order.purpose
        and consent.start_time <= order.now < consent.end_time
    )
    if not given:
        raise RuleBroken(
            "the resident's consent to this handover is not given: ask it, for this purpose and recipient",
            rule="NOT_CONSENTED",
        )
    assert consent is not None
    if consent.recipients != (recipient,):
        raise RuleBroken("the consent names another recipient, or more than this one", rule="OTHER_RECIPIENT")


def complete_handover(
    order: CompleteHandover, handover: HandoverState, plan: PlanState | None, case: CaseState | None
) -> StreamsOfEvents:
    """Complete the giving side and close its case: nobody writes there any more."""
    events = HANDOVER.decide(order, handover)
    if not events:
        return ((stream_of(HANDOVER.name, handover.handover_id), ()),)
    if plan is None or plan.care_runs:
        raise RuleBroken("care that runs ends first: the other municipality cannot stop it", rule="CARE_RUNS")
    completed = (stream_of(HANDOVER.name, handover.handover_id), events)
    if case is None or case.closed:
        return (completed,)
    closed = CaseHandedOver(
        resident=case.resident, case_id=case.case_id, handover_id=handover.handover_id, at=order.now
    )
    # The completion comes last: a receipt is of the last event of its command.
    return ((stream_of("case", case.case_id), (closed,)), completed)


def finish_handover(
    order: FinishHandover, handover: HandoverState, plan: PlanState | None
) -> StreamsOfEvents:
    """Complete the receiving side: every part comes into the plan, with who recorded what and when."""
    events = HANDOVER.decide(order, handover)
    stream = stream_of(HANDOVER.name, handover.handover_id)
    if not events:
        return ((stream, ()),)
    if plan is None:
        raise RuleBroken("the plan it came for is not there", rule="NO_PLAN")
    received = tuple(
        ElementsReceived(
            resident=handover.resident,
            plan_id=handover.plan_id,
            organisation=order.author.oin,
            task=order.author.task,
            handover_id=handover.handover_id,
            received_from=handover.other_oin,
            collection=handover.collections[number - 1],
            category=category,
            content=content,
        )
        for number, category, content in sorted(handover.contents)
    )
    _refuse_full(plan, received)
    return ((stream_of(PLAN.name, handover.plan_id), received), (stream, events))


def _refuse_full(plan: PlanState, received: tuple[ElementsReceived, ...]) -> None:
    for name in {one.collection for one in received}:
        held, contents = len(getattr(plan, name)), [one.content for one in received if one.collection == name]
        # Read only where it may be too much: they are read when they are folded.
        if held + sum(map(most_elements, contents)) <= ELEMENTS_MAX:
            continue
        if held + sum(len(json.loads(one)) for one in contents) > ELEMENTS_MAX:
            raise RuleBroken("the plan has the most elements of one kind it can have", rule="PLAN_FULL")


__all__ = [
    "HANDOVER",
    "AcceptHandover",
    "CancelHandover",
    "CancelReason",
    "CompleteHandover",
    "ConfirmPart",
    "FinishHandover",
    "HandoverState",
    "HandoverStatus",
    "KeepReceipt",
    "OfferHandover",
    "ReceivePart",
    "Side",
    "TakeUpHandover",
    "complete_handover",
    "finish_handover",
    "offer_handover",
]
