"""RepresentationService: who decides for a resident, recorded by who works on the case.

Promises: anchored at the case (or the consent in dispute), so that only who works on it records; the person
who represents comes as an opaque id of a portal and a pseudonym, never as a BSN.
Source: Jeugdwet 7.3.15; BW 1:253a, 7:465; UAVG 5; protos/exchange/v1/representation_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.consent import CONSENT, WithdrawConsent
from exchange.domain.days import day_of
from exchange.domain.representation import (
    DecideDispute,
    EndRepresentative,
    JudgeCapacity,
    RecordRepresentative,
    Representative,
)
from exchange.domain.representation.words import DisputeOutcome
from exchange.domain.resident import RESIDENT
from exchange.domain.values import ConsentStatus, DataCategory, origin_of
from exchange.errors import RuleBroken
from exchange.pipeline.elements import Asker, claimed_by, groups_of, of_origin
from exchange.pipeline.speakers import NO_AUTHORITY, authority_of
from exchange.pipeline.walk import Steps
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import day, enum_names, required_day
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, claim_of, command, given_paths, read, receipt
from exchange.v1 import representation_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.descriptor import EnumDescriptor

    from exchange.domain import Command
    from exchange.pipeline.speakers import Authority
    from exchange.pipeline.walk import CommandOutcome, Group, View
    from exchange.server.house import Call

CONTACT: Final = DataCategory.CONTACT
_LABELS: Final = labels_of(pb.ListRepresentativesResponse.DESCRIPTOR)
_AUTHORITY: Final = labels_of(pb.GetAuthorityResponse.DESCRIPTOR)


async def record_representative(
    call: Call, request: pb.RecordRepresentativeRequest
) -> pb.RecordRepresentativeResponse:
    """Record somebody, or renew the source."""
    person_resident = ""
    if request.person_resident:
        person_resident = await call.house.residents.known(call.caller.organisation, request.person_resident)
    drawn = call.house.parts.fresh_uuid()
    order = RecordRepresentative(
        now=call.now,
        author=author_of(call.caller),
        representative_id=drawn,
        person_oin=request.person_oin,
        person=request.person_id,
        person_resident=person_resident,
        relation=_word(pb.Relation.DESCRIPTOR, request.relation),
        gezag=_word(pb.Gezag.DESCRIPTOR, request.gezag),
        evidence_source=_word(pb.EvidenceSource.DESCRIPTOR, request.evidence_source),
        source_reference=request.source_reference,
        source_date=required_day(request.source_date),
        start_date=required_day(request.start_date),
        end_date=day(request.end_date),
    )
    outcome = await _on_case(call, request, order)
    return pb.RecordRepresentativeResponse(
        receipt=receipt(outcome), representative_id=outcome.ids["representative_id"]
    )


async def end_representative(
    call: Call, request: pb.EndRepresentativeRequest
) -> pb.EndRepresentativeResponse:
    """End a record."""
    order = EndRepresentative(
        now=call.now,
        author=author_of(call.caller),
        representative_id=request.representative_id,
        reason=request.reason,
    )
    return pb.EndRepresentativeResponse(receipt=receipt(await _on_case(call, request, order)))


async def judge_capacity(call: Call, request: pb.JudgeCapacityRequest) -> pb.JudgeCapacityResponse:
    """Record a judgement of the calling professional."""
    order = JudgeCapacity(
        now=call.now,
        author=author_of(call.caller),
        matter=request.matter,
        capable=request.capable,
        until=required_day(request.end_date),
        reason=request.reason,
    )
    return pb.JudgeCapacityResponse(receipt=receipt(await _on_case(call, request, order)))


async def list_representatives(
    call: Call, request: pb.ListRepresentativesRequest
) -> pb.ListRepresentativesResponse:
    """List the records that were not ended; of each what its origin lets the caller see."""
    caller, anchor = call.caller, stream_of("case", request.case_id)
    own = origin_of(caller.task, caller.organisation)
    asker = Asker(caller, request.claim.legal_basis, call.now)

    def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        # An organisation's own basis opens its own record only, as for a plan.
        claimed = claimed_by(asker, call.house.parts.register.now)
        keys = tuple(dict.fromkeys((CONTACT, one.origin) for one in _records(view, anchor)))
        return [group for path in paths for group in groups_of(path, _LABELS[path], keys, own, claimed)]

    outcome = await read(
        call,
        request,
        anchor=anchor,
        labels=_LABELS,
        groups=groups,
        capture=lambda view: _records(view, anchor),
    )
    answer = pb.ListRepresentativesResponse(
        decision_id=outcome.decision_id, withheld_fields=outcome.withheld_paths
    )
    released = [group for group in outcome.groups if group.fact.name in outcome.released]
    copies = copies_of(pb.Representative.DESCRIPTOR)
    for record in outcome.captured:
        leaves = [group.path.partition(".")[2] for group in released if group.origin == record.origin]
        if leaves:
            told = answer.representatives.add()
            for leaf in leaves:
                copies[leaf](record, told)
    return answer


async def get_authority(call: Call, request: pb.GetAuthorityRequest) -> pb.GetAuthorityResponse:
    """Tell who asks in what his own word counts."""
    caller, anchor = call.caller, stream_of("case", request.case_id)
    author, purpose = author_of(caller), claim_of(request.claim).purpose

    def capture(view: View) -> Authority:
        case = view.state(anchor)
        resident = None if case is None else view.state(stream_of("resident", case.resident))
        return NO_AUTHORITY if resident is None else authority_of(resident, author, purpose, day_of(call.now))

    outcome = await read(
        call,
        request,
        anchor=anchor,
        labels=_AUTHORITY,
        groups=of_origin(_AUTHORITY, caller.task),
        capture=capture,
    )
    answer = pb.GetAuthorityResponse(decision_id=outcome.decision_id)
    copies = copies_of(pb.GetAuthorityResponse.DESCRIPTOR)
    for path in given_paths(outcome):
        copies[path](outcome.captured, answer)
    return answer


def _records(view: View, anchor: str) -> tuple[Representative, ...]:
    case = view.state(anchor)
    resident = None if case is None else view.state(stream_of("resident", case.resident))
    return () if resident is None else resident.representation.representatives


async def decide_dispute(call: Call, request: pb.DecideDisputeRequest) -> pb.DecideDisputeResponse:
    """Write down how a dispute was decided; a no that stands ends what the yes had opened."""
    stream = stream_of("consent", request.consent_id)
    outcome_word = _word(pb.DisputeOutcome.DESCRIPTOR, request.outcome)

    def process(view: View) -> Steps:
        consent = view.state(stream)
        resident_stream = stream_of("resident", consent.resident) if consent is not None else ""
        resident = view.state(resident_stream) if resident_stream else None
        found = None if resident is None else resident.representation.to_decide(consent.purpose)
        if found is None:
            raise RuleBroken("no dispute about this consent waits for a decision", rule="NO_DISPUTE")
        order = DecideDispute(
            now=call.now,
            author=author_of(call.caller),
            dispute_id=found.dispute_id,
            arbiter=_word(pb.Arbiter.DESCRIPTOR, request.arbiter),
            reference=request.reference,
            outcome=outcome_word,
            reason=request.reason,
        )
        appends = [(resident_stream, RESIDENT.decide(order, resident))]
        if outcome_word == DisputeOutcome.NO_STANDS:
            appends += _ended(call, view, resident, found)
        return Steps(appends)

    outcome = await command(call, request, anchor=stream, process=process, fence=True)
    return pb.DecideDisputeResponse(receipt=receipt(outcome))


def _ended(call: Call, view: View, resident: Any, dispute: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 -- ResidentState, Dispute
    """Return the withdrawal of every consent for this purpose that rests on the yes that was put aside."""
    against = resident.representation.ever(dispute.no_by)
    order = WithdrawConsent(
        now=call.now,
        author=author_of(call.caller),
        said_by="" if against is None else against.relation,
        authority=dispute.no_by,
    )
    found = []
    for stream in view.scope(resident.resident):
        if stream.startswith("consent-"):
            state = view.state(stream)
            rests = state.purpose == dispute.purpose and dispute.yes_by in state.authority
            if rests and state.state == ConsentStatus.GIVEN:
                found.append((stream, CONSENT.decide(order, state)))
    return found


async def _on_case(call: Call, request: Any, order: Command) -> CommandOutcome:  # noqa: ANN401 -- a message that names a case
    anchor = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        case = view.state(anchor)
        if case is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        stream = stream_of("resident", case.resident)
        events = RESIDENT.decide(order, view.state(stream))
        return Steps(((stream, events),), _ids(order, events, view.state(stream)))

    # Any of it may take a word away: answers judged by what stood before have left when this one does.
    return await command(call, request, anchor=anchor, process=process, fence=True)


def _ids(order: Command, events: Any, resident: Any) -> dict[str, str]:  # noqa: ANN401 -- events, ResidentState
    """Return the id of the record: a new one, one that was renewed, or one that is as it was."""
    if not isinstance(order, RecordRepresentative):
        return {}
    if events:
        return {"representative_id": events[0].representative_id}
    who = (order.person_oin, order.person, order.relation)
    records = resident.representation.representatives
    known = next(one for one in records if (one.person_oin, one.person, one.relation) == who)
    return {"representative_id": known.representative_id}


def _word(descriptor: EnumDescriptor, number: int) -> str:
    return enum_names(descriptor).stored(number)


RPCS: Final[Mapping[str, Unary]] = {
    "RecordRepresentative": Unary(pb.RecordRepresentativeRequest, record_representative),
    "EndRepresentative": Unary(pb.EndRepresentativeRequest, end_representative),
    "JudgeCapacity": Unary(pb.JudgeCapacityRequest, judge_capacity),
    "ListRepresentatives": Unary(pb.ListRepresentativesRequest, list_representatives),
    "GetAuthority": Unary(pb.GetAuthorityRequest, get_authority),
    "DecideDispute": Unary(pb.DecideDisputeRequest, decide_dispute),
}
