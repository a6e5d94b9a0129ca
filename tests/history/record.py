"""What clients did and were answered, one line of JSON for each attempt.

Promises: what a line does not say, no check needs. README.md tells the fields.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OUTCOMES: Final = frozenset({"ok", "refused", "unknown"})


class Operation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One attempt of one operation, one delivered event, or one word about a stream."""

    client: str
    op: str
    outcome: str = "ok"
    sent_ns: int = 0  # of the machine's monotonic clock, which all its processes share
    answered_ns: int = 0
    wall_ns: int = 0  # of the wall clock when it was sent; told, never compared
    clock: str = ""  # which machine's; times of two machines are not compared
    request_id: str = ""
    position: int = 0
    leaves: int = 0
    leaf: str = ""
    decision: str = ""
    answer: str = ""
    reason: str = ""
    mark: str = ""
    plan: str = ""
    elements: str = ""
    on_consent: bool = False
    fields: tuple[str, ...] = ()
    version: int | None = None
    chain: str | None = None
    stream: str = ""
    connection: int = 0
    cursor: int = 0
    event: str = ""
    plans: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = self.request_id or self.decision or self.event or self.stream
        return f"{self.op} {name} of {self.client}"


class HistoryMisread(ValueError):
    """A line is no operation."""


_encode = msgspec.json.Encoder().encode


class Recorder:
    """Keeps operations in memory, in the order in which they ended; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: list[Operation] = []

    def add(self, operation: Operation) -> None:
        """Keep one."""
        with self._lock:
            self._operations.append(operation)

    def operations(self) -> list[Operation]:
        """Return what is there by now."""
        with self._lock:
            return list(self._operations)

    def write(self, file: Path) -> None:
        """Write a line for each."""
        file.write_bytes(b"".join(_encode(one) + b"\n" for one in self.operations()))


def read(file: Path) -> list[Operation]:
    """Return the operations of a file. Raises HistoryMisread, naming the line."""
    with file.open("rb") as lines:
        return list(parse(lines))


def parse(lines: Iterable[bytes]) -> Iterable[Operation]:
    """Yield the operation of each line; fields nobody knows are passed over, and null is not said."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            told: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
            said = {name: value for name, value in told.items() if value is not None}
            operation = msgspec.convert(said, Operation)
        except msgspec.MsgspecError as error:
            raise HistoryMisread(f"line {number}: {error}") from error
        if operation.outcome not in OUTCOMES:
            raise HistoryMisread(f"line {number}: outcome is {', '.join(sorted(OUTCOMES))}")
        yield operation
