"""From a resident's BSN to the organisation's pseudonym of him: at a login, and for an officer.

Promises: the number is blinded before anything else is done with it, leaves blinded, and is kept nowhere; the
answer is believed with its proof alone; the evaluation is counted and recorded under the college, in the name
of whoever signed in.
Source: RFC 9497; GDPR 12(2), 12(6); Wabb art. 10; ADR 127, ADR 148.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.console.blinding import Blinding
from exchange.console.roles import DESK
from exchange.v1 import identity_service_pb2 as identity
from exchange.v1.common_pb2 import PURPOSE_INZAGE, Claim

if TYPE_CHECKING:
    from exchange.console.blinding import Pins
    from exchange.console.line import Line
    from exchange.console.session import Session


async def recognise(bsn: object, session: Session, line: Line, pins: Pins, request_id: str) -> bytes:
    """Return the organisation's pseudonym, 32 bytes. Raises LoginRefused for no BSN, or no proof."""
    blinding = Blinding(bsn)
    request = identity.EvaluateBlindedRequest(
        request_id=request_id,
        claim=Claim(purpose=PURPOSE_INZAGE, legal_basis="IDENTIFY-12"),
        blinded_elements=[blinding.blinded],
        no_case_reason=identity.NO_CASE_REASON_FIND_CASE,
    )
    # The college asks, neither the resident nor the officer: who that is follows from the answer.
    answer = await line.ask(request, identity.EvaluateBlindedResponse, replace(session, role=DESK))
    return blinding.pseudonym(answer, pins)
