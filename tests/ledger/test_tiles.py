"""Tiles: their names, their widths, and files that are whole or absent."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ProofInvalid, StoreFull, StoreUnavailable
from exchange.ledger import merkle
from exchange.ledger.tiles import (
    TILE_WIDTH,
    TileStore,
    TreeBuilder,
    bundles_of,
    join_bundle,
    split_bundle,
    tile_path,
    tile_reader,
    tiles_of,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ((0, 0), "tile/0/000"),
        ((0, 0, 1), "tile/0/000.p/1"),
        ((1, 999, 255), "tile/1/999.p/255"),
        ((0, 1000), "tile/0/x001/000"),
        ((0, 1234067), "tile/0/x001/x234/067"),
        ((63, 999999, 256), "tile/63/x999/999"),
        (("entries", 123456789, 7), "tile/entries/x123/x456/789.p/7"),
    ],
)
def test_a_tile_has_the_path_of_the_standard(args: tuple[int, int], path: str) -> None:
    assert tile_path(*args) == path


def test_the_standards_own_example_of_70000_leaves() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile[2] for tile in tiles if tile[0] == 0] == [256] * 273 + [112]
    assert [tile[2] for tile in tiles if tile[0] == 1] == [256, 17]
    assert [tile for tile in tiles if tile[0] > 1] == [(2, 0, 1)]
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert (list(tiles_of(0)), list(bundles_of(0))) == ([], [])
    assert list(bundles_of(257)) == [(0, 256), (1, 1)]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_a_bundle_comes_back(entries: list[bytes]) -> None:
    assert split_bundle(join_bundle(entries), len(entries), "bundle") == entries


@pytest.mark.parametrize(
    ("bundle", "width"),
    [
        (b"", 1),
        (b"\0", 1),
        (b"\0\x02a", 1),
        (b"\0\x01ab", 1),
        (b"\0\x01a", 2),
        (b"\0\x01a\0\x01b", 1),
        (b"x", 0),
    ],
)
def test_a_bundle_that_is_not_exactly_its_entries_is_refused(bundle: bytes, width: int) -> None:
    with pytest.raises(ProofInvalid):
        split_bundle(bundle, width, "bundle")


def test_an_entry_too_long_for_its_length_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        join_bundle([b"x" * 0x10000])


def leaf_hashes(size: int) -> list[bytes]:
    return [merkle.hash_leaf(str(number).encode()) for number in range(size)]


@given(st.lists(st.integers(1, 400), max_size=4))
def test_tiles_do_not_depend_on_how_leaves_arrive(steps: list[int]) -> None:
    hashes = leaf_hashes(sum(steps))
    whole, grown = TreeBuilder(), TreeBuilder()
    at_once = whole.add(b"".join(hashes))
    one_by_one: list[tuple[int, int, bytes]] = []
    at = 0
    for step in steps:
        one_by_one += grown.add(b"".join(hashes[at : at + step]))
        at += step
        grown = TreeBuilder(grown.edge())
        assert grown.size == at
        assert grown.root() == merkle.root_of(hashes[:at])
    assert sorted(one_by_one) == sorted(at_once)
    held = [*at_once, *whole.partials()]
    expected = [(level, index, width * 32) for level, index, width in tiles_of(len(hashes))]
    assert sorted((level, index, len(tile)) for level, index, tile in held) == expected


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 66_000])
def test_three_levels_of_tiles_have_the_root_and_the_proofs(size: int) -> None:
    hashes = leaf_hashes(size)
    tree = TreeBuilder()
    held = {(level, index): tile for level, index, tile in tree.add(b"".join(hashes))}
    held |= {(level, index): tile for level, index, tile in tree.partials()}
    root = tree.root()
    assert root == merkle.root_of(hashes)
    read_hash = tile_reader(size, lambda level, index, width: held[level, index][: width * 32])
    for index in (0, 255, 256, 65_534, size - 1):
        proof = merkle.inclusion_proof(index, size, read_hash)
        merkle.verify_inclusion(index, size, hashes[index], proof, root)
    for old in (1, 256, 300, 65_535, size):
        proof = merkle.consistency_proof(old, size, read_hash)
        merkle.verify_consistency(old, size, merkle.root_of(hashes[:old]), root, proof)


def test_what_is_written_is_read_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    store = TileStore(tmp_path / "log")
    store.write(tile_path(0, 0, 2), b"a" * 64)
    store.sync()
    assert store.read_tile(0, 0, 2) == b"a" * 64
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["2"]


def test_a_full_tile_stands_in_for_its_partials(tmp_path: Path) -> None:
    store = TileStore(tmp_path)
    full = bytes(range(256)) * 32
    entries = [b"%d" % number for number in range(TILE_WIDTH)]
    store.write(tile_path(0, 0, 2), full[:64])
    store.write(tile_path("entries", 0, 2), join_bundle(entries[:2]))
    store.write(tile_path(0, 0), full)
    store.write(tile_path("entries", 0), join_bundle(entries))
    for _ in range(2):
        assert store.read_tile(0, 0, 2) == full[:64]
        assert store.read_entries(0, 2) == entries[:2]
        store.drop_partials(0, 0)
        store.drop_partials("entries", 0)
    assert not (tmp_path / "tile" / "0" / "000.p").exists()
    assert store.read_tile(0, 0) == full


def test_a_tile_that_is_absent_or_short_is_refused(tmp_path: Path) -> None:
    store = TileStore(tmp_path)
    with pytest.raises(StoreUnavailable):
        store.read_tile(0, 0)
    store.write(tile_path(0, 0), b"a" * 8191)
    with pytest.raises(ProofInvalid):
        store.read_tile(0, 0)
    with pytest.raises(ProofInvalid):
        store.read_tile(0, 0, 3)


def test_a_tile_is_written_once(tmp_path: Path) -> None:
    store = TileStore(tmp_path)
    store.write_once("tile/0/000", b"a")
    before = (tmp_path / "tile/0/000").stat()
    store.write_once("tile/0/000", b"a")
    after = (tmp_path / "tile/0/000").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    store.write_once("tile/0/000", b"b")
    assert store.read("tile/0/000") == b"b"


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreUnavailable)]
)
def test_a_failing_disk_is_named_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[StoreUnavailable]
) -> None:
    store = TileStore(tmp_path)
    store.write("checkpoint", b"old")

    def fail(_handle: int) -> None:
        raise OSError(number, "injected")

    with monkeypatch.context() as patch:
        patch.setattr("exchange.ledger.tiles.os.fsync", fail)
        with pytest.raises(error) as refused:
            store.write("checkpoint", b"new")
        with pytest.raises(error):
            store.sync()
    assert type(refused.value) is error
    assert store.read("checkpoint") == b"old"
    store.sync()


def test_a_hash_outside_the_tree_is_refused() -> None:
    read_hash = tile_reader(3, lambda _level, _index, width: b"h" * 32 * width)
    with pytest.raises(ProofInvalid):
        read_hash(2, 0)
