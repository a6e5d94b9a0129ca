"""Disclosures as an officer finds them: filters in the address, counts, files, and a resident's question."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from exchange.cli.__main__ import app
from exchange.console.decision_filter import Asked, asked_of
from tests.console.house import OFFICER
from tests.server.story import denied_read

if TYPE_CHECKING:
    from tests.console.house import House, Visitor
    from tests.server.story import Story

NUMBER = re.compile(r'href="/beslissing/([^"]+)"')


@pytest.fixture(scope="module")
def denied(story: Story) -> str:
    """Return the decision by which a stranger was refused."""
    story.goal()
    return str(denied_read(story.town, story).decision_id)


@pytest.fixture(scope="module")
def officer(house: House) -> Visitor:
    return house.as_(OFFICER)


def test_x(house: House, officer: Visitor, denied: str) -> None:
    for path in ("/raadplegingen", "/raadplegingen?beeld=tijdlijn", "/raadplegingen?beeld=json&uitkomst=DENY", f"/beslissing/{denied}", "/raadplegingen/inwoner"):
        page = officer.get(path)
        print(path, page.status_code, page.text[:100] if page.status_code!=200 else "")
    print(house.log()[-1500:])
    assert 0
