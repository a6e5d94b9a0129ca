"""From an organisation's pseudonym to the resident ref of the exchange, known or not.

Promises: somebody unknown gets a ref too, the same for repeated questions, so that the walk, its refusal
and its record are alike; such a ref is linked to nobody and is never used for anything else.
Source: API rules of the architecture (refuse alike); LEDGER design section 6.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from exchange.keys.identity import IdentityResolver

UNLINKED_MAX: Final = 16_384


class Residents:
    """Owned by the event loop; group operations and the link database are asked in a pool."""

    def __init__(self, links: IdentityResolver, fresh_uuid: Callable[[], str], pool: Executor) -> None:
        self._links = links
        self._fresh_uuid = fresh_uuid
        self._pool = pool
        self._unlinked: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    async def find(self, oin: str, pseudonym: bytes) -> str:
        """Return the resident's ref, or one of nobody. Raises GroupElementInvalid, KeyUnavailable."""
        loop = asyncio.get_running_loop()
        ref = await loop.run_in_executor(self._pool, self._links.resolve, oin, pseudonym)
        return ref if ref is not None else self._nobody(oin, pseudonym)

    async def link(self, oin: str, pseudonym: bytes) -> str:
        """Return the resident's ref, bound durably to a new one where there was none."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._links.link, oin, pseudonym, self._fresh_uuid())

    def _nobody(self, oin: str, pseudonym: bytes) -> str:
        name = (oin, pseudonym)
        ref = self._unlinked.get(name)
        if ref is None:
            ref = self._unlinked[name] = self._fresh_uuid()
            if len(self._unlinked) > UNLINKED_MAX:
                self._unlinked.popitem(last=False)
        return ref
