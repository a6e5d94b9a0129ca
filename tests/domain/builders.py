"""Valid commands and events of the domain, and the sentence they are tested with.

`given(CONSENT, CONSENT_REQUESTED).when(GIVE).then(CONSENT_GIVEN)`; with `replace` a test names what it
is about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import CaseOpened, JoinProfessional, LeaveCase, OpenCase, ProfessionalJoined
from exchange.domain.consent import (
    ConsentGiven,
    ConsentRequested,
    GiveConsent,
    RefuseConsent,
    RequestConsent,
    WithdrawConsent,
)
from exchange.domain.mandate import Mandate, as_fields
from exchange.domain.organisation import JoinOrganisation
from exchange.domain.organisation_events import OrganisationJoined
from exchange.domain.plan import (
    AgreeToPlan,
    AssessLens,
    AssignSupport,
    DescribeSituation,
    GoalSet,
    LensAssessed,
    PlanAgreed,
    PlanOpened,
    ReceiveReport,
    RecordConversation,
    ReportReceived,
    RequestSupport,
    SetGoal,
    SituationDescribed,
    StartSupport,
    StopSupport,
    SupportAssigned,
    SupportRequested,
    SupportStarted,
)
from exchange.domain.resident import RegisterResident, ResidentRegistered
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken

if TYPE_CHECKING:
    from exchange.domain.kernel import Aggregate, Command, Event

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
DAY = date(2026, 3, 2)
A_DAY = timedelta(days=1)

MUNICIPALITY = "00000001001234567000"
PROVIDER = "00000003001234567000"
STRANGER = "00000004001234567000"
RESIDENT_REF = "r-7f3a"
CASE_ID = "c0000000-0000-4000-8000-000000000001"
PLAN_ID = "b0000000-0000-4000-8000-000000000001"
CONSENT_ID = "a0000000-0000-4000-8000-000000000001"
CONSULENT = Author(MUNICIPALITY, "college:WMO", "p-1", operator=True)
PLANNER = Author(PROVIDER, "wmo-aanbieder", "z-1")
RESIDENT = Author(MUNICIPALITY, "betrokkene", "b-1", operator=True)
REPRESENTATIVE = Author(MUNICIPALITY, "wettelijk-vertegenwoordiger", "v-1", operator=True)
HASH = "ab" * 32
OTHER_HASH = "cd" * 32


class Sentence:
    """A history, and what is asked of it."""

    def __init__(self, aggregate: Aggregate, events: tuple[Event, ...]) -> None:
        self.aggregate = aggregate
        self.state = fold(aggregate, *events)
        self.command: Command | None = None

    def when(self, command: Command) -> Sentence:
        self.command = command
        return self

    def then(self, *events: Event) -> None:
        assert self.aggregate.decide(self.command, self.state) == events

    def refused(self, rule: str) -> None:
        with pytest.raises(RuleBroken) as caught:
            self.aggregate.decide(self.command, self.state)
        assert caught.value.metadata["rule"] == rule

    def invalid(self, *paths: str) -> None:
        with pytest.raises(RequestInvalid) as caught:
            self.aggregate.decide(self.command, self.state)
        assert set(caught.value.fields) == set(paths)
        assert all(caught.value.fields.values())


def given(aggregate: Aggregate, *events: Event) -> Sentence:
    return Sentence(aggregate, events)


def fold(aggregate: Aggregate, *events: Event) -> Any:  # noqa: ANN401 -- each aggregate has its own state
    state: Any = None
    for event in events:
        state = aggregate.evolve(state, event)
    return state


MANDATE = Mandate("gmb-2026-41233", date(2026, 1, 1), "Toegang tot hulp, namens het college.")
MANDATED, UNMANDATED = as_fields(MANDATE), as_fields(None)
JOIN = JoinOrganisation(
    now=NOON,
    oin=MUNICIPALITY,
    name="Gemeente Voorbeeld",
    tasks=("college:WMO", "college:PW"),
    certificate_thumbprint=HASH,
    signing_key=HASH,
    mandate=MANDATE,
)
ORGANISATION_JOINED = OrganisationJoined(
    oin=MUNICIPALITY,
    name="Gemeente Voorbeeld",
    tasks=("college:PW", "college:WMO"),
    certificate_thumbprint=HASH,
    signing_key=HASH,
    operator=False,
    **MANDATED,
)

# --- resident ---------------------------------------------------------------------------------------

REGISTER = RegisterResident(now=NOON, resident=RESIDENT_REF, birth_date=date(1982, 5, 17), capable=True)
RESIDENT_REGISTERED = ResidentRegistered(resident=RESIDENT_REF, birth_date=date(1982, 5, 17), capable=True)

# --- case -------------------------------------------------------------------------------------------

OPEN_CASE = OpenCase(now=NOON, author=CONSULENT, case_id=CASE_ID, plan_id=PLAN_ID, resident=RESIDENT_REF)
CASE_OPENED = CaseOpened(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    at=NOON,
)
CONSULENT_JOINED = ProfessionalJoined(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    role="melder-regie",
    at=NOON,
)
JOIN_PLANNER = JoinProfessional(
    now=LATER,
    author=CONSULENT,
    oin=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    role="begeleider",
)
PLANNER_JOINED = ProfessionalJoined(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    role="begeleider",
    at=LATER,
)
PLANNER_LEAVES = LeaveCase(
    now=LATER, author=CONSULENT, oin=PROVIDER, task="wmo-aanbieder", professional="z-1"
)

# --- consent ----------------------------------------------------------------------------------------

NOTICE: dict[str, Any] = {
    "notice_id": "toestemming-b1-3",
    "notice_version": 3,
    "notice_sha256": HASH,
    "notice_language": "nl",
    "notice_level": "B1",
    "withdrawal_channels": ("https://mijn.voorbeeld.nl/toestemming",),
}
REQUEST = RequestConsent(
    now=NOON,
    author=CONSULENT,
    consent_id=CONSENT_ID,
    case_id=CASE_ID,
    resident=RESIDENT_REF,
    kind="statutory",
    purpose="wmo-afstemming",
    recipients=(f"{MUNICIPALITY}/college:PW",),
    categories=("WMO-PLAN",),
    start_time=NOON,
    end_time=NOON + timedelta(days=365),
    **NOTICE,
)
CONSENT_REQUESTED = ConsentRequested(
    resident=RESIDENT_REF,
    consent_id=CONSENT_ID,
    case_id=CASE_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    kind="statutory",
    purpose="wmo-afstemming",
    recipients=(f"{MUNICIPALITY}/college:PW",),
    categories=("WMO-PLAN",),
    start_time=NOON,
    end_time=NOON + timedelta(days=365),
    **NOTICE,
    sources=(),
    regime="",
)
_YES: dict[str, Any] = {"given_by": ("self",), "explicit": True, "free_assessed": True, "method": "signed"}
GIVE = GiveConsent(now=LATER, author=RESIDENT, **_YES)
CONSENT_GIVEN = ConsentGiven(
    resident=RESIDENT_REF,
    consent_id=CONSENT_ID,
    **_YES,
    authority=(),
    alternatives=False,
    no_detriment=False,
    assessed_by="",
    at=LATER,
)
REFUSE = RefuseConsent(now=LATER, author=RESIDENT)
WITHDRAW = WithdrawConsent(now=LATER, author=RESIDENT)

# --- plan -------------------------------------------------------------------------------------------

REPORT = ReceiveReport(
    now=NOON,
    author=CONSULENT,
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    plan_id=PLAN_ID,
    report_id="m-1",
    life_domains=("basic_adl",),
    own_words="Ik kom de trap niet meer op.",
    desk="wijkteam-oost",
)
PLAN_OPENED = PlanOpened(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    case_id=CASE_ID,
    at=NOON,
)
REPORT_RECEIVED = ReportReceived(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    report_id="m-1",
    desk="wijkteam-oost",
    life_domains=("basic_adl",),
    own_words="Ik kom de trap niet meer op.",
    at=NOON,
)
CONVERSE = RecordConversation(
    now=NOON,
    author=CONSULENT,
    conversation_id="g-1",
    kind="first",
    hold_date=DAY,
    outcome="continue",
    summary="Wil thuis blijven wonen.",
)
DESCRIBE = DescribeSituation(
    now=NOON,
    author=CONSULENT,
    life_domain="basic_adl",
    description="Loopt met een rollator.",
    strengths="Kookt zelf.",
    score=2,
    judge_date=DAY,
)
SITUATION_DESCRIBED = SituationDescribed(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    life_domain="basic_adl",
    description="Loopt met een rollator.",
    strengths="Kookt zelf.",
    score=2,
    judge_date=DAY,
    beside=False,
    source="",
    own_network="",
)
SET_GOAL = SetGoal(
    now=NOON,
    author=CONSULENT,
    goal_id="d-1",
    own_words="Weer zelf naar de winkel.",
    desired_effect="Doet zelf boodschappen.",
    life_domain="basic_adl",
    target_date=date(2026, 9, 1),
)
GOAL_SET = GoalSet(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    goal_id="d-1",
    own_words="Weer zelf naar de winkel.",
    desired_effect="Doet zelf boodschappen.",
    life_domain="basic_adl",
    target_date=date(2026, 9, 1),
)
ASSESS = AssessLens(now=NOON, author=CONSULENT, law="wmo_2015", finding="fits", reason="Begeleiding past.")
LENS_ASSESSED = LensAssessed(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    law="wmo_2015",
    finding="fits",
    reason="Begeleiding past.",
)
AGREE = AgreeToPlan(now=LATER, author=RESIDENT, outcome="agreed")
DISAGREE = replace(AGREE, outcome="disagreed", remarks="Liever zonder hulp; besproken.")
PLAN_AGREED = PlanAgreed(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="betrokkene",
    plan_version=4,
    remarks="",
    at=LATER,
    supports_unseen=False,
    waits=False,
)
REQUEST_SUPPORT = RequestSupport(
    now=NOON,
    author=CONSULENT,
    support_id="v-1",
    kind="custom",
    provider_oin=PROVIDER,
    product_category="02",
    product_code="02A05",
    start_date=DAY,
    end_date=DAY + 90 * A_DAY,
    volume=4,
    unit="04",
    frequency="2",
    goal_ids=("d-1",),
)
SUPPORT_REQUESTED = SupportRequested(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    support_id="v-1",
    kind="custom",
    provider_oin=PROVIDER,
    product_category="02",
    product_code="02A05",
    start_date=DAY,
    end_date=DAY + 90 * A_DAY,
    volume=4,
    unit="04",
    frequency="2",
    goal_ids=("d-1",),
)
ASSIGN = AssignSupport(
    now=LATER, author=CONSULENT, support_id="v-1", assignment_number="417", assign_date=DAY
)
SUPPORT_ASSIGNED = SupportAssigned(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    support_id="v-1",
    assignment_number="417",
    assign_date=DAY,
)
START = StartSupport(now=LATER, author=PLANNER, support_id="v-1", care_start_date=DAY)
SUPPORT_STARTED = SupportStarted(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=PROVIDER,
    task="wmo-aanbieder",
    support_id="v-1",
    care_start_date=DAY,
)
STOP = StopSupport(
    now=LATER, author=PLANNER, support_id="v-1", care_end_date=DAY + A_DAY, reason="according_to_plan"
)

# A plan with one goal and one custom support that is not agreed yet, at version 4.
SUPPORT_CHOSEN = (PLAN_OPENED, REPORT_RECEIVED, GOAL_SET, SUPPORT_REQUESTED)
