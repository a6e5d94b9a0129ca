"""A settings file, valid as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from adapters.work_income.services import SERVICES
from tests.work_income.papers import SUWI_OIN

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: dict[str, Any] = {
    "target": "localhost:7443",
    "credentials": "credentials",
    "inbox": "inbox",
    "drafts": "drafts",
    "rejected": "rejected",
    "state": "state",
    "person": {"professional": "suwinet", "task": "college:PW"},
    "suwinet": {
        "credentials": "suwinet",
        "oin": SUWI_OIN,
        "endpoints": {name: f"https://suwinet.example/{name}" for name in SERVICES},
    },
}


def written(folder: Path, told: dict[str, Any]) -> Path:
    """Write a settings file."""
    lines: list[str] = []
    _write(lines, "", told)
    file = folder / "adapter.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _write(lines: list[str], name: str, told: dict[str, Any]) -> None:
    if name:
        lines.append(f"[{name}]")
    lines += [f"{key} = {json.dumps(value)}" for key, value in told.items() if not isinstance(value, dict)]
    for key, value in told.items():
        if isinstance(value, dict):
            _write(lines, f"{name}.{key}".lstrip("."), value)
