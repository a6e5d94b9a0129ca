"""An ordinary service that is looked at: `-m exchange.wiring.load.profiled FOLDER NAME DATA LOG_FILE`.

Promises: it is what `exchange serve` starts, with a thread that looks. It looks from when a file NAME.go is
in the folder until the service ends, so that starting and warming up are not part of what is told.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.settings import load_settings
from exchange.wiring.load.sampler import Sampler
from exchange.wiring.service import Starter, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.settings import Settings

LOOK_EVERY_S: Final = 0.05
MODULE: Final = "exchange.wiring.load.profiled"


def profiled_command(folder: Path, name: str, settings: Settings) -> list[str]:
    """Return the command of a service that is looked at."""
    return [MODULE, str(folder), name, str(settings.data), str(settings.log_file)]


def go(folder: Path, name: str) -> None:
    """Let it be looked at from now on."""
    (folder / f"{name}.go").touch()


def main(words: Sequence[str]) -> None:
    """Serve until the leash ends, then write what was seen."""
    folder, name = Path(words[0]), words[1]
    sampler, ended = Sampler(), threading.Event()
    started = threading.Event()

    def wait() -> None:
        while not (folder / f"{name}.go").exists():
            if ended.wait(LOOK_EVERY_S):
                return
        sampler.start()
        started.set()

    waiting = threading.Thread(target=wait, name="waiting", daemon=True)
    waiting.start()
    settings = load_settings(data=Path(words[2]), port=0, metrics_port=0, log_file=Path(words[3]))
    try:
        serve(settings, Starter(leash=sys.stdin.fileno()))
    finally:
        ended.set()
        waiting.join()
        if started.is_set():
            sampler.stop()
            sampler.write(folder, name)
            (folder / f"{name}.go").unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
