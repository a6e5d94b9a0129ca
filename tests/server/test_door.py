"""Who is refused at the door, and how: certificates, tokens, shapes, sizes, deadlines."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from exchange.keys.authority import DevelopmentAuthority
from exchange.v1 import case_service_pb2, ledger_service_pb2, plan_service_pb2
from exchange.v1 import common_pb2 as pb
from tests.server.town import INVESTIGATE, Town, details_of, raw_call

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from adapters.sdk.credentials import Credentials

GET_PLAN = "/exchange.v1.PlanService/GetPlan"
GET_CHECKPOINT = "/exchange.v1.LedgerService/GetCheckpoint"
OTHER = "00000006000000066000"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True)
class FromNow:
    """Seconds from now, as a claim's value."""

    seconds: float


def token(credentials: Credentials, **changes: Any) -> str:  # noqa: ANN401 -- claims of any type
    """Sign a good token, but for the named changes; a claim of None is left out."""
    now = int(time.time())
    changes = {
        name: now + value.seconds if isinstance(value, FromNow) else value for name, value in changes.items()
    }
    claims = {
        "iss": credentials.oin,
        "sub": "w-1",
        "task": "college:WMO",
        "role": "regisseur",
        "acr": "2fa",
        "aud": "exchange.v1",
        "iat": now,
        "exp": now + 600,
        "cnf": {"x5t#S256": base64url(credentials.thumbprint)},
    }
    key = changes.pop("key", credentials.signing_key)
    said = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(said, key, algorithm="EdDSA")


def no_connection(town: Town, secrets: grpc.ChannelCredentials) -> Any:  # noqa: ANN401 -- RpcError and Call
    with grpc.secure_channel(town.target, secrets) as channel:
        call: Any = channel.unary_unary(GET_CHECKPOINT)
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=3)
    return raised.value


def question(**changes: Any) -> plan_service_pb2.GetPlanRequest:  # noqa: ANN401 -- fields of any type
    fields: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": str(uuid4()), "fields": ["version"]}
    return plan_service_pb2.GetPlanRequest(**fields | changes)


def refused(
    town: Town,
    request: Message | bytes,
    *,
    method: str = GET_PLAN,
    **how: Any,  # noqa: ANN401 -- as raw_call takes them
) -> dict[str, Any]:
    """Return the details of the refusal, its gRPC code among them."""
    with pytest.raises(grpc.RpcError) as raised:
        raw_call(town, method, request, **how)
    error: Any = raised.value
    return details_of(error) | {"code": error.code()}


def test_a_good_token_reaches_the_gate(town: Town) -> None:
    told = refused(town, question(), token=token(town.credentials()))
    assert told["ErrorInfo"].reason == "ACCESS_DENIED"
    assert told["code"] is grpc.StatusCode.PERMISSION_DENIED
    assert told["ErrorInfo"].metadata["rules"] == "R03"
    assert told["LocalizedMessage"].locale == "nl-NL"
    assert "RetryInfo" not in told


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"iss": OTHER}, "iss"),
        ({"aud": "exchange.v2"}, "aud"),
        ({"exp": FromNow(-31), "iat": FromNow(-600)}, "exp"),
        ({"exp": FromNow(901), "iat": FromNow(0)}, "exp"),
        ({"exp": FromNow(600), "iat": FromNow(600)}, "exp"),
        ({"exp": FromNow(600), "iat": FromNow(300)}, "iat"),
        ({"exp": FromNow(600.0)}, "exp"),
        ({"iat": True}, "exp"),
        ({"cnf": {"x5t#S256": base64url(b"\0" * 32)}}, "cnf"),
        ({"cnf": "x"}, "cnf"),
        ({"cnf": None}, "cnf"),
        ({"nbf": FromNow(120)}, "nbf"),
        ({"nbf": "soon"}, "nbf"),
        ({"acr": None}, "acr"),
        ({"sub": "x" * 61}, "sub"),
        ({"sub": "a b"}, "sub"),
        ({"sub": "999_900_006"}, "sub"),
        ({"role": "0999900006"}, "role"),
        ({"sub": ""}, "sub"),
        ({"role": ["regisseur"]}, "role"),
        ({"resident": base64url(b"\1" * 32)}, "resident"),
        ({"task": "betrokkene", "resident": base64url(b"\1" * 31)}, "resident"),
        ({"task": "betrokkene", "resident": "!"}, "resident"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused_and_the_claim_named(
    town: Town, changes: dict[str, Any], claim: str
) -> None:
    told = refused(town, question(), token=token(town.credentials(), **changes))
    assert told["code"] is grpc.StatusCode.UNAUTHENTICATED
    assert told["ErrorInfo"].reason == "PERSON_TOKEN_INVALID"
    assert told["ErrorInfo"].metadata["claim"] == claim


@pytest.mark.parametrize("text", [None, "", "a.b.c", "x" * 5_000])
def test_no_token_or_none_that_can_be_read_is_refused(town: Town, text: str | None) -> None:
    assert refused(town, question(), token=text)["ErrorInfo"].reason == "PERSON_TOKEN_INVALID"


def test_a_token_without_signature_or_with_another_is_refused(town: Town) -> None:
    mine = town.credentials()
    unsigned = jwt.encode({"iss": mine.oin}, "", algorithm="none")
    others = token(mine, key=Ed25519PrivateKey.generate())
    shared = jwt.encode({"iss": mine.oin}, "x" * 32, algorithm="HS256")
    for text in (unsigned, others, shared):
        told = refused(town, question(), token=text)
        assert told["ErrorInfo"].reason == "PERSON_TOKEN_INVALID"


def test_a_token_on_another_organisations_connection_is_refused(town: Town) -> None:
    theirs = town.join(OTHER, "wmo-aanbieder")
    told = refused(town, question(), credentials=theirs, token=token(town.credentials()))
    assert told["ErrorInfo"].reason == "PERSON_TOKEN_INVALID"


def test_a_token_that_was_verified_does_not_outlive_its_end(town: Town) -> None:
    text = token(town.credentials())
    assert refused(town, question(), token=text)["ErrorInfo"].reason == "ACCESS_DENIED"
    town.skew = timedelta(seconds=631)
    try:
        told = refused(town, question(), token=text)
    finally:
        town.skew = timedelta()
    assert told["ErrorInfo"].metadata["claim"] == "exp"


def test_a_task_that_was_not_granted_is_refused(town: Town) -> None:
    told = refused(town, question(), token=token(town.credentials(), task="uwv"))
    assert told["ErrorInfo"].reason == "CALLER_UNKNOWN"


def test_one_factor_is_not_enough(town: Town) -> None:
    told = refused(town, question(), token=token(town.credentials(), acr="1fa"))
    assert "R02" in told["ErrorInfo"].metadata["rules"]


def test_a_certificate_nobody_registered_is_refused(town: Town) -> None:
    unknown = town.issue("00000007000000077000", "unregistered")
    told = refused(town, question(), credentials=unknown, token=token(unknown))
    assert told["ErrorInfo"].reason == "CALLER_UNKNOWN"
    told = refused(
        town, ledger_service_pb2.GetCheckpointRequest(), method=GET_CHECKPOINT, credentials=unknown
    )
    assert told["ErrorInfo"].reason == "CALLER_UNKNOWN"


def test_a_second_certificate_of_a_known_organisation_must_be_registered_too(town: Town) -> None:
    second = town.issue(town.credentials().oin, "second")
    assert refused(town, question(), credentials=second, token=token(second))["ErrorInfo"].reason == (
        "CALLER_UNKNOWN"
    )


def test_an_expired_certificate_gets_no_connection(town: Town) -> None:
    old = town.issue(
        "00000008000000088000",
        "expired",
        valid_from=datetime.now(UTC) - timedelta(days=3),
        valid_for=timedelta(days=1),
    )
    with pytest.raises(grpc.RpcError) as raised:
        raw_call(town, GET_PLAN, question(), credentials=old, token=token(old), timeout_s=3)
    error: Any = raised.value
    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


def test_a_connection_does_not_outlive_its_certificate(town: Town) -> None:
    mine = town.credentials()
    town.skew = mine.valid_until - datetime.now(UTC) + timedelta(seconds=1)
    try:
        told = refused(town, ledger_service_pb2.GetCheckpointRequest(), method=GET_CHECKPOINT)
    finally:
        town.skew = timedelta()
    assert told["ErrorInfo"].reason == "CALLER_UNKNOWN"


def test_a_certificate_of_another_authority_gets_no_connection(town: Town, tmp_path: Path) -> None:
    foreign = DevelopmentAuthority(tmp_path / "foreign")
    mine = town.credentials()
    issued = foreign.issue_organisation(mine.oin, "Gemeente Voorbeeld", tmp_path / "files")
    secrets = grpc.ssl_channel_credentials(
        mine.root_pem,
        (issued.folder / "client.key").read_bytes(),
        (issued.folder / "client.pem").read_bytes(),
    )
    error = no_connection(town, secrets)
    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


def test_nobody_comes_in_without_a_certificate(town: Town) -> None:
    secrets = grpc.ssl_channel_credentials(town.credentials().root_pem)
    error = no_connection(town, secrets)
    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


# --- shapes ---------------------------------------------------------------------------------------------


def test_every_fault_of_a_request_is_named_at_once(town: Town) -> None:
    told = refused(
        town, question(plan_id="no", fields=["Goals"], claim=pb.Claim()), token=token(town.credentials())
    )
    named = {one.field: one.description for one in told["BadRequest"].field_violations}
    assert set(named) == {"claim.purpose", "claim.legal_basis", "plan_id", "fields[0]"}
    assert told["code"] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_question_without_a_field_list_is_refused(town: Town) -> None:
    told = refused(town, question(fields=[]), token=token(town.credentials()))
    assert [one.field for one in told["BadRequest"].field_violations] == ["fields"]


def test_an_unknown_enum_value_is_refused_also_in_a_list(town: Town) -> None:
    said = case_service_pb2.ReceiveReportRequest(
        request_id=str(uuid4()),
        claim=INVESTIGATE,
        resident=b"\1" * 32,
        life_domains=[99],  # type: ignore[list-item] # what a newer or hostile caller may send
        own_words="Hulp.",
        desk="balie",
    )
    told = refused(
        town, said, method="/exchange.v1.CaseService/ReceiveReport", token=token(town.credentials())
    )
    assert [one.field for one in told["BadRequest"].field_violations] == ["life_domains[0]"]


def test_a_bsn_in_a_text_is_refused_and_not_repeated(town: Town) -> None:
    bsn = next(town.bsns)
    said = case_service_pb2.ReceiveReportRequest(
        request_id=str(uuid4()),
        claim=INVESTIGATE,
        resident=b"\1" * 32,
        life_domains=[pb.LIFE_DOMAIN_FINANCE],
        own_words=f"Mijn nummer is {bsn[:3]}.{bsn[3:6]}.{bsn[6:]}.",
        desk="balie",
    )
    told = refused(
        town, said, method="/exchange.v1.CaseService/ReceiveReport", token=token(town.credentials())
    )
    assert told["ErrorInfo"].reason == "BSN_REFUSED"
    assert bsn[3:] not in str(told["status"])


def test_bytes_that_are_no_message_are_refused(town: Town) -> None:
    told = refused(town, b"\xff\xff\xff", token=token(town.credentials()))
    assert told["ErrorInfo"].reason == "REQUEST_INVALID"


def test_a_message_over_one_mebibyte_is_refused(town: Town) -> None:
    told = refused(town, b"\0" * (1024 * 1024 + 1), token=token(town.credentials()))
    assert (told["code"], told["ErrorInfo"].reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE")
    assert "Split" in told["ErrorInfo"].metadata["remedy"]
    with pytest.raises(grpc.RpcError) as raised:
        raw_call(town, GET_PLAN, b"\0" * (2 * 1024 * 1024 + 1), token=token(town.credentials()))
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert raw_call(town, GET_CHECKPOINT, b"")


def test_a_call_without_deadline_is_answered(town: Town) -> None:
    answer = raw_call(town, GET_CHECKPOINT, b"", timeout_s=None)
    assert ledger_service_pb2.GetCheckpointResponse.FromString(answer).checkpoint


# --- around it ------------------------------------------------------------------------------------------


def test_health_and_reflection_answer(town: Town) -> None:
    health = raw_call(town, "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest())
    serving = health_pb2.HealthCheckResponse.FromString(health)
    assert serving.status == health_pb2.HealthCheckResponse.SERVING
    mine = town.credentials()
    secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.secure_channel(town.target, secrets) as channel:
        reflect: Any = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        answer = next(reflect(iter([asked.SerializeToString()]), timeout=60))
    listed = reflection_pb2.ServerReflectionResponse.FromString(answer).list_services_response.service
    assert "exchange.v1.PlanService" in {one.name for one in listed}
