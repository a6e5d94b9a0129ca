"""LegalBasisService: the register of legal bases, changed by the operator's people and read by everybody.

Promises: who proposes, approves and disables is the signed person, never a name in a message; an entry is
read strictly before anything is recorded, and a fault is named by its key; the answer is of one commit.
Source: GDPR 5(2), 12, 24; exchange/decisions/0008-service-of-the-register.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.legal_basis import (
    LEGAL_BASIS,
    ApproveLegalBasis,
    DisableLegalBasis,
    ProposeLegalBasis,
    hash_of,
)
from exchange.errors import AccessDenied, RegisterInvalid, RequestInvalid
from exchange.gate.canonical import canonical_text, entry_of_text
from exchange.gate.recorded import entry_of
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.server.contract.names import day_text, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.activities import list_processing_activities
from exchange.server.walks import ask, author_of, claim_of, command, receipt
from exchange.v1 import legal_basis_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.domain import Command
    from exchange.domain.legal_basis import BasisVersion, LegalBasisState
    from exchange.gate.entry import LegalBasis
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

_NOT_THE_OPERATOR: Final = "Alleen de beheerder van de uitwisseling houdt het register van grondslagen bij."
_YES: Final = "yes"


async def propose_legal_basis(
    call: Call, request: pb.ProposeLegalBasisRequest
) -> pb.ProposeLegalBasisResponse:
    """Propose a version."""

    def process(view: View) -> Steps:
        _refuse_others(call, view)
        entry = _entry(request.text)
        order = ProposeLegalBasis(
            now=call.now,
            author=author_of(call.caller),
            basis_id=entry.id,
            version=entry.version,
            text=canonical_text(entry),
            valid_from=entry.valid_from.date(),
            valid_to=None if entry.valid_to is None else entry.valid_to.date(),
            succeeds=entry.succeeds,
        )
        ids = {"basis_id": entry.id, "basis_version": str(entry.version), "sha256": hash_of(order.text)}
        stream = stream_of(LEGAL_BASIS.name, entry.id)
        return Steps(((stream, LEGAL_BASIS.decide(order, view.state(stream))),), ids)

    outcome = await command(call, request, anchor="", process=process, relation=False)
    return pb.ProposeLegalBasisResponse(
        receipt=receipt(outcome),
        basis_id=outcome.ids["basis_id"],
        basis_version=int(outcome.ids["basis_version"]),
        sha256=bytes.fromhex(outcome.ids["sha256"]),
    )


async def approve_legal_basis(
    call: Call, request: pb.ApproveLegalBasisRequest
) -> pb.ApproveLegalBasisResponse:
    """Approve a version."""
    order = ApproveLegalBasis(
        now=call.now,
        author=author_of(call.caller),
        version=request.basis_version,
        sha256=request.sha256.hex(),
    )
    outcome = await _decide(call, request, order)
    return pb.ApproveLegalBasisResponse(receipt=receipt(outcome), enabled=outcome.ids["enabled"] == _YES)


async def disable_legal_basis(
    call: Call, request: pb.DisableLegalBasisRequest
) -> pb.DisableLegalBasisResponse:
    """Disable a version; what was judged before it has left when this answers."""
    order = DisableLegalBasis(
        now=call.now, author=author_of(call.caller), version=request.basis_version, reason=request.reason
    )
    return pb.DisableLegalBasisResponse(receipt=receipt(await _decide(call, request, order, fence=True)))


async def list_legal_bases(call: Call, request: pb.ListLegalBasesRequest) -> pb.ListLegalBasesResponse:
    """List the versions, in the order they came."""
    pages, registers = call.house.pages, call.house.parts.register
    start = pages.place(call.rpc, call.caller, request) or 0

    def capture(_: View) -> tuple[Sequence[LegalBasisState], str]:
        # In the writer's thread, so of the very commit this decision stands behind.
        return registers.states, registers.now.policy_hash

    walk = ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor="",
        fields=(),
        groups=lambda _view, _paths: (),
        capture=capture,
        relation=False,
    )
    outcome = await ask(call, walk)
    states, policy_hash = outcome.captured
    found = sorted(
        (
            (version.proposed_at, state.basis_id, version)
            for state in states
            if request.basis_id in {"", state.basis_id}
            for version in state.versions
        ),
        key=lambda one: (one[0], one[1], one[2].number),
    )
    answer = pb.ListLegalBasesResponse(decision_id=outcome.decision_id, policy_hash=policy_hash)
    stop = start + page_rows(request)
    for _, basis_id, version in found[start:stop]:
        _tell(basis_id, version, answer.legal_bases.add())
    if stop < len(found):
        answer.next_page_token = pages.token(stop, call.rpc, call.caller, request)
    return answer


async def _decide(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a version
    order: Command,
    *,
    fence: bool = False,
) -> CommandOutcome:
    stream = stream_of(LEGAL_BASIS.name, request.basis_id)

    def process(view: View) -> Steps:
        _refuse_others(call, view)
        events = LEGAL_BASIS.decide(order, view.state(stream))
        enabled = any(getattr(event, "enables", False) for event in events)
        return Steps(((stream, events),), {"enabled": _YES if enabled else ""})

    return await command(
        call, request, anchor="", process=process, streams=(stream,), relation=False, fence=fence
    )


def _refuse_others(call: Call, view: View) -> None:
    if not view.state(stream_of("organisation", call.caller.organisation)).operator:
        raise AccessDenied("only the operator may do this", explanation=_NOT_THE_OPERATOR)


def _entry(text: str) -> LegalBasis:
    try:
        return entry_of_text(text)
    except RegisterInvalid as error:
        key = error.metadata["key"]
        raise RequestInvalid(
            "this entry of the register is refused",
            {f"text.{key}" if key else "text": error.message},
            entry=error.metadata["entry"],
        ) from error


def _tell(basis_id: str, version: BasisVersion, told: pb.LegalBasisVersion) -> None:
    entry = entry_of(version)
    told.basis_id, told.basis_version, told.state = basis_id, version.number, _state(version)
    told.title, told.citation, told.wording = entry.title, str(entry.citation), entry.citation.wording
    told.text, told.sha256 = version.text, bytes.fromhex(version.sha256)
    told.valid_from, told.valid_to = day_text(version.valid_from), day_text(version.end)
    told.succeeds, told.adopted, told.proposer = version.succeeds, version.adopted, version.proposer
    told.approvers.extend(version.approvers)
    told.disabled_by, told.reason = version.disabled_by, version.reason
    set_time(told.propose_time, version.proposed_at)
    if version.enabled_at is not None:
        set_time(told.enable_time, version.enabled_at)
    if version.disabled_at is not None:
        set_time(told.disable_time, version.disabled_at)


def _state(version: BasisVersion) -> pb.LegalBasisState.ValueType:
    if version.disabled_at is not None:
        return pb.LEGAL_BASIS_STATE_DISABLED
    return pb.LEGAL_BASIS_STATE_PROPOSED if version.enabled_at is None else pb.LEGAL_BASIS_STATE_APPROVED


RPCS: Final[Mapping[str, Unary]] = {
    "ProposeLegalBasis": Unary(pb.ProposeLegalBasisRequest, propose_legal_basis),
    "ApproveLegalBasis": Unary(pb.ApproveLegalBasisRequest, approve_legal_basis),
    "DisableLegalBasis": Unary(pb.DisableLegalBasisRequest, disable_legal_basis),
    "ListLegalBases": Unary(pb.ListLegalBasesRequest, list_legal_bases),
    "ListProcessingActivities": Unary(pb.ListProcessingActivitiesRequest, list_processing_activities),
}
