"""`python -m adapters.simulators.open_zaak [PORT]`: the simulator until it is interrupted.

Promises: `--persons` names a JSON file of made-up persons of the BRP by BSN, read at the start; `--born DAY`
lets it know everybody of the range of numbers set aside for tests. `--asked` is a file that gets a line of
JSON for each request: what was asked, and never of whom. `--goals FOLDER` leaves an empty file for each
record of an object that is written with goals in it, to be counted from outside.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.simulators.open_zaak.brp import BRP
from adapters.simulators.open_zaak.objects import OBJECTS
from adapters.simulators.open_zaak.whole import OpenZaak

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.simulators.open_zaak.whole import Seen

_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main() -> None:
    """Answer until SIGTERM or SIGINT."""
    told = _told()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    watching = [_written(told.asked)] if told.asked else []
    if told.goals:
        watching.append(_counting(told.goals))

    def watch(seen: Seen) -> None:
        for one in watching:
            one(seen)

    simulator = OpenZaak(told.port, watch)
    simulator.brp.anybody_born = told.born
    if told.persons is not None:
        simulator.brp.persons.update(json.loads(told.persons.read_text(encoding="utf-8")))
    simulator.start()
    sys.stdout.write(f"{simulator.url}\n")
    sys.stdout.flush()
    ended.wait()
    simulator.close()


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.simulators.open_zaak")
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--persons", type=Path, help="JSON file of made-up persons by BSN")
    parser.add_argument("--born", default="", metavar="DAY")
    parser.add_argument("--asked", type=Path, help="file for a line of JSON for each request")
    parser.add_argument("--goals", type=Path, metavar="FOLDER")
    return parser.parse_args()


def _written(file: Path) -> Callable[[Seen], None]:
    def write(seen: Seen) -> None:
        # A query may hold a BSN, and a body does; neither is written.
        told = {"method": seen.method, "path": _UUID.sub("-", seen.path), "status": seen.status}
        if seen.path.startswith(BRP):
            told["fields"] = json.loads(seen.body).get("fields", [])
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(told) + "\n")

    return write


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
