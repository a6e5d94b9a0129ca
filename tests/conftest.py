"""Where the standards and the design lie: beside the repository, or where the environment says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.softhsm import SoftToken, made_token

REPOSITORY = Path(__file__).resolve().parents[1]


def beside(variable: str, name: str) -> Path:
    """Return the folder `variable` names, else `../shared/NAME`; skips where there is neither."""
    named = os.environ.get(variable)
    folder = Path(named) if named else REPOSITORY.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"no {name} beside the repository: set {variable} to its folder")
    return folder


@pytest.fixture(scope="session")
def standards_dir() -> Path:
    return beside("EXCHANGE_STANDARDS_DIR", "standards")


@pytest.fixture(scope="session")
def design_dir() -> Path:
    return beside("EXCHANGE_DESIGN_DIR", "design")


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    return made_token(tmp_path_factory.mktemp("softhsm"))
