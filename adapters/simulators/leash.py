"""A leash: a process that ends once whoever holds its standard input is gone, however that came.

Promises: `python -m adapters.simulators.leash MODULE WORD…` is `python -m MODULE WORD…` on a leash; at its
end the process is asked to stop as by SIGTERM, and stopped where it has not done so after END_S.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

END_S: Final = 20.0
EXIT_NOT_ENDED: Final = 1


def hold(leash: int = 0) -> None:
    """Watch a file descriptor from now on, else standard input, and end this process with it."""
    threading.Thread(target=_watch, args=(leash,), name="leash", daemon=True).start()


def _watch(leash: int) -> None:
    # Without Python's own lock on standard input: a process that ends would wait for this thread to let go.
    while os.read(leash, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_S)
    os._exit(EXIT_NOT_ENDED)


def main() -> None:
    """Run a module on a leash."""
    hold()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
