"""Everything an adapter said to the exchange, and what the exchange answered.

Promises: kept in memory only and shown to nobody: a finding names the rpc and what is wrong, never a value.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError

import adapters.sdk.calls  # noqa: F401 -- brings the contract into the pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

SUBSCRIBE: Final = "/exchange.v1.SubscriptionService/Subscribe"


@dataclass(slots=True)
class Call:
    """One call. `answer` is empty while there is none; `reason` and `rules` are those of the refusal."""

    path: str
    metadata: tuple[tuple[str, str | bytes], ...]
    request: bytes = field(repr=False)
    deadline_s: float | None
    answer: bytes = field(default=b"", repr=False)
    reason: str = ""
    rules: str = ""
    answered: bool = False

    @property
    def name(self) -> str:
        """Return its short name, such as PlanService.SetGoal."""
        return self.path.removeprefix("/exchange.v1.").replace("/", ".")

    def header(self, key: str) -> str:
        """Return a header, empty where there is none."""
        return next((str(value) for name, value in self.metadata if name == key), "")

    @property
    def asked(self) -> Any:  # noqa: ANN401 -- any message of the contract
        """Return the request, read; an empty message where it cannot be."""
        return _read(_method(self.path), "input_type", self.request)

    @property
    def leaf_index(self) -> int | None:
        """Return which leaf of the log it led to, None where it led to none."""
        if not self.answered or not is_command(self.path):
            return None
        return int(_read(_method(self.path), "output_type", self.answer).receipt.leaf_index)


class Recording:
    """Calls in the order in which they came. Safe between threads."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._calls: Final[list[Call]] = []

    def add(self, call: Call) -> None:
        """Keep a call."""
        with self._lock:
            self._calls.append(call)

    def calls(self, path: str | None = None) -> Sequence[Call]:
        """Return the calls until now, all or of one rpc."""
        with self._lock:
            return [one for one in self._calls if path is None or one.path == path]

    def effects(self, path: str, subject_ids: frozenset[str]) -> frozenset[int]:
        """Return the leaves that commands of one rpc about somebody led to: one for each effect."""
        found = (one for one in self.calls(path) if subject_ids & ids_of(one.asked))
        return frozenset(index for one in found if (index := one.leaf_index) is not None)


def ids_of(message: Message) -> frozenset[str]:
    """Return the ids by which a request names a case or a plan, and a resident's pseudonym in hexadecimal."""
    found = {str(getattr(message, name, "")) for name in ("plan_id", "case_id")}
    resident = getattr(message, "resident", b"")
    if isinstance(resident, bytes):
        found.add(resident.hex())
    return frozenset(found - {""})


def is_command(path: str) -> bool:
    """Tell whether this rpc exists and answers with a receipt."""
    method = _method(path)
    return method is not None and "receipt" in method.output_type.fields_by_name


def _method(path: str) -> MethodDescriptor | None:
    pool: Any = descriptor_pool.Default()
    try:
        found: MethodDescriptor = pool.FindMethodByName(path.removeprefix("/").replace("/", "."))
    except KeyError:
        return None
    return found


def _read(method: MethodDescriptor | None, side: str, raw: bytes) -> Any:  # noqa: ANN401 -- any message
    if method is None:
        return None
    kind = message_factory.GetMessageClass(getattr(method, side))
    try:
        return kind.FromString(raw)
    except DecodeError:
        return kind()
