"""`python -m adapters.simulators.open_zaak [PORT]`: the simulator until it is interrupted."""

from __future__ import annotations

import signal
import sys
import threading

from adapters.simulators.open_zaak.whole import OpenZaak


def main() -> None:
    """Answer until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    simulator = OpenZaak(int(sys.argv[1]) if len(sys.argv) > 1 else 0).start()
    sys.stdout.write(f"{simulator.url}\n")
    sys.stdout.flush()
    ended.wait()
    simulator.close()


if __name__ == "__main__":
    main()
