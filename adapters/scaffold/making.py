"""Lays out a new adapter: a small whole one that reads notes from a folder and tells what happens on plans.

Promises: a folder appears whole or not at all and nothing is ever overwritten; the name is a name of a Python
package that hides no other. What is laid out needs the installed package `exchange` and nothing else; no
network is used.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from importlib import resources
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

EXIT_WRONG_CALL: Final = 2
TEMPLATE: Final = "template"
SUFFIX: Final = ".txt"
MARK: Final = "@@name@@"  # no language that is laid out writes that itself
PACKAGE: Final = "package"
HERE: Final = Path()
_is_name = re.compile(r"[a-z][a-z0-9_]{1,39}").fullmatch
# Names that would hide what the adapter itself imports.
_TAKEN: Final = frozenset({"adapters", "exchange", "tests", "grpc", "google"})


class NewRefused(SdkError):
    """An adapter is not laid out: of that name, or in that place."""


def lay_out(name: str, into: Path) -> Path:
    """Write the folder of a new adapter below `into`; return it. Raises NewRefused."""
    _require_name(name)
    folder = into / name
    if folder.exists():
        raise NewRefused(f"{folder.name} is there already; nothing was changed")
    try:
        into.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(dir=into, prefix=f".{name}."))
        try:
            for path, text in _files(name):
                file = draft / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            draft.chmod(0o755)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise NewRefused(f"{folder.name} cannot be written: {error.strerror}") from None
    return folder


def _require_name(name: str) -> None:
    if not _is_name(name):
        raise NewRefused("a name is 2 to 40 small letters, digits and _, and begins with a letter")
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TAKEN:
        raise NewRefused(f"{name} is the name of something else that Python imports")


def _files(name: str) -> Iterator[tuple[Path, str]]:
    root = resources.files(__package__) / TEMPLATE
    for path, entry in _walk(root, Path()):
        parts = (name if part == PACKAGE else part for part in path.parts)
        text = entry.read_text(encoding="utf-8").replace(MARK, name)
        yield Path(*parts).with_suffix(""), text


def _walk(folder: Traversable, path: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _walk(entry, path / entry.name)
        elif entry.name.endswith(SUFFIX):
            yield path / entry.name, entry


def new(
    name: Annotated[str, typer.Argument(help="Name of the adapter: small letters, digits and _.")],
    into: Annotated[Path, typer.Option("--in", help="Folder in which its own folder is made.")] = HERE,
) -> None:
    """Lay out an adapter of one's own, with tests that pass and what `conformance` needs."""
    try:
        folder = lay_out(name, into)
    except NewRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(EXIT_WRONG_CALL) from None
    typer.echo(f"made {folder}; go on with:\n  cd {folder}\n  python -m pytest")
    typer.echo("  exchange-adapter conformance conformance.toml")
