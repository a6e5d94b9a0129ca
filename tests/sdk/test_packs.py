"""The second verifier on whole packs: good ones, and those of a forger who signs manifests."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.packs import verify_pack
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import parse_trust
from exchange.ledger.tiles import ENTRIES, join_bundle, split_bundle, tile_path
from tests.ledger.builders import ORIGIN, Log, entry, exported, grown, members, rewritten, signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ledger.builders import Members


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(("size", "since"), [(1, 0), (2, 1), (255, 0), (256, 255), (257, 257), (700, 300)])
def test_a_good_pack_is_good(log: Log, size: int, since: int) -> None:
    kept = grown(log, since).note.decode() if since else None
    found = verify_pack(exported(log, size, since), parse_trust(log.policy), kept)
    assert (found.checkpoint.origin, found.checkpoint.size) == (ORIGIN, size)


def _replace(name: str, change: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    def changed(found: Members) -> Members:
        assert name in dict(found)
        return [(member, change(content) if member == name else content) for member, content in found]

    return changed


def _swap(bundle: bytes) -> bytes:
    entries = split_bundle(bundle, 256, "bundle")
    entries[0], entries[1] = entries[1], entries[0]
    return join_bundle(entries)


BUNDLE = tile_path(ENTRIES, 0)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_replace(BUNDLE, _swap), "tile/0/000"),
        (_replace(BUNDLE, lambda bundle: bundle.replace(entry(4), entry(15_004))), "tile/0/000"),
        (_replace(BUNDLE, lambda bundle: bundle[:-1]), BUNDLE),
        (_replace(BUNDLE, lambda bundle: bundle + b"\0"), BUNDLE),
        (_replace(BUNDLE, lambda bundle: bundle.replace(b'"v":1', b'"v":2', 1)), BUNDLE),
        (_replace(BUNDLE, lambda bundle: bundle.replace(b'"a"', b'"z"', 1)), BUNDLE),
        (_replace("tile/0/000", lambda tile: b"x" + tile[1:]), "tile/0/000"),
        (_replace("tile/1/000.p/1", lambda tile: tile[:-1] + b"x"), "tile/1/000.p/1"),
        (_replace("consistency", lambda proof: proof.replace(b"since 7", b"since 8")), "consistency proof"),
        (_replace("consistency", lambda proof: proof[:-1]), "consistency"),
        (_replace("consistency", lambda _: b"since 301\n"), "consistency"),
        (lambda found: [found[0], *found[2:]], "tile/0/000"),
        (lambda found: [*found[:-1], ("more", b"x"), found[-1]], "manifest"),
        (lambda found: found[:4], "tile/entries/000"),
    ],
)
def test_what_differs_is_named_even_under_a_fitting_manifest(
    log: Log, change: Callable[[Members], Members], place: str
) -> None:
    pack = rewritten(log, change(members(exported(log, 300, 7))))
    with pytest.raises(ProofRefused) as refusal:
        verify_pack(pack, parse_trust(log.policy))
    assert refusal.value.place == place


def test_a_manifest_by_a_stranger_and_a_policy_of_a_stranger_are_refused(log: Log) -> None:
    pack, other = exported(log, 5), signer(seed=b"o" * 32)
    with pytest.raises(ProofRefused, match="manifest"):
        verify_pack(rewritten(log, members(pack), key=other), parse_trust(log.policy))
    with pytest.raises(ProofRefused, match="signature"):
        verify_pack(pack, parse_trust(f"log {other.vkey}\nquorum none\n"))


def test_a_rewritten_past_is_found_with_the_kept_checkpoint(log: Log, tmp_path: Path) -> None:
    kept = grown(log, 5).note.decode()
    (tmp_path / "fork").mkdir()
    fork = Log(tmp_path / "fork")
    fork.grow(9)
    fork.source.entries[1] = entry(10_000)
    pack = exported(fork, 9)
    fork.close()
    assert verify_pack(pack, parse_trust(log.policy)).checkpoint.size == 9
    with pytest.raises(ProofRefused, match="kept checkpoint"):
        verify_pack(pack, parse_trust(log.policy), kept)
    with pytest.raises(ProofRefused):
        verify_pack(pack, parse_trust(log.policy), "")


def test_what_a_zip_file_hides_is_refused(log: Log) -> None:
    pack = exported(log, 5)
    whole, trust = pack.read_bytes(), parse_trust(log.policy)
    packed = log.folder / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members(pack):
            archive.writestr(name, content)
    for changed in (whole + b"\0", b"\0" + whole, whole[:-2] + b"\1\0x", packed.read_bytes(), b"", b"PK"):
        pack.write_bytes(changed)
        with pytest.raises(ProofRefused):
            verify_pack(pack, trust)
    with pytest.raises(ProofRefused, match="no readable zip"):
        verify_pack(log.folder / "absent.zip", trust)
