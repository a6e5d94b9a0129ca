"""How much memory a folded state takes, measured where the events it was made of no longer tell.

Promises: what is described anew again and again takes no more room each time, so that a plan in use for years
does not look as large as all that was ever said of it; a state is looked at once each time it seems to have
doubled. What one object shares with another is counted once; what is made when it is read is not made here.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from sys import getsizeof
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Below twice of it nobody looks: so many small states there are, and so little there is to win.
LOOKED_AT_MIN: Final = 64 * 1024
# When a state was just folded from its events, looking costs a part of that: only where it was long.
LOADED_MIN: Final = 8 * LOOKED_AT_MIN


def _of_mapping(whole: Any) -> Iterable[Any]:  # noqa: ANN401 -- any mapping
    return [*whole.keys(), *whole.values()]


def _nothing(_whole: object) -> Iterable[Any]:
    return ()


# By type, what an object holds others by; of each dataclass it is found once.
_opened: Final[dict[type, Callable[[Any], Iterable[Any]]]] = {
    **dict.fromkeys((tuple, list, set, frozenset), iter),
    **dict.fromkeys((dict, MappingProxyType), _of_mapping),
}


def weight(state: Any, most: int) -> int:  # noqa: ANN401 -- each aggregate has its own state class
    """Return how many bytes a state takes; `most` where it takes more than that."""
    seen: set[int] = set()
    waiting, total = [state], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        total += getsizeof(one)
        if total >= most:
            return most
        opened = _opened.get(type(one))
        if opened is None:
            opened = _opened[type(one)] = _how_to_open(type(one))
        waiting += opened(one)
    return total


def _how_to_open(kind: Any) -> Callable[[Any], Iterable[Any]]:  # noqa: ANN401 -- any type
    if not is_dataclass(kind):
        return _nothing
    names = [field.name for field in fields(kind)]
    # As it is held, not as it is read (exchange/domain/plan/earlier.py).
    made = vars(kind)
    held = [made[name].held for name in names if hasattr(made.get(name), "held")]
    read = [name for name in names if not hasattr(made.get(name), "held")]

    def opened(one: object) -> Iterable[Any]:
        return [*(getattr(one, name) for name in read), *(slot(one) for slot in held)]

    return opened
