"""Brings the streams that a walk names into memory before it is queued, so that the walk itself never loads.

Promises: loads run in a pool; a walk whose streams the cache is too small for goes on all the same, and the
writer loads what it misses.
Source: the design's walk (cold streams never load on it).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.pipeline.facts import RESIDENT_PREFIX
from exchange.pipeline.hot import DISCLOSURE_PREFIX, SCOPE_PREFIX
from exchange.pipeline.telling import UNKNOWN_RESIDENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.hot import HotStates, Loader
    from exchange.pipeline.walk import Walk

LOADERS: Final = 2
LOAD_ROUNDS_MAX: Final = 8


class Bringing:
    """Owned by one event loop."""

    def __init__(self, hot: HotStates, loader: Loader) -> None:
        self._hot = hot
        self._loader = loader
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="loader")

    async def bring(self, walk: Walk) -> int:
        """Load what is missing; return how many streams were."""
        loop = asyncio.get_running_loop()
        loaded = 0
        for _ in range(LOAD_ROUNDS_MAX):
            missing = self.missing(walk)
            if not missing:
                break
            loaded += await loop.run_in_executor(self._loaders, self._load, missing)
        # Or still not there: the cache is smaller than the walk. The writer loads what it misses itself.
        return loaded

    def missing(self, walk: Walk) -> list[str]:
        """Return what has to be loaded first, nothing where all is there; what is loaded may name more."""
        peek = self._hot.peek
        named = (stream_of("organisation", walk.caller.organisation), *walk.streams)
        absent = [stream for stream in named if peek(stream) is None]
        if walk.anchor and peek(walk.anchor) is None:
            absent.append(walk.anchor)
        if absent:
            return absent
        resident = self.resident_of(walk) or UNKNOWN_RESIDENT
        linked: Sequence[str] = (DISCLOSURE_PREFIX + resident,)
        if resident != UNKNOWN_RESIDENT:
            scope = peek(SCOPE_PREFIX + resident)
            if scope is None:
                return [SCOPE_PREFIX + resident]
            others = (one for one in scope.state if not one.startswith(DISCLOSURE_PREFIX))
            linked = (RESIDENT_PREFIX + resident, *linked, *others)
        return [stream for stream in linked if peek(stream) is None]

    def resident_of(self, walk: Walk) -> str:
        """Return whom a walk is about, as far as memory tells; empty where it is about nobody."""
        if walk.anchor.startswith(RESIDENT_PREFIX):
            return walk.anchor.removeprefix(RESIDENT_PREFIX)
        entry = self._hot.peek(walk.anchor) if walk.anchor else None
        if entry is None or entry.state is None:
            return ""
        resident: str = entry.state.resident
        return resident

    def close(self) -> None:
        """Wait for what is being loaded, and let go of the threads."""
        self._loaders.shutdown(wait=True)

    def _load(self, streams: Sequence[str]) -> int:
        for stream in streams:
            self._hot.put(stream, self._loader.load(stream))
        return len(streams)
