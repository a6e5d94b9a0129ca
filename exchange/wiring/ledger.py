"""A shard's log: its name, its key, what was signed and what was published.

Promises: name and keys are made once, at the first start, and never made anew under a log that exists; a log
that never signed with a second key gets one at its next start; a store that is behind what was signed, or
that lost what was signed, is refused before anything is written to it (`behind.py`).
Source: design of the ledger, sections 1 and 3; c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.errors import KeyUnavailable, ProofInvalid, SettingsInvalid, Unavailable
from exchange.keys.hsm_signing import TokenSigner, make_signer, signer_in
from exchange.ledger.checkpoint import SignedCheckpoint
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.note import Cosigner, NoteSigner, Signature, is_long, parse_note
from exchange.ledger.tiles import CHECKPOINT, TileStore
from exchange.ledger.years import Logs, YearLog
from exchange.store.batch import Heads
from exchange.store.sqlite import EMPTY_FRONTIER
from exchange.wiring.kek import open_hsm
from exchange.wiring.places import CHECKPOINT_FILE, checkpoint_place, has_signed, note, noted
from exchange.wiring.private_file import read_key, write_private
from exchange.wiring.published import folder_of, ledger_folder
from exchange.wiring.second_key import SECOND_KEY, new_second_key, read_second_key, take_under_kek
from exchange.wiring.stores import has_events, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    from exchange.ledger.years import LogBegins
    from exchange.settings import Settings

# What is noted of a log: its name, and its verifier key on ML-DSA-44, which tells a lost key from none.
ORIGIN: Final = "origin"
SECOND_VKEY: Final = "second-vkey"


@dataclass(slots=True)
class Ledger:
    """A shard's ledger as files: for export and audit beside, or without, a running service."""

    logs: Logs
    checkpoints: CheckpointStore
    cosigned: bool  # whether witnesses sign along
    token: TokenSigner | None = None  # the log's key where it lies in a token

    @property
    def origin(self) -> str:
        """The name of the newest log."""
        return self.logs.newest.origin

    @property
    def tiles(self) -> TileStore:
        """The files of the newest log."""
        return self.logs.newest.tiles

    @property
    def signer(self) -> NoteSigner:
        """Who signs the newest log."""
        return self.logs.newest.signer

    @property
    def second(self) -> Cosigner | None:
        """The newest log's second key; None for a log that never started since there is one."""
        return self.logs.newest.second

    def newest(self) -> SignedCheckpoint:
        """Return the newest signed checkpoint; where there are witnesses, the one that was published last.

        Raises Unavailable while there is none.
        """
        for log in reversed(list(self.logs)):
            found = self.newest_of(log)
            if found is not None:
                return found
        raise Unavailable("no checkpoint has been signed yet")

    def newest_of(self, log: YearLog) -> SignedCheckpoint | None:
        """Return the newest of one log, as `newest` does. Raises ProofInvalid for what it did not sign."""
        if self.cosigned and (log.tiles.folder / CHECKPOINT).exists():
            published = log.published()
            if published is None or not self.checkpoints.claimed(published.checkpoint):
                raise ProofInvalid("the published checkpoint is not one this log signed", place=CHECKPOINT)
            return published
        # A size that was claimed and not signed, because the service died in between, leaves the one before.
        found = self.checkpoints.signed(log.origin)
        return None if found is None else SignedCheckpoint(*found)

    def close(self) -> None:
        """Close the checkpoint store, and the session with a token."""
        self.checkpoints.close()
        if self.token is not None:
            self.token.close()


def start_ledger(
    settings: Settings, now: Callable[[], datetime], name: str = "", opened: Sequence[LogBegins] = ()
) -> Ledger:
    """Open the ledger of a service that starts, making name and keys where they never were.

    A new log is called `name`, or where that is empty by host, municipality and year; `opened` are the logs
    that followed it.
    Raises KeyUnavailable where the log has a name but lost a key, or signed with a second one that is gone.
    """
    # The key comes first: whoever dies in between has no log yet, and starts again.
    with _log_key(settings) as key:
        origin = _origin(settings, now, name)
        refuse_another_second_key(settings, origin)
        second = Cosigner(origin, _second_key(settings))
        note(settings, SECOND_VKEY, second.vkey)
        take_under_kek(settings)
        return _ledger(settings, origin, key, second, opened)


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger of a service that ran; makes nothing. Raises SettingsInvalid where none ran."""
    origin = noted(settings, ORIGIN)
    if origin is None or not has_signed(settings):
        raise SettingsInvalid("no service ran with these settings", folder=settings.checkpoints_folder.name)
    refuse_another_second_key(settings, origin)
    started = noted(settings, SECOND_VKEY) is not None
    second = Cosigner(origin, _second_key(settings)) if started else None
    with _log_key(settings) as key:
        return _ledger(settings, origin, key, second, stored_heads(settings).opened)


def stored_heads(settings: Settings) -> Heads:
    """Return how far the logs are in the events, nothing where there are none yet."""
    if not has_events(settings):
        return Heads(0, EMPTY_FRONTIER, ())
    with closing(open_reader(settings)) as reader:
        return reader.heads()


def opening_of(settings: Settings, log: YearLog) -> bytes:
    """Return the stored event that opened a log, nothing for a shard's first. Raises StoreUnavailable."""
    if not log.first:
        return b""
    with closing(open_reader(settings)) as reader:
        return reader.page(log.first, 1)[0].state


def _ledger(
    settings: Settings,
    origin: str,
    key: Ed25519PrivateKey | TokenSigner,
    second: Cosigner | None,
    opened: Sequence[LogBegins],
) -> Ledger:
    signer = NoteSigner(origin, key)
    if second is not None and noted(settings, SECOND_VKEY) != second.vkey:
        raise SettingsInvalid("the log's second key is not the one it had: restore it", file=SECOND_KEY)
    for signed in _last_notes(settings, origin):
        if not parse_note(signed, CHECKPOINT).lines_of([signer.key]):
            raise KeyUnavailable("another key signed this log: restore it", origin=origin)
    checkpoints = CheckpointStore(checkpoint_place(settings))
    logs = Logs(lambda name, first: _year_log(settings, first, NoteSigner(name, key), second), origin)
    logs.learn(opened)
    token = key if isinstance(key, TokenSigner) else None
    return Ledger(logs, checkpoints, settings.witness_policy is not None, token)


def _year_log(settings: Settings, first: int, signer: NoteSigner, second: Cosigner | None) -> YearLog:
    """Return a log of the shard. The keys stay; under each log's name they are others to a verifier."""
    named = None if second is None else second.named(signer.name)
    return YearLog(signer.name, first, TileStore(folder_of(settings, signer.name, first)), signer, named)


def refuse_another_second_key(settings: Settings, origin: str) -> None:
    """Raise KeyUnavailable where the file that knows the second key is gone, and another one signed.

    The note that was signed last and the published one tell it too, by a line on ML-DSA-44 under the log's
    own name.
    """
    if noted(settings, SECOND_VKEY) is not None:
        return
    lines = [line for signed in _last_notes(settings, origin) for line in _second_lines(signed, origin)]
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
    if has_signed(settings):
        with closing(CheckpointStore(checkpoint_place(settings))) as checkpoints:
            signed = checkpoints.signed(origin)
        notes += [] if signed is None else [signed[1]]
    if (ledger_folder(settings) / CHECKPOINT).exists():
        notes.append(TileStore(ledger_folder(settings)).read(CHECKPOINT))
    return notes


def _second_lines(signed: bytes, origin: str) -> list[Signature]:
    return [
        line for line in parse_note(signed, CHECKPOINT).signatures if line.name == origin and is_long(line)
    ]


def checkpoint_file(settings: Settings) -> Path:
    """Where that is in a file."""
    return settings.checkpoints_folder / CHECKPOINT_FILE


def first_origin(settings: Settings) -> str:
    """Return the name of the shard's first log, empty where nothing tells it."""
    return noted(settings, ORIGIN) or ""


def _origin(settings: Settings, now: Callable[[], datetime], name: str) -> str:
    """Return the log's name, fixed at its first start: one log for each municipality and year."""
    name = name or f"{settings.origin_host}/{settings.operator_oin}/{now().year}"
    return noted(settings, ORIGIN) or note(settings, ORIGIN, name)


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
    _make_key(file, _new_log_key, known=noted(settings, ORIGIN) is not None)
    key = read_key(file)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid("the log's key is not Ed25519", file=file.name)
    return key


def _new_log_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _second_key(settings: Settings) -> MLDSA44PrivateKey:
    file = settings.keys_folder / SECOND_KEY
    _make_key(file, lambda: new_second_key(settings), known=noted(settings, SECOND_VKEY) is not None)
    return read_second_key(settings)


def make_log_key(settings: Settings) -> str:
    """Have the token make the log's key, once; return its public half in hexadecimal.

    Raises SettingsInvalid where settings keep the key in a file, for the first start makes that one, or for a
    label in use; KeyUnavailable.
    """
    if settings.log_key != "pkcs11":
        raise SettingsInvalid("the first start makes a log's key in a file", name="log_key")
    with closing(make_signer(open_hsm(settings), settings.log_key_label)) as made:
        return made.public_key().public_bytes_raw().hex()


def _make_key(file: Path, make: Callable[[], bytes], *, known: bool) -> None:
    """Make a key's file where it is not there and nothing is `known` by it. Raises KeyUnavailable."""
    if file.exists():
        return
    # A new key would be another log to everybody who trusts the old one.
    if known:
        raise KeyUnavailable("the log has a name but its key is gone: restore it", file=file.name)
    write_private(file, make())
