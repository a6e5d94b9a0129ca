"""Every fenced block of every page is run, compared or read by what it is for; none is only decoration."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from adapters.cli import app as adapter_app
from adapters.conformance.contract import load_contract
from adapters.conformance.suite import CHECKS
from adapters.provider.config import load_config
from exchange.cli.__main__ import app as exchange_app
from exchange.server.shards.map import parse_map
from exchange.settings import load_settings
from exchange.wiring.console_alone import console_settings
from tests.docs.pages import MARKS, Block, blocks_of, first_not_printed, pages, parsed, rows
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.conftest import Place

RUN = {"bash run": ["bash", "-euo", "pipefail", "-c"], "python run": [sys.executable, "-W", "error", "-c"]}
APPS = {"exchange": exchange_app, "exchange-adapter": adapter_app}
RUNS_S_MAX = 400  # all blocks of a page, also where the machine does other things


def marked(mark: str) -> list[Block]:
    return [block for page in pages() for block in blocks_of(page) if block.mark == mark]


def test_every_block_says_how_it_is_held() -> None:
    blocks = [block for page in pages() for block in blocks_of(page)]
    assert {block.mark for block in blocks} >= {"bash run", "python run", "text output", "text demo"}
    assert [f"{block.place}: {block.mark}" for block in blocks if block.mark not in MARKS] == []


def test_a_block_without_a_known_mark_is_seen() -> None:
    found = list(parsed("a.md", "x\n```bash\ny\n```\n~~~~python run\n```\n~~~~\n```text\nz\n"))
    assert [(one.line, one.mark, one.text) for one in found] == [
        (2, "bash", "y"),
        (5, "python run", "```"),
        (8, "text (never closed)", "z"),
    ]


# --- run -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(RUNS_S_MAX)
@pytest.mark.parametrize(
    "page", [page for page in pages() if any(one.mark in RUN for one in blocks_of(page))]
)
def test_what_a_page_says_works_as_written(page: str, place: Place) -> None:
    printed = None
    for block in blocks_of(page):
        if block.mark in RUN:
            done = place.run([*RUN[block.mark], place.here(block.text)])
            assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"
            printed = done.stdout
        elif block.mark == "text output":
            assert printed is not None, f"{block.place}: nothing was run before it"
            assert first_not_printed(block.text, printed) is None, f"{block.place}\n{printed}"


@pytest.mark.slow
def test_the_example_of_buf_curl_works_as_written(place: Place) -> None:
    script = REPOSITORY / "adapters" / "examples" / "buf_curl.sh"
    done = place.run(["bash", str(script), place.target, "data/operator"])
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("all as told\n")


@pytest.mark.slow
def test_the_example_notices_another_answer(place: Place) -> None:
    script = (REPOSITORY / "adapters" / "examples" / "buf_curl.sh").read_text(encoding="utf-8")
    # The same script, asking a public rpc where it expects a refusal.
    wrong = script.replace('ask PlanService/GetPlan "$plan"', "ask LedgerService/GetCheckpoint '{}'")
    assert wrong != script
    done = place.run(["bash", "-c", wrong, "buf_curl.sh", place.target, "data/operator"])
    assert done.returncode == 1
    assert "expected a refusal" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(RUNS_S_MAX)
def test_the_demo_prints_what_is_told_of_it(place: Place, tmp_path: Path) -> None:
    done = place.run(["exchange", "demo", "--data", str(tmp_path / "demo")])
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    excerpts = marked("text demo")
    assert excerpts
    for block in excerpts:
        assert first_not_printed(block.text, done.stdout) is None, f"{block.place}\n{done.stdout}"


def test_a_line_that_was_not_printed_is_found() -> None:
    printed = "one\n two 22 \nthree\n"
    assert first_not_printed("one\n…\nthree", printed) is None
    assert first_not_printed(" two …", printed) is None
    assert first_not_printed("three\none", printed) == "one"
    assert first_not_printed("two", printed) == "two"
    assert first_not_printed("on.", printed) == "on."


# --- read ----------------------------------------------------------------------------------------------


def test_every_make_is_a_target() -> None:
    lines = [line for block in marked("bash make") for line in block.text.splitlines()]
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lines
    assert [line for line in lines if line.removeprefix("make ") not in targets] == []


def command_fault(line: str) -> str | None:
    """Return the first word that is no command where one is due."""
    program, *words = line.split()
    if program not in APPS:
        return program
    command: Any = typer.main.get_command(APPS[program])
    while hasattr(command, "commands"):
        word = words.pop(0) if words else ""
        if word not in command.commands:
            return word
        command = command.commands[word]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((word for word in words if word.startswith("--") and word not in known), None)


def test_every_command_exists() -> None:
    lines = [line for block in marked("bash commands") for line in block.text.splitlines()]
    assert lines
    assert [line for line in lines if command_fault(line) is not None] == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("exchange-adapter provider once --config a", None),
        ("exchange-adapter provider twice", "twice"),
        ("exchange-adapter provider once --confg a", "--confg"),
        ("exchange store", ""),
        ("exchnge serve", "exchnge"),
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str, word: str | None) -> None:
    assert command_fault(line) == word


@pytest.mark.parametrize("block", marked("toml settings"), ids=lambda block: block.place)
def test_settings_are_taken_by_the_service(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "exchange.toml"
    file.write_text(block.text, encoding="utf-8")
    assert load_settings(file).mode == "production"


@pytest.mark.parametrize("block", marked("toml shards"), ids=lambda block: block.place)
def test_a_map_is_taken_by_a_front(block: Block) -> None:
    assert parse_map(block.text.encode()).shards


@pytest.mark.parametrize("block", marked("toml console"), ids=lambda block: block.place)
def test_settings_are_taken_by_a_console_alone(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "console.toml"
    file.write_text(block.text, encoding="utf-8")
    assert console_settings(file).mode == "production"


@pytest.mark.parametrize("block", marked("toml adapter"), ids=lambda block: block.place)
def test_settings_are_taken_by_the_adapter(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "adapter.toml"
    file.write_text(block.text, encoding="utf-8")
    assert load_config(file).person.task == "wmo-aanbieder"


def test_one_command_serves_them_all() -> None:
    assert [block.text for block in marked("bash serve")] == ["exchange serve"]
    assert shutil.which("bash") is not None


@pytest.mark.parametrize("block", marked("toml conformance"), ids=lambda block: block.place)
def test_what_drives_an_adapter_is_taken_by_the_suite(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "conformance.toml"
    file.write_text(block.text, encoding="utf-8")
    contract = load_contract(file)
    assert contract.event is not None
    assert contract.beside


def test_every_check_of_the_suite_is_told() -> None:
    told = [name for row in rows("adapters/README.md", "## The conformance suite") for name in row[0].split()]
    assert [name.strip("`") for name in told] == list(CHECKS)


def test_what_is_told_of_node_is_there() -> None:
    (block,) = marked("bash node")
    enter, install, call = block.text.splitlines()
    folder = REPOSITORY / enter.removeprefix("cd ")
    assert install == "npm ci --ignore-scripts"
    _, file, _, _, protos, _ = call.split()
    assert (folder / file).is_file()
    assert (folder / protos / "exchange" / "v1").is_dir()
