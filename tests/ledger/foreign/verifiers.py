"""Verifiers of others, each as one function: does it take this case of our log?

What cannot be had on a machine is skipped with its reason. A verifier that crashes is an error, no refusal.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from proofbundle import merkle, tlogproof
from tlog_scales import tlog as scales
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).parent
GO_PACKAGES: Final = Path("/usr/share/gocode")
SIGSTORE: Final = "@sigstore/verify@4.1.3"
WAIT_S: Final = 120


@dataclass(frozen=True)
class Case:
    """One log as a stranger gets it, and what is claimed of it. `files` are tiles and entry bundles."""

    vkey: str
    checkpoint: bytes
    files: dict[str, bytes]
    entry: bytes
    index: int
    proof: tuple[bytes, ...]
    older_size: int
    older_root: bytes
    consistency: tuple[bytes, ...]
    witnesses: tuple[str, ...] = field(default=())

    def as_json(self) -> bytes:
        def text(value: object) -> object:
            match value:
                case bytes():
                    return b64encode(value).decode()
                case tuple():
                    return [text(one) for one in value]
                case dict():
                    return {name: text(one) for name, one in value.items()}
            return value

        return json.dumps({name: text(value) for name, value in vars(self).items()}).encode()


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine: apt-get install {package}")
    return found


def _says_yes(*command: str, given: bytes) -> bool:
    done = subprocess.run(command, input=given, capture_output=True, timeout=WAIT_S, check=False)  # noqa: S603 -- fixed arguments
    assert done.returncode in {0, 1}, done.stderr.decode(errors="replace")
    return done.returncode == 0


# --- Go ------------------------------------------------------------------------------------------------


def _folder(prefix: str) -> Path:
    """Return a new folder that lasts as long as the tests do."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _built(go: str) -> str:
    program = _folder("foreign-go-") / "tlog"
    # GOPATH mode: Debian's packages are sources in a folder, and nothing is fetched.
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GO_PACKAGES),
        "GOCACHE": str(program.parent / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    command = [go, "build", "-o", str(program), str(HERE / "tlog.go")]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=WAIT_S, check=False)  # noqa: S603 -- fixed arguments
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return str(program)


def go_sumdb(case: Case) -> bool:
    """golang.org/x/mod/sumdb: note, inclusion, consistency, every tile, every entry."""
    go = _program("go", "golang-go")
    if not (GO_PACKAGES / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("no golang.org/x/mod on this machine: apt-get install golang-golang-x-mod-dev")
    return _says_yes(_built(go), given=case.as_json())


# --- JavaScript ----------------------------------------------------------------------------------------


@cache
def _installed(npm: str) -> str | None:
    folder = str(_folder("foreign-npm-"))
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder]
    try:
        done = subprocess.run([*command, SIGSTORE], capture_output=True, timeout=WAIT_S, check=False)  # noqa: S603 -- fixed arguments
    except subprocess.TimeoutExpired:
        return None
    return folder if done.returncode == 0 else None


def sigstore(case: Case) -> bool:
    """@sigstore/verify: the checkpoint's signature and the inclusion of the entry."""
    node, npm = _program("node", "nodejs"), _program("npm", "npm")
    folder = _installed(npm)
    if folder is None:
        pytest.skip(f"npm could not install {SIGSTORE} here")
    return _says_yes(node, str(HERE / "sigstore.js"), folder, given=case.as_json())


# --- Python --------------------------------------------------------------------------------------------


def tlog_scales(case: Case) -> bool:
    """tlog-scales: the checkpoint, the root over all tiles, every entry, inclusion and consistency."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in {"checkpoint": case.checkpoint, **case.files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        reader = TilesReader(LocalBackend(folder))
        try:
            head = reader.get_checkpoint()
            head.verify(Vkey.from_string(case.vkey))
            if reader.calculate_root_hash() != head.root_hash:
                return False
            for index in range(head.size):
                leaf = sha256(b"\x00" + reader.get_entry(index)).digest()
                if leaf != reader.mth(index, index + 1):
                    return False
            leaf = sha256(b"\x00" + case.entry).digest()
            scales.InclusionProof(case.index, head.size, list(case.proof)).check(leaf, head.root_hash)
            extension = scales.ConsistencyProof(case.older_size, head.size, list(case.consistency))
            extension.check(case.older_root, head.root_hash)
        except Exception:  # noqa: BLE001 -- a stranger's library refuses with whatever it has
            return False
        return True


def proofbundle(case: Case) -> bool:
    """proofbundle: the receipt with a quorum of witnesses, and consistency."""
    lines = [f"index {case.index}", *(b64encode(one).decode() for one in case.proof)]
    try:
        text = "\n".join(["c2sp.org/tlog-proof@v1", *lines]) + "\n\n" + case.checkpoint.decode()
    except UnicodeDecodeError:
        return False
    needed = len(case.witnesses)
    said: dict[str, Any] = tlogproof.verify_tlog_proof(
        text,
        case.entry,
        case.vkey,
        case.witnesses,
        threshold=needed,
        expected_origin=case.vkey.split("+")[0],
    )
    if not said["ok"]:
        return False
    root = b64decode(case.checkpoint.split(b"\n")[2])
    proof: Sequence[bytes] = list(case.consistency)
    return bool(merkle.verify_consistency(case.older_size, said["tree_size"], proof, case.older_root, root))


# --- OpenSSL -------------------------------------------------------------------------------------------


def openssl(case: Case) -> bool:
    """OpenSSL: the log's one signature over the text of the checkpoint."""
    program = _program("openssl", "openssl")
    text, _, lines = case.checkpoint.rpartition(b"\n\n")
    public = b64decode(case.vkey.split("+", 2)[2])[1:]
    ours = [
        line for line in lines.split(b"\n") if line.startswith(f"\u2014 {case.vkey.split('+')[0]} ".encode())
    ]
    if not text or not ours:
        return False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = b64encode(bytes.fromhex("302a300506032b6570032100") + public).decode()
        (folder / "key").write_text(f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n")
        (folder / "text").write_bytes(text + b"\n")
        encoded = ours[0].split(b" ")[2]
        (folder / "signature").write_bytes(b64decode(encoded + b"=" * (-len(encoded) % 4))[4:])
        files = ("-inkey", "key", "-in", "text", "-sigfile", "signature")
        words = [str(folder / word) if at % 2 else word for at, word in enumerate(files)]
        return _says_yes(program, "pkeyutl", "-verify", "-pubin", "-rawin", *words, given=b"")


VERIFIERS: Final[dict[str, Callable[[Case], bool]]] = {
    "Go sumdb": go_sumdb,
    "JavaScript sigstore": sigstore,
    "Python tlog-scales": tlog_scales,
    "Python proofbundle": proofbundle,
    "C OpenSSL": openssl,
}
