"""Time stamps of a third party in a pack: an authority made with OpenSSL, and tokens that are none."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ProofInvalid
from exchange.ledger.pack import export_pack
from exchange.ledger.timestamp import TOKEN_BYTES_MAX, Stamp, read_token
from exchange.ledger.verify import verify_pack
from tests.ledger.builders import grown, members, places, rewritten
from tests.ledger.test_page import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ledger.browser import Page
    from tests.ledger.builders import Log, Members

CONFIG = """
[req]
distinguished_name = name
x509_extensions = authority
prompt = no
[name]
CN = Time stamps of a test
[authority]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha256, sha512
ess_cert_id_alg = sha256
"""


class Authority:
    """A time stamping authority in a folder."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("no openssl on this machine: apt-get install openssl")
        self.program, self.folder = program, folder
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIG.format(folder=folder))
        self.run("req -x509 -config @config -newkey rsa:2048 -nodes -keyout @key -out @certificate -days 30")

    def run(self, words: str) -> bool:
        here = [f"{self.folder}/{word[1:]}" if word[0] == "@" else word for word in words.split()]
        done = subprocess.run([self.program, *here], capture_output=True, timeout=60, check=False)  # noqa: S603 -- fixed arguments
        return done.returncode == 0

    def stamp(self, content: bytes, *, digest: str = "sha256", whole: bool = True) -> bytes:
        (self.folder / "data").write_bytes(content)
        assert self.run(f"ts -query -data @data -{digest} -cert -out @query")
        bare = "" if whole else "-token_out"
        how = "-config @config -queryfile @query -inkey @key -signer @certificate"
        assert self.run(f"ts -reply {how} -out @reply {bare}")
        return (self.folder / "reply").read_bytes()

    def accepts(self, content: bytes, token: bytes) -> bool:
        (self.folder / "data").write_bytes(content)
        (self.folder / "reply").write_bytes(token)
        return self.run("ts -verify -in @reply -data @data -CAfile @certificate")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def packed(log: Log, authority: Authority) -> tuple[Path, bytes]:
    """Return a pack of nine leaves with a stamp over the first four, and that checkpoint."""
    earlier = grown(log, 4).note
    out = log.folder / "stamped.zip"
    stamps = [Stamp(earlier, authority.stamp(earlier))]
    export_pack(log.tiles, grown(log, 9), 0, out, log.signer, stamps=stamps)
    return out, earlier


def test_a_pack_carries_a_stamp_that_openssl_accepts(log: Log, authority: Authority) -> None:
    pack, earlier = packed(log, authority)
    found = dict(members(pack))
    assert found["timestamp/4/checkpoint"] == earlier
    assert authority.accepts(found["timestamp/4/checkpoint"], found["timestamp/4/token.tsr"])
    assert not authority.accepts(found["checkpoint"], found["timestamp/4/token.tsr"])
    report = verify_pack(pack, log.policy)
    assert report.ok
    (remark,) = report.remarks
    assert remark.place == "timestamp/4/token.tsr"
    assert "was not checked" in remark.what


@pytest.mark.parametrize("whole", [True, False])
def test_a_response_and_its_token_are_read_alike(authority: Authority, *, whole: bool) -> None:
    said = read_token(authority.stamp(b"anything", whole=whole), "token")
    assert said.imprint.hex() == "ee0874170b7f6f32b8c2ac9573c428d35b575270a66b757c2c0185d2bd09718d"
    assert said.moment.startswith("20")
    assert said.moment.endswith("Z")


def test_what_is_no_stamp_over_its_checkpoint_is_not_exported(log: Log, authority: Authority) -> None:
    earlier, later = grown(log, 4).note, grown(log, 9)
    for stamps in (
        [Stamp(earlier, authority.stamp(b"something else"))],
        [Stamp(earlier, authority.stamp(earlier, digest="sha512"))],
        [Stamp(earlier, b"")],
        [Stamp(b"no note", authority.stamp(b"no note"))],
        [Stamp(earlier, authority.stamp(earlier))] * 2,
    ):
        with pytest.raises(ProofInvalid):
            export_pack(log.tiles, later, 0, log.folder / "out.zip", log.signer, stamps=stamps)
    newest = grown(log, 12).note
    stamps = [Stamp(newest, authority.stamp(newest))]
    with pytest.raises(ProofInvalid, match="later checkpoint"):
        export_pack(log.tiles, later, 0, log.folder / "out.zip", log.signer, stamps=stamps)
    assert not (log.folder / "out.zip").exists()


def test_the_page_says_that_it_did_not_check_the_stamp(log: Log, authority: Authority, page: Page) -> None:
    pack, _ = packed(log, authority)
    desk = Desk(page, log)
    assert desk.check(log.policy, pack) == "good"
    assert "1 tijdstempel van een derde (RFC 3161): hier niet gecontroleerd" in desk.text()


def replaced(found: Members, name: str, content: bytes) -> Members:
    assert name in dict(found)
    return [(one, content if one == name else kept) for one, kept in found]


def test_a_forged_stamp_in_a_pack_is_named(log: Log, authority: Authority) -> None:
    pack, earlier = packed(log, authority)
    found = members(pack)
    checkpoint, token = "timestamp/4/checkpoint", "timestamp/4/token.tsr"
    other = authority.stamp(b"something else")
    for changed, place in (
        (replaced(found, token, other), token),
        (replaced(found, token, b"no token"), token),
        (replaced(found, checkpoint, earlier[:-9] + b"AAAAAAAA\n"), checkpoint),
        (replaced(found, checkpoint, dict(found)["checkpoint"]), token),
        ([one for one in found if one[0] != token], token),
        ([one for one in found if one[0] != checkpoint], checkpoint),
        ([(name.replace("/4/", "/04/"), content) for name, content in found], "timestamp/"),
        ([*found[:5], *found[3:5], *found[5:]], "timestamp/4/checkpoint"),
    ):
        assert place in places(verify_pack(rewritten(log, changed), log.policy))


# --- what is read by hand --------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_noise_is_no_token(noise: bytes) -> None:
    with pytest.raises(ProofInvalid):
        read_token(noise, "token")


def test_no_part_of_a_token_is_one(authority: Authority) -> None:
    token = authority.stamp(b"anything")
    assert read_token(token, "token")
    for at in range(len(token)):
        with pytest.raises(ProofInvalid):
            read_token(token[:at], "token")
    for wrong in (
        token + b"\0",
        b"\x30\x80" + token[2:],
        b"\x30\x81\x05" + token[:5],
        b"\0" * (TOKEN_BYTES_MAX + 1),
        bytes.fromhex("30053003020102"),
    ):
        with pytest.raises(ProofInvalid):
            read_token(wrong, "token")
