"""Cases: who works on a resident's plan, in which role and task.

Promises: only who works on a case lets others in; a relation ends by the own organisation or by a college
professional on the case as far as his mandate goes; a relation that ended, or a closed case, opens nothing;
reporting gives a relation to a college only, and only where no college professional works on the case; roles
are a closed list, a lesser one is given to the own people alone, the lead is handed over by a college
professional who has it. Conflicts of interest and stand-ins: `relations.py`; who a case is about, told to a
recipient: `identities.py`.
Source: protos/exchange/v1/case_service.proto; GDPR 5(1)(f); Wmo 2015 article 5.3.3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from exchange.domain.case_events import (
    CaseClosed,
    CaseHandedOver,
    CaseOpened,
    NothingOpened,
    ProfessionalJoined,
    ProfessionalLeft,
    ReporterRecorded,
)
from exchange.domain.identities import IdentitySent, SendIdentity, identity_sent, send_identity
from exchange.domain.kernel import Aggregate, AuthoredCommand, Decider, Events, aggregate
from exchange.domain.mandate import decides_about
from exchange.domain.relations import (
    AppointStandIn,
    CaseState,
    ConflictEnded,
    ConflictRecorded,
    EndConflict,
    Professional,
    RecordConflict,
    StandInAppointed,
    appoint_stand_in,
    colleges_on,
    conflict_ended,
    conflict_recorded,
    end_conflict,
    has_relation,
    record_conflict,
    stand_in_appointed,
    works_there,
)
from exchange.domain.shape import member_fault, oin_fault, refuse_faults, token_fault
from exchange.domain.values import ROLES_NEVER_GRANTED, ROLES_THAT_LEAD, Author, CaseRole
from exchange.errors import RuleBroken

__all__ = [
    "CASE",
    "CaseClosed",
    "CaseOpened",
    "CaseState",
    "NothingOpened",
    "Professional",
    "ProfessionalJoined",
    "ProfessionalLeft",
    "ReporterRecorded",
    "has_relation",
]

PROFESSIONALS_MAX: Final = 200


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase(AuthoredCommand):
    """Open a case with its plan; an author of a college is its first professional, any other its reporter."""

    case_id: str
    plan_id: str
    resident: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReporter(AuthoredCommand):
    """Record that the author reported on a case that was open already.

    A college's report on a case no college professional works on makes the author its professional.
    `ended` are the colleges on it, OIN and task, whose task has ended: their people work on nothing.
    """

    ended: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinProfessional(AuthoredCommand):
    """Let a professional of an organisation and task join."""

    oin: str
    task: str
    professional: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveCase(AuthoredCommand):
    """End a professional's relation at once."""

    oin: str
    task: str
    professional: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCase(AuthoredCommand):
    """Close the case."""


# --- decide -----------------------------------------------------------------------------------------


def _open(command: OpenCase, state: CaseState | None) -> Events:
    if state is not None:
        raise RuleBroken("this case is open already", rule="CASE_EXISTS")
    author = command.author
    refuse_faults(
        {
            "case_id": token_fault(command.case_id),
            "plan_id": token_fault(command.plan_id),
            "resident": token_fault(command.resident),
            "author.oin": oin_fault(author.oin),
            "author.task": token_fault(author.task),
            "author.professional": token_fault(author.professional),
        }
    )
    opened = CaseOpened(
        resident=command.resident,
        case_id=command.case_id,
        plan_id=command.plan_id,
        organisation=author.oin,
        task=author.task,
        at=command.now,
    )
    # Any desk may report; only a college's report is a ground to look in.
    if not author.is_college:
        return (opened, _reported(author, command.case_id, command.resident, command.now))
    return (opened, _joined_as(CaseRole.MELDER_REGIE, author, command.case_id, command.resident, command.now))


def _joined_as(role: str, who: Author, case_id: str, resident: str, now: datetime) -> ProfessionalJoined:
    return ProfessionalJoined(
        resident=resident,
        case_id=case_id,
        oin=who.oin,
        task=who.task,
        professional=who.professional,
        role=role,
        at=now,
    )


def _reported(author: Author, case_id: str, resident: str, now: datetime) -> ReporterRecorded:
    return ReporterRecorded(
        resident=resident,
        case_id=case_id,
        oin=author.oin,
        task=author.task,
        professional=author.professional,
        at=now,
    )


def _existing(state: CaseState | None) -> CaseState:
    if state is None:
        raise RuleBroken("there is no such case", rule="NO_CASE")
    return state


def _open_case(state: CaseState | None) -> CaseState:
    case = _existing(state)
    if case.closed:
        raise RuleBroken("this case is closed", rule="CASE_CLOSED")
    return case


def _works_on(case: CaseState, command: AuthoredCommand) -> bool:
    author = command.author
    return has_relation(case, author.oin, author.task, author.professional, command.now)


def _record_reporter(command: RecordReporter, state: CaseState | None) -> Events:
    case = _open_case(state)
    author = command.author
    if author.is_college and not colleges_on(case) - command.ended:
        _refuse_full(case, command.now)
        return (_joined_as(CaseRole.MELDER_REGIE, author, case.case_id, case.resident, command.now),)
    # As many events as a report that opens case and plan: anybody can see how much the log grew.
    nothing = NothingOpened(resident=case.resident, case_id=case.case_id)
    if author in case.reporters:
        return (nothing, nothing, nothing)
    return (nothing, nothing, _reported(author, case.case_id, case.resident, command.now))


def _refuse_full(case: CaseState, now: datetime) -> None:
    # Who left takes no place: nobody fills a case up by joining people and taking them off.
    if sum(each.lasts(now) for each in case.professionals) >= PROFESSIONALS_MAX:
        raise RuleBroken("this case has the most professionals it can have", rule="CASE_FULL")


def _join(command: JoinProfessional, state: CaseState | None) -> Events:
    case = _open_case(state)
    if not _works_on(case, command):
        raise RuleBroken("only a professional who works on the case lets others join", rule="NOT_ON_CASE")
    refuse_faults(
        {
            "oin": oin_fault(command.oin),
            "task": token_fault(command.task),
            "professional": token_fault(command.professional),
            "role": member_fault(CaseRole, command.role),
        }
    )
    if command.role in ROLES_NEVER_GRANTED:
        raise RuleBroken("this role is not one to let somebody in with", rule="ROLE_NOT_GRANTED")
    who = Author(command.oin, command.task, command.professional)
    roles = _roles_of(case, who)
    if command.role in roles:
        return ()
    # Another role ends the one before: the lead is no more taken away by others than taken.
    if ROLES_THAT_LEAD.intersection((command.role, *roles)) and not _leads(case, command):
        raise RuleBroken("the lead is changed by a college professional who has it", rule="NOT_LEADING")
    if roles and command.role not in ROLES_THAT_LEAD:
        _refuse_others_people(command)
    # Another role takes no second place.
    if not roles:
        _refuse_full(case, command.now)
    return (_joined_as(command.role, who, case.case_id, case.resident, command.now),)


def _refuse_others_people(command: JoinProfessional) -> None:
    """Refuse a lesser role for another's people: the lead is handed to anybody, and taken from no body."""
    about = f"{command.oin}/{command.task}"
    if command.author.oin != command.oin and not decides_about(command.author, "", about):
        raise RuleBroken("an organisation says in which role its own people work", rule="NOT_OWN_PEOPLE")


def _roles_of(case: CaseState, who: Author) -> list[str]:
    return [each.role for each in case.professionals if each.is_author(who) and each.end is None]


def _leads(case: CaseState, command: AuthoredCommand) -> bool:
    return command.author.is_college and not ROLES_THAT_LEAD.isdisjoint(_roles_of(case, command.author))


def _leave(command: LeaveCase, state: CaseState | None) -> Events:
    case = _existing(state)
    # Who of an organisation gets this far is judged before: the gate asks a relation with the case.
    decides = decides_about(command.author, "", f"{command.oin}/{command.task}") and _works_on(case, command)
    if command.author.oin != command.oin and not decides:
        raise RuleBroken(
            "only a college professional on the case, or the own organisation, ends a relation",
            rule="NOT_ON_CASE",
        )
    who = Author(command.oin, command.task, command.professional)
    if not any(each.is_author(who) and each.lasts(command.now) for each in case.professionals):
        return ()
    left = ProfessionalLeft(
        resident=case.resident,
        case_id=case.case_id,
        oin=command.oin,
        task=command.task,
        professional=command.professional,
        at=command.now,
    )
    return (left,)


def _close(command: CloseCase, state: CaseState | None) -> Events:
    case = _existing(state)
    if case.closed:
        return ()
    if not _works_on(case, command):
        raise RuleBroken("only a professional who works on the case closes it", rule="NOT_ON_CASE")
    return (CaseClosed(resident=case.resident, case_id=case.case_id, at=command.now),)


def _of_those_on_it(decide: Callable[[Any, CaseState], Events]) -> Decider:
    def decider(command: AuthoredCommand, state: CaseState | None) -> Events:
        case = _open_case(state)
        if not _works_on(case, command):
            raise RuleBroken("only a professional who works on the case does this", rule="NOT_ON_CASE")
        return decide(command, case)

    return decider


def _appoint(command: AppointStandIn, case: CaseState) -> Events:
    _refuse_full(case, command.now)
    if not works_there(case, command.oin, command.task, command.stand_in_for, command.now):
        raise RuleBroken("that professional does not work on the case", rule="NOT_ON_CASE")
    return appoint_stand_in(command, case)


# --- evolve -----------------------------------------------------------------------------------------


def _ended(state: CaseState, who: Author, at: datetime) -> tuple[Professional, ...]:
    return tuple(
        replace(each, end=at) if each.lasts(at) and each.is_author(who) else each
        for each in state.professionals
    )


def _opened(_state: CaseState | None, event: CaseOpened) -> CaseState:
    return CaseState(event.case_id, event.resident, event.plan_id, event.task)


def _nothing_opened(state: CaseState, _event: NothingOpened) -> CaseState:
    return state


def _reporter_recorded(state: CaseState, event: ReporterRecorded) -> CaseState:
    return replace(state, reporters=(*state.reporters, Author(event.oin, event.task, event.professional)))


def _joined(state: CaseState, event: ProfessionalJoined) -> CaseState:
    # A new role ends the old one: at any moment a professional has one relation.
    others = _ended(state, Author(event.oin, event.task, event.professional), event.at)
    joined = Professional(event.oin, event.task, event.professional, event.role, event.at)
    return replace(state, professionals=(*others, joined))


def _left(state: CaseState, event: ProfessionalLeft) -> CaseState:
    who = Author(event.oin, event.task, event.professional)
    return replace(state, professionals=_ended(state, who, event.at))


def _closed(state: CaseState, _event: CaseClosed) -> CaseState:
    return replace(state, closed=True)


def _handed_over(state: CaseState, _event: CaseHandedOver) -> CaseState:
    return replace(state, closed=True, handed_over=True)


CASE: Final[Aggregate] = aggregate(
    "case",
    deciders={
        OpenCase: _open,
        RecordReporter: _record_reporter,
        JoinProfessional: _join,
        LeaveCase: _leave,
        CloseCase: _close,
        RecordConflict: _of_those_on_it(record_conflict),
        EndConflict: _of_those_on_it(end_conflict),
        AppointStandIn: _of_those_on_it(_appoint),
        SendIdentity: _of_those_on_it(send_identity),
    },
    founders={CaseOpened: _opened},
    evolvers={
        ReporterRecorded: _reporter_recorded,
        NothingOpened: _nothing_opened,
        ProfessionalJoined: _joined,
        ProfessionalLeft: _left,
        CaseClosed: _closed,
        CaseHandedOver: _handed_over,
        ConflictRecorded: conflict_recorded,
        ConflictEnded: conflict_ended,
        StandInAppointed: stand_in_appointed,
        IdentitySent: identity_sent,
    },
)
