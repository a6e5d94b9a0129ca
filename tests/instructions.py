"""How many instructions of Python something takes, by room and function: what no busy machine changes.

Promises: two counts are equal only where both took the same way through our code; what C does inside one
instruction (a digest, a sort, a page of SQLite) is not looked into.
Source: https://docs.python.org/3/library/sys.html#sys.settrace (opcode events).
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import exchange

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from _typeshed import TraceFunction

# Of the package: whoever calls his clone so has all of its libraries below a folder of that name.
_OURS = f"{Path(exchange.__file__).parent}/"


def instructions(act: Callable[[], object]) -> Counter[str]:
    """Return by `folder/room.py:function` how many instructions of the exchange's own code it took."""
    found: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        file = frame.f_code.co_filename
        if not file.startswith(_OURS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            found[f"{file.removeprefix(_OURS)}:{frame.f_code.co_name}"] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return found


def unlike(one: Counter[str], other: Counter[str], ignored: frozenset[str] = frozenset()) -> dict[str, int]:
    """Return where two counts differ, and by how much; empty where they took the same steps."""
    return {
        where: other[where] - one[where]
        for where in sorted(one.keys() | other.keys())
        if one[where] != other[where] and where not in ignored
    }
