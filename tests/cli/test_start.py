"""How a process begins: the collector rests while the program is imported, and works when it runs."""

from __future__ import annotations

import gc
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("entry", "program"),
    [("exchange.__main__", "exchange.cli.__main__"), ("adapters.__main__", "adapters.cli")],
)
def test_what_is_imported_is_out_of_the_collectors_way_when_the_program_runs(
    monkeypatch: pytest.MonkeyPatch, entry: str, program: str
) -> None:
    seen: list[tuple[bool, int]] = []
    monkeypatch.setattr(f"{program}.main", lambda: seen.append((gc.isenabled(), gc.get_freeze_count())))
    new: list[list[int]] = [[] for _ in range(1_000)]  # stands for what an import makes
    before = gc.get_freeze_count()
    import_module(entry).main()
    ((works, set_aside),) = seen
    assert works
    assert set_aside >= before + len(new)
