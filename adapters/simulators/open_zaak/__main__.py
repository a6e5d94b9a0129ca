"""`python -m adapters.simulators.open_zaak [PORT]`: the simulator until it is interrupted.

Promises: `--persons` names a JSON file of made-up persons of the BRP by BSN, read at the start; `--asked` a
file that gets a line of JSON for each request: what was asked, and never of whom.
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
from adapters.simulators.open_zaak.whole import OpenZaak

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.simulators.open_zaak.whole import Seen

_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main() -> None:
    """Answer until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m adapters.simulators.open_zaak")
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--persons", type=Path, help="JSON file of made-up persons by BSN")
    parser.add_argument("--asked", type=Path, help="file for a line of JSON for each request")
    words = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    simulator = OpenZaak(words.port, None if words.asked is None else _written(words.asked))
    if words.persons is not None:
        simulator.brp.persons.update(json.loads(words.persons.read_text(encoding="utf-8")))
    simulator.start()
    sys.stdout.write(f"{simulator.url}\n")
    sys.stdout.flush()
    ended.wait()
    simulator.close()


def _written(file: Path) -> Callable[[Seen], None]:
    def write(seen: Seen) -> None:
        # A query may hold a BSN, and a body does; neither is written.
        told = {"method": seen.method, "path": _UUID.sub("-", seen.path), "status": seen.status}
        if seen.path.startswith(BRP):
            told["fields"] = json.loads(seen.body).get("fields", [])
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(told) + "\n")

    return write


if __name__ == "__main__":
    main()
