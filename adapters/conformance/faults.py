"""What the suite lets go wrong between an adapter and the exchange, once, for one rpc about one subject."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from google.protobuf.any_pb2 import Any as PackedAny
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from adapters.conformance.recording import ids_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from adapters.conformance.recording import Call

DOMAIN: Final = "exchange.v1"
PERMISSION_DENIED: Final = 7
UNAVAILABLE: Final = 14


class Kind(Enum):
    """What goes wrong."""

    COME_BACK = "come back"  # refused with a time at which to come back; nothing was recorded
    NO = "no"  # refused by the gate, for good; nothing was recorded
    ANSWER_LOST = "answer lost"  # recorded, and the answer never comes


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, once."""

    kind: Kind
    path: str
    subject_ids: frozenset[str]


class Faults:
    """What is still to go wrong. Safe between threads."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._waiting: Final[list[Fault]] = []

    def add(self, fault: Fault) -> None:
        """Let it happen at the next call that fits."""
        with self._lock:
            self._waiting.append(fault)

    def of(self, call: Call) -> Fault | None:
        """Return what goes wrong with this call, and take it off the list."""
        with self._lock:
            for fault in self._waiting:
                if fault.path == call.path and fault.subject_ids & ids_of(call.asked):
                    self._waiting.remove(fault)
                    return fault
        return None


def status_of(kind: Kind) -> status_pb2.Status:
    """Return how the exchange says it. A lost answer says nothing: the line broke."""
    if kind is Kind.NO:
        info = error_details_pb2.ErrorInfo(
            reason="ACCESS_DENIED",
            domain=DOMAIN,
            metadata={"rules": "R03", "remedy": "Ask who leads the case."},
        )
        return _status(PERMISSION_DENIED, "refused by the gate", info)
    if kind is Kind.COME_BACK:
        info = error_details_pb2.ErrorInfo(reason="STORE_UNAVAILABLE", domain=DOMAIN)
        retry = error_details_pb2.RetryInfo(retry_delay=Duration(nanos=200_000_000))
        return _status(UNAVAILABLE, "not now; nothing was recorded", info, retry)
    return _status(UNAVAILABLE, "connection reset")


def refusal_of(raw: bytes) -> tuple[str, str]:
    """Return the reason in a status of the exchange and its rules, empty where there are none."""
    for packed in status_pb2.Status.FromString(raw).details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info):
            named = [info.metadata[key] for key in ("rules", "rule") if info.metadata.get(key)]
            return str(info.reason), " ".join(named)
    return "", ""


def _status(code: int, message: str, *details: Message) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = PackedAny()
        packed.Pack(detail)
        status.details.append(packed)
    return status
