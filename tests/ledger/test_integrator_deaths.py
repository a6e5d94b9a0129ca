"""The integrator dies at every step, and the next run ends as if it had not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.note import NoteSigner
from exchange.ledger.tiles import TileStore
from tests.ledger.builders import ORIGIN, Log, files, require_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.ledger.checkpoint import Checkpoint


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

    def keep_note(self, checkpoint: Checkpoint, note: bytes) -> bytes:
        kept: list[bytes] = []
        self.faults.around(lambda: kept.append(super(DyingCheckpoints, self).keep_note(checkpoint, note)))
        return kept[0]


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
