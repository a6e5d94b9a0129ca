"""The integrator: what it publishes, what it refuses, and what is left after it dies at any step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.errors import ForkRefused, LedgerDiffers, ProofInvalid
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.integrator import Integrator
from exchange.ledger.tiles import TileStore
from tests.ledger.builders import NOON, ORIGIN, Log, entry, files, require_whole, signer

if TYPE_CHECKING:
    from pathlib import Path


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
    history = log.checkpoints.history(ORIGIN)
    assert [head.size for head, _ in history] == sizes
    policy = parse_policy(log.policy)
    assert [policy.accept(note) for _, note in history] == [head for head, _ in history]


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


@pytest.mark.parametrize("sizes", [(1, 90, 256, 400, 600), (300, 301, 5000, 5001), (255, 256, 257, 513)])
def test_nodes_that_publish_in_turn_go_on_from_their_own_tiles(log: Log, sizes: tuple[int, ...]) -> None:
    # What was signed is one; the files of each are its own.
    own = [TileStore(log.folder / name) for name in ("a", "b")]
    nodes = [log.open(tiles) for tiles in own]
    read: list[int] = []
    leaf_entries = log.source.leaf_entries

    def counted(start: int, stop: int) -> list[bytes]:
        read.append(stop - start)
        return leaf_entries(start, stop)

    log.source.leaf_entries = counted  # type: ignore[method-assign] # the same, and it counts
    for number, size in enumerate(sizes):
        log.grow(size)
        signed = nodes[number % 2].integrate()
        assert signed is not None
        assert signed.checkpoint.size == size
    before = len(read)
    # Overtaken by one leaf: it reads from its last bundle on, and never the log anew.
    log.grow(sizes[-1] + 1)
    nodes[len(sizes) % 2].integrate()
    assert sum(read[before:]) <= 3 * (sizes[-1] + 1 - sizes[-2]) + 3 * 256
    log.source.leaf_entries = leaf_entries  # type: ignore[method-assign] # as it was
    log.tiles = own[len(sizes) % 2]
    require_whole(log, nodes[len(sizes) % 2].integrate())
    assert [head.size for head, _ in log.checkpoints.history(ORIGIN)] == [*sizes, sizes[-1] + 1]


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


def test_a_rewritten_store_does_not_replace_lost_tiles(log: Log) -> None:
    broken_after(log, 300)
    for file in (log.folder / "log").rglob("*"):
        if file.is_file():
            file.unlink()
    log.grow(700)
    log.source.entries[0] = entry(10_000)
    with pytest.raises(ForkRefused):
        log.open().integrate()
    assert files(log) == {}


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
    row = log.checkpoints._database._connection.execute("SELECT claimed_at FROM signed").fetchone()
    assert row == (NOON.isoformat(),)
    assert isinstance(log.integrator, Integrator)
