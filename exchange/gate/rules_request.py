"""Rules about the request as a whole, apart from consent. One function per rule; True is: this rule denies.

Promises: pure; no rule looks at another; what is not established counts against the request.
Source: each function cites its own article; the ids are those of rulebook.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.gate import vocabulary as words
from exchange.gate.model import MISSING
from exchange.gate.representation import ADULT_AGE, CHILD_AGE, YOUTH_AGE, Speaker, who_spoke

if TYPE_CHECKING:
    from exchange.gate.entry import LegalBasis
    from exchange.gate.model import Facts

_ALWAYS_NEEDED = (
    "now",
    "actor_auth",
    "legal_basis",
    "purpose",
    "provider",
    "recipient",
    "recipient_id",
    "fields",
)
_NEEDED_OF_CONSENT = ("start", "end", "given_by")


def missing_for_any_basis(facts: Facts) -> tuple[str, ...]:
    """R01, GDPR 25 and 32: names of facts without which nothing can be judged."""
    # Spelled out because it runs on every decision, and almost always finds nothing.
    if (
        facts.now is not None
        and facts.actor_auth is not None
        and facts.legal_basis is not None
        and facts.purpose is not None
        and facts.provider is not None
        and facts.recipient is not None
        and facts.recipient_id is not None
        and facts.fields is not None
    ):
        return ()
    return tuple(name for name in _ALWAYS_NEEDED if getattr(facts, name) is None)


def missing_for_basis(facts: Facts, basis: LegalBasis) -> tuple[str, ...]:
    """R01, GDPR 25 and 32: names of facts that the claimed basis needs and nobody established.

    Of whom somebody asks about in a name that is not his own no age is needed: he is the wrong person (R21).
    """
    missing: list[str] = []
    breaking_glass = basis.break_glass and facts.break_glass is not None
    if not facts.fields and not basis.fields_optional:
        missing.append("fields")
    if facts.case_relation is None and _asks_relation(facts, basis) and not breaking_glass:
        missing.append("case_relation")
    person_judged = basis.subject_access and (breaking_glass or not _speaks_as_another(facts))
    if basis.consent_kind:
        if facts.consent is MISSING:
            missing.append("consent")
        elif facts.consent is not None:
            consent, person_judged = facts.consent, True
            missing += [f"consent.{name}" for name in _NEEDED_OF_CONSENT if getattr(consent, name) is None]
    if person_judged:
        missing += [name for name in ("age", "capable") if getattr(facts, name) is None]
    return tuple(missing)


def weakly_authenticated(facts: Facts, _basis: LegalBasis) -> bool:
    """R02, GDPR 32: two factors for the person and mutual TLS for the organisation."""
    return facts.actor_auth not in words.STRONG_AUTHENTICATION


def no_case_relation(facts: Facts, basis: LegalBasis) -> bool:
    """R03, GDPR 5(1)(f) and Wmo 2015 5.3.3."""
    return facts.case_relation is not True and _asks_relation(facts, basis)


def _asks_relation(facts: Facts, basis: LegalBasis) -> bool:
    """Tell whether only who works on the case may do this.

    A basis for recording may do without a relation, for what it records is about nobody or is one's own; the
    data of one resident it opens to nobody else.
    """
    looks = _looks_while_obtaining(facts, basis) and facts.recipient not in words.RESIDENT_SIDE
    return basis.case_relation_required or looks


def _looks_while_obtaining(facts: Facts, basis: LegalBasis) -> bool:
    """Tell whether somebody asks to see by a basis for recording."""
    return basis.direction == "OBTAIN" and not facts.records


def basis_not_in_force(facts: Facts, basis: LegalBasis) -> bool:
    """R05, GDPR 6(3): disabled, or `now` outside its validity."""
    return facts.now is None or not basis.in_force(facts.now)


def purpose_not_listed(facts: Facts, basis: LegalBasis) -> bool:
    """R06, GDPR 5(1)(b). A basis for disclosing or for reuse, an emergency too, is none for recording.

    Nor is a basis for recording one by which the resident's side looks: own access has its own conditions.
    """
    if facts.purpose not in basis.purposes:
        return True
    if facts.records:
        return basis.direction != "OBTAIN"
    return _looks_while_obtaining(facts, basis) and facts.recipient in words.RESIDENT_SIDE


def recipient_not_listed(facts: Facts, basis: LegalBasis) -> bool:
    """R08, the sector law: the kind of recipient, which is an organisation and its task."""
    return facts.recipient not in basis.recipients


def bare_provider_not_listed(facts: Facts, basis: LegalBasis) -> bool:
    """R09, the sector law, for a request without fields; with fields each is judged by its own provider."""
    return not facts.fields and facts.provider not in basis.providers


def necessity_not_stated(facts: Facts, basis: LegalBasis) -> bool:
    """R14, GDPR 5(1)(c): proportionality and subsidiarity in words."""
    return basis.necessity_required and not (facts.necessity and facts.necessity.strip())


def wrong_person_asks(facts: Facts, basis: LegalBasis) -> bool:
    """R21, Wmo 2015 5.3.2(2)-(3), UAVG 5: who may see a resident's own data for him."""
    if _speaks_unbound(facts, basis):
        return True
    if not basis.subject_access:
        return False
    age, capable = facts.age, facts.capable
    if age is None or capable is None:
        return True
    if facts.recipient == "betrokkene":
        return age < CHILD_AGE or not capable
    if age < YOUTH_AGE or not capable:
        return not facts.has_authority
    # The leave of a youth of 16 or 17 lets somebody in who has authority; it gives none.
    return age >= ADULT_AGE or not facts.has_authority or not _youth_lets_see(facts)


def _speaks_unbound(facts: Facts, basis: LegalBasis) -> bool:
    """Tell whether somebody speaks as or for a resident who is not the one this is about.

    Another resident of the same portal is a stranger here. A representative records words in the resident's
    name only with proven authority.
    """
    if facts.recipient not in words.RESIDENT_SIDE:
        return False
    records = facts.recipient != "betrokkene" and basis.direction == "OBTAIN"
    return _speaks_as_another(facts) or (records and not facts.has_authority)


def _speaks_as_another(facts: Facts) -> bool:
    """Tell whether who signed in as a resident, or as who represents him, is not the one he asks about."""
    return facts.recipient in words.RESIDENT_SIDE and not facts.speaks_for_self


def _youth_lets_see(facts: Facts) -> bool:
    """Tell whether a youth of 16 or 17 lets this representative see data for this purpose, now."""
    consent, now = facts.consent, facts.now
    if consent is MISSING or consent is None or now is None or consent.state != "GIVEN":
        return False
    # An assent opens nothing, agreement to care says nothing about data, the others are about something else.
    if consent.kind not in words.LEAVE_OF_A_YOUTH:
        return False
    withdrawn = consent.withdrawn_at is not None and consent.withdrawn_at <= now
    in_period = consent.start is not None and consent.end is not None and consent.start <= now < consent.end
    meant = facts.purpose in consent.purposes and facts.recipient_id in consent.recipients
    return in_period and meant and not withdrawn and Speaker.SELF in who_spoke(consent.given_by or ())


def restricted_or_objected(facts: Facts, basis: LegalBasis) -> bool:
    """R24, GDPR 18 and 21(1): an objection not yet decided suspends; an unknown state of one does too.

    Who asks for a consent uses nothing that is kept from use, and by a consent it may be used (GDPR 18(2)).
    """
    if facts.about_consent:
        return False
    undecided = facts.objection not in {None, words.OBJECTION_UPHELD, words.OBJECTION_REJECTED}
    return basis.limits_apply and (facts.restricted or undecided)


def objection_upheld(facts: Facts, basis: LegalBasis) -> bool:
    """R25, GDPR 21(1): a question for a consent, and what is said to it, is not what was objected to."""
    return basis.limits_apply and not facts.about_consent and facts.objection == words.OBJECTION_UPHELD


def break_glass_unfounded(facts: Facts, basis: LegalBasis) -> bool:
    """R28, GDPR 6(1)(d): only under its own basis, with a vital-interest code and a reason, never in bulk."""
    claim = facts.break_glass
    if claim is None:
        return basis.break_glass
    founded = (
        claim.code in words.BREAK_GLASS_CODES
        and len(claim.reason.strip()) >= words.BREAK_GLASS_REASON_CHARS_MIN
    )
    return not (basis.break_glass and founded) or facts.bulk


def against_the_childs_interest(facts: Facts, basis: LegalBasis) -> bool:
    """R31, GDPR 15(4), UAVG 41 and Wmo 2015 5.3.2(3)-(4)."""
    return basis.subject_access and facts.contrary_to_child_interest


def own_or_relatives_file(facts: Facts, basis: LegalBasis) -> bool:
    """R32, GDPR 5(1)(f). Also under a basis that limits do not stop, but not to the resident's side."""
    return facts.relative_of_subject and (basis.limits_apply or facts.recipient not in words.RESIDENT_SIDE)


def harm_disproportionate(facts: Facts, basis: LegalBasis) -> bool:
    """R36, Participatiewet 67(3)."""
    return basis.limits_apply and basis.disproportion_check and facts.disproportionate
