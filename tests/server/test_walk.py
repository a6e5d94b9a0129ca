"""Every rpc once and more, over mutual TLS: a resident's plan from report to audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.tokens import Person
from exchange.v1 import case_service_pb2 as case_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.server.town import ACCESS, ADMIN, AUDIT, CARE, CITY, DELIVER, INVESTIGATE, WORD, WORK, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient


class Story:
    """One resident with a case, made at the Wmo desk."""

    def __init__(self, town: Town, bsn: str) -> None:
        self.town = town
        self.wmo = town.worker("college:WMO", f"w-{bsn}")
        self.pseudonym = town.pseudonym(self.wmo, bsn)
        self.wmo.identity.register_resident(
            claim=INVESTIGATE, resident=self.pseudonym, birth_date="1980-02-29", capable=True
        )
        self.opened = self.report(self.wmo, "Ik red het huishouden niet meer.")
        self.case_id, self.plan_id = self.opened.case_id, self.opened.plan_id
        self.version = self.opened.version

    def report(self, client: ExchangeClient, words: str) -> case_pb.ReceiveReportResponse:
        return client.case.receive_report(
            claim=INVESTIGATE if client is self.wmo else WORK,
            resident=self.pseudonym,
            life_domains=[pb.LIFE_DOMAIN_INSTRUMENTAL_ADL],
            own_words=words,
            desk="wijkteam-oost",
        )

    def goal(self) -> str:
        answer = self.wmo.plan.set_goal(
            claim=INVESTIGATE,
            plan_id=self.plan_id,
            expected_version=self.version,
            own_words="Weer zelf koken.",
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
        self.version = answer.version
        return answer.goal_id

    def resident(self) -> ExchangeClient:
        return self.town.client(Person("burger-1", "betrokkene", "inwoner", resident=self.pseudonym))


@pytest.fixture
def story(town: Town) -> Story:
    return Story(town, next(town.bsns))


def denied_read(town: Town, story: Story) -> errors.Denied:
    """Let a stranger be refused."""
    stranger = town.worker("college:WMO", "stranger")
    with pytest.raises(errors.Denied) as refused:
        stranger.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    return refused.value


def test_a_report_opens_a_case_and_gives_a_receipt_that_proves_it(town: Town, story: Story) -> None:
    told = story.opened
    assert told.opened
    assert told.receipt.leaf_index == told.receipt.position - 1
    assert told.receipt.leaves == len(
        ("case.opened", "professional_joined", "plan.opened", "report_received")
    )
    proof = story.wmo.ledger.get_receipt(leaf_index=told.receipt.leaf_index).tlog_proof
    index = verify_receipt(told.receipt.leaf_entry, proof, town.core.signer.vkey)
    assert index == told.receipt.leaf_index


def test_a_second_desk_lands_in_the_same_case_and_gets_no_look_inside(town: Town, story: Story) -> None:
    work = town.worker("college:PW", "p-77")
    told = story.report(work, "Ik wil werken.")
    assert (told.case_id, told.plan_id, told.opened) == (story.case_id, story.plan_id, False)
    story.version = told.version
    with pytest.raises(errors.Denied) as refused:
        work.plan.get_plan(claim=WORK, plan_id=story.plan_id, fields=["goals.own_words"])
    assert refused.value.rules == ("R03",)
    assert refused.value.localized.startswith("Geweigerd")


def test_the_same_request_id_gets_the_same_answer_and_other_content_is_refused(story: Story) -> None:
    request_id = str(uuid4())
    fields: dict[str, Any] = {
        "request_id": request_id,
        "claim": INVESTIGATE,
        "resident": story.pseudonym,
        "life_domains": [pb.LIFE_DOMAIN_HOUSING],
        "desk": "balie",
    }
    first = story.wmo.case.receive_report(own_words="Mijn huis is te klein.", **fields)
    again = story.wmo.case.receive_report(own_words="Mijn huis is te klein.", **fields)
    assert again == first
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.case.receive_report(own_words="Iets anders.", **fields)
    assert refused.value.reason == "REQUEST_ID_REUSED"
    story.version = first.version


def test_a_plan_is_read_by_asked_leaf_paths_only(story: Story) -> None:
    goal_id = story.goal()
    answer = story.wmo.plan.get_plan(
        claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words", "version"]
    )
    assert answer.plan.version == story.version
    assert [goal.own_words for goal in answer.plan.goals] == ["Weer zelf koken."]
    assert not any(goal.goal_id or goal.desired_effect for goal in answer.plan.goals)
    assert goal_id
    assert answer.decision_id


def test_a_wrong_version_is_refused_and_nothing_is_written(story: Story) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.plan.assess_lens(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version + 7,
            law=pb.LAW_WMO_2015,
            finding=plan_pb2.LENS_FINDING_FITS,
            reason="past",
        )
    assert refused.value.reason == "VERSION_CONFLICT"
    read = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    assert read.plan.version == story.version


def test_an_unknown_plan_and_a_plan_of_others_are_refused_alike(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    told = []
    for plan_id in (story.plan_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            stranger.plan.get_plan(claim=INVESTIGATE, plan_id=plan_id, fields=["goals.own_words"])
        told.append(
            (refused.value.rules, refused.value.localized, refused.value.remedies, refused.value.message)
        )
    assert told[0] == told[1]


def test_an_unknown_resident_and_a_case_of_others_are_refused_alike(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    told = []
    for pseudonym in (story.pseudonym, town.pseudonym(stranger, next(town.bsns))):
        with pytest.raises(errors.Denied) as refused:
            stranger.case.find_case(claim=INVESTIGATE, resident=pseudonym, fields=["case_id", "plan_id"])
        told.append((refused.value.rules, refused.value.localized, refused.value.remedies))
    assert told[0] == told[1]


def test_who_works_on_the_case_finds_it(story: Story) -> None:
    found = story.wmo.case.find_case(claim=INVESTIGATE, resident=story.pseudonym, fields=["case_id"])
    assert (found.case_id, found.plan_id) == (story.case_id, "")


def test_a_professional_joins_in_a_granted_task_only(town: Town, story: Story) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=story.case_id,
            oin=CITY,
            task="uwv",
            professional="u-1",
            role="consulent",
        )
    assert refused.value.reason == "RULE_BROKEN"
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:PW",
        professional="p-1",
        role="consulent",
    )
    assert town.state("case", story.case_id).professionals[-1].professional == "p-1"
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, task="college:PW", professional="p-1"
    )
    assert town.state("case", story.case_id).professionals[-1].end is not None


def test_situations_are_grouped_by_category_and_given_in_part(town: Town, story: Story) -> None:
    for life_domain in (pb.LIFE_DOMAIN_HOUSING, pb.LIFE_DOMAIN_PHYSICAL_HEALTH):
        described = story.wmo.plan.describe_situation(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            life_domain=life_domain,
            description="Het gaat niet goed.",
            score=2,
            judge_date="2026-11-01",
        )
        story.version = described.version
    joined = town.care()
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-1",
        role="begeleider",
    )
    carer = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), joined)
    whole = carer.plan.get_plan(
        claim=DELIVER, plan_id=story.plan_id, fields=["situations.description", "situations.life_domain"]
    )
    assert len(whole.plan.situations) == len(("housing", "health"))
    assert not whole.withheld_fields


def test_a_withdrawal_ends_what_rested_on_the_consent(town: Town, story: Story) -> None:
    now = datetime.now(UTC)
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(now - timedelta(minutes=1))
    end.FromDatetime(now + timedelta(days=30))
    asked = story.wmo.consent.request_consent(
        claim=INVESTIGATE,
        case_id=story.case_id,
        kind=consent_pb.CONSENT_KIND_STATUTORY,
        consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{CITY}/college:WMO"],
        categories=["WMO-PLAN"],
        start_time=start,
        end_time=end,
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    resident = story.resident()
    given = resident.consent.give_consent(
        claim=WORD,
        consent_id=asked.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method="portal",
        expected_version=asked.version,
    )
    listed = story.wmo.consent.list_consents(
        claim=INVESTIGATE, case_id=story.case_id, fields=["consents.state", "consents.consent_id"]
    )
    assert [(one.consent_id, one.state) for one in listed.consents] == [
        (asked.consent_id, consent_pb.CONSENT_STATE_GIVEN)
    ]
    assert listed.consents[0].purpose == pb.PURPOSE_UNSPECIFIED
    gone = resident.consent.withdraw_consent(claim=WORD, consent_id=asked.consent_id)
    assert gone.version == given.version + 1
    again = resident.consent.withdraw_consent(claim=WORD, consent_id=asked.consent_id)
    assert (again.version, again.receipt.leaves) == (gone.version, 0)


def test_the_resident_sees_who_asked_and_why_it_was_refused(town: Town, story: Story) -> None:
    for _ in range(3):
        denied_read(town, story)
    resident = story.resident()
    fields = ["task", "outcome", "rules", "explanation", "decide_time", "leaf_index", "professional"]
    listed = resident.disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=[f"disclosures.{name}" for name in fields],
        allow_partial=True,
        page_size=2,
    )
    assert len(listed.disclosures) == len(("newest", "one before"))
    assert listed.withheld_fields == ["disclosures.professional"]
    assert all(one.explanation and not one.professional for one in listed.disclosures)
    times = [one.decide_time.ToDatetime() for one in listed.disclosures]
    assert times == sorted(times, reverse=True)
    rest = resident.disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=[f"disclosures.{name}" for name in fields],
        allow_partial=True,
        page_size=2,
        page_token=listed.next_page_token,
    )
    assert {one.leaf_index for one in rest.disclosures}.isdisjoint(
        one.leaf_index for one in listed.disclosures
    )


def test_another_resident_sees_nothing_of_it(town: Town, story: Story) -> None:
    other = Story(town, next(town.bsns)).resident()
    told = []
    for case_id in (story.case_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            other.disclosure.list_disclosures(claim=ACCESS, case_id=case_id, fields=["disclosures.outcome"])
        told.append((refused.value.rules, refused.value.localized, refused.value.remedies))
    assert told[0] == told[1]


def test_the_officer_reads_decisions_by_pseudonym(town: Town, story: Story) -> None:
    denied_read(town, story)
    denied_read(town, story)
    officer = town.worker("fg", "fg-1")
    fields = ["disclosure.outcome", "disclosure.rules", "resident_pseudonym", "officer_explanation"]
    listed = officer.audit.list_decisions(
        claim=AUDIT,
        fields=[f"decisions.{name}" for name in fields],
        outcomes=["DENY"],
        page_size=1,
    )
    assert [one.disclosure.outcome for one in listed.decisions] == ["DENY"]
    assert listed.next_page_token
    again = officer.audit.list_decisions(
        claim=AUDIT,
        fields=[f"decisions.{name}" for name in fields],
        outcomes=["DENY"],
        page_size=200,
        page_token=listed.next_page_token,
    )
    told = [one.resident_pseudonym for one in (*listed.decisions, *again.decisions)]
    resident = town.resident_of(story.pseudonym)
    assert town.core.log_pseudonym(resident) in told
    assert resident not in "".join(told)
    assert all(one.officer_explanation for one in again.decisions)


def test_a_page_token_of_another_question_is_refused(town: Town, story: Story) -> None:
    denied_read(town, story)
    denied_read(town, story)
    officer = town.worker("fg", "fg-1")
    listed = officer.audit.list_decisions(
        claim=AUDIT, fields=["decisions.disclosure.outcome"], outcomes=["DENY"], page_size=1
    )
    with pytest.raises(errors.Invalid) as refused:
        officer.audit.list_decisions(
            claim=AUDIT,
            fields=["decisions.disclosure.outcome"],
            outcomes=["PERMIT"],
            page_token=listed.next_page_token,
        )
    assert list(refused.value.field_violations) == ["page_token"]


def test_an_unlabelled_or_unknown_field_can_never_be_asked(story: Story) -> None:
    with pytest.raises(errors.Invalid) as refused:
        story.wmo.plan.get_plan(
            claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals", "version", "supports.secret"]
        )
    assert sorted(refused.value.field_violations) == ["fields[0]", "fields[2]"]


def test_who_has_no_right_to_the_bsn_gets_no_pseudonym(town: Town) -> None:
    with pytest.raises(errors.Denied) as refused:
        town.worker("fg", "fg-1").identity.evaluate_blinded(claim=AUDIT, blinded_elements=[b"\0" * 32])
    assert "R29" in refused.value.rules


def test_bytes_that_are_no_group_element_are_refused(town: Town) -> None:
    with pytest.raises(errors.Invalid) as refused:
        town.worker().identity.evaluate_blinded(claim=INVESTIGATE, blinded_elements=[b"\xff" * 32])
    assert refused.value.reason == "GROUP_ELEMENT_INVALID"


def test_only_the_operator_administers(town: Town) -> None:
    credentials = town.join("00000004000000044000", "beheer")
    other = town.client(Person("z-9", "beheer", "beheerder"), credentials)
    with pytest.raises(errors.Denied) as refused:
        other.organisation.grant_task(claim=ADMIN, oin=CITY, task="school")
    assert "beheerder" in refused.value.localized
    granted = town.worker("beheer").organisation.grant_task(
        claim=ADMIN, oin="00000004000000044000", task="jeugdhulpaanbieder"
    )
    assert granted.version == len(("joined", "granted"))


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
