"""What of a plan is about money: all that who keeps a resident's money sees, and nothing beside it.

Promises: asks for fields of income, property and debts alone, so that nothing is refused because of another;
where nothing may be seen any more, it says the same as to who may not look at all.
Source: BW 1:431, 1:441; ADR 167, ADR 174.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from exchange.console.refusals import AnswerRefused
from exchange.console.resident.asking import ACCESS, NO_CASE_OF_HIS, NoCase, told
from exchange.v1 import plan_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.console.page import Look

FIELDS: Final = [f"signals.{one}" for one in ("partner", "arrears_cents", "since_date", "receive_time")]


async def arrears_of(look: Look) -> Sequence[dict[str, Any]]:
    """Return what was told of arrears, in the JSON form of the contract. Raises NoCase."""
    request = pb.GetPlanRequest(claim=ACCESS, plan_id=look.session.plan, fields=FIELDS)
    try:
        answer = await look.ask(request, pb.GetPlanResponse)
    except AnswerRefused as refused:
        if not refused.rules and refused.status is not HTTPStatus.NOT_FOUND:
            raise
        raise NoCase("NO_CASE", NO_CASE_OF_HIS) from None
    found: Sequence[dict[str, Any]] = told(answer.plan).get("signals", ())
    return found
