"""Takes a file that was read out of a folder others write into: that very file, or none.

Promises: a file that somebody wrote over the one that was read stays, and is looked at; a link never replaces
one; what a kill catches on its way out lies in its place again at the next start.
Source: rename(2), link(2).
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# A name with a dot in front: readers of the folder leave it alone.
LEAVING: Final = ".leaving-"
NAME_BYTES_MAX: Final = 255  # of most file systems
SUFFIX_MAX: Final = 16
# Of a file that was not looked at.
UNSEEN: Final = (0, 0, 0)
# Inode, size in bytes, time of change in nanoseconds: another file under the same name has another one.
State = tuple[int, int, int]


def state_of(status: os.stat_result) -> State:
    """Return which file it is, and as it is."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def leave(file: Path, state: State) -> Path | None:
    """Take a file out of reach, and return where it is; None where it is gone, or another lies there."""
    leaving = file.with_name(f"{LEAVING}{file.name}")
    if len(os.fsencode(leaving.name)) > NAME_BYTES_MAX:
        leaving = file.with_name(f"{LEAVING}{_fresh(file)}")
    try:
        file.rename(leaving)
    except FileNotFoundError:
        return None
    if state_of(leaving.lstat()) == state:
        return leaving
    put_back(leaving, file)
    return None


def take_away(file: Path, state: State) -> None:
    """Remove a file that was read, and no other."""
    leaving = leave(file, state)
    if leaving is not None:
        leaving.unlink()


def put_back(leaving: Path, file: Path) -> None:
    """Let a file lie where it lay; where another lies there by now, under a name that nobody chose."""
    try:
        os.link(leaving, file, follow_symlinks=False)
    except OSError:
        leaving.rename(file.with_name(_fresh(file)))
    else:
        leaving.unlink()


def give_back(folder: Path) -> None:
    """Let lie in its place again what a kill caught on its way out: it is known by what the journal holds."""
    for left in folder.glob(f"{LEAVING}*"):
        put_back(left, folder / left.name.removeprefix(LEAVING))


def _fresh(file: Path) -> str:
    """Return a name of the same kind that nobody chose."""
    return f"{secrets.token_hex(8)}{file.suffix[:SUFFIX_MAX]}"
