"""One node of a cluster on one machine: `exchange serve` on the cluster's database."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy.local.processes import Process, free_ports, wait_until

if TYPE_CHECKING:
    from deploy.local.cluster import Cluster

READY_WAIT_S: Final = 60.0
REPOSITORY: Final = Path(__file__).resolve().parents[2]


class Node:
    """May be killed, stopped and started again; `ready` is what it said of itself at the last start."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.name = f"node{number}"
        self.data = cluster.folder / self.name
        self.ready: dict[str, Any] = {}
        words = [sys.executable, "-m", "exchange", "serve", "--data", str(self.data)]
        kept = {name: value for name, value in os.environ.items() if name == "PYTHONPYCACHEPREFIX"}
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        settings = {"checkpoints": str(cluster.folder / f"{self.name}-checkpoints")} | cluster.shared
        if "node_certificate" in settings:
            settings["node_address"] = self.address
        self.process = Process(
            self.name,
            [*words, "--port", "0", "--metrics-port", "0"],
            cluster.folder,
            {
                "EXCHANGE_STORE": "postgres",
                "EXCHANGE_POSTGRES": cluster.dsn(),
                "PGPASSFILE": str(cluster.pgpass),
                **{f"EXCHANGE_{name.upper()}": value for name, value in settings.items()},
                **kept,
            },
        )

    def start(self) -> None:
        """Start it, and return when it says where it listens. Raises TimeoutError or ChildProcessError."""
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        """Start it."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.process.start(REPOSITORY)

    def await_ready(self) -> None:
        """Return when it says where it listens. Raises as `start` does."""
        wait_until(self._is_ready, READY_WAIT_S, f"{self.name}, see its log")

    def _is_ready(self) -> bool:
        if not self.process.running:
            raise ChildProcessError(f"{self.name} did not start:\n{self.process.said()}")
        with suppress(FileNotFoundError):
            told = json.loads((self.data / "service.json").read_text(encoding="utf-8"))
            if told["pid"] == self.process.pid:
                self.ready = told
                return True
        return False

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()

    def stop(self) -> None:
        """Let it finish what it accepted, and stop."""
        self.process.stop()
