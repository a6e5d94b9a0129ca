"""A directory log in a folder: its keys, what it took, and what it published.

Promises: name and keys are made once; what was taken is in the published log when the command ends, or when
the next one does, and before a log that handed it over is answered; reads no settings.
Source: design of the ledger, section 3.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.errors import SettingsInvalid
from exchange.ledger.directory import Directory
from exchange.ledger.directory_door import DirectoryDoor
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.integrator import Integrator
from exchange.ledger.note import NOTE_BYTES_MAX
from exchange.server.beside import DIRECTORY
from exchange.server.web.directory import directory_app
from exchange.settings import throw_away_settings
from exchange.wiring.core import utc_now
from exchange.wiring.holding import held, looping, private_files
from exchange.wiring.ledger import ORIGIN, Ledger, open_ledger, start_ledger
from exchange.wiring.places import noted
from exchange.wiring.published import ledger_folder
from exchange.wiring.witness import Stand, StandDoor, numbers_of, read_policy, serve_stand, stand_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.settings import Settings

STORE: Final = "directory.db"
READY_FILE: Final = "directory.json"
EVIDENCE: Final = "evidence"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took: the index of each file's checkpoint, and the directory's own over them."""

    indexes: tuple[int, ...]
    signed: SignedCheckpoint


def directory_settings(data: Path) -> Settings:
    """Return where a directory's files lie."""
    return throw_away_settings(data=data)


def make_directory(data: Path, name: str) -> tuple[str, str]:
    """Make a directory under a name, once; return its verifier keys. Raises SettingsInvalid."""
    settings = directory_settings(data)
    if noted(settings, ORIGIN) is not None:
        raise SettingsInvalid("there is a log in this folder: its name is never made anew", folder=data.name)
    with private_files():
        for folder in (data, settings.keys_folder, settings.checkpoints_folder, ledger_folder(settings)):
            folder.mkdir(parents=True, exist_ok=True)
        with closing(start_ledger(settings, utc_now, name)) as ledger:
            return vkeys(ledger)


def vkeys(ledger: Ledger) -> tuple[str, str]:
    """Return the verifier keys of a directory, on Ed25519 and on ML-DSA-44."""
    assert ledger.second is not None
    return ledger.signer.vkey, ledger.second.vkey


def add_checkpoints(data: Path, logs: Path, files: Sequence[Path]) -> Taken:
    """Take the checkpoints in files, in order, and publish the directory over them.

    Raises ProofInvalid, ForkRefused at the first that is not to be taken; those before it were taken, and are
    published with the next command.
    """
    policy = read_policy(logs)
    with _opened(data) as (directory, integrator, _):
        indexes = tuple(directory.record(_note(file), policy, utc_now()) for file in files)
        signed = integrator.integrate()
        if signed is None:
            raise SettingsInvalid("there is no checkpoint to take", folder=data.name)
        return Taken(indexes, signed)


@contextmanager
def _opened(data: Path) -> Iterator[tuple[Directory, Integrator, Ledger]]:
    settings = directory_settings(data)
    with ExitStack() as opened:
        opened.enter_context(private_files())
        opened.enter_context(held(data))
        ledger = opened.enter_context(closing(open_ledger(settings)))
        directory = opened.enter_context(closing(Directory(data / STORE, EvidenceFolder(data / EVIDENCE))))
        integrator = Integrator(
            directory,
            ledger.tiles,
            ledger.checkpoints,
            ledger.signer,
            origin=ledger.origin,
            clock=utc_now,
            second=ledger.second,
        )
        yield directory, integrator, ledger


def serve_directory(stand: Stand, told: Callable[[str], None] | None = None) -> None:
    """Take what logs hand over until SIGTERM or SIGINT; `told` gets the address. Raises ExchangeError.

    What was published is served beside it, as of any log.
    """
    tls, policy = stand_tls(stand), read_policy(stand.logs)
    if not policy.logs:
        raise SettingsInvalid("the policy names no log to take checkpoints of", file=stand.logs.name)
    with _opened(stand.data) as (directory, integrator, ledger):
        taking = DirectoryDoor(directory, policy, integrator.integrate, utc_now)
        # What was taken before a death, and not published.
        integrator.integrate()
        beside, count = numbers_of(stand, DIRECTORY)
        door = StandDoor(
            stand.data / READY_FILE,
            ledger.signer.vkey,
            lambda log: directory_app(taking, ledger.tiles, log, count),
            beside,
        )
        with looping() as runner:
            runner.run(serve_stand(stand, door, tls, told))


def _note(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            return source.read(NOTE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsInvalid("a checkpoint cannot be read", file=file.name) from error
