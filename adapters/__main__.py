"""`python -m adapters`: the same as the console script `exchange-adapter`."""

from __future__ import annotations

import gc


def main() -> None:
    """Import the adapters with the collector at rest, then run them: what is imported stays."""
    gc.disable()
    from adapters.cli import main as run  # noqa: PLC0415 -- imported after the collector rests

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
