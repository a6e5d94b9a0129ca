"""Several exchanges on one PostgreSQL store, each a process of its own, known to each other by mutual TLS.

Production mode: nothing here is laxer than where it counts. Events, keys and what was signed lie in databases
apart; the keys that wrap and sign in one folder, as if each operator had laid them there.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.sdk.credentials import Credentials
from deploy.local.processes import free_ports
from exchange.keys.authority import DevelopmentAuthority
from exchange.store.lease import Tenure, lease_of, pass_on
from exchange.store.postgres_reader import PostgresReader
from exchange.store.verify import verify_store
from tests.e2e.service import CITY, Service, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S = 30.0
LOOK_EVERY_S = 0.02


def until(true: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 -- whatever becomes true
    """Return what becomes true."""
    end = time.monotonic() + WAIT_S
    while not (found := true()):
        assert time.monotonic() < end, f"it never came that {what}"
        time.sleep(LOOK_EVERY_S)
    return found


class Databases(NamedTuple):
    """What nodes share: how each is reached."""

    events: str
    keys: str
    checkpoints: str


class Node(Service):
    """One of several; all who talk to it are known to each of them."""

    def __init__(self, base: Path, name: str, bsns: Iterator[str], **settings: str) -> None:
        super().__init__(base / name, **settings)
        # Drawn for all nodes from one row: a resident is one and the same, wherever he is reported.
        self._bsns = bsns
        self.base = base
        self.address = settings["node_address"]

    def credentials(self, folder: str = "operator") -> Credentials:
        """Return credentials, whichever node they are shown to."""
        return Credentials.load(self.base / folder)

    def issue(self, oin: str, folder: str, **validity: Any) -> Credentials:  # noqa: ANN401 -- the authority's own arguments
        """Make credentials that nobody has registered."""
        authority = DevelopmentAuthority(self.base / "authority")
        authority.issue_organisation(oin, "Zorg Voorbeeld", self.base / folder, **validity)
        return self.credentials(folder)

    def pause(self) -> None:
        """Stop its clock and everything, as a machine that swaps does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Close what is open; the process too, also one that was stopped."""
        if self.process is not None and self.process.poll() is None:
            self.resume()
        super().close()


class Cluster:
    """The nodes, and what they share."""

    def __init__(self, base: Path, databases: Databases, count: int = 3, lease_s: float = 2.0) -> None:
        self.base, self.dsn, self._databases = base, databases.events, databases
        self.shared = self._made(base, lease_s)
        self._bsns = made_up_bsns()
        self.nodes = [self._node(number) for number in range(count)]

    def _made(self, base: Path, lease_s: float) -> dict[str, str]:
        authority, nodes = DevelopmentAuthority(base / "authority"), DevelopmentAuthority(base / "nodes")
        operator = authority.issue_organisation(CITY, "Gemeente Voorbeeld", base / "operator")
        door = authority.issue_server(base / "door")
        node = nodes.issue_node(base / "node")
        keys = base / "keys"
        keys.mkdir(mode=0o700)
        kek = os.open(keys / "kek", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(kek, "w") as file:
            file.write(f"exchange development kek 1\n{secrets.token_hex(32)}\n")
        return {
            "mode": "production",
            "store": "postgres",
            "postgres": self.dsn,
            "keys_postgres": self._databases.keys,
            "checkpoints_postgres": self._databases.checkpoints,
            "keys": str(keys),
            "checkpoints": str(base / "checkpoints"),
            "kek": "file",
            "operator_thumbprint": operator.thumbprint,
            "operator_signing_key": operator.signing_public_key.hex(),
            "server_certificate": str(door.certificate),
            "server_key": str(door.key),
            "client_authorities": str(door.client_ca),
            "node_certificate": str(node.certificate),
            "node_key": str(node.key),
            "node_authorities": str(node.client_ca),
            "lease_seconds": str(lease_s),
        }

    def _node(self, number: int) -> Node:
        address = f"127.0.0.1:{free_ports(1)[0]}"
        return Node(self.base, f"n{number}", self._bsns, **self.shared, node_address=address)

    def start(self) -> Cluster:
        """Start all nodes, one after another."""
        for node in self.nodes:
            node.start()
        self.held()
        return self

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            with suppress(Exception):
                node.close()
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
                node.process.wait()

    # --- who holds it -------------------------------------------------------------------------------------

    def tenure(self) -> Tenure:
        """Return what the store says of the lease."""
        return lease_of(self.dsn)

    def held(self, *, but: str = "") -> Node:
        """Return who holds the shard, once somebody does."""

        def holder() -> Node | None:
            found = self.tenure()
            if found.left_s <= 0 or found.holder in {"", but}:
                return None
            return next(node for node in self.nodes if node.address == found.holder)

        node: Node = until(holder, "a node holds the shard")
        return node

    def others(self, holder: Node) -> list[Node]:
        """Return the nodes that do not hold it."""
        return [node for node in self.nodes if node is not holder]

    def move(self) -> Node:
        """Let the shard move to another node; return who holds it then."""
        before = pass_on(self.dsn).holder
        return self.held(but=before)

    # --- what is stored -----------------------------------------------------------------------------------

    def verified(self) -> int:
        """Return how many events the store holds; every one of them is that of its leaf."""
        with closing(PostgresReader(self.dsn)) as reader:
            report = verify_store(reader)
            assert report.problems == []
            assert report.events == report.leaves == report.position
            return report.position

    def topics_after(self, position: int) -> list[str]:
        """Return the topics of the events after a position."""
        with closing(PostgresReader(self.dsn)) as reader:
            topics: list[str] = []
            while rows := reader.page(position, 10_000):
                topics += [row.topic for row in rows]
                position = rows[-1].position
            return topics

    def head(self) -> int:
        """Return the last committed position."""
        with closing(PostgresReader(self.dsn)) as reader:
            return reader.head()[0]


def ready_of(node: Node) -> dict[str, Any]:
    """Return what a node says of itself."""
    told: dict[str, Any] = json.loads((node.data / "service.json").read_text())
    return told


def metrics(node: Node) -> str:
    """Return the numbers a node tells of itself."""
    where = f"http://127.0.0.1:{node.ready['metrics_port']}/metrics"
    with urllib.request.urlopen(where, timeout=WAIT_S) as answer:
        text: str = answer.read().decode()
    return text
