"""The judge sees what is wrong: in a request, in its query, and in an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.municipal.case_system import zgw_token
from adapters.simulators.open_zaak.access import CLIENT, SECRET
from adapters.simulators.open_zaak.whole import Seen
from adapters.simulators.open_zaak.zaken import ROOT
from tests.municipal.judge import faults

if TYPE_CHECKING:
    from pathlib import Path

STATUS = {
    "zaak": "https://zaken.example/1",
    "statustype": "https://catalogi.example/1",
    "datumStatusGezet": "2026-11-26T09:00:00Z",
}
REFUSED = {
    "type": "t",
    "code": "c",
    "title": "t",
    "status": 403,
    "detail": "d",
    "instance": "i",
}
GOOD = Seen(
    "POST",
    f"{ROOT}/statussen",
    "",
    {"content-type": "application/json", "authorization": f"Bearer {zgw_token(CLIENT, SECRET, 0)}"},
    json.dumps(STATUS).encode(),
    403,
    {"content-type": "application/problem+json", "api-version": "1"},
    json.dumps(REFUSED).encode(),
)


def test_what_is_right_is_let_be(standards_dir: Path) -> None:
    assert faults(standards_dir, GOOD) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": b"{}"},
        {"body": json.dumps(STATUS | {"datumStatusGezet": "yesterday"}).encode()},
        {"query": "colour=red"},
        {"headers": {"authorization": "Bearer x"}},
        {"status": 418},
        {"answer": b"{}"},
        {"answer_headers": {"content-type": "text/html", "api-version": "1"}},
        {"path": f"{ROOT}/nowhere"},
    ],
    ids=str,
)
def test_what_is_wrong_is_seen(wrong: dict[str, object], standards_dir: Path) -> None:
    assert faults(standards_dir, replace(GOOD, **wrong)) != []  # type: ignore[arg-type] # any part of it
