"""A field that holds one value is said once: of two purposes in one consent not the last one is taken."""

from __future__ import annotations

import time
from datetime import timedelta

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sdk.tokens import Person, PersonTokens
from exchange.errors import RequestTooLarge
from exchange.server.contract.twice import BYTES_MAX, refuse_twice, said_twice
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.server.family import Family, stamp
from tests.server.town import INVESTIGATE, Town, details_of, raw_call

REQUEST = consent_pb.RequestConsentRequest
ASKED = REQUEST(
    request_id="a0000000-0000-4000-8000-000000000001",
    claim=INVESTIGATE,
    consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
    recipients=["00000001003214345000/college:WMO"],
    categories=["WMO-PLAN", "WONEN"],
)
SECOND = REQUEST(consent_purpose=pb.PURPOSE_WMO_LEVERING).SerializeToString()


def test_two_purposes_on_the_wire_are_refused_with_the_place_and_what_to_do(town: Town) -> None:
    family = Family(town, 40)
    now = town.now()
    request = REQUEST(
        case_id=family.case_id,
        kind=consent_pb.CONSENT_KIND_STATUTORY,
        start_time=stamp(now),
        end_time=stamp(now + timedelta(days=1)),
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    request.MergeFrom(ASKED)
    token = PersonTokens(town.credentials(), time.time).token_for(Person("w-1", "college:WMO", "regisseur"))
    with pytest.raises(grpc.RpcError) as refused:
        raw_call(
            town,
            "/exchange.v1.ConsentService/RequestConsent",
            request.SerializeToString() + SECOND,
            token=token,
        )
    told = details_of(refused.value)
    assert told["ErrorInfo"].reason == "REQUEST_INVALID"
    (violation,) = told["BadRequest"].field_violations
    assert violation.field == "consent_purpose"
    assert "a question of its own" in violation.description


def test_more_bytes_than_the_fields_can_hold_are_not_looked_through() -> None:
    refuse_twice(bytes([15 << 3, 0]) * (BYTES_MAX // 2), REQUEST.DESCRIPTOR)
    with pytest.raises(RequestTooLarge):
        refuse_twice(bytes([15 << 3, 0]) * (BYTES_MAX // 2 + 1), REQUEST.DESCRIPTOR)


def test_what_is_said_once_is_let_be() -> None:
    assert said_twice(ASKED.SerializeToString(), REQUEST.DESCRIPTOR) == ""
    assert said_twice(b"", REQUEST.DESCRIPTOR) == ""


def test_two_purposes_of_one_consent_are_seen() -> None:
    raw = ASKED.SerializeToString() + SECOND
    assert REQUEST.FromString(raw).consent_purpose == pb.PURPOSE_WMO_LEVERING
    assert said_twice(raw, REQUEST.DESCRIPTOR) == "consent_purpose"
    same = REQUEST(consent_purpose=pb.PURPOSE_WMO_AFSTEMMING).SerializeToString()
    assert said_twice(ASKED.SerializeToString() + same, REQUEST.DESCRIPTOR) == "consent_purpose"


def test_a_nested_field_and_a_nested_message_said_twice_are_seen() -> None:
    claim = INVESTIGATE.SerializeToString() + pb.Claim(legal_basis="JW-2.3").SerializeToString()
    tag = bytes([2 << 3 | 2])
    assert len(claim) < 128
    assert said_twice(tag + bytes([len(claim)]) + claim, REQUEST.DESCRIPTOR) == "claim.legal_basis"
    once = REQUEST(claim=INVESTIGATE).SerializeToString()
    assert said_twice(once + once, REQUEST.DESCRIPTOR) == "claim"


def test_a_field_nobody_knows_may_come_twice() -> None:
    unknown = bytes([15 << 3 | 5]) + b"1234" + bytes([15 << 3 | 1]) + b"12345678"
    assert said_twice(ASKED.SerializeToString() + unknown * 2, REQUEST.DESCRIPTOR) == ""
    assert said_twice(unknown + ASKED.SerializeToString() + SECOND, REQUEST.DESCRIPTOR) == "consent_purpose"


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        consent_pb.GiveConsentRequest,
        request_id=st.text(max_size=300),
        given_by=st.lists(st.text(max_size=5), max_size=4),
        explicit=st.booleans(),
        expected_version=st.integers(-(2**63), 2**63 - 1),
        claim=st.builds(pb.Claim, legal_basis=st.text(max_size=10)),
    )
)
def test_no_message_that_was_written_once_says_anything_twice(message: consent_pb.GiveConsentRequest) -> None:
    raw = message.SerializeToString()
    assert said_twice(raw, message.DESCRIPTOR) == ""
    if message.explicit:
        assert said_twice(
            raw + consent_pb.GiveConsentRequest(explicit=True).SerializeToString(), message.DESCRIPTOR
        )
