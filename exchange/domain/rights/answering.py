"""One process over two streams: a request is decided and executed by what stands on the resident's own.

Promises: what a child under twelve, or a minor who cannot decide in this, asks to have destroyed under the
Wmo is not granted on his own word; a restriction is executed by one that stands, an objection by one that was
upheld, a request to erase by an erasure that was carried out, an answer by the decision that gave it: a word
about it is not enough. What was done elsewhere, or on paper, is named by whoever did it.
Source: Wmo 2015 5.3.5(3); GDPR 12(3), 18, 21; 5(2).
"""

from typing import Final

from exchange.domain.kernel import Events
from exchange.domain.limits.restrictions import Told
from exchange.domain.representation import capable_in
from exchange.domain.representation.words import Matter
from exchange.domain.resident import ResidentState, age_at
from exchange.domain.rights.request import (
    RIGHTS_REQUEST,
    DecideRightsRequest,
    ExecuteRightsRequest,
    RightsRequestState,
)
from exchange.domain.rights.words import Right, RightsOutcome
from exchange.domain.values import RESIDENT_TASK, Objection
from exchange.errors import RuleBroken

ANSWERED_HERE: Final = frozenset({Right.ACCESS, Right.PORTABILITY})
ENDED_BY_ERASURE: Final = frozenset({Right.ERASURE, Right.DESTRUCTION_WMO, Right.DESTRUCTION_JEUGDWET})
CHILD_AGE: Final = 12
ADULT_AGE: Final = 18


def decide_request(
    order: DecideRightsRequest, request: RightsRequestState | None, resident: ResidentState | None
) -> Events:
    """Return what happens on the request's stream. Raises RuleBroken, RequestInvalid."""
    events = RIGHTS_REQUEST.decide(order, request)
    grants = order.outcome != RightsOutcome.REFUSED
    if grants and request is not None and resident is not None and _is_too_young(request, resident):
        raise RuleBroken("who asks this is too young to, or cannot decide in it", rule="TOO_YOUNG")
    return events


def is_told_by_portal(order: ExecuteRightsRequest, request: RightsRequestState | None) -> bool:
    """Tell whether an answer is said to have been given here: then the log holds the decision by which."""
    return request is not None and request.right in ANSWERED_HERE and order.how == Told.PORTAL


def execute_request(
    order: ExecuteRightsRequest,
    request: RightsRequestState | None,
    resident: ResidentState | None,
    *,
    answered: bool,
) -> Events:
    """Return what happens on the request's stream. Raises RuleBroken, RequestInvalid.

    `answered` tells whether the reference is a decision by which the resident's side got something.
    """
    events = RIGHTS_REQUEST.decide(order, request)
    if is_told_by_portal(order, request) and not answered:
        raise RuleBroken("the log holds no answer to the resident's side of this name", rule="NOT_DONE")
    if request is not None and resident is not None and not _stands(order.reference, request, resident):
        raise RuleBroken("nothing of this name stands that would execute it", rule="NOT_DONE")
    return events


def _is_too_young(request: RightsRequestState, resident: ResidentState) -> bool:
    if request.right != Right.DESTRUCTION_WMO or request.asked_in != RESIDENT_TASK:
        return False
    day = request.received_date
    age = age_at(resident, day)
    if age < CHILD_AGE:
        return True
    people, registered = resident.representation, resident.capable
    # A judgement that is over says nothing: then nobody knows that he can.
    return age < ADULT_AGE and capable_in(people, {Matter.ACCESS}, day, registered=registered) is not True


def _stands(reference: str, request: RightsRequestState, resident: ResidentState) -> bool:
    if request.right == Right.RESTRICTION:
        return any(one.restriction_id == reference for one in resident.restrictions)
    if request.right == Right.OBJECTION:
        upheld = (one for one in resident.objections if one.status == Objection.UPHELD)
        return any(one.objection_id == reference for one in upheld)
    # Of who is erased whole nothing is executed any more: his duties end with him.
    return request.right not in ENDED_BY_ERASURE or reference in resident.erased
