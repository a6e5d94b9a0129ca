"""Third part: the law and the resident decide along.

As far as the law lets it, with consent where the law asks for it, and stopped by a withdrawal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.access import gather
from adapters.sdk.calls import claim
from adapters.sdk.gathered import access_file, known_of, receipts_of
from adapters.simulators.story import away
from adapters.simulators.story.stage import (
    AUDIT,
    BEWONER,
    HERGEBRUIK,
    INZAGE,
    NECESSITY,
    WERK,
    StoryBroken,
    break_glass,
)
from exchange.v1.audit_service_pb2 import ObligationState
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.consent_service_pb2 import ConsentKind
from exchange.v1.resident_rights_service_pb2 import Right

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling
    from exchange.v1.consent_service_pb2 import RequestConsentResponse
    from exchange.v1.disclosure_service_pb2 import Disclosure
    from exchange.v1.plan_service_pb2 import GetPlanResponse

REGISTER: Final = claim(Purpose.PURPOSE_INZAGE, "REGISTER-12")
ASK: Final = claim(Purpose.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT")
NOTICE: Final = (
    "Wij gebruiken wat Werk & Inkomen van u weet om uw hulp en uw weg naar werk op elkaar af te stemmen."
)
# What was gathered for her, of which a document is made.
ANSWER: Final = "answer.json"
NOTICE_FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
NOTICE_TO: Final = datetime(2099, 1, 1, tzinfo=UTC)
READ_BY_WORK: Final = ["lens_assessments.reason", "situations.description", "situations.life_domain"]


def work_and_income_reads(told: Telling, plan: Plan) -> None:
    """Its own part, and no more."""
    told.chapter("As far as the law lets it")
    answer = plan.consulent().plan.get_plan(
        claim=WERK, plan_id=plan.plan_id, fields=READ_BY_WORK, allow_partial=True
    )
    domains = {one.life_domain for one in answer.plan.situations}
    if domains != {LifeDomain.LIFE_DOMAIN_WORK_AND_EDUCATION}:
        raise StoryBroken("Werk & Inkomen read more or less than its own part")
    told.step(
        "work-reads",
        "Werk & Inkomen reads what it wrote itself; "
        "what the neighbourhood team wrote for the Wmo stays there.",
        "PARTIAL",
        answer.rules,
    )
    told.refused(
        "wrong-hat",
        "The same municipality wants it under another law, to check a benefit. What was told for care is not "
        "for that:",
        lambda: plan.consulent().plan.get_plan(
            claim=claim(Purpose.PURPOSE_PW_RECHT_VASTSTELLEN, "PW-64-1", NECESSITY),
            plan_id=plan.plan_id,
            fields=["situations.description"],
        ),
        *_rules_of_wrong_hat(),
    )


def _rules_of_wrong_hat() -> tuple[str, ...]:
    # The fields lie in several categories; health has no exception in the Participatiewet (R10, R11).
    return ("R09", "R10", "R11", "R07")


def consent_and_withdrawal(told: Telling, plan: Plan) -> None:
    """No consent, consent, withdrawal: refused, given, refused; what was set apart is given no more."""
    told.chapter("The resident decides along")
    told.refused(
        "no-consent",
        "May the neighbourhood team use what Werk & Inkomen wrote? Only if she says so:",
        lambda: _ask(plan),
        "R09",
        "R15",
    )
    consent_id = _she_says_yes(told, plan)
    answer = _ask(plan)
    told.step(
        "with-consent",
        "Now the neighbourhood team reads it, and only that: its own part needs no such door.",
        "PARTIAL",
        answer.rules,
    )
    apart = away.a_change_is_set_apart(told, plan)
    withdrawn = plan.inwoner().consent.withdraw_consent(claim=BEWONER, consent_id=consent_id)
    told.keep(plan.municipality, withdrawn)
    told.step("withdrawn", "The resident withdraws, in one step.", "PERMIT")
    told.refused("after-withdrawal", "The next moment it is closed again:", lambda: _ask(plan), "R09", "R19")
    away.nothing_to_fetch(told, apart)


def _ask(plan: Plan) -> GetPlanResponse:
    return plan.wijkteam().plan.get_plan(
        claim=HERGEBRUIK, plan_id=plan.plan_id, fields=["lens_assessments.reason"], allow_partial=True
    )


def _she_says_yes(told: Telling, plan: Plan) -> str:
    register_notice(plan, "afstemming-2026-1", NOTICE)
    requested = put_question(plan)
    given = plan.inwoner().consent.give_consent(
        claim=BEWONER,
        consent_id=requested.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method="portal",
        expected_version=requested.version,
    )
    told.keep(plan.municipality, given)
    told.step(
        "consent",
        "Asked in plain words, the resident says yes: one purpose, one recipient, ninety days.",
        "PERMIT",
    )
    return requested.consent_id


def register_notice(plan: Plan, notice_id: str, text: str) -> None:
    """Register what a resident is told."""
    plan.wijkteam().consent.register_notice(
        claim=claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", NECESSITY),
        notice_id=notice_id,
        version=1,
        sha256=sha256(text.encode()).digest(),
        language="nl",
        level="B1",
        withdrawal_channels=["https://mijn.voorbeeldstad.example/toestemming"],
        start_time=stamp(NOTICE_FROM),
        end_time=stamp(NOTICE_TO),
    )


def put_question(plan: Plan) -> RequestConsentResponse:
    """Ask whether the neighbourhood team may use what Werk & Inkomen wrote."""
    now = datetime.now(UTC)
    return plan.wijkteam().consent.request_consent(
        claim=claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", NECESSITY),
        case_id=plan.case_id,
        kind=ConsentKind.CONSENT_KIND_STATUTORY,
        consent_purpose=Purpose.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{plan.municipality.oin}/college:WMO"],
        categories=["WMO-PLAN", "ARBEID"],
        start_time=stamp(now - timedelta(minutes=1)),
        end_time=stamp(now + timedelta(days=90)),
        notice_id="afstemming-2026-1",
        notice_sha256=sha256(NOTICE.encode()).digest(),
    )


def stamp(moment: datetime) -> Timestamp:
    """Return a moment of the contract."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def emergency(told: Telling, plan: Plan) -> None:
    """Try the break-glass without a real reason: refused, and told to the privacy officer."""
    told.refused(
        "break-glass-refused",
        "Somebody tries the emergency door without saying why:",
        lambda: plan.begeleider().plan.get_plan(
            claim=break_glass("haast"), plan_id=plan.plan_id, fields=["goals.own_words"]
        ),
        "R28",
    )


def the_resident_looks(told: Telling, plan: Plan) -> None:
    """Who looked, when, why, on what ground; refused attempts too; no names of staff."""
    told.chapter("Who looked, and why")
    fields = [
        f"disclosures.{name}"
        for name in ("decide_time", "task", "purpose", "legal_basis", "outcome", "professional")
    ]
    disclosures = looked_at(plan, fields)
    refused = sum(one.outcome == "DENY" for one in disclosures)
    if any(one.professional for one in disclosures) or not refused:
        raise StoryBroken("the resident saw a name of staff, or no refusals")
    told.step(
        "resident-looks",
        f"The resident sees every time somebody looked: {len(disclosures)}, {refused} of them "
        "refused. Which organisation, and why; no names of staff.",
        "PARTIAL",
        ("R31",),
    )


def looked_at(plan: Plan, fields: list[str]) -> list[Disclosure]:
    """Return every disclosure of the resident's, as she sees it; of each these fields."""
    found: list[Disclosure] = []
    token = ""
    while True:
        page = plan.inwoner().disclosure.list_disclosures(
            claim=INZAGE,
            case_id=plan.case_id,
            fields=fields,
            allow_partial=True,
            page_size=200,
            page_token=token,
        )
        found += page.disclosures
        token = page.next_page_token
        if not token:
            return found


def the_officer_audits(told: Telling, plan: Plan) -> None:
    """Let the privacy officer read the refusals; that reading is on record too."""
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    fields = [f"decisions.disclosure.{name}" for name in ("outcome", "rules", "task")] + [
        "decisions.resident_pseudonym"
    ]
    answer = officer.audit.list_decisions(claim=AUDIT, fields=fields, outcomes=["DENY"], page_size=100)
    rules = sorted({rule for one in answer.decisions for rule in one.disclosure.rules})
    told.step(
        "officer",
        f"The privacy officer finds {len(answer.decisions)} refusals, by rules {', '.join(rules)}.",
        "PERMIT",
    )


def the_resident_asks_everything(told: Telling, plan: Plan) -> None:
    """Ask by right: there is a day by which it is answered, and the answer covers every leaf of hers."""
    inwoner = plan.inwoner()
    asked = inwoner.rights.receive_rights_request(claim=ASK, case_id=plan.case_id, right=Right.RIGHT_ACCESS)
    told.keep(plan.municipality, asked)
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    due = [
        one.due_time.ToDatetime().date()
        for one in officer.audit.list_obligations(
            claim=AUDIT,
            fields=["obligations.duty", "obligations.due_time"],
            state=ObligationState.OBLIGATION_STATE_OPEN,
            duties=["ANSWER-RIGHTS-REQUEST"],
        ).obligations
    ]
    whole = gather(inwoner, INZAGE, plan.case_id, plan.plan_id)
    covered = whole.answer.covered
    if not due or not covered.leaf_indexes or not covered.scanning_keys:
        raise StoryBroken("the answer on access is not whole")
    receipts = receipts_of(inwoner, INZAGE, whole.consents)
    known = known_of(plan.consulent(), REGISTER)
    kept = access_file(whole, receipts, plan.municipality.credentials.name, datetime.now(UTC), known)
    file = plan.municipality.folder / ANSWER
    file.touch(mode=0o600)
    file.write_bytes(kept)
    told.step(
        "access",
        f"The resident asks to see everything; the law gives until {due[0]}. The answer names "
        f"{len(covered.leaf_indexes)} leaves of the log, and holds the key with which she finds any other "
        "that was left out.",
        "PERMIT",
    )
