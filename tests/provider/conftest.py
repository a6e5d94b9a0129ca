"""Where the official schemas and messages are; they are not in the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def standards() -> Path:
    named = os.environ.get("EXCHANGE_STANDARDS_DIR")
    root = Path(named) if named else Path(__file__).parents[3] / "shared" / "standards"
    if not (root / "iwmo-3.2" / "xsd").is_dir():
        pytest.skip("the official schemas are absent: set EXCHANGE_STANDARDS_DIR")
    return root
