"""The scan by which a resident finds what an answer left out, and what it refuses to be shown."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from adapters.sdk.completeness import Completeness, complete, entries_of_pack, is_of
from adapters.sdk.proofs import Checkpoint, ProofRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MINE, THEIRS = b"m" * 32, b"t" * 32


def entry(number: int, key: bytes | None = None) -> bytes:
    event_id = number.to_bytes(16, "big")
    leaf = {"id": event_id.hex(), "t": "plan.goal_set.v1"}
    if key is not None:
        leaf["ps"] = hmac.digest(key, event_id, sha256)[:16].hex()
    return json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root as RFC 6962 section 2.1 defines it, the slow way."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def log(size: int, mine: Sequence[int]) -> tuple[list[bytes], Checkpoint]:
    entries = [entry(n, MINE if n in mine else THEIRS if n % 2 else None) for n in range(size)]
    return entries, Checkpoint("log", size, root(entries))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 65])
def test_an_answer_that_names_every_leaf_holds(size: int) -> None:
    mine = tuple(range(0, size, 3))
    entries, head = log(size, mine)
    assert complete(mine, size, entries, [MINE], head) == Completeness((), ())
    assert complete(mine, size, entries, [MINE], head).holds


def test_a_leaf_that_was_left_out_is_found_by_its_index() -> None:
    entries, head = log(20, (3, 8, 17))
    found = complete((3, 17), 20, entries, [MINE], head)
    assert found == Completeness(missing=(8,), foreign=())
    assert not found.holds


def test_a_leaf_of_somebody_else_in_the_answer_is_told() -> None:
    entries, head = log(20, (3, 8, 17))
    assert complete((3, 5, 8, 17), 20, entries, [MINE], head) == Completeness((), (5,))


def test_the_answer_covers_what_is_below_its_size_and_no_more() -> None:
    entries, head = log(20, (3, 8, 17))
    assert complete((3, 8), 17, entries, [MINE], head).holds
    assert complete((3, 8), 18, entries, [MINE], head).missing == (17,)


def test_each_version_of_the_key_finds_its_own_leaves() -> None:
    entries, head = log(20, (4, 8))
    both = complete((4, 8, *range(1, 20, 2)), 20, entries, [MINE, THEIRS], head)
    assert both.holds


def test_fewer_other_or_more_entries_than_were_signed_are_refused() -> None:
    entries, head = log(20, (3, 8, 17))
    swapped = [entries[1], entries[0], *entries[2:]]
    for served in (entries[:19], [*entries[:8], *entries[9:]], [*entries, entry(99)], swapped, []):
        with pytest.raises(ProofRefused) as refused:
            complete((3, 8, 17), 20, served, [MINE], head)
        assert refused.value.place == "entries"


def test_a_checkpoint_older_than_the_answer_is_refused() -> None:
    entries, head = log(20, (3,))
    with pytest.raises(ProofRefused) as refused:
        complete((3,), 21, entries, [MINE], head)
    assert refused.value.place == "checkpoint"


@pytest.mark.parametrize("keys", [[], [b"short"], [MINE, b"x" * 33]])
def test_a_key_of_another_length_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ProofRefused) as refused:
        is_of(entry(1, MINE), keys)
    assert refused.value.place == "scanning key"


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b"7", b"{}", b'{"id":7}', b'{"id":"zz"}', b"\xff"])
def test_what_is_no_leaf_is_refused(bad: bytes) -> None:
    with pytest.raises(ProofRefused) as refused:
        is_of(bad, [MINE])
    assert refused.value.place == "entries"


def bundle(entries: Sequence[bytes]) -> bytes:
    return b"".join(len(one).to_bytes(2, "big") + one for one in entries)


def packed(pack: Path, members: dict[str, bytes]) -> Path:
    with ZipFile(pack, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return pack


def test_the_entries_of_a_pack_come_out_in_order(tmp_path: Path) -> None:
    entries = [entry(n) for n in range(300)]
    members = {"tile/entries/000": bundle(entries[:256]), "tile/entries/001.p/44": bundle(entries[256:])}
    assert list(entries_of_pack(packed(tmp_path / "a.zip", members), 300)) == entries


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\5abc", bundle([entry(1)]) + b"x", b"\0\0"])
def test_a_bundle_that_is_not_whole_is_refused(tmp_path: Path, content: bytes) -> None:
    pack = packed(tmp_path / "a.zip", {"tile/entries/000.p/1": content})
    with pytest.raises(ProofRefused) as refused:
        list(entries_of_pack(pack, 1))
    assert refused.value.place == "pack"


def test_a_pack_without_an_entry_or_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"no archive")
    for pack in (packed(tmp_path / "a.zip", {}), tmp_path / "b.zip", tmp_path / "none.zip"):
        with pytest.raises(ProofRefused) as refused:
            list(entries_of_pack(pack, 1))
        assert refused.value.place == "pack"
