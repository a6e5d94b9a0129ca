"""Which of a resident's consents a request is judged by.

Promises: the choice is made here and nowhere else; a word spoken after `now` is not heard, so that a later
consent never makes an earlier access lawful; the resident's last word wins, and on a tie the refusal.
Source: GDPR 7(1), 7(3), 5(1)(b).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.gate.model import Consent, Facts

CARE: Final = "CARE"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def select_consent(consents: Iterable[Consent], facts: Facts, kind: str = "") -> Consent | None:
    """Return the consent to judge, or None if the resident never spoke about this purpose or this recipient.

    `kind` is what the claimed basis asks, empty where it asks none. The rule, in order:
    0. agreement to care is left out; where any word is of that kind, or of none that was told, words of other
       kinds are left out;
    1. words spoken after `now` are left out; a consent for this purpose *and* recipient goes before others;
    2. among those, a refusal or a withdrawal wins from every consent given before it;
    3. else the consent in force that covers most of the asked categories wins, and of equals the newest;
    4. else the newest word: an expired or a future consent, or a request that awaits an answer;
    5. with none for both, the newest given one for this purpose, else this recipient, so that R17 can speak.
    """
    if facts.now is None:
        return None
    now = facts.now
    # Agreement to care says nothing about data: neither its yes nor its no is a word about a disclosure.
    heard = [
        consent
        for consent in consents
        if _spoken_at(consent, now) <= now and (consent.kind != CARE or kind == CARE)
    ]
    if kind:
        heard = [consent for consent in heard if consent.kind in {"", kind}] or heard
    exact = [consent for consent in heard if _for_purpose(consent, facts) and _for_recipient(consent, facts)]
    if exact:
        return _of_exact(exact, facts, now)
    given = [consent for consent in heard if consent.state == "GIVEN"]
    near = [consent for consent in given if _for_purpose(consent, facts)]
    near = near or [consent for consent in given if _for_recipient(consent, facts)]
    return max(near, key=lambda consent: _rank(consent, now), default=None)


def _of_exact(consents: list[Consent], facts: Facts, now: datetime) -> Consent:
    refusals = [consent for consent in consents if _is_refusal(consent, now)]
    last_refusal = max(refusals, key=lambda consent: _rank(consent, now), default=None)
    silent_since = _LONG_AGO if last_refusal is None else _spoken_at(last_refusal, now)
    asked = {field.category for field in facts.fields or ()}
    standing = [
        consent
        for consent in consents
        if in_force(consent, now) and (last_refusal is None or _spoken_at(consent, now) > silent_since)
    ]
    if standing:
        return max(standing, key=lambda consent: (len(asked & consent.categories), *_rank(consent, now)))
    return last_refusal or max(consents, key=lambda consent: _rank(consent, now))


def _for_purpose(consent: Consent, facts: Facts) -> bool:
    return facts.purpose in consent.purposes


def _for_recipient(consent: Consent, facts: Facts) -> bool:
    return facts.recipient_id in consent.recipients


def _withdrawn(consent: Consent, now: datetime) -> bool:
    return consent.state == "WITHDRAWN" or (consent.withdrawn_at is not None and consent.withdrawn_at <= now)


def _is_refusal(consent: Consent, now: datetime) -> bool:
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
