"""What both clients are made of: one connection shared by siblings, one person each, one time limit.

Promises: siblings made by `with_person`, `with_timeout` and `with_trace` share the connection; `rotate`
changes the credentials of all of them, and calls under way end on the old ones. A command goes out as the
same bytes at each attempt, signed by the key it is sent with, and is answered only with the receipt of what
was signed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from adapters.sdk.batches import parts_of
from adapters.sdk.calls import draw_request_id
from adapters.sdk.errors import CallUnknown, CertificateExpired
from adapters.sdk.keeping import subject_of
from adapters.sdk.one_by_one import Taking
from adapters.sdk.patience import Attempts
from adapters.sdk.services import Services
from adapters.sdk.signing import require_own
from adapters.sdk.traces import TRACEPARENT, checked_traceparent, draw_traceparent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from adapters.sdk.batches import Batch, Part
    from adapters.sdk.calls import Rpc
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.errors import ExchangeRefused
    from adapters.sdk.keeping import ReceiptKeeper
    from adapters.sdk.line import Line
    from adapters.sdk.logs import AdapterLog
    from adapters.sdk.patience import Patience
    from adapters.sdk.signing import Signature
    from adapters.sdk.tokens import Person

_Mode = TypeVar("_Mode")
_Channel = TypeVar("_Channel")

TIMEOUT_S: Final = 10.0


class Connection(Generic[_Channel]):
    """Line and channel, swapped together."""

    def __init__(self, line: Line, open_channel: Callable[[Line], _Channel]) -> None:
        self._open_channel: Final = open_channel
        self._opened: Final[list[_Channel]] = []
        self.current = self._open(line)
        self.taking: Final = Taking(line.now)

    def rotate(self, credentials: Credentials) -> None:
        """Open a channel with other credentials; calls and streams under way end on the old one."""
        # Replaced whole, so that nobody ever sees half of a rotation.
        self.current = self._open(self.current[0].renewed(credentials))
        self.taking.opened_anew()

    def channels(self) -> list[_Channel]:
        """Return every channel, to be closed; old ones stay open till then, one for each rotation."""
        return list(self._opened)

    def _open(self, line: Line) -> tuple[Line, _Channel]:
        channel = self._open_channel(line)
        self._opened.append(channel)
        return line, channel


class Client(Services[_Mode], Generic[_Mode, _Channel]):
    """A client of one exchange, as one person of one organisation."""

    def __init__(
        self,
        connection: Connection[_Channel],
        person: Person | None,
        timeout_s: float,
        patience: Patience,
    ) -> None:
        self._connection: Final = connection
        self._person = person
        self._timeout_s = timeout_s
        self._patience: Final = patience
        self._traceparent = ""
        self.receipts: ReceiptKeeper | None = None
        self._log: AdapterLog | None = None

    def with_receipts(self, receipts: ReceiptKeeper) -> Self:
        """Return a client on the same connection that keeps the receipt of each of its commands."""
        return self._sibling(receipts=receipts)

    def with_log(self, log: AdapterLog) -> Self:
        """Return a client on the same connection that says there what a person should know of it.

        Without it that is said on standard error.
        """
        return self._sibling(_log=log)

    def with_person(self, person: Person) -> Self:
        """Return a client for another person on the same connection; closing either closes both."""
        return self._sibling(_person=person)

    def with_timeout(self, timeout_s: float) -> Self:
        """Return a client with another time limit on the same connection; closing either closes both."""
        return self._sibling(_timeout_s=timeout_s)

    def with_trace(self, traceparent: str) -> Self:
        """Return a client whose calls are steps of one span: of an event that came in, or of one's own.

        Raises ValueError. Without it every call begins a trace.
        """
        return self._sibling(_traceparent=checked_traceparent(traceparent))

    def rotate(self, credentials: Credentials) -> None:
        """Go on with renewed credentials of the same organisation. Raises CredentialsInvalid."""
        self._connection.rotate(credentials)

    def _sibling(self, **changed: object) -> Self:
        sibling = copy.copy(self)
        vars(sibling).update(changed)
        return sibling

    def _trace(self) -> tuple[str, str]:
        """Return the header of one call, drawn where none was set: one for all its attempts."""
        return TRACEPARENT, self._traceparent or draw_traceparent()

    def _kept(self, rpc: Rpc[Any, Any], request: Message, answer: Any) -> object:  # noqa: ANN401 -- any rpc's answer
        """Return an answer, once its receipt is kept. Raises what the book raises."""
        if self.receipts is not None and rpc.is_command and answer.HasField("receipt"):
            self.receipts.keep(answer.receipt, rpc.path, subject_of(request, answer))
        return answer

    def _parts(self, batch: Batch) -> Iterator[Part]:
        """Yield the messages of a batch."""
        return parts_of(batch, self._person, Outgoing, self._kept)

    def _goes_alone(self, refused: ExchangeRefused, part: Part) -> bool:
        """Tell whether the other end knows no batch: what is left of it goes one by one, which is said."""
        if not isinstance(refused, CallUnknown):
            return False
        part.not_known(refused)
        self._connection.taking.unknown(refused, part.left, self._log)
        return True

    def _attempts(self) -> Attempts:
        return Attempts(self._patience, self._timeout_s)


class Outgoing:
    """One request on its way, over all its attempts."""

    def __init__(self, rpc: Rpc[Any, Any], request: Message, person: Person | None) -> None:
        self._rpc: Final = rpc
        self.person: Final = person
        self._signatures: Final[list[Signature]] = []
        self.request_id: Final = draw_request_id(request)
        self.raw: Final = serialised(request)

    def metadata(self, line: Line, last: ExchangeRefused | None) -> tuple[tuple[str, str], ...]:
        """Return the metadata of the next attempt. Raises CertificateExpired, PersonMissing.

        Raises `last`, the end of the attempt before, where the certificate expired since: it was called then.
        """
        signature = line.signature(self._rpc, self.person, self.raw)
        if signature is not None:
            self._signatures.append(signature)
        try:
            return line.metadata(self._rpc, self.person, signature)
        except CertificateExpired:
            if last is None:
                raise
            raise last from None

    def signed(self, line: Line) -> str:
        """Return the signature of the next attempt, in base64. Raises PersonMissing."""
        signature = line.signature(self._rpc, self.person, self.raw)
        assert signature is not None, "only a command is signed"
        self._signatures.append(signature)
        return signature.signature

    def accepted(self, answer: Any) -> object:  # noqa: ANN401 -- any rpc's answer
        """Return the answer. Raises ReceiptRefused where its leaf is not of what was signed."""
        if self._rpc.is_command and (answer.HasField("receipt") or not self._rpc.may_write_nothing):
            require_own(answer.receipt, self._signatures)
        return answer


def serialised(request: Message) -> bytes:
    """Return the bytes of a message; one function for every call."""
    return request.SerializeToString()


def calling(rpc: Any) -> dict[str, Any]:  # noqa: ANN401 -- any Rpc: its types are of no use to gRPC
    """Return the two functions gRPC asks for a call."""
    return {"request_serializer": serialised, "response_deserializer": rpc.answer.FromString}
