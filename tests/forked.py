"""A copy of the test run that does one thing and ends: to be killed in the middle of it.

Promises: nothing is collected in it, not even before its first line: what the run left to be collected may
wait for threads of gRPC that the copy does not have, and abort or hang it. No line of the run runs in it.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def ended(work: Callable[[], None]) -> int:
    """Do the work in a copy of this process; return its code: 0, 1 where it failed, or minus a signal."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        child = os.fork()
        if child == 0:
            _only(work)
    finally:
        if was_on:
            gc.enable()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _only(work: Callable[[], None]) -> NoReturn:
    failed = 1
    try:
        work()
        failed = 0
    finally:
        os._exit(failed)
