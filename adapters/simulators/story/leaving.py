"""Fifth part: whom a case is about travels in an envelope nobody between can open; and somebody is erased.

The one who is erased is another resident than the story's own: what proves her part stays, nothing of her.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.sdk.envelope_keys import EnvelopeKeys
from adapters.sdk.envelopes import Envelopes, Recipient, send_identity
from adapters.sdk.residents import Pseudonyms
from adapters.simulators.story.stage import BEHEER, INZIEN, LEVERING, WIJKTEAM, StoryBroken
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.resident_rights_service_pb2 import ErasureArticle, ErasureReason

if TYPE_CHECKING:
    from adapters.sdk.bsn import Bsn
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

TASK: Final = "wmo-aanbieder"
ERASE: Final = claim(Purpose.PURPOSE_KLACHT_BEZWAAR, "ERASE-17")
CERTIFICATE: Final = claim(Purpose.PURPOSE_BEHEER, "ERASURE-12")


def the_bsn_in_an_envelope(told: Telling, plan: Plan) -> None:
    """Send the BSN to the provider, which the law wants, through an exchange that cannot read it."""
    provider = plan.provider
    keys = EnvelopeKeys(provider.folder / "envelope-keys")
    public_key, signature = keys.make(provider.credentials)
    told.keep(
        plan.municipality,
        plan.municipality.as_("beheer-1", "beheer", "beheerder").organisation.set_envelope_key(
            claim=BEHEER, oin=provider.oin, envelope_key=public_key, key_signature=signature
        ),
    )
    pin = plan.municipality.folder / "provider-signing-key"
    sent = send_identity(
        plan.wijkteam(),
        plan.municipality.oin,
        Recipient(provider.oin, TASK, pin),
        claim=WIJKTEAM,
        case_id=plan.case_id,
        resident=plan.resident,
        bsn=plan.bsn,
    )
    told.keep(plan.municipality, sent)
    envelopes = Envelopes(provider.oin, TASK, keys, Pseudonyms(provider.folder / "exchange-key"))
    reader = plan.begeleider().identity
    found = envelopes.receive(reader, plan.case_id, claim=INZIEN, own_claim=LEVERING)
    if found is None or found.bsn is None or found.bsn.reveal() != plan.bsn.reveal():
        raise StoryBroken("the envelope did not bring the BSN")
    told.step(
        "envelope",
        "The law wants the BSN between municipality and provider. It goes in an envelope that the exchange "
        "cannot open; the provider opens it, and checks that it is of the resident of this case.",
        "PERMIT",
    )


def somebody_leaves(told: Telling, plan: Plan, bsn: Bsn) -> None:
    """Erase another resident, by three people; what proves the past stays, and nothing of her."""
    told.chapter("Somebody is erased, and nothing comes loose")
    team = plan.wijkteam()
    resident = plan.municipality.pseudonym(bsn, team, WIJKTEAM)
    registered = team.identity.register_resident(
        claim=WIJKTEAM, resident=resident, birth_date="1961-03-02", capable=True
    )
    told.keep(plan.municipality, registered)
    report = team.case.receive_report(
        claim=WIJKTEAM,
        resident=resident,
        life_domains=[LifeDomain.LIFE_DOMAIN_HOUSING],
        own_words="Ik verhuis en wil hier niets achterlaten.",
        desk="wijkteam",
    )
    told.keep(plan.municipality, report)
    case_id, plan_id = report.case_id, report.plan_id
    proposed = team.rights.propose_erasure(
        claim=ERASE,
        case_id=case_id,
        article=ErasureArticle.ERASURE_ARTICLE_WMO_5_3_5,
        reason=ErasureReason.ERASURE_REASON_RESIDENT_ASKED,
        motivation="Inwoner vroeg het in een brief.",
    )
    told.keep(plan.municipality, proposed)
    _approved_by_two(told, plan, case_id, proposed.erasure_id)
    told.refused(
        "erased",
        "From that moment she was never here, also to who worked on her case:",
        lambda: team.plan.get_plan(claim=WIJKTEAM, plan_id=plan_id, fields=["reports.own_words"]),
        "R03",
    )
    certificate = plan.municipality.as_("fg-1", "fg", "privacy-officer").rights.get_erasure_certificate(
        claim=CERTIFICATE, erasure_id=proposed.erasure_id
    )
    said = json.loads(certificate.statement)["tekst"].partition(" Drie personen")[0]
    told.step("certificate", f'She gets a certificate, with its proof: "{said}"', "TOLD")


def _approved_by_two(told: Telling, plan: Plan, case_id: str, erasure_id: str) -> None:
    told.broken(
        "erase-alone",
        "A resident asks the municipality to forget her. Who proposes it does not decide it.",
        lambda: plan.wijkteam().rights.approve_erasure(claim=ERASE, case_id=case_id, erasure_id=erasure_id),
        "RULE_BROKEN",
    )
    for person, task, role in (("jw-031", "college:JW", "consulent"), ("fg-1", "fg", "privacy-officer")):
        approved = plan.municipality.as_(person, task, role).rights.approve_erasure(
            claim=ERASE, case_id=case_id, erasure_id=erasure_id
        )
        told.keep(plan.municipality, approved)
    if not approved.executed:
        raise StoryBroken("two approvals did not erase")
    told.step("erasure", "Two others approve. Her keys are destroyed, and every old proof holds.", "PERMIT")
