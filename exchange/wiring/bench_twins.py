"""Residents who differ in nothing but what is sealed, for measuring whether the time of an answer tells it.

Promises: one of whom nothing was ever sealed and another like him; one with an assessment that two persons
sealed; one on whose case a shelter works behind a sealed link, with a consent it asked, a goal it brought and
a support it is chosen for. Everything else of them is the same, and so is who asks: no named reader. Several
sets of them where asked: how long a dictionary looks for one name is chance, and of many names it evens out.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.case import JoinProfessional
from exchange.domain.consent import RequestConsent
from exchange.domain.intake import receive_report
from exchange.domain.limits.compartments import LEAVES_OF
from exchange.domain.limits.links import LINK as LINK_WORD
from exchange.domain.limits.seals import ConfirmSeal, SealCompartment
from exchange.domain.plan import AssessLens, DescribeSituation, ReceiveReport, RequestSupport, SetGoal
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author
from exchange.errors import ExchangeError
from exchange.pipeline.elements import Asker, PlanGroups, held_as, of_rows
from exchange.pipeline.walk import Caller, Claim, CommandWalk, ReadWalk, Steps
from exchange.server.contract.labels import labels_of
from exchange.server.contract.plans import PLAN_LABELS
from exchange.server.services.consent import consents_of
from exchange.v1 import consent_service_pb2 as pb
from exchange.wiring.core import Core, genesis, open_core, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.domain import Command
    from exchange.settings import Settings

ABSENT: Final = "absent"
ANOTHER: Final = "another"
FIELDS: Final = "fields"
LINK: Final = "link"
SETS: Final = 16
PLAN_PATHS: Final = (
    "goals.own_words",
    "lens_assessments.finding",
    "reports.own_words",
    "situations.description",
    "supports.kind",
)
CONSENT_PATHS: Final = ("consents.purpose", "consents.recipients", "consents.state")
WORDS: Final = "Wil zonder zorgen de dag door kunnen komen."
THUMBPRINT: Final = "00" * 32
NECESSITY: Final = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"
SHELTER: Final = Author("00000004000000000000", "wmo-aanbieder", "opvang-1")
_CONSENT_LABELS: Final = labels_of(pb.ListConsentsResponse.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Resident:
    """One resident, under the ids of what is about him."""

    ref: str
    case_id: str
    plan_id: str


@dataclass(slots=True)
class Twins:
    """One shard with the four of them; `sets` are those of all sets, `residents` the one that is asked."""

    core: Core
    groups: PlanGroups
    thumbprint: str
    residents: dict[str, Resident] = field(default_factory=dict)
    sets: list[dict[str, Resident]] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        settings: Settings,
        thumbprint: str = THUMBPRINT,
        signing_key: str = THUMBPRINT,
        sets: int = 1,
    ) -> Twins:
        """Make a shard and everybody in it."""
        core = open_core(settings)
        genesis(core, utc_now(), thumbprint=thumbprint, signing_key=signing_key)
        twins = cls(core, PlanGroups(PLAN_LABELS, core.registers), thumbprint)
        for _ in range(sets):
            residents = {name: twins._resident() for name in (ABSENT, ANOTHER, FIELDS, LINK)}
            twins._seal_fields(residents[FIELDS])
            twins._seal_link(residents[LINK])
            twins.sets.append(residents)
        twins.residents = twins.sets[0]
        return twins

    def turn(self, number: int) -> Twins:
        """Return the same shard with the set whose turn it is."""
        return replace(self, residents=self.sets[number % len(self.sets)])

    # --- what is asked ------------------------------------------------------------------------------

    def plan_question(self, whose: str) -> ReadWalk:
        """Return a question for the plan."""
        stream, now, caller = stream_of("plan", self.residents[whose].plan_id), utc_now(), self._caller()
        return ReadWalk(
            rpc="GetPlan",
            caller=caller,
            claim=self._claim(),
            now=now,
            anchor=stream,
            fields=PLAN_PATHS,
            groups=self.groups.of_plan(stream, Asker(caller, "WMO-2.3.2", now)),
            capture=lambda view: self.groups.within_term(stream, view.state(stream), now),
            collections=self.groups.collections,
            bulk=False,
        )

    def consents_question(self, whose: str) -> ReadWalk:
        """Return a question for the list of consents."""
        stream, now, caller = stream_of("case", self.residents[whose].case_id), utc_now(), self._caller()

        def origins(view: Any) -> list[str]:  # noqa: ANN401 -- a view
            return [held_as(state, caller) for state in consents_of(view, stream)]

        return ReadWalk(
            rpc="ListConsents",
            caller=caller,
            claim=self._claim(),
            now=now,
            anchor=stream,
            fields=CONSENT_PATHS,
            groups=of_rows(_CONSENT_LABELS, origins, Asker(caller, "WMO-2.3.2", now), self.core.registers),
            capture=lambda view: consents_of(view, stream),
            bulk=False,
        )

    def command(self, whose: str) -> CommandWalk:
        """Return a command on the plan that makes it no longer: to describe anew what was described."""
        plan_id = self.residents[whose].plan_id
        order = DescribeSituation(
            **self._said(),
            life_domain="social_network",
            description=WORDS,
            strengths=WORDS,
            score=2,
            judge_date=date(2026, 3, 2),
        )
        return self._walk(self._deciding("plan", plan_id, order), stream_of("plan", plan_id))

    # --- who they are -------------------------------------------------------------------------------

    def _resident(self) -> Resident:
        ref, case_id, plan_id, report_id = (str(uuid.uuid4()) for _ in range(4))
        one, said = Resident(ref, case_id, plan_id), self._said()
        register = RegisterResident(**said, resident=ref, birth_date=date(1984, 5, 17), capable=True)
        self._decide("resident", ref, register, anchor=stream_of("resident", ref))
        report = ReceiveReport(
            **said,
            resident=ref,
            case_id=case_id,
            plan_id=plan_id,
            report_id=report_id,
            life_domains=("social_network",),
            own_words=WORDS,
            desk="bench",
        )
        self._run(lambda _: Steps(receive_report(report, None, None)), stream_of("resident", ref))
        self._goal(one, self._author())
        self._consent(one, self._author())
        return one

    def _seal_fields(self, one: Resident) -> None:
        assessed = AssessLens(**self._said(), law="jeugdwet", finding="fits", reason=WORDS)
        self._decide("plan", one.plan_id, assessed, anchor=stream_of("plan", one.plan_id))
        self._seal(one, tuple(sorted(LEAVES_OF["lens_assessments"])))

    def _seal_link(self, one: Resident) -> None:
        join = JoinProfessional(
            **self._said(),
            oin=SHELTER.oin,
            task=SHELTER.task,
            professional=SHELTER.professional,
            role="begeleider",
        )
        self._decide("case", one.case_id, join, anchor=stream_of("case", one.case_id))
        self._consent(one, SHELTER)
        goal_id = self._goal(one, SHELTER)
        support = RequestSupport(
            **self._said(),
            support_id=str(uuid.uuid4()),
            kind="custom",
            provider_oin=SHELTER.oin,
            product_category="02",
            product_code="02A05",
            start_date=date(2027, 1, 1),
            volume=2,
            unit="04",
            frequency="2",
            goal_ids=(goal_id,),
        )
        self._decide("plan", one.plan_id, support, anchor=stream_of("plan", one.plan_id))
        self._seal(one, (f"{LINK_WORD}{SHELTER.oin}/{SHELTER.task}",))

    def _seal(self, one: Resident, paths: tuple[str, ...]) -> None:
        proposal = str(uuid.uuid4())
        readers = ("0" * 20 + "/veilig-thuis",)
        order = SealCompartment(
            **self._said(), proposal_id=proposal, paths=paths, readers=readers, reason=WORDS
        )
        confirm = ConfirmSeal(now=utc_now(), author=self._author("second"), proposal_id=proposal)
        for command in (order, confirm):
            self._decide("resident", one.ref, command, anchor=stream_of("resident", one.ref))

    def _goal(self, one: Resident, author: Author) -> str:
        goal_id = str(uuid.uuid4())
        goal = SetGoal(
            now=utc_now(),
            author=author,
            goal_id=goal_id,
            own_words=WORDS,
            desired_effect=WORDS,
            life_domain="housing",
            target_date=date(2027, 6, 1),
        )
        self._decide("plan", one.plan_id, goal, anchor=stream_of("plan", one.plan_id))
        return goal_id

    def _consent(self, one: Resident, author: Author) -> None:
        now, consent_id = utc_now(), str(uuid.uuid4())
        asked = RequestConsent(
            now=now,
            author=author,
            consent_id=consent_id,
            case_id=one.case_id,
            resident=one.ref,
            kind="statutory",
            purpose="wmo-onderzoek",
            recipients=(f"{author.oin}/{author.task}",),
            categories=("WMO-PLAN",),
            start_time=now,
            end_time=now + timedelta(days=365),
            notice_id="bench",
            notice_version=1,
            notice_sha256="ab" * 32,
            notice_language="nl",
            notice_level="B1",
            withdrawal_channels=("https://mijn.voorbeeld.nl/toestemming",),
        )
        self._decide("consent", consent_id, asked, anchor=stream_of("case", one.case_id))

    # --- how it is said -----------------------------------------------------------------------------

    def _said(self) -> dict[str, Any]:
        return {"now": utc_now(), "author": self._author()}

    def _decide(self, aggregate: str, key: str, command: Command, *, anchor: str) -> None:
        self._run(self._deciding(aggregate, key, command), anchor)

    def _deciding(self, aggregate: str, key: str, command: Command) -> Callable[[Any], Steps]:
        stream = stream_of(aggregate, key)
        return lambda view: Steps([(stream, AGGREGATES[aggregate].decide(command, view.state(stream)))])

    def _run(self, process: Callable[[Any], Steps], anchor: str) -> None:
        refuse_errors(self.core.writer.run([self._walk(process, anchor)]))

    def _walk(self, process: Callable[[Any], Steps], anchor: str) -> CommandWalk:
        request_id, now = str(uuid.uuid4()), utc_now()
        return CommandWalk(
            rpc="Bench",
            caller=self._caller(),
            claim=self._claim(),
            now=now,
            request_id=request_id,
            content=request_id.encode(),
            anchor=anchor,
            fields=(("own_words", "WMO-PLAN"),),
            process=process,
            relation=False,
            collections=self.groups.collections,
        )

    def _claim(self) -> Claim:
        return Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY)

    def _author(self, professional: str = "bench") -> Author:
        return Author(self.core.settings.operator_oin, "college:WMO", professional, operator=True)

    def _caller(self) -> Caller:
        return Caller(
            self.core.settings.operator_oin,
            "college:WMO",
            "bench",
            "regisseur",
            self.thumbprint,
            two_factor=True,
            mutual_tls=True,
        )


def refuse_errors(outcomes: Sequence[object]) -> None:
    """Raise the first error among outcomes: what was refused is not what was to be measured."""
    for outcome in outcomes:
        if isinstance(outcome, ExchangeError):
            raise outcome
