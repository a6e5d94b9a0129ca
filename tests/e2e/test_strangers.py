"""Who is not let in, and what they learn: nothing, and nothing about whether somebody is known here.

Source: RFC 8705, RFC 7519; AIP-211 (refusing alike); GDPR 5(1)(f), 32.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person, base64url
from exchange.keys.authority import DevelopmentAuthority
from exchange.v1 import case_service_pb2, common_pb2, consent_service_pb2, disclosure_service_pb2, plan_pb2
from exchange.v1 import plan_service_pb2 as plan_pb
from tests.e2e.service import ACCESS, ADMIN, CARE, CITY, DELIVER, INVESTIGATE, WORD, Case, made_up_bsns
from tests.e2e.wire import (
    CODE,
    DECIDED,
    GET_CHECKPOINT,
    GET_PLAN,
    Refused,
    assert_refused,
    goal,
    question,
    refused,
    token_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from tests.e2e.service import Service

PROVIDE = claim(common_pb2.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")

# --- who asks -------------------------------------------------------------------------------------------


def assert_unauthenticated(service: Service, reason: str, **how: Any) -> Refused:  # noqa: ANN401 -- arguments of a call
    """Refused before anything is judged, and nothing is written."""
    before = service.position()
    told = refused(service, GET_PLAN, question(), **how)
    assert_refused(told, CODE.UNAUTHENTICATED, reason)
    assert service.position() == before
    return told


def test_no_token_is_refused(service: Service) -> None:
    assert_unauthenticated(service, "PERSON_TOKEN_INVALID", token=None)
    assert_unauthenticated(service, "PERSON_TOKEN_INVALID", token="")


def test_an_expired_token_is_refused(service: Service) -> None:
    old = token_of(service.credentials(), at=time.time() - 600)
    told = assert_unauthenticated(service, "PERSON_TOKEN_INVALID", token=old)
    assert told.info.metadata["claim"] == "exp"


def test_a_token_that_names_somebody_by_a_bsn_is_refused(service: Service) -> None:
    bsn = next(made_up_bsns())
    for name, value in (("professional", bsn), ("professional", f"burger:{bsn}"), ("role", bsn)):
        said: dict[str, Any] = {name: value}
        told = assert_unauthenticated(
            service, "PERSON_TOKEN_INVALID", token=token_of(service.credentials(), **said)
        )
        assert told.info.metadata["claim"] in {"sub", "role"}
        assert bsn not in str(told.metadata)


def test_a_token_of_another_organisation_is_refused(service: Service) -> None:
    theirs = token_of(service.care(), task="wmo-aanbieder")
    assert_unauthenticated(service, "PERSON_TOKEN_INVALID", token=theirs)
    mine = token_of(service.credentials())
    assert_unauthenticated(service, "PERSON_TOKEN_INVALID", token=mine, credentials=service.care())


def test_a_token_bound_to_another_certificate_of_the_same_organisation_is_refused(service: Service) -> None:
    second = service.issue(CITY, f"second-{uuid4()}")
    service.worker("beheer").organisation.add_certificate(
        claim=ADMIN,
        oin=CITY,
        certificate_thumbprint=second.thumbprint,
        signing_key=second.signing_key.public_key().public_bytes_raw(),
    )
    assert_refused(
        refused(service, GET_PLAN, question(), credentials=second, token=token_of(second)),
        CODE.PERMISSION_DENIED,
        "ACCESS_DENIED",
    )
    other = token_of(service.credentials())
    assert base64url(second.thumbprint) != base64url(service.credentials().thumbprint)
    assert_unauthenticated(service, "PERSON_TOKEN_INVALID", token=other, credentials=second)


def test_an_unregistered_certificate_is_refused(service: Service) -> None:
    for oin in ("00000007000000077000", CITY):
        unknown = service.issue(oin, f"unknown-{uuid4()}")
        assert_unauthenticated(service, "CALLER_UNKNOWN", credentials=unknown, token=token_of(unknown))


def test_a_revoked_certificate_is_refused(service: Service) -> None:
    oin = "00000005000000055000"
    revoked = service.join(oin, "wmo-aanbieder")
    token = token_of(revoked, task="wmo-aanbieder")
    assert service.raw_call(GET_CHECKPOINT, b"", credentials=revoked)
    service.worker("beheer").organisation.revoke_certificate(
        claim=ADMIN, oin=oin, certificate_thumbprint=revoked.thumbprint
    )
    assert_unauthenticated(service, "CALLER_UNKNOWN", credentials=revoked, token=token)


def assert_no_connection(service: Service, credentials: grpc.ChannelCredentials) -> None:
    """TLS itself refuses: no call comes through."""
    before = service.position()
    with grpc.secure_channel(service.target, credentials) as channel:
        call: Any = channel.unary_unary(GET_CHECKPOINT)
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=3)
    assert Refused(raised.value).code in {CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED}
    assert service.position() == before
    assert service.raw_call(GET_CHECKPOINT, b"")


def test_a_certificate_of_another_authority_gets_no_connection(service: Service, tmp_path: Path) -> None:
    folder = (
        DevelopmentAuthority(tmp_path / "foreign").issue_organisation(CITY, "Gemeente", tmp_path / "x").folder
    )
    root = service.credentials().root_pem
    key, chain = (folder / "client.key").read_bytes(), (folder / "client.pem").read_bytes()
    assert_no_connection(service, grpc.ssl_channel_credentials(root, key, chain))


def test_an_expired_certificate_gets_no_connection(service: Service) -> None:
    days = timedelta(days=3)
    old = service.issue(CITY, f"old-{uuid4()}", valid_from=datetime.now(UTC) - days, valid_for=days / 3)
    assert_no_connection(
        service, grpc.ssl_channel_credentials(old.root_pem, old.key_pem, old.certificate_pem)
    )


def test_nobody_comes_in_without_a_certificate(service: Service) -> None:
    assert_no_connection(service, grpc.ssl_channel_credentials(service.credentials().root_pem))


def test_a_provider_without_a_part_in_the_case_learns_nothing(service: Service, case: Case) -> None:
    token = token_of(service.care(), professional="z-9", task="wmo-aanbieder")
    before = service.position()
    told = refused(service, GET_PLAN, question(case, claim=DELIVER), credentials=service.care(), token=token)
    assert_refused(told, CODE.PERMISSION_DENIED, "ACCESS_DENIED")
    assert told.info.metadata["rules"] == "R03"
    assert service.topics_after(before) == [DECIDED]
    assert CARE not in str(told.status)


# --- known and unknown alike ----------------------------------------------------------------------------


def about(kind: str, case: Case, consent_id: str, *, known: bool) -> tuple[str, Message]:
    """Return a call about something of others, or the same about what does not exist."""
    none = str(uuid4())
    plan_id, case_id = (case.plan_id, case.case_id) if known else (none, none)
    consent_id = consent_id if known else none
    common: dict[str, Any] = {"request_id": str(uuid4()), "claim": INVESTIGATE}
    requests: dict[str, Message] = {
        "PlanService/GetPlan": question(plan_id=plan_id, fields=["goals.own_words", "situations.score"]),
        "PlanService/SetGoal": goal(case, plan_id=plan_id),
        "PlanService/StopSupport": plan_pb.StopSupportRequest(
            **common,
            plan_id=plan_id,
            expected_version=1,
            support_id=none,
            care_end_date="2027-01-01",
            reason=plan_pb2.STOP_REASON_MOVED,
        ),
        "CaseService/LeaveCase": case_service_pb2.LeaveCaseRequest(
            **common, case_id=case_id, oin=CITY, task="college:WMO", professional="w-1"
        ),
        "ConsentService/ListConsents": consent_service_pb2.ListConsentsRequest(
            claim=INVESTIGATE, case_id=case_id, fields=["consents.state"]
        ),
        "ConsentService/WithdrawConsent": consent_service_pb2.WithdrawConsentRequest(
            request_id=str(uuid4()), claim=WORD, consent_id=consent_id
        ),
        "ConsentService/RefuseConsent": consent_service_pb2.RefuseConsentRequest(
            **common, consent_id=consent_id, expected_version=7
        ),
        "DisclosureService/ListDisclosures": disclosure_service_pb2.ListDisclosuresRequest(
            claim=ACCESS, case_id=case_id, fields=["disclosures.outcome"]
        ),
    }
    return f"/exchange.v1.{kind}", requests[kind]


def without_ids(told: Refused) -> tuple[object, ...]:
    """Return all that came over the wire, but for the decision's own id."""
    decision_id = told.info.metadata["decision_id"]
    assert len(decision_id) == 32
    assert told.raw.count(decision_id.encode()) == 1
    others = {name: value for name, value in told.metadata.items() if name != "grpc-status-details-bin"}
    return told.code, told.raw.replace(decision_id.encode(), b"-" * 32), others


@pytest.mark.parametrize(
    "kind",
    [
        "PlanService/GetPlan",
        "PlanService/SetGoal",
        "PlanService/StopSupport",
        "CaseService/LeaveCase",
        "ConsentService/ListConsents",
        "ConsentService/WithdrawConsent",
        "ConsentService/RefuseConsent",
        "DisclosureService/ListDisclosures",
    ],
)
@pytest.mark.parametrize("who", ["colleague", "provider", "resident"])
def test_what_is_of_others_and_what_does_not_exist_are_refused_alike(
    service: Service, kind: str, who: str
) -> None:
    case = Case(service)
    consent_id = case.give_consent()
    asker: dict[str, Any] = {"token": token_of(service.credentials(), professional="stranger")}
    if who == "provider":
        asker = {"credentials": service.care(), "token": token_of(service.care(), task="wmo-aanbieder")}
    if who == "resident":
        mine = Case(service).pseudonym
        asker = {"token": token_of(service.credentials(), task="betrokkene", role="inwoner", resident=mine)}
    told = []
    for known in (True, False):
        before = service.position()
        answer = refused(service, *about(kind, case, consent_id, known=known), **asker)
        assert_refused(answer, CODE.PERMISSION_DENIED, "ACCESS_DENIED")
        assert service.topics_after(before) == [DECIDED]
        told.append(without_ids(answer))
    assert told[0] == told[1]


def test_a_resident_of_others_and_one_nobody_knows_are_refused_alike(service: Service, case: Case) -> None:
    unknown = service.pseudonym(case.wmo, service.bsn())
    told = []
    for resident in (case.pseudonym, unknown, unknown):
        before = service.position()
        request = case_service_pb2.FindCaseRequest(
            claim=INVESTIGATE, resident=resident, fields=["case_id", "plan_id"]
        )
        answer = refused(service, "/exchange.v1.CaseService/FindCase", request)
        assert_refused(answer, CODE.PERMISSION_DENIED, "ACCESS_DENIED")
        assert service.topics_after(before) == [DECIDED]
        told.append(without_ids(answer))
    assert told[0] == told[1] == told[2]


def test_a_report_tells_a_provider_nothing_of_whether_the_resident_is_known(
    service: Service, case: Case
) -> None:
    carer = service.client(Person("z-9", "wmo-aanbieder", "begeleider"), service.care())
    told = []
    for number in (case.bsn, service.bsn()):
        pin = service.data.parent / f"{service.data.name}-pin-of-care-{number}"
        (resident,) = Pseudonyms(pin).of(carer.identity, PROVIDE, [Bsn(number)])
        before = service.position()
        answer = carer.case.receive_report(
            claim=PROVIDE,
            resident=resident,
            life_domains=[common_pb2.LIFE_DOMAIN_FINANCE],
            own_words="Hulp.",
            desk="thuiszorg",
        )
        grown = service.position() - before
        told.append((*(field.name for field, _ in answer.ListFields()), answer.receipt.leaves, grown))
    assert told[0] == told[1]
    assert told[0][:3] == ("receipt", "report_id", 1)
