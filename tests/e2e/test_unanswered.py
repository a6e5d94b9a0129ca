"""A line that breaks between a commit and its answer, and a door that is closed when it is asked again.

Source: AIP-155 (request ids); the table of refusals in exchange/README.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.sdk.client import ExchangeClient
from adapters.sdk.errors import NotAuthenticated
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from tests.history.proxy import Proxy, over_tcp
from tests.history.test_faults import ANSWER_BYTES, HANDSHAKE_PIECES

if TYPE_CHECKING:
    from tests.e2e.service import Case, Service

HOUR_S = 3_600.0


def test_what_was_recorded_and_not_answered_is_told_as_open_by_a_door_that_is_closed_then(
    service: Service, case: Case
) -> None:
    with Proxy(over_tcp(lambda: service.target)) as proxy:
        person = Person(f"w-{case.bsn[-5:]}", "college:WMO", "regisseur")
        quick = Patience(attempts_max=5, wait_first_s=0.01, wait_max_s=0.05)
        client = ExchangeClient(
            proxy.target,
            service.credentials(),
            person,
            patience=quick,
            # The token of the attempt behind the cut is of a clock that was set an hour ahead.
            clock=lambda: time.time() + HOUR_S * proxy.swallowed,
        )
        with client:
            for _ in range(HANDSHAKE_PIECES):
                case.version = case.report("Ik slaap slecht.", client).version
            before = service.position()
            proxy.swallow(least_bytes=ANSWER_BYTES, passed=HANDSHAKE_PIECES)
            request_id = str(uuid4())
            with pytest.raises(NotAuthenticated) as caught:
                case.report("Ik slaap nog steeds slecht.", client, request_id)
        assert proxy.swallowed == 1
    refused = caught.value
    assert (refused.reason, refused.request_id) == ("PERSON_TOKEN_INVALID", request_id)
    assert refused.may_be_recorded
    recorded = service.topics_after(before)
    assert recorded.count("plan.report_received.v1") == 1, recorded
    # The same request id tells, and records nothing more.
    answer = case.report("Ik slaap nog steeds slecht.", case.wmo, request_id)
    assert before < answer.receipt.position <= before + len(recorded)
    assert service.topics_after(before).count("plan.report_received.v1") == 1
