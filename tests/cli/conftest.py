"""The command line as a shell sees it: words in; exit code, standard output and standard error out."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest
import typer

from exchange.cli import __main__ as root
from exchange.settings import ENV_OTHERS, ENV_PREFIX, throw_away_settings
from exchange.wiring.ledger import open_ledger
from tests.wiring.shards import history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.settings import Settings


class Said(NamedTuple):
    """What came back."""

    code: int
    out: str
    err: str


class Shell(Protocol):
    """Runs `exchange` with words."""

    def __call__(self, *words: object) -> Said: ...


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(ENV_PREFIX) and (name not in ENV_OTHERS or name == "EXCHANGE_CONFIG"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@cache
def put_together() -> Callable[[], object]:
    """Return all nouns as one command: made once, where a shell makes it each time."""
    return typer.main.get_command(root.app)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setattr(root, "app", put_together())

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["exchange", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            root.main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, out, err)

    return run


@pytest.fixture(scope="session")
def ran_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shard with a history. Copy it, never open it."""
    folder = tmp_path_factory.mktemp("ran") / "shard"
    history(folder)
    return folder


@pytest.fixture
def shard(ran_before: Path, tmp_path: Path) -> Settings:
    """A shard with a history, closed."""
    shutil.copytree(ran_before, tmp_path / "shard")
    return throw_away_settings(data=tmp_path / "shard")


@pytest.fixture
def policy(shard: Settings, tmp_path: Path) -> Path:
    """The officer's policy for that shard's log, as he got it another way."""
    ledger = open_ledger(shard)
    file = tmp_path / "policy"
    file.write_text(f"log {ledger.signer.vkey}\nquorum none\n", encoding="utf-8")
    ledger.close()
    return file
