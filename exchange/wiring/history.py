"""A shard's history for who looks back: events, keys and registers of a data folder, without a writer.

Promises: makes nothing and records nothing; a running service may go on beside it. Opens what decisions
rested on, so it needs the key folder; what comes out are ids, rules and categories.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.errors import KeyUnavailable, RequestInvalid, SettingsInvalid
from exchange.keys.keystore import KeyStore
from exchange.pipeline.preview import Effect, Preview, first_since
from exchange.pipeline.proposed import proposed_over
from exchange.pipeline.registers import Registers
from exchange.pipeline.replay import Replay, Tally
from exchange.store.codec import Codec
from exchange.wiring.core import utc_now
from exchange.wiring.kek import open_kek
from exchange.wiring.places import has_keys, key_place, where_keys_are
from exchange.wiring.stores import open_reader, refuse_no_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from exchange.gate.entry import LegalBasis
    from exchange.settings import Settings
    from exchange.store.batch import Row
    from exchange.store.ports import EventReader

ROWS_PER_PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class History:
    """What was recorded, and by which register."""

    reader: EventReader
    codec: Codec
    registers: Registers

    def replay(self, start: int, stop: int | None = None) -> Tally:
        """Judge every decision at the positions from `start` to `stop`, both included, again.

        Raises RequestInvalid where `start` is beyond the newest: finding nothing wrong there says nothing.
        """
        newest = self.reader.head()[0]
        if start > newest:
            raise RequestInvalid(
                "nothing was recorded at or after the first position to judge again",
                {"--from": f"must not come after the newest position, which is {newest}"},
                newest=str(newest),
            )
        tally, replay = Tally(), Replay(self.codec, self.registers, self.reader)
        for before in self.reader.page(start - 2, 1) if start > 1 else ():
            replay.after(before)
        for rows in self._pages(max(start - 1, 0), self._end(stop)):
            replay.run(rows, tally)
        return tally

    def preview(self, entries: Sequence[LegalBasis], since: datetime, *, whole: bool = False) -> Effect:
        """Tell what these entries would open and close of what was decided since a moment.

        Raises RegisterInvalid where the register would refuse them, RequestInvalid for a moment to come.
        """
        effect, today = Effect(), utc_now()
        if since > today:
            raise RequestInvalid(
                "nothing was decided since a moment that is still to come",
                {"--since": "must not be in the future"},
            )
        known = self.registers.known_at(self.reader.head()[0])
        preview = Preview(self.reader, self.codec, *proposed_over(known, entries, today, whole=whole))
        for rows in self._pages(first_since(self.reader, self.codec, since), self._end(None)):
            preview.run(rows, effect, since=since)
        return effect

    def _end(self, stop: int | None) -> int:
        head = self.reader.head()[0]
        return head if stop is None else min(stop, head)

    def _pages(self, after: int, stop: int) -> Iterator[list[Row]]:
        while after < stop:
            rows = self.reader.page(after, min(ROWS_PER_PAGE, stop - after))
            if not rows:
                return
            yield rows
            after = rows[-1].position


@contextmanager
def open_history(settings: Settings) -> Iterator[History]:
    """Open a data folder. Raises SettingsInvalid where no service ran, or where its keys are not."""
    refuse_no_events(settings)
    if not has_keys(settings):
        raise SettingsInvalid("there are events but no key database", **where_keys_are(settings))
    keys = KeyStore(key_place(settings), open_kek(settings))
    reader = open_reader(settings)
    try:
        _check(keys)
        codec = Codec(keys)
        yield History(reader, codec, Registers.load(reader, codec))
    finally:
        reader.close()
        keys.close()


def _check(keys: KeyStore) -> None:
    try:
        keys.check()
    except KeyUnavailable as error:
        # A call with the wrong folder, and not a decision that differs: scripts tell them apart.
        raise SettingsInvalid(error.message, **error.metadata) from error
