"""One process over two streams: a request is executed by what stands on the resident's own stream.

Promises: a restriction is executed by one that stands, an objection by one that was upheld; a word about it
is not enough. What is no limit is named by whoever did it.
Source: GDPR 12(3), 18, 21; 5(2).
"""

from exchange.domain.kernel import Events
from exchange.domain.resident import ResidentState
from exchange.domain.rights.request import RIGHTS_REQUEST, ExecuteRightsRequest, RightsRequestState
from exchange.domain.rights.words import Right
from exchange.domain.values import Objection
from exchange.errors import RuleBroken


def execute_request(
    order: ExecuteRightsRequest, request: RightsRequestState | None, resident: ResidentState | None
) -> Events:
    """Return what happens on the request's stream. Raises RuleBroken, RequestInvalid."""
    events = RIGHTS_REQUEST.decide(order, request)
    if request is not None and resident is not None and not _stands(order.reference, request, resident):
        raise RuleBroken("nothing of this name stands that would execute it", rule="NOT_DONE")
    return events


def _stands(reference: str, request: RightsRequestState, resident: ResidentState) -> bool:
    if request.right == Right.RESTRICTION:
        return any(one.restriction_id == reference for one in resident.restrictions)
    if request.right == Right.OBJECTION:
        upheld = (one for one in resident.objections if one.status == Objection.UPHELD)
        return any(one.objection_id == reference for one in upheld)
    return True
