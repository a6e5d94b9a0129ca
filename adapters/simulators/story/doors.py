"""What undoes a decision for the resident, and what does not; and a mandate that ends.

A yes that one desk notes for another opens nothing that was closed by an objection; her own does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.sdk.tokens import Person
from adapters.simulators.story.intake import join
from adapters.simulators.story.limits import DECIDE, OBJECT
from adapters.simulators.story.sharing import put_question
from adapters.simulators.story.stage import (
    BEHEER,
    BEWONER,
    HERGEBRUIK,
    WERK,
    WIJKTEAM,
    Organisation,
    StoryBroken,
    followed,
)
from exchange.v1.common_pb2 import Purpose
from exchange.v1.organisation_service_pb2 import Mandate
from exchange.v1.plan_pb2 import ConversationKind, ConversationOutcome
from exchange.v1.resident_rights_service_pb2 import ObjectionOutcome

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.plan_service_pb2 import GetPlanResponse

BODY_TASK: Final = "college:WMO"
SUMMARY: Final = "Belt elke maand hoe het gaat."
SUMMARIES: Final = ["conversations.summary"]
UNKNOWN: Final = "CALLER_UNKNOWN"


def a_yes_by_phone(told: Telling, plan: Plan) -> None:
    """Object to the sharing itself; then let a desk note a yes, and let the resident say it."""
    told.chapter("Whose yes it is")
    inwoner = plan.inwoner()
    objected = inwoner.rights.object(
        claim=OBJECT,
        case_id=plan.case_id,
        reason="Ik wil niet dat dit wordt gedeeld.",
        objected_purpose=Purpose.PURPOSE_WMO_AFSTEMMING,
    )
    plan.wijkteam().rights.decide_objection(
        claim=DECIDE,
        case_id=plan.case_id,
        objection_id=objected.objection_id,
        outcome=ObjectionOutcome.OBJECTION_OUTCOME_UPHELD,
        reason="De inwoner heeft gelijk.",
    )

    def ask() -> GetPlanResponse:
        return plan.wijkteam().plan.get_plan(
            claim=HERGEBRUIK, plan_id=plan.plan_id, fields=["lens_assessments.reason"], allow_partial=True
        )

    _say_yes(plan, plan.consulent(), WERK, "phone")
    told.refused(
        "yes-by-phone",
        "The resident objects to sharing between the desks, and is right. Werk & Inkomen notes a yes by "
        "phone; the neighbourhood team asks:",
        ask,
        "R09",
        "R25",
    )
    _say_yes(plan, inwoner, BEWONER, "portal")
    answer = ask()
    if not answer.plan.lens_assessments:
        raise StoryBroken("the resident's own yes opened nothing")
    told.step(
        "yes-at-the-portal",
        "She says yes herself, at the portal, and it opens: a desk's note undoes no decision, her word does.",
        "PARTIAL",
        answer.rules,
    )


def _say_yes(plan: Plan, who: ExchangeClient, ground: Claim, method: str) -> None:
    question = put_question(plan)
    who.consent.give_consent(
        claim=ground,
        consent_id=question.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method=method,
        expected_version=question.version,
    )


def a_mandate_ends(told: Telling, plan: Plan) -> None:
    """Let a body act for the college under a published mandate, and end it while its stream is open."""
    told.chapter("A mandate ends")
    body = Organisation(plan.script, "body")
    try:
        _under_a_mandate(told, plan, body)
    finally:
        body.close()


def _under_a_mandate(told: Telling, plan: Plan, body: Organisation) -> None:
    beheer = plan.municipality.as_("beheer-1", "beheer", "beheerder")
    _let_in(plan, body, beheer)
    consulent = body.as_("rt-001", BODY_TASK, "consulent")
    plan.look()
    talk = consulent.plan.record_conversation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        kind=ConversationKind.CONVERSATION_KIND_FIRST,
        hold_date=plan.script.day(0),
        outcome=ConversationOutcome.CONVERSATION_OUTCOME_CONTINUE,
        summary=SUMMARY,
    )
    with followed(consulent, WIJKTEAM, SUMMARIES, talk.receipt.position - 1) as events:
        event = next(events, None)
        if event is None or [one.summary for one in event.change.conversations] != [SUMMARY]:
            raise StoryBroken("the body does not follow what it wrote")
        told.step(
            "mandate",
            f"{body.credentials.name} acts for the college under a published mandate: it writes in the plan, "
            "and follows what it wrote.",
            "PERMIT",
        )
        ended = beheer.organisation.end_task(claim=BEHEER, oin=body.oin, task=BODY_TASK)
        told.keep(plan.municipality, ended)
        told.broken(
            "mandate-ended",
            "The mandate ends. The stream that was open closes by itself.",
            lambda: next(events, None),
            UNKNOWN,
        )
    told.broken(
        "of-nobody",
        "And the next call is of nobody.",
        lambda: consulent.plan.get_plan(claim=WIJKTEAM, plan_id=plan.plan_id, fields=SUMMARIES),
        UNKNOWN,
    )


def _let_in(plan: Plan, body: Organisation, beheer: ExchangeClient) -> None:
    beheer.organisation.join_organisation(
        claim=BEHEER,
        oin=body.oin,
        name=body.credentials.name,
        tasks=["vrijwilligersorganisatie"],
        certificate_thumbprint=body.credentials.thumbprint,
        signing_key=body.credentials.signing_key.public_key().public_bytes_raw(),
    )
    beheer.organisation.grant_task(
        claim=BEHEER,
        oin=body.oin,
        task=BODY_TASK,
        mandate=Mandate(reference="gmb-2026-9", decision_date="2026-01-01", text="Toegang tot hulp"),
    )
    join(plan, plan.wijkteam(), WIJKTEAM, body, Person("rt-001", BODY_TASK, "consulent"))
