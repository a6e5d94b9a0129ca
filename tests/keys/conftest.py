"""The KEK of each kind behind one face: what holds for one must hold for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from exchange.keys.kek import FileKek, Kek

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.keys.hsm import Hsm
    from tests.softhsm import SoftToken


@pytest.fixture(params=["file", "hsm"])
def kek_named(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Kek]]:
    """Open the KEK of a name anew, as after a restart; made the first time."""
    if request.param == "file":
        yield lambda name: FileKek(tmp_path / name, create=True)
        return
    token: SoftToken = request.getfixturevalue("soft_token")
    labels: dict[str, str] = {}
    lines: list[Hsm] = []

    def named(name: str) -> Kek:
        lines.append(token.hsm())
        if name not in labels:
            labels[name] = f"{name}-{uuid4()}"
            return lines[-1].create(labels[name])
        return lines[-1].kek(labels[name])

    yield named
    for line in lines:
        line.close()
