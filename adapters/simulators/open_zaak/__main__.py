"""`python -m adapters.simulators.open_zaak [PORT]`: the simulator until it is interrupted.

`--born DAY` lets the BRP know everybody of the range of numbers set aside for tests. `--goals FOLDER` leaves
an empty file for each record of an object that is written with goals in it, to be counted from outside.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.simulators.open_zaak.objects import OBJECTS
from adapters.simulators.open_zaak.whole import OpenZaak

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.simulators.open_zaak.whole import Seen


def main() -> None:
    """Answer until SIGTERM or SIGINT."""
    told = _told()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    simulator = OpenZaak(told.port, _counting(told.goals) if told.goals else None)
    simulator.brp.anybody_born = told.born
    simulator.start()
    sys.stdout.write(f"{simulator.url}\n")
    sys.stdout.flush()
    ended.wait()
    simulator.close()


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.simulators.open_zaak")
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--born", default="", metavar="DAY")
    parser.add_argument("--goals", type=Path, metavar="FOLDER")
    return parser.parse_args()


def _counting(folder: Path) -> Callable[[Seen], None]:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = iter(range(1, sys.maxsize))

    def watch(seen: Seen) -> None:
        written = seen.method in ("POST", "PATCH") and seen.path.startswith(f"{OBJECTS}/objects")
        if written and seen.status in (200, 201) and json.loads(seen.body)["record"]["data"].get("doelen"):
            (folder / f"{next(numbers)}").touch()

    return watch


if __name__ == "__main__":
    main()
