"""A new adapter is laid out whole or not at all, and nothing that is there is touched."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from adapters.cli import app
from adapters.conformance.contract import load_contract
from adapters.scaffold.making import MARK, NewRefused, lay_out

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_whole_and_bears_its_name(tmp_path: Path) -> None:
    folder = lay_out("wijk_notities", tmp_path / "new")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert {"pyproject.toml", "README.md", "conformance.toml", "tests/test_service.py"} <= set(files)
    assert "wijk_notities/__main__.py" in files
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        assert MARK not in text
        if name.endswith(".py"):
            ast.parse(text, name)
    assert load_contract(folder / "conformance.toml").name == "wijk_notities"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["wijk_notities"]


@pytest.mark.parametrize(
    "name", ["a" * 41, "a", "Een", "1e", "een-twee", "a/b", "", "json", "class", "exchange"]
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NewRefused):
        lay_out(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["aa", "a" * 40])
def test_the_shortest_and_the_longest_name_are_taken(tmp_path: Path, name: str) -> None:
    assert lay_out(name, tmp_path).name == name


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own").write_text("x")
    done = CliRunner().invoke(app, ["new", "mine", "--in", str(tmp_path)])
    assert (done.exit_code, done.output) == (2, "mine is there already; nothing was changed\n")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["own"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NewRefused, match="cannot be written"):
        lay_out("mine", tmp_path / "file")


def test_the_command_says_how_to_go_on(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["new", "mine", "--in", str(tmp_path)])
    assert done.exit_code == 0
    assert "exchange-adapter conformance conformance.toml" in done.output
