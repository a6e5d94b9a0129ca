"""Consents: one purpose, one set of recipients, one set of categories, one period.

Promises: whom a consent serves never answers it, nor speaks a college through the resident's portal; only the
resident's side turns a no into a yes; for that side and for a college withdrawing a consent that exists never
fails and asks no version; a withdrawn consent is never given again. What the law asks in writing, or about
health in so many words, is not taken otherwise; only consent to care is given by two together. That a GDPR
consent was free is said with what shows it: an alternative, and no detriment of a no.
Source: GDPR 4(11), 7, 9(2)(a), recitals 42-43; Jeugdwet 7.3.4(2); Pw 65(2)(b);
protos/exchange/v1/consent_service.proto; the gate's design section 2.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from exchange.domain.consent_commands import GiveConsent, RefuseConsent, RequestConsent, WithdrawConsent
from exchange.domain.consent_events import ConsentGiven, ConsentRefused, ConsentRequested, ConsentWithdrawn
from exchange.domain.kernel import Aggregate, Events, aggregate
from exchange.domain.mandate import refuse_unless_in
from exchange.domain.representation.words import SPEAKERS
from exchange.domain.shape import (
    FINE,
    TOKEN_CHARS_MAX,
    hash_fault,
    member_fault,
    members_fault,
    refuse_faults,
    token_fault,
    tokens_fault,
)
from exchange.domain.values import (
    OIN_DIGITS,
    SPECIAL_CATEGORIES,
    Author,
    ConsentKind,
    ConsentStatus,
    DataCategory,
    Purpose,
    origin_of,
)
from exchange.errors import RuleBroken

__all__ = [
    "CONSENT",
    "ConsentGiven",
    "ConsentRefused",
    "ConsentRequested",
    "ConsentWithdrawn",
    "GiveConsent",
    "RefuseConsent",
    "RequestConsent",
    "WithdrawConsent",
]

RECIPIENTS_MAX: Final = 20
GIVERS_MAX: Final = 4
SOURCES_MAX: Final = 20
# The laws a consent can be asked under, in the words of the register of legal bases.
REGIME_OF_GDPR: Final = "GDPR"
REGIMES: Final = frozenset({"WMO", "JW", "WGBO", "PW", "SUWI", "WGS", REGIME_OF_GDPR})
# How a consent was given where the resident's side did it without anybody between.
METHOD_OF_RESIDENTS_SIDE: Final = "portal"
_RECIPIENT: Final = re.compile(rf"[0-9]{{{OIN_DIGITS}}}/[!-~]{{1,{TOKEN_CHARS_MAX}}}")
# What can be read back later as the resident's own writing.
WRITTEN_METHODS: Final = frozenset({METHOD_OF_RESIDENTS_SIDE, "signed", "letter"})
# Where the law asks that what is said about health is said in so many words (GDPR 9(2)(a), BW 7:457).
_EXPLICIT_KINDS: Final = frozenset({ConsentKind.GDPR, ConsentKind.SECRECY})


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConsentState:
    """A consent as it stands. `state` is one of ConsentStatus; no answer leaves its fields empty.

    `origin` is the task and the organisation that asked for it.
    """

    consent_id: str
    case_id: str
    resident: str
    origin: str
    kind: str
    purpose: str
    recipients: tuple[str, ...]
    categories: tuple[str, ...]
    start_time: datetime
    end_time: datetime
    notice_id: str
    notice_sha256: str
    sources: tuple[str, ...] = ()
    regime: str = ""
    state: str = ConsentStatus.REQUESTED
    given_by: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    refused_by: str = ""  # the record of the representative who said no; empty for the resident
    explicit: bool = False
    free_assessed: bool = False
    alternatives: bool = False
    no_detriment: bool = False
    method: str = ""
    given_at: datetime | None = None
    refused_at: datetime | None = None
    withdrawn_at: datetime | None = None
    version: int = 1


# --- decide -----------------------------------------------------------------------------------------


def _recipients_fault(recipients: tuple[str, ...]) -> str:
    if not all(map(_RECIPIENT.fullmatch, recipients)):
        return 'must each be "<OIN>/<task>"'
    if not 1 <= len(recipients) <= RECIPIENTS_MAX:
        return f"must name 1 to {RECIPIENTS_MAX}"
    return FINE if len(set(recipients)) == len(recipients) else "must name each once"


def _regime_fault(command: RequestConsent) -> str:
    if command.regime not in REGIMES | {""}:
        return "must be WMO, JW, WGBO, PW, SUWI, WGS or GDPR"
    of_gdpr = command.kind == ConsentKind.GDPR
    if command.regime and (command.regime == REGIME_OF_GDPR) is not of_gdpr:
        return "must be GDPR for GDPR consent, and a law of the sector for the others"
    return FINE


def _period_fault(command: RequestConsent) -> str:
    if command.end_time <= command.start_time:
        return "must lie after the start"
    return FINE if command.end_time > command.now else "must lie in the future"


def _request(command: RequestConsent, state: ConsentState | None) -> Events:
    if state is not None:
        raise RuleBroken("this consent was asked before", rule="ALREADY_REQUESTED")
    refuse_faults(
        {
            "consent_id": token_fault(command.consent_id),
            "case_id": token_fault(command.case_id),
            "resident": token_fault(command.resident),
            "kind": member_fault(ConsentKind, command.kind),
            "consent_purpose": member_fault(Purpose, command.purpose),
            "recipients": _recipients_fault(command.recipients),
            "categories": members_fault(DataCategory, command.categories),
            "sources": tokens_fault(command.sources, SOURCES_MAX) if command.sources else FINE,
            "regime": _regime_fault(command),
            "end_time": _period_fault(command),
            "notice_id": token_fault(command.notice_id),
            "notice_sha256": hash_fault(command.notice_sha256),
        }
    )
    requested = ConsentRequested(
        resident=command.resident,
        consent_id=command.consent_id,
        case_id=command.case_id,
        organisation=command.author.oin,
        task=command.author.task,
        kind=command.kind,
        purpose=command.purpose,
        recipients=command.recipients,
        categories=command.categories,
        sources=command.sources,
        # The one kind that is a basis itself is of one law.
        regime=REGIME_OF_GDPR if command.kind == ConsentKind.GDPR else command.regime,
        start_time=command.start_time,
        end_time=command.end_time,
        notice_id=command.notice_id,
        notice_version=command.notice_version,
        notice_sha256=command.notice_sha256,
        notice_language=command.notice_language,
        notice_level=command.notice_level,
        withdrawal_channels=command.withdrawal_channels,
    )
    return (requested,)


def _asked(state: ConsentState | None) -> ConsentState:
    if state is None:
        raise RuleBroken("there is no such consent", rule="NO_CONSENT")
    return state


def _refuse_unless_may_answer(author: Author, consent: ConsentState) -> None:
    if author.is_residents_side:
        return
    if not author.is_college:
        raise RuleBroken("the resident's side answers, or a college writes it down", rule="NOT_TO_ANSWER")
    if f"{author.oin}/{author.task}" in consent.recipients:
        raise RuleBroken("a recipient does not write down the answer it gains by", rule="RECIPIENT_ANSWERS")


def _same_answer(command: GiveConsent, consent: ConsentState) -> bool:
    return all(
        getattr(command, name) == getattr(consent, name)
        for name in ("given_by", "explicit", "free_assessed", "alternatives", "no_detriment", "method")
    )


def _refuse_in_the_residents_place(command: GiveConsent, consent: ConsentState) -> None:
    if command.method == METHOD_OF_RESIDENTS_SIDE:
        raise RuleBroken("only the resident's side answers through the portal", rule="NOT_THE_PORTAL")
    if consent.state == ConsentStatus.REFUSED:
        raise RuleBroken("only the resident's side turns a no into a yes", rule="CONSENT_REFUSED")


def _refuse_other_form(command: GiveConsent, consent: ConsentState) -> None:
    if consent.kind == ConsentKind.NO_OBJECTION and command.method not in WRITTEN_METHODS:
        raise RuleBroken(
            "that nobody objects is given in writing: portal, signed, letter", rule="NOT_IN_WRITING"
        )
    about_health = not SPECIAL_CATEGORIES.isdisjoint(consent.categories)
    if about_health and consent.kind in _EXPLICIT_KINDS and not command.explicit:
        raise RuleBroken("about health this consent is said in so many words", rule="NOT_EXPLICIT")
    shown_free = command.alternatives and command.no_detriment
    if consent.kind == ConsentKind.GDPR and command.free_assessed and not shown_free:
        raise RuleBroken(
            "that this consent is free is said with what shows it: an alternative, and no detriment of a no",
            rule="NOT_SHOWN_FREE",
        )


def _beside(command: GiveConsent, consent: ConsentState) -> GiveConsent:
    """Return the yes of both: consent to care may ask the word of the child and of who holds authority."""
    together = tuple(dict.fromkeys((*consent.given_by, *command.given_by)))
    return replace(
        command,
        given_by=together,
        authority=tuple(dict.fromkeys((*consent.authority, *command.authority))),
        explicit=command.explicit and consent.explicit,
        free_assessed=command.free_assessed and consent.free_assessed,
        alternatives=command.alternatives and consent.alternatives,
        no_detriment=command.no_detriment and consent.no_detriment,
    )


def _assessed_by(command: GiveConsent) -> str:
    """Return who looked at what makes it free; empty where nobody says that he did."""
    said = command.alternatives or command.no_detriment
    return f"{command.author.oin}/{command.author.professional}" if said else ""


def _givers_fault(given_by: tuple[str, ...]) -> str:
    fault = tokens_fault(given_by, GIVERS_MAX)
    return fault or (FINE if SPEAKERS.issuperset(given_by) else "must each be a capacity the contract names")


def _give(command: GiveConsent, state: ConsentState | None) -> Events:
    consent = _asked(state)
    _refuse_unless_may_answer(command.author, consent)
    refuse_faults({"given_by": _givers_fault(command.given_by), "method": token_fault(command.method)})
    if not command.author.is_residents_side:
        refuse_unless_in(command.author, consent.purpose)
        _refuse_in_the_residents_place(command, consent)
    elif not command.author.operator and any(
        one.startswith(f"{command.author.oin}/") for one in consent.recipients
    ):
        raise RuleBroken("the portal of a recipient takes no yes it gains by", rule="RECIPIENT_ANSWERS")
    _refuse_other_form(command, consent)
    if consent.state == ConsentStatus.WITHDRAWN:
        raise RuleBroken("a withdrawn consent is never given again: ask anew", rule="CONSENT_WITHDRAWN")
    if consent.state == ConsentStatus.GIVEN:
        if _same_answer(command, consent):
            return ()
        if consent.kind != ConsentKind.CARE:
            raise RuleBroken(
                "this consent was given otherwise: withdraw it and ask anew", rule="ALREADY_GIVEN"
            )
        if set(command.given_by) <= set(consent.given_by):
            return ()
        command = _beside(command, consent)
    if command.now >= consent.end_time:
        raise RuleBroken("the period of this consent is over: ask anew", rule="PERIOD_OVER")
    given = ConsentGiven(
        resident=consent.resident,
        consent_id=consent.consent_id,
        given_by=command.given_by,
        authority=command.authority,
        explicit=command.explicit,
        free_assessed=command.free_assessed,
        alternatives=command.alternatives,
        no_detriment=command.no_detriment,
        assessed_by=_assessed_by(command),
        method=command.method,
        at=command.now,
    )
    return (given,)


def _refuse(command: RefuseConsent, state: ConsentState | None) -> Events:
    consent = _asked(state)
    _refuse_unless_may_answer(command.author, consent)
    if consent.state == ConsentStatus.GIVEN:
        raise RuleBroken("this consent was given: it ends by withdrawing", rule="ALREADY_GIVEN")
    # A no on top of a no changes nothing.
    if consent.state != ConsentStatus.REQUESTED:
        return ()
    refused = ConsentRefused(
        resident=consent.resident,
        consent_id=consent.consent_id,
        said_by=command.said_by,
        authority=command.authority,
        at=command.now,
    )
    return (refused,)


def _withdraw(command: WithdrawConsent, state: ConsentState | None) -> Events:
    consent = _asked(state)
    if not command.author.is_residents_side and not command.author.is_college:
        raise RuleBroken("the resident's side withdraws, or a college for it", rule="NOT_TO_WITHDRAW")
    # Withdrawing twice is harmless and must never fail (GDPR 7(3)).
    if consent.state == ConsentStatus.WITHDRAWN:
        return ()
    withdrawn = ConsentWithdrawn(
        resident=consent.resident,
        consent_id=consent.consent_id,
        said_by=command.said_by,
        authority=command.authority,
        at=command.now,
    )
    return (withdrawn,)


# --- evolve -----------------------------------------------------------------------------------------


def _requested(_state: ConsentState | None, event: ConsentRequested) -> ConsentState:
    return ConsentState(
        consent_id=event.consent_id,
        case_id=event.case_id,
        resident=event.resident,
        origin=origin_of(event.task, event.organisation),
        kind=event.kind,
        purpose=event.purpose,
        recipients=event.recipients,
        categories=event.categories,
        sources=event.sources,
        regime=event.regime,
        start_time=event.start_time,
        end_time=event.end_time,
        notice_id=event.notice_id,
        notice_sha256=event.notice_sha256,
    )


def _given(state: ConsentState, event: ConsentGiven) -> ConsentState:
    return replace(
        state,
        state=ConsentStatus.GIVEN,
        given_by=event.given_by,
        authority=event.authority,
        explicit=event.explicit,
        free_assessed=event.free_assessed,
        alternatives=event.alternatives,
        no_detriment=event.no_detriment,
        method=event.method,
        given_at=event.at,
        version=state.version + 1,
    )


def _refused(state: ConsentState, event: ConsentRefused) -> ConsentState:
    return replace(
        state,
        state=ConsentStatus.REFUSED,
        refused_at=event.at,
        refused_by=event.authority,
        version=state.version + 1,
    )


def _withdrawn(state: ConsentState, event: ConsentWithdrawn) -> ConsentState:
    return replace(
        state,
        state=ConsentStatus.WITHDRAWN,
        withdrawn_at=event.at,
        refused_by=event.authority,
        version=state.version + 1,
    )


CONSENT: Final[Aggregate] = aggregate(
    "consent",
    deciders={
        RequestConsent: _request,
        GiveConsent: _give,
        RefuseConsent: _refuse,
        WithdrawConsent: _withdraw,
    },
    founders={ConsentRequested: _requested},
    evolvers={
        ConsentGiven: _given,
        ConsentRefused: _refused,
        ConsentWithdrawn: _withdrawn,
    },
)
