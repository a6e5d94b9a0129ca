"""Rules about one field. One function per rule; True is: it withholds this field, no other.

Promises: pure, and blind to the other fields of the request: asking more never changes what was judged.
Source: each function cites its own article; the ids are those of rulebook.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.gate import vocabulary as words
from exchange.gate.model import MISSING
from exchange.gate.representation import ADULT_AGE, YOUTH_AGE, Mandate
from exchange.gate.rules_consent import consent_in_force, consent_mandate, judged_consent

if TYPE_CHECKING:
    from exchange.gate.entry import LegalBasis
    from exchange.gate.model import Consent, Facts, Field


def acquired_for_another_law(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R07, GDPR 5(1)(b) and 6(4)."""
    origin = field.acquired_for or facts.acquired_for
    if origin is None or words.ANY_ORIGIN in basis.acquired_for:
        return False
    return origin.lower() not in basis.acquired_for


def provider_not_listed(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R09, the sector law: the kind of organisation that holds the field."""
    return (field.provider or facts.provider) not in basis.providers


def category_not_covered(field: Field, _facts: Facts, basis: LegalBasis) -> bool:
    """R10, GDPR 5(1)(c)."""
    return field.category not in basis.categories


def special_without_exception(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R11, GDPR 9(1)-(2), UAVG 22-30: implied consent is not explicit."""
    if field.category not in words.SPECIAL:
        return False
    if not basis.gdpr9:
        return True
    consent = judged_consent(facts, basis) if basis.explicit_required else None
    return consent is not None and consent.explicit is not True


def criminal_without_exception(field: Field, _facts: Facts, basis: LegalBasis) -> bool:
    """R12, GDPR 10, UAVG 31-33."""
    return field.category in words.CRIMINAL and not basis.criminal_allowed


def field_not_needed(field: Field, facts: Facts, _basis: LegalBasis) -> bool:
    """R14, GDPR 5(1)(c)."""
    return facts.need_fields is not None and field.name not in facts.need_fields


def outside_the_consent(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R17, GDPR 6(1)(a) and 7: the category was not in the consent."""
    consent = judged_consent(facts, basis)
    return consent is not None and field.category not in consent.categories


def outside_what_a_youth_lets_see(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R17 for a representative who sees by leave of a youth of 16 or 17 (Wmo 2015 5.3.2(3))."""
    consent = _leave(facts, basis)
    return consent is not None and field.category not in consent.categories


def outside_its_sources(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R17, GDPR 4(11): the consent, or the leave, was about what others hold."""
    provider = field.provider or facts.provider
    said = (judged_consent(facts, basis), _leave(facts, basis))
    return any(one is not None and bool(one.sources) and provider not in one.sources for one in said)


def _leave(facts: Facts, basis: LegalBasis) -> Consent | None:
    """Return by what a youth of 16 or 17 lets a representative see; None where that is not the question."""
    if not basis.subject_access or facts.recipient == "betrokkene" or facts.capable is not True:
        return None
    if facts.age is None or not YOUTH_AGE <= facts.age < ADULT_AGE:
        return None
    consent = facts.consent
    if consent is MISSING or consent is None or consent.kind not in words.LEAVE_OF_A_YOUTH:
        # Then nobody gave leave at all, and R21 says so.
        return None
    return consent


def beyond_a_money_mandate(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R21, BW 1:431 and 1:441: a bewindvoerder speaks about money only."""
    if not basis.consent_kind or field.category in words.MONEY:
        return False
    return consent_mandate(facts, basis) is Mandate.MONEY


def secrecy_stands(field: Field, facts: Facts, basis: LegalBasis) -> bool:
    """R22, BW 7:457 and Jeugdwet 7.3.11.

    Where consent lifts secrecy, one that is not in force lifts nothing; its scope is judged by R17 and R21.
    """
    if not field.secret:
        return False
    if basis.secrecy == "CONSENT":
        return not consent_in_force(facts, basis)
    return basis.secrecy == "NONE" or (basis.secrecy == "DIRECT" and facts.directly_involved is not True)


def sealed_to_this_reader(sealed: bool, facts: Facts) -> bool:  # noqa: FBT001 -- the fact that the rule is about
    """R26, GDPR 32: only a named reader of the compartment; nothing overrides it.

    Both are looked at, whatever the first is: sealed and absent take the same steps.
    """
    return sealed & (words.SEALED_READER not in facts.roles)


def third_partys_data(field: Field, _facts: Facts, basis: LegalBasis) -> bool:
    """R27, GDPR 15(4)."""
    return field.third_party and basis.subject_access


def bsn_without_right(field: Field, _facts: Facts, basis: LegalBasis) -> bool:
    """R29, UAVG 46 and Wabb 10-12."""
    return field.category == words.BSN and not basis.bsn_allowed


def retention_ended(field: Field, facts: Facts, _basis: LegalBasis) -> bool:
    """R30, GDPR 5(1)(e): from the end of the term, that moment included."""
    return field.retention_end is not None and (facts.now is None or field.retention_end <= facts.now)


def staff_name_to_resident(field: Field, facts: Facts, _basis: LegalBasis) -> bool:
    """R31, CJEU C-579/21: a staff member's name only if it was weighed and found needed."""
    return (
        field.staff_name
        and facts.recipient in words.RESIDENT_SIDE
        and facts.staff_identity_needed is not True
    )
