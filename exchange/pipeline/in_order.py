"""The moments that walks are judged at, in the order of the walks: time never runs back in it.

Promises: no walk is judged at a moment before that of a command before it, whichever node walked that one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.pipeline.walk import CommandWalk

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.walk import AnyWalk


class InOrder:
    """Owned by the writer thread."""

    def __init__(self) -> None:
        self._latest: datetime | None = None  # of the commands walked so far

    def not_before(self, moment: datetime) -> None:
        """Let whatever comes now be judged at this moment at the earliest: another node recorded at it."""
        self._latest = moment if self._latest is None else max(moment, self._latest)

    def placed(self, walk: AnyWalk) -> AnyWalk:
        """Return the walk, not earlier than any command before it.

        It came in before that command, but is judged after it: by its own clock somebody who left would still
        be there, and a no would not have been said yet.
        """
        latest = self._latest
        if latest is not None and walk.now < latest:
            return replace(walk, now=latest)
        if isinstance(walk, CommandWalk):
            self._latest = walk.now
        return walk
