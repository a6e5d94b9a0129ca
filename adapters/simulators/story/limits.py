"""Fourth part: what stands above a basis.

A real emergency, and what it brings; a place that is hidden so that its hiding does not show; an objection;
one refusal told three times; and what a change of the register would open, before anybody approves it.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.calls import claim
from adapters.simulators.story.sharing import looked_at
from adapters.simulators.story.stage import (
    AUDIT,
    INZAGE,
    INZIEN,
    NECESSITY,
    WERK,
    WIJKTEAM,
    StoryBroken,
    break_glass,
)
from exchange.v1.audit_service_pb2 import DutyOutcome, ObligationState
from exchange.v1.common_pb2 import Purpose
from exchange.v1.resident_rights_service_pb2 import ObjectionOutcome

if TYPE_CHECKING:
    from adapters.sdk.errors import Denied
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling
    from exchange.v1.plan_service_pb2 import GetPlanResponse

WHY: Final = "Bewoner reageert niet en de deur zit op slot; de huisarts vraagt waar gevaar dreigt."
OBJECT: Final = claim(Purpose.PURPOSE_KLACHT_BEZWAAR, "OBJECT-21-RESIDENT")
DECIDE: Final = claim(Purpose.PURPOSE_KLACHT_BEZWAAR, "OBJECT-21", NECESSITY)
SEAL: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "SEAL-32", NECESSITY)
WATCH: Final = claim(Purpose.PURPOSE_TOEZICHT, "FG-WATCH-39")
GOALS: Final = ["goals.own_words"]
REPORTS: Final = ["reports.own_words"]
# Somebody proposes that Werk & Inkomen may have from the neighbourhood team what health asks of work.
PROPOSED: Final = """
[[basis]]
id = "PW-64-1"
version = 2
succeeds = 1
title = "Voorstel: Werk & Inkomen krijgt van het wijkteam wat het over gezondheid weet"
citation = { law = "Participatiewet", article = "64", paragraph = "1", wording = "proposal of 2026, no law" }
valid_from = 2026-01-01
enabled = true
approved_by = ["voorsteller-1", "voorsteller-2"]
gdpr6 = "6(1)(e)"
gdpr9 = ["9(2)(b)", "UAVG 30(1)(b)"]
mode = "MUST_ON_REQUEST"
direction = "DISCLOSE"
providers = ["college:WMO", "college:PW"]
recipients = ["college:PW"]
purposes = ["pw-recht-vaststellen"]
categories = ["WMO-PLAN", "GEZONDHEID-FUNCTIONEEL", "ARBEID", "INKOMEN", "SCHULDEN", "NETWERK"]
acquired_for = ["wmo", "pw"]
regime = "PW"
secrecy = "NONE"
information_duty = "14"
retention_rule = "P10Y, selectielijst"
processing_activity_uri = "https://register.exchange.example/verwerkingen/voorstel"
dpia_ref = "DPIA-VOORSTEL"
"""


def a_real_emergency(told: Telling, plan: Plan) -> None:
    """Break the glass for a reason; it is reviewed, and the resident hears of it."""
    told.chapter("Somebody is in danger")
    answer = plan.begeleider().plan.get_plan(
        claim=break_glass(WHY), plan_id=plan.plan_id, fields=GOALS, allow_partial=True
    )
    if not answer.HasField("expire_time"):
        raise StoryBroken("what an emergency opened has no end")
    told.step(
        "break-glass",
        "A door stays locked and nobody answers. The care worker breaks the glass, with the reason in words: "
        "open for one hour.",
        "PERMIT_BREAK_GLASS",
        answer.rules,
    )
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    duties = officer.audit.list_obligations(
        claim=AUDIT,
        fields=["obligations.duty", "obligations.decision_id", "obligations.due_time"],
        state=ObligationState.OBLIGATION_STATE_OPEN,
        page_size=200,
    ).obligations
    mine = sorted(one.duty for one in duties if one.decision_id == answer.decision_id)
    if "REVIEW-1-WORKDAY" not in mine:
        raise StoryBroken("an emergency brought no review")
    told.step(
        "duties",
        f"It brings duties, each with its time, to tell, to review and to end: {', '.join(mine)}.",
        "TOLD",
    )
    reviewed = officer.audit.execute_obligation(
        claim=WATCH,
        of_decision_id=answer.decision_id,
        duty="REVIEW-1-WORKDAY",
        outcome=DutyOutcome.DUTY_OUTCOME_JUSTIFIED,
        how="review",
        remark="Reden en tijd kloppen met de melding van de huisarts.",
    )
    told.keep(plan.municipality, reviewed)
    told.step("review", "The privacy officer reviews it within a working day: it was right.", "PERMIT")
    _the_resident_hears(told, plan, answer.decision_id)


def _the_resident_hears(told: Telling, plan: Plan, decision_id: str) -> None:
    notices = (
        plan.inwoner()
        .disclosure.list_notices(
            claim=INZAGE,
            case_id=plan.case_id,
            fields=["notices.decision_id", "notices.explanation"],
        )
        .notices
    )
    words = [one.explanation for one in notices if one.decision_id == decision_id]
    if not words:
        raise StoryBroken("the resident was not told of the emergency")
    told.step("notice", f'And the resident is told: "{words[0]}"', "PERMIT")


def a_seal_nobody_sees(told: Telling, plan: Plan) -> None:
    """Hide something so that hidden and absent are alike."""
    told.chapter("What is hidden looks like what is not there")

    def read() -> GetPlanResponse:
        return plan.consulent().plan.get_plan(
            claim=WERK, plan_id=plan.plan_id, fields=REPORTS, allow_partial=True
        )

    before = len(read().plan.reports)
    proposed = plan.wijkteam().rights.seal_compartment(
        claim=SEAL,
        case_id=plan.case_id,
        paths=["reports"],
        readers=[f"{plan.municipality.oin}/college:WMO"],
        reason="In de melding staat waar iemand schuilt.",
    )
    told.broken(
        "seal-alone",
        "The neighbourhood team wants to hide the reports: one of them says where somebody shelters. "
        "One person cannot do that alone.",
        lambda: plan.wijkteam().rights.confirm_seal(
            claim=SEAL, case_id=plan.case_id, proposal_id=proposed.proposal_id
        ),
        "RULE_BROKEN",
    )
    sealed = plan.consulent().rights.confirm_seal(
        claim=claim(Purpose.PURPOSE_PW_ARBEIDSINSCHAKELING, "SEAL-32", NECESSITY),
        case_id=plan.case_id,
        proposal_id=proposed.proposal_id,
    )
    told.keep(plan.municipality, sealed)
    answer = read()
    if not before or answer.plan.reports or "R26" in answer.rules:
        raise StoryBroken("a seal showed, or did not hide")
    told.step(
        "sealed",
        f"A second person confirms. Werk & Inkomen read {before} of its own reports before; now it gets the "
        "answer of a plan without reports, and no word about a seal.",
        "PERMIT",
        answer.rules,
    )
    reader = plan.wijkteam().plan.get_plan(
        claim=WIJKTEAM, plan_id=plan.plan_id, fields=REPORTS, allow_partial=True
    )
    if not reader.plan.reports:
        raise StoryBroken("a named reader no longer reads")
    told.step("named-reader", "The named reader still reads them.", "PERMIT", reader.rules)


def an_objection(told: Telling, plan: Plan) -> Denied:
    """Suspend, then decide."""
    told.chapter("The resident objects")
    objected = plan.inwoner().rights.object(
        claim=OBJECT,
        case_id=plan.case_id,
        reason="De hulp is gestopt. Waarom leest u nog mee?",
        objected_purpose=Purpose.PURPOSE_WMO_LEVERING,
        recipient=f"{plan.provider.oin}/wmo-aanbieder",
    )
    told.keep(plan.municipality, objected)

    def ask() -> object:
        return plan.begeleider().plan.get_plan(claim=INZIEN, plan_id=plan.plan_id, fields=GOALS)

    told.refused(
        "objection-pending",
        "Care has stopped, and the resident objects to the provider still looking. Until it is decided:",
        ask,
        "R24",
    )
    decided = plan.wijkteam().rights.decide_objection(
        claim=DECIDE,
        case_id=plan.case_id,
        objection_id=objected.objection_id,
        outcome=ObjectionOutcome.OBJECTION_OUTCOME_UPHELD,
        reason="De levering is klaar; er is geen reden meer om mee te kijken.",
    )
    told.keep(plan.municipality, decided)
    return told.refused("objection-upheld", "The municipality finds the resident is right:", ask, "R25")


def told_three_times(told: Telling, plan: Plan, denied: Denied) -> None:
    """Let requester, resident and officer read the same refusal."""
    told.chapter("One refusal, told three times")
    told.step("to-requester", f'To who asked: "{denied.localized}"', "TOLD", denied.rules)
    looked = looked_at(plan, ["disclosures.decision_id", "disclosures.explanation"])
    (resident,) = [one.explanation for one in looked if one.decision_id == denied.decision_id]
    told.step("to-resident", f'To the resident: "{resident}"', "TOLD", denied.rules)
    told.step("to-officer", f'To the privacy officer: "{_to_officer(plan, denied)}"', "TOLD", denied.rules)


def _to_officer(plan: Plan, denied: Denied) -> str:
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    token = ""
    while True:
        page = officer.audit.list_decisions(
            claim=AUDIT,
            fields=["decisions.disclosure.decision_id", "decisions.officer_explanation"],
            outcomes=["DENY"],
            page_size=200,
            page_token=token,
        )
        for one in page.decisions:
            if one.disclosure.decision_id == denied.decision_id:
                return one.officer_explanation
        token = page.next_page_token
        if not token:
            raise StoryBroken("the officer does not find the refusal")


def before_a_policy_changes(told: Telling, plan: Plan) -> None:
    """Judge the past again, then by a proposal nobody has approved."""
    told.chapter("Before a policy changes")
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    same, token = 0, ""
    while True:
        page = officer.audit.replay_decisions(
            claim=AUDIT, fields=["counts.same", "counts.differs", "differences.decision_id"], page_token=token
        )
        same += page.counts.same
        if page.counts.differs or page.differences:
            raise StoryBroken("a decision came out otherwise when judged again")
        token = page.next_page_token
        if not token:
            break
    told.step(
        "replay", f"{same} decisions judged again, by the rules of their moment: all the same.", "VERIFIED"
    )
    since = Timestamp()
    since.FromDatetime(datetime.now(UTC) - timedelta(days=1))
    opens: dict[str, Counter[str]] = {}
    while True:
        preview = officer.audit.preview_register(
            claim=AUDIT,
            fields=["effects.recipient", "effects.category", "effects.opens", "effects.closes"],
            text=PROPOSED,
            since_time=since,
            page_token=token,
        )
        for one in preview.effects:
            if one.opens:
                opens.setdefault(one.recipient, Counter())[one.category] += one.opens
        token = preview.next_page_token
        if not token:
            break
    if not opens:
        raise StoryBroken("the preview found nothing that would open")
    found = "; ".join(
        f"to {recipient} {', '.join(f'{name} ({count})' for name, count in sorted(categories.items()))}"
        for recipient, categories in opens.items()
    )
    told.step(
        "preview",
        "Somebody proposes a wider rule for checking benefits. Had it been in force since yesterday, it "
        f"would have opened, by kind of data and number of times, {found}.",
        "TOLD",
    )
    told.step("not-approved", "It needs two other people to approve it. Nobody did.", "TOLD")
