"""Where keys, and what was signed, lie: in folders of this machine, or in databases that several nodes share.

Promises: the only room of the service that knows which; looking makes nothing. In production keys never lie
in the database of the events, nor what was signed in either: who restores one restores no other.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.databases.place import InPostgres, Refusal, asked, found_version, holding, server_of
from exchange.errors import DataFolderInUse, SettingsInvalid, StoreUnavailable, VersionConflict
from exchange.keys.database import KEY_TABLES, open_database, refusals
from exchange.ledger.checkpoints import CHECKPOINT_TABLES, CheckpointStore
from exchange.wiring.erasure_list import FileLines, SharedLines
from exchange.wiring.private_file import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.databases.place import Place, Tables
    from exchange.settings import Settings

KEY_FILE: Final = "keys.db"
CHECKPOINT_FILE: Final = "checkpoints.db"


class Side(NamedTuple):
    """A database beside the events: what people call it, the setting that names it, its tables."""

    what: str
    name: str
    tables: Tables


KEYS: Final = Side("key database", "keys_postgres", KEY_TABLES)
CHECKPOINTS: Final = Side("checkpoint store", "checkpoints_postgres", CHECKPOINT_TABLES)


def key_place(settings: Settings) -> Place:
    """Where the keys of residents and the service's own secrets are, each wrapped by the KEK."""
    if settings.keys_postgres:
        return _in_postgres(settings, KEYS)
    return settings.keys_folder / KEY_FILE


def checkpoint_place(settings: Settings) -> Place:
    """Where the service itself remembers what it signed."""
    if settings.checkpoints_postgres:
        return _in_postgres(settings, CHECKPOINTS)
    return settings.checkpoints_folder / CHECKPOINT_FILE


def has_keys(settings: Settings) -> bool:
    """Tell whether a service made keys here: tables that their owner made are none. Raises KeyUnavailable."""
    place = key_place(settings)
    if isinstance(place, InPostgres):
        with refusals():
            return asked(place, "SELECT 1 FROM secret LIMIT 1") is not None
    return place.exists()


def refuse_no_keys(settings: Settings) -> None:
    """Raise SettingsInvalid where no service made keys."""
    if not has_keys(settings):
        raise SettingsInvalid("no service ran with these settings", **where_keys_are(settings))


def where_keys_are(settings: Settings) -> dict[str, str]:
    """Return what an error tells of where the keys should be."""
    return {"setting": KEYS.name} if settings.keys_postgres else {"file": KEY_FILE}


def refuse_together(settings: Settings) -> None:
    """Raise SettingsInvalid where production has two of events, keys and checkpoints in one database.

    Raises StoreUnavailable where a server cannot be asked. By what the servers say of themselves: one
    database has many names.
    """
    if settings.mode != "production":
        return
    for one, other in _pairs(databases(settings)):
        if one[1] == other[1]:
            raise SettingsInvalid("production keeps these in databases apart", name=one[0], beside=other[0])


def on_one_server(settings: Settings) -> list[tuple[str, str]]:
    """Return the settings that name two databases of one server: its own backup and its log hold both."""
    return [(one[0], other[0]) for one, other in _pairs(databases(settings)) if one[1][0] == other[1][0]]


def databases(settings: Settings) -> list[tuple[str, tuple[str, str]]]:
    """Return (setting, (server, database)) of each that is named. Raises StoreUnavailable."""
    found = []
    for name in ("postgres", KEYS.name, CHECKPOINTS.name):
        if dsn := getattr(settings, name):
            try:
                found.append((name, server_of(InPostgres(dsn))))
            except Refusal as error:
                raise StoreUnavailable("a database did not answer", name=name, kind=error.name) from None
    return found


@contextmanager
def held_keys(settings: Settings, *, alone: bool) -> Iterator[None]:
    """Hold keys that nodes share: a service beside others, alone what replaces what they have in memory.

    Raises DataFolderInUse; nothing is held where keys lie in a folder, which is held itself.
    """
    place = key_place(settings)
    if not isinstance(place, InPostgres):
        yield
        return
    with refusals(), holding(place, alone=alone) as found:
        if not found:
            raise DataFolderInUse("another node uses these keys", setting=KEYS.name)
        yield


def keeps_old_log(settings: Settings) -> bool:
    """Tell whether the key server writes new log over old files, which keep what they held until then."""
    place = key_place(settings)
    if not isinstance(place, InPostgres):
        return False
    with refusals():
        return asked(place, "SELECT current_setting('wal_recycle')") != ("off",)


def sides_migrated(settings: Settings) -> Iterator[tuple[str, int | None, int]]:
    """Take the databases beside the events forward, or make their tables; yield (what, from, to) of each.

    Raises HistoryUnreadable for what is newer than the code, KeyUnavailable, StoreUnavailable.
    """
    refuse_together(settings)
    for side in (KEYS, CHECKPOINTS):
        if not getattr(settings, side.name):
            continue
        place = _in_postgres(settings, side)._replace(forward=True)
        with _reported(side):
            found = found_version(place, side.tables)
        with closing(open_database(place) if side is KEYS else CheckpointStore(place)):
            yield side.what, found, side.tables.version


def erasure_file(settings: Settings) -> Path:
    """Where the list of erasures is: beside the checkpoints, for it must outlive every backup of the rest."""
    return settings.checkpoints_folder / "erasures.jsonl"


def erasure_lines(settings: Settings, checkpoints: CheckpointStore) -> FileLines | SharedLines:
    """Where the list of erasures is: with what was signed, in its folder or in its database."""
    return SharedLines(checkpoints) if settings.checkpoints_postgres else FileLines(erasure_file(settings))


def noted(settings: Settings, name: str) -> str | None:
    """Return what was noted of the log under a name, None where nothing was. Raises StoreUnavailable."""
    place = checkpoint_place(settings)
    if not isinstance(place, InPostgres):
        file = place.parent / name
        try:
            return file.read_text(encoding="utf-8").strip() if file.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsInvalid("the log's name cannot be read", file=file.name) from error
    with _reported(CHECKPOINTS):
        if found_version(place, CHECKPOINT_TABLES) is None:
            return None
    with closing(CheckpointStore(place)) as store:
        found = store.lines(name)
    return found[0].decode() if found else None


def note(settings: Settings, name: str, text: str) -> str:
    """Note something of the log, once and durably; return what is noted: of several nodes the first one's.

    Raises StoreUnavailable.
    """
    place = checkpoint_place(settings)
    if isinstance(place, InPostgres):
        with closing(CheckpointStore(place)) as store, suppress(VersionConflict):
            store.add_line(name, 1, text.encode())
    elif not (place.parent / name).exists():
        write_private(place.parent / name, f"{text}\n".encode())
    found = noted(settings, name)
    assert found is not None, "it was noted just now"
    return found


def has_signed(settings: Settings) -> bool:
    """Tell whether there is a store of what was signed. Raises StoreUnavailable."""
    place = checkpoint_place(settings)
    if not isinstance(place, InPostgres):
        return place.exists()
    with _reported(CHECKPOINTS):
        return found_version(place, CHECKPOINT_TABLES) is not None


@contextmanager
def _reported(side: Side) -> Iterator[None]:
    try:
        yield
    except Refusal as error:
        raise StoreUnavailable(f"the {side.what} did not answer", kind=error.name) from None


def _in_postgres(settings: Settings, side: Side) -> InPostgres:
    return InPostgres(getattr(settings, side.name), sure_of_server=settings.mode == "production")


def _pairs(
    found: list[tuple[str, tuple[str, str]]],
) -> Iterator[tuple[tuple[str, tuple[str, str]], tuple[str, tuple[str, str]]]]:
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            yield one, other
