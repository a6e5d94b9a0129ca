"""What a resident can ask by right: something wrong is put right wherever it went, her words stand beside it.

And a copy to take along, that says of what it does not hold why.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.sdk.portable import take_along
from adapters.simulators.story.stage import INZAGE, INZIEN, WIJKTEAM, StoryBroken, followed
from exchange.v1.common_pb2 import Purpose
from exchange.v1.resident_rights_service_pb2 import (
    PlanElement,
    RectificationOutcome,
    Right,
    RightsOutcome,
)

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

ASK: Final = claim(Purpose.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT")
ANSWER: Final = claim(Purpose.PURPOSE_INZAGE, "RIGHTS-12")
CORRECT: Final = claim(Purpose.PURPOSE_CORRECTIE, "RECTIFY-16")
WORD: Final = claim(Purpose.PURPOSE_CORRECTIE, "RESIDENT-WORD")
CONFIRM: Final = claim(Purpose.PURPOSE_CORRECTIE, "RECTIFIED-19")
RIGHT_WORDS: Final = "Ziet een nicht, elke week."
STATEMENT: Final = "Ik wil het rustig aan doen."
SITUATIONS: Final = ["situations.description"]
CORRECTED: Final = "plan.corrected"


def put_right(told: Telling, plan: Plan) -> None:
    """Ask, decide, correct, tell the provider, hear back, close."""
    told.chapter("What is wrong is put right")
    asked = plan.inwoner().rights.receive_rights_request(
        claim=ASK,
        case_id=plan.case_id,
        right=Right.RIGHT_RECTIFICATION,
        statement="Er staat dat ik alleen een zus zie. Het is mijn nicht, elke week.",
    )
    told.keep(plan.municipality, asked)
    team = plan.wijkteam().rights
    name = asked.rights_request_id
    team.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=RightsOutcome.RIGHTS_OUTCOME_GRANTED
    )
    plan.look()
    done = team.rectify_plan(
        claim=CORRECT,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        element=PlanElement(collection="situations", name="LIFE_DOMAIN_SOCIAL_NETWORK"),
        field="description",
        values=[RIGHT_WORDS],
        rights_request_id=name,
    )
    told.keep(plan.municipality, done)
    told.step(
        "rectified",
        "'It says that I see a sister only. It is my niece, every week.' Granted and corrected; "
        f"recipients that got it wrong and are told: {done.recipients}.",
        "PERMIT",
    )
    _the_provider_hears(told, plan, name, done.receipt.position)
    _also_as_it_was(told, plan)
    executed = team.execute_rights_request(
        claim=ANSWER, rights_request_id=name, reference="brief-1", how="letter"
    )
    told.keep(plan.municipality, executed)
    told.step("request-done", "The request is closed when it was done, and not before.", "PERMIT")


def _the_provider_hears(told: Telling, plan: Plan, name: str, position: int) -> None:
    carer = plan.begeleider()
    with followed(carer, INZIEN, SITUATIONS, position - 1) as events:
        event = next(events, None)
    if event is None or event.kind != CORRECTED:
        raise StoryBroken("the provider's stream did not bring the correction")
    if [one.description for one in event.change.situations] != [RIGHT_WORDS]:
        raise StoryBroken("the correction did not say what is right")
    confirmed = carer.rights.confirm_rectification(
        claim=CONFIRM,
        rights_request_id=name,
        outcome=RectificationOutcome.RECTIFICATION_OUTCOME_RECTIFIED,
    )
    told.keep(plan.provider, confirmed)
    told.step(
        "provider-corrects",
        f"The provider's stream brings {event.kind}: '{RIGHT_WORDS}' It says that its own file is right now.",
        "PERMIT",
    )


def _also_as_it_was(told: Telling, plan: Plan) -> None:
    """Ask for the day she said yes: nobody reads what was wrong any more, and that it was wrong is told."""
    was = plan.wijkteam().history.get_plan_as_of(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        as_of_time=plan.agreed_at,
        fields=SITUATIONS,
        allow_partial=True,
    )
    if RIGHT_WORDS not in [one.description for one in was.plan.situations] or not was.corrected_later:
        raise StoryBroken("the past does not say what is right, and that it was corrected")
    if b"alleen een zus" in was.SerializeToString():
        raise StoryBroken("the past still says what was wrong")
    told.step(
        "as-it-was",
        "And as it was known before? It says the niece, and that this was corrected later. Nobody reads the "
        "sister any more.",
        "PERMIT",
    )


def in_her_own_words(told: Telling, plan: Plan) -> None:
    """Put the resident's words beside the goal; and take a copy along."""
    plan.look()
    said = plan.inwoner().rights.add_statement(
        claim=WORD,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        element=PlanElement(
            collection="goals", name=plan.goal_id, task="college:WMO", oin=plan.municipality.oin
        ),
        statement=STATEMENT,
    )
    told.keep(plan.municipality, said)
    read = plan.begeleider().plan.get_plan(
        claim=INZIEN, plan_id=plan.plan_id, fields=["goals.own_words", "goals.statement"]
    )
    if [one.statement for one in read.plan.goals] != [STATEMENT]:
        raise StoryBroken("the resident's words did not leave with the goal")
    told.step(
        "statement",
        f"The resident puts words of her own beside the goal: '{STATEMENT}' Whoever reads the goal reads "
        "them too.",
        "PERMIT",
    )
    copy = take_along(
        plan.inwoner(), INZAGE, plan.plan_id, ["goals.own_words", "goals.statement", "reports.own_words"]
    )
    document = json.loads(copy.document)
    if document["plan"] or not document["not_portable"]:
        raise StoryBroken("a copy to take along holds what it may not, or does not say why")
    reasons = sorted({one["reason"].replace("_", " ") for one in document["not_portable"]})
    told.step(
        "portable",
        f"A copy to take along, {len(copy.document)} bytes with their SHA-256. Nothing here rests on "
        f"consent or contract, so it holds no data, and says of each part why: {', '.join(reasons)}.",
        "PERMIT",
    )
