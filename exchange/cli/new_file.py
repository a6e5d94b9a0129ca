"""A file, or a folder of files, that a command writes once: whole, or not at all.

Promises: nothing that is there is written over; what could not be written whole is taken away again, for it
may be all there is of a resident; what is wrong is told with the option that named the file.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OUT: Final = "--out"


def refuse_no_room(out: Path) -> None:
    """Refuse a file or folder that is there, or one in a folder that is not. Raises BadParameter."""
    try:
        there = out.exists()
    except OSError as error:
        raise _unwritten(out, error) from None
    if there:
        raise typer.BadParameter(f"{out.name} is there already: name a new one", param_hint=OUT)
    if not out.parent.is_dir():
        raise typer.BadParameter(
            f"there is no folder {out.parent.name} for it: make it, or name another", param_hint=OUT
        )


def write_new(out: Path, made: bytes) -> None:
    """Write a file. Raises BadParameter where it is there, or cannot be written; then nothing of it is."""
    refuse_no_room(out)
    try:
        file = out.open("xb")
    except FileExistsError:
        refuse_no_room(out)
        raise
    except OSError as error:
        raise _unwritten(out, error) from None
    try:
        with file:
            file.write(made)
    except OSError as error:
        with suppress(OSError):
            out.unlink()
        raise _unwritten(out, error) from None


def write_new_folder(out: Path, made: Mapping[str, bytes]) -> None:
    """Write a folder of files, by name. Raises BadParameter as `write_new` does; then there is no folder."""
    refuse_no_room(out)
    try:
        out.mkdir()
    except FileExistsError:
        refuse_no_room(out)
        raise
    except OSError as error:
        raise _unwritten(out, error) from None
    try:
        for name, content in made.items():
            write_new(out / name, content)
    except BaseException:
        # Also where it is interrupted: half of it would look like a certificate of nothing.
        shutil.rmtree(out, ignore_errors=True)
        raise


def _unwritten(out: Path, error: OSError) -> typer.BadParameter:
    return typer.BadParameter(
        f"{out.name}: {error.strerror}; nothing of it was written: make room, or name another place",
        param_hint=OUT,
    )
