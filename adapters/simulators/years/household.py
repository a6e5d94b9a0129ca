"""The household: who is in it by his own yes, who directs it, which goal is of two, and who is not there."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.calls import claim
from adapters.sdk.errors import Invalid
from adapters.simulators.story.stage import BEWONER, INZAGE, NECESSITY, WIJKTEAM
from adapters.simulators.years.asking import asked_and_given
from adapters.simulators.years.family import MOTHER_ID, REGISSEUR, must
from exchange.v1.common_pb2 import Purpose
from exchange.v1.household_service_pb2 import MemberRole
from exchange.v1.plan_pb2 import ConversationKind, ConversationOutcome

if TYPE_CHECKING:
    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.family import Family, Member

TOGETHER: Final = claim(Purpose.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4-gezin", NECESSITY)
SEAL: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "SEAL-32", NECESSITY)
CATEGORIES: Final = ["NETWERK", "WMO-PLAN", "ONDERWIJS"]
FIELDS: Final = ["membership.plan_id", "membership.director_professional", "goals.own_words"]
A_YEAR: Final = timedelta(days=365)
SECOND_PERSON: Final = ("wt-021", "college:WMO", "regisseur")


def one_household(told: Telling, family: Family) -> None:
    """Let each say yes for himself, and one person direct it."""
    noor, bas, sem = family.members
    for member, role in (
        (noor, MemberRole.MEMBER_ROLE_PARENT),
        (bas, MemberRole.MEMBER_ROLE_PARTNER),
        (sem, MemberRole.MEMBER_ROLE_CHILD),
    ):
        _joins(told, family, member, role)
    told.step(
        "years-household",
        "May what is known of you be used with that of the others? Noor says yes, Bas says yes, and "
        f"Sem, who is 13, is asked himself. One household of {len(_at_home(family))}; nothing is copied.",
        "PERMIT",
    )
    _directed(told, family)
    _a_goal_of_two(told, family)


def _joins(told: Telling, family: Family, member: Member, role: MemberRole.ValueType) -> None:
    consent_id = asked_and_given(
        told,
        family,
        member,
        A_YEAR,
        consent_purpose=Purpose.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{family.municipality.oin}/college:WMO"],
        categories=CATEGORIES,
    )
    household = family.team().household
    asked: dict[str, Any] = {"claim": WIJKTEAM, "plan_id": member.plan_id, "role": role}
    asked["consent_id"] = consent_id
    joined: Any
    if member is family.noor:
        joined = household.open_household(**asked)
    else:
        joined = household.join_household(**asked, beside_membership_id=family.noor.membership_id)
    told.keep(family.municipality, joined)
    member.membership_id = joined.membership_id


def _at_home(family: Family) -> list[str]:
    """Return whose plans the director sees in Noor's household."""
    read = family.team().household.get_household(
        claim=TOGETHER, plan_id=family.noor.plan_id, fields=FIELDS, allow_partial=True
    )
    return [one.membership.plan_id for found in read.households for one in found.members]


def _directed(told: Telling, family: Family) -> None:
    director = {
        "director_oin": family.municipality.oin,
        "director_task": REGISSEUR.task,
        "director_professional": REGISSEUR.professional,
    }
    named = family.team().household.name_director(
        claim=WIJKTEAM, membership_id=family.noor.membership_id, **director
    )
    told.keep(family.municipality, named)
    for member in family.members:
        answered = family.portal(member).household.answer_director(
            claim=BEWONER, membership_id=member.membership_id, accepted=True, **director
        )
        told.keep(family.municipality, answered)
    told.step("years-director", "One director, and each of the three says yes to her.", "PERMIT")


def _a_goal_of_two(told: Telling, family: Family) -> None:
    noor, _, sem = family.members
    asked: dict[str, Any] = {"claim": WIJKTEAM, "membership_id": noor.membership_id, "goal_id": noor.goal_id}
    household = family.team().household
    try:
        household.name_in_goal(**asked, membership_ids=[sem.membership_id, str(uuid.uuid4())])
    except Invalid as refused:
        places = sorted(refused.field_violations)
        told.step(
            "years-outsider",
            f"A goal that names somebody outside the household is refused: {', '.join(places)}.",
            "REFUSED",
            (refused.reason,),
        )
    else:
        must(holds=False, what="somebody outside the household was named in a goal")
    told.keep(family.municipality, household.name_in_goal(**asked, membership_ids=[sem.membership_id]))
    answered = family.portal(sem).household.answer_goal(
        claim=BEWONER,
        membership_id=sem.membership_id,
        beside_membership_id=noor.membership_id,
        goal_id=noor.goal_id,
        accepted=True,
    )
    told.keep(family.municipality, answered)
    told.step(
        "years-goal-of-two", "Noor's goal is Sem's too, since he says so. Its words stand once.", "PERMIT"
    )


def a_year_is_over(told: Telling, family: Family) -> None:
    """Let the first yes end; two say it again, and one does not."""
    told.refused(
        "years-lapsed",
        "Each yes was for a year. The household is there for nobody now:",
        lambda: _at_home(family),
        "R18",
    )
    for member, role in (
        (family.noor, MemberRole.MEMBER_ROLE_PARENT),
        (family.sem, MemberRole.MEMBER_ROLE_CHILD),
    ):
        _joins(told, family, member, role)
    at_home = _at_home(family)
    must(at_home == [family.noor.plan_id, family.sem.plan_id], "the household is not the two of them")
    kept = family.team().plan.get_plan(claim=WIJKTEAM, plan_id=family.bas.plan_id, fields=["goals.own_words"])
    must(bool(kept.plan.goals), "his plan went with his household")
    told.step(
        "years-apart",
        "Noor and Sem say it again. Bas lives elsewhere now and does not: he is not in it, and his own plan "
        "is what it was.",
        "PERMIT",
    )


def _sealed_by_two(told: Telling, family: Family) -> None:
    """Keep what Sem tells from everybody but the director: one person proposes it, another confirms."""
    sem = family.sem
    joined = family.team().case.join_professional(
        claim=WIJKTEAM,
        case_id=sem.case_id,
        oin=family.municipality.oin,
        task=SECOND_PERSON[1],
        professional=SECOND_PERSON[0],
        role=SECOND_PERSON[2],
    )
    told.keep(family.municipality, joined)
    readers = [f"{family.municipality.oin}/{REGISSEUR.task}/{REGISSEUR.professional}"]
    proposed = family.team().rights.seal_compartment(
        claim=SEAL,
        case_id=sem.case_id,
        paths=["conversations.summary"],
        readers=readers,
        reason="Hij vertelt het alleen als het thuis niet bekend wordt.",
    )
    told.keep(family.municipality, proposed)
    confirmed = family.municipality.as_(*SECOND_PERSON).rights.confirm_seal(
        claim=SEAL, case_id=sem.case_id, proposal_id=proposed.proposal_id
    )
    told.keep(family.municipality, confirmed)


def what_sem_tells(told: Telling, family: Family) -> None:
    """Hide what a boy of fourteen tells: his mother's answer is the one of before he told it."""
    sem = family.sem

    def mother_sees() -> bytes:
        read = family.parent_of_sem(MOTHER_ID).plan.get_plan(
            claim=INZAGE, plan_id=sem.plan_id, fields=["goals.own_words", "conversations.summary"]
        )
        return read.plan.SerializeToString(deterministic=True)

    before = mother_sees()
    _sealed_by_two(told, family)
    family.change(
        told,
        sem,
        "record_conversation",
        kind=ConversationKind.CONVERSATION_KIND_FIRST,
        hold_date=family.day(),
        outcome=ConversationOutcome.CONVERSATION_OUTCOME_CONTINUE,
        summary="Vertelt wat hij thuis niet vertelt.",
    )
    own = family.portal(sem).plan.get_plan(
        claim=INZAGE, plan_id=sem.plan_id, fields=["conversations.summary"], allow_partial=True
    )
    must(mother_sees() == before, "his mother can tell that Sem told something")
    told.step(
        "years-fourteen",
        "Sem is 14 and tells the director something that is not to be known at home. Two people seal it. His "
        "mother may still look, and her answer is byte for byte the one of before he told it."
        + (" He reads it himself." if own.plan.conversations else ""),
        "PERMIT",
    )
