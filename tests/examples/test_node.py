"""The Node client, as somebody runs it who has protos/, a certificate and a package registry."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.service import INVESTIGATE, REPOSITORY, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLE = REPOSITORY / "adapters" / "examples" / "node"
FILES = ("package.json", "package-lock.json", "client.mjs", "voprf.mjs")
NODE_MIN = 18
AWAY = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "E403", "E503")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with what its lock names; skips where that cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node or no npm on this machine")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 -- found above
    if int(version.strip().removeprefix("v").partition(".")[0]) < NODE_MIN:
        pytest.skip(f"node {version.strip()} is older than {NODE_MIN}")
    folder = tmp_path_factory.mktemp("node")
    for name in FILES:
        shutil.copy(EXAMPLE / name, folder / name)
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run([npm, *words], cwd=folder, capture_output=True, text=True, timeout=200, check=False)  # noqa: S603 -- found above
    if done.returncode and any(word in done.stderr for word in AWAY):
        pytest.skip("the npm registry cannot be reached from here")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("exchange") / "data").start()
    yield made
    made.close()


def run(client: Path, service: Service, bsn: str) -> subprocess.CompletedProcess[str]:
    port = service.target.rpartition(":")[2]
    words = [
        "node",
        "client.mjs",
        f"localhost:{port}",
        str(service.data / "operator"),
        str(REPOSITORY / "protos"),
        bsn,
    ]
    done = subprocess.run(words, cwd=client, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 -- our own example
    assert bsn not in done.stdout + done.stderr
    return done


def test_it_blinds_signs_and_reads(client: Path, service: Service) -> None:
    done = run(client, service, service.bsn())
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("all as told\n")


def test_it_has_the_pseudonym_that_the_python_client_has(client: Path, service: Service) -> None:
    bsn = service.bsn()
    assert run(client, service, bsn).returncode == 0
    # Found under what the SDK makes of the same number: by nobody's word but the exchange's.
    worker = service.worker("college:WMO", "node-1")
    found = worker.case.find_case(
        claim=INVESTIGATE, resident=service.pseudonym(worker, bsn), fields=["plan_id"]
    )
    assert found.plan_id


# What is changed in which file, and what is told then.
CHANGES = [
    ("voprf.mjs", "[0, 0]", "[0, 1]", "the proof does not fit the public key"),
    (
        "client.mjs",
        "update(raw)",
        "update(Buffer.concat([raw, raw]))",
        "the signature is not of the registered key",
    ),
    ("client.mjs", '256": createHash("sha256")', '256": createHash("sha512")', "person token"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[3].replace(" ", "-"))
def test_what_is_not_as_the_standard_says_is_noticed(
    client: Path, service: Service, tmp_path: Path, change: tuple[str, str, str, str]
) -> None:
    file, was, becomes, told = change
    for name in FILES:
        text = (client / name).read_text(encoding="utf-8")
        if name == file:
            assert was in text
            text = text.replace(was, becomes)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(client / "node_modules")
    done = run(tmp_path, service, service.bsn())
    assert done.returncode == 1
    assert told in done.stderr
