"""A family on one town: each member has a case, a plan and a word of his own; one desk works on all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import household_service_pb2 as household_pb
from exchange.v1 import representation_service_pb2 as people_pb
from tests.server.family import TODAY, born, stamp
from tests.server.town import CITY, INVESTIGATE, WORD, Town

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
PARENT, PARTNER, CHILD = (
    household_pb.MEMBER_ROLE_PARENT,
    household_pb.MEMBER_ROLE_PARTNER,
    household_pb.MEMBER_ROLE_CHILD,
)
TOGETHER = claim(pb.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4-gezin", "nodig om hulp in het gezin af te stemmen")
DESK = f"{CITY}/college:WMO"
YOUTH_DESK = f"{CITY}/college:JW"
CATEGORIES = ("NETWERK", "WMO-PLAN", "ONDERWIJS", "GEZONDHEID-FUNCTIONEEL")
FIELDS = (
    *(
        "membership.membership_id",
        "membership.plan_id",
        "membership.role",
        "membership.director_professional",
    ),
    *("household_goals.goal_id", "household_goals.membership_ids", "household_goals.agreed_membership_ids"),
    *("goals.goal_id", "goals.own_words"),
)


class FamilyMember:
    """A resident with a case at the Wmo desk; the director-to-be leads it."""

    def __init__(self, town: Town, age: int, director: str = "regie-1", *, capable: bool = True) -> None:
        self.town = town
        bsn = next(town.bsns)
        self.intake = town.signed_in(Person(f"i-{bsn[-5:]}", "college:WMO", "regisseur"))
        self.desk = town.signed_in(Person(director, "college:WMO", "regisseur"))
        self.pseudonym = town.pseudonym(self.intake, bsn)
        self.intake.identity.register_resident(
            claim=INVESTIGATE, resident=self.pseudonym, birth_date=born(age).isoformat(), capable=capable
        )
        opened = self.intake.case.receive_report(
            claim=INVESTIGATE,
            resident=self.pseudonym,
            life_domains=[pb.LIFE_DOMAIN_DOMESTIC_RELATIONS],
            own_words="Thuis loopt het vast.",
            desk="wijkteam-oost",
        )
        self.case_id, self.plan_id, self.version = opened.case_id, opened.plan_id, opened.version
        self.join(director, role="regisseur")
        self.membership_id = ""

    def join(self, professional: str, task: str = "college:WMO", role: str = "consulent") -> ExchangeClient:
        """Let a colleague work on the case."""
        self.intake.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.case_id,
            oin=CITY,
            task=task,
            professional=professional,
            role=role,
        )
        return self.town.signed_in(Person(professional, task, role))

    # --- who speaks ---------------------------------------------------------------------------------

    def own(self) -> ExchangeClient:
        return self.town.signed_in(Person("burger-1", "betrokkene", "inwoner", resident=self.pseudonym))

    def parent(self, person: str = "ouder-1") -> ExchangeClient:
        return self.town.signed_in(
            Person(person, "wettelijk-vertegenwoordiger", "vertegenwoordiger", resident=self.pseudonym)
        )

    def record_parent(self, person: str = "ouder-1") -> str:
        return self.intake.representation.record_representative(
            claim=INVESTIGATE,
            case_id=self.case_id,
            person_oin=CITY,
            person_id=person,
            relation=people_pb.RELATION_PARENT,
            gezag=people_pb.GEZAG_GEZAMENLIJK_OUDERLIJK,
            evidence_source=people_pb.EVIDENCE_SOURCE_BRP,
            source_reference="brp-2026-17",
            source_date=TODAY.isoformat(),
            start_date="2020-01-01",
        ).representative_id

    # --- consent ------------------------------------------------------------------------------------

    def ask(self, **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        now = self.town.now()
        told: dict[str, Any] = {
            "claim": INVESTIGATE,
            "case_id": self.case_id,
            "kind": consent_pb.CONSENT_KIND_STATUTORY,
            "consent_purpose": pb.PURPOSE_WMO_AFSTEMMING,
            "recipients": [DESK],
            "categories": list(CATEGORIES),
            "start_time": stamp(now - timedelta(minutes=1)),
            "end_time": stamp(now + timedelta(days=30)),
            "notice_id": "folder-1",
            "notice_sha256": b"\1" * 32,
        }
        return self.intake.consent.request_consent(**(told | changes)).consent_id

    def give(self, consent_id: str, client: ExchangeClient | None = None, word: str = "self") -> None:
        (client or self.own()).consent.give_consent(
            claim=WORD,
            consent_id=consent_id,
            given_by=[word],
            explicit=True,
            free_assessed=True,
            freely_given=consent_pb.FreelyGiven(alternatives=True, no_detriment=True),
            method="portal",
            expected_version=self.town.state("consent", consent_id).version,
        )

    def consented(self, **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        consent_id = self.ask(**changes)
        self.give(consent_id)
        return consent_id

    # --- the household ------------------------------------------------------------------------------

    def opens(self, role: household_pb.MemberRole.ValueType, consent_id: str = "") -> str:
        self.membership_id = self.intake.household.open_household(
            claim=INVESTIGATE, plan_id=self.plan_id, role=role, consent_id=consent_id or self.consented()
        ).membership_id
        return self.membership_id

    def joins(
        self, beside: FamilyMember, role: household_pb.MemberRole.ValueType, consent_id: str = ""
    ) -> str:
        self.membership_id = self.desk.household.join_household(
            claim=INVESTIGATE,
            plan_id=self.plan_id,
            role=role,
            consent_id=consent_id or self.consented(),
            beside_membership_id=beside.membership_id,
        ).membership_id
        return self.membership_id

    def goal(self, words: str) -> str:
        answer = self.intake.plan.set_goal(
            claim=INVESTIGATE,
            plan_id=self.plan_id,
            expected_version=self.version,
            own_words=words,
            desired_effect="rust in huis",
            life_domain=pb.LIFE_DOMAIN_DOMESTIC_RELATIONS,
            target_date="2027-06-01",
        )
        self.version = answer.version
        return answer.goal_id

    def household(
        self,
        client: ExchangeClient | None = None,
        **changes: Any,  # noqa: ANN401 -- any field of the request
    ) -> household_pb.GetHouseholdResponse:
        told: dict[str, Any] = {"claim": TOGETHER, "plan_id": self.plan_id, "fields": list(FIELDS)}
        return (client or self.desk).household.get_household(**(told | changes))

    def members(self, client: ExchangeClient | None = None, **changes: Any) -> list[household_pb.Member]:  # noqa: ANN401 -- as above
        """Return the members of the one household."""
        (household,) = self.household(client, **changes).households
        return list(household.members)


class House:
    """A mother, a father and Sem of fourteen; `w-2` works on the cases of all of them."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.mother, self.father, self.sem = (FamilyMember(town, age) for age in (41, 43, 14))
        self.other = [one.join("w-2") for one in self.all][-1]
        self.mother.opens(PARENT)
        self.father.joins(self.mother, PARTNER)

    @property
    def all(self) -> tuple[FamilyMember, ...]:
        return self.mother, self.father, self.sem


def seal(member: FamilyMember, *paths: str, readers: tuple[str, ...] = ()) -> None:
    """Let two persons hide something of a member from everybody but the director and the intake."""
    proposed = member.intake.rights.seal_compartment(
        claim=SEAL,
        case_id=member.case_id,
        paths=list(paths),
        readers=[f"{DESK}/regie-1", *readers],
        reason="Hij wil niet dat het bekend is.",
    )
    member.desk.rights.confirm_seal(claim=SEAL, case_id=member.case_id, proposal_id=proposed.proposal_id)


def refused(act: Callable[[], object]) -> tuple[Any, ...]:
    """Return all that somebody is told who is refused, but for ids that are drawn."""
    with pytest.raises(errors.ExchangeRefused) as told:
        act()
    found = told.value
    message = found.message.partition("decision_id")[0]
    return found.reason, message, getattr(found, "rules", ()), getattr(found, "field_violations", None)


def names(member: FamilyMember, client: ExchangeClient, goal_id: str, *membership_ids: str) -> None:
    client.household.name_in_goal(
        claim=INVESTIGATE,
        membership_id=member.membership_id,
        goal_id=goal_id,
        membership_ids=membership_ids,
    )
