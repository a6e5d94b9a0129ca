"""Doctor: what is wrong with a shard, and what to do about it, without starting it.

Promises: reads only; one light for each part; a red light names its remedy and no personal datum.
"""

from __future__ import annotations

import shutil
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509

from exchange.errors import ExchangeError
from exchange.gate.register import Register
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from exchange.store.reader import SQLiteReader
from exchange.wiring.core import event_file, ledger_folder, open_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.settings import Settings

FREE_BYTES_MIN: Final = 512 * 1024 * 1024
EXPIRY_DAYS_MIN: Final = 14


@dataclass(frozen=True, slots=True)
class Light:
    """One part: green where `ok`, else what to do."""

    part: str
    ok: bool
    says: str


def examine(settings: Settings) -> Iterator[Light]:
    """Look at every part; a part that cannot be looked at is red."""
    for part, look in (
        ("register", _register),
        ("disk", _disk),
        ("certificates", _certificates),
        ("store", _store),
        ("keys", _keys),
        ("ledger", _ledger),
    ):
        yield _light(part, look, settings)


def _light(part: str, look: Callable[[Settings], str], settings: Settings) -> Light:
    try:
        return Light(part, ok=True, says=look(settings))
    except ExchangeError as error:
        return Light(part, ok=False, says=f"{error}: {error.remedy}")
    except OSError as error:
        return Light(part, ok=False, says=f"{error.strerror}: look at the folders and their owner")


def _register(_settings: Settings) -> str:
    register = Register.load()
    return f"{len(register.entries())} entries, policy {register.policy_hash[:12]}"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(_existing(settings.data)).free
    if free < FREE_BYTES_MIN:
        raise ExchangeError("little disk space is left", free_mb=str(free // 2**20))
    return f"{free // 2**30} GiB free"


def _existing(folder: Path) -> Path:
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())


def _certificates(settings: Settings) -> str:
    file = settings.server_certificate or settings.data / "door" / "server.pem"
    if not file.exists():
        return "none yet; made at the first start"
    until = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    left = until - datetime.now(UTC)
    if left < timedelta(days=EXPIRY_DAYS_MIN):
        raise ExchangeError("the server certificate ends soon", until=until.date().isoformat())
    return f"valid until {until.date().isoformat()}, {ssl.OPENSSL_VERSION}"


def _store(settings: Settings) -> str:
    if not event_file(settings).exists():
        return "empty; made at the first start"
    reader = SQLiteReader(event_file(settings))
    try:
        position, _ = reader.head()
    finally:
        reader.close()
    return f"{position} events"


def _keys(settings: Settings) -> str:
    file = settings.keys_folder / "keys.db"
    if not file.exists():
        if event_file(settings).exists():
            raise ExchangeError("there are events but no key database", folder=settings.keys_folder.name)
        return "none yet; made at the first start"
    keys = KeyStore(file, FileKek(settings.keys_folder / "kek"))
    try:
        keys.check()
    finally:
        keys.close()
    return "the key database answers to this KEK"


def _ledger(settings: Settings) -> str:
    if not (settings.checkpoints_folder / "origin").exists():
        return "empty; made at the first start"
    ledger = open_ledger(settings)
    reader = SQLiteReader(event_file(settings))
    try:
        size = ledger.newest().checkpoint.size
        position, _ = reader.head()
    finally:
        ledger.close()
        reader.close()
    if position < size:
        raise ExchangeError(
            "the store holds less than was signed: it was rolled back", signed=str(size), stored=str(position)
        )
    published = (ledger_folder(settings) / "checkpoint").exists()
    return f"signed up to {size} of {position}, {'published' if published else 'not yet published'}"
