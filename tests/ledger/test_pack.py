"""Audit packs: a good one is good, and nothing that differs by one byte is."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sdk.packs import verify_pack as verify_pack_again
from adapters.sdk.trust import parse_trust
from exchange.errors import ProofInvalid, RequestInvalid, SettingsInvalid, StoreUnavailable
from exchange.ledger.archive import ArchiveReader, ArchiveWriter
from exchange.ledger.checkpoint import SignedCheckpoint
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.pack import export_pack
from exchange.ledger.tiles import ENTRIES, join_bundle, tile_path
from exchange.ledger.verify import verify_pack
from tests.ledger.builders import (
    ORIGIN,
    Log,
    cosign,
    exported,
    grown,
    members,
    places,
    rewritten,
    signer,
    witness_vkey,
)

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
        "verify.html",
        "LEESMIJ.txt",
        "manifest",
    ]


def test_a_pack_of_a_version_without_a_page_is_good(log: Log) -> None:
    found = [member for member in members(exported(log, 5)) if member[0] != "verify.html"]
    pack = rewritten(log, found)
    assert verify_pack(pack, log.policy).ok
    assert verify_pack_again(pack, parse_trust(log.policy)).checkpoint.size == 5


def test_what_rides_along_and_is_of_another_version_is_named_and_no_fault(log: Log) -> None:
    pack = exported(log, 5)
    assert verify_pack(pack, log.policy).remarks == ()
    for name in ("verify.html", "LEESMIJ.txt"):
        other = [
            (one, content + b"\n" if one == name else content)
            for one, content in members(pack)
            if one != "manifest"
        ]
        report = verify_pack(rewritten(log, other), log.policy)
        assert report.ok
        assert [remark.place for remark in report.remarks] == [name]
        assert "use your own" in report.remarks[0].what


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
    # The page and the text are long and the manifest holds them whole: some of their bytes stand for all.
    beside = whole.index(b"<!DOCTYPE"), whole.rindex(b"audit-pack/v1")
    for at in [*range(beside[0]), *range(*beside, 499), *range(beside[1] - 200, len(whole))]:
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
        # Proof and page may be absent, so under another name the member after them is what is missed.
        missed = "LEESMIJ.txt" if name in {"consistency", "verify.html"} else name
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
