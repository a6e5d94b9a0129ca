"""A shard that ran, copied for each test; no settings from the environment of whoever runs the tests."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from exchange.settings import ENV_OTHERS, ENV_PREFIX, throw_away_settings
from tests.wiring.shards import history

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(ENV_PREFIX) and (name not in ENV_OTHERS or name == "EXCHANGE_CONFIG"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


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
def empty(tmp_path: Path) -> Settings:
    """A shard that never ran."""
    return throw_away_settings(data=tmp_path / "empty")
