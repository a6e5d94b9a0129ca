"""Executes erasures: the list of them, the link, the keys, in that order; and again at every start.

Promises: what a committed event destroys is destroyed before anybody is answered, and where the process died
in between, or a backup of the keys from before came back, before the next start answers anybody. The list
lies beside the checkpoints, in no backup of the events or keys, and only grows: it is carried out also where
the events were restored from before the erasure. A key database that does not know what the events are sealed
under is refused. Nobody destroys a key by writing a line: each is chained under a secret of the key database.
Source: GDPR 17, 5(2); RFC 2104 (HMAC), FIPS 180-4 (SHA-256); the design of the ledger, section 5.
"""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.errors import ErasureListBroken, KeysBehindEvents, LedgerDiffers, Unavailable
from exchange.ledger.leaf import parse_leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from exchange.keys.identity import IdentityResolver
    from exchange.keys.keystore import KeyStore
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

ROWS_PER_PAGE: Final = 5_000
FIRST: Final = "0" * 64
SECRET: Final = "erasure-list"  # noqa: S105 -- a name


class Erased(NamedTuple):
    """One erasure that was decided; `categories` is empty for all."""

    erasure_id: str
    resident: str
    categories: tuple[str, ...]
    at: str


class ErasureList:
    """Lines of JSON, each with an HMAC-SHA-256 over itself and that of the line before. One process appends.

    Last lines that are cut off leave an older list, which is as whole as it was then.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        """Read the list; raise ErasureListBroken where a line was altered or taken out, or is of another key.

        `key` is 32 bytes: the service secret `SECRET`, which every backup of the key database holds too.
        """
        self._path = path
        self._key = key
        self._last = FIRST
        self._whole = 0  # bytes of whole lines: what lies behind them was never acknowledged
        self.entries: dict[str, Erased] = {}
        for line in self._lines():
            self._take(line)

    @property
    def is_there(self) -> bool:
        """Tell whether anything was ever written."""
        return self._path.exists()

    def add(self, erased: Erased) -> None:
        """Append one erasure, durably; of one that is listed nothing changes. Raises OSError."""
        if erased.erasure_id in self.entries:
            return
        line = self._line(erased)
        made = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, self._whole)
            os.pwrite(descriptor, line, self._whole)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if made:
            _sync_folder(self._path.parent)
        self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            names = {name: told[name] for name in Erased._fields}
            erased = Erased(**{**names, "categories": tuple(names["categories"])})
        except (ValueError, KeyError, TypeError):
            raise self._broken("a line cannot be read") from None
        if not hmac.compare_digest(line, self._line(erased)):
            raise self._broken("a line is missing, was altered, or was not written by this service")
        self._last = told["sum"]
        self._whole += len(line)
        self.entries[erased.erasure_id] = erased

    def _line(self, erased: Erased) -> bytes:
        told = erased._asdict()
        chained = hmac.new(self._key, json.dumps([self._last, told], sort_keys=True).encode(), sha256)
        return json.dumps({**told, "sum": chained.hexdigest()}, sort_keys=True).encode() + b"\n"

    def _lines(self) -> Iterator[bytes]:
        if not self._path.exists():
            return
        for line in self._path.read_bytes().splitlines(keepends=True):
            # A last line without its end was being written when the process died: its event is still there.
            if line.endswith(b"\n"):
                yield line

    def _broken(self, what: str) -> ErasureListBroken:
        return ErasureListBroken(
            f"the erasure list is not whole: {what}", file=self._path.name, line=str(len(self.entries) + 1)
        )


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

    def execute(self, destroyed: Sequence[KeysDestroyed]) -> None:
        """Carry out erasures, and those that failed before. Raises ExchangeError while something is left."""
        self.unlisted += map(_erased, destroyed)
        try:
            while self.unlisted:
                self.listed.add(self.unlisted[0])
                del self.unlisted[0]
        except OSError as error:
            # The events themselves stand in the store, so that nothing is forgotten: go on to the keys.
            for erased in self.unlisted:
                self._destroy(erased)
            raise Unavailable(
                "the erasure is carried out, but could not be listed: it is tried again",
                reason=str(error.strerror),
            ) from error
        for erased in self.listed.entries.values():
            self._destroy(erased)

    def catch_up(self, after: int) -> None:
        """Carry out what was decided at a later position, also by another node. Raises ExchangeError."""
        self.keys.learn_destroyed()
        self.execute(decided_after(self.reader, self.codec, after))

    def replay(self) -> None:
        """Carry out, before anybody is answered, what is listed and what the events say; then look for keys.

        Raises KeysBehindEvents where events are sealed under keys that this database never knew, ForkRefused
        where it is another history that says so, LedgerDiffers where an event is not the one of its leaf.
        """
        head, _ = self.reader.head()
        place = min(self.keys.place, head)
        # A list that is gone is made again from the events, all of them.
        rows = list(decided_rows(self.reader, place if self.listed.is_there else 0))
        if rows:
            # Nobody destroys a key by writing an event into the file.
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

    def _destroy(self, erased: Erased) -> None:
        if self.keys.has_executed(erased.erasure_id):
            return
        if not erased.categories:
            self.residents.forget(erased.resident)
        named = self.named.get(erased.erasure_id, {})
        self.keys.destroy(erased.resident, erased.categories, erasure_id=erased.erasure_id, named=named)

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
            after = rows[-1].position
        return None


def decided_rows(reader: EventReader, after: int) -> Iterator[Row]:
    """Return the events behind a position that destroy keys, oldest first. Raises StoreUnavailable."""
    while rows := reader.page(after, ROWS_PER_PAGE, (KeysDestroyed.TOPIC,)):
        yield from rows
        after = rows[-1].position


def decided_after(reader: EventReader, codec: Codec, after: int) -> list[KeysDestroyed]:
    """Return those events. Raises StoreUnavailable, HistoryUnreadable."""
    return [_event(row, codec) for row in decided_rows(reader, after)]


def _event(row: Row, codec: Codec) -> KeysDestroyed:
    event = codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event
    assert isinstance(event, KeysDestroyed)
    return event


def _erased(event: KeysDestroyed) -> Erased:
    return Erased(event.erasure_id, event.resident, event.categories, event.at.isoformat())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
