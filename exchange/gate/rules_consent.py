"""Rules about consent as a condition: R15-R19 and R21. They speak only if the basis has a kind of consent.

Promises: a word that was never given says only that (R15); a given, withdrawn or expired one is judged whole.
Source: GDPR 4(11), 7, recital 43; Wmo 2015 5.1.1(4), 5.2.5; Jeugdwet 7.3.11; Pw 65(2)(b); UAVG 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.gate import vocabulary as words
from exchange.gate.model import MISSING
from exchange.gate.representation import Mandate, mandate, own_words

if TYPE_CHECKING:
    from exchange.gate.entry import LegalBasis
    from exchange.gate.model import Consent, Facts

_SPOKEN = frozenset({"GIVEN", "WITHDRAWN", "EXPIRED"})


def judged_consent(facts: Facts, basis: LegalBasis) -> Consent | None:
    """Return the consent whose content is judged; None if none is asked or none was ever given."""
    if not basis.consent_kind:
        return None
    consent = facts.consent
    if consent is MISSING or consent is None or consent.state not in _SPOKEN:
        return None
    return consent if consent.kind in {"", basis.consent_kind} else None


def consent_not_given(facts: Facts, basis: LegalBasis) -> bool:
    """R15, GDPR 7(1): absent, requested, refused, of an unknown state or of another kind than is asked.

    Where the law asks it in writing (Pw 65(2)(b), SUWI 74(2)(b)), what was not said expressly was not said.
    """
    if not basis.consent_kind:
        return False
    consent = judged_consent(facts, basis)
    if consent is None:
        return True
    return basis.consent_kind == words.WRITTEN and basis.explicit_required and not consent.explicit


def consent_not_free(facts: Facts, basis: LegalBasis) -> bool:
    """R16, GDPR 7(4) and recital 43: not assessed as free, or offered for a public task."""
    if basis.public_task:
        return True
    consent = judged_consent(facts, basis)
    return consent is not None and basis.consent_kind == "GDPR" and consent.free_assessed is not True


def consent_for_something_else(facts: Facts, basis: LegalBasis) -> bool:
    """R17, GDPR 6(1)(a): another purpose or another recipient."""
    consent = judged_consent(facts, basis)
    return consent is not None and (
        facts.purpose not in consent.purposes or facts.recipient_id not in consent.recipients
    )


def consent_out_of_period(facts: Facts, basis: LegalBasis) -> bool:
    """R18, GDPR 5(1)(b): the period includes its start and excludes its end."""
    consent, now = judged_consent(facts, basis), facts.now
    if consent is None:
        return False
    if consent.state == "EXPIRED" or now is None or consent.start is None or consent.end is None:
        return True
    return not consent.start <= now < consent.end


def consent_withdrawn(facts: Facts, basis: LegalBasis) -> bool:
    """R19, GDPR 7(3): from the moment of withdrawal, that moment included."""
    consent, now = judged_consent(facts, basis), facts.now
    if consent is None:
        return False
    if consent.state == "WITHDRAWN" or now is None:
        return True
    return consent.withdrawn_at is not None and consent.withdrawn_at <= now


def consent_mandate(facts: Facts, basis: LegalBasis) -> Mandate:
    """Say how far the word reaches, given who spoke; FULL where no consent is judged.

    While two holders of authority contradict each other, only the resident's own word reaches anywhere.
    """
    consent = judged_consent(facts, basis)
    if consent is None:
        return Mandate.FULL
    if facts.age is None or facts.capable is None or consent.given_by is None:
        return Mandate.NONE
    given_by = own_words(consent.given_by) if facts.authority_disputed else consent.given_by
    return mandate(
        basis.consent_kind,
        given_by,
        facts.age,
        capable=facts.capable,
        has_authority=facts.has_authority,
    )


def wrong_person_consented(facts: Facts, basis: LegalBasis) -> bool:
    """R21, UAVG 5, Jeugdwet 7.3.15, BW 1:253a, Wmo 2015 5.3.3(2)."""
    return consent_mandate(facts, basis) is Mandate.NONE


_IN_FORCE: Final = (consent_not_given, consent_out_of_period, consent_withdrawn)


def consent_in_force(facts: Facts, basis: LegalBasis) -> bool:
    """Tell whether a consent was given and stands now; what it covers and whose it is, is R17's and R21's."""
    return bool(basis.consent_kind) and not any(rule(facts, basis) for rule in _IN_FORCE)
