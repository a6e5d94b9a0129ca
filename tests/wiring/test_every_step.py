"""Every call that changes a file fails once, and once the process is killed at it: nothing is half done.

Append, integrate, claim, sign, publish, close, and the first start. Each step is tried three ways: refused
with EIO and not done, refused with EIO though done, and `kill -9` before it. Then the shard is opened again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.merkle import range_hash
from exchange.ledger.receipt import verify_receipt
from exchange.ledger.tiles import TILE_WIDTH
from exchange.settings import Settings
from exchange.wiring.published import published_logs
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.ledger.checkpoint import Policy, SignedCheckpoint
    from exchange.ledger.tiles import TileStore

ROOT = Path(__file__).resolve().parents[2]
STRIDE = 37  # of the quick test; the slow one takes every step
STRIDE_OF_FIRST_START = 11  # of some 570 steps, most of them pages of one commit
# Each of them is written, forced to the disk and put in its place on the way of one command.
WHERE = {
    "sync keys/keys.db-wal",
    "sync events.db-wal",
    "rename ledger/tile/entries/000",
    "rename ledger/tile/0/000",
    "remove ledger/tile/0/000.p",
    "sync ledger/tile/entries",
    "sync checkpoints/checkpoints.db-wal",
    "write ledger/checkpoint.tmp",
    "rename ledger/checkpoint",
    "sync ledger",
    "sync events.db",
}


class Runs:
    """A process that runs copies of one shard in children of its own, one call failing in each."""

    def __init__(self, folder: Path, library: Path, plan: str, *, turn: bool = False) -> None:
        self._base = folder
        self._plan = plan
        self._turn = turn
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.wiring.failing"],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, how: str, step: int = -1, name: str = "") -> Told:
        """Run a fresh copy in `folder`."""
        shutil.rmtree(folder, ignore_errors=True)
        if self._plan:
            shutil.copytree(self._base, folder)
        order = {"folder": str(folder), "plan": self._plan, "how": how, "step": step}
        order |= {"name": name, "turn": self._turn}
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.write(f"{json.dumps(order)}\n")
        pipe_in.flush()
        told: list[dict[str, Any]] = []
        while not told or "ended" not in told[-1]:
            told.append(json.loads(pipe_out.readline()))
        return Told(told)

    def close(self) -> None:
        self._process.communicate()


class Told:
    """What a child said before it ended."""

    def __init__(self, said: list[dict[str, Any]]) -> None:
        self.leaves = {one["leaf"]: one["entry"].encode() for one in said if "leaf" in one}
        self.notes = [one["note"].encode() for one in said if "note" in one]
        self.receipts = [one["receipt"].encode() for one in said if "receipt" in one]
        self.failed = [one["failed"] for one in said if "failed" in one]
        self.taken = max((one["taken"] for one in said if "taken" in one), default=0)
        self.calls: list[str] = next((one["calls"] for one in said if "calls" in one), [])
        self.ended: int = said[-1]["ended"]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of failing calls, compiled."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("failing system calls are compiled for Linux: apt-get install gcc")
    made = tmp_path_factory.mktemp("calls") / "failing_calls.so"
    source = Path(__file__).with_name("failing_calls.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"]
    subprocess.run(command, check=True)  # noqa: S603 -- our own source
    return made


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A shard two leaves short of a full tile, so that the first group fills it and drops its partials."""
    data = tmp_path_factory.mktemp("steps") / "shard"
    shard = Shard(data)
    _, _, plan = shard.plan()
    missing = TILE_WIDTH - 2 - shard.head
    shard.run(*(shard.registration(f"r-{number}") for number in range(missing)))
    assert shard.head == TILE_WIDTH - 2
    shard.core.integrator.integrate()
    shard.close()
    return data, plan


@pytest.fixture(scope="session")
def runs(base: tuple[Path, str], library: Path) -> Iterator[Runs]:
    """Both groups in one year."""
    made = Runs(base[0], library, base[1])
    yield made
    made.close()


@pytest.fixture(scope="session")
def turning_runs(base: tuple[Path, str], library: Path) -> Iterator[Runs]:
    """The second group in the next year."""
    made = Runs(base[0], library, base[1], turn=True)
    yield made
    made.close()


@pytest.fixture(scope="session")
def first_runs(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[Runs]:
    """A shard that never ran."""
    made = Runs(tmp_path_factory.mktemp("first"), library, "")
    yield made
    made.close()


# --- what must hold afterwards ---------------------------------------------------------------------------


def require_whole(folder: Path, told: Told) -> None:
    """Open the shard again and go on: everything told stands, and no event is without its leaf."""
    # Before anything is mended: whoever asks the folder now gets what was signed, and all of its tiles.
    before = published(folder)
    shard = Shard(folder)
    core = shard.core
    try:
        shard.verified()
        assert {at: core.reader.leaf_entries(at, at + 1)[0] for at in told.leaves} == told.leaves
        shard.done(shard.registration("afterwards"))
        signed = core.integrator.integrate()
        assert signed is not None
        logs = list(core.ledger.logs)
        lines = [f"log {key}\n" for log in logs for key in log.keys]
        policy = parse_policy("".join(lines) + "quorum none\n")
        assert signed.checkpoint.size == shard.verified() - logs[-1].first
        after = published(folder)
        assert after[-1] == signed
        ends = [one.first for one in logs[1:]]
        assert [one.checkpoint.size for one in after[:-1]] == [
            end - log.first for log, end in zip(logs, ends, strict=False)
        ]
        notes = [*told.notes, *(one.note for one in before)]
        for log, newest in zip(logs, after, strict=True):
            of_log = [note for note in notes if note.startswith(f"{log.origin}\n".encode())]
            require_one_history(log.tiles, newest, policy, of_log)
            for head, note in core.checkpoints.history(log.origin):
                assert root_at(log.tiles, newest, head.size) == head.root
                assert not note or policy.accept(note) == head
        for proof in told.receipts:
            proven = verify_receipt(None, proof, policy)
            log_of = core.ledger.logs.named(proven.origin)
            assert log_of is not None
            number = log_of.first + proven.index
            assert core.reader.leaf_entries(number, number + 1) == [proven.entry]
    finally:
        shard.close()


def published(folder: Path) -> list[SignedCheckpoint]:
    """Return what the folder publishes, oldest log first; the tiles of each must lead to its root."""
    found = published_logs(Settings(data=folder))
    for one in found:
        assert root_at(one.tiles, one.signed, one.signed.checkpoint.size) == one.signed.checkpoint.root
    return [one.signed for one in found]


def root_at(tiles: TileStore, signed: SignedCheckpoint, size: int) -> bytes:
    return range_hash(0, size, tiles.hash_reader(signed.checkpoint.size))


def require_one_history(
    tiles: TileStore, signed: SignedCheckpoint, policy: Policy, notes: list[bytes]
) -> None:
    for note in notes:
        head = policy.accept(note)
        assert root_at(tiles, signed, head.size) == head.root


def tried(runs: Runs, folder: Path, how: str, step: int, name: str = "") -> Told | None:
    """Let one step fail, of a name if any, and look at what is left; None where there was no such step."""
    told = runs.run(folder, how, step, name)
    if how == "killed" and told.ended == 0:
        return None
    assert told.ended == (-signal.SIGKILL if how == "killed" else 0)
    require_whole(folder, told)
    return told if how == "killed" or step < told.taken else None


# --- the runs --------------------------------------------------------------------------------------------


def test_a_run_without_a_fault_takes_every_kind_of_step(runs: Runs, tmp_path: Path) -> None:
    told = runs.run(tmp_path / "shard", "count")
    assert told.ended == 0
    assert told.taken == len(told.calls) > 150
    assert set(told.calls) >= WHERE
    assert (len(told.leaves), len(told.notes), len(told.receipts), told.failed) == (4, 2, 2, [])
    require_whole(tmp_path / "shard", told)


@pytest.mark.parametrize("step", ["sync keys/keys.db-wal", "sync events.db-wal", "rename ledger/checkpoint"])
@pytest.mark.parametrize("how", ["lost", "kept"])
def test_a_fault_is_noticed_where_it_strikes(runs: Runs, tmp_path: Path, how: str, step: str) -> None:
    told = tried(runs, tmp_path / "shard", how, 0, step)
    assert told is not None
    assert told.failed == ["publish" if "ledger" in step else "append"]


@pytest.mark.parametrize("how", ["lost", "kept", "killed"])
def test_some_steps_fail(runs: Runs, tmp_path: Path, how: str) -> None:
    last = runs.run(tmp_path / "count", "count").taken - 20  # how many there are differs by a page or two
    tried_steps = range({"lost": 5, "kept": 17, "killed": 29}[how], last, STRIDE)
    assert all(tried(runs, tmp_path / "shard", how, step) for step in tried_steps)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["lost", "kept", "killed"])
def test_every_step_fails(runs: Runs, tmp_path: Path, how: str) -> None:
    step = 0
    while tried(runs, tmp_path / "shard", how, step) is not None:
        step += 1
    assert step > 150


def test_a_run_over_the_end_of_a_year_publishes_both_logs(turning_runs: Runs, tmp_path: Path) -> None:
    told = turning_runs.run(tmp_path / "shard", "count")
    assert told.ended == 0
    assert set(told.calls) >= {"rename ledger/2027/checkpoint", "rename ledger/2027/tile/0/000.p/4"}
    assert (len(told.leaves), len(told.notes), len(told.receipts), told.failed) == (4, 2, 2, [])
    require_whole(tmp_path / "shard", told)


@pytest.mark.parametrize("how", ["lost", "kept", "killed"])
def test_some_steps_over_the_end_of_a_year_fail(turning_runs: Runs, tmp_path: Path, how: str) -> None:
    last = turning_runs.run(tmp_path / "count", "count").taken
    # From where the second group begins; what is before it is tried above.
    steps = range(last // 2 + {"lost": 1, "kept": 4, "killed": 7}[how], last - 20, 2 * STRIDE)
    assert all(tried(turning_runs, tmp_path / "shard", how, step) for step in steps)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["lost", "kept", "killed"])
def test_every_step_over_the_end_of_a_year_fails(turning_runs: Runs, tmp_path: Path, how: str) -> None:
    step = 0
    while tried(turning_runs, tmp_path / "shard", how, step) is not None:
        step += 1
    assert step > 150


@pytest.mark.slow
@pytest.mark.parametrize("how", ["lost", "kept", "killed"])
def test_steps_of_the_first_start_fail(first_runs: Runs, tmp_path: Path, how: str) -> None:
    # Each way begins elsewhere, so that together they take three of eleven.
    step = {"lost": 0, "kept": 4, "killed": 8}[how]
    while tried(first_runs, tmp_path / "shard", how, step) is not None:
        step += STRIDE_OF_FIRST_START
    assert step > 500
