"""How an objection stands to a consent: the one place where it is said.

Promises: pure; whoever establishes the fact `objection` asks here. The rule, in order:
1. a rejected objection is heard no more; one about another purpose or another recipient is not about this;
2. the specific goes before the general: a consent in force for this purpose, this recipient and every
   category asked outweighs an objection against everything, against the purpose or against the recipient;
3. a tie is the objection's: one against this very purpose of this very recipient stands against any consent;
4. of those that stand, an upheld one speaks before a pending one.
A consent about care or a courtesy says nothing about data, and outweighs nothing.
Source: GDPR 21(1) and 7(3); 4(11) (a consent is specific).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.gate import vocabulary as words
from exchange.gate.consents import in_force, select_consent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exchange.gate.model import Consent, Facts

# A consent names one purpose and its recipients: as specific as an objection that names both.
SPECIFICITY_OF_CONSENT: Final = 2
PENDING: Final = "PENDING"
SAY_NOTHING_ABOUT_DATA: Final = frozenset({"CARE", "ASSENT"})


@dataclass(frozen=True, slots=True)
class Objection:
    """One objection; an empty purpose or recipient is every one."""

    state: str
    purpose: str = ""
    recipient_id: str = ""

    @property
    def specificity(self) -> int:
        """How much it names: 0 is everything, 2 one purpose of one recipient."""
        return bool(self.purpose) + bool(self.recipient_id)

    def is_about(self, facts: Facts) -> bool:
        """Tell whether it reaches this request."""
        return self.purpose in {"", facts.purpose} and self.recipient_id in {"", facts.recipient_id}


def standing_objection(
    objections: Iterable[Objection], consents: Sequence[Consent], facts: Facts
) -> str | None:
    """Return what the fact `objection` is: UPHELD, PENDING, REJECTED where that is all there is, or None.

    Of `facts` it looks at now, purpose, recipient and the categories of the fields.
    """
    about = [one for one in objections if one.is_about(facts)]
    heard = [one for one in about if one.state != words.OBJECTION_REJECTED]
    if heard and _consent_to_this(consents, facts):
        heard = [one for one in heard if one.specificity >= SPECIFICITY_OF_CONSENT]
    if any(one.state == words.OBJECTION_UPHELD for one in heard):
        return words.OBJECTION_UPHELD
    if heard:
        # A state nobody knows suspends too: what cannot be read is not a yes.
        return PENDING
    return words.OBJECTION_REJECTED if about and all(_rejected(one) for one in about) else None


def _rejected(one: Objection) -> bool:
    return one.state == words.OBJECTION_REJECTED


def _consent_to_this(consents: Sequence[Consent], facts: Facts) -> bool:
    """Tell whether the resident's last word about exactly this is a yes that covers all of it."""
    speaking = [one for one in consents if one.kind not in SAY_NOTHING_ABOUT_DATA]
    word = select_consent(speaking, facts)
    if word is None or facts.now is None or not in_force(word, facts.now):
        return False
    asked = {field.category for field in facts.fields or ()}
    meant = facts.purpose in word.purposes and facts.recipient_id in word.recipients
    # What is asked without naming any data is not what somebody agreed to.
    return meant and bool(asked) and asked <= word.categories
