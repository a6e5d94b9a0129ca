"""The event store that the settings name: its recorder, its reader, and whether anything is in it.

Promises: the only room of the service that knows which store it is; looking makes nothing, and neither does
opening take a store of an older version forward: `migrated` does, when it is told to.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from exchange.errors import SettingsInvalid
from exchange.store.reader import SQLiteReader
from exchange.store.sqlite import SCHEMA_VERSION, SQLiteRecorder, found_version
from exchange.store.version import newer, outdated

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from exchange.settings import Settings
    from exchange.store.ports import EventReader, EventRecorder


def event_file(settings: Settings) -> Path:
    """Where the events are, with SQLite."""
    return settings.data / "events.db"


def open_recorder(settings: Settings) -> EventRecorder:
    """Open the store for writing, making its tables where there are none. Raises ExchangeError."""
    if settings.store == "postgres":
        return _recorder(settings)
    return SQLiteRecorder(event_file(settings))


def open_reader(settings: Settings) -> EventReader:
    """Open the store for reading; what is not there is told by the first read."""
    if settings.store == "postgres":
        _postgres()
        from exchange.store.postgres_reader import PostgresReader  # noqa: PLC0415 -- the extra may not be there

        return PostgresReader(settings.postgres)
    return SQLiteReader(event_file(settings))


def has_events(settings: Settings) -> bool:
    """Tell whether a service wrote here. Raises StoreUnavailable where that cannot be asked."""
    if settings.store == "postgres":
        # Who may make tables may have made them before the first start.
        return bool(_postgres().head_position(settings.postgres))
    return event_file(settings).exists()


def refuse_no_events(settings: Settings) -> None:
    """Raise SettingsInvalid where no service ran with these settings."""
    if not has_events(settings):
        raise SettingsInvalid("no service ran with these settings", store=settings.store)


def migrated(settings: Settings) -> tuple[int | None, int]:
    """Take the store forward to this code's version, whole or not at all; return (from, to).

    Makes the tables of an empty database (from None): its owner may be the only one who may. Raises
    HistoryUnreadable for a store that is newer than the code, SettingsInvalid where there is no file.
    """
    if settings.store == "postgres":
        room = _postgres()
        found: int | None = room.found_version(settings.postgres)
        with closing(_recorder(settings, forward=True)):
            return found, room.SCHEMA_VERSION
    refuse_no_events(settings)
    found = found_version(event_file(settings))
    with closing(SQLiteRecorder(event_file(settings), forward=True)):
        return found, SCHEMA_VERSION


def goes_beside_nodes(settings: Settings) -> bool:
    """Tell whether nodes of the version before go on while the store is taken forward."""
    return settings.store == "postgres" and bool(_postgres().only_adds(settings.postgres))


def refuse_outdated(settings: Settings) -> None:
    """Raise StoreOutdated or HistoryUnreadable for a store of another version; opens nothing for writing."""
    if settings.store == "postgres":
        room = _postgres()
        found, known = room.found_version(settings.postgres), room.SCHEMA_VERSION
    else:
        found, known = found_version(event_file(settings)), SCHEMA_VERSION
    if found is not None and found != known:
        raise (outdated if found < known else newer)(found, known)


def refuse_no_extra(settings: Settings) -> None:
    """Raise SettingsInvalid where the store needs what is not installed."""
    if settings.store == "postgres":
        _postgres()


def _recorder(settings: Settings, *, forward: bool = False) -> EventRecorder:
    sure = settings.mode == "production"
    rings_as = settings.operator_oin if settings.bell == "postgres" else ""
    made: EventRecorder = _postgres().PostgresRecorder(
        settings.postgres, forward=forward, sure_of_server=sure, rings_as=rings_as
    )
    return made


def _postgres() -> ModuleType:
    try:
        from exchange.store import postgres  # noqa: PLC0415 -- the extra may not be there
    except ModuleNotFoundError:
        raise SettingsInvalid(
            "a store in PostgreSQL needs the extra `postgres`: pip install 'exchange[postgres]'", name="store"
        ) from None
    return postgres
