"""What stands in the repository: its files, its rooms as syntax trees, and who refers to what."""

from __future__ import annotations

import ast
import gc
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = ("exchange", "adapters")
ROOMS = (*CODE, "deploy", "tests", "protos")
GENERATED = "exchange/v1/"
# Where there is no git (an unpacked archive), these are not ours.
NOT_OURS = frozenset({".git", ".venv", "build", "dist", "data", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Room:
    """One file of Python: `name` is its path from the root, with slashes."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def files() -> tuple[str, ...]:
    """Return every file that is or may be committed, from the root, sorted."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard")
    if listed is not None:
        return tuple(sorted(name for name in set(listed.splitlines()) if (REPOSITORY / name).is_file()))
    found = (path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*") if path.is_file())
    return tuple(
        sorted(
            path.as_posix()
            for path in found
            if not NOT_OURS & set(path.parts) and not any(part.endswith("_cache") for part in path.parts)
        )
    )


def git(*arguments: str) -> str | None:
    """Return what git says; None where there is no git or no repository."""
    program = shutil.which("git")
    if program is None or not (REPOSITORY / ".git").exists():
        return None
    done = subprocess.run([program, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603 -- fixed arguments
    return done.stdout if done.returncode == 0 else None


@cache
def rooms(*folders: str) -> tuple[Room, ...]:
    """Return the rooms below `folders`, without generated code."""
    found = tuple(
        Room(name, (REPOSITORY / name).read_text(encoding="utf-8"))
        for name in files()
        if name.endswith(".py") and name.startswith(tuple(f"{folder}/" for folder in folders or ROOMS))
        if not name.startswith(GENERATED)
    )
    with _collector_at_rest():
        for room in found:
            _parsed(room.text)
    return found


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep what is made out of the collector's way: the trees of all rooms stay to the end."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def references(tree: ast.Module) -> list[tuple[str, int]]:
    """Return (dotted name, line) of every imported or built-in name that is used, called or passed on."""
    known = _imported(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            first, _, rest = _dotted(node).partition(".")
            if first in known or (first and not rest):
                found.append((f"{known.get(first, first)}.{rest}".rstrip("."), node.lineno))
    return found


def _imported(tree: ast.Module) -> dict[str, str]:
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.partition(".")[0]
                known[name.asname or first] = name.name if name.asname else first
        elif isinstance(node, ast.ImportFrom):
            known.update({name.asname or name.name: f"{node.module}.{name.name}" for name in node.names})
    return known


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def defined(tree: ast.Module) -> list[tuple[str, int]]:
    """Return (identifier, line) of every function, class, argument, variable and attribute named here."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append((node.name, node.lineno))
        elif isinstance(node, ast.arg):
            found.append((node.arg, node.lineno))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append((node.id, node.lineno))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.append((node.attr, node.lineno))
    return found


def words(identifier: str) -> list[str]:
    """Return the words of a name in small letters: `ConsentGiven` and `CONSENT_GIVEN` give the same."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", identifier)]
