"""`exchange bench --store postgres` on servers started for it: one on this disk, one on a slower one.

Runs as `-m tests.postgres.bench` with the words for `exchange bench`; ends as that does. Promises: both
servers end with it, also where it fails.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

from exchange.wiring.load.slow_disk import slow_disk
from tests.postgres.server import PostgresServer


def main() -> int:
    """Run the bench; return its exit code."""
    with ExitStack() as opened:
        fast, slow = PostgresServer(), PostgresServer()
        for server in (fast, slow):
            opened.callback(server.stop)
        slowing = slow_disk(slow.folder)
        fast.start()
        named = ["--store", "postgres", "--postgres", fast.dsn()]
        if slowing is not None:
            slow.environment.update(slowing)
            slow.start()
            named += ["--slow-postgres", slow.dsn()]
        command = [sys.executable, "-m", "exchange", "bench", *named, *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode  # noqa: S603 -- our own program


if __name__ == "__main__":
    sys.exit(main())
