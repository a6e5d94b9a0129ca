"""Executes erasures: the list of them, the link, the keys, in that order; and again at every start.

Promises: what a committed event destroys is destroyed before anybody is answered, and where the process died
in between, or a backup of the keys from before came back, before the next start answers anybody. The list
lies beside the checkpoints, in no backup of the events or keys, and only grows: it is carried out also where
the events were restored from before the erasure. A key database that does not know what the events are sealed
under is refused.
Source: GDPR 17, 5(2); the design of the ledger, section 5.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.errors import ExchangeError, KeysBehindEvents, LedgerDiffers, StoreUnavailable, Unavailable
from exchange.ledger.leaf import parse_leaf
from exchange.store.ports import look
from exchange.wiring.erasure_list import Erased

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exchange.keys.identity import IdentityResolver
    from exchange.keys.keystore import KeyStore
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader
    from exchange.wiring.erasure_list import ErasureList

ROWS_PER_PAGE: Final = 5_000
# A start looks at the keys of about so many events, in less than a second, however long it ran before.
NOTED_EVERY: Final = 65_536
NAMES_KEPT_MAX: Final = 100_000
SECRET: Final = "erasure-list"  # noqa: S105 -- a name


@dataclass(slots=True)
class Erasures:
    """Carries out what was decided. Called by one thread at a time: at the start, then by who commits."""

    listed: ErasureList
    keys: KeyStore
    residents: IdentityResolver
    reader: EventReader
    codec: Codec
    confirm: Callable[[], None]  # raises ForkRefused where the store is another history than was signed
    unlisted: list[Erased] = field(default_factory=list)
    named: dict[str, dict[str, int]] = field(default_factory=dict)  # by erasure, as `_named_before`
    done: set[str] = field(default_factory=set)  # what this process knows to be carried out
    owing: bool = True  # whether something that was decided may not be listed or carried out
    noted: int = 0  # up to where the keys were seen, as the key database was told

    def execute(self, destroyed: Sequence[KeysDestroyed]) -> None:
        """Carry out erasures, and those that failed before. Raises ExchangeError while something is left."""
        self.owing = True
        self.unlisted += map(_erased, destroyed)
        try:
            while self.unlisted:
                self.listed.add(self.unlisted[0])
                del self.unlisted[0]
        except (OSError, StoreUnavailable) as error:
            # The events themselves stand in the store, so that nothing is forgotten: go on to the keys.
            for erased in self.unlisted:
                self._destroy(erased)
            raise Unavailable(
                "the erasure is carried out, but could not be listed: it is tried again",
                reason=str(error.strerror if isinstance(error, OSError) else error.code),
            ) from error
        for erased in self.listed.entries.values():
            self._destroy(erased)
        self.owing = False

    def passed(self, position: int) -> None:
        """Note now and then how far the keys were seen: everything up to here was committed after its keys.

        Not while an erasure is owing: the next start carries out what was decided behind the place.
        """
        if position - self.noted < NOTED_EVERY or self.owing:
            return
        # Also where it fails: it is tried after as many more, which the next start has to look at.
        self.noted = position
        with suppress(ExchangeError):
            self.keys.note_place(position)

    def catch_up(self, after: int) -> None:
        """Carry out what was decided at a later position, by whichever node. Raises ExchangeError."""
        self.execute(decided_after(self.reader, self.codec, after))

    def replay(self) -> None:
        """Carry out, before anybody is answered, what is listed and what the events say; then look for keys.

        Raises KeysBehindEvents where events are sealed under keys that this database never knew, ForkRefused
        where it is another history that says so, LedgerDiffers where an event is not the one of its leaf.
        """
        head, _ = self.reader.head()
        place = min(self.keys.place, head)
        # A list that is gone is made again from the events, all of them; where the keys tell of no erasure up
        # to the place there was none to be listed.
        lost = not self.listed.is_there and self.keys.has_executed_any()
        rows = list(decided_rows(self.reader, 0 if lost else place, head))
        if not all(self._is_through(row) for row in rows):
            # Nobody destroys a key, or has one listed, by writing an event into the file. Every leaf is read.
            self.confirm()
            self._require_leaves(rows)
        self.named = self._named_before([(row.position, _event(row, self.codec)) for row in rows], place)
        self.execute([_event(row, self.codec) for row in rows])
        missing = self._first_unknown(place)
        if missing is not None:
            self.confirm()
            raise KeysBehindEvents(
                "the key database is older than the events: they are sealed under keys it never knew",
                position=str(missing),
            )
        if head > place:
            self.keys.note_place(head)
        self.noted = head

    def _is_through(self, row: Row) -> bool:
        """Tell whether an erasure is listed and was carried out in this key database."""
        erasure_id = _event(row, self.codec).erasure_id
        return erasure_id in self.listed.entries and self.keys.has_executed(erasure_id)

    def _destroy(self, erased: Erased) -> None:
        if erased.erasure_id in self.done:
            return
        if self.keys.has_executed(erased.erasure_id):
            # By another node, or before this start: nothing of it is opened here either.
            if erased.categories or not self.keys.is_destroyed(erased.resident):
                self.residents.drop(erased.resident)
                self.keys.learn(erased.resident)
        else:
            if not erased.categories:
                self.residents.forget(erased.resident)
            named = self.named.get(erased.erasure_id, {})
            self.keys.destroy(erased.resident, erased.categories, erasure_id=erased.erasure_id, named=named)
        self.done.add(erased.erasure_id)

    def _named_before(
        self, decided: Sequence[tuple[int, KeysDestroyed]], after: int
    ) -> dict[str, dict[str, int]]:
        """Return the newest version of each destroyed category that an event before its erasure names.

        A key that was made and destroyed since this database was copied is not missing: it is gone.
        """
        parts = {at: one for at, one in decided if one.categories}
        parts = {at: one for at, one in parts.items() if not self.keys.has_executed(one.erasure_id)}
        residents, last = {one.resident for one in parts.values()}, max(parts, default=0)
        newest: dict[tuple[str, str], int] = {}
        found: dict[str, dict[str, int]] = {}
        while after < last and (rows := self.reader.page(after, ROWS_PER_PAGE)):
            for row in rows:
                if (one := parts.get(row.position)) is not None:
                    found[one.erasure_id] = {
                        name: newest.get((one.resident, name), 0) for name in one.categories
                    }
                outline = self.codec.outline(row.state, stream=row.stream, topic=row.topic)
                for name, version in outline.parts if outline.resident in residents else ():
                    owner = (outline.resident, name)
                    newest[owner] = max(newest.get(owner, 0), version)
            after = rows[-1].position
        return found

    def _require_leaves(self, rows: Sequence[Row]) -> None:
        for row in rows:
            entries = self.reader.leaf_entries(row.position - 1, row.position)
            if not entries or parse_leaf(entries[0]).state_hash != sha256(row.state).digest():
                raise LedgerDiffers("an erasure is not the one of its leaf", position=str(row.position))

    def _first_unknown(self, after: int) -> int | None:
        """Return the first position that is sealed under a key nobody here ever had; None without one."""
        seen: set[tuple[str, str, int]] = set()
        while rows := self.reader.page(after, ROWS_PER_PAGE):
            for row in rows:
                outline = self.codec.outline(row.state, stream=row.stream, topic=row.topic)
                if self.codec.is_erased(outline.resident):
                    continue
                for part in outline.parts:
                    name = (outline.resident, *part)
                    if name not in seen and not self.keys.holds(*name):
                        return row.position
                    seen.add(name)
            if len(seen) > NAMES_KEPT_MAX:
                seen.clear()
            after = rows[-1].position
        return None


def decided_rows(reader: EventReader, after: int, until: int) -> Iterator[Row]:
    """Return the events between two positions that destroy keys, oldest first. Raises StoreUnavailable."""
    while after < until:
        rows, after = look(reader, after, until, ROWS_PER_PAGE, (KeysDestroyed.TOPIC,))
        yield from rows


def decided_after(reader: EventReader, codec: Codec, after: int) -> list[KeysDestroyed]:
    """Return those events. Raises StoreUnavailable, HistoryUnreadable."""
    head, _ = reader.head()
    return [_event(row, codec) for row in decided_rows(reader, after, head)]


def _event(row: Row, codec: Codec) -> KeysDestroyed:
    event = codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event
    assert isinstance(event, KeysDestroyed)
    return event


def _erased(event: KeysDestroyed) -> Erased:
    return Erased(event.erasure_id, event.resident, event.categories, event.at.isoformat())
