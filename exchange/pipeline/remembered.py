"""What was made of a value, remembered by the very object: equal ones are not looked for, nothing is hashed.

Promises: bounded; an object that is remembered is kept, so that no other gets its id; for values that never
change. Finding takes the same steps whatever the value says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_One = TypeVar("_One")
_Made = TypeVar("_Made")


class ByObject(Generic[_One, _Made]):
    """Makes something of each object once. Safe between threads: at worst it is made twice."""

    def __init__(self, make: Callable[[_One], _Made], most: int) -> None:
        """When there are as many as `most`, all are forgotten."""
        self._make = make
        self._most = most
        self._made: dict[int, tuple[_One, _Made]] = {}

    def __call__(self, one: _One) -> _Made:
        """Return what is made of an object."""
        known = self._made.get(id(one))
        if known is None:
            if len(self._made) >= self._most:
                self._made.clear()
            known = self._made[id(one)] = one, self._make(one)
        return known[1]
