"""The stage of the story.

Organisations with their own credentials, people in their tasks, and what came of each step. Promises: every
actor reaches the exchange as anybody would, through the SDK, mutual TLS and a person token; a step that ends
otherwise than told stops the story.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import Denied, ExchangeRefused
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.subscription import Position, Subscription
from adapters.sdk.tokens import Person
from exchange.v1.common_pb2 import BreakGlass, Claim, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from adapters.sdk.bsn import Bsn
    from adapters.sdk.calls import Blocking, LedgerCalls
    from exchange.v1.subscription_service_pb2 import PublishedEvent

NECESSITY: Final = "Nodig voor deze taak; niet op een minder ingrijpende manier te krijgen"
BEHEER: Final = claim(Purpose.PURPOSE_BEHEER, "ORG-ADMIN-24", NECESSITY)
WIJKTEAM: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", NECESSITY)
WERK: Final = claim(Purpose.PURPOSE_PW_ARBEIDSINSCHAKELING, "PW-7", NECESSITY)
LEVERING: Final = claim(Purpose.PURPOSE_WMO_LEVERING, "WMO-5.1.2", NECESSITY)
INZIEN: Final = claim(Purpose.PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a", NECESSITY)
HERGEBRUIK: Final = claim(Purpose.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", NECESSITY)
AFWEGEN: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WEIGH-24", NECESSITY)
BEWONER: Final = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "RESIDENT-WORD")
INZAGE: Final = claim(Purpose.PURPOSE_INZAGE, "SUBJECT-15")
AUDIT: Final = claim(Purpose.PURPOSE_AUDIT, "FG-AUDIT-39")


FOLLOW_S: Final = 20.0


class StoryBroken(Exception):
    """A step ended otherwise than the story tells."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the story is told with. `today` is the day it plays; `clock` gives seconds since 1970, UTC."""

    target: str
    work: Path
    log_vkey: str
    today: date
    clock: Callable[[], float] = time.time

    def day(self, days: int) -> str:
        """Return a day so many days from today, ISO 8601."""
        return (self.today + timedelta(days=days)).isoformat()


class Organisation:
    """One organisation's system: its folder, its connection, its people."""

    def __init__(self, script: Script, name: str) -> None:
        self.folder = script.work / name
        self.credentials = Credentials.load(self.folder / "credentials")
        self._client = ExchangeClient(script.target, self.credentials, clock=script.clock)
        self._script = script

    @property
    def oin(self) -> str:
        """Its number."""
        return self.credentials.oin

    def as_(self, professional: str, task: str, role: str, resident: bytes | None = None) -> ExchangeClient:
        """Return a client that speaks as one person, who showed both factors just now."""
        person = Person(
            professional, task, role, resident=resident, authenticated_at=int(self._script.clock())
        )
        return self._client.with_person(person)

    def ledger(self) -> LedgerCalls[Blocking]:
        """Return the calls that need no person."""
        return self._client.ledger

    def pseudonym(self, bsn: Bsn, person: ExchangeClient, why: Claim) -> bytes:
        """Blind a BSN here and return this organisation's own pseudonym of the resident."""
        (pseudonym,) = Pseudonyms(self.folder / "exchange-key").of(person.identity, why, [bsn])
        return pseudonym

    def close(self) -> None:
        """Hang up."""
        self._client.close()


@dataclass(slots=True)
class Telling:
    """Collects what happened, and prints each step as one JSON line."""

    receipts: list[tuple[str, int, bytes]] = field(default_factory=list)  # (organisation, leaf index, entry)

    def chapter(self, title: str) -> None:
        """Open a chapter."""
        self._line({"chapter": title})

    def step(self, name: str, text: str, outcome: str, rules: Sequence[str] = ()) -> None:
        """Tell one step."""
        self._line({"name": name, "text": text, "outcome": outcome, "rules": sorted(rules)})

    def refused(self, name: str, text: str, ask: Callable[[], object], *rules: str) -> Denied:
        """Tell a step that the gate must refuse, by exactly these rules; the last one's sentence is told."""
        try:
            ask()
        except Denied as denied:
            if set(denied.rules) != set(rules):
                raise StoryBroken(f"{name}: refused by {denied.rules}, told was {rules}") from denied
            self.step(name, f'{text} "{_sentence(denied.localized, rules[-1])}"', "DENY", denied.rules)
            return denied
        raise StoryBroken(f"{name}: was permitted and should not be")

    def broken(self, name: str, text: str, ask: Callable[[], object], reason: str, *, rule: str = "") -> None:
        """Tell a step that a rule of the domain must refuse; by `rule` where it is given."""
        try:
            ask()
        except ExchangeRefused as refused:
            if refused.reason != reason:
                raise StoryBroken(f"{name}: refused for {refused.reason}") from refused
            if rule and refused.refusal.rule != rule:
                raise StoryBroken(f"{name}: refused by {refused.refusal.rule}") from refused
            self.step(name, text, "REFUSED", (rule or refused.reason,))
            return
        raise StoryBroken(f"{name}: was accepted and should not be")

    def keep(self, organisation: Organisation, response: object) -> None:
        """Keep the receipt of a command for the end of the story."""
        receipt = response.receipt  # type: ignore[attr-defined] # every command's response has one
        self.receipts.append((organisation.folder.name, receipt.leaf_index, receipt.leaf_entry))

    def _line(self, told: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def _sentence(localized: str, rule: str) -> str:
    """Return what the refusal says of one rule, its citation left out; the Dutch is the service's own."""
    _, _, after = localized.partition(f"{rule}: ")
    return after.partition(" [")[0]


@contextmanager
def followed(
    client: ExchangeClient, why: Claim, fields: Sequence[str], cursor: int
) -> Iterator[Iterator[PublishedEvent]]:
    """Follow what comes after a position; ends after FOLLOW_S, so that nothing is waited for in vain."""
    stream = Subscription(client, Position(why, fields, cursor, lambda _: None))
    ends = threading.Timer(FOLLOW_S, stream.close)
    ends.start()
    try:
        yield iter(stream)
    finally:
        ends.cancel()
        stream.close()


def break_glass(reason: str, code: str = "LEVENSGEVAAR") -> Claim:
    """Return a claim of acute danger, to life where nothing else is said."""
    return claim(Purpose.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", break_glass=BreakGlass(code=code, reason=reason))
