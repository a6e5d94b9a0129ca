"""A settings file and a person's file, valid as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.provider.builders import BSN

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: dict[str, Any] = {
    "side": "provider",
    "target": "localhost:7443",
    "credentials": "credentials",
    "inbox": "inbox",
    "outbox": "outbox",
    "archive": "archive",
    "rejected": "rejected",
    "state": "state",
    "own_code": "65656055",
    "counterparty_code": "0363",
    "counterparty_oin": "00000001003214345000",
    "person": {"professional": "iwmo-berichten", "task": "wmo-aanbieder"},
}
PERSON: dict[str, Any] = {
    "bsn": BSN,
    "birth_date": "1967-08-13",
    "gender": "2",
    "surname": "Zonderland",
    "address": {"house_number": 12, "postcode": "1234AB", "street": "Dorpsstraat", "town": "Dwingeloo"},
}


def written(tmp_path: Path, told: dict[str, Any]) -> Path:
    file = tmp_path / "adapter.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if not isinstance(value, dict)]
    for name, table in told.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file
