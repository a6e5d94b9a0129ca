"""Which of a resident's consents a request is judged by.

Promises: the choice is made here and nowhere else; a word spoken after `now` is not heard, so that a later
consent never makes an earlier access lawful; of each category the resident's last word counts, and on a tie
the no. A form with three choices makes three records, and each stands by itself.
Source: GDPR 7(1), 7(3), 5(1)(b); 4(11) (a consent is specific).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from exchange.gate import vocabulary as words
from exchange.gate.representation import Mandate, own_words, reach

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.gate.model import Consent, Facts

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_HOW_FAR: Final = {Mandate.NONE: 0, Mandate.MONEY: 1, Mandate.FULL: 2}


def select_consent(consents: Iterable[Consent], facts: Facts, kind: str = "") -> Consent | None:
    """Return the consent to judge, or None if the resident never spoke about this.

    `kind` is what the claimed basis asks, empty where it asks none. The rule, in order:
    0. agreement to care and courtesies are left out; where any word is of that kind, or of none that was
       told, words of other kinds are left out;
    1. words spoken after `now` are left out; a consent for this purpose *and* recipient goes before others;
    2. among those, a withdrawal takes its own categories from each consent given before it, and so does a
       refused question, unless it asked for more than was given then: that no is to the more;
    3. of what is left in force, one about a category that is asked wins: one that its own rules let pass
       first, then what covers most, then the newest; the others that are as good lend it their categories;
    4. else the newest refusal or withdrawal about a category that is asked; it goes first where no consent is
       asked (`kind` is empty), since there it is heard as an objection;
    5. else the newest word: an expired or a future consent, or a request that awaits an answer;
    6. with none for both, the newest given one for this purpose, else this recipient, so that R17 can speak.
    """
    if facts.now is None:
        return None
    heard = _heard(consents, facts.now, kind)
    if kind:
        heard = [consent for consent in heard if consent.kind in {"", kind}] or heard
    return _of_heard(heard, facts, facts.now, kind, no_first=not kind)


def select_leave(consents: Iterable[Consent], facts: Facts) -> Consent | None:
    """Return the word by which a youth of 16 or 17 lets a representative see, chosen as the others are."""
    if facts.now is None:
        return None
    heard = [consent for consent in _heard(consents, facts.now, "") if consent.kind in words.LEAVE_OF_A_YOUTH]
    return _of_heard(heard, facts, facts.now, "", no_first=False)


def _heard(consents: Iterable[Consent], now: datetime, kind: str) -> list[Consent]:
    # What says nothing about data is no word about a disclosure, neither its yes nor its no.
    return [
        consent
        for consent in consents
        if (consent.kind not in words.SAY_NOTHING_ABOUT_DATA or kind == consent.kind)
        and _spoken_at(consent, now) <= now
    ]


def _of_heard(
    heard: list[Consent], facts: Facts, now: datetime, kind: str, *, no_first: bool
) -> Consent | None:
    exact = [consent for consent in heard if _for_purpose(consent, facts) and _for_recipient(consent, facts)]
    if exact:
        return _of_exact(exact, facts, now, kind, no_first=no_first)
    given = [consent for consent in heard if consent.state == "GIVEN"]
    near = [consent for consent in given if _for_purpose(consent, facts)]
    near = near or [consent for consent in given if _for_recipient(consent, facts)]
    return max(near, key=lambda consent: _rank(consent, now), default=None)


def _of_exact(
    exact: list[Consent], facts: Facts, now: datetime, kind: str, *, no_first: bool
) -> Consent | None:
    asked = frozenset(field.category for field in facts.fields or ())
    nos = [consent for consent in exact if _is_no(consent, now) and (not asked or asked & consent.categories)]
    standing = [consent for consent in exact if in_force(consent, now)]
    left = _left_of(standing, nos, now) if nos else standing
    said = [consent for consent in left if (asked & consent.categories if asked else consent.categories)]
    if no_first and nos and said:
        agreed = frozenset().union(*(consent.categories for consent in said))
        said = [] if any((asked or no.categories) & no.categories - agreed for no in nos) else said
    if said:
        return _joined(said, asked, facts, now, kind)
    if nos:
        return max(nos, key=lambda consent: _rank(consent, now))
    others = [consent for consent in exact if not _is_no(consent, now)]
    about = [consent for consent in others if asked & consent.categories]
    return max(about or others, key=lambda consent: _rank(consent, now), default=None)


def _left_of(standing: list[Consent], nos: list[Consent], now: datetime) -> list[Consent]:
    """Return what stands, each without the categories that a later word took from it."""
    taken = [(_spoken_at(no, now), no.categories) for no in nos if _takes(no, standing, now)]
    left = []
    for consent in standing:
        given_at = _spoken_at(consent, now)
        lost = frozenset().union(*(categories for at, categories in taken if at >= given_at))
        kept = consent.categories - lost
        left.append(consent if kept == consent.categories else replace(consent, categories=kept))
    return left


def _takes(no: Consent, standing: list[Consent], now: datetime) -> bool:
    """Tell whether a no ends what was given: a refused question only if it asked for nothing more."""
    if _withdrawn(no, now):
        return True
    at = _spoken_at(no, now)
    given = (consent.categories for consent in standing if _spoken_at(consent, now) <= at)
    return no.categories <= frozenset().union(*given)


def _joined(said: list[Consent], asked: frozenset[str], facts: Facts, now: datetime, kind: str) -> Consent:
    """Return the best of what stands, with the categories of the others that are as good.

    Its id and version are what the decision names; the others are found again from the facts' position.
    """
    if len(said) == 1:
        return said[0]
    best = max(
        said,
        key=lambda one: (_worth(one, facts, kind), len(asked & one.categories), *_rank(one, now)),
    )
    lent = best.categories.union(*(_lent(other, best, facts, kind) for other in said))
    return best if lent == best.categories else replace(best, categories=lent)


def _worth(consent: Consent, facts: Facts, kind: str) -> tuple[bool, int, bool]:
    """Order consents by what their rules would say: R16 and R21, then how far they reach, then R11."""
    far = _HOW_FAR[_reach(consent, facts, kind)]
    return far > 0 and _free(consent, kind), far, consent.explicit


def _lent(other: Consent, best: Consent, facts: Facts, kind: str) -> frozenset[str]:
    """Return the categories in which the one is as good as the best: no rule would tell them apart."""
    far, passes = _reach(other, facts, kind), _free(other, kind) or not _free(best, kind)
    if other.kind != best.kind or far is Mandate.NONE or not passes or not _as_wide(other, best):
        return frozenset()
    lent = other.categories
    if far is Mandate.MONEY:
        lent &= words.MONEY
    if best.explicit and not other.explicit:
        # What is asked in writing was not said in writing; what is special was not said expressly.
        return frozenset() if kind == words.WRITTEN else lent - words.SPECIAL
    return lent


def _as_wide(other: Consent, best: Consent) -> bool:
    """Tell whether what the best is about, by who holds it, is all in what the other is about."""
    return not other.sources or (bool(best.sources) and best.sources <= other.sources)


def covers_sources(consent: Consent, facts: Facts) -> bool:
    """Tell whether a consent is about data of every kind of organisation that holds what is asked."""
    held = {field.provider or facts.provider for field in facts.fields or ()}
    return not consent.sources or held <= consent.sources


def _free(consent: Consent, kind: str) -> bool:
    return consent.free_assessed or kind != "GDPR"


def _reach(consent: Consent, facts: Facts, kind: str) -> Mandate:
    if facts.age is None or facts.capable is None or consent.given_by is None:
        return Mandate.NONE
    given_by = own_words(consent.given_by) if facts.authority_disputed else consent.given_by
    # The words that come here were shown by a record, or were looked up as they are.
    return reach(consent.kind or kind, given_by, facts.age, capable=facts.capable)


def _for_purpose(consent: Consent, facts: Facts) -> bool:
    return facts.purpose in consent.purposes


def _for_recipient(consent: Consent, facts: Facts) -> bool:
    return facts.recipient_id in consent.recipients


def _withdrawn(consent: Consent, now: datetime) -> bool:
    return consent.state == "WITHDRAWN" or (consent.withdrawn_at is not None and consent.withdrawn_at <= now)


def _is_no(consent: Consent, now: datetime) -> bool:
    return consent.state == "REFUSED" or _withdrawn(consent, now)


def in_force(consent: Consent, now: datetime) -> bool:
    """Tell whether it was given, stands, and `now` is within its period."""
    if consent.state != "GIVEN" or _withdrawn(consent, now) or consent.start is None or consent.end is None:
        return False
    return consent.start <= now < consent.end


def _spoken_at(consent: Consent, now: datetime) -> datetime:
    """Return when the last word of this consent, as known at `now`, was spoken."""
    given_at = consent.spoken_at or consent.start or _LONG_AGO
    if consent.withdrawn_at is not None and consent.withdrawn_at <= now:
        return max(given_at, consent.withdrawn_at)
    return given_at


def _rank(consent: Consent, now: datetime) -> tuple[datetime, int, str]:
    return _spoken_at(consent, now), consent.version, consent.consent_id
