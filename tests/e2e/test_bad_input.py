"""Bad input over the wire: the code, the reason, a remedy, Dutch for the screen, and nothing half-written.

Source: AIP-193 (errors), AIP-155 (request ids).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest

from adapters.sdk.calls import claim
from exchange.v1 import common_pb2, identity_service_pb2, ledger_service_pb2, plan_pb2
from exchange.v1 import plan_service_pb2 as plan_pb
from tests.e2e.service import INVESTIGATE, Case, made_up_bsns
from tests.e2e.wire import (
    CODE,
    DECIDED,
    EVALUATE,
    GET_CHECKPOINT,
    GET_PLAN,
    GET_RECEIPT,
    REPORT,
    SET_GOAL,
    Refused,
    assert_refused,
    goal,
    question,
    refused,
    report,
    token_of,
    worker_of,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.e2e.service import Service

MESSAGE_BYTES_MAX = 1024 * 1024

# --- shape ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        (REPORT, report(life_domains=[99]), ["life_domains[0]"]),
        (REPORT, report(life_domains=[0]), ["life_domains[0]"]),
        (GET_PLAN, question(claim=claim(common_pb2.Purpose.ValueType(99), "WMO-2.3.2")), ["claim.purpose"]),
        (GET_PLAN, question(fields=[]), ["fields"]),
        (GET_PLAN, question(fields=["goals.secret"]), ["fields[0]"]),
        (GET_PLAN, question(fields=["version", "goals"]), ["fields[1]"]),
        (GET_PLAN, question(fields=["*"]), ["fields[0]"]),
        (GET_PLAN, question(fields=["version"] * 201), ["fields"]),
        (GET_PLAN, question(plan_id="plan-1"), ["plan_id"]),
        (REPORT, report(request_id="1"), ["request_id"]),
        (REPORT, report(own_words="x" * 4_001), ["own_words"]),
        (REPORT, report(resident=b"\1" * 31), ["resident"]),
        (GET_PLAN, b"\xff\xff\xff", ["request"]),
        (GET_RECEIPT, ledger_service_pb2.GetReceiptRequest(leaf_index=-1), ["leaf_index"]),
    ],
)
def test_a_misshapen_request_is_refused_by_field_and_nothing_is_written(
    service: Service, method: str, request_: Message | bytes, fields: list[str]
) -> None:
    before = service.position()
    told = refused(service, method, request_)
    assert_refused(told, CODE.INVALID_ARGUMENT, "REQUEST_INVALID", *fields)
    assert service.position() == before


def test_a_bsn_in_a_text_is_refused_and_never_repeated(service: Service) -> None:
    bsn = next(made_up_bsns())
    before = service.position()
    for written in (bsn, f"{bsn[:3]}.{bsn[3:6]}.{bsn[6:]}", f"{bsn[:4]} {bsn[4:]}"):
        told = refused(service, REPORT, report(own_words=f"Mijn nummer is {written}, bel mij."))
        assert_refused(told, CODE.INVALID_ARGUMENT, "BSN_REFUSED", "own_words")
        assert not any(part in str(told.metadata) for part in (bsn, written))
    assert service.position() == before


@pytest.mark.parametrize("element", [b"\xff" * 32, b"\0" * 32])
def test_bytes_that_are_no_group_element_are_refused(service: Service, element: bytes) -> None:
    before = service.position()
    request = identity_service_pb2.EvaluateBlindedRequest(
        request_id=str(uuid4()),
        claim=INVESTIGATE,
        blinded_elements=[element],
        no_case_reason=identity_service_pb2.NO_CASE_REASON_FIND_CASE,
    )
    told = refused(service, EVALUATE, request)
    assert (told.code, told.info.reason) == (CODE.INVALID_ARGUMENT, "GROUP_ELEMENT_INVALID")
    assert told.info.metadata["remedy"]
    assert told.dutch.locale == "nl-NL"
    # That it was asked, and counted, is on record; nothing else is.
    assert service.topics_after(before) in ([], [DECIDED, "evaluation.counted.v1"])


def test_a_pseudonym_that_is_no_group_element_opens_no_case(service: Service) -> None:
    before = service.position()
    told = refused(service, REPORT, report(resident=b"\xff" * 32))
    assert (told.code, told.info.reason) == (CODE.INVALID_ARGUMENT, "GROUP_ELEMENT_INVALID")
    assert service.position() == before


def test_a_message_over_one_mebibyte_is_refused_and_the_connection_stays(service: Service) -> None:
    before = service.position()
    told = refused(service, GET_PLAN, b"\0" * (MESSAGE_BYTES_MAX + 1))
    assert_refused(told, CODE.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", "request")
    # Exactly on the line it is read, and found to be no message.
    told = refused(service, GET_PLAN, b"\xff" * MESSAGE_BYTES_MAX)
    assert_refused(told, CODE.INVALID_ARGUMENT, "REQUEST_INVALID", "request")
    with pytest.raises(grpc.RpcError) as raised:
        service.raw_call(GET_PLAN, b"\0" * (2 * MESSAGE_BYTES_MAX + 1), token=token_of(service.credentials()))
    assert Refused(raised.value).code is CODE.RESOURCE_EXHAUSTED
    assert service.raw_call(GET_CHECKPOINT, b"")
    assert service.position() == before


def test_an_unknown_method_is_refused(service: Service) -> None:
    before = service.position()
    for method in ("/exchange.v1.PlanService/DropPlan", "/exchange.v2.PlanService/GetPlan"):
        with pytest.raises(grpc.RpcError) as raised:
            service.raw_call(method, b"")
        assert Refused(raised.value).code is CODE.UNIMPLEMENTED
    assert service.position() == before


def test_a_deadline_that_passed_ends_the_call_and_the_service_goes_on(service: Service, case: Case) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        service.raw_call(GET_PLAN, question(case), token=worker_of(service, case), timeout_s=0.000_001)
    assert Refused(raised.value).code is CODE.DEADLINE_EXCEEDED
    assert service.raw_call(GET_PLAN, question(case), token=worker_of(service, case))
    assert service.raw_call(GET_CHECKPOINT, b"", timeout_s=None)


# --- the state of things --------------------------------------------------------------------------------


@pytest.mark.parametrize("off_by", [-1, 1, 7])
def test_a_wrong_expected_version_is_a_conflict_and_nothing_is_written(
    service: Service, case: Case, off_by: int
) -> None:
    before = service.position()
    request = goal(case, expected_version=case.version + off_by)
    told = refused(service, SET_GOAL, request, token=worker_of(service, case))
    assert_refused(told, CODE.ABORTED, "VERSION_CONFLICT")
    assert told.info.metadata["expected"] == str(case.version + off_by)
    assert told.info.metadata["found"] == str(case.version)
    assert service.position() == before


def test_a_request_id_with_other_content_is_refused_and_nothing_is_written(
    service: Service, case: Case
) -> None:
    request, token = goal(case), worker_of(service, case)
    first = service.raw_call(SET_GOAL, request, token=token)
    before = service.position()
    assert service.raw_call(SET_GOAL, request, token=token) == first
    other = plan_pb.SetGoalRequest()
    other.CopyFrom(request)
    other.own_words = "Iets anders."
    assert_refused(refused(service, SET_GOAL, other, token=token), CODE.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    conversation = plan_pb.AssessLensRequest(
        request_id=request.request_id,
        claim=INVESTIGATE,
        plan_id=case.plan_id,
        expected_version=case.version + 1,
        law=common_pb2.LAW_WMO_2015,
        finding=plan_pb2.LENS_FINDING_FITS,
        reason="past",
    )
    told = refused(service, "/exchange.v1.PlanService/AssessLens", conversation, token=token)
    assert_refused(told, CODE.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert service.position() == before


@pytest.mark.parametrize(
    ("purpose", "basis", "rule"),
    [
        (common_pb2.PURPOSE_PW_RECHT_VASTSTELLEN, "WMO-2.3.2", "R06"),
        (common_pb2.PURPOSE_WMO_ONDERZOEK, "PW-7", "R06"),
        (common_pb2.PURPOSE_WMO_ONDERZOEK, "WMO-9.9.9", "R04"),
    ],
)
def test_a_purpose_that_is_not_the_basis_own_is_refused_on_record(
    service: Service, case: Case, purpose: common_pb2.Purpose.ValueType, basis: str, rule: str
) -> None:
    before = service.position()
    request = question(case, claim=claim(purpose, basis, "nodig"))
    told = refused(service, GET_PLAN, request, token=worker_of(service, case))
    assert_refused(told, CODE.PERMISSION_DENIED, "ACCESS_DENIED")
    assert rule in told.info.metadata["rules"].split(",")
    assert told.info.metadata["remedies"]
    assert service.topics_after(before) == [DECIDED]
