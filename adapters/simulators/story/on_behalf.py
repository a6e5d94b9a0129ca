"""A parent acts for a child: by a record of the register of persons, and no further than the law lets him.

An emergency about the child is kept from him until it was found that he is not the danger.

Who he is to sign in with, is the mark under which the municipality records him: the demo's identity provider
lets him in under it, so that he acts for the child of this story at the console too.
Source: BW 1:245; Jeugdwet 7.3.4; UAVG 5; exchange/decisions/0166-a-representative-names-whom.md,
0176-who-may-be-the-danger.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.sdk.access import labelled
from adapters.simulators.story.stage import AFWEGEN, BEHEER, INZAGE, WIJKTEAM, StoryBroken, break_glass
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.representation_service_pb2 import EvidenceSource, GetAuthorityResponse, Gezag, Relation
from exchange.v1.resident_rights_service_pb2 import DeterminationKind

if TYPE_CHECKING:
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

TASK: Final = "wettelijk-vertegenwoordiger"
PARENT_ID: Final = "ouder-1"
STRANGER_ID: Final = "ouder-9"
DAYS_OLD: Final = 10 * 365
WORDS: Final = "Ik wil op zwemles."
DANGER: Final = "Het kind zit alleen in een huis waar gas wordt geroken en niemand doet open."
CLEARED: Final = "De ouder was aan het werk en belde zelf 112."


def a_parent_acts(told: Telling, plan: Plan, bsn: Bsn) -> None:
    """Let the operator take the task, a desk record the parent, and him ask what his word counts for."""
    told.chapter("A parent acts for a child")
    town = plan.municipality
    desk = town.as_("beheer-1", "beheer", "beheerder").organisation
    told.keep(town, desk.grant_task(claim=BEHEER, oin=town.oin, task=TASK))
    child = _reported(told, plan, bsn)
    parent, stranger = (
        town.as_(person_id, TASK, "vertegenwoordiger", child.resident)
        for person_id in (PARENT_ID, STRANGER_ID)
    )
    fields = labelled(GetAuthorityResponse.DESCRIPTOR)
    may = parent.representation.get_authority(claim=INZAGE, case_id=child.case_id, fields=fields)
    if list(may.relations) != [Relation.RELATION_PARENT] or not may.speaks or not may.consent_kinds:
        raise StoryBroken("the parent's word counts for nothing")
    told.step(
        "parent",
        f"A child of ten, and a parent with authority by the register of persons. He asks what his word "
        f"counts for: he speaks for the child, and answers {len(may.consent_kinds)} kinds of consent.",
        "PERMIT",
    )
    told.refused(
        "no-parent",
        "Somebody else says that he is a parent too. Nobody recorded him:",
        lambda: stranger.representation.get_authority(claim=INZAGE, case_id=child.case_id, fields=fields),
        "R21",
    )
    _a_child_in_danger(told, child, parent)


def _a_child_in_danger(told: Telling, child: Plan, parent: ExchangeClient) -> None:
    """Break the glass for the child; the parent hears of it once he was cleared."""
    team = child.wijkteam()
    people = team.representation.list_representatives(
        claim=WIJKTEAM, case_id=child.case_id, fields=["representatives.representative_id"]
    ).representatives
    glass = team.plan.get_plan(
        claim=break_glass(DANGER, "ACUUT-GEVAAR-KIND"),
        plan_id=child.plan_id,
        fields=["situations.description"],
    )
    if _hears(parent, child, glass.decision_id):
        raise StoryBroken("who may be the danger was told of the emergency")
    told.step(
        "kept-from-parent",
        "Somebody breaks the glass because the child is in danger. Its parent reads nothing of it: "
        "he may be why.",
        "PERMIT_BREAK_GLASS",
        glass.rules,
    )
    cleared = team.rights.record_determination(
        claim=AFWEGEN,
        case_id=child.case_id,
        kind=DeterminationKind.DETERMINATION_KIND_CONTRARY_TO_CHILD_INTEREST,
        holds=False,
        determined_purpose=Purpose.PURPOSE_ACUTE_NOOD,
        representative_id=people[0].representative_id,
        reason=CLEARED,
    )
    told.keep(child.municipality, cleared)
    if not _hears(parent, child, glass.decision_id):
        raise StoryBroken("a parent who was cleared was not told of the emergency")
    told.step(
        "cleared",
        "The neighbourhood team finds in writing that he is not. From then on he reads that it happened, "
        "and why.",
        "PERMIT",
    )


def _hears(parent: ExchangeClient, child: Plan, decision_id: str) -> bool:
    """Tell whether an emergency is among what a parent must be told."""
    notices = parent.disclosure.list_notices(
        claim=INZAGE, case_id=child.case_id, fields=["notices.decision_id"]
    ).notices
    return decision_id in [one.decision_id for one in notices]


def _reported(told: Telling, plan: Plan, bsn: Bsn) -> Plan:
    """Return the child's case and plan, with the parent on record."""
    team = plan.wijkteam()
    child = replace(plan, bsn=bsn, resident=plan.municipality.pseudonym(bsn, team, WIJKTEAM))
    born = plan.script.day(-DAYS_OLD)
    registered = team.identity.register_resident(
        claim=WIJKTEAM, resident=child.resident, birth_date=born, capable=True
    )
    told.keep(plan.municipality, registered)
    report = team.case.receive_report(
        claim=WIJKTEAM,
        resident=child.resident,
        life_domains=[LifeDomain.LIFE_DOMAIN_SOCIAL_NETWORK],
        own_words=WORDS,
        desk="wijkteam-oost",
    )
    told.keep(plan.municipality, report)
    child.case_id, child.plan_id, child.version = report.case_id, report.plan_id, report.version
    recorded = team.representation.record_representative(
        claim=WIJKTEAM,
        case_id=child.case_id,
        person_oin=plan.municipality.oin,
        person_id=PARENT_ID,
        relation=Relation.RELATION_PARENT,
        gezag=Gezag.GEZAG_EENHOOFDIG_OUDERLIJK,
        evidence_source=EvidenceSource.EVIDENCE_SOURCE_BRP,
        source_reference="brp-gezag",
        source_date=plan.script.day(0),
        start_date=born,
    )
    told.keep(plan.municipality, recorded)
    return child
