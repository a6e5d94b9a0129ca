"""What has to be done because of a decision: by when, by whom, and how it can end.

Promises: every duty but LOG (which the commit itself executes) is open until it was executed; the duties the
system executes itself say at what moment; a person never closes a duty about his own emergency access; a
question about a right gives nothing and brings no duty but an alarm about who asked it; what Veilig Thuis
asked, and an emergency, is kept from who may be suspected, whatever was answered; what is done about seals is
told to nobody of the resident's side. What was given on an entry that asks it is told to the resident within
a month, as the caller was answered: a seal changes nothing of it. That a notice is deferred ends no duty: it
is open until somebody was told.
Source: GDPR 12(1), 14(1)-(3), 14(5)(a), 33-34 (by analogy: without delay), 38-39; Wmo 2015 5.2.6 and 5.3.1;
Algemene termijnenwet 1 and 3 (working days); the gate's design sections 4 and 5.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from exchange.domain.values import DisclosureOutcome

# The action of a question about a right: nothing was given or refused, so nothing follows but an alarm.
EVALUATE: Final = "EVALUATE"
COMMAND: Final = "COMMAND"
# How a caller was answered, where that is not what the record of the decision says.
GIVEN: Final = "GIVEN"
NOTHING: Final = "NOTHING"
# What is asked for the investigation of Veilig Thuis, by any of these; only these bases bring its duties.
SAFETY_TASK: Final = "veilig-thuis"
SAFETY_PURPOSE: Final = "vt-onderzoek"
# For what somebody breaks the glass; a finding of this scope is about emergencies.
EMERGENCY_PURPOSE: Final = "acute-nood"
SEAL_BASIS: Final = "SEAL-32"
# What the commands about seals write, and no other: they are known by these on whatever basis they came.
SEAL_FIELDS: Final = frozenset({"paths", "readers"})
SEAL_NAMES: Final = frozenset({"seal_id", "proposal_id"})
TTL: Final = timedelta(minutes=60)
DEFERRAL: Final = timedelta(weeks=4)


class Duty(StrEnum):
    """The duties of the gate that are tracked; LOG is executed by the commit of the decision."""

    NOTIFY_FG = "NOTIFY-FG"
    NOTIFY_SUBJECT = "NOTIFY-SUBJECT"
    INFORM_RESIDENT = "INFORM-RESIDENT"
    REVIEW_1_WORKDAY = "REVIEW-1-WORKDAY"
    TREAT_AS_OBJECTION = "TREAT-AS-OBJECTION"
    ALERT_SNOOP = "ALERT-SNOOP"
    ALERT_BREAK_GLASS_REFUSED = "ALERT-BREAK-GLASS-REFUSED"
    RETRY = "RETRY"
    STOP_FEED = "STOP-FEED"
    ABORT_DELIVERY = "ABORT-DELIVERY"
    TTL_60M = "TTL-60M"
    DEFER_NOTICE_4W = "DEFER-NOTICE-4W"
    NO_NOTICE_TO_SUSPECT = "NO-NOTICE-TO-SUSPECT"


class EntryDuty(StrEnum):
    """What the entry of the register asks on whose ground something was given: no word of the verdict."""

    INFORM_14 = "INFORM-14"


class RightsDuty(StrEnum):
    """What a resident's request brings: no decision of the gate brought it, and only its answer ends it."""

    ANSWER_RIGHTS_REQUEST = "ANSWER-RIGHTS-REQUEST"
    CONFIRM_RECTIFICATION = "CONFIRM-RECTIFICATION"
    CONFIRM_RESTRICTION = "CONFIRM-RESTRICTION"


class DutyOutcome(StrEnum):
    """How a duty ended."""

    EXECUTED = "executed"
    NOT_NEEDED = "not_needed"
    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not_justified"
    OBJECTION_RECORDED = "objection_recorded"
    NOT_AN_OBJECTION = "not_an_objection"


# Executed in the very commit of the decision: nothing leaves that stream, and nobody is told, from then on.
# Who asked what could not be judged is told in the answer itself that he may ask again.
_AT_ONCE: Final = timedelta(0)
SYSTEM_EXECUTES_AFTER: Final[Mapping[str, timedelta]] = {
    Duty.STOP_FEED: _AT_ONCE,
    Duty.ABORT_DELIVERY: _AT_ONCE,
    Duty.NO_NOTICE_TO_SUSPECT: _AT_ONCE,
    Duty.RETRY: _AT_ONCE,
    Duty.TTL_60M: TTL,
}
# Executed when the resident's side fetched the notice; a person may do it in another way, such as by letter.
# The deferred one too: the clock says when it may be read here, and tells nobody.
NOTICES: Final = frozenset(
    {Duty.NOTIFY_SUBJECT, Duty.INFORM_RESIDENT, Duty.DEFER_NOTICE_4W, EntryDuty.INFORM_14}
)
# How a notice was told that the resident's side asked for.
FETCHED: Final = "fetched"
# An entry that takes data from the resident himself (article 13) is told of at the desk, and brings none.
OBTAINED_ELSEWHERE: Final = "14"
PASSES_ON: Final = frozenset({"DISCLOSE", "REUSE"})
# The resident's own side, and who watches over the log: to them nothing goes that he must be told of.
NO_RECIPIENTS: Final = frozenset({"betrokkene", "wettelijk-vertegenwoordiger", "fg"})
# Who is told of an emergency is told of what was given in it; what is deferred comes when its weeks are over.
_TOLD_OTHERWISE: Final = frozenset({Duty.NOTIFY_SUBJECT, Duty.DEFER_NOTICE_4W})
_GAVE: Final = frozenset({DisclosureOutcome.PERMIT, DisclosureOutcome.PARTIAL})
# About who looked, not about whom: an erasure does not end these, it waits for them.
ABOUT_WHO_LOOKED: Final = frozenset(
    {Duty.REVIEW_1_WORKDAY, Duty.ALERT_SNOOP, Duty.ALERT_BREAK_GLASS_REFUSED, Duty.NOTIFY_FG}
)
# One of these comes with every claim of an emergency that was judged, and with nothing else.
_OF_EMERGENCIES: Final = frozenset({Duty.NOTIFY_SUBJECT, Duty.ALERT_BREAK_GLASS_REFUSED})
OUTCOMES: Final[Mapping[str, frozenset[DutyOutcome]]] = {
    Duty.REVIEW_1_WORKDAY: frozenset({DutyOutcome.JUSTIFIED, DutyOutcome.NOT_JUSTIFIED}),
    Duty.TREAT_AS_OBJECTION: frozenset({DutyOutcome.OBJECTION_RECORDED, DutyOutcome.NOT_AN_OBJECTION}),
}
OUTCOMES_OF_OTHERS: Final = frozenset({DutyOutcome.EXECUTED, DutyOutcome.NOT_NEEDED})
# Who says one of these says why.
WITH_REMARK: Final = frozenset(
    {
        DutyOutcome.JUSTIFIED,
        DutyOutcome.NOT_JUSTIFIED,
        DutyOutcome.NOT_NEEDED,
        DutyOutcome.NOT_AN_OBJECTION,
    }
)


@dataclass(frozen=True, slots=True)
class Due:
    """One duty of one decision; `executes_at` is None where a person or the resident's side has to act."""

    duty: str
    due_at: datetime
    executes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked, what for and on what ground, as recorded; the basis without its version."""

    task: str
    purpose: str
    legal_basis: str
    action: str = "READ"

    @property
    def for_safety(self) -> bool:
        """Tell whether Veilig Thuis asked, granted or not."""
        return self.task == SAFETY_TASK

    @property
    def names_safety(self) -> bool:
        """Tell whether the very question, whoever asked it, tells of an investigation."""
        return self.for_safety or self.purpose == SAFETY_PURPOSE


class Cleared(NamedTuple):
    """Since when it was found that a representative may be told of each; None where nobody found it."""

    investigation: datetime | None = None
    emergency: datetime | None = None


NOT_CLEARED: Final = Cleared()


class Informing(NamedTuple):
    """What a version of an entry says: "OBTAIN", "DISCLOSE" or "REUSE"; and "13", "14" or "DEFER:P4W"."""

    direction: str
    information_duty: str


# By the id of a basis and its version, as a decision names them; None where nothing of that kind stood ever.
Entries = Callable[[str, str], Informing | None]


def duties_of(action: str, obligations: Iterable[str]) -> tuple[str, ...]:
    """Return what of a decision's obligations has to be done: of a question, what is about who asked it."""
    return tuple(one for one in obligations if action != EVALUATE or one == Duty.ALERT_SNOOP)


def informs(
    asked: Asked, version: str, outcome: str, obligations: Collection[str], entries: Entries, *, answered: str
) -> bool:
    """Tell whether the resident must be informed of what a decision gave (GDPR 14).

    `answered` is how the caller was answered where that is not what the record says, else empty: what he was
    told binds, whatever a seal kept from him. A read that is permitted gave a field at least: it names some.
    """
    gave = answered == GIVEN if answered else outcome in _GAVE
    if not gave or asked.action in {COMMAND, EVALUATE} or asked.task in NO_RECIPIENTS:
        return False
    if not _TOLD_OTHERWISE.isdisjoint(obligations):
        return False
    entry = entries(asked.legal_basis, version)
    return entry is not None and entry.direction in PASSES_ON and entry.information_duty == OBTAINED_ELSEWHERE


def dues_of(
    obligations: tuple[str, ...],
    at: datetime,
    end_of_next_workday: Callable[[datetime], datetime],
    *,
    deferred: bool = False,
) -> tuple[Due, ...]:
    """Return the duties a decision of this moment brings, without LOG; a word nobody knows is a duty too.

    `deferred` says that nobody of the resident's side is told for some weeks; the last moment of those is the
    law's last moment to tell him (Wmo 2015 5.3.1(1)).
    """
    found = []
    for name in obligations:
        if name == "LOG":
            continue
        after = SYSTEM_EXECUTES_AFTER.get(name)
        if name == Duty.DEFER_NOTICE_4W or (deferred and name in NOTICES):
            found.append(Due(name, at + DEFERRAL, None))
        elif after is None:
            found.append(Due(name, end_of_next_workday(at), None))
        else:
            found.append(Due(name, at + after, at + after))
    return tuple(found)


def is_deferred(asked: Asked, obligations: Collection[str]) -> bool:
    """Tell whether nobody of the resident's side is told of a decision for some weeks."""
    return asked.for_safety or Duty.DEFER_NOTICE_4W in obligations


def kept_from(
    asked: Asked,
    obligations: Collection[str],
    at: datetime,
    now: datetime,
    *,
    representative: bool,
    cleared: Cleared = NOT_CLEARED,
) -> bool:
    """Tell whether a decision is not told to the resident's side now.

    A representative may be the one it is about (Wmo 2015 5.2.6), or the danger for which the glass was broken
    (GDPR 15(4)): he does not read it here unless he is the one to tell and was `cleared` after it was
    decided. He and the resident read it once the deferral is over (5.3.1). A refusal brings no such duty, and
    tells of the investigation all the same. From the resident nobody but Veilig Thuis hides a look in vain by
    the purpose he claims; from a representative nobody by an emergency of which no officer is told.
    """
    about_him = asked.names_safety or Duty.NO_NOTICE_TO_SUSPECT in obligations
    found = cleared.investigation if about_him else cleared.emergency
    if representative and (about_him or is_emergency(obligations)) and (found is None or found <= at):
        return True
    return is_deferred(asked, obligations) and now < at + DEFERRAL


def is_emergency(obligations: Collection[str]) -> bool:
    """Tell whether somebody broke the glass, or tried to: whichever it was, an officer is told."""
    return not _OF_EMERGENCIES.isdisjoint(obligations)


def is_about_seal(asked: Asked, fields: Collection[str] = ()) -> bool:
    """Tell whether somebody sealed, lifted a seal, tried to, or asked whether he may: a reading never is.

    `fields` are the names of what the command writes. That there is a seal is sealed itself (GDPR 32).
    """
    written = frozenset(fields)
    return asked.action in {COMMAND, EVALUATE} and (
        asked.legal_basis == SEAL_BASIS or written >= SEAL_FIELDS or not written.isdisjoint(SEAL_NAMES)
    )


def outcomes_of(duty: str) -> frozenset[DutyOutcome]:
    """Return how a duty may end by a person's word; empty for those the system or an answer executes."""
    if duty in SYSTEM_EXECUTES_AFTER or duty in frozenset(RightsDuty):
        return frozenset()
    return OUTCOMES.get(duty, OUTCOMES_OF_OTHERS)
