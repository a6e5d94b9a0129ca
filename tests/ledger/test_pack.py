"""Audit packs: a good one is good, and nothing that differs by one byte is."""

from __future__ import annotations

import zipfile
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.errors import ProofInvalid, RequestInvalid, SettingsInvalid, StoreUnavailable
from exchange.ledger.archive import ArchiveReader, ArchiveWriter
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.pack import MANIFEST, export_pack, manifest_text
from exchange.ledger.tiles import ENTRIES, join_bundle, tile_path
from exchange.ledger.verify import PROBLEMS_MAX, Report, verify_pack
from tests.ledger.builders import ORIGIN, Log, cosign, entry, signer, witness_vkey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.ledger.note import NoteSigner

Members = list[tuple[str, bytes]]


def grown(log: Log, size: int) -> SignedCheckpoint:
    log.grow(size)
    signed = log.integrator.integrate()
    assert signed is not None
    return signed


def exported(log: Log, size: int, since: int = 0) -> Path:
    out = log.folder / f"pack-{size}-{since}.zip"
    export_pack(log.tiles, grown(log, size), since, out, log.signer)
    return out


def members(pack: Path) -> Members:
    with zipfile.ZipFile(pack) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def rewritten(log: Log, found: Members, *, key: NoteSigner | None = None, sign: bool = True) -> Path:
    """Write members as a canonical pack, with a manifest that fits them."""
    out = log.folder / "rewritten.zip"
    kept = [(name, content) for name, content in found if name != MANIFEST or not sign]
    with out.open("wb") as file:
        archive = ArchiveWriter(file)
        for name, content in kept:
            archive.add(name, content)
        if sign:
            listed = [(name, len(content), sha256(content).hexdigest()) for name, content in kept]
            archive.add(MANIFEST, (key or log.signer).sign(manifest_text(ORIGIN, listed)))
        archive.close()
    return out


def places(report: Report) -> list[str]:
    assert not report.ok
    return [problem.place for problem in report.problems]


# --- a good pack ---


@pytest.mark.parametrize(("size", "since"), [(1, 0), (2, 1), (255, 0), (256, 255), (257, 257), (700, 300)])
def test_a_good_pack_is_good(log: Log, size: int, since: int) -> None:
    if since:
        grown(log, since)
    pack = exported(log, size, since)
    report = verify_pack(pack, log.policy)
    assert report.problems == ()
    assert report.ok
    assert (report.size, report.origin, report.since) == (size, ORIGIN, since)
    assert report.root == root_of([hash_leaf(leaf) for leaf in log.source.entries])
    assert (report.leaves_checked, report.bytes_checked) == (size, pack.stat().st_size)


def test_the_same_log_gives_the_same_pack(log: Log) -> None:
    assert exported(log, 300, 7).read_bytes() == exported(log, 300, 7).read_bytes()


def test_any_zip_tool_opens_a_pack(log: Log) -> None:
    pack = exported(log, 300, 7)
    with zipfile.ZipFile(pack) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
        "consistency",
        "LEESMIJ.txt",
        "manifest",
    ]


def test_the_earlier_checkpoint_is_compared(log: Log) -> None:
    earlier = [grown(log, size).note for size in (3, 256, 299)]
    pack = exported(log, 300)
    for note in (*earlier, grown(log, 300).note):
        assert verify_pack(pack, log.policy, note).ok


def test_a_quorum_in_the_policy_is_asked_of_the_pack(log: Log) -> None:
    witness = signer("witness.example", b"w" * 32)
    policy = f"{log.policy.partition('quorum')[0]}witness W {witness_vkey(witness)}\nquorum W\n"
    signed = grown(log, 5)
    assert places(verify_pack(exported(log, 5), policy)) == ["checkpoint"]
    line = cosign(signed.checkpoint.body(), witness)
    cosigned = SignedCheckpoint(signed.checkpoint, signed.note + line)
    out = log.folder / "cosigned.zip"
    export_pack(log.tiles, cosigned, 0, out, log.signer)
    assert verify_pack(out, policy).ok


# --- what cannot be exported ---


@pytest.mark.parametrize("since", [-1, 6])
def test_a_size_the_log_never_had_is_refused(log: Log, since: int) -> None:
    with pytest.raises(RequestInvalid):
        exported(log, 5, since)
    assert list(log.folder.glob("*.zip*")) == []


def test_another_key_does_not_sign_a_pack(log: Log) -> None:
    signed = grown(log, 5)
    with pytest.raises(ProofInvalid):
        export_pack(log.tiles, signed, 0, log.folder / "p.zip", signer("exchange.example/0014/2026"))


def test_a_failed_export_leaves_nothing(log: Log) -> None:
    signed = grown(log, 5)
    (log.folder / "log" / "tile" / "0" / "000.p" / "5").unlink()
    with pytest.raises(StoreUnavailable):
        export_pack(log.tiles, signed, 0, log.folder / "p.zip", log.signer)
    with pytest.raises(StoreUnavailable):
        export_pack(log.tiles, signed, 0, log.folder / "no folder" / "p.zip", log.signer)
    assert list(log.folder.glob("*.zip*")) == []


# --- one byte ---


def test_no_byte_of_a_small_pack_can_change(log: Log) -> None:
    grown(log, 1)
    pack = exported(log, 2, 1)
    whole = pack.read_bytes()
    target = log.folder / "changed.zip"
    for at in range(len(whole)):
        target.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        report = verify_pack(target, log.policy)
        assert not report.ok, f"byte {at} changed unseen"
        assert all(problem.place and problem.what for problem in report.problems)


def test_a_changed_byte_is_placed_in_its_member(log: Log) -> None:
    pack = exported(log, 300, 7)
    whole = pack.read_bytes()
    target = log.folder / "changed.zip"
    with zipfile.ZipFile(pack) as archive:
        spots = [(info.filename, info.header_offset + 30 + len(info.filename)) for info in archive.infolist()]
    for name, start in spots:
        target.write_bytes(whole[: start + 3] + bytes([whole[start + 3] ^ 1]) + whole[start + 4 :])
        assert name in places(verify_pack(target, log.policy))
        target.write_bytes(whole[: start - 1] + bytes([whole[start - 1] ^ 1]) + whole[start:])
        # The proof may be absent, so under another name the member after it is what is missed.
        missed = "LEESMIJ.txt" if name == "consistency" else name
        assert places(verify_pack(target, log.policy)) == [missed]
        header = start - len(name) - 30
        target.write_bytes(whole[: header + 10] + b"\x01" + whole[header + 11 :])
        # The flaw is noted, and its echo: the directory does not repeat it.
        assert places(verify_pack(target, log.policy))[0] == f"zip header of {name}"
    target.write_bytes(whole[:-1] + b"\x01")
    assert places(verify_pack(target, log.policy)) == ["zip directory"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.data())
def test_no_change_anywhere_passes(log: Log, data: st.DataObject) -> None:
    pack = log.folder / "pack-300-7.zip"
    if not pack.exists():
        exported(log, 300, 7)
    whole = pack.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    how = data.draw(st.sampled_from(["flip", "insert", "delete", "cut", "append", "swap"]))
    byte = data.draw(st.integers(1, 255))
    changed = {
        "flip": whole[:at] + bytes([whole[at] ^ byte]) + whole[at + 1 :],
        "insert": whole[:at] + bytes([byte]) + whole[at:],
        "delete": whole[:at] + whole[at + 1 :],
        "cut": whole[:at],
        "append": whole + bytes([byte]) * (at % 100 + 1),
        "swap": whole[at:] + whole[:at] if at else whole[1:],
    }[how]
    target = log.folder / "changed.zip"
    target.write_bytes(changed)
    assert places(verify_pack(target, log.policy))


@given(st.binary(max_size=400))
def test_noise_is_a_bad_pack(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    target = tmp_path_factory.mktemp("noise") / "pack.zip"
    target.write_bytes(noise)
    assert not verify_pack(target, f"log {signer().vkey}\nquorum none\n").ok


# --- an attacker who can sign manifests and write canonical zips ---


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
    assert places(verify_pack(pack, log.policy, b"noise")) == ["since checkpoint"]
    empty = log.signer.sign(Checkpoint(ORIGIN, 0, root_of([])).body())
    assert places(verify_pack(pack, log.policy, empty)) == ["since checkpoint"]


# --- files that are no packs ---


def test_a_compressed_zip_is_refused_without_being_unpacked(log: Log) -> None:
    out = log.folder / "bomb.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint", b"0" * 50_000_000)
    assert places(verify_pack(out, log.policy))[0] == "checkpoint"


def test_a_pack_larger_than_a_pack_can_be_is_not_read(log: Log) -> None:
    out = log.folder / "large.zip"
    with out.open("wb") as file:
        file.truncate(2**32)
    assert places(verify_pack(out, log.policy)) == ["pack"]


def test_a_file_that_cannot_be_read_is_a_bad_pack(log: Log) -> None:
    assert places(verify_pack(log.folder / "absent.zip", log.policy)) == ["pack"]
    assert places(verify_pack(log.folder, log.policy)) == ["pack"]


def test_a_malformed_policy_is_the_callers_mistake(log: Log) -> None:
    with pytest.raises(SettingsInvalid):
        verify_pack(exported(log, 5), "quorum\n")


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_an_archive_comes_back_and_is_what_zipfile_reads(contents: list[bytes]) -> None:
    out = BytesIO()
    writer = ArchiveWriter(out)
    named = [(f"folder/{number}", content) for number, content in enumerate(contents)]
    for name, content in named:
        writer.add(name, content)
    writer.close()
    with zipfile.ZipFile(out) as archive:
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == named
    out.seek(0)
    reader = ArchiveReader(out)
    assert [(reader.peek_name(), reader.next(name, 50)) for name, _ in named] == named
    reader.finish()
    assert reader.flaws == []


def test_bundles_in_a_pack_are_those_of_the_log(log: Log) -> None:
    found = dict(members(exported(log, 300)))
    assert found[tile_path(ENTRIES, 1, 44)] == join_bundle(log.source.entries[256:])
