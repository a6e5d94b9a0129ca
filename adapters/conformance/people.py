"""The people around an adapter: who opens cases, asks support, lets go, restricts, rectifies and erases.

Promises: every resident is made up, with a BSN of the range set aside for tests; each reaches the exchange as
anybody would, over its own line, past the adapter's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk.bsn import Bsn, passes_eleven_proof
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from exchange.v1.common_pb2 import Law, LifeDomain, Purpose
from exchange.v1.plan_pb2 import AgreementOutcome, LensFinding, SupportKind
from exchange.v1.resident_rights_service_pb2 import (
    ErasureArticle,
    ErasureReason,
    Right,
    RightsOutcome,
)

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.conformance.contract import Contract
    from adapters.sdk.credentials import Credentials
    from exchange.v1.plan_service_pb2 import SetGoalResponse

NECESSITY: Final = "Nodig voor deze taak; niet op een minder ingrijpende manier te krijgen"
WMO: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", NECESSITY)
DELIVERY: Final = claim(Purpose.PURPOSE_WMO_LEVERING, "WMO-5.1.2", NECESSITY)
RESIDENT: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "RESIDENT-WORD")
BEHEER: Final = claim(Purpose.PURPOSE_BEHEER, "ORG-ADMIN-24")
ERASE: Final = claim(Purpose.PURPOSE_KLACHT_BEZWAAR, "ERASE-17")
ADL: Final = LifeDomain.LIFE_DOMAIN_INSTRUMENTAL_ADL
BIRTH_DATE: Final = "1984-05-17"
COLLEAGUE: Final = "kit-hulp"
SIGHT: Final = "kit-regie"
YOUTH: Final = "kit-jeugd"
YOUTH_TASK: Final = "college:JW"
LIMIT: Final = claim(Purpose.PURPOSE_JEUGD_TOEGANG, "LIMIT-18")
ASK: Final = claim(Purpose.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT")
ANSWER: Final = claim(Purpose.PURPOSE_INZAGE, "RIGHTS-12")
# Parts of a plan that an adapter may have got.
PARTS: Final = ("situations", "goals", "supports")


@dataclass(slots=True)
class Subject:
    """One resident with a case on which the adapter works."""

    bsn: Bsn
    pseudonym: bytes = field(repr=False)
    adapters_pseudonym: bytes = field(repr=False)
    case_id: str
    plan_id: str
    words: dict[str, str] = field(repr=False)

    @property
    def ids(self) -> frozenset[str]:
        """Return by what a request can name this resident."""
        own = {self.pseudonym.hex(), self.adapters_pseudonym.hex()}
        return frozenset({self.case_id, self.plan_id} | own)


class People:
    """Everybody but the adapter."""

    def __init__(
        self, target: str, operator: Credentials, adapter: Credentials, contract: Contract, folder: Path
    ) -> None:
        self._operator: Final = ExchangeClient(target, operator)
        self._own: Final = ExchangeClient(target, adapter)
        self._contract: Final = contract
        self._adapter: Final = adapter
        self._oin: Final = operator.oin
        self._pins: Final = (Pseudonyms(folder / "pin-operator"), Pseudonyms(folder / "pin-adapter"))
        self._used: Final[set[str]] = set()

    def close(self) -> None:
        """Hang up."""
        self._operator.close()
        self._own.close()

    def let_in(self) -> None:
        """Register the adapter's organisation, where it is not the operator itself."""
        if self._adapter.oin == self._oin:
            return
        self._as("kit-beheer", "beheer", "beheerder").organisation.join_organisation(
            claim=BEHEER,
            oin=self._adapter.oin,
            name=self._adapter.name,
            tasks=[self._contract.task],
            certificate_thumbprint=self._adapter.thumbprint,
            signing_key=self._adapter.signing_key.public_key().public_bytes_raw(),
        )

    def subject(self) -> Subject:
        """Open a case for somebody new, as far as the contract asks, and let the adapter join it."""
        bsn, sight = self._bsn(), self._sight()
        (pseudonym,) = self._pins[0].of(sight.identity, WMO, [bsn])
        sight.identity.register_resident(claim=WMO, resident=pseudonym, birth_date=BIRTH_DATE, capable=True)
        opened = sight.case.receive_report(
            claim=WMO,
            resident=pseudonym,
            life_domains=[ADL],
            own_words="Ik red het huishouden niet meer.",
            desk="wijkteam",
        )
        words = {"bsn": bsn.reveal(), "birth_date": BIRTH_DATE}
        words |= {"case_id": opened.case_id, "plan_id": opened.plan_id}
        theirs = pseudonym if self._adapter.oin == self._oin else b""
        made = Subject(bsn, pseudonym, theirs, opened.case_id, opened.plan_id, words)
        if self._contract.input.subject == "agreed":
            self._agreed(made, opened.version)
        self._join(made, self._contract.professional, self._contract.role)
        self._join(made, COLLEAGUE, "begeleider")
        return made

    def leave(self, subject: Subject) -> None:
        """End the adapter's part in a case."""
        self._sight().case.leave_case(
            claim=WMO,
            case_id=subject.case_id,
            oin=self._adapter.oin,
            task=self._contract.task,
            professional=self._contract.professional,
        )

    def happen(self, subject: Subject) -> int:
        """Let happen on the plan what the contract names; return at which position of the exchange."""
        assert self._contract.event is not None
        if self._contract.event.happening == "goal_set":
            return self._goal(subject, self._version(subject)).receipt.position
        day = datetime.now(UTC).date().isoformat()
        started = self._own.with_person(
            Person(COLLEAGUE, self._contract.task, "begeleider")
        ).plan.start_support(
            claim=DELIVERY,
            plan_id=subject.plan_id,
            expected_version=self._version(subject),
            support_id=subject.words["support_id"],
            care_start_date=day,
        )
        return started.receipt.position

    def erase(self, subject: Subject) -> str:
        """Erase a resident, by three people; return the id of the erasure."""
        rights = self._sight().rights
        proposed = rights.propose_erasure(
            claim=ERASE,
            case_id=subject.case_id,
            # To this article the terms of all laws yield, so that it goes whatever the adapter recorded.
            article=ErasureArticle.ERASURE_ARTICLE_AVG_17_1_D,
            reason=ErasureReason.ERASURE_REASON_WRONG_PERSON,
            motivation="Het dossier bleek over een ander te gaan.",
        )
        for professional, task, role in (
            (YOUTH, YOUTH_TASK, "consulent"),
            ("kit-fg", "fg", "privacy-officer"),
        ):
            self._as(professional, task, role).rights.approve_erasure(
                claim=ERASE, case_id=subject.case_id, erasure_id=proposed.erasure_id
            )
        return proposed.erasure_id

    def restrict(self, subject: Subject) -> str:
        """Restrict what a case holds, by a desk that is not the adapter's; return the id of it."""
        self._join_youth(subject)
        return (
            self._youth()
            .rights.restrict(claim=LIMIT, case_id=subject.case_id, reason="De juistheid wordt betwist.")
            .restriction_id
        )

    def lift(self, subject: Subject, restriction_id: str) -> None:
        """Lift it, announced first."""
        rights = self._youth().rights
        rights.announce_lifting(
            claim=LIMIT, case_id=subject.case_id, restriction_id=restriction_id, how="letter"
        )
        rights.lift_restriction(
            claim=LIMIT, case_id=subject.case_id, restriction_id=restriction_id, reason="Nagegaan."
        )

    def rectify(self, subject: Subject) -> str:
        """Put something right that a resident asked for; return the id of the request."""
        self._join_youth(subject)
        asked = self._resident(subject).rights.receive_rights_request(
            claim=ASK, case_id=subject.case_id, right=Right.RIGHT_RECTIFICATION, statement="Dat klopt niet."
        )
        name, rights = asked.rights_request_id, self._youth().rights
        rights.decide_rights_request(
            claim=ANSWER, rights_request_id=name, outcome=RightsOutcome.RIGHTS_OUTCOME_GRANTED
        )
        rights.execute_rights_request(
            claim=ANSWER, rights_request_id=name, reference="kit-1", how="letter", paths=PARTS
        )
        return name

    # --- the plan -----------------------------------------------------------------------------------------

    def _agreed(self, subject: Subject, version: int) -> None:
        sight, today = self._sight(), datetime.now(UTC).date()
        described = sight.plan.describe_situation(
            claim=WMO,
            plan_id=subject.plan_id,
            expected_version=version,
            life_domain=ADL,
            description="Het huishouden lukt niet alleen.",
            strengths="Kan goed koken.",
            score=2,
            judge_date=today.isoformat(),
        )
        version = self._goal(subject, described.version).version
        wanted = {
            "product_category": "02",
            "product_code": "02A03",
            "start_date": today.isoformat(),
            "end_date": (today + timedelta(days=364)).isoformat(),
            "unit": "04",
            "frequency": "2",
        }
        support = sight.plan.request_support(
            claim=WMO,
            plan_id=subject.plan_id,
            expected_version=version,
            kind=SupportKind.SUPPORT_KIND_CUSTOM,
            provider_oin=self._adapter.oin,
            goal_ids=[subject.words["goal_id"]],
            volume=3,
            product_category=wanted["product_category"],
            product_code=wanted["product_code"],
            start_date=wanted["start_date"],
            end_date=wanted["end_date"],
            unit=wanted["unit"],
            frequency=wanted["frequency"],
        )
        subject.words |= wanted | {"volume": "3", "support_id": support.support_id}
        self._agree(subject, support.version)

    def _agree(self, subject: Subject, version: int) -> None:
        assessed = self._sight().plan.assess_lens(
            claim=WMO,
            plan_id=subject.plan_id,
            expected_version=version,
            law=Law.LAW_WMO_2015,
            finding=LensFinding.LENS_FINDING_FITS,
            reason="Eigen netwerk en algemene voorzieningen zijn niet genoeg.",
        )
        self._resident(subject).plan.agree_to_plan(
            claim=RESIDENT,
            plan_id=subject.plan_id,
            expected_version=assessed.version,
            outcome=AgreementOutcome.AGREEMENT_OUTCOME_AGREED,
        )

    def _goal(self, subject: Subject, version: int) -> SetGoalResponse:
        goal = self._sight().plan.set_goal(
            claim=WMO,
            plan_id=subject.plan_id,
            expected_version=version,
            own_words="Weer zelf koken.",
            desired_effect="Zelfstandig eten",
            life_domain=ADL,
            target_date=(datetime.now(UTC).date() + timedelta(days=180)).isoformat(),
        )
        subject.words["goal_id"] = goal.goal_id
        return goal

    def _version(self, subject: Subject) -> int:
        answer = self._sight().plan.get_plan(claim=WMO, plan_id=subject.plan_id, fields=["version"])
        return answer.plan.version

    def _join(self, subject: Subject, professional: str, role: str) -> None:
        self._sight().case.join_professional(
            claim=WMO,
            case_id=subject.case_id,
            oin=self._adapter.oin,
            task=self._contract.task,
            professional=professional,
            role=role,
        )

    # --- who ----------------------------------------------------------------------------------------------

    def _join_youth(self, subject: Subject) -> None:
        self._sight().case.join_professional(
            claim=WMO,
            case_id=subject.case_id,
            oin=self._oin,
            task=YOUTH_TASK,
            professional=YOUTH,
            role="consulent",
        )

    def _resident(self, subject: Subject) -> ExchangeClient:
        return self._operator.with_person(
            Person("kit-portaal", "betrokkene", "inwoner", resident=subject.pseudonym)
        )

    def _youth(self) -> ExchangeClient:
        return self._as(YOUTH, YOUTH_TASK, "consulent")

    def _sight(self) -> ExchangeClient:
        return self._as(SIGHT, "college:WMO", "regisseur")

    def _as(self, professional: str, task: str, role: str) -> ExchangeClient:
        return self._operator.with_person(Person(professional, task, role))

    def _bsn(self) -> Bsn:
        """Return a number of the range set aside for tests that was not drawn before."""
        while True:
            digits = f"9999{secrets.randbelow(100_000):05d}"
            if passes_eleven_proof(digits) and digits not in self._used:
                self._used.add(digits)
                return Bsn(digits)
