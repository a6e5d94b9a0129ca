"""A shard's log: its name, its key, what was signed and what was published.

Promises: name and keys are made once, at the first start, and never made anew under a log that exists; a log
that never signed with a second key gets one at its next start; a store that is behind what was signed, or
that lost what was signed, is refused before anything is written to it.
Source: design of the ledger, sections 1 and 3; c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from exchange.errors import (
    ForkRefused,
    KeyUnavailable,
    ProofInvalid,
    RequestInvalid,
    SettingsInvalid,
    Unavailable,
)
from exchange.keys.hsm_signing import TokenSigner, make_signer, signer_in
from exchange.ledger.checkpoint import SignedCheckpoint, parse_body
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import BATCH_LEAVES
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.ledger.note import Cosigner, NoteSigner, Signature, is_long, parse_note
from exchange.ledger.receipt import make_receipt
from exchange.ledger.tiles import CHECKPOINT, TILE_WIDTH, TileStore
from exchange.wiring.kek import open_hsm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from exchange.ledger.checkpoint import Checkpoint
    from exchange.ledger.integrator import LeafSource
    from exchange.settings import Settings

SECOND_KEY: Final = "log-mldsa.key"


@dataclass(slots=True)
class Ledger:
    """A shard's ledger as files: for export and audit beside, or without, a running service."""

    tiles: TileStore
    checkpoints: CheckpointStore
    signer: NoteSigner
    second: Cosigner | None  # None for a log that never started since there is a second key
    origin: str
    cosigned: bool  # whether witnesses sign along
    token: TokenSigner | None = None  # the log's key where it lies in a token

    def newest(self) -> SignedCheckpoint:
        """Return the newest signed checkpoint; where there are witnesses, the one that was published last.

        Raises Unavailable while there is none.
        """
        if self.cosigned and (published := self._published()) is not None:
            return published
        # A size that was claimed and not signed, because the service died in between, leaves the one before.
        found = self.checkpoints.signed(self.origin)
        if found is None:
            raise Unavailable("no checkpoint has been signed yet")
        return SignedCheckpoint(*found)

    def _published(self) -> SignedCheckpoint | None:
        """Return the published checkpoint, if any. Raises ProofInvalid for what this log did not sign."""
        if not (self.tiles.folder / CHECKPOINT).exists():
            return None
        note = self.tiles.read(CHECKPOINT)
        parsed = parse_note(note, CHECKPOINT)
        head = parse_body(parsed.text)
        if not parsed.signers([self.signer.key]) or not self.checkpoints.claimed(head):
            raise ProofInvalid("the published checkpoint is not one this log signed", place=CHECKPOINT)
        return SignedCheckpoint(head, note)

    def close(self) -> None:
        """Close the checkpoint store, and the session with a token."""
        self.checkpoints.close()
        if self.token is not None:
            self.token.close()


def start_ledger(settings: Settings, now: Callable[[], datetime], name: str = "") -> Ledger:
    """Open the ledger of a service that starts, making name and keys where they never were.

    A new log is called `name`, or where that is empty by host, municipality and year.
    Raises KeyUnavailable where the log has a name but lost a key, or signed with a second one that is gone.
    """
    # The key comes first: whoever dies in between has no log yet, and starts again.
    with _log_key(settings) as key:
        origin = _origin(settings, now, name)
        refuse_another_second_key(settings, origin)
        second = Cosigner(origin, _second_key(settings))
        if not second_vkey_file(settings).exists():
            write_private(second_vkey_file(settings), f"{second.vkey}\n".encode())
        return _ledger(settings, origin, key, second)


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger of a service that ran; makes nothing. Raises SettingsInvalid where none ran."""
    if not origin_file(settings).exists() or not checkpoint_file(settings).exists():
        raise SettingsInvalid("no service ran with these settings", folder=settings.checkpoints_folder.name)
    origin = _read_origin(settings)
    refuse_another_second_key(settings, origin)
    started = second_vkey_file(settings).exists()
    second = Cosigner(origin, _second_key(settings)) if started else None
    with _log_key(settings) as key:
        return _ledger(settings, origin, key, second)


def _ledger(
    settings: Settings, origin: str, key: Ed25519PrivateKey | TokenSigner, second: Cosigner | None
) -> Ledger:
    known, signer = second_vkey_file(settings), NoteSigner(origin, key)
    if second is not None and known.read_text(encoding="utf-8").strip() != second.vkey:
        raise SettingsInvalid("the log's second key is not the one it had: restore it", file=SECOND_KEY)
    for note in _last_notes(settings, origin):
        if not parse_note(note, CHECKPOINT).lines_of([signer.key]):
            raise KeyUnavailable("another key signed this log: restore it", origin=origin)
    checkpoints = CheckpointStore(checkpoint_file(settings))
    tiles, cosigned = TileStore(ledger_folder(settings)), settings.witness_policy is not None
    token = key if isinstance(key, TokenSigner) else None
    return Ledger(tiles, checkpoints, signer, second, origin, cosigned, token)


def refuse_another_second_key(settings: Settings, origin: str) -> None:
    """Raise KeyUnavailable where the file that knows the second key is gone, and another one signed.

    The note that was signed last and the published one tell it too, by a line on ML-DSA-44 under the log's
    own name.
    """
    if second_vkey_file(settings).exists():
        return
    lines = [line for note in _last_notes(settings, origin) for line in _second_lines(note, origin)]
    if not lines:
        return
    file = settings.keys_folder / SECOND_KEY
    known = Cosigner(origin, _second_key(settings)).key if file.exists() else None
    if known is None or any(line.key_id != known.id for line in lines):
        raise KeyUnavailable(
            "checkpoints of this log carry a second signature, by a key that is not here: restore it from the"
            " backup of the keys; a new one would break with what was signed",
            file=SECOND_KEY,
        )


def _last_notes(settings: Settings, origin: str) -> list[bytes]:
    """Return the note that was signed last and the published one, where they are there."""
    notes = []
    if checkpoint_file(settings).exists():
        with closing(CheckpointStore(checkpoint_file(settings))) as checkpoints:
            signed = checkpoints.signed(origin)
        notes += [] if signed is None else [signed[1]]
    if published_checkpoint(settings).exists():
        notes.append(TileStore(ledger_folder(settings)).read(CHECKPOINT))
    return notes


def _second_lines(note: bytes, origin: str) -> list[Signature]:
    return [line for line in parse_note(note, CHECKPOINT).signatures if line.name == origin and is_long(line)]


def refuse_lost_checkpoints(settings: Settings, position: int) -> None:
    """Raise ForkRefused when there are events and nothing that tells what was signed over them."""
    for file in (origin_file(settings), checkpoint_file(settings)):
        if position and not file.exists():
            raise ForkRefused(
                "there are events, but what was signed over them is gone: restore the checkpoint folder, "
                "because a log that forgot what it signed could sign another history",
                folder=settings.checkpoints_folder.name,
                file=file.name,
            )


def refuse_rollback(ledger: Ledger, position: int) -> None:
    """Raise ForkRefused when the store holds less than was signed."""
    found = ledger.checkpoints.last(ledger.origin)
    if found is not None and position < found[0].size:
        raise ForkRefused(
            "the store holds less than was signed: it was rolled back",
            origin=ledger.origin,
            signed=str(found[0].size),
            stored=str(position),
        )


def refuse_forgotten(ledger: Ledger, leaves: LeafSource) -> None:
    """Raise ForkRefused where more was published than the checkpoint store tells, and the events lack it.

    The published checkpoint is one more place that knows: a checkpoint store that came back with the events
    of its day would else sign a second history in the face of the first. Reads every leaf where the two
    differ, and takes a store that holds what was published.
    """
    if not (ledger.tiles.folder / CHECKPOINT).exists():
        return
    parsed = parse_note(ledger.tiles.read(CHECKPOINT), CHECKPOINT)
    head = parse_body(parsed.text)
    if not parsed.signers([ledger.signer.key]) or ledger.checkpoints.claimed(head):
        return
    if not _begins_with(leaves, head):
        raise ForkRefused(
            "a checkpoint was published that neither the checkpoint store nor the events know: both came "
            "back from before; restore the newest of both, and keep what was published as evidence",
            origin=ledger.origin,
            signed=str(head.size),
        )


def _begins_with(leaves: LeafSource, head: Checkpoint) -> bool:
    if leaves.ledger_head()[0] < head.size:
        return False
    frontier = Frontier()
    for at in range(0, head.size, BATCH_LEAVES):
        frontier.extend(map(hash_leaf, leaves.leaf_entries(at, min(at + BATCH_LEAVES, head.size))))
    return (frontier.size, frontier.root()) == (head.size, head.root)


def published_receipt(
    settings: Settings, index: int, *, whole: bool = False
) -> tuple[SignedCheckpoint, bytes]:
    """Return the published checkpoint and the `.tlog-proof` of a leaf under it, the entry within.

    `whole`: with the log's second signature. Reads published files only: no key, no database. Raises
    RequestInvalid for a leaf the checkpoint does not cover, SettingsInvalid where no service ran, Unavailable
    before the first checkpoint.
    """
    if not ledger_folder(settings).exists():
        raise SettingsInvalid("no service ran with these settings", folder=settings.data.name)
    if not published_checkpoint(settings).exists():
        raise Unavailable("no checkpoint has been published yet")
    tiles = TileStore(ledger_folder(settings))
    note = tiles.read(CHECKPOINT)
    signed = SignedCheckpoint(parse_body(parse_note(note, CHECKPOINT).text), note)
    size = signed.checkpoint.size
    if not 0 <= index < size:
        raise RequestInvalid("there is no such leaf", {"INDEX": f"0 to {size - 1}"})
    bundle, place = divmod(index, TILE_WIDTH)
    entries = tiles.read_entries(bundle, min(TILE_WIDTH, size - bundle * TILE_WIDTH))
    return signed, make_receipt(index, signed, tiles.hash_reader(size), entries[place], whole=whole)


def ledger_folder(settings: Settings) -> Path:
    """Where tiles and the published checkpoint are."""
    return settings.data / "ledger"


def published_checkpoint(settings: Settings) -> Path:
    """Where the newest signed checkpoint is, for whoever asks."""
    return ledger_folder(settings) / CHECKPOINT


def checkpoint_file(settings: Settings) -> Path:
    """Where the service itself remembers what it signed."""
    return settings.checkpoints_folder / "checkpoints.db"


def origin_file(settings: Settings) -> Path:
    """Where the log's name is."""
    return settings.checkpoints_folder / "origin"


def second_vkey_file(settings: Settings) -> Path:
    """Where the verifier key on ML-DSA-44 is: it tells a key that was lost from one that never was."""
    return settings.checkpoints_folder / "second-vkey"


def first_origin(settings: Settings) -> str:
    """Return the name of the shard's first log, empty where nothing tells it."""
    return _read_origin(settings) if origin_file(settings).exists() else ""


def _origin(settings: Settings, now: Callable[[], datetime], name: str) -> str:
    """Return the log's name, fixed at its first start: one log for each municipality and year."""
    if not origin_file(settings).exists():
        name = name or f"{settings.origin_host}/{settings.operator_oin}/{now().year}"
        write_private(origin_file(settings), f"{name}\n".encode())
    return _read_origin(settings)


def _read_origin(settings: Settings) -> str:
    try:
        return origin_file(settings).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid("the log's name cannot be read", file=origin_file(settings).name) from error


@contextmanager
def _log_key(settings: Settings) -> Iterator[Ed25519PrivateKey | TokenSigner]:
    """Give the log's key; a session with a token ends where what follows fails."""
    if settings.log_key == "file":
        yield _log_key_in_file(settings)
        return
    key = signer_in(open_hsm(settings), settings.log_key_label)
    try:
        yield key
    except BaseException:
        key.close()
        raise


def _log_key_in_file(settings: Settings) -> Ed25519PrivateKey:
    file = settings.keys_folder / "log.key"
    _make_key(file, Ed25519PrivateKey.generate, origin_file(settings))
    key = read_key(file)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid("the log's key is not Ed25519", file=file.name)
    return key


def _second_key(settings: Settings) -> MLDSA44PrivateKey:
    file = settings.keys_folder / SECOND_KEY
    _make_key(file, MLDSA44PrivateKey.generate, second_vkey_file(settings))
    key = read_key(file)
    if not isinstance(key, MLDSA44PrivateKey):
        raise SettingsInvalid("the log's second key is not ML-DSA-44", file=file.name)
    return key


def make_log_key(settings: Settings) -> str:
    """Have the token make the log's key, once; return its public half in hexadecimal.

    Raises SettingsInvalid where settings keep the key in a file, for the first start makes that one, or for a
    label in use; KeyUnavailable.
    """
    if settings.log_key != "pkcs11":
        raise SettingsInvalid("the first start makes a log's key in a file", name="log_key")
    with closing(make_signer(open_hsm(settings), settings.log_key_label)) as made:
        return made.public_key().public_bytes_raw().hex()


def _make_key(file: Path, make: Callable[[], Ed25519PrivateKey | MLDSA44PrivateKey], known: Path) -> None:
    """Make a key of the log where neither it nor what is `known` by it is there. Raises KeyUnavailable."""
    if file.exists():
        return
    # A new key would be another log to everybody who trusts the old one.
    if known.exists():
        raise KeyUnavailable("the log has a name but its key is gone: restore it", file=file.name)
    write_private(file, make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read_key(file: Path) -> PrivateKeyTypes:
    """Return the private key in a PEM file. Raises SettingsInvalid."""
    try:
        return load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsInvalid("the log's key cannot be read", file=file.name) from None


def write_private(file: Path, content: bytes) -> None:
    """Write once, whole or not at all, readable by the owner only."""
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
