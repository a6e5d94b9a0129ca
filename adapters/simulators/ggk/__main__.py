"""`python -m adapters.simulators.ggk PORT CODE=URL …`: the node until it is interrupted."""

from __future__ import annotations

import signal
import sys
import threading

from adapters.simulators.ggk.node import Node


def main() -> None:
    """Pass on until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    port, *doors = sys.argv[1:] or ["0"]
    node = Node(dict(one.split("=", 1) for one in doors), int(port)).start()
    sys.stdout.write(f"{node.url}\n")
    sys.stdout.flush()
    ended.wait()
    node.close()


if __name__ == "__main__":
    main()
