"""Suwinet on a laptop: listens, writes papers for one organisation, and prints its part of a settings file.

Promises: listens on loopback only, until SIGTERM or SIGINT; knows the made-up residents it is given;
`--asked` names a file that gets a line of JSON for each question: which service, how it ended, never of whom.
Source: adapters/work_income/README.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from adapters.simulators.suwinet.papers import Authority
from adapters.simulators.suwinet.people import SERVICES
from adapters.simulators.suwinet.server import OIN, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from adapters.simulators.suwinet.server import Asked


def main(words: list[str], stopping: Event | None = None, out: TextIO | None = None) -> int:
    """Run until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m adapters.simulators.suwinet")
    parser.add_argument("folder", type=Path, help="where papers are written")
    parser.add_argument("--oin", default="00000001003214345000", help="of the organisation that will ask")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bsn", action="append", default=[], help="of a made-up resident every source knows")
    parser.add_argument("--asked", type=Path, help="file for a line of JSON for each question")
    parser.add_argument("--everybody", action="store_true", help="every source knows whoever is asked for")
    asked = parser.parse_args(words)
    stop = stopping or Event()
    if stopping is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    authority = Authority()
    paper = authority.issue(asked.oin)
    mine = asked.folder / "credentials"
    for name in ("signing", "tls"):
        paper.write(mine, name)
    (mine / "ca.pem").write_bytes(authority.paper.certificate_pem)
    watch = _written(asked.asked) if asked.asked else lambda _asked: None
    simulator = Simulator(authority, watch=watch).start(asked.folder / "server", asked.port)
    try:
        if asked.everybody:
            simulator.know_everybody()
        for bsn in asked.bsn:
            for service in SERVICES:
                simulator.know(service, bsn)
        lines = [f'[suwinet]\ncredentials = "{mine.resolve()}"\noin = "{OIN}"', "[suwinet.endpoints]"]
        lines += [f'{service} = "{simulator.endpoint(service)}"' for service in SERVICES]
        to = out or sys.stdout
        to.write("\n".join(lines) + "\n")
        to.flush()
        stop.wait()
    finally:
        simulator.close()
    return 0


def _written(file: Path) -> Callable[[Asked], None]:
    def write(asked: Asked) -> None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"service": asked.service, "ended": asked.ended}) + "\n")

    return write


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
