"""A call that a node was sent before and did not answer: what the end it has elsewhere says of it.

Promises: no refusal of a command says that nothing was recorded, but one found behind the look at the request
id: what was recorded under it would have been the answer. Any other becomes OUTCOME_UNKNOWN, for a call and
for each command of a batch alike, and for the caller alone: the log line of the node that refused says why,
and a time to wait that it named is kept. Questions are refused as they are.
Source: AIP-155 (request ids); exchange/decisions/0212-a-refusal-behind-a-cut-line.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import grpc
from google.protobuf import descriptor_pool
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from exchange.server.nodes.errors import OutcomeUnknown
from exchange.server.status import DETAILS_KEY, code_of, status_of
from exchange.v1.batch_service_pb2 import SendCommandsResponse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from google.protobuf.message import Message

    from exchange.server.nodes.relayed import Header

    Context = grpc.aio.ServicerContext[bytes, bytes]

SEND_COMMANDS: Final = "/exchange.v1.BatchService/SendCommands"
# Found behind the look at the request id.
_OF_THE_COMMAND: Final = frozenset({"REQUEST_ID_REUSED", "RULE_BROKEN", "VERSION_CONFLICT"})
# Say themselves that the outcome may be either, or come behind the commit.
_OPEN: Final = frozenset({"ANSWER_TOO_LARGE", "DEADLINE_EXCEEDED", OutcomeUnknown.code, "OUTCOME_OPEN"})
# A failure of the exchange itself says nothing of what was recorded, and has a number to report.
_FAULTS: Final = frozenset(
    code.value[0] for code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNKNOWN)
)


def info_of(raw: bytes) -> ErrorInfo:
    """Return the exchange's own reason in the details of a refusal, an empty one where there is none."""
    info = ErrorInfo()
    _unpacked(raw, info)
    return info


def _unpacked(raw: bytes, into: Message) -> None:
    for detail in Status.FromString(raw).details:
        if detail.Unpack(into):
            return


def is_of_this_attempt_alone(raw: bytes) -> bool:
    """Tell whether a refusal, as the bytes of its Status, says nothing of an attempt before it."""
    if Status.FromString(raw).code in _FAULTS:
        return False
    info = info_of(raw)
    if info.reason == "ACCESS_DENIED":
        return not info.metadata.get("decision_id")
    return info.reason not in _OF_THE_COMMAND | _OPEN


def records_a_deed(path: str) -> bool:
    """Tell whether this call is a command or a batch of them; what the contract does not name may be one."""
    service, _, method = path.strip("/").rpartition("/")
    try:
        described: Any = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    except KeyError:
        return True
    return path == SEND_COMMANDS or "receipt" in described.output_type.fields_by_name


def unknown(refused: bytes = b"") -> OutcomeUnknown:
    """Return what is said where another node may have recorded it; to be asked no sooner than `refused` says.

    That is the bytes of a Status.
    """
    error = OutcomeUnknown("the node that was asked is away; what was asked may be recorded")
    retry = RetryInfo()
    _unpacked(refused, retry)
    error.retry_after_ms = max(OutcomeUnknown.retry_after_ms, retry.retry_delay.ToMilliseconds())
    return error


def sent_before(path: str, context: Context) -> Context:
    """Return the context of a call that goes out again; refusals of a command say what they may there."""
    if isinstance(context, SentBefore) or not records_a_deed(path):
        return context
    return cast("Context", SentBefore(context))


def answered(path: str, context: Context, answer: bytes) -> bytes:
    """Return the answer to a call; of a batch that was sent before each refusal says what it may."""
    if path != SEND_COMMANDS or not isinstance(context, SentBefore):
        return answer
    told = SendCommandsResponse.FromString(answer)
    for one in told.outcomes:
        if one.WhichOneof("outcome") == "status" and is_of_this_attempt_alone(one.status):
            one.status = status_of(unknown(one.status)).SerializeToString()
    return told.SerializeToString()


class SentBefore:
    """The context of such a call; of all but its refusals, the one it came with."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[Header] = ()
    ) -> NoReturn:
        """Refuse, as far as it is known; never returns."""
        headers = tuple(trailing_metadata)
        found = next((value for name, value in headers if name == DETAILS_KEY), b"")
        raw = found if isinstance(found, bytes) else found.encode()
        late = code is grpc.StatusCode.DEADLINE_EXCEEDED  # of gRPC itself, without details
        if not late and is_of_this_attempt_alone(raw):
            error = unknown(raw)
            status = status_of(error)
            code, details = code_of(error), status.message
            headers = ((DETAILS_KEY, status.SerializeToString()),)
        await self._context.abort(code, details, headers)
        raise AssertionError("abort raises")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the context has
        return getattr(self._context, name)
