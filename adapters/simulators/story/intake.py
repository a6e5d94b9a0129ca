"""First part: two desks, one case; two laws, one plan; and nothing goes on before the resident agrees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.batches import Batch
from adapters.sdk.tokens import Person
from adapters.simulators.story.stage import (
    BEHEER,
    BEWONER,
    WERK,
    WIJKTEAM,
    Organisation,
    Script,
    StoryBroken,
    Telling,
)
from exchange.v1.common_pb2 import Law, LifeDomain
from exchange.v1.plan_pb2 import (
    AgreementOutcome,
    ConversationKind,
    ConversationOutcome,
    LensFinding,
    SupportKind,
)

if TYPE_CHECKING:
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.client import ExchangeClient
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.plan_service_pb2 import AgreeToPlanResponse

PRODUCT: Final = "02"  # begeleiding
PRODUCT_CODE: Final = "02A03"


@dataclass(slots=True)
class Plan:
    """What the organisations know of the plan: the resident's ref is known to none of them."""

    script: Script
    municipality: Organisation
    provider: Organisation
    bsn: Bsn
    resident: bytes = b""
    case_id: str = ""
    plan_id: str = ""
    version: int = 0
    support_id: str = ""
    goal_id: str = ""
    preference_id: str = ""
    agreed_at: Timestamp = field(default_factory=Timestamp)
    evaluated_at: Timestamp = field(default_factory=Timestamp)

    def wijkteam(self) -> ExchangeClient:
        """Speak as the professional of the neighbourhood team."""
        return self.municipality.as_("wt-014", "college:WMO", "regisseur")

    def consulent(self) -> ExchangeClient:
        """Speak as the professional of Werk & Inkomen."""
        return self.municipality.as_("wi-027", "college:PW", "consulent")

    def inwoner(self) -> ExchangeClient:
        """Speak as the resident, at the municipality's portal."""
        return self.municipality.as_("portaal", "betrokkene", "inwoner", self.resident)

    def begeleider(self) -> ExchangeClient:
        """Speak as the professional of the provider."""
        return self.provider.as_("zd-003", "wmo-aanbieder", "begeleider")

    def look(self) -> None:
        """Take the plan's version as the neighbourhood team sees it now."""
        answer = self.wijkteam().plan.get_plan(claim=WIJKTEAM, plan_id=self.plan_id, fields=["version"])
        self.version = answer.plan.version


def organisations_join(told: Telling, plan: Plan) -> None:
    """Let the provider in, as the operator does: by certificate and task."""
    told.chapter("Organisations meet")
    provider = plan.provider
    beheer = plan.municipality.as_("beheer-1", "beheer", "beheerder")
    joined = beheer.organisation.join_organisation(
        claim=BEHEER,
        oin=provider.oin,
        name=provider.credentials.name,
        tasks=["wmo-aanbieder"],
        certificate_thumbprint=provider.credentials.thumbprint,
        signing_key=provider.credentials.signing_key.public_key().public_bytes_raw(),
    )
    told.keep(plan.municipality, joined)
    told.step(
        "provider-joins",
        f"{provider.credentials.name} joins as care provider, known by its certificate.",
        "PERMIT",
    )
    told.broken(
        "no-mandate",
        "By mistake somebody tries to give it a task of the municipality. Another organisation gets such a "
        "task under a published mandate only.",
        lambda: beheer.organisation.grant_task(claim=BEHEER, oin=provider.oin, task="college:WMO"),
        "RULE_BROKEN",
    )


def a_report_at_one_desk(told: Telling, plan: Plan) -> None:
    """Whichever desk it comes to, it is the same case."""
    told.chapter("One story, told once")
    consulent = plan.consulent()
    plan.resident = plan.municipality.pseudonym(plan.bsn, consulent, WERK)
    told.step(
        "bsn-stays",
        "The BSN, by which the Dutch government knows a person, is blinded at the desk; the exchange sees a "
        "random-looking point.",
        "PERMIT",
    )
    registered = consulent.identity.register_resident(
        claim=WERK, resident=plan.resident, birth_date="1984-05-17", capable=True
    )
    told.keep(plan.municipality, registered)
    report = consulent.case.receive_report(
        claim=WERK,
        resident=plan.resident,
        life_domains=[LifeDomain.LIFE_DOMAIN_WORK_AND_EDUCATION, LifeDomain.LIFE_DOMAIN_SOCIAL_NETWORK],
        own_words="Ik wil weer werken, maar ik kom de deur niet meer uit.",
        desk="werkplein",
    )
    told.keep(plan.municipality, report)
    plan.case_id, plan.plan_id, plan.version = report.case_id, report.plan_id, report.version
    told.step(
        "report",
        "At the desk of Werk & Inkomen (work and income): 'I want to work again, but I no longer leave the "
        "house.'",
        "PERMIT",
    )
    _a_second_desk(told, plan)
    join(plan, consulent, WERK, plan.municipality, Person("wt-014", "college:WMO", "regisseur"))
    told.step("team", "Werk & Inkomen lets the neighbourhood team join the case.", "PERMIT")
    after_one_report = plan.version
    plan.look()
    if plan.version != after_one_report + 1:
        raise StoryBroken("the second desk opened a second case")
    told.step("same-case", "Both reports stand in one case: not a second file.", "PERMIT")


def _a_second_desk(told: Telling, plan: Plan) -> None:
    again = plan.wijkteam().case.receive_report(
        claim=WIJKTEAM,
        resident=plan.resident,
        life_domains=[LifeDomain.LIFE_DOMAIN_MENTAL_HEALTH],
        own_words="De huisarts raadde aan om ook hier te praten.",
        desk="wijkteam-oost",
    )
    if again.case_id or again.opened:
        raise StoryBroken("a desk without a part in the case was told of it")
    told.step(
        "second-desk",
        "A week later at the neighbourhood team: recorded, and nothing told of what is there.",
        "PERMIT",
    )
    told.refused(
        "report-opens-nothing",
        "It reported her, but has no part in her case. Having reported somebody is no way into the plan:",
        lambda: plan.wijkteam().plan.get_plan(
            claim=WIJKTEAM, plan_id=plan.plan_id, fields=["goals.own_words"]
        ),
        "R03",
    )


def join(plan: Plan, client: ExchangeClient, why: Claim, organisation: Organisation, who: Person) -> None:
    """Let a professional join the case."""
    client.case.join_professional(
        claim=why,
        case_id=plan.case_id,
        oin=organisation.oin,
        task=who.task,
        professional=who.professional,
        role=who.role,
    )


def two_pairs_of_glasses(told: Telling, plan: Plan) -> None:
    """First what is going on and what is wanted, then what each law says."""
    told.chapter("Two laws, one plan")
    plan.look()
    _what_is_going_on(told, plan)
    _what_is_wanted(told, plan)


def _what_is_going_on(told: Telling, plan: Plan) -> None:
    team = plan.wijkteam()
    talk = team.plan.record_conversation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        kind=ConversationKind.CONVERSATION_KIND_FIRST,
        hold_date=plan.script.day(-14),
        outcome=ConversationOutcome.CONVERSATION_OUTCOME_CONTINUE,
        summary="Slaapt slecht, mist collega's, wil overdag iets te doen hebben.",
    )
    told.keep(plan.municipality, talk)
    plan.version = talk.version
    batch, found = (
        Batch(),
        (
            (LifeDomain.LIFE_DOMAIN_SOCIAL_NETWORK, "Ziet alleen een zus, eens in de maand.", 2),
            (LifeDomain.LIFE_DOMAIN_MENTAL_HEALTH, "Somber sinds het ontslag; de huisarts denkt mee.", 3),
            (LifeDomain.LIFE_DOMAIN_FINANCE, "Twee maanden huurachterstand.", 2),
        ),
    )
    batch = Batch()
    told_of = [
        batch.plan.describe_situation(
            claim=WIJKTEAM,
            plan_id=plan.plan_id,
            expected_version=plan.version + number,
            life_domain=domain,
            description=description,
            strengths="Kan goed koken.",
            score=score,
            judge_date=plan.script.day(-14),
        )
        for number, (domain, description, score) in enumerate(found)
    ]
    # What was heard in one talk goes in one message; each is judged by itself, in this order.
    team.send_batch(batch)
    plan.version = [one.answer().version for one in told_of][-1]
    told.step(
        "situation",
        "What is going on, per life domain, with scores from 1 to 5: sent at once, judged one by one.",
        "PERMIT",
    )


def _what_is_wanted(told: Telling, plan: Plan) -> None:
    team = plan.wijkteam()
    goal = team.plan.set_goal(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        own_words="Ik wil weer onder de mensen komen en dan aan het werk.",
        desired_effect="Drie dagdelen per week buitenshuis",
        life_domain=LifeDomain.LIFE_DOMAIN_SOCIAL_NETWORK,
        target_date=plan.script.day(180),
    )
    told.keep(plan.municipality, goal)
    plan.goal_id = goal.goal_id
    told.step("goal", "The goal stands in the resident's own words.", "PERMIT")
    preferred = plan.inwoner().plan.prefer_provider(
        claim=BEWONER,
        plan_id=plan.plan_id,
        expected_version=goal.version,
        provider_oin=plan.provider.oin,
        provider_task="wmo-aanbieder",
    )
    told.keep(plan.municipality, preferred)
    plan.preference_id = preferred.preference_id
    told.step("preferred", f"The resident says who should help: {plan.provider.credentials.name}.", "PERMIT")
    support = team.plan.request_support(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=preferred.version,
        kind=SupportKind.SUPPORT_KIND_CUSTOM,
        provider_oin=plan.provider.oin,
        product_category=PRODUCT,
        product_code=PRODUCT_CODE,
        start_date=plan.script.day(0),
        end_date=plan.script.day(364),
        volume=3,
        unit="04",
        frequency="2",
        goal_ids=[goal.goal_id],
    )
    plan.version, plan.support_id = support.version, support.support_id
    told.step("support", "Three hours of guidance a week, by that provider.", "PERMIT")


def nothing_without_the_resident(told: Telling, plan: Plan) -> None:
    """Both lenses, then the resident's own yes."""
    assessed = plan.wijkteam().plan.assess_lens(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        law=Law.LAW_WMO_2015,
        finding=LensFinding.LENS_FINDING_FITS,
        reason="Eigen netwerk en algemene voorzieningen zijn niet genoeg.",
    )
    plan.version = assessed.version
    told.broken(
        "one-lens-is-not-enough",
        "She needs care and wants to work. The plan cannot be agreed while only the Wmo (the law on social "
        "support) has been looked through.",
        lambda: agree(plan),
        "RULE_BROKEN",
    )
    _the_other_lenses(told, plan)
    agreed = agree(plan)
    told.keep(plan.municipality, agreed)
    plan.agreed_at.CopyFrom(agreed.receipt.record_time)
    told.step("agreed", "The resident reads the plan and says yes. Only now is it a plan.", "PERMIT")


def _the_other_lenses(told: Telling, plan: Plan) -> None:
    second = plan.consulent().plan.assess_lens(
        claim=WERK,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        law=Law.LAW_PARTICIPATIEWET,
        finding=LensFinding.LENS_FINDING_FITS,
        reason="Dagbesteding is een stap naar werk; geen sollicitatieplicht nu.",
    )
    plan.version = second.version
    works = plan.consulent().plan.describe_situation(
        claim=WERK,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        life_domain=LifeDomain.LIFE_DOMAIN_WORK_AND_EDUCATION,
        description="Tien jaar kok; diploma verlopen.",
        strengths="Wil graag.",
        score=3,
        judge_date=plan.script.day(-7),
    )
    plan.version = works.version
    debts = plan.wijkteam().plan.assess_lens(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        law=Law.LAW_WGS,
        finding=LensFinding.LENS_FINDING_WAIVED,
        reason="De huurachterstand wordt al afbetaald; schuldhulp is niet nodig.",
    )
    plan.version = debts.version
    told.step(
        "second-lens",
        "Werk & Inkomen looks through the Participatiewet (the law on work) and writes what it finds.",
        "PERMIT",
    )
    told.step(
        "lens-waived",
        "There is rent to catch up on: the law on debts is waived, with the reason why.",
        "PERMIT",
    )


def agree(plan: Plan) -> AgreeToPlanResponse:
    """Let the resident agree."""
    answer = plan.inwoner().plan.agree_to_plan(
        claim=BEWONER,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        outcome=AgreementOutcome.AGREEMENT_OUTCOME_AGREED,
        remarks="Als mijn zus mee mag denken.",
    )
    plan.version = answer.version
    return answer
