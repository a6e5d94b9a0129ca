"""Waiting for what may not come, so that whoever is told to stop stops.

Promises: a cancellation is never taken for the end of the wait. `asyncio.wait_for` does that before Python
3.12 where what is waited for comes in the same turn of the loop, and then nothing ends what was cancelled.
Source: docs.python.org/3.12 (asyncio.wait_for, changed in 3.12).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def come(event: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set, so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
