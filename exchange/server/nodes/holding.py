"""Who holds the shard, as a node knows it now; and streams that end where it moves.

Promises: what is told here decides whom a call goes to, never what is answered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from exchange.server.nodes.errors import HolderAway

if TYPE_CHECKING:
    from collections.abc import Awaitable

CANCEL_AGAIN_S: Final = 0.5


class Holding(Protocol):
    """Owned by the event loop."""

    @property
    def here(self) -> bool:
        """This node holds the shard, as far as it knows."""

    @property
    def holder(self) -> str:
        """Where the node that holds it is reached, host and port; empty where nobody is known to."""

    @property
    def term(self) -> int:
        """The number of the term, which only grows."""

    @property
    def next_change(self) -> asyncio.Event:
        """What is set when any of this changes; take it before looking."""

    def look_again(self) -> None:
        """Ask soon who holds it: the node that was said to did not answer."""


async def while_held(holding: Holding, stream: Awaitable[None]) -> None:
    """Let a stream be served until the shard moves. Raises HolderAway then."""
    term = holding.term
    serving = asyncio.ensure_future(stream)
    try:
        while not serving.done():
            change = holding.next_change
            if not holding.here or holding.term != term:
                raise HolderAway("the shard moved to another node; resume at the last cursor")
            changed = asyncio.ensure_future(change.wait())
            try:
                await asyncio.wait((serving, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
        serving.result()
    finally:
        # Again until it ends: `asyncio.wait_for` passes over an end that comes as its wait is over.
        while not serving.done():
            serving.cancel()
            await asyncio.wait({serving}, timeout=CANCEL_AGAIN_S)
        serving.cancelled() or serving.exception()
