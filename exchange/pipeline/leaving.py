"""Answers about residents that are on their way out: what the fence of a withdrawal waits for.

Promises: an answer is here from the moment it is marked until it is told that it left, once.
Source: GDPR 7(3); the design's walk (withdrawal ordered with reads).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Leaving:
    """Owned by one event loop."""

    def __init__(self) -> None:
        self._answers: dict[str, set[asyncio.Future[None]]] = {}  # by resident

    def one(self, resident: str) -> Callable[[], bool]:
        """Mark an answer as on its way; the result tells that it left, and is True the first time."""
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers.setdefault(resident, set()).add(left)

        def done() -> bool:
            if left.done():
                return False
            left.set_result(None)
            answers = self._answers[resident]
            answers.discard(left)
            if not answers:
                del self._answers[resident]
            return True

        return done

    def about(self, resident: str) -> tuple[asyncio.Future[None], ...]:
        """Return the answers about this resident that have not left; about everybody where none is named."""
        if resident:
            return tuple(self._answers.get(resident, ()))
        return tuple(left for answers in self._answers.values() for left in answers)
