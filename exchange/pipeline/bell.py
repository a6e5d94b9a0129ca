"""A bell: it says that something was committed, up to which position, and nothing else.

Promises: who waits for what is after a position is woken by the first ring beyond it, also by one that came
before he began to wait; a ring that is lost costs delay and never data, for who is woken looks for himself,
and looks at the end of his patience too.
Source: ARCHITECTURE, sections 1 and 4 (a bell carries shard and position only).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol


class Bell(Protocol):
    """Rung by who committed, or by who heard of it. Owned by one event loop."""

    @property
    def position(self) -> int:
        """The furthest position that is known to be there."""
        ...

    def ring(self, position: int) -> None:
        """Say that all up to a position is there. Never waits, never fails; an older one is nothing."""
        ...

    async def wait(self, after: int, timeout: float) -> None:  # noqa: ASYNC109 -- a bell that is not rung is no error
        """Wait until something is there after a position, at most so many seconds, or until it is closed."""
        ...

    def close(self) -> None:
        """Wake everybody for the last time, and let go of what it holds."""
        ...


class LocalBell:
    """Rung and heard in one process: by the commit itself."""

    def __init__(self) -> None:
        self._position = 0
        self._next = asyncio.Event()
        self._closed = False

    @property
    def position(self) -> int:
        """The furthest position that was rung."""
        return self._position

    def ring(self, position: int) -> None:
        """Wake who waits for what is after an earlier position."""
        if position > self._position:
            self._position = position
            self._wake()

    async def wait(self, after: int, timeout: float) -> None:  # noqa: ASYNC109 -- as of the protocol
        """Wait for a ring beyond a position."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._position <= after and not self._closed:
                    await self._next.wait()

    def close(self) -> None:
        """Wake everybody; who waits from now on does not wait."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        rung, self._next = self._next, asyncio.Event()
        rung.set()
