"""What may be recorded about representation and capacity, and by whom.

Promises: only a college records who represents, weighs, and writes down how a dispute was decided; capacity
is judged by who knows the resident by profession, never by the resident's side; authority has a source that
the law names and the day of it; the same record twice changes nothing.
Source: Jeugdwet 7.3.15; BW 1:245, 1:253a, 7:465; UAVG 5; Wmo 2015 5.3.2(3)-(4).
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

from exchange.domain.days import day_of
from exchange.domain.kernel import Command, Events
from exchange.domain.mandate import refuse_but_operators_college, refuse_unless_in
from exchange.domain.representation.commands import (
    ContradictDecision,
    DecideDispute,
    DisputeAuthority,
    EndRepresentative,
    JudgeCapacity,
    RecordRepresentative,
)
from exchange.domain.representation.events import (
    AuthorityDisputed,
    CapacityJudged,
    DecisionContradicted,
    DisputeDecided,
    RepresentativeEnded,
    RepresentativeRecorded,
)
from exchange.domain.representation.state import Representation, Representative
from exchange.domain.representation.words import (
    Arbiter,
    DisputeOutcome,
    EvidenceSource,
    Gezag,
    Matter,
    Relation,
)
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    oin_fault,
    refuse_faults,
    text_fault,
    token_fault,
)
from exchange.domain.values import Author, Purpose
from exchange.errors import RuleBroken

REPRESENTATIVES_MAX: Final = 50
DISPUTES_MAX: Final = 50
# A judgement is about one matter at one time of life: it never becomes the general value by standing long.
JUDGEMENT_DAYS_MAX: Final = 366
# By the BRP or a judge, by the resident's own hand, or by being close to him.
SOURCES_OF: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        Relation.PARENT: frozenset({EvidenceSource.BRP, EvidenceSource.COURT_ORDER}),
        Relation.GUARDIAN: frozenset({EvidenceSource.BRP, EvidenceSource.COURT_ORDER}),
        Relation.CURATOR: frozenset({EvidenceSource.COURT_ORDER}),
        Relation.MENTOR: frozenset({EvidenceSource.COURT_ORDER}),
        Relation.BEWINDVOERDER: frozenset({EvidenceSource.COURT_ORDER}),
        Relation.PROXY: frozenset({EvidenceSource.WRITTEN_PROXY}),
        Relation.PARTNER: frozenset({EvidenceSource.BRP, EvidenceSource.STATEMENT}),
        Relation.FAMILY: frozenset({EvidenceSource.BRP, EvidenceSource.STATEMENT}),
    }
)
HOLDERS_OF_GEZAG: Final = frozenset({Relation.PARENT, Relation.GUARDIAN})
# Who knows the resident by profession; the resident's side and an informal carer never judge this.
_JUDGING_TASKS: Final = frozenset({"wmo-aanbieder", "jeugdhulpaanbieder", "zorgaanbieder-zvw"})
_MATTERS: Final = frozenset({*Matter, *Purpose})
_GEZAG_OF: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        Relation.PARENT: frozenset(Gezag) - {Gezag.NONE, Gezag.VOOGDIJ},
        # A third person may hold authority together with a parent.
        Relation.GUARDIAN: frozenset({Gezag.VOOGDIJ, Gezag.GEZAMENLIJK}),
    }
)


def _refuse_unless_college(author: Author) -> None:
    if not author.is_college:
        raise RuleBroken(
            "a college records this, never the resident's side or a provider", rule="NOT_TO_RECORD"
        )


def _refuse_unless_of_all(author: Author) -> None:
    """Refuse who does not say for every body who speaks for the resident."""
    _refuse_unless_college(author)
    refuse_but_operators_college(author)


def _gezag_fault(relation: str, gezag: str) -> str:
    if relation not in HOLDERS_OF_GEZAG:
        return FINE if gezag == Gezag.NONE else "is for a parent or guardian only"
    return FINE if gezag in _GEZAG_OF[relation] else "must be a word of the BRP that fits the relation"


def _source_fault(command: RecordRepresentative) -> str:
    wrong = member_fault(EvidenceSource, command.evidence_source)
    if wrong:
        return wrong
    if command.evidence_source not in SOURCES_OF.get(command.relation, frozenset()):
        return "must be a source by which the law shows this relation"
    return FINE


def _source_date_fault(command: RecordRepresentative) -> str:
    future = command.source_date > day_of(command.now)
    return "must not lie in the future" if future else day_fault(command.source_date)


def _end_date_fault(command: RecordRepresentative) -> str:
    if command.end_date is not None and command.end_date <= command.start_date:
        return "must lie after the start"
    return day_fault(command.end_date, required=False)


def _record(command: RecordRepresentative, resident: str, known: Representation) -> Events:
    _refuse_unless_of_all(command.author)
    refuse_faults(
        {
            "representative_id": token_fault(command.representative_id),
            "person_oin": oin_fault(command.person_oin),
            "person": token_fault(command.person),
            "relation": member_fault(Relation, command.relation),
            "gezag": _gezag_fault(command.relation, command.gezag),
            "evidence_source": _source_fault(command),
            "source_reference": token_fault(command.source_reference),
            "source_date": _source_date_fault(command),
            "start_date": day_fault(command.start_date),
            "end_date": _end_date_fault(command),
        }
    )
    before = _same_person(command, known)
    if before is None and len(known.representatives) >= REPRESENTATIVES_MAX:
        raise RuleBroken(
            "this resident has the most representatives there can be", rule="REPRESENTATIVES_FULL"
        )
    record = Representative(
        representative_id=command.representative_id if before is None else before.representative_id,
        person_oin=command.person_oin,
        person=command.person,
        relation=command.relation,
        gezag=command.gezag,
        evidence_source=command.evidence_source,
        source_reference=command.source_reference,
        source_date=command.source_date,
        start_date=command.start_date,
        end_date=command.end_date,
        # That somebody else says the same again is no other record.
        origin="" if before is None else before.origin,
    )
    if record == before:
        return ()
    if before is not None and record.source_date < before.source_date:
        raise RuleBroken("a later source is recorded already", rule="SOURCE_OLDER")
    return (_recorded(command, resident, record),)


def _recorded(command: RecordRepresentative, resident: str, record: Representative) -> RepresentativeRecorded:
    return RepresentativeRecorded(
        resident=resident,
        representative_id=record.representative_id,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        person_oin=record.person_oin,
        person=record.person,
        person_resident=command.person_resident,
        relation=record.relation,
        gezag=record.gezag,
        evidence_source=record.evidence_source,
        source_reference=record.source_reference,
        source_date=record.source_date,
        start_date=record.start_date,
        end_date=record.end_date,
        at=command.now,
    )


def _same_person(command: RecordRepresentative, known: Representation) -> Representative | None:
    """Return the record this one renews: one person in one relation has one."""
    who = (command.person_oin, command.person, command.relation)
    return next(
        (one for one in known.representatives if (one.person_oin, one.person, one.relation) == who), None
    )


def _end(command: EndRepresentative, resident: str, known: Representation) -> Events:
    _refuse_unless_of_all(command.author)
    refuse_faults({"reason": text_fault(command.reason, required=False)})
    if known.find(command.representative_id) is None:
        return ()
    ended = RepresentativeEnded(
        resident=resident,
        representative_id=command.representative_id,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        reason=command.reason,
        at=command.now,
    )
    return (ended,)


def _until_fault(until: date, today: date) -> str:
    if until <= today:
        return "must lie in the future"
    latest = today + timedelta(days=JUDGEMENT_DAYS_MAX)
    return FINE if until <= latest else f"must lie at most {JUDGEMENT_DAYS_MAX} days ahead"


def _judge(command: JudgeCapacity, resident: str, _known: Representation) -> Events:
    author = command.author
    if not author.is_college and author.task not in _JUDGING_TASKS:
        raise RuleBroken("a professional who knows the resident judges this", rule="NOT_TO_JUDGE")
    refuse_faults(
        {
            "matter": FINE if command.matter in _MATTERS else "must be a purpose, or consent, care or access",
            "until": _until_fault(command.until, day_of(command.now)),
            "reason": text_fault(command.reason),
        }
    )
    if author.is_college:
        refuse_unless_in(author, command.matter)
    judged = CapacityJudged(
        resident=resident,
        matter=command.matter,
        capable=command.capable,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        until=command.until,
        reason=command.reason,
        at=command.now,
    )
    return (judged,)


def _dispute(command: DisputeAuthority, resident: str, known: Representation) -> Events:
    # One open dispute about a purpose is enough: until it is decided nobody's word counts there.
    if any(one.purpose == command.purpose for one in known.disputes):
        return ()
    disputed = AuthorityDisputed(
        resident=resident,
        dispute_id=command.dispute_id,
        consent_id=command.consent_id,
        purpose=command.purpose,
        yes_by=command.yes_by,
        no_by=command.no_by,
        at=command.now,
    )
    return (disputed,)


def _contradict(command: ContradictDecision, resident: str, known: Representation) -> Events:
    # Once is enough: until somebody decides anew it waits.
    said = (command.consent_id, command.no_by)
    if any((one.consent_id, one.no_by) == said for one in known.contradictions):
        return ()
    contradicted = DecisionContradicted(
        resident=resident,
        dispute_id=command.dispute_id,
        consent_id=command.consent_id,
        purpose=command.purpose,
        yes_by=command.yes_by,
        no_by=command.no_by,
        at=command.now,
    )
    return (contradicted,)


def _settle(command: DecideDispute, resident: str, known: Representation) -> Events:
    _refuse_unless_college(command.author)
    refuse_faults(
        {
            "arbiter": member_fault(Arbiter, command.arbiter),
            "reference": token_fault(command.reference),
            "outcome": member_fault(DisputeOutcome, command.outcome),
            "reason": text_fault(command.reason),
        }
    )
    waiting = (*known.disputes, *known.contradictions)
    found = next((one for one in waiting if one.dispute_id == command.dispute_id), None)
    if found is None:
        raise RuleBroken("no such dispute waits for a decision", rule="NO_DISPUTE")
    refuse_unless_in(command.author, found.purpose)
    decided = DisputeDecided(
        resident=resident,
        dispute_id=command.dispute_id,
        arbiter=command.arbiter,
        reference=command.reference,
        outcome=command.outcome,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        reason=command.reason,
        at=command.now,
    )
    return (decided,)


DECISIONS: Final[Mapping[type[Command], Callable[[Any, str, Representation], Events]]] = MappingProxyType(
    {
        RecordRepresentative: _record,
        EndRepresentative: _end,
        JudgeCapacity: _judge,
        DisputeAuthority: _dispute,
        ContradictDecision: _contradict,
        DecideDispute: _settle,
    }
)
