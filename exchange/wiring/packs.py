"""What an officer takes of the ledger through the door: its checkpoints of the past, and the audit pack.

Promises: the pack is that of `exchange audit export`, byte for byte but for what is signed with chance; it is
made in a folder of the service, has no name once it is whole, and is gone when it is closed.
Source: design of the ledger, section 4.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.errors import RequestInvalid, StoreUnavailable, Unavailable
from exchange.ledger.pack import export_pack
from exchange.wiring.ledger import opening_of

if TYPE_CHECKING:
    from typing import BinaryIO

    from exchange.ledger.checkpoints import PastCheckpoint
    from exchange.ledger.years import YearLog
    from exchange.settings import Settings
    from exchange.wiring.ledger import Ledger

BEYOND: Final = 2**62
FILE: Final = "pack.zip"


class LedgerPacks:
    """Of one service's ledger. Safe from any thread."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger

    def checkpoints(self, origin: str, below: int, limit: int) -> list[PastCheckpoint]:
        """Return signed checkpoints, the largest first. Raises RequestInvalid, StoreUnavailable."""
        log = self._named(origin)
        return self._ledger.checkpoints.signed_below(log.origin, below or BEYOND, limit)

    def made(self, origin: str, since: int) -> BinaryIO:
        """Return the pack. Raises RequestInvalid, Unavailable, StoreUnavailable."""
        log = self._named(origin)
        signed = self._ledger.newest_of(log)
        if signed is None:
            raise Unavailable("no checkpoint of this log has been signed yet")
        if not 0 <= since <= signed.checkpoint.size:
            raise RequestInvalid(
                "the log has not reached this size", {"since_size": f"0 to {signed.checkpoint.size}"}
            )
        opening = opening_of(self._settings, log)
        try:
            # Beside the data: what is temporary on this machine may lie in memory.
            with tempfile.TemporaryDirectory(prefix="pack-", dir=self._settings.data) as folder:
                out = Path(folder) / FILE
                export_pack(log.tiles, signed, since, out, log.signer, second=log.second, opening=opening)
                return out.open("rb")
        except OSError as error:
            raise StoreUnavailable("the pack could not be written", file=FILE) from error

    def _named(self, origin: str) -> YearLog:
        log = self._ledger.logs.named(origin) if origin else self._ledger.logs.newest
        if log is None:
            raise RequestInvalid(
                "nothing was signed under this name", {"origin": "must be a log of this shard"}
            )
        return log
