"""Where clients of a load find the exchange, and as whom: enough to open cases with.

Promises: asks for the endpoints anew at each connection, since a node that came back may listen elsewhere.
"""

from __future__ import annotations

import time
from itertools import cycle
from threading import Lock
from typing import TYPE_CHECKING

from adapters.sdk.bsn import Bsn
from adapters.sdk.client import ExchangeClient
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from tests.e2e.service import INVESTIGATE, ONCE, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from adapters.sdk.credentials import Credentials

TIMEOUT_S = 5.0


class Doors:
    """The municipality's credentials, and one or several nodes that serve one shard."""

    def __init__(
        self,
        targets: Callable[[], Sequence[str]],
        credentials: Credentials,
        pins: Path,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._targets = targets
        self._credentials = credentials
        self._pins = pins
        self._lock = Lock()
        self._turn = cycle(range(1_000_000))
        self._bsns = made_up_bsns()
        self._clock = clock  # that tokens are made by
        self._clients: list[ExchangeClient] = []

    def connect(self, person: Person) -> ExchangeClient:
        """Open a connection of one's own to the node whose turn it is; whoever opens it closes it."""
        with self._lock:
            targets = self._targets()
            target = targets[next(self._turn) % len(targets)]
        return ExchangeClient(
            target, self._credentials, person, patience=ONCE, timeout_s=TIMEOUT_S, clock=self._clock
        )

    def client(self, person: Person) -> ExchangeClient:
        """Open a connection that is closed with the doors."""
        opened = self.connect(person)
        with self._lock:
            self._clients.append(opened)
        return opened

    def worker(self, task: str = "college:WMO", professional: str = "w-1") -> ExchangeClient:
        """Return a client of somebody of the municipality."""
        return self.client(Person(professional, task, "regisseur"))

    def bsn(self) -> str:
        """Draw a number nobody has."""
        with self._lock:
            return next(self._bsns)

    def pseudonym(self, client: ExchangeClient, bsn: str) -> bytes:
        """Blind a number as the municipality does."""
        return Pseudonyms(self._pins / f"pin-{bsn}").of(client.identity, INVESTIGATE, [Bsn(bsn)])[0]

    def close(self) -> None:
        """Close what the doors opened."""
        while self._clients:
            self._clients.pop().close()
