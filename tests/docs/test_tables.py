"""What the pages say of limits, settings, errors, metrics, rooms and threats is what the code says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from exchange.errors import ExchangeError
from exchange.server.beside import Beside
from exchange.server.metrics import Metrics
from exchange.settings import Settings
from tests.docs.pages import pages, parsed, rows, text_of
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "exchange/README.md"
DEPLOY = "deploy/README.md"
THREATS = "deploy/THREATS.md"
BACKUP = "deploy/backup/base"
NO_DEFAULT = frozenset({"empty", "below `data`"})
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
ROOM = re.compile(r"`([\w/]+(?:\.(?:py|sh|txt|json)|/))`")


def plain(cell: str) -> str:
    return cell.strip("`")


# --- limits --------------------------------------------------------------------------------------------


def value_at(path: str) -> float:
    """Return what stands at a dotted path: of a module, or a default of a class in it."""
    module, _, name = path.rpartition(".")
    try:
        return float(getattr(importlib.import_module(module), name))
    except ModuleNotFoundError:
        module, _, kind = module.rpartition(".")
        return float(getattr(importlib.import_module(module), kind).__dataclass_fields__[name].default)


@pytest.mark.parametrize("row", rows(SERVICE, "## Limits"), ids=lambda row: row[0])
def test_a_limit_is_what_the_code_has(row: list[str]) -> None:
    _, told, where = row
    assert float(told.split()[0]) == value_at(plain(where))


# --- errors --------------------------------------------------------------------------------------------


def kinds(kind: type[ExchangeError]) -> Iterator[type[ExchangeError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def known_words() -> set[str]:
    """Return every reason, gRPC code and name of a rule."""
    for room in ("exchange.server.status", "exchange.server.limits", "exchange.server.nodes.errors"):
        importlib.import_module(room)
    rules = set()
    for floor in ("domain", "pipeline", "server"):
        for file in (REPOSITORY / "exchange" / floor).rglob("*.py"):
            rules |= set(re.findall(r'rule="([A-Z_]+)"', file.read_text(encoding="utf-8")))
    return {kind.code for kind in kinds(ExchangeError)} | {code.name for code in grpc.StatusCode} | rules


def test_every_reason_that_is_told_exists() -> None:
    told = [*rows(SERVICE, "## Every call"), *rows(SERVICE, "## Every rpc")]
    words = {word for row in told for cell in row for word in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", cell)}
    assert len(words) > 20
    assert words - known_words() == set()


# --- settings and metrics ------------------------------------------------------------------------------


def test_every_setting_is_told_with_its_default() -> None:
    told = {plain(row[0]): row[1] for row in rows(DEPLOY, "## Settings")}
    default = {name: field.default for name, field in Settings.model_fields.items()}
    assert {name: cell if cell in NO_DEFAULT else plain(cell) for name, cell in told.items()} == {
        name: told.get(name) if value in {"", None} and told.get(name) in NO_DEFAULT else str(value)
        for name, value in default.items()
    }


def test_every_metric_that_is_told_is_served() -> None:
    told = {plain(row[0]) for row in rows(DEPLOY, "## Watch")}
    assert told
    served = set()
    for room in (Metrics.__module__, Beside.__module__):
        source = Path(importlib.import_module(room).__file__ or "").read_text(encoding="utf-8")
        served |= set(re.findall(r'"(exchange_\w+)"', source))
    # Written by the script of the backups, for the collector of that machine.
    served |= set(re.findall(r"^(exchange_\w+) \$", text_of(BACKUP), re.MULTILINE))
    assert {name.removesuffix("_total") for name in told} - served == set()


# --- threats -------------------------------------------------------------------------------------------


def test_every_threat_names_a_test_that_exists() -> None:
    table = rows(THREATS, "## What stands")
    assert len(table) > 30
    named = [(row[0], TEST.findall(row[3])) for row in table]
    assert [threat for threat, tests in named if not tests] == []
    assert [
        f"{file}::{name}"
        for _, tests in named
        for file, name in tests
        if not defines(REPOSITORY / file, name)
    ] == []


def defines(file: Path, name: str) -> bool:
    return file.is_file() and f"def {name}(" in file.read_text(encoding="utf-8")


def test_a_test_that_does_not_exist_is_seen() -> None:
    assert defines(Path(__file__), "test_a_test_that_does_not_exist_is_seen")
    assert not defines(Path(__file__), "test_nothing")
    assert not defines(REPOSITORY / "tests" / "no_such_file.py", "test_nothing")


def test_what_does_not_stand_is_told_too() -> None:
    table = rows(THREATS, "## What does not stand yet")
    assert len(table) > 5
    assert [row for row in table if len(row) != 2 or not all(row)] == []


# --- links and rooms -----------------------------------------------------------------------------------


def test_every_link_leads_somewhere() -> None:
    links = [(page, link) for page in pages() for link in LINK.findall(without_blocks(page))]
    assert len(links) > 10
    assert [
        f"{page}: {link}"
        for page, link in links
        if not link.startswith(("https://", "http://"))
        and not (REPOSITORY / page).parent.joinpath(link).exists()
    ] == []


def without_blocks(page: str) -> str:
    text = text_of(page)
    for block in parsed(page, text):
        text = text.replace(block.text, "") if block.text else text
    return text


def missing_rooms(page: str) -> list[str]:
    """Return the rooms that the first column of a page's tables names and that are not below its folder."""
    folder = (REPOSITORY / page).parent
    named = [
        name
        for line in without_blocks(page).splitlines()
        if line.startswith("|")
        for name in ROOM.findall(line.split("|")[1])
    ]
    return [name for name in named if not (folder / name).exists() and not any(folder.rglob(name))]


@pytest.mark.parametrize("page", [page for page in pages() if page.endswith("README.md")])
def test_every_room_that_is_told_is_there(page: str) -> None:
    assert missing_rooms(page) == []


def test_every_room_of_the_sdk_is_told() -> None:
    told = {name for row in rows("adapters/README.md", "## The SDK") for name in ROOM.findall(row[0])}
    there = {path.name for path in (REPOSITORY / "adapters" / "sdk").glob("*.py")} - {"__init__.py"}
    assert there - told == set()


def test_rooms_are_found_in_tables() -> None:
    found = ROOM.findall("`sqlite.py`, `batch.py` and `caller/`, `not a room`, `Plan.goals`")
    assert found == ["sqlite.py", "batch.py", "caller/"]
