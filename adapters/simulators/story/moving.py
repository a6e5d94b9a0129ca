"""Somebody moves to another municipality, and her plan goes along: from exchange to exchange, by one front.

The front opens nothing: it passes connections on by the name that is called. What leaves rests on her yes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.envelope_keys import EnvelopeKeys
from adapters.sdk.envelopes import Binding, recipient_key, seal_bsn
from adapters.sdk.handover import Claims, Handover, Newcomer, Shard
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from adapters.sdk.trust import trusting
from adapters.simulators.story import delivery, systems
from adapters.simulators.story.from_a_case import BORN
from adapters.simulators.story.sharing import register_notice, stamp
from adapters.simulators.story.stage import (
    BEHEER,
    BEWONER,
    LEVERING,
    NECESSITY,
    WIJKTEAM,
    Organisation,
    StoryBroken,
)
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.consent_service_pb2 import ConsentKind, FreelyGiven
from exchange.v1.plan_pb2 import StopReason

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling
    from exchange.v1.common_pb2 import Claim

TASK: Final = "college-andere-gemeente:WMO"
NOTICE_ID: Final = "verhuizing-2026-1"
NOTICE: Final = "U verhuist. Als u dat wilt, gaat uw plan mee naar uw nieuwe gemeente."
CATEGORIES: Final = ["WMO-PLAN", "GEZONDHEID-FUNCTIONEEL", "CONTACT", "BSN"]
NEWCOMER: Final = Newcomer(
    birth_date=BORN,
    capable=True,
    life_domains=(LifeDomain.LIFE_DOMAIN_INSTRUMENTAL_ADL,),
    own_words="Ik ga bij mijn dochter in de buurt wonen.",
    desk="burgerzaken",
)


def _research(basis: str) -> Claim:
    return claim(Purpose.PURPOSE_WMO_ONDERZOEK, basis, NECESSITY)


CLAIMS: Final = Claims(
    leaves=_research("AVG-6.1.a-verhuizing"),
    records=_research("AVG-6.1.a-overname"),
    checks=_research("WABB-11-verhuizing"),
    own=WIJKTEAM,
)
CAME_ALONG: Final = _research("WMO-2.3.2-verhuisd")


def somebody_moves(told: Telling, plan: Plan, country: Path) -> None:
    """Let the new municipality in, ask her, and hand the plan over."""
    told.chapter("She moves, and her plan goes along")
    _care_ends(told, plan)
    systems.wait_for(country.exists, "there is no second municipality; see its service.out")
    where = json.loads(country.read_text(encoding="utf-8"))
    neighbour = Organisation(plan.script, "neighbour")
    keys = EnvelopeKeys(neighbour.folder / "envelope-keys")
    try:
        _let_in(told, plan, neighbour, keys)
    finally:
        neighbour.close()
    handover_id = _offered(told, plan, neighbour, _she_says_yes(told, plan, neighbour))
    person = Person("bg-007", TASK, "consulent")
    own = Credentials.load(neighbour.folder / "own")
    there = Person("bg-007", "college:WMO", "regisseur")
    with (
        ExchangeClient(where["front"], neighbour.credentials, person, server_name=where["first"]) as old,
        ExchangeClient(where["front"], own, there, server_name=where["second"]) as new,
    ):
        giving = Shard(old, Pseudonyms(neighbour.folder / "pin-old"), trusting(plan.script.log_vkey))
        receiving = Shard(new, Pseudonyms(neighbour.folder / "pin-new"), trusting(where["second_log_vkey"]))
        driver = Handover(giving, receiving, neighbour.credentials, CLAIMS, keys, task=TASK)
        taken = driver.take_over(handover_id, NEWCOMER)
        read = new.plan.get_plan(claim=CAME_ALONG, plan_id=taken.plan_id, fields=["goals.own_words"])
        if not read.plan.goals:
            raise StoryBroken("the plan did not come along")
        told.step(
            "moved",
            "Another municipality, with an exchange, keys and a log of its own; one front passes calls on "
            "to either, and opens none. Her plan goes there part by part; each side holds the other's proof.",
            "PERMIT",
        )
        told.step(
            "came-along",
            f"The new desk reads what she said before: '{read.plan.goals[0].own_words}' "
            "(I want to go on living in a house of my own.) Nobody asks her again.",
            "PERMIT",
        )
    told.refused(
        "moved-away",
        "Her former desk wants to write in the plan that left:",
        lambda: _write(plan),
        "R03",
    )


def _care_ends(told: Telling, plan: Plan) -> None:
    plan.look()
    stopped = plan.begeleider().plan.stop_support(
        claim=LEVERING,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        support_id=plan.support_id,
        care_end_date=plan.script.day(0),
        reason=StopReason.STOP_REASON_MOVED,
    )
    told.keep(plan.provider, stopped)
    delivery.messages(plan, "307", "the second WMO307 was not sent", count=2)


def _let_in(told: Telling, plan: Plan, neighbour: Organisation, keys: EnvelopeKeys) -> None:
    credentials = neighbour.credentials
    organisation = plan.municipality.as_("beheer-1", "beheer", "beheerder").organisation
    joined = organisation.join_organisation(
        claim=BEHEER,
        oin=credentials.oin,
        name=credentials.name,
        tasks=[TASK],
        certificate_thumbprint=credentials.thumbprint,
        signing_key=credentials.signing_key.public_key().public_bytes_raw(),
    )
    told.keep(plan.municipality, joined)
    public_key, signature = keys.make(credentials)
    organisation.set_envelope_key(
        claim=BEHEER, oin=credentials.oin, envelope_key=public_key, key_signature=signature
    )


def _she_says_yes(told: Telling, plan: Plan, neighbour: Organisation) -> str:
    register_notice(plan, NOTICE_ID, NOTICE)
    now = datetime.now(UTC)
    asked = plan.wijkteam().consent.request_consent(
        claim=WIJKTEAM,
        case_id=plan.case_id,
        kind=ConsentKind.CONSENT_KIND_GDPR,
        consent_purpose=Purpose.PURPOSE_WMO_ONDERZOEK,
        recipients=[f"{neighbour.oin}/{TASK}"],
        categories=CATEGORIES,
        start_time=stamp(now - timedelta(minutes=1)),
        end_time=stamp(now + timedelta(days=30)),
        notice_id=NOTICE_ID,
        notice_sha256=sha256(NOTICE.encode()).digest(),
    )
    given = plan.inwoner().consent.give_consent(
        claim=BEWONER,
        consent_id=asked.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        freely_given=FreelyGiven(alternatives=True, no_detriment=True),
        method="portal",
        expected_version=asked.version,
    )
    told.keep(plan.municipality, given)
    told.step(
        "move-yes",
        "She moves to be near her daughter, and care here ends. May her plan go along? She says yes.",
        "PERMIT",
    )
    return asked.consent_id


def _offered(told: Telling, plan: Plan, neighbour: Organisation, consent_id: str) -> str:
    team = plan.wijkteam()
    key = recipient_key(team.organisation, neighbour.oin, plan.municipality.folder / "neighbour-signing-key")
    purpose = Purpose.PURPOSE_WMO_ONDERZOEK
    binding = Binding(plan.municipality.oin, neighbour.oin, TASK, plan.case_id, purpose)
    offered = team.handover.offer_handover(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        consent_id=consent_id,
        recipient_oin=neighbour.oin,
        recipient_task=TASK,
        envelope=seal_bsn(plan.bsn, key, binding),
    )
    told.keep(plan.municipality, offered)
    return offered.handover_id


def _write(plan: Plan) -> object:
    return plan.wijkteam().plan.plan_evaluation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        plan_date=plan.script.day(30),
    )
