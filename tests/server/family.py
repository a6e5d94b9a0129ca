"""A resident of any age with a case, who represents him, and a consent that opens what another desk wrote."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.domain.days import day_of
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import representation_service_pb2 as people_pb
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD, WORK, Town

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient

REUSE = claim(pb.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", "nodig om hulp af te stemmen")
WORDS = "Weer naar school."
TODAY = day_of(datetime.now(UTC))
A_DAY = timedelta(days=1)


def born(age: int, today: date = TODAY) -> date:
    """Return a day of birth on which somebody turned this age today, or days ago."""
    return date(today.year - age, today.month, min(today.day, 28))


def stamp(moment: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(moment)
    return found


class Family:
    """Everybody signs in at the municipality's portal, each with a token of his own."""

    def __init__(self, town: Town, age: int, *, capable: bool = True, birth_date: date | None = None) -> None:
        self.town = town
        self.bsn = bsn = next(town.bsns)
        self.wmo = self.town.signed_in(Person(f"w-{bsn[-5:]}", "college:WMO", "regisseur"))
        self.work = self.town.signed_in(Person(f"p-{bsn[-5:]}", "college:PW", "consulent"))
        self.pseudonym = town.pseudonym(self.wmo, bsn)
        born_on = birth_date or born(age)
        self.wmo.identity.register_resident(
            claim=INVESTIGATE, resident=self.pseudonym, birth_date=born_on.isoformat(), capable=capable
        )
        opened = self.wmo.case.receive_report(
            claim=INVESTIGATE,
            resident=self.pseudonym,
            life_domains=[pb.LIFE_DOMAIN_WORK_AND_EDUCATION],
            own_words="Ik wil terug naar school.",
            desk="wijkteam-oost",
        )
        self.case_id, self.plan_id = opened.case_id, opened.plan_id
        self.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.case_id,
            oin=CITY,
            task="college:PW",
            professional=f"p-{bsn[-5:]}",
            role="consulent",
        )
        self.work.plan.set_goal(
            claim=WORK,
            plan_id=self.plan_id,
            expected_version=opened.version,
            own_words=WORDS,
            desired_effect="diploma",
            life_domain=pb.LIFE_DOMAIN_WORK_AND_EDUCATION,
            target_date="2027-06-01",
        )

    # --- who speaks ---------------------------------------------------------------------------------

    def own(self) -> ExchangeClient:
        return self.town.signed_in(Person("kind-1", "betrokkene", "inwoner", resident=self.pseudonym))

    def representative(self, person: str = "ouder-1") -> ExchangeClient:
        return self.town.signed_in(
            Person(person, "wettelijk-vertegenwoordiger", "vertegenwoordiger", resident=self.pseudonym)
        )

    def record(self, person: str = "ouder-1", **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        told: dict[str, Any] = {
            "claim": INVESTIGATE,
            "case_id": self.case_id,
            "person_oin": CITY,
            "person_id": person,
            "relation": people_pb.RELATION_PARENT,
            "gezag": people_pb.GEZAG_GEZAMENLIJK_OUDERLIJK,
            "evidence_source": people_pb.EVIDENCE_SOURCE_BRP,
            "source_reference": "brp-2026-17",
            "source_date": TODAY.isoformat(),
            "start_date": "2020-01-01",
        }
        return self.wmo.representation.record_representative(**(told | changes)).representative_id

    def record_curator(self, person: str = "curator-1") -> str:
        return self.record(
            person,
            relation=people_pb.RELATION_CURATOR,
            gezag=people_pb.GEZAG_UNSPECIFIED,
            evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
        )

    # --- what is asked ------------------------------------------------------------------------------

    def ask(self, **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        now = self.town.now()
        told: dict[str, Any] = {
            "claim": INVESTIGATE,
            "case_id": self.case_id,
            "kind": consent_pb.CONSENT_KIND_STATUTORY,
            "consent_purpose": pb.PURPOSE_WMO_AFSTEMMING,
            "recipients": [f"{CITY}/college:WMO"],
            "categories": ["WMO-PLAN"],
            "start_time": stamp(now - timedelta(minutes=1)),
            "end_time": stamp(now + timedelta(days=30)),
            "notice_id": "folder-1",
            "notice_sha256": b"\1" * 32,
        }
        return self.wmo.consent.request_consent(**(told | changes)).consent_id

    def give(self, client: ExchangeClient, consent_id: str, *words: str, **changes: Any) -> int:  # noqa: ANN401 -- any field of the request
        told: dict[str, Any] = {
            "claim": WORD,
            "consent_id": consent_id,
            "given_by": list(words),
            "explicit": True,
            "free_assessed": True,
            "freely_given": consent_pb.FreelyGiven(alternatives=True, no_detriment=True),
            "method": "portal",
            "expected_version": self.town.state("consent", consent_id).version,
        }
        return client.consent.give_consent(**(told | changes)).version

    def read_with_consent(self) -> list[str]:
        """Return what the Wmo desk reads of what the desk of work wrote."""
        answer = self.wmo.plan.get_plan(claim=REUSE, plan_id=self.plan_id, fields=["goals.own_words"])
        return [goal.own_words for goal in answer.plan.goals]

    def look(self, client: ExchangeClient) -> list[str]:
        """Return what the resident's side sees of the plan."""
        answer = client.plan.get_plan(claim=ACCESS, plan_id=self.plan_id, fields=["goals.own_words"])
        return [goal.own_words for goal in answer.plan.goals]


def denied(act: Callable[[], object]) -> tuple[str, ...]:
    """Return the rules of a refusal by the gate."""
    with pytest.raises(errors.Denied) as refused:
        act()
    return tuple(refused.value.rules)


def broken(act: Callable[[], object]) -> str:
    """Return the rule of a refusal by the domain."""
    with pytest.raises(errors.RuleBroken) as refused:
        act()
    assert refused.value.remedies
    return refused.value.rule
