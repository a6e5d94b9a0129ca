"""The loop: take what happened and what came, do what is to be told, deliver what is to go; and again.

Promises: everything is written down before it has an effect, so that a kill at any moment loses nothing and
doubles nothing; a bad file is put aside with its reason and the rest goes on; an exchange that is away holds
up only what needs it; nothing is ever dropped, and what a person must look at is an error line in the log.
Source: ADAPTERS.md section 2; OP090 (a retour within three working days).
"""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from adapters.kit.journal import wait_before_retry_ms
from adapters.provider.across import identification_taken
from adapters.provider.config import Side
from adapters.provider.declarations import ANSWERED, DECLARATION, build_declaration_answer
from adapters.provider.delivering import Delivering
from adapters.provider.desk import Desk, Surroundings, Verdict, file_name, require_between_us
from adapters.provider.errors import (
    AlreadyRunning,
    FileRefused,
    Finding,
    JournalConflict,
    MappingImpossible,
    MessageRefused,
)
from adapters.provider.folders import Inbox, Outbox
from adapters.provider.journal import Arrival, MessageKey, Outgoing
from adapters.provider.municipal_side import MunicipalSide
from adapters.provider.provider_side import ProviderSide
from adapters.provider.purging import Purging
from adapters.provider.rectifying import Rectifying
from adapters.provider.restricting import Restricting
from adapters.provider.retour import RetourIdentity, build_retour, read_retour
from adapters.provider.rules import TECHNICAL, in_message_findings
from adapters.provider.xml import emit
from adapters.sdk.errors import (
    CredentialsInvalid,
    Denied,
    ExchangeRefused,
    PseudonymRefused,
    ReceiptRefused,
    Refusal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from adapters.provider.config import Config
    from adapters.provider.desk import Held, Party
    from adapters.provider.errands import Errand
    from adapters.provider.errors import ProviderAdapterError
    from adapters.provider.exchange_port import ExchangePort, Happening
    from adapters.provider.folders import Incoming
    from adapters.provider.journal import Journal
    from adapters.provider.xml import Message
    from adapters.sdk.errors import SdkError
    from adapters.sdk.logs import AdapterLog

FOLLOWED: Final = "plans"
# What a later attempt can mend, by itself or once a person looked at it.
NOT_NOW: Final = (ExchangeRefused, CredentialsInvalid, PseudonymRefused, ReceiptRefused)
BATCH_FILES: Final = 50
BATCH_BYTES: Final = 4 * 1024 * 1024
PAUSE_ATTEMPTS_MAX: Final = 6  # the wait for an exchange that is away doubles from one second to 32


class Service:
    """One adapter at work. Owned by the thread that opened the journal."""

    def __init__(
        self,
        config: Config,
        exchange: ExchangePort,
        journal: Journal,
        log: AdapterLog,
        surroundings: Surroundings | None = None,
    ) -> None:
        desk = Desk(config, exchange, journal, log, surroundings or Surroundings())
        self._desk: Final = desk
        self._party: Final[Party] = (
            MunicipalSide(desk) if config.side is Side.MUNICIPALITY else ProviderSide(desk)
        )
        self._inbox: Final = Inbox(config.inbox, config.archive, config.rejected, self._tell_refused)
        self._delivering: Final = Delivering(desk, Outbox(config.outbox))
        self._purging: Final = Purging(desk)
        self._rectifying: Final = Rectifying(desk)
        self._restricting: Final = Restricting(desk)
        self._pauses = 0
        self._paused_until_ms = 0
        self._overdue_told_on: date | None = None
        self._find_archived()

    @property
    def cursor(self) -> int:
        """Return after which position of the exchange we go on."""
        return self._desk.journal.position(FOLLOWED)

    # --- what happened ------------------------------------------------------------------------------------

    def take(self, happening: Happening) -> None:
        """Take a happening: what it means and that it was taken are one transaction."""
        with self._desk.journal.transaction():
            if happening.position <= self.cursor:
                return
            if not self._rectifying.notice(happening):
                self._party.notice(happening)
            self._desk.journal.advance(FOLLOWED, happening.position)

    def advance(self, position: int) -> None:
        """Remember that everything up to here was taken."""
        self._desk.journal.advance(FOLLOWED, position)

    def trouble(self, error: SdkError, attempt: int, wait_ms: int) -> None:
        """Tell that following stopped for a while."""
        self._desk.log.warning(
            "following_interrupted", error=type(error).__name__, attempt=attempt, wait_ms=wait_ms
        )

    # --- one pass -----------------------------------------------------------------------------------------

    def work(self) -> None:
        """Do once what can be done now: inbox, errands, outbox."""
        self._renew()
        # First: what is restricted goes out no more.
        self._restricting.work()
        try:
            self._take_in()
        except OSError as error:
            self._desk.alarm("inbox_failed", error=type(error).__name__)
        self._settle()
        self._delivering.work()
        self._purging.work()
        self._rectifying.work()
        self._tell_overdue()

    def _renew(self) -> None:
        """Go on with renewed credentials; what is half written is looked at again when it changes."""
        try:
            if self._desk.exchange.renew():
                self._desk.log.info("credentials_renewed")
        except CredentialsInvalid as error:
            self._desk.alarm("credentials_not_usable", error=type(error).__name__)

    def _pause(self, error: SdkError) -> None:
        self._pauses += 1
        wait_ms = wait_before_retry_ms(min(self._pauses, PAUSE_ATTEMPTS_MAX), self._desk.jitter())
        self._paused_until_ms = self._desk.now_ms + wait_ms
        refusal = error.refusal if isinstance(error, ExchangeRefused) else Refusal("", "")
        self._desk.log.warning(
            "exchange_not_now",
            error=type(error).__name__,
            reason=refusal.reason,
            rule=",".join(refusal.rules),
            wait_ms=wait_ms,
        )

    @property
    def _paused(self) -> bool:
        return self._desk.now_ms < self._paused_until_ms

    # --- in -----------------------------------------------------------------------------------------------

    def _tell_refused(self, error: ProviderAdapterError) -> None:
        """Tell that the inbox put a file aside that is no message; there is no retour for it (level 1)."""
        self._desk.alarm("file_rejected", code=error.code)

    def _take_in(self) -> None:
        """Take the inbox in by batches, each flushed once; a large message is a batch of its own."""
        batch: list[Incoming] = []
        held = 0
        for incoming in self._inbox.take():
            batch.append(incoming)
            held += len(incoming.content)
            if len(batch) >= BATCH_FILES or held >= BATCH_BYTES:
                self._receive_all(batch)
                batch, held = [], 0
        self._receive_all(batch)

    def _receive_all(self, batch: list[Incoming]) -> None:
        if not batch:
            return
        journal, kept = self._desk.journal, list[tuple[MessageKey, str]]()
        with journal.transaction():
            for incoming in batch:
                if not incoming.message.schema.answers and self._between_us(incoming.message):
                    journal.receive(_key(incoming), self._desk.now_ms, self._desk.today)
        try:
            for incoming in batch:
                self._receive(incoming, kept)
        finally:
            self._inbox.settle()
            with journal.transaction():
                for key, name in kept:
                    journal.archived(key, name)

    def _between_us(self, message: Message) -> bool:
        try:
            require_between_us(self._desk.config, message, ours=False)
        except FileRefused:
            return False
        return True

    def _receive(self, incoming: Incoming, kept: list[tuple[MessageKey, str]]) -> None:
        message = incoming.message
        try:
            if message.number == ANSWERED:
                require_between_us(self._desk.config, message, ours=False)
                self._party.take_answer(message, incoming.digest)
            elif message.schema.answers:
                self._take_retour(incoming)
            elif not self._take_message(incoming):
                return
            name = self._inbox.archive(incoming.name).name
        except (FileRefused, JournalConflict) as refused:
            self._desk.alarm("file_rejected", message_type=message.name, reason=str(refused))
            self._inbox.reject(incoming.name, f"{refused.code}: {refused}", remedy=refused.remedy)
            return
        if not message.schema.answers:
            kept.append((_key(incoming), name))

    def _take_retour(self, incoming: Incoming) -> None:
        message = incoming.message
        require_between_us(self._desk.config, message, ours=True)
        answer = read_retour(message)
        codes = tuple(code for _, code in answer.codes)
        answered = self._desk.kind(message.schema.answers)
        with self._desk.journal.transaction():
            if not self._desk.journal.answered(answered, answer.answers, codes):
                raise FileRefused("this answers no message of ours")
            if len(message.root.children) > 1:
                # A refusal by class repeats who the message was about.
                about = self._desk.about.whom_sent(answered, answer.answers)
                self._desk.about.read(incoming.digest, about)
        if answer.accepted:
            self._desk.log.info("message_accepted", message_type=answered)
        else:
            told = ",".join(sorted(set(codes)))
            self._desk.alarm("message_refused", message_type=answered, code=told)

    def _take_message(self, incoming: Incoming) -> bool:
        """Answer a message; False leaves it in the inbox for a later pass."""
        desk, message, key = self._desk, incoming.message, _key(incoming)
        require_between_us(self._desk.config, message, ours=False)
        if self._paused and message.number in self._party.asks_to_judge:
            return False
        arrival = desk.journal.receive(key, desk.now_ms, desk.today)
        if arrival is Arrival.ANSWERED:
            desk.journal.answer_again(key, desk.now_ms)
            desk.log.info("message_again", message_type=message.name)
            return True
        try:
            verdict = self._judge(message, arrival)
        except NOT_NOW as error:
            self._pause(error)
            return False
        self._pauses = 0
        self._answer(key, message, verdict)
        return True

    def _judge(self, message: Message, arrival: Arrival) -> Verdict:
        if arrival is Arrival.CLASH:
            return Verdict((identification_taken(),))
        findings = in_message_findings(message, self._desk.today)
        if findings:
            return Verdict(findings)
        try:
            return self._party.judge(message)
        except MappingImpossible:
            # The standard allows what this adapter cannot carry: the sender hears that it was refused.
            return Verdict((Finding("MAPPING", "/Bericht", TECHNICAL),))

    def _answer(self, key: MessageKey, message: Message, verdict: Verdict) -> None:
        desk = self._desk
        identity = RetourIdentity(desk.fresh_identification(), desk.today)
        build = build_declaration_answer if message.number == DECLARATION else build_retour
        retour = build(message, verdict.findings, identity)
        outgoing = Outgoing(
            name=file_name(retour, identity.identification),
            kind=retour.name,
            identification=identity.identification,
            content=emit(retour),
            pseudonym=verdict.pseudonym,
        )
        with desk.journal.transaction():
            if verdict.keep is not None:
                verdict.keep()
            desk.about.read(key.digest, verdict.people)
            desk.about.sent(outgoing.name, verdict.people)
            desk.journal.answer(key, outgoing, desk.now_ms)
        rules = ",".join(sorted({finding.rule for finding in verdict.findings}))
        told = "message_rejected" if verdict.findings else "message_taken"
        desk.log.info(told, message_type=message.name, rule=rules)

    def _find_archived(self) -> None:
        """Find the files that were archived just before a kill, so that a purge finds them too."""
        missing = self._desk.journal.answered_not_archived()
        if not missing:
            return
        for path in self._desk.config.archive.iterdir():
            key = missing.get(hashlib.sha256(path.read_bytes()).digest())
            if key is not None:
                self._desk.journal.archived(key, path.name)

    # --- errands ------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        for errand in self._desk.errands.due(self._desk.now_ms):
            if self._paused:
                return
            self._settle_one(errand)

    def _settle_one(self, errand: Errand) -> None:
        desk = self._desk
        # What was stopped with its plan a moment ago is no longer to be done.
        if desk.errands.state(errand.support_id, errand.kind, errand.care) != "due":
            return
        try:
            held = self._party.settle(errand)
        except Denied as denied:
            # We have no part in this plan any more: nothing of it leaves the house from here on.
            reason = f"denied {','.join(denied.rules)}".strip()
            for kind in desk.errands.park_plan(errand.plan_id, reason):
                desk.alarm("errand_parked", message_type=kind, reason=reason)
        except (MessageRefused, MappingImpossible) as broken:
            findings = getattr(broken, "findings", ())
            desk.errands.park(errand, f"{broken.code} {','.join(one.rule for one in findings)}".strip())
            desk.alarm("errand_parked", message_type=errand.kind, reason=broken.code)
        except NOT_NOW as error:
            self._pause(error)
        else:
            self._pauses = 0
            self._note(errand, held)

    def _note(self, errand: Errand, held: Held | None) -> None:
        desk = self._desk
        if held is None:
            desk.log.info("errand_done", message_type=errand.kind)
        elif held.parked:
            desk.errands.park(errand, held.reason)
            desk.alarm("errand_parked", message_type=errand.kind, reason=held.reason)
        else:
            desk.errands.later(errand, held.reason, desk.now_ms, desk.jitter())
            desk.log.warning(
                "errand_waits", message_type=errand.kind, reason=held.reason, attempt=errand.attempts + 1
            )

    # --- terms ------------------------------------------------------------------------------------------

    def _tell_overdue(self) -> None:
        """Once a day, tell of terms that passed: ours and theirs."""
        today = self._desk.today
        if self._overdue_told_on == today:
            return
        self._overdue_told_on = today
        for event, late in (
            ("retours_overdue", self._desk.journal.overdue(today)),
            ("retours_not_received", self._desk.journal.unanswered(today)),
        ):
            if late:
                self._desk.alarm(event, count=len(late))


def _key(incoming: Incoming) -> MessageKey:
    header = incoming.message.root.children[0]
    return MessageKey(
        sender=header.required("Afzender"),
        kind=incoming.message.name,
        identification=header.required("BerichtIdentificatie/Identificatie"),
        digest=incoming.digest,
    )


@contextmanager
def alone_at(config: Config) -> Iterator[None]:
    """Keep a second adapter off the same state. Raises AlreadyRunning."""
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with config.lock.open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("another adapter works on this state folder") from None
        yield


def catch_up(service: Service, exchange: ExchangePort) -> None:
    """Take everything that happened until now. Raises the SDK's errors."""
    for happening in exchange.follow(service.cursor, service.advance, until_caught_up=True):
        service.take(happening)
