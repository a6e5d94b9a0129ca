"""A disk on which each flush takes two milliseconds more: what most machines have, and this one may not.

Promises: made by the machine's own C compiler from `slow_fsync.c`; where there is none, nothing is slowed
down, and what would have been measured says so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "slow_fsync.c"
COMPILERS: Final = ("cc", "gcc", "clang")
MORE_MS: Final = 2


def slow_disk(folder: Path) -> dict[str, str] | None:
    """Return what slows down a process's flushes by its environment; None where that cannot be made."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None or sys.platform != "linux":
        return None
    made = folder / "slow_fsync.so"
    subprocess.run(  # noqa: S603 -- a compiler of the machine, fixed words
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"],
        check=True,
        capture_output=True,
    )
    return {"LD_PRELOAD": str(made)}
