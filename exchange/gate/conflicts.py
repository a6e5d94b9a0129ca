"""How an objection stands to a consent: the one place where it is said.

Promises: pure; whoever establishes the fact `objection` asks here. The rule, in order:
1. a rejected objection is heard no more; one about another purpose or another recipient is not about this;
2. the specific goes before the general: a consent in force for this purpose, this recipient and every
   category asked outweighs a pending objection against everything, the purpose or the recipient;
3. an upheld one was weighed: it yields only to such a consent that was spoken after that decision and can be
   read back as the resident's own, said over his own channel or signed, whatever kind the basis asks; and
   never where the moment of the one or of the other is not known. What one desk notes for another undoes no
   decision: that somebody consented is for who relies on it to show;
4. a tie is the objection's: one against this very purpose of this very recipient stands against any consent;
5. of those that stand, an upheld one speaks before a pending one.
A consent outweighs nothing that its own rules refuse (R11, R15 to R19, R21, each asked of its own kind): one
that is not free, not express where that is asked, of the wrong person, or of a kind that does not fit the
claimed basis, such as GDPR consent for a public task. Agreement to care or a courtesy says nothing of data.
Source: GDPR 21(1) and 7(1), 7(3); 4(11) (a consent is specific); 7(4) and recital 43.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from exchange.gate import rules_consent as rules
from exchange.gate import vocabulary as words
from exchange.gate.consents import in_force, select_consent
from exchange.gate.rules_field import beyond_a_money_mandate, special_without_exception

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from datetime import datetime

    from exchange.gate.entry import LegalBasis
    from exchange.gate.model import Consent, Facts

# A consent names one purpose and its recipients: as specific as an objection that names both.
SPECIFICITY_OF_CONSENT: Final = 2
PENDING: Final = "PENDING"
KINDS_THAT_SPEAK: Final = frozenset({"GDPR", "STATUTORY", "SECRECY", "NO_OBJECTION"})
# A duty and a public task rest on the law: GDPR consent is the wrong ground there (recital 43).
TASKS_OF_THE_LAW: Final = frozenset({"6(1)(c)", "6(1)(e)"})
_OF_THE_WHOLE: Final = (
    rules.consent_not_given,
    rules.consent_not_free,
    rules.consent_for_something_else,
    rules.consent_out_of_period,
    rules.consent_withdrawn,
    rules.wrong_person_consented,
)
_OF_A_CATEGORY: Final = (special_without_exception, beyond_a_money_mandate)


@dataclass(frozen=True, slots=True)
class Objection:
    """One objection; an empty purpose or recipient is every one. `decided_at` is when it was decided."""

    state: str
    purpose: str = ""
    recipient_id: str = ""
    decided_at: datetime | None = None

    @property
    def specificity(self) -> int:
        """How much it names: 0 is everything, 2 one purpose of one recipient."""
        return bool(self.purpose) + bool(self.recipient_id)

    def is_about(self, facts: Facts) -> bool:
        """Tell whether it reaches this request."""
        return self.purpose in {"", facts.purpose} and self.recipient_id in {"", facts.recipient_id}


def standing_objection(
    objections: Iterable[Objection],
    consents: Sequence[Consent],
    facts: Facts,
    basis: LegalBasis | None,
    shown: Container[str] = (),
    *,
    in_writing: Container[str] = (),
) -> str | None:
    """Return what the fact `objection` is: UPHELD, PENDING, REJECTED where that is all there is, or None.

    Of `facts` it looks at now, purpose, recipient, the fields, age, capacity and a dispute between holders.
    `shown` are ids of consents that a representative of proven authority gave, `in_writing` of those that can
    be read back as the own words of who gave them.
    """
    about = [one for one in objections if one.is_about(facts)]
    heard = [one for one in about if one.state != words.OBJECTION_REJECTED]
    if heard and basis is not None:
        passing = [
            left
            for consent in consents
            if (left := _what_passes(consent, facts, basis, shown=consent.consent_id in shown)) is not None
        ]
        heard = [one for one in heard if not _outweighed(one, passing, facts, in_writing)]
    if any(one.state == words.OBJECTION_UPHELD for one in heard):
        return words.OBJECTION_UPHELD
    if heard:
        # A state nobody knows suspends too: what cannot be read is not a yes.
        return PENDING
    return words.OBJECTION_REJECTED if about and all(_rejected(one) for one in about) else None


def _rejected(one: Objection) -> bool:
    return one.state == words.OBJECTION_REJECTED


def _outweighed(
    one: Objection, words_said: Sequence[Consent], facts: Facts, in_writing: Container[str]
) -> bool:
    if one.specificity >= SPECIFICITY_OF_CONSENT:
        return False
    if one.state != words.OBJECTION_UPHELD:
        return _consent_to_this(words_said, facts)
    upheld_at = one.decided_at
    if upheld_at is None:
        return False
    since = [
        said
        for said in words_said
        if said.state != "GIVEN"
        or (said.consent_id in in_writing and said.spoken_at is not None and said.spoken_at > upheld_at)
    ]
    return _consent_to_this(since, facts)


def _what_passes(consent: Consent, facts: Facts, basis: LegalBasis, *, shown: bool) -> Consent | None:
    """Return a yes without the asked categories that its own rules refuse, None if refused; a no as it is."""
    if consent.state != "GIVEN":
        return consent
    if not _fits(consent.kind, basis):
        return None
    asking = replace(basis, consent_kind=consent.kind, explicit_required=True)
    judged = replace(facts, consent=consent, has_authority=shown)
    if any(rule(judged, asking) for rule in _OF_THE_WHOLE):
        # One that was withdrawn is a no, and stays one.
        return consent if facts.now is not None and rules.consent_withdrawn(judged, asking) else None
    refused = {
        field.category
        for field in facts.fields or ()
        if any(rule(field, judged, asking) for rule in _OF_A_CATEGORY)
    }
    return replace(consent, categories=consent.categories - refused) if refused else consent


def _fits(kind: str, basis: LegalBasis) -> bool:
    """Tell whether a word of this kind can carry the claimed basis, or stand beside one that asks none."""
    if kind not in KINDS_THAT_SPEAK or basis.consent_kind not in {"", kind}:
        return False
    return kind != "GDPR" or not (basis.public_task or basis.gdpr6 in TASKS_OF_THE_LAW)


def _consent_to_this(consents: Sequence[Consent], facts: Facts) -> bool:
    """Tell whether the resident's last word about exactly this is a yes that covers all of it."""
    word = select_consent(consents, facts)
    if word is None or facts.now is None or not in_force(word, facts.now):
        return False
    asked = {field.category for field in facts.fields or ()}
    # What is asked without naming any data is not what somebody agreed to.
    return bool(asked) and asked <= word.categories
