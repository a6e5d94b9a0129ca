"""One resident with a case, made at the Wmo desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from tests.server.town import INVESTIGATE, WORK

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from exchange.v1 import case_service_pb2 as case_pb
    from tests.server.town import Town


class Story:
    """One resident with a case, made at the Wmo desk."""

    def __init__(self, town: Town, bsn: str, request_id: str = "", birth_date: str = "1980-02-29") -> None:
        self.town, self.bsn = town, bsn
        self.wmo = town.worker("college:WMO", f"w-{bsn[-5:]}")
        self.pseudonym = town.pseudonym(self.wmo, bsn)
        self.wmo.identity.register_resident(
            request_id=request_id,
            claim=INVESTIGATE,
            resident=self.pseudonym,
            birth_date=birth_date,
            capable=True,
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


def denied_read(town: Town, story: Story) -> errors.Denied:
    """Let a stranger be refused."""
    stranger = town.worker("college:WMO", "stranger")
    with pytest.raises(errors.Denied) as refused:
        stranger.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    return refused.value
