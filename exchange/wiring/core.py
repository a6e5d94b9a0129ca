"""Composition of everything below the door: store, keys, ledger, writer.

Promises: parts are opened in the order of trust (keys, store, ledger, writer) and closed in reverse; nothing is
served before the ledger agreed with the last signed checkpoint.
"""

from __future__ import annotations

import hmac
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.organisation import JoinOrganisation
from exchange.errors import ExchangeError, KeyUnavailable, SettingsInvalid, Unavailable
from exchange.gate.register import Register
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.database import open_database
from exchange.keys.identity import IdentityKeys, IdentityResolver
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from exchange.keys.links import LinkStore
from exchange.keys.service_secret import obtain_secret
from exchange.ledger.checkpoint import SignedCheckpoint
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import Integrator
from exchange.ledger.note import NoteSigner
from exchange.ledger.tiles import TileStore
from exchange.pipeline.hot import HotStates, Loader
from exchange.pipeline.publisher import Publisher
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.writer import Writer
from exchange.store.codec import Codec, Meta
from exchange.store.reader import SQLiteReader
from exchange.store.sqlite import SQLiteRecorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.settings import Settings

OPERATOR_TASKS: Final = (
    "beheer",
    "college:JW",
    "college:PW",
    "college:WGS",
    "college:WMO",
    "betrokkene",
    "fg",
)
GENESIS_BASIS: Final = "GENESIS"
_RANDOM_BLOCK: Final = 64 * 16


def utc_now() -> datetime:
    """Return the time; microseconds, UTC."""
    return datetime.now(UTC)


def fresh_uuid() -> str:
    """Return a new random id for something of the domain."""
    return str(uuid.uuid4())


class FreshIds:
    """16 random bytes at a time, drawn from the system in blocks. Owned by the writer thread."""

    def __init__(self) -> None:
        self._block = b""
        self._next = 0

    def __call__(self) -> bytes:
        """Return 16 random bytes."""
        start = self._next
        if start >= len(self._block):
            self._block, start = os.urandom(_RANDOM_BLOCK), 0
        self._next = start + 16
        return self._block[start : start + 16]


@dataclass(slots=True)
class Core:
    """Everything below the door: store, keys, ledger, writer. Without an event loop."""

    settings: Settings
    origin: str
    kek: FileKek
    keys: KeyStore
    links: LinkStore
    identity: IdentityKeys
    residents: IdentityResolver
    recorder: SQLiteRecorder
    reader: SQLiteReader
    codec: Codec
    hot: HotStates
    loader: Loader
    register: Register
    writer: Writer
    tiles: TileStore
    checkpoints: CheckpointStore
    signer: NoteSigner
    integrator: Integrator
    log_pseudonym: Callable[[str], str]
    page_key: bytes

    def close(self) -> None:
        """Close in reverse order of trust."""
        self.checkpoints.close()
        self.reader.close()
        self.recorder.close()
        self.links.close()
        self.keys.close()


def open_core(settings: Settings, now: Callable[[], datetime] = utc_now) -> Core:
    """Open a shard's parts, making what is not there yet in development. Raises ExchangeError."""
    for folder in (settings.data, settings.keys_folder, settings.checkpoints_folder, ledger_folder(settings)):
        folder.mkdir(parents=True, exist_ok=True)
    kek = _open_kek(settings)
    key_file = settings.keys_folder / "keys.db"
    _refuse_lost_keys(settings, key_file)
    keys = KeyStore(key_file, kek)
    links = LinkStore(key_file, kek)
    recorder = SQLiteRecorder(event_file(settings))
    reader = SQLiteReader(event_file(settings))
    codec = Codec(keys)
    hot = HotStates(settings.hot_mib * 1024 * 1024)
    loader = Loader(reader, codec)
    register = Register.load()
    writer = Writer(
        recorder=recorder,
        reader=reader,
        codec=codec,
        keys=keys,
        hot=hot,
        loader=loader,
        register=register,
        fresh_id=FreshIds(),
    )
    origin = _origin(settings, now)
    signer = NoteSigner(origin, _log_key(settings))
    tiles = TileStore(ledger_folder(settings))
    checkpoints = CheckpointStore(settings.checkpoints_folder / "checkpoints.db")
    identity = IdentityKeys(_secret(key_file, kek, "identity"))
    log_key = _secret(key_file, kek, "log-pseudonym")
    return Core(
        settings=settings,
        origin=origin,
        kek=kek,
        keys=keys,
        links=links,
        identity=identity,
        residents=IdentityResolver(identity, links),
        recorder=recorder,
        reader=reader,
        codec=codec,
        hot=hot,
        loader=loader,
        register=register,
        writer=writer,
        tiles=tiles,
        checkpoints=checkpoints,
        signer=signer,
        integrator=Integrator(reader, tiles, checkpoints, signer, origin=origin, clock=now),
        log_pseudonym=lambda ref: hmac.new(log_key, ref.encode(), sha256).hexdigest()[:24],
        page_key=_secret(key_file, kek, "page-token"),
    )


def genesis(core: Core, now: datetime, *, thumbprint: str, signing_key: str) -> None:
    """Let the operator join as the first event of an empty store; a store with history is left alone."""
    settings = core.settings
    command = JoinOrganisation(
        now=now,
        oin=settings.operator_oin,
        name=settings.operator_name,
        tasks=OPERATOR_TASKS,
        certificate_thumbprint=thumbprint,
        signing_key=signing_key,
        operator=True,
    )
    events = AGGREGATES["organisation"].decide(command, None)
    meta = Meta(
        at=now,
        organisation=settings.operator_oin,
        task="beheer",
        professional="",
        purpose="beheer",
        legal_basis=GENESIS_BASIS,
        decision_id="",
        policy_hash=core.register.policy_hash,
        facts_position=0,
    )
    core.writer.genesis([(stream_of("organisation", settings.operator_oin), events)], meta)


@dataclass(slots=True)
class Ledger:
    """A shard's ledger as files: for export and audit beside, or without, a running service."""

    tiles: TileStore
    checkpoints: CheckpointStore
    signer: NoteSigner
    origin: str

    def newest(self) -> SignedCheckpoint:
        """Return the newest signed checkpoint. Raises Unavailable while there is none."""
        found = self.checkpoints.last(self.origin)
        if found is None or not found[1]:
            raise Unavailable("no checkpoint has been signed yet")
        return SignedCheckpoint(*found)

    def close(self) -> None:
        """Close the checkpoint store."""
        self.checkpoints.close()


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger's files. Raises SettingsInvalid where the service never ran."""
    file = settings.checkpoints_folder / "origin"
    if not file.exists():
        raise SettingsInvalid("no service ran with these settings", folder=settings.checkpoints_folder.name)
    origin = file.read_text(encoding="ascii").strip()
    return Ledger(
        TileStore(ledger_folder(settings)),
        CheckpointStore(settings.checkpoints_folder / "checkpoints.db"),
        NoteSigner(origin, _log_key(settings)),
        origin,
    )


def publisher_of(core: Core, on_error: Callable[[ExchangeError], None]) -> Publisher:
    """Return the publisher of a core's ledger."""
    return Publisher(
        core.integrator,
        core.tiles,
        core.reader,
        interval_s=core.settings.integrate_ms / 1000,
        on_error=on_error,
    )


def pipeline_of(core: Core) -> Pipeline:
    """Return the queue before a core's writer."""
    return Pipeline(core.writer, core.hot, core.loader)


def development_authority(settings: Settings) -> DevelopmentAuthority:
    """Return the throw-away authority of a development shard."""
    if settings.mode != "development":
        raise SettingsInvalid("the development authority is for development only", mode=settings.mode)
    return DevelopmentAuthority(settings.data / "authority")


def event_file(settings: Settings) -> Path:
    """Where the events are."""
    return settings.data / "events.db"


def ledger_folder(settings: Settings) -> Path:
    """Where tiles and the published checkpoint are."""
    return settings.data / "ledger"


def _open_kek(settings: Settings) -> FileKek:
    path = settings.keys_folder / "kek"
    return FileKek(path, create=settings.mode == "development" and not event_file(settings).exists())


def _secret(key_file: Path, kek: FileKek, name: str) -> bytes:
    connection = open_database(key_file)
    try:
        return obtain_secret(connection, kek, name, os.urandom)
    finally:
        connection.close()


def _refuse_lost_keys(settings: Settings, key_file: Path) -> None:
    if event_file(settings).exists() and not key_file.exists():
        raise KeyUnavailable("there are events but no key database", file=key_file.name)


def _origin(settings: Settings, now: Callable[[], datetime]) -> str:
    """Return the log's name, fixed at its first start: one log for each municipality and year."""
    file = settings.checkpoints_folder / "origin"
    if not file.exists():
        _write_private(file, f"{settings.origin_host}/{settings.operator_oin}/{now().year}\n".encode())
    return file.read_text(encoding="ascii").strip()


def _log_key(settings: Settings) -> Ed25519PrivateKey:
    file = settings.keys_folder / "log.key"
    if not file.exists():
        made = Ed25519PrivateKey.generate()
        _write_private(file, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid("the log's key is not Ed25519", file=file.name)
    return key


def _write_private(file: Path, content: bytes) -> None:
    """Write once, whole or not at all, readable by the owner only."""
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
