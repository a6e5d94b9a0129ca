"""The authorization decision log from the store's files, with or without a running service; and those files.

Promises: opens nothing that is sealed and makes nothing that is not there; of the keys only the one that
makes pseudonyms of this log is used.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.errors import RequestInvalid
from exchange.keys.keystore import KeyStore
from exchange.pipeline.registers import Registers
from exchange.server.authzen.records import DecisionLog
from exchange.store.codec import Codec
from exchange.wiring.core import log_pseudonyms, refuse_no_service
from exchange.wiring.kek import open_kek
from exchange.wiring.places import key_place
from exchange.wiring.stores import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.settings import Settings
    from exchange.store.ports import EventReader

RECORDS_PER_PAGE: Final = 500


class LogFiles(NamedTuple):
    """What an officer's log is read from."""

    reader: EventReader
    codec: Codec
    registers: Registers
    log_pseudonym: Callable[[str], str]

    def head_after(self, since: int) -> int:
        """Return the last position. Raises RequestInvalid where the log is shorter than what was read."""
        head, _ = self.reader.head()
        if since > head:
            raise RequestInvalid("the log is shorter", {"since": f"0 to {head}"})
        return head


@contextmanager
def open_log_files(settings: Settings) -> Iterator[LogFiles]:
    """Open a store's files beside a running service or without one. Raises SettingsInvalid where none ran."""
    refuse_no_service(settings)
    with ExitStack() as opened:
        kek = open_kek(settings)
        keys = opened.enter_context(closing(KeyStore(key_place(settings), kek)))
        reader = opened.enter_context(closing(open_reader(settings)))
        codec = Codec(keys)
        yield LogFiles(reader, codec, Registers.load(reader, codec), log_pseudonyms(keys))


def decision_records(settings: Settings, since: int) -> Iterator[dict[str, Any]]:
    """Yield the records after a position, oldest first. Raises SettingsInvalid where no service ran."""
    with open_log_files(settings) as files:
        head, log = files.head_after(since), DecisionLog(*files, opens=False)
        more = True
        while more:
            # What is written meanwhile is for the next time: this one ends.
            page = log.page(since, RECORDS_PER_PAGE, until=head + 1)
            yield from page.records
            since, more = page.last, page.more
