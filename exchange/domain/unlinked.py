"""A case, a consent and a resident as they stand to who is not shown an organisation's part in them.

Promises: what is told or decided on these is what it would be if that organisation and task had never been
there; nothing is changed in the states themselves. A plan: `plan/seen.py`.
Source: the gate's design section 5 (uniform absence); exchange/decisions/0038-sealed-links.md.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from exchange.domain.kernel import with_changes
from exchange.domain.limits.links import origins_of

if TYPE_CHECKING:
    from exchange.domain.consent import ConsentState
    from exchange.domain.kernel import Event
    from exchange.domain.relations import CaseState
    from exchange.domain.resident import ResidentState

RECIPIENTS: Final = "recipients"


def case_without(case: "CaseState", links: frozenset[str]) -> "CaseState":
    """Return the case without the people of these recipients, and without what was sent by or to them."""
    return with_changes(
        case,
        professionals=tuple(one for one in case.professionals if f"{one.oin}/{one.task}" not in links),
        reporters=tuple(one for one in case.reporters if f"{one.oin}/{one.task}" not in links),
        identities=tuple(
            one
            for one in case.identities
            if links.isdisjoint(
                (f"{one.sender_oin}/{one.sender_task}", f"{one.recipient_oin}/{one.recipient_task}")
            )
        ),
    )


def consent_without(consent: "ConsentState", links: frozenset[str]) -> "ConsentState | None":
    """Return the consent without these recipients; None where one of them asked it, or it names no other."""
    if consent.origin in origins_of(links):
        return None
    if links.isdisjoint(consent.recipients):
        return consent
    recipients = tuple(one for one in consent.recipients if one not in links)
    return with_changes(consent, recipients=recipients) if recipients else None


def event_without(event: "Event", links: frozenset[str]) -> "Event":
    """Return an event of a consent without these recipients; the very event where it names none of them."""
    named = getattr(event, RECIPIENTS, ())
    if links.isdisjoint(named):
        return event
    return replace(event, recipients=tuple(one for one in named if one not in links))  # type: ignore[call-arg] # only events of consents name recipients


def resident_without(resident: "ResidentState", links: frozenset[str]) -> "ResidentState":
    """Return the resident without the representatives that these recipients recorded."""
    people, origins = resident.representation, origins_of(links)
    shown = tuple(one for one in people.representatives if one.origin not in origins)
    return with_changes(resident, representation=with_changes(people, representatives=shown))
