"""Calls as bytes, and refusals as they come over the wire: for callers who do not behave as the SDK does."""
# ruff: noqa: ANN401 -- builders take any field of a request

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status

from adapters.sdk.tokens import Person, PersonTokens
from exchange.v1 import case_service_pb2, common_pb2
from exchange.v1 import plan_service_pb2 as plan_pb
from tests.e2e.service import INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.credentials import Credentials
    from tests.e2e.service import Case, Service

GET_PLAN = "/exchange.v1.PlanService/GetPlan"
SET_GOAL = "/exchange.v1.PlanService/SetGoal"
REPORT = "/exchange.v1.CaseService/ReceiveReport"
EVALUATE = "/exchange.v1.IdentityService/EvaluateBlinded"
GET_CHECKPOINT = "/exchange.v1.LedgerService/GetCheckpoint"
GET_RECEIPT = "/exchange.v1.LedgerService/GetReceipt"
CODE = grpc.StatusCode
DECIDED = "disclosure.decided.v1"


class Refused:
    """One refusal as it came over the wire."""

    def __init__(self, error: Any) -> None:  # every RpcError that a call raises is a Call
        self.code: grpc.StatusCode = error.code()
        self.metadata = dict(error.trailing_metadata() or ())
        self.raw = self.metadata.get("grpc-status-details-bin", b"")
        self.status = Status.FromString(self.raw)
        self.info = self._detail(ErrorInfo())
        self.dutch = self._detail(LocalizedMessage())
        self.retry_after = self._detail(RetryInfo()).retry_delay.ToTimedelta()
        self.fields = {one.field: one.description for one in self._detail(BadRequest()).field_violations}

    def _detail(self, into: Any) -> Any:
        for packed in self.status.details:
            if packed.Unpack(into):
                break
        return into


def token_of(credentials: Credentials, *, at: float | None = None, **person: Any) -> str:
    """Sign a good person token at a moment."""
    who = {"professional": "w-1", "task": "college:WMO", "role": "regisseur"} | person
    return PersonTokens(credentials, lambda: at or time.time()).token_for(Person(**who))


def refused(service: Service, method: str, request: Any, **how: Any) -> Refused:
    """Return the refusal of a call; a good token of the municipality unless told otherwise."""
    how = {"token": token_of(service.credentials())} | how
    with pytest.raises(grpc.RpcError) as raised:
        service.raw_call(method, request, **how)
    return Refused(raised.value)


def assert_refused(
    told: Refused, code: grpc.StatusCode, reason: str, *fields: str, retried: bool = False
) -> None:
    """Code, reason, remedy and Dutch are there; a time to come back only where that can help."""
    assert (told.code, told.info.reason) == (code, reason)
    assert told.status.code == code.value[0]
    assert told.info.domain == "exchange.v1"
    assert len(told.info.metadata["remedy"]) > 20
    assert told.dutch.locale == "nl-NL"
    assert len(told.dutch.message) > 10
    assert sorted(told.fields) == sorted(fields)
    assert all(told.fields.values())
    assert (told.retry_after > timedelta()) == retried


def question(case: Case | None = None, **changes: Any) -> plan_pb.GetPlanRequest:
    """A question that is good but for what a test changes."""
    fields: dict[str, Any] = {"claim": INVESTIGATE, "fields": ["version"]}
    fields["plan_id"] = str(uuid4()) if case is None else case.plan_id
    fields.update(changes)
    return plan_pb.GetPlanRequest(**fields)


def goal(case: Case, **changes: Any) -> plan_pb.SetGoalRequest:
    """A command that is good but for what a test changes."""
    fields: dict[str, Any] = {
        "request_id": str(uuid4()),
        "claim": INVESTIGATE,
        "plan_id": case.plan_id,
        "expected_version": case.version,
        "own_words": "Weer zelf koken.",
        "desired_effect": "zelfstandig eten",
        "life_domain": common_pb2.LIFE_DOMAIN_HOUSING,
        "target_date": "2027-06-01",
    }
    return plan_pb.SetGoalRequest(**fields | changes)


def report(**changes: Any) -> case_service_pb2.ReceiveReportRequest:
    """A report that is good but for what a test changes."""
    fields: dict[str, Any] = {
        "request_id": str(uuid4()),
        "claim": INVESTIGATE,
        "resident": b"\1" * 32,
        "life_domains": [common_pb2.LIFE_DOMAIN_FINANCE],
        "own_words": "Hulp.",
        "desk": "balie",
    }
    return case_service_pb2.ReceiveReportRequest(**fields | changes)


def worker_of(service: Service, case: Case) -> str:
    """Return a token of the professional on the case."""
    return token_of(service.credentials(), professional=f"w-{case.bsn[-5:]}")
