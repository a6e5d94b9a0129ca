"""What a shard published, read from its files alone: no key, no database.

Promises: the files of each log lie in a folder of their own, the first log's in `ledger`, a later one's in a
folder in it that is named for the year; where a log begins follows from what the former ones ended with.
Source: design of the ledger, section 3; c2sp.org/tlog-tiles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.ledger import NO_YEAR, name_in, year_of
from exchange.errors import RequestInvalid, SettingsInvalid, Unavailable
from exchange.ledger.checkpoint import SignedCheckpoint, parse_body
from exchange.ledger.note import parse_note
from exchange.ledger.receipt import make_receipt
from exchange.ledger.tiles import CHECKPOINT, TILE_WIDTH, TileStore

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.ledger.years import Logs
    from exchange.settings import Settings

_is_year: Final = re.compile(r"[0-9]{4}").fullmatch


class PublishedLog(NamedTuple):
    """A log of which something was published; `first` is the number of its first leaf."""

    tiles: TileStore
    first: int
    signed: SignedCheckpoint


def ledger_folder(settings: Settings) -> Path:
    """Where the first log's tiles and published checkpoint are, and the folders of the later ones."""
    return settings.data / "ledger"


def folder_of(settings: Settings, origin: str, first: int) -> Path:
    """Where the files of a log are; `first` is the number of its first leaf."""
    return ledger_folder(settings) / origin.rpartition("/")[2] if first else ledger_folder(settings)


def published_folders(settings: Settings) -> list[Path]:
    """Return the folders of the logs of which something was published, oldest first."""
    whole = ledger_folder(settings)
    later = sorted(one for one in whole.glob("*/") if _is_year(one.name)) if whole.exists() else []
    return [one for one in (whole, *later) if (one / CHECKPOINT).exists()]


def published_checkpoint(settings: Settings) -> Path:
    """Where the newest published checkpoint is, for whoever asks; it need not be there yet."""
    return next(reversed(published_folders(settings)), ledger_folder(settings)) / CHECKPOINT


def published_logs(settings: Settings) -> list[PublishedLog]:
    """Return the logs of which something was published, oldest first. Raises ProofInvalid."""
    found: list[PublishedLog] = []
    first = 0
    for folder in published_folders(settings):
        tiles = TileStore(folder)
        note = tiles.read(CHECKPOINT)
        signed = SignedCheckpoint(parse_body(parse_note(note, CHECKPOINT).text), note)
        found.append(PublishedLog(tiles, first, signed))
        # Nothing of the next log is published before this one is, to its end.
        first += signed.checkpoint.size
    return found


def published_receipt(
    settings: Settings, number: int, *, whole: bool = False
) -> tuple[SignedCheckpoint, bytes]:
    """Return the published checkpoint and the `.tlog-proof` of a leaf under it, the entry within.

    `whole`: with the log's second signature. Reads published files only. Raises RequestInvalid for a leaf
    that no checkpoint covers, SettingsInvalid where no service ran, Unavailable before the first checkpoint.
    """
    if not ledger_folder(settings).exists():
        raise SettingsInvalid("no service ran with these settings", folder=settings.data.name)
    logs = published_logs(settings)
    if not logs:
        raise Unavailable("no checkpoint has been published yet")
    end = logs[-1].first + logs[-1].signed.checkpoint.size
    if not 0 <= number < end:
        raise RequestInvalid("there is no such leaf", {"INDEX": f"0 to {end - 1}"})
    tiles, first, signed = next(one for one in reversed(logs) if one.first <= number)
    index, size = number - first, signed.checkpoint.size
    bundle, place = divmod(index, TILE_WIDTH)
    entries = tiles.read_entries(bundle, min(TILE_WIDTH, size - bundle * TILE_WIDTH))
    return signed, make_receipt(index, signed, tiles.hash_reader(size), entries[place], whole=whole)


class Shelf:
    """The files of a shard's logs, as they are known now, for who serves them."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def newest(self) -> TileStore:
        """Return those of the newest log of which something was published."""
        for log in reversed(list(self._logs)):
            if (log.tiles.folder / CHECKPOINT).exists():
                return log.tiles
        return self._logs.newest.tiles

    def of_year(self, year: str) -> TileStore | None:
        """Return those of the log of a year."""
        found = (log for log in self._logs if log.origin.rpartition("/")[2] == year)
        return next((log.tiles for log in found), None)


class LogKeys(NamedTuple):
    """A log's name and the verifier keys of who signs it; the second is empty where there is none."""

    origin: str
    log_vkey: str
    log_vkey_mldsa: str


def vkeys_of(logs: Logs, until: int) -> list[LogKeys]:
    """Return the keys of every log, and under the names that those of the years up to `until` would have."""
    newest = logs.newest
    names = [log.origin for log in logs]
    if year_of(newest.origin) < NO_YEAR:
        names += [name_in(newest.origin, year) for year in range(year_of(newest.origin) + 1, until + 1)]
    second = newest.second
    return [
        LogKeys(name, newest.signer.named(name).vkey, "" if second is None else second.named(name).vkey)
        for name in names
    ]
