"""The process under test: given inputs, killed with its children, and named where it cannot be had."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.conformance.adapter_process import Adapter, words_of_adapter
from adapters.conformance.contract import load_contract
from adapters.conformance.errors import ContractInvalid
from tests.conformance.test_contract import GOOD, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_S = 30.0
WORDS = words_of_adapter("localhost:1", "1" * 20, "2" * 20, (1, 2, 3, 4))
# Starts a child, says both numbers, and waits for neither.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(".pids", "w").write(f"{os.getpid()} {child.pid}")
os.rename(".pids", "pids")
time.sleep(600)
"""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Adapter]]:
    adapters: list[Adapter] = []

    def make(*run: str, command: tuple[str, ...] = (), **more: Any) -> Adapter:  # noqa: ANN401 -- any key of a contract
        contract = load_contract(written(tmp_path, GOOD))
        contract = replace(contract, run=run, input=replace(contract.input, command=command), **more)
        home = tmp_path / "home"
        home.mkdir()
        adapters.append(Adapter(contract, home, tmp_path / "logs", WORDS))
        return adapters[-1]

    yield make
    for one in adapters:
        one.close()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    # A child whose parent was killed may wait to be collected; it does nothing any more.
    return state != "Z"


def test_it_is_killed_with_its_children(made: Callable[..., Adapter]) -> None:
    adapter = made("${python}", "-c", PARENT)
    adapter.start()
    until = time.monotonic() + WAIT_S
    while not (adapter.home / "pids").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    pids = [int(one) for one in (adapter.home / "pids").read_text().split()]
    assert adapter.runs
    adapter.kill()
    while any(map(is_alive, pids)):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not adapter.runs


def test_an_input_appears_whole_and_settings_are_filled_in(made: Callable[..., Adapter]) -> None:
    adapter = made("true")
    assert (adapter.home / "a.toml").read_text() == "target = localhost:1, costs $1"
    adapter.give("1.json", "x", {})
    assert adapter.waits("1.json")
    (adapter.home / "inbox" / ".2.json.draft").write_text("")
    assert adapter.matching("inbox/*") == {"inbox/1.json"}


def test_an_input_may_be_given_by_a_command(made: Callable[..., Adapter]) -> None:
    adapter = made("true", command=("cp", "${file}", "${number}.taken"))
    adapter.give("1.json", "x", WORDS | {"number": "7"})
    assert (adapter.home / "7.taken").read_text() == "x"


@pytest.mark.parametrize("command", [("false",), ("/no/such/program",)])
def test_a_command_that_fails_is_the_files_fault(
    made: Callable[..., Adapter], command: tuple[str, ...]
) -> None:
    with pytest.raises(ContractInvalid, match=r"input\.command failed"):
        made("true", command=command).give("1.json", "x", WORDS)


def test_what_runs_beside_it_is_waited_for(made: Callable[..., Adapter]) -> None:
    # Written by nobody but the one beside it, and read by the adapter at once.
    slow = ("${python}", "-c", "import time; time.sleep(0.3); open('ready', 'w').write('x')")
    adapter = made("cp", "ready", "seen", beside=(slow,), wait_for=("ready",))
    adapter.start()
    until = time.monotonic() + WAIT_S
    while not (adapter.home / "seen").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_ends_beside_it_before_it_made_its_files_is_named(made: Callable[..., Adapter]) -> None:
    with pytest.raises(ContractInvalid, match=r"adapter\.wait_for"):
        made("true", beside=(("true",),), wait_for=("ready",)).start()


def test_what_cannot_be_started_is_named(made: Callable[..., Adapter]) -> None:
    with pytest.raises(ContractInvalid, match="cannot be started"):
        made("/no/such/program").start()
