"""How fast a batch of 301s is assigned: `python -m tests.provider.batch [CLIENTS]`, on this machine.

A real exchange on SQLite (`exchange serve`) and a real adapter (`exchange-adapter provider run`), each in a
process of its own; every message is about another resident, whose plan asks for the support and who agreed.
The adapter has read what happened until then. The clock runs from before the first message is moved into the
inbox until the last 302 lies in the outbox.
Besides the wall it tells what processor time both took meanwhile, for the wall tells of other work too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from adapters.conformance.contract import load_contract
from adapters.conformance.exchange_child import Exchange, served
from adapters.conformance.people import People
from adapters.provider.mapping import read_assignments
from adapters.provider.retour import read_retour
from adapters.provider.xml import read
from adapters.sdk.credentials import Credentials

if TYPE_CHECKING:
    from adapters.conformance.contract import Contract

CONTRACT: Final = Path(__file__).parents[1] / "conformance" / "provider.toml"
OIN: Final = "00000003271543000900"
CLIENTS: Final = 1_000
# Who prepares it is a caller like any, and the exchange bounds one organisation's calls.
SIDE_BY_SIDE: Final = 6
WAIT_S: Final = 900.0
# Both together take less of a processor than this share, for so long, where they rest.
REST_S: Final = 1.0
REST_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """What one batch took, in seconds."""

    clients: int
    accepted: int
    wall_s: float
    adapter_s: float
    exchange_s: float
    map_s: float

    def lines(self) -> str:
        """Return them as text."""
        return (
            f"{self.accepted} of {self.clients} accepted\n"
            f"wall {self.wall_s:.2f} s: {self.clients / self.wall_s:.0f} a second\n"
            f"processor: adapter {self.adapter_s:.2f} s, exchange {self.exchange_s:.2f} s\n"
            f"a core each: {self.clients / max(self.adapter_s, self.exchange_s):.0f} a second\n"
            f"read and map: {self.map_s / self.clients * 1_000:.2f} ms of processor time a client\n"
        )


def measure(clients: int, root: Path) -> Figures:
    """Prepare a batch and run it."""
    with served(root / "exchange") as exchange:
        contract = load_contract(CONTRACT)
        home = root / "adapter"
        messages = _prepared(exchange, contract, home, clients)
        map_s = _mapped(messages)
        words = [sys.executable, "-m", "adapters", "provider", "run", "--config", str(home / "adapter.toml")]
        with (root / "adapter.log").open("wb") as log:
            adapter = subprocess.Popen(words, stderr=log)  # noqa: S603 -- our own interpreter and words
        try:
            _until(lambda: b"adapter_started" in (root / "adapter.log").read_bytes())
            processes = (adapter.pid, _served_by(exchange))
            # It follows what happened while the batch was prepared; one that runs has read that before.
            _until(lambda: _rest(processes))
            return _run(home, messages, processes, map_s)
        finally:
            adapter.terminate()
            adapter.wait()


def _prepared(exchange: Exchange, contract: Contract, home: Path, clients: int) -> list[bytes]:
    credentials = home / "credentials"
    home.mkdir()
    exchange.root.issue_organisation(OIN, "Zorg", credentials)
    own = Credentials.load(credentials)
    people = People(exchange.target, exchange.operator, own, contract, home)
    people.let_in()
    today = datetime.now(UTC).date().isoformat()

    def message(number: int) -> bytes:
        numbered = people.subject().words | {"number": str(100_000 + number), "today": today}
        return Template(contract.input.good).substitute(numbered).encode()

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        messages = list(pool.map(message, range(clients)))
    people.close()
    place = {"target": exchange.target, "counterparty_oin": exchange.operator.oin}
    (home / "adapter.toml").write_text(Template(contract.files["adapter.toml"]).substitute(place))
    return messages


def _mapped(messages: list[bytes]) -> float:
    began = time.process_time()
    for one in messages:
        read_assignments(read(one))
    return time.process_time() - began


def _run(home: Path, messages: list[bytes], processes: tuple[int, int], map_s: float) -> Figures:
    ready = home / "ready"
    ready.mkdir()
    for number, one in enumerate(messages):
        (ready / f"{number:05d}.xml").write_bytes(one)
    before = [_processor_s(pid) for pid in processes]
    began = time.monotonic()
    for path in sorted(ready.iterdir()):
        path.rename(home / "inbox" / path.name)
    outbox = home / "outbox"
    _until(lambda: sum(1 for path in outbox.iterdir() if path.suffix == ".xml") == len(messages))
    wall_s = time.monotonic() - began
    after = [_processor_s(pid) for pid in processes]
    accepted = sum(read_retour(read(path.read_bytes())).accepted for path in outbox.iterdir())
    adapter_s, exchange_s = (end - start for start, end in zip(before, after, strict=True))
    return Figures(len(messages), accepted, wall_s, adapter_s, exchange_s, map_s)


def _until(done: object) -> None:
    assert callable(done)
    ends = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.02)


def _rest(processes: tuple[int, int]) -> bool:
    """Tell whether both processes have nothing to do."""
    before = sum(map(_processor_s, processes))
    time.sleep(REST_S)
    return sum(map(_processor_s, processes)) - before <= REST_S * REST_SHARE


def _served_by(exchange: Exchange) -> int:
    """Return the process that serves: the child of ours that is no adapter."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if str(exchange.data).encode() in words:
            return int(pid)
    raise ProcessLookupError


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure once and print it."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else CLIENTS
    with tempfile.TemporaryDirectory() as root:
        sys.stdout.write(measure(clients, Path(root)).lines())


if __name__ == "__main__":
    main()
