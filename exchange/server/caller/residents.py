"""From an organisation's pseudonym to the resident ref of the exchange, known or not.

Promises: somebody unknown gets a ref too, the same for repeated questions, so that the walk, its refusal
and its record are alike; such a ref is linked to nobody and is never used for anything else. Nobody is
linked before the gate permitted it.
Source: API rules of the architecture (refuse alike); LEDGER design section 6.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from exchange.errors import Unavailable

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

    async def known(self, oin: str, pseudonym: bytes) -> str:
        """Return the ref of somebody known, empty for others. Raises GroupElementInvalid, KeyUnavailable."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._links.resolve, oin, pseudonym) or ""

    async def for_command(self, oin: str, pseudonym: bytes) -> tuple[str, Callable[[], None]]:
        """Return the ref to write about, and what binds it durably; call that once it is permitted.

        Somebody unknown gets a fresh ref. A ref bound without events is harmless: bind before them.
        """
        loop = asyncio.get_running_loop()
        known = await loop.run_in_executor(self._pool, self._links.resolve, oin, pseudonym)
        ref = self._fresh_uuid() if known is None else known

        def bind() -> None:
            # The first ref wins: somebody else may have bound this resident since.
            if known is None and self._links.link(oin, pseudonym, ref) != ref:
                raise Unavailable("this resident was registered at the same moment; nothing was recorded")

        return ref, bind

    def _nobody(self, oin: str, pseudonym: bytes) -> str:
        name = (oin, pseudonym)
        ref = self._unlinked.get(name)
        if ref is None:
            ref = self._unlinked[name] = self._fresh_uuid()
            if len(self._unlinked) > UNLINKED_MAX:
                self._unlinked.popitem(last=False)
        return ref
