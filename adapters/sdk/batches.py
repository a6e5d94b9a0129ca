"""Many commands in few messages: collected as calls are written, sent together, answered each by itself.

`batch = Batch(); goal = batch.plan.set_goal(…); client.send_batch(batch); goal.answer().receipt`.
Promises: each command is signed as if it went alone and goes out as the same bytes at each attempt, under
a request id drawn once; only those the exchange calls temporary are tried again; an answer is given only with
the receipt of what was signed. Those on one plan or one case are done in the order they were collected in:
what comes behind one that may still be done is not sent, in whichever message. A node of a version before,
which knows no batch, is sent what is left of it one by one, with the same ends: `one_by_one.py`.
Source: protos/exchange/v1/batch_service.proto; AIP-155 (request ids).
"""

from __future__ import annotations

from base64 import b64decode
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from adapters.sdk.calls import Collecting, Rpc
from adapters.sdk.errors import (
    ExchangeRefused,
    ReceiptRefused,
    RequestIdReused,
    SdkError,
    Unavailable,
    behind_unanswered,
    refused_from,
)
from adapters.sdk.line import MESSAGE_BYTES_MAX
from adapters.sdk.one_by_one import refused_in_batch
from adapters.sdk.patience import can_be_retried
from adapters.sdk.services import Services
from exchange.v1.batch_service_pb2 import BatchedCommand, SendCommandsRequest, SendCommandsResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from google.protobuf.message import Message

    from adapters.sdk.base import Outgoing
    from adapters.sdk.line import Line
    from adapters.sdk.patience import Attempts
    from adapters.sdk.tokens import Person

_Answer = TypeVar("_Answer", bound="Message")

COMMANDS_MAX: Final = 100
# Of one message; what stands around a command (path, signature, lengths) is no longer than this.
AROUND_BYTES: Final = 256
# What commands on one thing are kept in order by, as the exchange does.
ORDERED_BY: Final = ("plan_id", "case_id")
DETAILS_KEY: Final = "grpc-status-details-bin"
SEND_COMMANDS: Final = Rpc(SendCommandsRequest, SendCommandsResponse)
# Of no exchange, and of a node that can send nothing on, or stops.
_SILENT: Final = frozenset({"", "HOLDER_AWAY", "OUTCOME_UNKNOWN", "DRAINING"})
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class NotSent(SdkError):
    """This command has no end: its batch was not sent yet, or not to its end. `client.send_batch(batch)`."""


class Collected(Generic[_Answer]):
    """One command of a batch; its answer is there once the batch was sent."""

    def __init__(self, rpc: Rpc[Any, Any], request: Message) -> None:
        self.rpc: Final = rpc
        self.request: Final = request
        self.refused: SdkError | None = NotSent(f"{rpc.path} was not sent yet")
        self._given: _Answer | None = None
        self._under_way = False
        self._unanswered = False  # of an attempt before the one that is under way
        self._cut = False  # its end does not tell what became of an attempt before it
        self._person: Person | None = None  # of the last attempt
        self._of_others = False  # one before it, of another person, was not answered

    @property
    def may_be_recorded(self) -> bool:
        """Tell whether it may stand recorded although it has no answer that is taken here."""
        return self._under_way or self._unanswered

    @property
    def may_come(self) -> bool:
        """Tell whether it ended for now: sent under its request id again, it may be done, or was before."""
        return self._cut or isinstance(self.refused, Unavailable | AnswerUnreadable)

    @property
    def order(self) -> str:
        """Return what it is kept in order by, empty for nothing."""
        return next(filter(None, (getattr(self.request, name, "") for name in ORDERED_BY)), "")

    def answer(self) -> _Answer:
        """Return what the exchange answered. Raises what the call alone would have raised, or NotSent."""
        if self.refused is not None:
            raise self.refused
        return cast("_Answer", self._given)

    def leaves(self, person: Person | None) -> None:
        """Take that an attempt goes out; whatever ends the sending now, it may be recorded."""
        self._of_others |= self.may_be_recorded and self._person != person
        self._person = person
        self._unanswered, self._under_way = self.may_be_recorded, True

    def stays(self) -> None:
        """Take that the attempt did not go out."""
        self._under_way = False

    def told(self, refused: ExchangeRefused) -> ExchangeRefused:
        """Return a refusal as it is told behind the attempts of this command that were not answered."""
        told = behind_unanswered(refused) if self._unanswered else refused
        if self._unanswered and self._of_others and isinstance(refused, RequestIdReused):
            # Of another person it is other content, and may be that very attempt.
            told = RequestIdReused(replace(refused.refusal, unanswered=True))
        self._cut = self._unanswered and told.may_be_recorded
        self._unanswered, self._under_way = told.may_be_recorded, False
        return told

    def settle(self, given: object, refused: SdkError | None) -> None:
        """Take the end of this command: an answer, what was `told`, or that it cannot be told."""
        if refused is None:
            self._unanswered = self._under_way = self._cut = self._of_others = False
        self._given, self.refused = cast("_Answer | None", given), refused


class Batch(Services[Collecting]):
    """Commands to be sent together, by one person. Used by one thread until it was sent."""

    def __init__(self) -> None:
        self.collected: Final[list[Collected[Any]]] = []

    def _send(self, rpc: Rpc[Any, Any], request: Message) -> object:
        """Collect a command. Raises ValueError for a question: it is asked by a call of its own."""
        if not rpc.is_command:
            raise ValueError(f"{rpc.path} is a question: a batch takes commands only")
        one: Collected[Any] = Collected(rpc, request)
        self.collected.append(one)
        return one


class Waiting(NamedTuple):
    """A command without an end."""

    command: Collected[Any]
    outgoing: Outgoing


class Part:
    """What goes in one message, over all its attempts."""

    def __init__(
        self, commands: Sequence[tuple[Collected[Any], Outgoing]], kept: Callable[..., object]
    ) -> None:
        """`kept` is what a client does with an answer before it is given."""
        self._waiting = [Waiting(*one) for one in commands]
        self._kept: Final = kept
        self._last: Final[dict[str, ExchangeRefused]] = {}  # by request id, of the last attempt of this part

    def message(self, line: Line) -> SendCommandsRequest:
        """Return the next attempt, to go out now: what has no end yet, signed by the key it goes with."""
        message = SendCommandsRequest(
            commands=[
                BatchedCommand(
                    rpc=one.command.rpc.path,
                    request=one.outgoing.raw,
                    signature=b64decode(one.outgoing.signed(line)),
                )
                for one in self._waiting
            ]
        )
        for one in self._waiting:
            one.command.leaves(one.outgoing.person)
        return message

    def answered(self, answer: SendCommandsResponse, attempts: Attempts) -> float | None:
        """Take the answers; return after how many seconds the rest is sent again, None where nothing is.

        Raises what the book of receipts raises, once all that were answered were taken: what it did not keep
        has no end, and is answered alike when it is sent again.
        """
        if len(answer.outcomes) != len(self._waiting):
            short = AnswerUnreadable("the exchange answered another number of commands than it was sent")
            self._end([(one, short) for one in self._waiting])
            return None
        again: list[tuple[Waiting, ExchangeRefused]] = []
        answers: list[tuple[Waiting, object]] = []
        held: dict[str, SdkError] = {}
        for one, outcome in zip(self._waiting, answer.outcomes, strict=True):
            if outcome.WhichOneof("outcome") == "response":
                answers += self._accepted(one, outcome.response)
                continue
            refused = self._told(one, _refused(outcome.status, one.outgoing.request_id))
            if can_be_retried(refused) and one.command.order not in held:
                again.append((one, refused))
            else:
                # What is behind one that may still be done does not go out without it.
                one.command.settle(None, refused)
                held |= _held_back([one.command])
        # Each of them, whatever comes of another: what was raised is raised when all were.
        with ExitStack() as keeping:
            for one, given in reversed(answers):
                keeping.callback(self._keep, one.command, given)
        self._waiting = [one for one, _ in again]
        if not again:
            return None
        # The longest wait that was asked, for all of them.
        longest = max((refused for _, refused in again), key=lambda refused: refused.retry_after_s or 0.0)
        try:
            return attempts.wait_before_next(longest)
        except ExchangeRefused:
            self._end(again)
            return None

    def failed(self, refused: ExchangeRefused, attempts: Attempts) -> float | None:
        """Take that the message itself failed; return after how many seconds it is sent again, or None."""
        told = [(one, self._told(one, refused)) for one in self._waiting]
        try:
            return attempts.wait_before_next(refused)
        except ExchangeRefused:
            self._end(told)
            return None

    @property
    def left(self) -> int:
        """Return how many commands have no end yet."""
        return len(self._waiting)

    def one_by_one(self, person: Person | None) -> Iterator[Waiting]:
        """Yield each command to be sent by a call of its own; its end is given before the next is taken.

        Each is told what a batch would have told it: what a batch does not take, what is behind one that may
        still be done, and all that is left once nobody answers, are not sent.
        """
        held: dict[str, SdkError] = {}
        nobody: SdkError | None = None
        while self._waiting:
            one = self._waiting[0]
            command, request_id = one.command, one.outgoing.request_id
            why = refused_in_batch(command.rpc, command.request, person, request_id)
            why_not = why or nobody or held.get(command.order)
            if why_not is None:
                command.leaves(one.outgoing.person)
                yield one
            else:
                command.settle(None, _told_again(why_not, command, request_id))
            if _is_silence(command.refused):
                nobody = command.refused
            held |= _held_back([command])
            del self._waiting[0]

    def answered_alone(self, one: Waiting, raw: bytes) -> None:
        """Take the answer to a command sent by a call of its own. Raises what the book of receipts raises."""
        for _, given in self._accepted(one, raw):
            self._keep(one.command, given)

    def refused_alone(self, one: Waiting, refused: ExchangeRefused) -> None:
        """Take the refusal of a command sent by a call of its own."""
        one.command.settle(None, self._told(one, refused))

    def not_known(self, refused: ExchangeRefused) -> None:
        """Take that the message is not known there: that attempt did nothing."""
        for one in self._waiting:
            one.command.told(refused)

    def stays(self, one: Waiting) -> bool:
        """Take that one did not go out by a call of its own; as `ended_before`."""
        one.command.stays()
        return self.ended_before()

    def ended_before(self) -> bool:
        """End what is left as its last attempt ended; False where some of it was not sent from here yet."""
        ends = [(one, end) for one in self._waiting if (end := self._last.get(one.outgoing.request_id))]
        if len(ends) < len(self._waiting):
            return False
        self._end(ends)
        return True

    def _told(self, one: Waiting, refused: ExchangeRefused) -> ExchangeRefused:
        # That of a whole message names none.
        named = replace(refused.refusal, request_id=one.outgoing.request_id)
        told = one.command.told(type(refused)(named))
        self._last[one.outgoing.request_id] = told
        return told

    def _accepted(self, one: Waiting, raw: bytes) -> list[tuple[Waiting, object]]:
        """Return an answer that is to be kept, where it is one of what was sent."""
        try:
            return [(one, one.outgoing.accepted(one.command.rpc.answer.FromString(raw)))]
        except ReceiptRefused as refused:
            one.command.settle(None, refused)
        except DecodeError:
            one.command.settle(None, AnswerUnreadable("the exchange's answer to this command cannot be read"))
        return []

    def _keep(self, command: Collected[Any], given: object) -> None:
        command.settle(self._kept(command.rpc, command.request, given), None)

    def _end(self, refused: Iterable[tuple[Waiting, SdkError]]) -> None:
        for one, why in refused:
            one.command.settle(None, why)
        self._waiting = []


class AnswerUnreadable(SdkError):
    """What came back does not tell what became of this command: send it again under its request id."""


def parts_of(
    batch: Batch,
    person: Person | None,
    outgoing: Callable[[Rpc[Any, Any], Message, Person | None], Outgoing],
    kept: Callable[..., object],
) -> Iterator[Part]:
    """Yield what each message takes: at most so many commands, and no more bytes than a message has."""
    part: list[tuple[Collected[Any], Outgoing]] = []
    size = 0
    held: dict[str, SdkError] = {}  # why nothing more on this plan or case is sent
    for command in batch.collected:
        if not isinstance(command.refused, NotSent):
            held |= _held_back([command])
            continue
        one = outgoing(command.rpc, command.request, person)
        bytes_of = len(one.raw) + AROUND_BYTES
        if part and (len(part) == COMMANDS_MAX or size + bytes_of > MESSAGE_BYTES_MAX):
            yield Part(part, kept)
            held |= _held_back(command for command, _ in part)
            part, size = [], 0
        if command.order in held:
            command.settle(None, _told_again(held[command.order], command, one.request_id))
            continue
        part.append((command, one))
        size += bytes_of
    if part:
        yield Part(part, kept)


def _held_back(commands: Iterable[Collected[Any]]) -> dict[str, SdkError]:
    """Return the plans and cases on which one of these may still be done, and why it was not."""
    return {
        command.order: command.refused
        for command in commands
        if command.order and command.refused is not None and command.may_come
    }


def _told_again(refused: SdkError, command: Collected[Any], request_id: str) -> SdkError:
    """Return a refusal as it is told of a command behind it, which does not go out now."""
    if isinstance(refused, ExchangeRefused):
        mark = command.may_be_recorded
        return type(refused)(replace(refused.refusal, request_id=request_id, unanswered=mark))
    return refused


def _is_silence(refused: SdkError | None) -> bool:
    """Tell whether no exchange answered, or none that does anything now: it would end a whole message."""
    return isinstance(refused, Unavailable) and refused.reason in _SILENT


class _Refusal(NamedTuple):
    """A refusal inside an answer, as `refused_from` reads one of a call."""

    status: Status
    raw: bytes

    def code(self) -> grpc.StatusCode:
        """Return the status code."""
        return _CODES.get(self.status.code, grpc.StatusCode.UNKNOWN)

    def details(self) -> str:
        """Return the status message."""
        return str(self.status.message)

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Return the details as metadata."""
        return ((DETAILS_KEY, self.raw),)


def _refused(raw: bytes, request_id: str) -> ExchangeRefused:
    try:
        status = Status.FromString(raw)
    except DecodeError:
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0])
    return refused_from(_Refusal(status, raw), request_id)
