"""The contracts between floors can fail: each is broken once, in a copy, and seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import CODE, REPOSITORY, files

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# What is written where, and the line that has to come out.
UNDECLARED = {
    "exchange/attic/__init__.py": ("", "exchange.attic"),
    "adapters/attic/__init__.py": ("", "adapters.attic"),
}
BREACHES = {
    "exchange/domain/breach_up.py": (
        "import exchange.server",
        "exchange.domain.breach_up -> exchange.server",
    ),
    "exchange/keys/breach.py": ("import exchange.ledger", "exchange.keys.breach -> exchange.ledger"),
    "exchange/cli/breach.py": ("import adapters.sdk", "exchange.cli.breach -> adapters.sdk"),
    "adapters/sdk/breach.py": ("import exchange.errors", "adapters.sdk.breach -> exchange.errors"),
    "adapters/provider/breach.py": (
        "import adapters.simulators",
        "adapters.provider.breach -> adapters.simulators",
    ),
    "exchange/store/breach.py": (
        "from exchange.v1 import plan_pb2",
        "exchange.store.breach -> exchange.v1.plan_pb2",
    ),
    "exchange/pipeline/breach.py": ("import grpc", "exchange.pipeline.breach -> grpc"),
    "exchange/server/breach_web.py": ("import starlette", "exchange.server.breach_web -> starlette"),
    "exchange/server/breach_pages.py": ("import jinja2", "exchange.server.breach_pages -> jinja2"),
    "exchange/console/breach.py": ("import exchange.ledger", "exchange.console.breach -> exchange.ledger"),
    "exchange/domain/breach_store.py": (
        "import eventsourcing",
        "exchange.domain.breach_store -> eventsourcing",
    ),
    "exchange/server/breach.py": ("from lxml import etree", "exchange.server.breach -> lxml"),
    "exchange/wiring/breach.py": ("import holidays", "exchange.wiring.breach -> holidays"),
    "exchange/pipeline/breach_noise.py": ("import opendp", "exchange.pipeline.breach_noise -> opendp"),
    "exchange/wiring/breach_typst.py": ("import typst", "exchange.wiring.breach_typst -> typst"),
    "exchange/documents/breach.py": ("import exchange.gate", "exchange.documents.breach -> exchange.gate"),
    "exchange/gate/breach.py": ("import sqlite3", "exchange.gate.breach -> sqlite3"),
    "exchange/domain/breach_clock.py": ("import time", "exchange.domain.breach_clock -> time"),
}
CONTRACTS = 17


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it stands, where it may be broken; another floor's own fault must not hide a breach."""
    root = tmp_path_factory.mktemp("floors")
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    for name in files():
        if name.startswith(tuple(f"{folder}/" for folder in CODE)) and name.endswith(".py"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, root / name)
    return root


def lint(root: Path) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 -- fixed arguments
        [LINT_IMPORTS, "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_floors_stand(copy: Path) -> None:
    code, said = lint(copy)
    assert code == 0, said


@pytest.mark.parametrize(("breaches", "broken"), [(UNDECLARED, 2), (BREACHES, CONTRACTS)])
def test_every_breach_is_seen(
    copy: Path, tmp_path: Path, breaches: dict[str, tuple[str, str]], broken: int
) -> None:
    root = tmp_path / "broken"
    shutil.copytree(copy, root)
    for folder in ("exchange", "adapters/sdk", "adapters/provider", "adapters/simulators"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "__init__.py").touch()
    for name, (text, _) in breaches.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(f"{text}\n")
    code, said = lint(root)
    assert code == 1, said
    assert [told for _, told in breaches.values() if told not in said] == []
    assert said.count(" BROKEN") == broken, said
