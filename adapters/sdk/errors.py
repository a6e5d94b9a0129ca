"""What can go wrong between an adapter and the exchange: one class for each thing a caller does differently.

Promises: nothing of gRPC reaches a caller but through these classes; a message holds what the exchange said,
and the exchange says nothing personal; details that do not parse are left out and never hide the refusal.
Source: google.rpc.Status, ErrorInfo, BadRequest, RetryInfo, LocalizedMessage (AIP-193); gRPC status codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from exchange.v1.plan_service_pb2 import PlanConflict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.v1.common_pb2 import Receipt

_DETAILS_KEY: Final = "grpc-status-details-bin"
_DOMAIN: Final = "exchange.v1"
_LANGUAGE: Final = "nl-NL"
# What is said before a refusal that tells of its own attempt alone.
_SAME_ID: Final = "First send it again under the same request id: it may be recorded, and that tells."
_DUTCH_OPEN: Final = "Of dit is vastgelegd, is nog onbekend: een eerdere poging kreeg geen antwoord."
_DUTCH_LAST: Final = "Over de laatste poging:"

_Detail = TypeVar("_Detail", bound=Message)


class SdkError(Exception):
    """Root of the tree."""


class CredentialsInvalid(SdkError):
    """A file of the organisation's credentials is absent, malformed, open to others or not of the others."""


class CertificateExpired(CredentialsInvalid):
    """The organisation's own certificate is not valid now; the exchange was not called."""


class PersonMissing(SdkError):
    """This call is made by a person in a task; give the client one with `with_person`."""


class PseudonymRefused(SdkError):
    """The exchange's answer to a blinded BSN is not of the pinned key, or not complete."""


class EnvelopeRefused(SdkError):
    """An identity envelope is not made or not opened. `reason` is a word of `envelopes.Fault`."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason: Final = reason


class LedgerRefused(SdkError):
    """The ledger says something else than it said before, or cannot prove what it said: keep the evidence."""


class RollbackRefused(LedgerRefused):
    """The newest checkpoint does not hold everything an earlier one held."""


class QuorumRefused(LedgerRefused):
    """Too few witnesses of the policy cosigned a receipt's checkpoint: it is not relied on, and not kept.

    Ask again later: a log fetches the cosignatures of who was out of reach. One that never gets them may show
    this organisation another history than it shows others.
    """

    def __init__(self, what: str, missing: tuple[str, ...]) -> None:
        super().__init__(what)
        self.missing: Final = missing  # names of the policy


class ReceiptRefused(LedgerRefused):
    """A command was answered, but its leaf does not carry what was signed here.

    The command stands as recorded: keep `receipt`, and the request. A command that is repeated after other
    bytes or another key were first sent under its request id is answered with the receipt of the first.
    """

    def __init__(self, what: str, receipt: Receipt) -> None:
        super().__init__(f"{what} (leaf {receipt.leaf_index})")
        self.receipt: Final = receipt


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the exchange said with a refusal, out of its status details."""

    reason: str
    message: str
    rules: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    field_violations: dict[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    decision_id: str = ""
    localized: str = ""
    incident: str = ""  # number under which the exchange's operator finds this failure
    request_id: str = ""
    rule: str = ""  # of the domain, where one was broken
    conflict: PlanConflict | None = None  # what changed, where the command said what its caller had seen
    unanswered: bool = False  # nobody told of this attempt, or of one before it, whether it was recorded


class ExchangeRefused(SdkError):
    """A call did not succeed. `reason` is the exchange's code; `localized` is Dutch, for a professional.

    `may_be_recorded` tells of a command that it may stand recorded all the same, for an attempt of it was not
    answered: the same request id tells. A new one would record it twice. What the exchange said of the last
    attempt alone follows that, in the message, in Dutch and in the remedies; in `refusal` it stands as said.
    """

    def __init__(self, refusal: Refusal) -> None:
        behind = refusal.unanswered and not _tells_nothing(type(self), refusal)
        super().__init__(_sentence(refusal, behind=behind))
        self.refusal: Final = refusal
        self.reason: Final = refusal.reason
        self.message: Final = refusal.message
        self.rules: Final = refusal.rules
        self.remedies: Final = (_SAME_ID, *refusal.remedies) if behind else refusal.remedies
        self.field_violations: Final = refusal.field_violations
        self.retry_after_s: Final = refusal.retry_after_s
        self.decision_id: Final = refusal.decision_id
        self.localized: Final = _dutch_behind(refusal.localized) if behind else refusal.localized
        self.request_id: Final = refusal.request_id
        self.may_be_recorded: Final = refusal.unanswered


class Denied(ExchangeRefused):
    """The gate said no: the rules and remedies say why. Asking again changes nothing."""


class Invalid(ExchangeRefused):
    """The request is malformed or too large: `field_violations` names the fields."""


class RequestIdReused(Invalid):
    """The request id was used before for other content: draw a new one."""


class Conflict(ExchangeRefused):
    """Somebody was first: read the newest version and decide again, under a new request id."""

    @property
    def changed(self) -> PlanConflict | None:
        """Return what changed since, where the command said what its caller had seen; else None."""
        return self.refusal.conflict


class RuleBroken(ExchangeRefused):
    """A rule of the domain does not allow this as things stand now; `rule` names it."""

    @property
    def rule(self) -> str:
        """Return the rule's name, such as "NOT_TO_DECIDE"."""
        return self.refusal.rule


class NotAuthenticated(ExchangeRefused):
    """The exchange does not know this certificate, or does not take this person token or signature."""


class ServerFault(ExchangeRefused):
    """The exchange failed or does not know this call: report the request id to its operator."""


class CallUnknown(ServerFault):
    """The node that was asked is of a version that does not know this call; it did nothing."""


class Unavailable(ExchangeRefused):
    """Not now: the same request, with the same request id, can succeed later."""


class Unreachable(Unavailable):
    """No answer of an exchange came: connection refused, cut, or not trusted by the other end."""


class ServerNotTrusted(Unreachable):
    """The other end could not prove that it is the exchange: foreign, expired or for another name."""


class OutcomeUnknown(Unavailable):
    """Time ran out, or a node was cut off: it may have been recorded. The same request id tells which."""


class FailedCall(Protocol):
    """What a failed call tells, of `grpc.Call` and of `grpc.aio.AioRpcError` alike."""

    def code(self) -> grpc.StatusCode:
        """Return the status code."""

    def details(self) -> str | None:
        """Return the status message."""

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Return the metadata sent with the status."""


_BY_CODE: Final[dict[grpc.StatusCode, type[ExchangeRefused]]] = {
    grpc.StatusCode.PERMISSION_DENIED: Denied,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.OUT_OF_RANGE: Invalid,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: RuleBroken,
    grpc.StatusCode.UNAUTHENTICATED: NotAuthenticated,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: OutcomeUnknown,
    grpc.StatusCode.CANCELLED: OutcomeUnknown,
    grpc.StatusCode.UNIMPLEMENTED: CallUnknown,
}
_BY_REASON: Final[dict[str, type[ExchangeRefused]]] = {
    "REQUEST_ID_REUSED": RequestIdReused,
    "REQUEST_TOO_LARGE": Invalid,
    "OUTCOME_UNKNOWN": OutcomeUnknown,
}


_NOT_TOLD: Final = frozenset({"ANSWER_TOO_LARGE", "OUTCOME_OPEN"})
_NOT_TAKEN: Final = ("CLIENT: Sent message larger", "SERVER: Received message larger")  # of gRPC itself
# What is found out behind the look at the request id: what was recorded under it would have been the answer.
_BEHIND_REQUEST_ID: Final = frozenset({"REQUEST_ID_REUSED", "RULE_BROKEN", "VERSION_CONFLICT"})


def answers_request_id(refused: ExchangeRefused) -> bool:
    """Tell whether this refusal says of all attempts under the request id that none was recorded.

    A door that refuses (no token, a full queue, a node that stops) says so of the attempt that it refused.
    """
    return refused.reason in _BEHIND_REQUEST_ID or (isinstance(refused, Denied) and bool(refused.decision_id))


def behind_unanswered(refused: ExchangeRefused) -> ExchangeRefused:
    """Return a refusal as it is told where an attempt before it was not answered."""
    if refused.may_be_recorded or answers_request_id(refused):
        return refused
    return type(refused)(replace(refused.refusal, unanswered=True))


def refused_from(call: FailedCall, request_id: str = "") -> ExchangeRefused:
    """Return the exception to raise for a failed call."""
    code = call.code()
    refusal = _read(call, request_id)
    kind = _BY_REASON.get(refusal.reason) or _BY_CODE.get(code, ServerFault)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and kind is ServerFault:
        # With a time to wait it is a quota; without one the message itself is too large, now and later.
        kind = Invalid if refusal.retry_after_s is None else Unavailable
    if code is grpc.StatusCode.UNAVAILABLE and not refusal.reason:
        kind = ServerNotTrusted if "CERTIFICATE_VERIFY_FAILED" in refusal.message else Unreachable
    return kind(replace(refusal, unanswered=_tells_nothing(kind, refusal)))


def _tells_nothing(kind: type[ExchangeRefused], refusal: Refusal) -> bool:
    """Tell whether this says nothing of what was recorded.

    A failure of the exchange itself does not tell where on its way it was; an answer that is too large was
    made behind the commit. Without a reason of the exchange it may have come from anybody on the way.
    """
    if refusal.reason:
        return kind in {OutcomeUnknown, ServerFault} or refusal.reason in _NOT_TOLD
    return kind not in {CallUnknown, ServerNotTrusted} and not refusal.message.startswith(_NOT_TAKEN)


def _read(call: FailedCall, request_id: str) -> Refusal:
    status = _status(call)
    message = call.details() or ""
    info, bad, retry = (
        next(iter(_details(status, kind)), None)
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    )
    if not isinstance(info, error_details_pb2.ErrorInfo) or info.domain != _DOMAIN:
        return Refusal("", message, request_id=request_id)
    violations: dict[str, str] = {}
    if isinstance(bad, error_details_pb2.BadRequest):
        violations = {violation.field: violation.description for violation in bad.field_violations}
    retry_after_s = None
    if isinstance(retry, error_details_pb2.RetryInfo):
        retry_after_s = max(0.0, retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
    sentences = [
        sentence.message
        for sentence in _details(status, error_details_pb2.LocalizedMessage)
        if sentence.locale == _LANGUAGE
    ]
    # A rule's own remedy says more than the one of its kind.
    remedies = info.metadata.get("remedies") or info.metadata.get("remedy", "")
    return Refusal(
        reason=info.reason,
        message=message,
        rules=_listed(info.metadata.get("rules", ""), ","),
        remedies=_listed(remedies, "\n"),
        obligations=_listed(info.metadata.get("obligations", ""), ","),
        field_violations=violations,
        retry_after_s=retry_after_s,
        decision_id=info.metadata.get("decision_id", ""),
        localized=sentences[0] if sentences else "",
        incident=info.metadata.get("incident", ""),
        request_id=request_id,
        rule=info.metadata.get("rule", ""),
        conflict=next(iter(_details(status, PlanConflict)), None),
    )


def _listed(text: str, separator: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(separator) if part)


def _status(call: FailedCall) -> status_pb2.Status:
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                break
            # Details of another code are of another failure: a proxy in between put its own on top.
            if status.code == call.code().value[0]:
                return status
    return status_pb2.Status()


def _details(status: status_pb2.Status, kind: type[_Detail]) -> list[_Detail]:
    found: list[_Detail] = []
    for packed in status.details:
        detail = kind()
        if packed.Is(kind.DESCRIPTOR):
            try:
                packed.Unpack(detail)
            except DecodeError:
                continue
            found.append(detail)
    return found


def _dutch_behind(said: str) -> str:
    return f"{_DUTCH_OPEN} {_DUTCH_LAST} {said}" if said else _DUTCH_OPEN


def _sentence(refusal: Refusal, *, behind: bool) -> str:
    parts = ["it may be recorded, for an attempt before this one was not answered"] if behind else []
    parts += [": ".join(part for part in (refusal.reason, refusal.message) if part) or "the call failed"]
    parts += [f"{path}: {what}" for path, what in sorted(refusal.field_violations.items())]
    if refusal.rules:
        parts.append(f"rules {', '.join(refusal.rules)}")
    return "; ".join(parts)
