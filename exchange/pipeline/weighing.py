"""How much memory a folded state takes, measured where the events it was made of no longer tell.

Promises: what is described anew again and again takes no more room each time, so that a plan in use for years
does not look as large as all that was ever said of it; a state is looked at once each time it seems to have
doubled. What one object shares with another is counted once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from sys import getsizeof
from typing import Any, Final

# Below it nobody looks: so many small states there are, and so little there is to win.
LOOKED_AT_MIN: Final = 32 * 1024


def weight(state: Any, most: int) -> int:  # noqa: ANN401 -- each aggregate has its own state class
    """Return how many bytes a state takes; `most` where it takes more than that."""
    seen: set[int] = set()
    waiting, total = [state], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, Enum):
            continue
        seen.add(id(one))
        total += getsizeof(one)
        if total >= most:
            return most
        if isinstance(one, Mapping):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, tuple | list | frozenset | set):
            waiting += one
        elif is_dataclass(one):
            waiting += [getattr(one, field.name) for field in fields(one)]
    return total
