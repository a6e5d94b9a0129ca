"""The blocking client against a real server: what it sends, what it repeats, what it raises."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import jwt
import pytest

from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import (
    CertificateExpired,
    Conflict,
    CredentialsInvalid,
    Denied,
    Invalid,
    OutcomeUnknown,
    PersonMissing,
    ServerFault,
    ServerNotTrusted,
    Unavailable,
    Unreachable,
)
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from exchange.errors import (
    AccessDenied,
    Draining,
    KeyUnavailable,
    Overloaded,
    RequestInvalid,
    VersionConflict,
)
from exchange.keys.authority import DevelopmentAuthority
from exchange.v1.common_pb2 import LIFE_DOMAIN_FINANCE, PURPOSE_WMO_ONDERZOEK
from exchange.v1.ledger_service_pb2 import GetCheckpointResponse
from exchange.v1.plan_service_pb2 import GetPlanResponse, SetGoalRequest, SetGoalResponse
from tests.sdk.conftest import OIN, QUICK, UNTIL_IT_ARRIVES_S
from tests.sdk.exchange_fake import FakeExchange, refuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.errors import ExchangeError

PLAN = "0b9a0c6e-6a0c-4c8e-9d4e-0f3a7a3f7a11"


def set_goal(client: ExchangeClient, **more: Any) -> SetGoalResponse:  # noqa: ANN401 -- fields of the request
    return client.plan.set_goal(
        claim=claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "to plan support"),
        plan_id=PLAN,
        expected_version=3,
        own_words="weer slapen",
        life_domain=LIFE_DOMAIN_FINANCE,
        **more,
    )


def failing(times: int, error: ExchangeError) -> Callable[[object, grpc.ServicerContext], SetGoalResponse]:
    """Refuse so many times, then answer."""
    left = [times]

    def handler(_request: object, context: grpc.ServicerContext) -> SetGoalResponse:
        left[0] -= 1
        if left[0] >= 0:
            refuse(context, error)
        return SetGoalResponse(version=4, goal_id="g")

    return handler


def test_a_command_arrives_whole_and_its_answer_comes_back(
    exchange: FakeExchange, client: ExchangeClient
) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse(version=4, goal_id="g"))
    answer = set_goal(client)
    assert (answer.version, answer.goal_id) == (4, "g")
    (request,) = exchange.requests["SetGoal"]
    assert request.claim.legal_basis == "WMO-2.3.2"
    assert request.claim.necessity.text == "to plan support"
    assert request.own_words == "weer slapen"
    assert UUID(request.request_id).version == 4


def test_each_command_has_an_id_of_its_own(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse())
    set_goal(client)
    set_goal(client)
    assert len({request.request_id for request in exchange.requests["SetGoal"]}) == 2


def test_an_id_given_is_the_id_sent(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse())
    mine = "6f1f6f64-0f0e-4f5e-8f35-0a6a54b62f51"
    set_goal(client, request_id=mine)
    assert exchange.requests["SetGoal"][0].request_id == mine


@pytest.mark.parametrize("error", [Draining("stopping"), Overloaded("full")])
def test_what_is_temporary_is_repeated_under_the_same_id(
    exchange: FakeExchange, client: ExchangeClient, error: ExchangeError
) -> None:
    error.retry_after_ms = 1
    exchange.on("SetGoal", failing(3, error))
    assert set_goal(client).version == 4
    sent = exchange.requests["SetGoal"]
    assert len(sent) == 4
    assert len({request.SerializeToString(deterministic=True) for request in sent}) == 1


def test_patience_ends(exchange: FakeExchange, client: ExchangeClient) -> None:
    error = Draining("stopping")
    error.retry_after_ms = 1
    exchange.on("SetGoal", failing(100, error))
    with pytest.raises(Unavailable) as caught:
        set_goal(client)
    assert len(exchange.requests["SetGoal"]) == QUICK.attempts_max
    assert caught.value.reason == "DRAINING"
    assert caught.value.request_id == exchange.requests["SetGoal"][0].request_id


def test_a_wait_beyond_the_time_limit_is_not_begun(exchange: FakeExchange, client: ExchangeClient) -> None:
    error = Draining("stopping")
    error.retry_after_ms = 60_000
    exchange.on("SetGoal", failing(100, error))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        set_goal(client.with_timeout(30))
    assert time.monotonic() - began < 30
    assert len(exchange.requests["SetGoal"]) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AccessDenied("refused", rules=("R05",)), Denied),
        (VersionConflict("someone was first", expected="3", found="4"), Conflict),
        (RequestInvalid("wrong", {"own_words": "is empty"}), Invalid),
    ],
)
def test_a_refusal_is_not_repeated(
    exchange: FakeExchange, client: ExchangeClient, error: ExchangeError, kind: type[Exception]
) -> None:
    exchange.on("SetGoal", failing(100, error))
    with pytest.raises(kind):
        set_goal(client)
    assert len(exchange.requests["SetGoal"]) == 1


def test_unavailable_without_a_time_is_not_repeated(exchange: FakeExchange, client: ExchangeClient) -> None:
    error = KeyUnavailable("the key store is away")
    exchange.on("SetGoal", failing(100, error))
    with pytest.raises(Unavailable):
        set_goal(client)
    assert len(exchange.requests["SetGoal"]) == 1


def test_time_runs_out(exchange: FakeExchange, client: ExchangeClient) -> None:
    release = threading.Event()

    def slow(_request: object, _context: object) -> SetGoalResponse:
        release.wait(60)
        return SetGoalResponse()

    exchange.on("SetGoal", slow)
    for timeout_s in UNTIL_IT_ARRIVES_S:
        with pytest.raises(OutcomeUnknown) as caught:
            set_goal(client.with_timeout(timeout_s))
        arrived = [request.request_id for request in exchange.requests["SetGoal"]]
        if caught.value.request_id in arrived:
            break
    release.set()
    assert arrived.count(caught.value.request_id) == 1
    assert len(set(arrived)) == len(arrived)


def test_the_person_travels_in_a_signed_token(
    exchange: FakeExchange, client: ExchangeClient, credentials: Credentials
) -> None:
    exchange.on("GetPlan", lambda _request, _context: GetPlanResponse())
    client.plan.get_plan(plan_id=PLAN, fields=["goals.own_words"])
    token = exchange.metadata[0]["x-exchange-person"]
    claims = jwt.decode(
        token, credentials.signing_key.public_key(), algorithms=["EdDSA"], audience="exchange.v1"
    )
    assert (claims["iss"], claims["sub"], claims["task"]) == (OIN, "p-17", "college:WMO")


def test_siblings_speak_for_others_over_the_same_line(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("GetPlan", lambda _request, _context: GetPlanResponse())
    client.plan.get_plan(plan_id=PLAN)
    client.with_person(Person("p-18", "college:PW", "klantmanager")).plan.get_plan(plan_id=PLAN)
    client.plan.get_plan(plan_id=PLAN)
    subjects = [
        jwt.decode(found["x-exchange-person"], options={"verify_signature": False})["sub"]
        for found in exchange.metadata
    ]
    assert subjects == ["p-17", "p-18", "p-17"]


def test_the_ledger_asks_no_person(exchange: FakeExchange, credentials: Credentials) -> None:
    exchange.on("GetCheckpoint", lambda _request, _context: GetCheckpointResponse(checkpoint="note"))
    with ExchangeClient(exchange.target, credentials) as client:
        assert client.ledger.get_checkpoint().checkpoint == "note"
        assert "x-exchange-person" not in exchange.metadata[0]
        with pytest.raises(PersonMissing, match="GetPlan"):
            client.plan.get_plan(plan_id=PLAN)


def test_an_expired_certificate_is_named_before_any_call(
    exchange: FakeExchange, authority: DevelopmentAuthority, person: Person, tmp_path: Path
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    folder = authority.issue_organisation(OIN, "A", tmp_path / "old", valid_from=long_ago).folder
    with (
        ExchangeClient(exchange.target, Credentials.load(folder), person) as client,
        pytest.raises(CertificateExpired, match=rf"{OIN} expired at .* UTC"),
    ):
        set_goal(client)
    assert not exchange.requests


def test_a_certificate_of_tomorrow_points_at_the_clock(
    exchange: FakeExchange, authority: DevelopmentAuthority, person: Person, tmp_path: Path
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    folder = authority.issue_organisation(OIN, "A", tmp_path / "new", valid_from=tomorrow).folder
    with (
        ExchangeClient(exchange.target, Credentials.load(folder), person) as client,
        pytest.raises(CertificateExpired, match="clock"),
    ):
        set_goal(client)


def test_an_expired_server_certificate_is_not_trusted(
    authority: DevelopmentAuthority, credentials: Credentials, person: Person, tmp_path: Path
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    fake = FakeExchange(authority.issue_server(tmp_path / "server", valid_from=long_ago))
    fake.start()
    try:
        with (
            ExchangeClient(fake.target, credentials, person, patience=QUICK) as client,
            pytest.raises(ServerNotTrusted),
        ):
            set_goal(client)
    finally:
        fake.close()


def test_a_server_of_another_root_is_not_trusted(
    credentials: Credentials, person: Person, tmp_path: Path
) -> None:
    fake = FakeExchange(DevelopmentAuthority(tmp_path / "foreign").issue_server(tmp_path / "server"))
    fake.start()
    try:
        with (
            ExchangeClient(fake.target, credentials, person, patience=QUICK) as client,
            pytest.raises(ServerNotTrusted),
        ):
            set_goal(client)
    finally:
        fake.close()


def test_a_client_of_another_root_is_kept_out(
    exchange: FakeExchange, credentials: Credentials, person: Person, tmp_path: Path
) -> None:
    foreign = DevelopmentAuthority(tmp_path / "foreign")
    folder = foreign.issue_organisation(OIN, "A", tmp_path / "org").folder
    # It trusts the real root, so that only its own certificate is foreign.
    (folder / "ca.pem").write_bytes(credentials.root_pem)
    with (
        ExchangeClient(exchange.target, Credentials.load(folder), person, patience=QUICK) as client,
        pytest.raises(Unreachable),
    ):
        set_goal(client)
    assert not exchange.requests


def test_another_server_name_is_taken_on_loopback_only(
    authority: DevelopmentAuthority, credentials: Credentials, person: Person, tmp_path: Path
) -> None:
    fake = FakeExchange(authority.issue_server(tmp_path / "server", ["exchange.test"]))
    fake.on("SetGoal", lambda _request, _context: SetGoalResponse(version=9))
    fake.start()
    try:
        with ExchangeClient(fake.target, credentials, person, server_name="exchange.test") as client:
            assert set_goal(client).version == 9
        with (
            ExchangeClient(fake.target, credentials, person, patience=QUICK) as client,
            pytest.raises(Unreachable),
        ):
            set_goal(client)
    finally:
        fake.close()
    for target in ("exchange.test:443", "localhost.evil.test:443", "127.0.0.1.evil.test:443", "10.0.0.1:443"):
        with pytest.raises(CredentialsInvalid, match="loopback"):
            ExchangeClient(target, credentials, person, server_name="exchange.test")


def test_nobody_home_is_unreachable_and_then_served(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("SetGoal", lambda _request, _context: SetGoalResponse(version=4))
    set_goal(client)
    exchange.stop()
    with pytest.raises(Unreachable):
        set_goal(client)
    exchange.start()
    patient = Patience(attempts_max=100, wait_first_s=0.02, wait_max_s=0.1)
    with ExchangeClient(
        exchange.target, client._connection.current[0].credentials, patience=patient
    ) as other:
        assert set_goal(other.with_person(Person("p", "t", "r"))).version == 4


def test_a_call_cut_by_a_restart_is_repeated_under_the_same_id(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> None:
    entered = threading.Event()

    def cut_once(_request: object, context: grpc.ServicerContext) -> SetGoalResponse:
        if not entered.is_set():
            entered.set()
            exchange.stopping.wait(10)
            context.abort(grpc.StatusCode.UNAVAILABLE, "socket closed")
        return SetGoalResponse(version=4)

    exchange.on("SetGoal", cut_once)
    patience = Patience(attempts_max=100, wait_first_s=0.02, wait_max_s=0.1)
    answers: list[SetGoalResponse] = []
    with ExchangeClient(exchange.target, credentials, person, patience=patience) as client:
        caller = threading.Thread(target=lambda: answers.append(set_goal(client)))
        caller.start()
        assert entered.wait(10)
        exchange.stop()
        exchange.start()
        caller.join(10)
    assert [answer.version for answer in answers] == [4]
    assert len({request.request_id for request in exchange.requests["SetGoal"]}) == 1


def test_renewed_credentials_are_used_from_the_next_call(
    exchange: FakeExchange, authority: DevelopmentAuthority, client: ExchangeClient, tmp_path: Path
) -> None:
    seen: list[object] = []

    def who(_request: object, context: grpc.ServicerContext) -> SetGoalResponse:
        seen.append(context.auth_context()["x509_pem_cert"][0])
        return SetGoalResponse()

    exchange.on("SetGoal", who)
    sibling = client.with_person(Person("p-18", "college:WMO", "regisseur"))
    set_goal(sibling)
    renewed = Credentials.load(authority.issue_organisation(OIN, "A", tmp_path / "renewed").folder)
    client.rotate(renewed)
    set_goal(client)
    set_goal(sibling)
    assert seen[1] == seen[2] == renewed.certificate_pem
    assert seen[0] != seen[1]
    bindings = Counter(
        jwt.decode(found["x-exchange-person"], options={"verify_signature": False})["cnf"]["x5t#S256"]
        for found in exchange.metadata
    )
    assert sorted(bindings.values()) == [1, 2]


def test_credentials_of_another_organisation_are_no_renewal(
    authority: DevelopmentAuthority, client: ExchangeClient, tmp_path: Path
) -> None:
    other = authority.issue_organisation("0" * 20, "B", tmp_path / "other").folder
    with pytest.raises(CredentialsInvalid, match="another organisation"):
        client.rotate(Credentials.load(other))


def test_a_question_too_large_is_invalid_and_stays_here(
    exchange: FakeExchange, client: ExchangeClient
) -> None:
    with pytest.raises(Invalid):
        client.plan.set_goal(own_words="x" * (1024 * 1024 + 1))
    assert not exchange.requests


def test_an_unknown_call_is_a_fault_of_the_server(exchange: FakeExchange, client: ExchangeClient) -> None:
    def unimplemented(_request: SetGoalRequest, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no such call")

    exchange.on("SetGoal", unimplemented)
    with pytest.raises(ServerFault, match="no such call"):
        set_goal(client)
