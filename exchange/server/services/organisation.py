"""OrganisationService: joining, certificates, tasks and envelope keys. For the operator's people.

An organisation sets its own envelope key too, and anybody registered reads it. Promises: who is the operator
stands in the streams, never in a message or a setting of the caller; an envelope key is its organisation's.
Source: GDPR 24, 32; protos/exchange/v1/organisation_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.mandate import Mandate
from exchange.domain.organisation import (
    ORGANISATION,
    AddCertificate,
    EndTask,
    GrantTask,
    JoinOrganisation,
    LeaveOrganisation,
    RevokeCertificate,
    SetEnvelopeKey,
)
from exchange.errors import RequestInvalid, RuleBroken
from exchange.keys.envelope_key import is_envelope_key, is_signed_by
from exchange.keys.signing_key import is_signing_key
from exchange.pipeline.walk import Steps
from exchange.server.contract.names import required_day
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, receipt
from exchange.v1 import organisation_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain import Command
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

_SHAPE: Final = "fields of the request do not have the shape they need"
_NO_ENVELOPE_KEY: Final = "must be an X25519 public key: canonical, of no small order (RFC 7748)"
_NO_KEY: Final = "must be an Ed25519 public key: a canonical point of the prime-order subgroup (RFC 8032)"


async def join_organisation(call: Call, request: pb.JoinOrganisationRequest) -> pb.JoinOrganisationResponse:
    """Register an organisation."""
    _refuse_weak_key(request.signing_key)
    outcome = await _administer(
        call,
        request,
        JoinOrganisation(
            now=call.now,
            author=author_of(call.caller),
            oin=request.oin,
            name=request.name,
            tasks=tuple(request.tasks),
            certificate_thumbprint=request.certificate_thumbprint.hex(),
            signing_key=request.signing_key.hex(),
            mandate=_mandate(request),
        ),
    )
    return pb.JoinOrganisationResponse(receipt=receipt(outcome), version=_version(outcome))


async def add_certificate(call: Call, request: pb.AddCertificateRequest) -> pb.AddCertificateResponse:
    """Register one more certificate."""
    if request.signing_key:  # empty keeps the key the organisation has
        _refuse_weak_key(request.signing_key)
    outcome = await _administer(
        call,
        request,
        AddCertificate(
            now=call.now,
            author=author_of(call.caller),
            certificate_thumbprint=request.certificate_thumbprint.hex(),
            signing_key=request.signing_key.hex(),
        ),
    )
    return pb.AddCertificateResponse(receipt=receipt(outcome), version=_version(outcome))


async def revoke_certificate(
    call: Call, request: pb.RevokeCertificateRequest
) -> pb.RevokeCertificateResponse:
    """End a certificate at once."""
    outcome = await _administer(
        call,
        request,
        RevokeCertificate(
            now=call.now,
            author=author_of(call.caller),
            certificate_thumbprint=request.certificate_thumbprint.hex(),
        ),
        fence=True,
    )
    return pb.RevokeCertificateResponse(receipt=receipt(outcome), version=_version(outcome))


async def grant_task(call: Call, request: pb.GrantTaskRequest) -> pb.GrantTaskResponse:
    """Grant a task."""
    outcome = await _administer(
        call,
        request,
        GrantTask(now=call.now, author=author_of(call.caller), task=request.task, mandate=_mandate(request)),
    )
    return pb.GrantTaskResponse(receipt=receipt(outcome), version=_version(outcome))


async def end_task(call: Call, request: pb.EndTaskRequest) -> pb.EndTaskResponse:
    """End a task; what was judged before it has left when this answers."""
    order = EndTask(now=call.now, author=author_of(call.caller), task=request.task)
    outcome = await _administer(call, request, order, fence=True)
    return pb.EndTaskResponse(receipt=receipt(outcome), version=_version(outcome))


async def leave_organisation(
    call: Call, request: pb.LeaveOrganisationRequest
) -> pb.LeaveOrganisationResponse:
    """Let an organisation leave; what was judged before it has left when this answers."""
    order = LeaveOrganisation(now=call.now, author=author_of(call.caller))
    outcome = await _administer(call, request, order, fence=True)
    return pb.LeaveOrganisationResponse(receipt=receipt(outcome), version=_version(outcome))


def _mandate(request: pb.JoinOrganisationRequest | pb.GrantTaskRequest) -> Mandate | None:
    if not request.HasField("mandate"):
        return None
    said = request.mandate
    return Mandate(said.reference, required_day(said.decision_date), said.text)


async def set_envelope_key(call: Call, request: pb.SetEnvelopeKeyRequest) -> pb.SetEnvelopeKeyResponse:
    """Set the key to seal identity envelopes to, signed by the organisation whose it is."""
    if not is_envelope_key(request.envelope_key):
        raise RequestInvalid(_SHAPE, fields={"envelope_key": _NO_ENVELOPE_KEY})
    organisation = await call.house.state(stream_of("organisation", request.oin))
    # The order names the key that signed; the domain refuses it where no certificate that works has it.
    known = [one.signing_key for one in organisation.certificates] if organisation is not None else []
    signers = (
        key
        for key in dict.fromkeys(reversed(known))
        if is_signed_by(bytes.fromhex(key), request.key_signature, request.oin, request.envelope_key)
    )
    order = SetEnvelopeKey(
        now=call.now,
        author=author_of(call.caller),
        envelope_key=request.envelope_key.hex(),
        key_signature=request.key_signature.hex(),
        signing_key=next(signers, ""),
    )
    outcome = await _administer(call, request, order, also_own=True)
    return pb.SetEnvelopeKeyResponse(receipt=receipt(outcome), version=_version(outcome))


async def get_envelope_key(call: Call, request: pb.GetEnvelopeKeyRequest) -> pb.GetEnvelopeKeyResponse:
    """Give an organisation's envelope key, unless the key that signed it works no more."""
    organisation = await call.house.state(stream_of("organisation", request.oin))
    key = None if organisation is None or organisation.left else organisation.envelope_key
    if key is None or not any(
        one.signing_key == key.signing_key and not one.revoked for one in organisation.certificates
    ):
        raise RuleBroken("this organisation has no envelope key now", rule="NO_ENVELOPE_KEY")
    return pb.GetEnvelopeKeyResponse(
        envelope_key=bytes.fromhex(key.envelope_key),
        key_signature=bytes.fromhex(key.key_signature),
        signing_key=bytes.fromhex(key.signing_key),
    )


async def _administer(
    call: Call,
    request: Any,  # noqa: ANN401 -- each message of this service names an OIN
    order: Command,
    *,
    fence: bool = False,
    also_own: bool = False,
) -> CommandOutcome:
    stream = stream_of("organisation", request.oin)
    own = stream_of("organisation", call.caller.organisation)

    def process(view: View) -> Steps:
        if not view.state(own).operator and not (also_own and own == stream):
            raise RuleBroken("only the operator may do this", rule="NOT_THE_OPERATOR")
        return Steps(((stream, ORGANISATION.decide(order, view.state(stream))),))

    return await command(
        call, request, anchor="", process=process, streams=(stream,), relation=False, fence=fence
    )


def _refuse_weak_key(signing_key: bytes) -> None:
    if not is_signing_key(signing_key):
        raise RequestInvalid(_SHAPE, fields={"signing_key": _NO_KEY})


def _version(outcome: CommandOutcome) -> int:
    return outcome.versions[ORGANISATION.name]


RPCS: Final[Mapping[str, Unary]] = {
    "JoinOrganisation": Unary(pb.JoinOrganisationRequest, join_organisation),
    "AddCertificate": Unary(pb.AddCertificateRequest, add_certificate),
    "RevokeCertificate": Unary(pb.RevokeCertificateRequest, revoke_certificate),
    "GrantTask": Unary(pb.GrantTaskRequest, grant_task),
    "EndTask": Unary(pb.EndTaskRequest, end_task),
    "LeaveOrganisation": Unary(pb.LeaveOrganisationRequest, leave_organisation),
    "SetEnvelopeKey": Unary(pb.SetEnvelopeKeyRequest, set_envelope_key),
    "GetEnvelopeKey": Unary(pb.GetEnvelopeKeyRequest, get_envelope_key, person=False),
}
