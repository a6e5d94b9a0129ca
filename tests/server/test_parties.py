"""Organisations, identity without a BSN, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import organisation_service_pb2 as organisation_pb
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_FIND_CASE
from tests.server.town import ADMIN, AUDIT, CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from tests.server.story import Story


def test_who_has_no_right_to_the_bsn_gets_no_pseudonym(town: Town) -> None:
    with pytest.raises(errors.Denied) as refused:
        town.worker("fg", "fg-1").identity.evaluate_blinded(
            claim=AUDIT, blinded_elements=[b"\0" * 32], no_case_reason=NO_CASE_REASON_FIND_CASE
        )
    assert "R29" in refused.value.rules


def test_bytes_that_are_no_group_element_are_refused(town: Town) -> None:
    with pytest.raises(errors.Invalid) as refused:
        town.worker().identity.evaluate_blinded(
            claim=INVESTIGATE, blinded_elements=[b"\xff" * 32], no_case_reason=NO_CASE_REASON_FIND_CASE
        )
    assert refused.value.reason == "GROUP_ELEMENT_INVALID"


def test_only_the_operator_administers(town: Town) -> None:
    credentials = town.join("00000004000000044000", "beheer")
    other = town.client(Person("z-9", "beheer", "beheerder"), credentials)
    with pytest.raises(errors.RuleBroken) as refused:
        other.organisation.grant_task(claim=ADMIN, oin=CITY, task="school")
    assert refused.value.message == "only the operator may do this"
    granted = town.worker("beheer").organisation.grant_task(
        claim=ADMIN, oin="00000004000000044000", task="jeugdhulpaanbieder"
    )
    assert granted.version == len(("joined", "granted"))


def test_another_body_is_the_college_under_a_mandate_only(town: Town) -> None:
    """A college of another municipality is another recipient, and needs none."""
    oin = "00000004000000045000"
    credentials = town.join(oin, "college-andere-gemeente:PW")
    operator = town.worker("beheer").organisation
    with pytest.raises(errors.RuleBroken, match="name the mandate by which this body acts") as refused:
        operator.grant_task(claim=ADMIN, oin=oin, task="college:PW")
    assert refused.value.rule == "MANDATE_NEEDED"
    body = town.client(Person("m-1", "college:PW", "consulent"), credentials)
    reading = claim(pb.PURPOSE_INZAGE, "REGISTER-12")
    with pytest.raises(errors.NotAuthenticated):
        body.legal_basis.list_legal_bases(claim=reading, page_size=1)
    mandate = organisation_pb.Mandate(reference="gmb-2026-41233", decision_date="2026-01-01", text="Toegang")
    for wrong in (
        organisation_pb.Mandate(reference="gmb-2026-41233", decision_date="2026-01-01"),
        organisation_pb.Mandate(reference="gmb-2026-41233", decision_date="1 mei", text="Toegang"),
        organisation_pb.Mandate(reference="gmb-2026-41233", decision_date="2099-01-01", text="Toegang"),
    ):
        with pytest.raises(errors.Invalid) as invalid:
            operator.grant_task(claim=ADMIN, oin=oin, task="college:PW", mandate=wrong)
        assert [path.partition(".")[0] for path in invalid.value.field_violations] == ["mandate"]
    operator.grant_task(claim=ADMIN, oin=oin, task="college:PW", mandate=mandate)
    assert body.legal_basis.list_legal_bases(claim=reading, page_size=1).legal_bases


def test_administration_concerns_no_case(town: Town, story: Story) -> None:
    """Its basis covers no category, so a command without words must fail by the case relation it asks."""
    administrator = town.worker("beheer", "b-1")
    with pytest.raises(errors.Denied) as refused:
        administrator.case.leave_case(
            claim=ADMIN, case_id=story.case_id, oin=CITY, task="college:WMO", professional="w-1"
        )
    assert refused.value.rules == ("R03",)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_signing_key_under_which_anybody_could_sign_is_refused(town: Town, key: bytes) -> None:
    operator = town.worker("beheer").organisation
    thumbprint = b"\x07" * 32
    for call in (
        lambda: operator.join_organisation(
            claim=ADMIN,
            oin="00000009000000099000",
            name="Zwak",
            tasks=["school"],
            certificate_thumbprint=thumbprint,
            signing_key=key,
        ),
        lambda: operator.add_certificate(
            claim=ADMIN, oin=CITY, certificate_thumbprint=thumbprint, signing_key=key
        ),
    ):
        with pytest.raises(errors.Invalid) as refused:
            call()
        assert refused.value.reason == "REQUEST_INVALID"
        assert "prime-order" in refused.value.field_violations["signing_key"]


def test_a_revoked_certificate_is_refused_from_the_answer_on(town: Town) -> None:
    oin = "00000005000000055000"
    credentials = town.join(oin, "wmo-aanbieder")
    person = Person("z-2", "wmo-aanbieder", "begeleider")
    client = town.client(person, credentials)
    assert client.ledger.get_checkpoint().checkpoint
    renewed = town.issue(oin, "renewed")
    operator = town.worker("beheer").organisation
    operator.add_certificate(claim=ADMIN, oin=oin, certificate_thumbprint=renewed.thumbprint, signing_key=b"")
    operator.revoke_certificate(claim=ADMIN, oin=oin, certificate_thumbprint=credentials.thumbprint)
    with pytest.raises(errors.NotAuthenticated) as refused:
        client.ledger.get_checkpoint()
    assert refused.value.reason == "CALLER_UNKNOWN"
    assert town.client(person, renewed).ledger.get_checkpoint().checkpoint


def test_the_ledger_proves_that_it_only_grew(town: Town, story: Story) -> None:
    first = story.wmo.ledger.get_checkpoint().checkpoint
    size = int(first.split("\n")[1])
    told = story.report(story.wmo, "Nog iets.")
    story.version = told.version
    story.wmo.ledger.get_receipt(leaf_index=told.receipt.leaf_index)
    grown = story.wmo.ledger.get_consistency_proof(from_size=size)
    assert int(grown.checkpoint.split("\n")[1]) > size
    assert grown.hashes
    with pytest.raises(errors.Invalid):
        story.wmo.ledger.get_receipt(leaf_index=10**12)
    assert not town.errors
