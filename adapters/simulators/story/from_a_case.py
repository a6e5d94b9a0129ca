"""Another resident, by the systems that are there: case system, register of persons, messages, declaration.

Nobody types anything twice: an employee types a case, a provider's own system makes a declaration.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk.tokens import Person
from adapters.simulators.story import delivery, papers, systems
from adapters.simulators.story.case_system import PROFESSIONAL
from adapters.simulators.story.intake import PRODUCT, PRODUCT_CODE, join
from adapters.simulators.story.stage import BEWONER, LEVERING, WIJKTEAM, StoryBroken
from exchange.v1.common_pb2 import Law, LifeDomain
from exchange.v1.plan_pb2 import AgreementOutcome, LensFinding, SupportKind

if TYPE_CHECKING:
    from datetime import date

    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.case_system import CaseSystem
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

BORN: Final = "1948-03-09"
WORDS: Final = "Ik red het huishouden niet meer alleen."
NEIGHBOUR: Final = {**delivery.PERSON, "birth_date": BORN, "initials": "T"}
GRANTED: Final = "Toegekend"
HOURS: Final = 6
CENTS_AN_HOUR: Final = 4_200
CENTS: Final = 100
HOURS_MORE: Final = 4
# A fresh application, not a change of what was assigned (WJ759).
REASON: Final = "1"


def a_case_becomes_a_plan(told: Telling, plan: Plan, cases: CaseSystem) -> None:
    """Type a case in, agree on the plan that comes of it, and see the case close."""
    told.chapter("By the systems that are there already")
    zaak = cases.report(plan.bsn, WORDS, plan.script.day(0))
    plan.plan_id = systems.wait_for(lambda: cases.plan_of(zaak), "the case did not become a plan")
    told.step(
        "case-becomes-plan",
        "Another resident, born in 1948, reports. An employee types it into the case system that the "
        "municipality has; the adapter of it makes it a plan, and the case names that plan.",
        "PERMIT",
    )
    (asked,) = set(cases.asked_of_persons)
    told.step(
        "persons-asked-little",
        f"The national register of persons was asked {len(asked)} things about her: day of birth, and "
        "whether a court took decisions out of her hands. No name and no address: nobody needs them here.",
        "PERMIT",
    )
    _until_she_agrees(plan)
    delivery.assigned(plan, count=2)
    if systems.wait_for(lambda: cases.result_of(zaak), "the case did not close") != GRANTED:
        raise StoryBroken("the case closed with another result than the plan has")
    told.step(
        "case-closes",
        "She agrees to two hours a week, and a WMO301 assigns them. The case closes by itself: "
        f"'{GRANTED}' (granted), with the decision in it.",
        "PERMIT",
    )


def _until_she_agrees(plan: Plan) -> None:
    system = plan.municipality.as_(PROFESSIONAL, "college:WMO", "adapter")
    plan.resident = plan.municipality.pseudonym(plan.bsn, system, WIJKTEAM)
    found = system.case.find_case(claim=WIJKTEAM, resident=plan.resident, fields=["case_id", "plan_id"])
    plan.case_id = found.case_id
    join(plan, system, WIJKTEAM, plan.municipality, Person("wt-014", "college:WMO", "regisseur"))
    join(plan, system, WIJKTEAM, plan.provider, Person("zd-003", "wmo-aanbieder", "begeleider"))
    # Before there is anything to tell: who joins a case later is told what happens from then on.
    delivery.let_messages_in(plan, NEIGHBOUR)
    team = plan.wijkteam()
    plan.look()
    described = team.plan.describe_situation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        life_domain=LifeDomain.LIFE_DOMAIN_INSTRUMENTAL_ADL,
        description="Wassen en ramen lukken niet meer; koken wel.",
        score=2,
        judge_date=plan.script.day(0),
    )
    goal = team.plan.set_goal(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=described.version,
        own_words="Ik wil in een huis van mezelf blijven wonen.",
        desired_effect="Een huis dat op orde is",
        life_domain=LifeDomain.LIFE_DOMAIN_INSTRUMENTAL_ADL,
        target_date=plan.script.day(180),
    )
    plan.goal_id = goal.goal_id
    _until_agreed(plan, team, goal.version)


def _until_agreed(plan: Plan, team: ExchangeClient, version: int) -> None:
    support = team.plan.request_support(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=version,
        kind=SupportKind.SUPPORT_KIND_CUSTOM,
        provider_oin=plan.provider.oin,
        product_category=PRODUCT,
        product_code=PRODUCT_CODE,
        start_date=_last_month(plan)[0].isoformat(),
        end_date=plan.script.day(300),
        volume=2,
        unit="04",
        frequency="2",
        goal_ids=[plan.goal_id],
    )
    plan.support_id = support.support_id
    assessed = team.plan.assess_lens(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=support.version,
        law=Law.LAW_WMO_2015,
        finding=LensFinding.LENS_FINDING_FITS,
        reason="Een algemene voorziening is er niet voor.",
    )
    plan.inwoner().plan.agree_to_plan(
        claim=BEWONER,
        plan_id=plan.plan_id,
        expected_version=assessed.version,
        outcome=AgreementOutcome.AGREEMENT_OUTCOME_AGREED,
    )


def what_was_delivered(told: Telling, plan: Plan) -> None:
    """Tell that care began, declare a month of it, and ask for more."""
    plan.look()
    first, last = _last_month(plan)
    started = plan.begeleider().plan.start_support(
        claim=LEVERING,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        support_id=plan.support_id,
        care_start_date=first.isoformat(),
    )
    told.keep(plan.provider, started)
    delivery.messages(plan, "305", "the second WMO305 was not sent", count=2)
    archive = plan.provider.folder / "archive"
    number = papers.assignment_of(archive, plan.bsn.reveal())
    line = papers.Delivered(number, (PRODUCT, PRODUCT_CODE), first, last, HOURS, CENTS_AN_HOUR)
    _send(plan, papers.declaration(_post(plan, "D1"), plan.bsn.reveal(), line))
    granted = systems.wait_for(lambda: papers.granted_cents(archive), "the declaration was not answered")
    if granted != line.cents:
        raise StoryBroken("another amount was granted than was delivered")
    told.step(
        "wmo323",
        f"Care had begun last month: {HOURS} hours, declared by WMO323. The municipality's adapter lays it "
        f"beside what was assigned and what it was told of care, and grants € {granted // CENTS} by WMO325.",
        "PERMIT",
    )
    _asks_for_more(told, plan)


def _asks_for_more(told: Telling, plan: Plan) -> None:
    today = plan.script.today
    wanted = papers.Wanted((PRODUCT, PRODUCT_CODE), today, today + timedelta(days=90), HOURS_MORE)
    person = papers.Person(BORN, "2", "Voorbeeld", "T")
    _send(plan, papers.request(_post(plan, "Q1"), plan.bsn.reveal(), person, wanted))
    delivery.messages(plan, "315", "the WMO315 was not read")
    config = str(plan.municipality.folder / "adapter.toml")
    waits = systems.command("provider", "status", "--config", config, waits=True)
    number = next(line.split()[0] for line in waits.splitlines() if "WMO315" in line)
    words = ("--request", number, "--outcome", "1", "--reason", REASON)
    systems.command("provider", "answer", "--config", config, *words)
    delivery.messages(plan, "319", "the WMO319 was not read")
    kinds = delivery.archived(plan)
    rejected = [one.folder / "rejected" for one in (plan.municipality, plan.provider)]
    refused = sum(len(list(folder.iterdir())) for folder in rejected)
    told.step(
        "wmo315",
        f"The provider asks for {HOURS_MORE} hours by WMO315. No program decides that: it waits for a "
        "person, who says no by WMO319, and why: it is a new application. "
        f"National messages so far: {len(kinds)}, of {len(set(kinds))} kinds; refused: {refused}.",
        "PERMIT",
    )


def _send(plan: Plan, message: bytes) -> None:
    """Let the provider's own system hand a message to its adapter."""
    file = plan.provider.folder / "own-system.xml"
    file.write_bytes(message)
    systems.command("provider", "send", "--config", str(plan.provider.folder / "adapter.toml"), str(file))
    file.unlink()


def _post(plan: Plan, identification: str) -> papers.Post:
    sender, receiver = delivery.PROVIDER_CODE, delivery.MUNICIPALITY_CODE
    return papers.Post(sender, receiver, identification, plan.script.today)


def _last_month(plan: Plan) -> tuple[date, date]:
    last = plan.script.today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last
