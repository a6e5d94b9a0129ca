"""Professional secrecy on the wire: R22 withholds a bound provider's words, and nothing else of the plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.server.town import ACCESS, CARE, CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

PROVIDE = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")
ON_REQUEST = claim(pb.PURPOSE_WMO_ONDERZOEK, "WMO-5.2.2-a", "nodig voor het onderzoek")
INFORMAL = claim(pb.PURPOSE_INFORMELE_HULP, "AVG-6.1.a", "nodig om te helpen")
SAID = "Slaapt slecht sinds de verhuizing."
FIELDS = ["conversations.summary", "conversations.hold_date", "goals.own_words"]


def stamp(moment: datetime) -> Timestamp:
    time = Timestamp()
    time.FromDatetime(moment)
    return time


class Told:
    """A plan in which the provider recorded a conversation and the college a goal; a volunteer may help."""

    def __init__(self, town: Town, story: Story) -> None:
        self.story = story
        self.carer = town.client(Person("z-1", "wmo-aanbieder", "begeleider"), town.care())
        self._joins(CARE, "wmo-aanbieder", "z-1", "begeleider")
        story.goal()
        answer = self.carer.plan.record_conversation(
            claim=PROVIDE,
            plan_id=story.plan_id,
            expected_version=story.version,
            kind=plan_pb2.CONVERSATION_KIND_WITH_PROVIDER,
            hold_date="2026-11-20",
            outcome=plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
            summary=SAID,
        )
        story.version = answer.version

    def _joins(self, oin: str, task: str, professional: str, role: str) -> None:
        self.story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.story.case_id,
            oin=oin,
            task=task,
            professional=professional,
            role=role,
        )

    def volunteer(self, town: Town) -> ExchangeClient:
        """Let a volunteer in, whom the resident lets read along."""
        town.worker("beheer", "beheerder-1").organisation.grant_task(
            claim=claim(pb.PURPOSE_BEHEER, "ORG-ADMIN-24"), oin=CITY, task="vrijwilligersorganisatie"
        )
        self._joins(CITY, "vrijwilligersorganisatie", "v-1", "vrijwilliger")
        now = datetime.now(UTC)
        asked = self.story.wmo.consent.request_consent(
            claim=INVESTIGATE,
            case_id=self.story.case_id,
            kind=consent_pb.CONSENT_KIND_GDPR,
            consent_purpose=pb.PURPOSE_INFORMELE_HULP,
            recipients=[f"{CITY}/vrijwilligersorganisatie"],
            categories=["WMO-PLAN"],
            start_time=stamp(now - timedelta(minutes=1)),
            end_time=stamp(now + timedelta(days=30)),
            notice_id="folder-1",
            notice_sha256=b"\1" * 32,
        )
        self.story.resident().consent.give_consent(
            claim=WORD,
            consent_id=asked.consent_id,
            given_by=["self"],
            explicit=True,
            free_assessed=True,
            freely_given=consent_pb.FreelyGiven(alternatives=True, no_detriment=True),
            method="portal",
            expected_version=asked.version,
        )
        return town.worker("vrijwilligersorganisatie", "v-1")

    def read(self, client: ExchangeClient, why: pb.Claim, *fields: str) -> tuple[Any, tuple[str, ...]]:
        answer = client.plan.get_plan(
            claim=why, plan_id=self.story.plan_id, fields=fields or FIELDS, allow_partial=True
        )
        return answer.plan, tuple(answer.rules)


@pytest.fixture
def told(town: Town, story: Story) -> Told:
    return Told(town, story)


def test_a_consent_of_another_kind_lifts_no_secrecy(town: Town, told: Told) -> None:
    plan, rules = told.read(told.volunteer(town), INFORMAL)
    assert rules == ("R22",)
    assert [(one.summary, one.hold_date) for one in plan.conversations] == [("", "2026-11-20")]
    assert [one.own_words for one in plan.goals] == ["Weer zelf koken."]


@pytest.mark.parametrize(("who", "why"), [("wmo", ON_REQUEST), ("carer", PROVIDE), ("resident", ACCESS)])
def test_who_it_is_told_by_law_who_said_it_and_whom_it_is_about_read_it(
    told: Told, who: str, why: pb.Claim
) -> None:
    client = {"wmo": told.story.wmo, "carer": told.carer, "resident": told.story.resident()}[who]
    plan, rules = told.read(client, why, "conversations.summary")
    assert [one.summary for one in plan.conversations] == [SAID]
    assert rules == (f"P-{why.legal_basis}",)


def test_what_the_college_recorded_is_no_providers_secret(told: Told) -> None:
    _, rules = told.read(told.story.wmo, INVESTIGATE, "goals.own_words", "reports.own_words")
    assert rules == ("P-WMO-2.3.2",)
