"""A withdrawal against a thousand reads with real clients: no later answer holds what was withdrawn."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.server.town import CITY, INVESTIGATE, QUICK, WORD, WORK, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient

READS = 1_000
READERS = 100
CONNECTIONS = 4
WORDS = "Weer aan het werk."
REUSE = claim(pb.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", "nodig om hulp af te stemmen")


def stamp(moment: datetime) -> Timestamp:
    time = Timestamp()
    time.FromDatetime(moment)
    return time


def case_with_goal_of_work(town: Town, wmo: ExchangeClient, work: ExchangeClient) -> tuple[bytes, str, str]:
    """Open a case at the Wmo desk in which the desk of work sets a goal; return pseudonym, case, plan."""
    pseudonym = town.pseudonym(wmo, next(town.bsns))
    wmo.identity.register_resident(
        claim=INVESTIGATE, resident=pseudonym, birth_date="1990-05-05", capable=True
    )
    opened = wmo.case.receive_report(
        claim=INVESTIGATE,
        resident=pseudonym,
        life_domains=[pb.LIFE_DOMAIN_WORK_AND_EDUCATION],
        own_words="Ik wil werken.",
        desk="balie",
    )
    wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=opened.case_id,
        oin=CITY,
        task="college:PW",
        professional="p-1",
        role="consulent",
    )
    work.plan.set_goal(
        claim=WORK,
        plan_id=opened.plan_id,
        expected_version=opened.version,
        own_words=WORDS,
        desired_effect="werk",
        life_domain=pb.LIFE_DOMAIN_WORK_AND_EDUCATION,
        target_date="2027-06-01",
    )
    return pseudonym, opened.case_id, opened.plan_id


def consent_for_reuse(wmo: ExchangeClient, resident: ExchangeClient, case_id: str) -> str:
    now = datetime.now(UTC)
    asked = wmo.consent.request_consent(
        claim=INVESTIGATE,
        case_id=case_id,
        kind=consent_pb.CONSENT_KIND_STATUTORY,
        consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{CITY}/college:WMO"],
        categories=["WMO-PLAN"],
        start_time=stamp(now - timedelta(minutes=1)),
        end_time=stamp(now + timedelta(days=30)),
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    resident.consent.give_consent(
        claim=WORD,
        consent_id=asked.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method="portal",
        expected_version=asked.version,
    )
    return asked.consent_id


class Race:
    """Reads without pause on several connections while the consent is withdrawn on one of them."""

    def __init__(self, town: Town, resident: Person, plan_id: str, consent_id: str) -> None:
        mine, reader = town.credentials(), Person("w-1", "college:WMO", "regisseur")
        self.clients = [
            AsyncExchangeClient(town.target, mine, reader, timeout_s=60, patience=QUICK)
            for _ in range(CONNECTIONS)
        ]
        self.speaker = self.clients[0].with_person(resident)
        self.plan_id, self.consent_id = plan_id, consent_id
        self.under_way = asyncio.Event()
        self.acknowledged = False
        self.given = self.late = self.refused = 0

    async def run(self) -> None:
        await asyncio.gather(self.withdraw(), *(self.read_on(number) for number in range(READERS)))
        for client in self.clients:
            await client.close()

    async def withdraw(self) -> None:
        await self.under_way.wait()
        await self.speaker.consent.withdraw_consent(claim=WORD, consent_id=self.consent_id)
        self.acknowledged = True

    async def read_on(self, number: int) -> None:
        for _ in range(READS // READERS):
            client = self.clients[number % CONNECTIONS]
            asked_after = self.acknowledged
            words = await self.read(client)
            if not words:
                self.refused += 1
                continue
            assert words == [WORDS]
            self.given += 1
            # On the connection of the acknowledgement the order of arrival is the order of sending.
            self.late += asked_after or (client is self.clients[0] and self.acknowledged)
            if self.given > READERS:
                self.under_way.set()

    async def read(self, client: AsyncExchangeClient) -> list[str]:
        """Return the words, or nothing when they are refused for the withdrawal."""
        try:
            answer = await client.plan.get_plan(claim=REUSE, plan_id=self.plan_id, fields=["goals.own_words"])
        except errors.Denied as refused:
            if "R19" in refused.rules:
                return []
            raise
        return [goal.own_words for goal in answer.plan.goals]


async def test_no_answer_after_the_acknowledgement_holds_what_was_withdrawn(town: Town) -> None:
    wmo, work = town.worker("college:WMO", "w-1"), town.worker("college:PW", "p-1")
    pseudonym, case_id, plan_id = case_with_goal_of_work(town, wmo, work)
    speaks = Person("burger-1", "betrokkene", "inwoner", resident=pseudonym)
    consent_id = consent_for_reuse(wmo, town.client(speaks), case_id)
    race = Race(town, speaks, plan_id, consent_id)
    await race.run()
    assert race.late == 0
    assert race.given > READERS
    assert race.refused > READERS
    assert race.given + race.refused == READS
