"""One process over two streams: an answer to a consent, and the dispute it makes between two holders.

Promises: a no of one holder of authority against the yes of another is recorded as a dispute in the same
commit, and ends nothing the other said; withdrawing still withdraws, but not what the other gave once
somebody decided that his word counts; who gave a consent always withdraws it, and so does the resident,
whose own word makes no dispute.
Source: BW 1:245, 1:253a; GDPR 7(3); the gate's design section 6.
"""

from collections.abc import Collection, Iterable, Iterator

from exchange.domain.consent import CONSENT, ConsentState, GiveConsent, RefuseConsent, WithdrawConsent
from exchange.domain.kernel import Events, stream_of
from exchange.domain.representation import ContradictDecision, DisputeAuthority
from exchange.domain.resident import RESIDENT, ResidentState
from exchange.domain.values import ConsentStatus

Answer = GiveConsent | RefuseConsent | WithdrawConsent
_NO: frozenset[str] = frozenset({ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN})


def answer_consent(
    order: Answer,
    consent: ConsentState,
    resident: ResidentState | None,
    *,
    others: Iterable[ConsentState],
    holders: Collection[str],
    dispute_id: str,
) -> tuple[tuple[str, Events], ...]:
    """Return what happens on both streams.

    `others` are the resident's other consents; `holders` the records whose word counts in this now, none
    where the resident decides alone.
    """
    stream = stream_of(CONSENT.name, consent.consent_id)
    put_aside = put_aside_by(order, consent, resident)
    if put_aside and resident is not None:
        contradiction = ContradictDecision(
            now=order.now,
            author=order.author,
            dispute_id=dispute_id,
            consent_id=consent.consent_id,
            purpose=consent.purpose,
            yes_by=put_aside[0],
            no_by=put_aside[1],
        )
        said = RESIDENT.decide(contradiction, resident)
        return ((stream, ()), (stream_of(RESIDENT.name, resident.resident), said))
    against = _contradicted(order, consent, others, holders)
    if against is None or resident is None:
        return ((stream, CONSENT.decide(order, consent)),)
    mine, theirs = against
    gives = isinstance(order, GiveConsent)
    dispute = DisputeAuthority(
        now=order.now,
        author=order.author,
        dispute_id=dispute_id,
        consent_id=consent.consent_id,
        purpose=consent.purpose,
        yes_by=mine if gives else theirs,
        no_by=theirs if gives else mine,
    )
    # Who refuses what the other holder gave does not undo it: somebody decides whose word counts.
    undecided = isinstance(order, RefuseConsent) and consent.state == ConsentStatus.GIVEN
    events = () if undecided else CONSENT.decide(order, consent)
    return (
        (stream, events),
        (stream_of(RESIDENT.name, resident.resident), RESIDENT.decide(dispute, resident)),
    )


def put_aside_by(
    order: Answer, consent: ConsentState, resident: ResidentState | None
) -> tuple[str, str] | None:
    """Return (whose yes stands, who takes it back in vain), or None where a withdrawal withdraws.

    In vain is: he did not give it, and somebody decided that his word does not count in this.
    """
    if not isinstance(order, WithdrawConsent) or consent.state != ConsentStatus.GIVEN or resident is None:
        return None
    speaker = order.authority
    if not consent.authority or speaker in consent.authority:
        return None
    overruled = (consent.purpose, speaker) in resident.representation.overruled
    return (consent.authority[0], speaker) if overruled else None


def _contradicted(
    order: Answer, consent: ConsentState, others: Iterable[ConsentState], holders: Collection[str]
) -> tuple[str, str] | None:
    """Return (who speaks now, whose word he contradicts), or None."""
    said = order.authority if isinstance(order, GiveConsent) else (order.authority,)
    mine = next((one for one in said if one in holders), "")
    if not mine:
        return None
    alike = [consent, *(one for one in others if _about_the_same(one, consent))]
    against = _noes(alike) if isinstance(order, GiveConsent) else _yeses(alike)
    theirs = next((one for one in against if one in holders and one not in said), "")
    return (mine, theirs) if theirs else None


def _about_the_same(one: ConsentState, consent: ConsentState) -> bool:
    same = (one.kind, one.purpose) == (consent.kind, consent.purpose)
    return (
        same
        and one.consent_id != consent.consent_id
        and not set(one.recipients).isdisjoint(consent.recipients)
    )


def _noes(consents: Iterable[ConsentState]) -> Iterator[str]:
    return (one.refused_by for one in consents if one.state in _NO)


def _yeses(consents: Iterable[ConsentState]) -> Iterator[str]:
    return (record for one in consents if one.state == ConsentStatus.GIVEN for record in one.authority)
