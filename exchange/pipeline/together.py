"""Questions that one caller asks at once: waited for as one, each outcome taken the moment it is told.

Promises: each is a walk of its own, judged and recorded alone; its outcome is taken before any outcome that
comes after it in the order of walks is told to anybody, so that a withdrawal finds every answer that was
judged before it on its way. Who hangs up takes nothing more: what comes then is recorded as lost. A task and
a future for each of them cost a fifth of what telling an event takes.
Source: exchange/decisions/0195-what-eight-streams-share.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.pipeline.walk import WalkOutcome

    Take = Callable[[int, WalkOutcome | BaseException], None]


class Together:
    """Owned by one event loop."""

    def __init__(self, count: int, take: Take) -> None:
        """`take` is given the number of a question and what came of it."""
        self._left = count
        self._take = take
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, number: int, told: WalkOutcome | BaseException) -> None:
        """Take one outcome; the last one ends the waiting."""
        self._take(number, told)
        self._left -= 1
        if not self._left:
            self.ended.set_result(None)


class Place:
    """One of them, as the queue knows who waits: with the three words of a future."""

    __slots__ = ("_among", "_number")

    def __init__(self, among: Together, number: int) -> None:
        self._among = among
        self._number = number

    def done(self) -> bool:
        """Tell whether nobody waits for it any more."""
        return self._among.ended.done()

    def set_result(self, outcome: WalkOutcome) -> None:
        """Tell what came of it."""
        self._among.take(self._number, outcome)

    def set_exception(self, error: BaseException) -> None:
        """Tell why nothing came of it."""
        self._among.take(self._number, error)
