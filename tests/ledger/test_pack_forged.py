"""Packs by an attacker who writes canonical zips and may even sign manifests."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from exchange.ledger.checkpoint import Checkpoint, sign_checkpoint
from exchange.ledger.leaf import LEAF_PATTERN
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.pack import MANIFEST, manifest_text
from exchange.ledger.tiles import ENTRIES, tile_path
from exchange.ledger.verify import PROBLEMS_MAX, verify_pack
from tests.ledger.builders import (
    ORIGIN,
    Log,
    entry,
    exported,
    grown,
    members,
    places,
    rewritten,
    signer,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ledger.builders import Members


def replaced(found: Members, name: str, change: Callable[[bytes], bytes]) -> Members:
    assert name in dict(found)
    return [(member, change(content) if member == name else content) for member, content in found]


def forged(index: int) -> Callable[[bytes], bytes]:
    # Fifteen thousand further an entry has the same shape, so that only its words differ.
    return lambda bundle: bundle.replace(entry(index), entry(index + 15_000))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda found: replaced(found, tile_path(ENTRIES, 0), forged(4)), "tile/0/000 (leaf 4)"),
        (lambda found: replaced(found, tile_path(ENTRIES, 1, 44), forged(260)), "tile/0/001.p/44 (leaf 260)"),
        (lambda found: replaced(found, "tile/0/000", lambda tile: b"x" + tile[1:]), "tile/0/000 (leaf 0)"),
        (lambda found: replaced(found, "tile/1/000.p/1", lambda tile: tile[:-1] + b"x"), "tile/1/000.p/1"),
        (lambda found: replaced(found, "tile/0/000", lambda tile: tile[:-32]), "tile/0/000"),
        (lambda found: replaced(found, "tile/0/000", lambda tile: tile + tile), "tile/0/000"),
        (
            lambda found: replaced(found, tile_path(ENTRIES, 0), lambda bundle: bundle[:-1]),
            "tile/entries/000",
        ),
        (
            lambda found: replaced(found, tile_path(ENTRIES, 0), lambda bundle: bundle + b"\0\0"),
            "tile/entries/000",
        ),
        (
            lambda found: replaced(found, tile_path(ENTRIES, 0), lambda bundle: bundle + b"x" * 300_000),
            "tile/entries/000",
        ),
        (
            lambda found: replaced(found, "consistency", lambda proof: proof.replace(b"since 7", b"since 8")),
            "consistency",
        ),
        (
            lambda found: replaced(found, "consistency", lambda proof: proof.replace(b"since 7", b"since 0")),
            "consistency",
        ),
        (
            lambda found: replaced(
                found, "consistency", lambda proof: proof.replace(b"since 7", b"since 999")
            ),
            "consistency",
        ),
        (lambda found: replaced(found, "consistency", lambda proof: proof + proof[8:]), "consistency"),
        (lambda found: replaced(found, "consistency", lambda proof: proof[:-1]), "consistency"),
        (lambda found: replaced(found, "consistency", lambda _proof: b"\xff\n"), "consistency"),
        (lambda found: replaced(found, "checkpoint", lambda _note: b"no note"), "checkpoint"),
        (lambda found: replaced(found, "LEESMIJ.txt", lambda _text: b"x" * 70_000), "LEESMIJ.txt"),
        (lambda found: [member for member in found if member[0] != "tile/1/000.p/1"], "tile/1/000.p/1"),
        (lambda found: [member for member in found if member[0] != "checkpoint"], "checkpoint"),
        (lambda found: [member for member in found if member[0] != "LEESMIJ.txt"], "LEESMIJ.txt"),
        (lambda found: [found[0], *found], "tile/0/000"),
        (lambda found: [found[0], ("../../etc/passwd", b"x"), *found[1:]], "tile/0/000"),
        (lambda found: [found[0], found[2], found[1], *found[3:]], "tile/0/000"),
        (lambda found: [*found[:-1], ("extra", b"x"), found[-1]], "manifest"),
    ],
)
def test_what_differs_is_named_even_under_a_fitting_manifest(
    log: Log, change: Callable[[Members], Members], place: str
) -> None:
    pack = rewritten(log, change(members(exported(log, 300, 7))))
    assert place in places(verify_pack(pack, log.policy))


def test_a_consistent_forgery_needs_the_checkpoint_signed(log: Log) -> None:
    honest = exported(log, 300)
    log.source.entries[4] = entry(10_000)
    (log.folder / "other").mkdir()
    other = Log(log.folder / "other", source=log.source, signer=signer(seed=b"o" * 32))
    forged_pack = exported(other, 300)
    assert verify_pack(forged_pack, other.policy).ok
    assert "checkpoint" in places(verify_pack(forged_pack, log.policy))
    graft = rewritten(
        log, replaced(members(forged_pack), "checkpoint", lambda _note: dict(members(honest))["checkpoint"])
    )
    assert places(verify_pack(graft, log.policy)) == ["root"]
    other.close()


def test_an_entry_that_is_no_leaf_is_named_though_it_is_in_the_tree(log: Log) -> None:
    log.grow(5)
    log.source.entries[2] = b'{"name":"somebody"}'
    log.source.entries[4] = b""
    assert places(verify_pack(exported(log, 5), log.policy)) == ["leaf 2", "leaf 4"]


def test_a_leaf_over_one_kibibyte_is_named_though_its_form_is_right(log: Log) -> None:
    log.grow(3)
    fields = b'"f":["' + b'","'.join([b"a" * 64] * 12) + b'"]'
    log.source.entries[0] = re.sub(rb'"f":\[[^]]*\]', fields, entry(0))
    assert LEAF_PATTERN.fullmatch(log.source.entries[0])
    assert places(verify_pack(exported(log, 3), log.policy)) == ["leaf 0"]


def test_a_log_of_rubbish_stops_at_the_limit_of_problems(log: Log) -> None:
    log.source.entries += [b"rubbish"] * 300
    report = verify_pack(exported(log, 300), log.policy)
    assert len(places(report)) == PROBLEMS_MAX + 1


def test_a_manifest_signed_by_another_or_by_two_is_refused(log: Log) -> None:
    found = members(exported(log, 5))
    stranger = signer(seed=b"s" * 32)
    assert places(verify_pack(rewritten(log, found, key=stranger), log.policy)) == [MANIFEST]
    line = stranger.sign("x\n").partition(b"\n\n")[2]
    twice = rewritten(log, replaced(found, MANIFEST, lambda note: note + line), sign=False)
    assert places(verify_pack(twice, log.policy)) == [MANIFEST]


def test_a_manifest_that_says_otherwise_names_the_member(log: Log) -> None:
    found = members(exported(log, 5))
    listed = [
        (name, len(content), "0" * 64 if name == "LEESMIJ.txt" else sha256(content).hexdigest())
        for name, content in found[:-1]
    ]
    note = log.signer.sign(manifest_text(ORIGIN, listed))
    pack = rewritten(log, [*found[:-1], (MANIFEST, note)], sign=False)
    assert places(verify_pack(pack, log.policy)) == ["manifest: LEESMIJ.txt"]
    checkpoint_as_manifest = rewritten(log, [*found[:-1], (MANIFEST, found[0][1])], sign=False)
    assert not verify_pack(checkpoint_as_manifest, log.policy).ok


@pytest.mark.parametrize("size", [0, 2**40, 2**63 - 1])
def test_a_checkpoint_that_claims_a_size_the_pack_does_not_have_is_refused(log: Log, size: int) -> None:
    found = members(exported(log, 5))
    if size:
        note = sign_checkpoint(Checkpoint(ORIGIN, size, b"r" * 32), log.signer).note
    else:
        note = log.signer.sign(Checkpoint(ORIGIN, 0, root_of([])).body())
    pack = rewritten(log, replaced(found, "checkpoint", lambda _note: note))
    assert not verify_pack(pack, log.policy).ok


# --- the officer's own checkpoint ---


def test_a_rewritten_past_is_found_with_the_earlier_checkpoint(log: Log, tmp_path: Path) -> None:
    kept = grown(log, 5).note
    (tmp_path / "fork").mkdir()
    fork = Log(tmp_path / "fork")
    fork.grow(9)
    fork.source.entries[1] = entry(10_000)
    pack = exported(fork, 9)
    assert verify_pack(pack, log.policy).ok
    assert places(verify_pack(pack, log.policy, kept)) == ["since checkpoint"]
    fork.close()


def test_an_older_pack_or_another_logs_checkpoint_is_refused(log: Log) -> None:
    pack = exported(log, 5)
    newer = grown(log, 6).note
    assert places(verify_pack(pack, log.policy, newer)) == ["since checkpoint"]
    other = signer("exchange.example/0014/2026", b"o" * 32)
    policy = f"log {other.vkey}\n{log.policy}"
    foreign = other.sign(Checkpoint(other.name, 3, b"r" * 32).body())
    assert places(verify_pack(pack, policy, foreign)) == ["since checkpoint"]
    assert places(verify_pack(pack, log.policy, foreign)) == ["since checkpoint"]
    same_root = root_of([hash_leaf(leaf) for leaf in log.source.entries[:3]])
    twin = other.sign(Checkpoint(other.name, 3, same_root).body())
    assert places(verify_pack(pack, policy, twin)) == ["since checkpoint"]
    assert places(verify_pack(pack, log.policy, b"noise")) == ["since checkpoint"]
    empty = log.signer.sign(Checkpoint(ORIGIN, 0, root_of([])).body())
    assert places(verify_pack(pack, log.policy, empty)) == ["since checkpoint"]
