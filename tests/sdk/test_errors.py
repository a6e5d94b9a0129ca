"""A failed call as the exchange describes it, and as something hostile or broken would."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from adapters.sdk.errors import (
    Conflict,
    Denied,
    ExchangeRefused,
    Invalid,
    NotAuthenticated,
    OutcomeUnknown,
    RequestIdReused,
    RuleBroken,
    ServerFault,
    ServerNotTrusted,
    Unavailable,
    Unreachable,
    refused_from,
)
from exchange import errors
from exchange.errors import AccessDenied, ExchangeError, QuotaExceeded, RequestInvalid
from exchange.server.status import TABLE, status_of

CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Failed:
    """A failed call, as gRPC hands it over."""

    status: grpc.StatusCode
    message: str | None
    metadata: tuple[tuple[str, str | bytes], ...] | None = ()

    def code(self) -> grpc.StatusCode:
        return self.status

    def details(self) -> str | None:
        return self.message

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        return self.metadata


def failed(error: ExchangeError, incident: str = "") -> Failed:
    status = status_of(error, incident)
    return Failed(
        CODES[status.code],
        status.message,
        (("other", "x"), ("grpc-status-details-bin", status.SerializeToString())),
    )


def test_a_denial_tells_everything_the_exchange_told() -> None:
    error = AccessDenied(
        "the gate refused",
        rules=("R05", "R10"),
        decision_id="d-1",
        explanation="Er is geen toestemming.",
        remedies=("Ask consent.", "Ask fewer fields."),
        obligations=("TTL-60M",),
    )
    refused = refused_from(failed(error, "i-9"), "r-1")
    assert type(refused) is Denied
    assert refused.reason == "ACCESS_DENIED"
    assert refused.rules == ("R05", "R10")
    assert refused.remedies == ("Ask consent.", "Ask fewer fields.")
    assert refused.refusal.obligations == ("TTL-60M",)
    assert refused.refusal.incident == "i-9"
    assert refused.decision_id == "d-1"
    assert refused.localized == "Er is geen toestemming."
    assert refused.request_id == "r-1"
    assert refused.retry_after_s is None
    assert "R05" in str(refused)


def test_an_invalid_request_names_its_fields() -> None:
    refused = refused_from(failed(RequestInvalid("the request is malformed", {"own_words": "is empty"})))
    assert type(refused) is Invalid
    assert refused.field_violations == {"own_words": "is empty"}
    assert refused.remedies == (RequestInvalid.remedy,)
    assert "own_words: is empty" in str(refused)


def test_a_broken_rule_is_named() -> None:
    refused = refused_from(failed(errors.RuleBroken("somebody else decides this", rule="NOT_TO_DECIDE")))
    assert isinstance(refused, RuleBroken)
    assert refused.rule == "NOT_TO_DECIDE"
    nameless = refused_from(failed(errors.KeyDestroyed("these data were erased")))
    assert isinstance(nameless, RuleBroken)
    assert nameless.rule == ""


def test_a_quota_says_when() -> None:
    refused = refused_from(failed(QuotaExceeded("over its share", retry_after_ms=1_250, limit="calls")))
    assert type(refused) is Unavailable
    assert refused.retry_after_s == 1.25


KINDS = {
    "REQUEST_INVALID": Invalid,
    "REQUEST_TOO_LARGE": Invalid,
    "BSN_REFUSED": Invalid,
    "GROUP_ELEMENT_INVALID": Invalid,
    "REQUEST_ID_REUSED": RequestIdReused,
    "VERSION_CONFLICT": Conflict,
    "RULE_BROKEN": RuleBroken,
    "CALLER_UNKNOWN": NotAuthenticated,
    "PERSON_TOKEN_INVALID": NotAuthenticated,
    "ACCESS_DENIED": Denied,
    "UNAVAILABLE": Unavailable,
    "STORE_UNAVAILABLE": Unavailable,
    "OUTCOME_OPEN": Unavailable,
    "STORE_FULL": Unavailable,
    "OVERLOADED": Unavailable,
    "DRAINING": Unavailable,
    "KEY_UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": OutcomeUnknown,
    "KEY_DESTROYED": RuleBroken,
    "INTERNAL": ServerFault,
    "SEAL_BROKEN": ServerFault,
}


@pytest.mark.parametrize(("reason", "kind"), KINDS.items())
def test_each_reason_is_the_class_a_caller_expects(reason: str, kind: type[ExchangeRefused]) -> None:
    (error,) = (
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, ExchangeError) and vars(found).get("code") == reason
    )
    refused = refused_from(failed(error("what happened")))
    assert type(refused) is kind
    assert refused.reason == reason
    assert refused.localized == TABLE[reason].dutch


KINDS_OF_NODES = KINDS | {"ANSWER_TOO_LARGE": Invalid}
TELL_NOTHING = {"ANSWER_TOO_LARGE", "OUTCOME_OPEN", "DEADLINE_EXCEEDED", "INTERNAL", "SEAL_BROKEN"}


@pytest.mark.parametrize("reason", KINDS_OF_NODES)
def test_what_does_not_tell_whether_it_was_recorded_says_so(reason: str) -> None:
    (error,) = (
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, ExchangeError) and vars(found).get("code") == reason
    )
    assert refused_from(failed(error("what happened"))).may_be_recorded is (reason in TELL_NOTHING)


@pytest.mark.parametrize(
    ("code", "message", "may_be"),
    [
        (grpc.StatusCode.UNAVAILABLE, "socket closed", True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", True),
        (grpc.StatusCode.CANCELLED, "", True),
        (grpc.StatusCode.UNKNOWN, "", True),
        (grpc.StatusCode.ABORTED, "a proxy had enough", True),
        (grpc.StatusCode.UNAUTHENTICATED, "a proxy asks who this is", True),
        (grpc.StatusCode.UNIMPLEMENTED, "", False),
        (grpc.StatusCode.UNAVAILABLE, "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Sent message larger than max (9 vs. 8)", False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (9 vs. 8)", False),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Stream removed (CLIENT: Received message larger than max (9 vs. 8))",
            True,
        ),
    ],
)
def test_what_no_exchange_said_tells_nothing_of_it(
    code: grpc.StatusCode,
    message: str,
    may_be: bool,  # noqa: FBT001 -- a column
) -> None:
    assert refused_from(Failed(code, message)).may_be_recorded is may_be


def test_no_answer_at_all_is_unreachable() -> None:
    assert type(refused_from(Failed(grpc.StatusCode.UNAVAILABLE, "connection refused"))) is Unreachable
    assert type(refused_from(Failed(grpc.StatusCode.UNAVAILABLE, None, None))) is Unreachable


def test_a_server_without_proof_is_not_trusted() -> None:
    message = "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED: certificate has expired"
    assert type(refused_from(Failed(grpc.StatusCode.UNAVAILABLE, message))) is ServerNotTrusted


def test_a_message_over_the_limit_is_invalid() -> None:
    assert type(refused_from(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "message too large"))) is Invalid


def packed(*details: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> list[AnyMessage]:
    found = []
    for detail in details:
        found.append(AnyMessage())
        found[-1].Pack(detail)
    return found


def test_details_of_another_domain_are_not_ours() -> None:
    foreign = error_details_pb2.ErrorInfo(reason="ACCESS_DENIED", domain="googleapis.com")
    retry = error_details_pb2.RetryInfo()
    status = status_pb2.Status(code=14, details=packed(foreign, retry))
    call = Failed(
        grpc.StatusCode.UNAVAILABLE, "x", (("grpc-status-details-bin", status.SerializeToString()),)
    )
    refused = refused_from(call)
    assert (type(refused), refused.reason, refused.retry_after_s) == (Unreachable, "", None)


def test_details_of_another_code_are_left_out() -> None:
    call = failed(AccessDenied("no", rules=("R05",)))
    call.status = grpc.StatusCode.UNAVAILABLE
    refused = refused_from(call)
    assert (type(refused), refused.rules) == (Unreachable, ())


def test_a_negative_time_to_wait_is_none_at_all() -> None:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = -5
    ours = error_details_pb2.ErrorInfo(reason="DRAINING", domain="exchange.v1")
    status = status_pb2.Status(code=14, details=packed(ours, retry))
    call = Failed(
        grpc.StatusCode.UNAVAILABLE, "x", (("grpc-status-details-bin", status.SerializeToString()),)
    )
    assert refused_from(call).retry_after_s == 0.0


@given(st.sampled_from([code for code in grpc.StatusCode if code.value[0]]), st.binary(max_size=200))
def test_no_details_hide_a_refusal(code: grpc.StatusCode, raw: bytes) -> None:
    refused = refused_from(Failed(code, "what happened", (("grpc-status-details-bin", raw),)))
    assert "what happened" in str(refused)


@given(st.binary(max_size=60))
def test_a_broken_detail_leaves_the_others(raw: bytes) -> None:
    status = status_of(AccessDenied("no", rules=("R05",)))
    broken = AnyMessage(type_url="type.googleapis.com/google.rpc.RetryInfo", value=raw)
    status.details.insert(0, broken)
    call = Failed(
        grpc.StatusCode.PERMISSION_DENIED, "no", (("grpc-status-details-bin", status.SerializeToString()),)
    )
    assert refused_from(call).rules == ("R05",)
