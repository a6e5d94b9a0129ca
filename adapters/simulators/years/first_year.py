"""The first year: three people with one address, each with a file of his own, become one household."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.simulators.story.stage import BEHEER, WIJKTEAM
from adapters.simulators.years.family import (
    CONSULENT,
    MOTHER_ID,
    by_member,
    by_work,
    must,
    parents_of_sem,
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
    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.family import Family, Member

WORDS = {
    "Noor": (
        "Ik wil de huur weer op tijd betalen en overdag iets te doen hebben.",
        LifeDomain.LIFE_DOMAIN_FINANCE,
    ),
    "Bas": ("Ik wil mijn zoon elke week zien, zonder ruzie.", LifeDomain.LIFE_DOMAIN_DOMESTIC_RELATIONS),
    "Sem": ("Ik wil weer naar school, maar niet naar die klas.", LifeDomain.LIFE_DOMAIN_WORK_AND_EDUCATION),
}


def three_files(told: Telling, family: Family) -> None:
    """Let each tell his own story once, at whichever desk."""
    told.chapter(f"{family.clock.now().year}: three people, one address")
    for member in family.members:
        reported(told, family, member, *WORDS[member.name])
    told.step(
        "years-reports",
        "Noor, Bas and their son Sem, who is 13, each tell what is going on. Three people, three plans; "
        "nobody's story stands in another's file.",
        "PERMIT",
    )
    desk = family.municipality.as_("beheer-1", "beheer", "beheerder").organisation
    granted = desk.grant_task(claim=BEHEER, oin=family.municipality.oin, task="wettelijk-vertegenwoordiger")
    told.keep(family.municipality, granted)
    parents_of_sem(told, family)
    seen = family.words(family.parent_of_sem(MOTHER_ID), family.sem)
    must(seen == [WORDS["Sem"][0]], "his mother does not see what Sem wants")
    told.step(
        "years-parent",
        f"Sem is 13 and his mother has authority over him, by the register of persons: she reads '{seen[0]}'",
        "PERMIT",
    )


def reported(told: Telling, family: Family, member: Member, words: str, domain: LifeDomain.ValueType) -> None:
    """Let somebody tell the neighbourhood team what is going on: his case, his plan, and what he wants."""
    team = family.team()
    member.resident = family.municipality.pseudonym(member.bsn, team, WIJKTEAM)
    registered = team.identity.register_resident(
        claim=WIJKTEAM, resident=member.resident, birth_date=member.birth_date.isoformat(), capable=True
    )
    told.keep(family.municipality, registered)
    report = team.case.receive_report(
        claim=WIJKTEAM,
        resident=member.resident,
        life_domains=[domain],
        own_words=words,
        desk="wijkteam-oost",
    )
    told.keep(family.municipality, report)
    member.case_id, member.plan_id = report.case_id, report.plan_id
    goal = family.change(
        told,
        member,
        "set_goal",
        own_words=words,
        desired_effect="Over een jaar merkbaar beter",
        life_domain=domain,
        target_date=family.day(365),
    )
    member.goal_id = goal.goal_id


def noors_plan(told: Telling, family: Family) -> None:
    """Look through two pairs of glasses at what Noor needs; she says yes."""
    noor = family.noor
    _looked_at(told, family)
    family.change(
        told,
        noor,
        "request_support",
        kind=SupportKind.SUPPORT_KIND_GENERAL_SERVICE,
        start_date=family.day(),
        end_date=family.day(1080),
        goal_ids=[noor.goal_id],
    )
    yes = family.change(
        told,
        noor,
        "agree_to_plan",
        by_member(family, noor),
        outcome=AgreementOutcome.AGREEMENT_OUTCOME_AGREED,
    )
    noor.said_yes_at.CopyFrom(yes.receipt.record_time)
    told.step(
        "years-agreed",
        "Debts and no work: both desks look at it, each by its own law, in one plan. Noor says yes to it.",
        "PERMIT",
    )


def _looked_at(told: Telling, family: Family) -> None:
    noor = family.noor
    joined = family.team().case.join_professional(
        claim=WIJKTEAM,
        case_id=noor.case_id,
        oin=family.municipality.oin,
        task=CONSULENT.task,
        professional=CONSULENT.professional,
        role=CONSULENT.role,
    )
    told.keep(family.municipality, joined)
    family.change(
        told,
        noor,
        "record_conversation",
        kind=ConversationKind.CONVERSATION_KIND_FIRST,
        hold_date=family.day(),
        outcome=ConversationOutcome.CONVERSATION_OUTCOME_CONTINUE,
        summary="Post blijft liggen; wil overzicht en iets te doen hebben.",
    )
    for by, domain, description, score in (
        (None, LifeDomain.LIFE_DOMAIN_FINANCE, "Twee maanden huurachterstand.", 2),
        (by_work(family), LifeDomain.LIFE_DOMAIN_WORK_AND_EDUCATION, "Acht jaar niet gewerkt.", 2),
    ):
        family.change(
            told,
            noor,
            "describe_situation",
            by,
            life_domain=domain,
            description=description,
            score=score,
            judge_date=family.day(),
        )
    for by, law, finding in (
        (None, Law.LAW_WMO_2015, LensFinding.LENS_FINDING_FITS),
        (by_work(family), Law.LAW_PARTICIPATIEWET, LensFinding.LENS_FINDING_FITS),
        (None, Law.LAW_WGS, LensFinding.LENS_FINDING_FITS),
    ):
        family.change(
            told, noor, "assess_lens", by, law=law, finding=finding, reason="Past bij wat Noor zelf wil."
        )
