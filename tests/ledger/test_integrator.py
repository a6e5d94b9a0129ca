"""The integrator: what it publishes, what it refuses, and what is left after it dies at any step."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.errors import ForkRefused, LedgerDiffers, ProofInvalid
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, parse_policy
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import Integrator
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.note import NoteSigner
from exchange.ledger.tiles import TileStore, bundles_of, tiles_of
from tests.ledger.builders import NOON, ORIGIN, Log, entry, signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def require_whole(log: Log, signed: SignedCheckpoint | None) -> None:
    """The published file, the tiles and the entries are exactly those of the source."""
    entries = log.source.entries
    hashes = [hash_leaf(leaf) for leaf in entries]
    assert signed is not None
    assert signed.checkpoint == Checkpoint(ORIGIN, len(entries), root_of(hashes))
    assert log.tiles.read("checkpoint") == signed.note
    assert parse_policy(log.policy).accept(signed.note) == signed.checkpoint
    for level, index, width in tiles_of(len(entries)):
        tile = log.tiles.read_tile(level, index, width)
        if level == 0:
            assert tile == b"".join(hashes[index * 256 : index * 256 + width])
    for index, width in bundles_of(len(entries)):
        assert log.tiles.read_entries(index, width) == entries[index * 256 : index * 256 + width]


def files(log: Log) -> dict[str, str]:
    folder = log.folder / "log"
    found = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".tmp"]
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in found}


# --- what it publishes ---


def test_an_empty_log_publishes_nothing(log: Log) -> None:
    assert log.integrator.integrate() is None
    assert not (log.folder / "log" / "checkpoint").exists()
    assert log.checkpoints.history(ORIGIN) == []


@pytest.mark.parametrize(
    "sizes", [[1], [1, 2, 3], [255, 256, 257], [256, 512], [300, 700], [5000], [4095, 4097, 9000]]
)
def test_each_checkpoint_covers_everything_committed(log: Log, sizes: list[int]) -> None:
    for size in sizes:
        log.grow(size)
        require_whole(log, log.integrator.integrate())
    assert [head.size for head, _ in log.checkpoints.history(ORIGIN)] == sizes


def test_nothing_new_is_signed_while_nothing_was_added(log: Log) -> None:
    log.grow(3)
    first = log.integrator.integrate()
    assert log.integrator.integrate() is first
    assert log.open().integrate() == first
    assert len(log.checkpoints.history(ORIGIN)) == 1


def test_partials_go_when_their_tile_is_full(log: Log) -> None:
    for size in (100, 200, 256, 300):
        log.grow(size)
        log.integrator.integrate()
    left = sorted(name for name in files(log) if ".p/" in name)
    assert left == ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"]


def test_restarts_between_all_sizes_end_in_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Log(tmp_path / "a"), Log(tmp_path / "b")
    for size in (1, 90, 256, 400, 600):
        one.grow(size)
        one.integrator.integrate()
        other.grow(size)
        require_whole(other, other.open().integrate())
    assert files(one) == files(other)
    one.close()
    other.close()


def test_lost_tiles_are_written_again_from_the_store(log: Log) -> None:
    log.grow(300)
    log.integrator.integrate()
    before = files(log)
    for file in (log.folder / "log").rglob("*"):
        if file.is_file():
            file.unlink()
    log.tiles = TileStore(log.folder / "log")
    log.open().integrate()
    assert files(log) == before
    (log.folder / "log" / "tile" / "0" / "001.p" / "44").write_bytes(b"x" * 44 * 32)
    log.grow(310)
    require_whole(log, log.open().integrate())


def test_a_log_signs_under_its_own_name_only(log: Log) -> None:
    with pytest.raises(ProofInvalid):
        log.open(note_signer=signer("exchange.example/0014/2026"))


# --- what it refuses ---


def broken_after(log: Log, size: int) -> bytes:
    log.grow(size)
    signed = log.integrator.integrate()
    assert signed is not None
    return signed.note


def require_refused(log: Log, error: type[Exception], note: bytes, *, restart: bool) -> None:
    claimed = len(log.checkpoints.history(ORIGIN))
    integrator = log.open() if restart else log.integrator
    for _ in range(2):
        with pytest.raises(error):
            integrator.integrate()
    assert log.tiles.read("checkpoint") == note
    assert len(log.checkpoints.history(ORIGIN)) == claimed


both = pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])


@both
@pytest.mark.parametrize("left", [0, 1, 299])
def test_a_store_rolled_back_is_refused(log: Log, left: int, *, restart: bool) -> None:
    note = broken_after(log, 300)
    del log.source.entries[left:]
    require_refused(log, ForkRefused, note, restart=restart)


@both
@pytest.mark.parametrize("at", [0, 256, 299])
@pytest.mark.parametrize("grown", [300, 301, 700])
def test_a_store_rewritten_is_refused(log: Log, at: int, grown: int, *, restart: bool) -> None:
    note = broken_after(log, 300)
    log.grow(grown)
    log.source.entries[at] = entry(10_000)
    require_refused(log, ForkRefused, note, restart=restart)


@both
def test_a_refusal_says_what_to_do(log: Log, *, restart: bool) -> None:
    broken_after(log, 3)
    log.source.entries.pop()
    with pytest.raises(ForkRefused, match="restore the newest backup") as refused:
        (log.open() if restart else log.integrator).integrate()
    assert refused.value.metadata == {"origin": ORIGIN, "signed": "3"}


@both
def test_a_frontier_that_is_not_of_the_entries_is_refused(
    log: Log, monkeypatch: pytest.MonkeyPatch, *, restart: bool
) -> None:
    note = broken_after(log, 3)
    log.grow(5)
    head = log.source.ledger_head()
    log.source.entries[4] = entry(10_000)
    with monkeypatch.context() as patch:
        patch.setattr(log.source, "ledger_head", lambda: head)
        require_refused(log, LedgerDiffers, note, restart=restart)
    # Once the store is repaired the log goes on, over the tiles that were wrong.
    log.source.entries[4] = entry(4)
    require_whole(log, log.integrator.integrate())


def test_a_store_that_holds_fewer_leaves_than_it_counts_is_refused(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.grow(5)
    head = log.source.ledger_head()
    log.source.entries.pop()
    monkeypatch.setattr(log.source, "ledger_head", lambda: head)
    with pytest.raises(LedgerDiffers, match="fewer"):
        log.integrator.integrate()
    monkeypatch.setattr(log.source, "ledger_head", lambda: (4, head[1]))
    with pytest.raises(LedgerDiffers, match="another size"):
        log.integrator.integrate()
    monkeypatch.setattr(log.source, "ledger_head", lambda: (4, b"noise"))
    with pytest.raises(ProofInvalid):
        log.integrator.integrate()
    assert log.checkpoints.history(ORIGIN) == []


def test_entries_rewritten_under_an_honest_frontier_are_refused(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = broken_after(log, 3)
    log.grow(5)
    head = log.source.ledger_head()
    log.source.entries[1] = entry(10_000)
    monkeypatch.setattr(log.source, "ledger_head", lambda: head)
    require_refused(log, ForkRefused, note, restart=True)


# --- what is left after it dies ---


class Died(BaseException):
    """The process ends here: no error, so nothing may catch it."""


class Faults:
    """Lets `steps` operations happen, then dies before the next, or just after it took effect."""

    def __init__(self, steps: int, *, persisted: bool) -> None:
        self.steps = steps
        self.persisted = persisted

    def around(self, operation: Callable[[], None]) -> None:
        if self.steps == 0:
            if self.persisted:
                operation()
            self.steps -= 1
            raise Died
        self.steps -= 1
        operation()


class DyingTiles(TileStore):
    def __init__(self, folder: Path, faults: Faults) -> None:
        super().__init__(folder)
        self.faults = faults

    def write(self, path: str, content: bytes) -> None:
        self.faults.around(lambda: super(DyingTiles, self).write(path, content))

    def drop_partials(self, level: int | str, index: int) -> None:
        self.faults.around(lambda: super(DyingTiles, self).drop_partials(level, index))

    def sync(self) -> None:
        self.faults.around(super().sync)


class DyingCheckpoints(CheckpointStore):
    def __init__(self, path: Path, faults: Faults) -> None:
        super().__init__(path)
        self.faults = faults

    def claim(self, expected: Checkpoint | None, new: Checkpoint, now: datetime) -> None:
        self.faults.around(lambda: super(DyingCheckpoints, self).claim(expected, new, now))

    def keep_note(self, checkpoint: Checkpoint, note: bytes) -> None:
        self.faults.around(lambda: super(DyingCheckpoints, self).keep_note(checkpoint, note))


class DyingSigner(NoteSigner):
    def __init__(self, whole: NoteSigner, faults: Faults) -> None:
        super().__init__(whole.name, whole._private)
        self.faults = faults
        self.signed: list[str] = []

    def sign(self, text: str) -> bytes:
        self.faults.around(lambda: self.signed.append(text))
        return super().sign(text)


def die_at(log: Log, steps: int, *, persisted: bool) -> tuple[bool, list[str]]:
    """Integrate until the fault; tell whether it struck, and what was signed."""
    faults = Faults(steps, persisted=persisted)
    checkpoints = DyingCheckpoints(log.folder / "checkpoints.sqlite", faults)
    dying_signer = DyingSigner(log.signer, faults)
    integrator = log.open(DyingTiles(log.folder / "log", faults), checkpoints, dying_signer)
    try:
        integrator.integrate()
    except Died:
        return True, dying_signer.signed
    finally:
        checkpoints.close()
    return False, dying_signer.signed


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept though reported lost"])
@pytest.mark.parametrize("grows_meanwhile", [0, 3])
def test_after_a_death_at_any_step_the_next_run_ends_the_same(
    tmp_path: Path, grows_meanwhile: int, *, persisted: bool
) -> None:
    (tmp_path / "whole").mkdir()
    whole = Log(tmp_path / "whole")
    for size in (250, 520 + grows_meanwhile):
        whole.grow(size)
        whole.integrator.integrate()
    expected = {name: digest for name, digest in files(whole).items() if ".p/" not in name}
    steps, struck = 0, True
    while struck:
        folder = tmp_path / str(steps)
        folder.mkdir()
        log = Log(folder)
        log.grow(250)
        log.integrator.integrate()
        log.grow(520)
        struck, signed_then = die_at(log, steps, persisted=persisted)
        log.grow(520 + grows_meanwhile)
        signed = log.open().integrate()
        require_whole(log, signed)
        found = files(log)
        assert {name: digest for name, digest in found.items() if ".p/" not in name} == expected
        history = log.checkpoints.history(ORIGIN)
        sizes = [head.size for head, _ in history]
        assert sizes == sorted(set(sizes))
        # Whatever was signed before death is what the store of checkpoints says about that size.
        bodies = {head.body() for head, _ in history}
        assert set(signed_then) <= bodies
        log.close()
        steps += 1
    assert steps > 12  # each write, claim, signature, note and publication died once
    whole.close()


@pytest.mark.parametrize("steps", range(0, 16, 3))
def test_the_same_integrator_recovers_from_a_failed_run(log: Log, steps: int) -> None:
    log.grow(250)
    log.integrator.integrate()
    log.grow(520)
    faults = Faults(steps, persisted=False)
    integrator = log.open(tiles=DyingTiles(log.folder / "log", faults))

    def until_it_dies() -> None:
        for _ in range(20):
            integrator.integrate()
            log.grow(len(log.source.entries) + 20)

    with pytest.raises(Died):
        until_it_dies()
    require_whole(log, integrator.integrate())


KILLED = """
import os, signal, sys
from pathlib import Path
from exchange.ledger import tiles
from tests.ledger.builders import Log

log = Log(Path(sys.argv[1]))
log.grow(int(sys.argv[2]))
left = [int(sys.argv[3])]
whole = os.fsync

def fsync(handle):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(handle)

tiles.os.fsync = fsync
log.integrator.integrate()
print("survived")
"""


@pytest.mark.parametrize("syncs", [0, 3, 7])
def test_a_killed_process_leaves_a_log_that_goes_on(tmp_path: Path, syncs: int) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path), "600", str(syncs)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    killed = subprocess.run(command, env=environment, cwd=root, capture_output=True, check=False)  # noqa: S603 -- fixed arguments
    assert killed.returncode == -9
    assert killed.stdout == b""
    log = Log(tmp_path)
    log.grow(600)
    require_whole(log, log.integrator.integrate())
    log.close()


def test_an_integrator_behind_another_signs_no_second_history(log: Log) -> None:
    ahead, behind = log.open(), log.open()
    log.grow(5)
    first = ahead.integrate()
    assert behind.integrate() == first
    log.grow(9)
    ahead.integrate()
    log.grow(12)
    require_whole(log, behind.integrate())
    assert [head.size for head, _ in log.checkpoints.history(ORIGIN)] == [5, 9, 12]


def test_the_claim_says_when(log: Log) -> None:
    log.grow(2)
    log.integrator.integrate()
    row = log.checkpoints._connection.execute("SELECT claimed_at FROM signed").fetchone()
    assert row == (NOON.isoformat(),)
    assert isinstance(log.integrator, Integrator)
