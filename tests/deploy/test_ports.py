"""A port that is chosen before it is opened: nobody's now, and none that the kernel gives away."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from deploy.local import processes
from deploy.local.processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the kernel says which ports it gives away."""
    file = tmp_path / "range"
    monkeypatch.setattr(processes, "GIVEN_PORTS", file)
    return file


def test_what_the_kernel_gives_away_is_not_chosen(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PORTS", range(20_000, 21_000))
    given.write_text("20010\t20999\n")
    found = free_ports(5)
    assert len(set(found)) == 5
    assert set(found) < set(range(20_000, 20_010))


def test_on_this_machine_none_is_given_away() -> None:
    if not processes.GIVEN_PORTS.exists():
        pytest.skip("this kernel does not say what it gives away")
    first, last = map(int, processes.GIVEN_PORTS.read_text().split())
    if first <= processes.PORTS[0] and last >= processes.PORTS[-1]:
        pytest.skip("this kernel gives them all away")
    assert [port for port in free_ports(50) if first <= port <= last] == []


@pytest.mark.parametrize("said", [None, "1 65535"])
def test_where_none_is_left_or_nothing_is_said_any_free_one_will_do(given: Path, said: str | None) -> None:
    if said is not None:
        given.write_text(said)
    (port,) = free_ports(1)
    assert port in processes.PORTS


def test_what_somebody_holds_is_passed_over_and_none_is_no_port(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given.write_text("1 2")
    with closing(socket.create_server(("127.0.0.1", 0))) as holder:
        held = holder.getsockname()[1]
        monkeypatch.setattr(processes, "PORTS", range(held, held + 1))
        with pytest.raises(OSError, match="no free port"):
            free_ports(1)
