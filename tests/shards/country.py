"""Exchanges of several municipalities on one PostgreSQL server, and a front: all real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from adapters.sdk.client import ExchangeClient
from exchange.keys.authority import DevelopmentAuthority
from exchange.wiring.shards import add_shard
from tests.e2e.service import ONCE, REPOSITORY, Service, environment, exchange
from tests.shards.maps import OPEN

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from exchange.server.shards.map import ShardMap

WAIT_S = 60.0
LOOK_EVERY_S = 0.02


class Municipality(Service):
    """One municipality's exchange. Once `through` is a front, who talks to it comes by that."""

    def __init__(self, base: Path, code: str, oin: str, **settings: str) -> None:
        super().__init__(base / f"g{code}", operator_oin=oin, origin_host="log.example", **settings)
        self.municipality, self.server_name = code, f"g{code}.exchange.example"
        self.through: Front | None = None
        # Its door's certificate is for the name that callers use, and for no other.
        DevelopmentAuthority(self.data / "authority").issue_server(self.data / "door", (self.server_name,))

    def client(self, person: Person, credentials: Credentials | None = None) -> ExchangeClient:
        """Return a blocking client that tries once, and knows the exchange by its name."""
        target = self.target if self.through is None else self.through.target
        client = ExchangeClient(
            target, credentials or self.credentials(), person, server_name=self.server_name, patience=ONCE
        )
        self._clients.append(client)
        return client

    def told(self) -> dict[str, Any]:
        """Return what a map says of it."""
        return {
            "municipality": self.municipality,
            "name": f"shard-{self.municipality}",
            "server_names": [self.server_name],
            "doors": [self.target],
            "log_key": self.log_vkey,
            "valid_from": OPEN,
        }

    def added_to(self, file: Path, **other: object) -> ShardMap:
        """Add it to a map, with something told otherwise; return the map."""
        return add_shard(file, self.told() | other, self.data / "operator")

    def added_by_hand(self, file: Path, *more: str) -> subprocess.CompletedProcess[bytes]:
        """Add it to a map by the command line; return what came of that."""
        told = self.told()
        words = ["--municipality", told["municipality"], "--name", told["name"], "--door", self.target]
        words += ["--server-name", self.server_name, "--log-key", self.log_vkey]
        words += ["--credentials", str(self.data / "operator"), *more]
        return exchange("shards", "add", "--map", str(file), *words)


class Front:
    """`exchange front` as a process."""

    def __init__(self, base: Path, file: Path) -> None:
        self.file = file
        self.log, self._ready = base / "front.log", base / "front.json"
        self._out = base / "front.out"
        words = ["-m", "exchange", "front", "--map", str(file), "--port", "0", "--metrics-port", "0"]
        words += ["--log-file", str(self.log), "--drain-s", "1", "--ready-file", str(self._ready)]
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603 -- our own program, fixed words
                [sys.executable, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env=environment(),
            )
        self.ready: dict[str, Any] = self._until_ready()

    def _until_ready(self) -> dict[str, Any]:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(FileNotFoundError):
                return dict(json.loads(self._ready.read_text()))
            time.sleep(LOOK_EVERY_S)
        self.process.kill()
        raise AssertionError(f"the front did not start:\n{self._out.read_text()[-2_000:]}")

    @property
    def target(self) -> str:
        """Where it listens."""
        target: str = self.ready["target"]
        return target

    def look(self) -> None:
        """Let it look at its map now."""
        self.process.send_signal(signal.SIGHUP)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one kind."""
        told = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [line for line in told if line["event"] == event]

    def until(self, event: str, count: int) -> dict[str, Any]:
        """Return the line of a kind, once there are so many."""
        end = time.monotonic() + WAIT_S
        while len(found := self.lines(event)) < count:
            assert time.monotonic() < end, f"{event} never came {count} times"
            time.sleep(LOOK_EVERY_S)
        assert len(found) == count
        return found[-1]

    def metric(self, name: str) -> float:
        """Return a number it tells; `name` with its labels."""
        where = f"http://127.0.0.1:{self.ready['metrics_port']}/metrics"
        with urllib.request.urlopen(where, timeout=WAIT_S) as answer:
            told = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
        return float(told[name])

    def close(self) -> int:
        """Ask it to stop; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(WAIT_S)
        finally:
            self.process.kill()


def replaced(file: Path, content: bytes) -> None:
    """Put another map in the place of the one that lies there, whole."""
    partial = file.with_suffix(".other")
    partial.write_bytes(content)
    partial.replace(file)
