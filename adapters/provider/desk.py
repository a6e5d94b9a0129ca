"""What both sides share: clock and chance, names of messages, and how one gets into the outbox.

Promises: a message of ours passed its own in-message rules and its schema before it is kept; its place in the
outbox and the end of its errand are one transaction.
Source: iWmo and iJw 3.2, TR056 (an identification is unique for its sender), OP090 (term of a retour).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo

from adapters.kit.rates import REAL, Limits, Pace, Rate
from adapters.provider.assigned_care import AssignedCare
from adapters.provider.deadlines import retour_due
from adapters.provider.declaration_book import DeclarationBook
from adapters.provider.envelopes import Envelopes, chance_uuid
from adapters.provider.errands import Errands
from adapters.provider.errors import FileRefused, MessageInvalid
from adapters.provider.files_about import FilesAbout
from adapters.provider.holding import Holding, Waits
from adapters.provider.journal import Outgoing
from adapters.provider.records import Envelope
from adapters.provider.register import Register
from adapters.provider.request_book import RequestBook
from adapters.provider.rules import in_message_findings
from adapters.provider.terms import Terms
from adapters.provider.xml import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date

    from adapters.provider.config import Config
    from adapters.provider.errands import Errand
    from adapters.provider.errors import Finding
    from adapters.provider.exchange_port import ExchangePort
    from adapters.provider.journal import Journal
    from adapters.provider.plan_seen import Happening
    from adapters.provider.xml import Message
    from adapters.sdk.logs import AdapterLog, Value

LOCAL: Final = ZoneInfo("Europe/Amsterdam")
COUNTERPARTY: Final = "counterparty"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TIME_DIGITS: Final = 8
_CHANCE_DIGITS: Final = 4
_JITTER_STEPS: Final = 1_000_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The moment, with its zone, chance below a bound, a clock that nobody sets, and whose turn it is."""

    now: Callable[[], datetime] = _utc_now
    below: Callable[[int], int] = secrets.randbelow
    pace: Pace = REAL
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """An errand that was not done: `parked` waits for a person, else it is tried again."""

    reason: str
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a side found of a message; `keep` writes its effect down, with the answer or not at all.

    Where it `waits`, nothing may be done about it yet; the rest is what becomes of it when its term is over.
    """

    findings: tuple[Finding, ...]
    pseudonym: str | None = None
    keep: Callable[[], None] | None = None
    people: tuple[str, ...] = ()  # whom a message about more than one person is about
    waits: Waits | None = None


class Party(Protocol):
    """One side of the traffic."""

    # The messages that are judged by asking the exchange.
    asks_to_judge: frozenset[str]

    def notice(self, happening: Happening) -> None:
        """Write down what a happening means, inside the caller's transaction; asks nobody."""

    def settle(self, errand: Errand) -> Held | None:
        """Do an errand, or tell why not. Raises the SDK's errors and what composing a message raises."""

    def take_answer(self, message: Message, digest: bytes) -> None:
        """Take a 325, with the SHA-256 of its bytes. Raises FileRefused for one that answers nothing."""

    def ask_ahead(self, messages: Sequence[Message]) -> None:
        """Begin to ask the exchange about the messages of a batch, where they are judged by asking it.

        Those of the batch before may not be judged yet; those of an earlier one are.
        """

    def must_ask(self, message: Message) -> bool:
        """Tell whether judging this message asks the exchange; waits for what is asked about it."""

    def end_asking(self) -> None:
        """Wait until nothing is asked ahead any more, and forget what was answered."""

    def judge(self, message: Message) -> Verdict:
        """Judge a message that passed its in-message rules. Raises the SDK's errors where it cannot now."""


def limits_of(
    config: Config, surroundings: Surroundings, stopped: Callable[[], bool] = lambda: False
) -> Limits:
    """Return who says when messages may be posted; one for as long as the process lives."""
    rates: dict[str, Rate] = {}
    if config.http is not None:
        rates[COUNTERPARTY] = config.http.rate
    return Limits(
        rates,
        config.waits,
        surroundings.pace,
        now=lambda: surroundings.now().timestamp(),
        stopped=stopped,
    )


class Desk:
    """The journal and all that lies in its file. Owned by the thread that opened the journal."""

    def __init__(
        self,
        config: Config,
        exchange: ExchangePort,
        journal: Journal,
        log: AdapterLog,
        surroundings: Surroundings,
    ) -> None:
        self.config: Final = config
        self.limits: Final = surroundings.limits or limits_of(config, surroundings)
        self.exchange: Final = exchange
        self.journal: Final = journal
        # Their tables are made in one step, flushed once.
        with journal.transaction():
            self.register: Final = Register(journal)
            self.errands: Final = Errands(journal)
            self.care: Final = AssignedCare(journal)
            self.terms: Final = Terms(journal)
            self.requests: Final = RequestBook(journal)
            self.declarations: Final = DeclarationBook(journal)
            self.about: Final = FilesAbout(journal)
            self.held: Final = Holding(journal, config.seal_key)
            self.envelopes: Final = Envelopes(config, journal, lambda: chance_uuid(surroundings.below))
        self.log: Final = log
        self._surroundings: Final = surroundings

    @property
    def now_ms(self) -> int:
        """Return the moment in milliseconds since 1970 UTC."""
        return int(self._surroundings.now().timestamp() * 1_000)

    @property
    def steady_ms(self) -> int:
        """Return milliseconds of a clock that nobody sets: how long to wait, never what day it is."""
        return int(self._surroundings.pace.steady() * 1_000)

    @property
    def local_now(self) -> datetime:
        """Return the moment as the messages tell time: Dutch, to the second."""
        return self._surroundings.now().astimezone(LOCAL).replace(microsecond=0)

    @property
    def today(self) -> date:
        """Return the day of today in the Netherlands."""
        return self.local_now.date()

    def people_of(self, plan_ids: Collection[str]) -> frozenset[str]:
        """Return the pseudonyms of whom these plans are, as far as anything of them is kept here."""
        return frozenset(self.register.people_of(plan_ids) | self.errands.people_of(plan_ids))

    def told_of_care(self, plan_ids: Collection[str]) -> bool:
        """Tell whether a message about care under one of these plans went out, or came in."""
        if any(self.errands.told_of_care(plan_id) for plan_id in plan_ids):
            return True
        return any(any(self.care.delivered(one, self.config.law)) for one in self.people_of(plan_ids))

    def alarm(self, event: str, **keys: Value) -> None:
        """Tell of something that a person must look at."""
        self.log.error(event, **keys)

    def below(self, bound: int) -> int:
        """Return a number by chance from 0 up to, not including, `bound`."""
        return self._surroundings.below(bound)

    def jitter(self) -> float:
        """Return a number by chance in [0, 1)."""
        return self.below(_JITTER_STEPS) / _JITTER_STEPS

    def fresh_identification(self) -> str:
        """Return twelve characters that sort by time and are unique without asking anybody."""
        return _digits(self.now_ms, _TIME_DIGITS) + _digits(
            self.below(len(_DIGITS) ** _CHANCE_DIGITS), _CHANCE_DIGITS
        )

    def envelope(self) -> Envelope:
        """Return a new envelope from us to the counterparty, dated today."""
        config = self.config
        return Envelope(
            config.law, config.own_code, config.counterparty_code, self.fresh_identification(), self.today
        )

    def kind(self, number: str) -> str:
        """Return the name people use for a message, such as WMO301."""
        return f"{self.config.law.value.upper()}{number}"

    def tell(self, errand: Errand, message: Message, pseudonym: str) -> str:
        """Put a message in the outbox and end its errand. Raises MessageInvalid where it breaks a rule."""
        with self.journal.transaction():
            name = self.post(message, pseudonym)
            self.errands.done(errand, name)
        return name

    def post(self, message: Message, pseudonym: str | None) -> str:
        """Put a message of ours in the outbox and return its name. Raises MessageInvalid as `tell` does."""
        findings = in_message_findings(message, self.today)
        if findings:
            raise MessageInvalid(f"{message.name} breaks its own rules", findings)
        header = message.root.children[0]
        identification = header.required("BerichtIdentificatie/Identificatie")
        outgoing = Outgoing(
            name=file_name(message, identification),
            kind=message.name,
            identification=identification,
            content=emit(message),
            retour_due=retour_due(message.name, self.today),
            pseudonym=pseudonym,
        )
        self.journal.send(outgoing, self.now_ms)
        return outgoing.name


def require_between_us(config: Config, message: Message, *, ours: bool) -> None:
    """Refuse what is of another law or between others; a retour names sender and receiver unswapped.

    `ours` is a message of ours, or a retour to one. The widths of both codes are part of each message's
    schema, so a message cannot go the other way. Raises FileRefused.
    """
    if message.law is not config.law:
        raise FileRefused("a message of another law than this adapter is set up for")
    parties = (config.counterparty_code, config.own_code)
    header = message.root.children[0]
    found = (header.required("Afzender"), header.required("Ontvanger"))
    if found != (parties[::-1] if ours else parties):
        raise FileRefused("Afzender and Ontvanger are not this counterparty and us")


def file_name(message: Message, identification: str) -> str:
    """Return the name of a file for a message of ours."""
    return f"{message.name}-{identification}.xml"


def _digits(value: int, count: int) -> str:
    """Write the last `count` digits of a number in base 36."""
    written = ""
    for _ in range(count):
        value, digit = divmod(value, len(_DIGITS))
        written = _DIGITS[digit] + written
    return written
