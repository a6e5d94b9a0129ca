"""Witnesses behind a transport without a network: each is the real one, and can be away, slow or broken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exchange.errors import Unavailable
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.witness import Witness
from exchange.ledger.witness_store import WitnessStore
from exchange.pipeline.handing import Reply
from tests.ledger.builders import NOON, witness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.ledger.checkpoint import Policy
    from exchange.ledger.note import Cosigner, VerifierKey


@dataclass
class Street:
    """Witnesses 1 to n of the logs with these keys, at http://1 to http://n."""

    folder: Path
    logs: Sequence[VerifierKey]
    count: int = 3
    away: set[int] = field(default_factory=set)
    stuck: set[int] = field(default_factory=set)
    instead: dict[int, Reply] = field(default_factory=dict)
    shown: dict[int, Reply] = field(default_factory=dict)  # to monitors, by a witness that lies
    asked: list[tuple[int, bytes | None]] = field(default_factory=list)
    all_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.stores = [WitnessStore(self.folder / f"{number}.db") for number in self.numbers]
        self.cosigners: list[Cosigner] = [witness(number) for number in self.numbers]
        evidence = EvidenceFolder(self.folder / "theirs")
        self.witnesses = [
            Witness(key, self.logs, store, evidence, lambda: NOON)
            for key, store in zip(self.cosigners, self.stores, strict=True)
        ]

    @property
    def numbers(self) -> range:
        return range(1, self.count + 1)

    def policy_text(self, quorum: str = "group Q 2 W1 W2 W3\nquorum Q\n") -> str:
        lines = [f"witness W{number} {witness(number).vkey} http://{number}\n" for number in self.numbers]
        return "".join(lines) + quorum

    def policy(self, quorum: str = "group Q 2 W1 W2 W3\nquorum Q\n") -> Policy:
        return parse_policy(self.policy_text(quorum))

    def accepting(self, quorum: str = "group Q 2 W1 W2 W3\nquorum Q\n") -> Policy:
        """Return the policy of whoever verifies."""
        return parse_policy(f"log {self.logs[0]}\n{self.policy_text(quorum)}")

    async def send(self, url: str, body: bytes | None) -> Reply:
        number, _, path = url.removeprefix("http://").partition("/")
        self.asked.append((int(number), body))
        if {one for one, _ in self.asked} == set(self.numbers):
            self.all_asked.set()
        if int(number) in self.stuck:
            await asyncio.Event().wait()
        if int(number) in self.away:
            raise Unavailable("a witness does not answer")
        if body is not None and int(number) in self.instead:
            return self.instead[int(number)]
        one = self.witnesses[int(number) - 1]
        if body is None and int(number) in self.shown:
            return self.shown[int(number)]
        if body is None:
            note = one.checkpoint(path.partition("/")[0])
            return Reply(404, b"") if note is None else Reply(200, note)
        answer = one.add_checkpoint(body)
        return Reply(answer.outcome.value, answer.body)

    def close(self) -> None:
        for store in self.stores:
            store.close()
