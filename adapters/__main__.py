"""`python -m adapters`: the same as the console script `exchange-adapter`."""

from __future__ import annotations

from adapters.cli import main

if __name__ == "__main__":
    main()
