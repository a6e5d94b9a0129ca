"""Two birds with one stone: who is on benefit offers what a neighbour of 81 asks, and neither sees a file."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.calls import claim
from adapters.simulators.story.stage import BEHEER, BEWONER, INZAGE, NECESSITY, WERK
from adapters.simulators.years.asking import asked_and_given_by
from adapters.simulators.years.family import must
from adapters.simulators.years.first_year import reported
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.consent_service_pb2 import ConsentKind
from exchange.v1.plan_pb2 import MatchAnswer, OfferKind

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.stage import Organisation, Telling
    from adapters.simulators.years.family import Family, Member

TASK: Final = "vrijwilligersorganisatie"
OFFER: Final = claim(Purpose.PURPOSE_VRAAG_EN_AANBOD, "RESIDENT-OFFER")
MATCH: Final = claim(Purpose.PURPOSE_VRAAG_EN_AANBOD, "MATCH-6.1.a", NECESSITY)
READ: Final = claim(Purpose.PURPOSE_VRAAG_EN_AANBOD, "MATCH-READ-6.1.a", NECESSITY)
CONTACT: Final = ["made", "contact_of_wish", "contact_of_offer"]
AT_ELSJES: Final = "Bel aan op nummer 4."
FOUND_S: Final = 20.0
LOOK_EVERY_S: Final = 0.1


def two_neighbours(told: Telling, family: Family, village: Organisation, elsje: Member) -> None:
    """Let Noor offer, and Elsje ask; the village's foundation brings them together."""
    _the_foundation_joins(told, family, village)
    domain = LifeDomain.LIFE_DOMAIN_INSTRUMENTAL_ADL
    reported(told, family, elsje, "Boodschappen doen lukt niet meer.", domain)
    for member in (family.noor, elsje):
        _chooses(told, family, member, village)
    groceries = _groceries(family)
    own_words = "Ik haal graag iets mee."
    _says(told, family, family.noor, "offer_contribution", **groceries, own_words=own_words)
    wish = _says(told, family, elsje, "open_wish", **groceries)
    told.refused(
        "years-no-duty",
        "Noor offers to bring groceries along. Werk & Inkomen asks what she offers:",
        lambda: family.work().plan.get_plan(
            claim=WERK, plan_id=family.noor.plan_id, fields=["contributions.kind"]
        ),
        "R10",
    )
    desk = village.as_("makelaar-1", TASK, "netwerkmakelaar")
    match_id = _proposed(told, family, desk, elsje, wish.wish_id)
    for member, contact in ((elsje, AT_ELSJES), (family.noor, "Ik kook op woensdag in het buurthuis.")):
        match = _matches(family, member)[-1].match_id
        yes = MatchAnswer.MATCH_ANSWER_YES
        _says(told, family, member, "answer_match", match_id=match, said=yes, contact=contact)
    asked: dict[str, Any] = {"plan_id": elsje.plan_id, "match_id": match_id, "fields": CONTACT}
    found = desk.matching.get_match(claim=READ, **asked).match
    must(found.made and found.contact_of_wish == AT_ELSJES, "the neighbours did not meet")
    told.step(
        "years-neighbours",
        "A neighbour of 81 asks just that. The village's foundation has the exchange look for a match, sees "
        "neither plan, and learns how to reach both only once both said yes.",
        "PERMIT",
    )


def _chooses(told: Telling, family: Family, member: Member, village: Organisation) -> None:
    asked_and_given_by(
        told,
        family,
        member,
        timedelta(days=90),
        by=(family.portal(member), BEWONER),
        kind=ConsentKind.CONSENT_KIND_GDPR,
        consent_purpose=Purpose.PURPOSE_VRAAG_EN_AANBOD,
        recipients=[f"{village.oin}/{TASK}"],
        categories=["AANBOD"],
    )


def _groceries(family: Family) -> dict[str, Any]:
    return {
        "kind": OfferKind.OFFER_KIND_GROCERIES,
        "neighbourhood": "BU01970103",
        "hours_a_week": 2,
        "start_date": family.day(),
    }


def _the_foundation_joins(told: Telling, family: Family, village: Organisation) -> None:
    beheer = family.municipality.as_("beheer-1", "beheer", "beheerder")
    joined = beheer.organisation.join_organisation(
        claim=BEHEER,
        oin=village.oin,
        name=village.credentials.name,
        tasks=[TASK],
        certificate_thumbprint=village.credentials.thumbprint,
        signing_key=village.credentials.signing_key.public_key().public_bytes_raw(),
    )
    told.keep(family.municipality, joined)


def _says(
    told: Telling,
    family: Family,
    member: Member,
    command: str,
    **asked: Any,  # noqa: ANN401 -- any field of the request
) -> Any:  # noqa: ANN401 -- the answer of any of these commands
    portal = family.portal(member)
    seen = portal.plan.get_plan(claim=INZAGE, plan_id=member.plan_id, fields=["version"]).plan
    answer = getattr(portal.matching, command)(
        claim=OFFER, plan_id=member.plan_id, expected_version=seen.version, **asked
    )
    told.keep(family.municipality, answer)
    return answer


def _matches(family: Family, member: Member) -> list[Any]:
    leaves = ["matches.match_id", "matches.about_id", "matches.said"]
    return list(
        family.portal(member).plan.get_plan(claim=INZAGE, plan_id=member.plan_id, fields=leaves).plan.matches
    )


def _proposed(told: Telling, family: Family, desk: ExchangeClient, asks: Member, wish_id: str) -> str:
    """Propose until the offer is found: what was just offered is looked up a moment later.

    Where nobody was found the answer is the same, and the wish waits for answers: who asks ends that first.
    """
    until = time.monotonic() + FOUND_S
    while True:
        proposed = desk.matching.propose_match(claim=MATCH, plan_id=asks.plan_id, wish_id=wish_id)
        told.keep(family.municipality, proposed)
        match_id: str = proposed.match_id
        if _matches(family, family.noor):
            return match_id
        must(time.monotonic() < until, "what was offered is not found")
        _says(told, family, asks, "end_match", match_id=match_id)
        time.sleep(LOOK_EVERY_S)
