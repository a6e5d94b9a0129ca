"""Takes messages in: each is judged and answered, its file kept or put aside.

Promises: a message is written down before it has an effect, and its answer with its effect in one step; its
file is moved after that, so that a kill at any moment takes it in again, with the same commands. What the
exchange is asked of the messages of a batch is asked side by side, while the batch before it is judged and
answered and the next one is read; what is written of a batch is flushed once. Messages are judged in the
order of their names, and one that rests on another is asked about after that one was judged.
Source: OP090 (a retour within three working days).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from adapters.provider.across import identification_taken
from adapters.provider.arriving import clear_passing
from adapters.provider.declarations import ANSWERED, DECLARATION, build_declaration_answer
from adapters.provider.desk import Verdict, file_name, require_between_us
from adapters.provider.envelopes import Opening
from adapters.provider.errors import (
    EnvelopeRefused,
    FileRefused,
    Finding,
    JournalConflict,
    MappingImpossible,
    MessageRefused,
    MessageUnsafe,
    StufCode,
)
from adapters.provider.folders import Inbox
from adapters.provider.journal import Arrival, MessageKey, Outgoing
from adapters.provider.pausing import NOT_NOW
from adapters.provider.resuming import Resuming
from adapters.provider.retour import RetourIdentity, build_retour, read_retour
from adapters.provider.rules import TECHNICAL, in_message_findings
from adapters.provider.xml import emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.provider.desk import Desk, Party
    from adapters.provider.errors import ProviderAdapterError
    from adapters.provider.folders import Incoming
    from adapters.provider.pausing import Pausing
    from adapters.provider.xml import Message

BATCH_FILES: Final = 100
BATCH_BYTES: Final = 4 * 1024 * 1024


class Done(Enum):
    """What becomes of the file of a message that is not refused."""

    TAKEN = "taken"
    LATER = "later"
    HELD = "held"


Outcome = FileRefused | JournalConflict | Done


@dataclass(slots=True)
class _Batch:
    """Messages that are asked about side by side, with what was found in those that may be asked about."""

    files: list[Incoming] = field(default_factory=list)
    size: int = 0
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)

    def add(self, incoming: Incoming) -> None:
        self.files.append(incoming)
        self.size += incoming.size

    @property
    def full(self) -> bool:
        return len(self.files) >= BATCH_FILES or self.size >= BATCH_BYTES


class Taking:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk, party: Party, pausing: Pausing) -> None:
        self._desk: Final = desk
        self._party: Final = party
        self._pausing: Final = pausing
        self._left = False  # whether this pass left a message for the next one
        config = desk.config
        if config.http is None or config.http.port is None:
            # With a door, that did it before it opened: by now something may be on its way through it.
            clear_passing(config)
        opening = Opening(config, desk.envelopes, self._fault).open if config.ggk is not None else None
        self._inbox: Final = Inbox(
            config.inbox,
            config.archive,
            config.rejected,
            self._tell_refused,
            opening,
            now_ms=lambda: desk.now_ms,
        )
        self._find_archived()
        self._resuming: Final = Resuming(desk, party, pausing, self._inbox, self._answer)

    def work(self, answered: Callable[[], None]) -> None:
        """Take the inbox in by batches, each flushed once; a large message is a batch of its own.

        `answered` is called behind each batch whose answers lie in the outbox.
        """
        self._resuming.work()
        self._left = False
        batch = _Batch()
        asked: _Batch | None = None  # judged while the next one is asked about
        try:
            for incoming in self._inbox.take():
                batch.add(incoming)
                if asked is not None and asked.size + batch.size >= BATCH_BYTES:
                    # Together they take no more memory than one.
                    self._finish(asked, answered)
                    asked = None
                if batch.full:
                    asked, batch = self._go_on(asked, batch, answered), _Batch()
            if batch.files:
                asked = self._go_on(asked, batch, answered)
            if asked is not None:
                self._finish(asked, answered)
        finally:
            self._party.end_asking()

    # --- what is no message --------------------------------------------------------------------------------

    def _tell_refused(self, name: str, error: ProviderAdapterError) -> None:
        """Tell that the inbox put a file aside that is no message; there is no retour for it (level 1)."""
        self._desk.alarm("file_rejected", code=error.code)
        self._complain(name, error)

    def _complain(self, name: str, error: ProviderAdapterError) -> None:
        """Tell the sender of an envelope that it, or what it carried, is refused."""
        desk = self._desk
        came = desk.envelopes.of_file(name)
        about = came.reference if came is not None else getattr(error, "about", "")
        if not about:
            return
        told = error.told if isinstance(error, EnvelopeRefused) else None
        if told is None:
            told = StufCode.PAYLOAD if isinstance(error, MessageRefused) else StufCode.NOT_AUTHORISED
        with desk.journal.transaction():
            if not desk.journal.knows(desk.envelopes.complaint_name(about, told)):
                desk.journal.send(desk.envelopes.complain(about, told, desk.local_now), desk.now_ms)

    def _fault(self, kind: str, code: str) -> None:
        """Tell that the other side refused an envelope of ours; its message was set apart."""
        self._desk.alarm("envelope_refused" if kind else "fault_about_nothing", message_type=kind, code=code)

    # --- batches -------------------------------------------------------------------------------------------

    def _go_on(self, asked: _Batch | None, batch: _Batch, answered: Callable[[], None]) -> _Batch | None:
        """Begin to ask about a batch, finish the one before it, and return what is still to be finished."""
        paused = self._waits
        alone = paused or batch.size >= BATCH_BYTES
        arrivals = self._write_down(batch)
        if not paused:
            self._ask_ahead(batch, arrivals)
        if asked is not None:
            self._finish(asked, answered)
        if not alone:
            return batch
        # Neither read nor asked about meanwhile is what comes behind one that waits, or that fills memory.
        self._finish(batch, answered)
        return None

    @property
    def _waits(self) -> bool:
        # Also where the pause is over by now: none goes before one that was left, which it may rest on.
        return self._left or self._pausing.paused

    def _write_down(self, batch: _Batch) -> dict[str, Arrival]:
        """Write down that the messages of a batch came, and return what each is."""
        desk = self._desk
        arrivals: dict[str, Arrival] = {}
        with desk.journal.transaction():
            for incoming in batch.files:
                if not incoming.message.schema.answers and self._fits(incoming):
                    arrivals[incoming.name] = desk.journal.receive(_key(incoming), desk.now_ms, desk.today)
        return arrivals

    def _ask_ahead(self, batch: _Batch, arrivals: dict[str, Arrival]) -> None:
        """Let the side ask the exchange about the messages that are judged for the first time."""
        fresh, today = (Arrival.NEW, Arrival.UNFINISHED), self._desk.today
        for one in batch.files:
            if arrivals.get(one.name) in fresh and one.message.number in self._party.asks_to_judge:
                batch.findings[one.name] = in_message_findings(one.message, today)
        self._party.ask_ahead([one.message for one in batch.files if batch.findings.get(one.name) == ()])

    def _finish(self, batch: _Batch, answered: Callable[[], None]) -> None:
        """Judge, answer and put away a batch; what was asked about it is waited for."""
        kept: list[tuple[MessageKey, str]] = []
        left = batch.files
        try:
            while left:
                left = self._receive_some(left, batch.findings, kept)
        finally:
            try:
                self._inbox.settle()
            finally:
                # Also where the disk failed: what comes again is noted again, and an erasure finds the rest.
                with self._desk.journal.transaction():
                    for key, name in kept:
                        self._desk.journal.archived(key, name)
        answered()

    def _receive_some(
        self,
        batch: list[Incoming],
        findings: dict[str, tuple[Finding, ...]],
        kept: list[tuple[MessageKey, str]],
    ) -> list[Incoming]:
        """Take the first messages that need not ask any more, or the one that must; return the rest.

        Nothing is asked while a step of the journal is open: others wait for it.
        """
        known = 0
        while known < len(batch) and not self._party.must_ask(batch[known].message):
            known += 1
        some = batch[: known or 1]
        outcomes: list[tuple[Incoming, Outcome]] = []
        if known:
            with self._desk.journal.transaction():
                outcomes += [(one, self._receive(one, findings.get(one.name))) for one in some]
        else:
            outcomes.append((some[0], self._receive(some[0], findings.get(some[0].name))))
        for incoming, outcome in outcomes:
            self._put_away(incoming, outcome, kept)
        return batch[len(some) :]

    def _put_away(
        self,
        incoming: Incoming,
        outcome: Outcome,
        kept: list[tuple[MessageKey, str]],
    ) -> None:
        if isinstance(outcome, Done):
            if outcome is Done.HELD:
                self._inbox.remove(incoming)
            if outcome is Done.TAKEN:
                place = self._inbox.archive(incoming)
                if place is not None and not incoming.message.schema.answers:
                    kept.append((_key(incoming), place.name))
            return
        reason = f"{outcome.code}: {outcome}"
        self._desk.alarm("file_rejected", message_type=incoming.message.name, reason=str(outcome))
        self._complain(incoming.name, outcome)
        self._inbox.reject(incoming.name, reason, remedy=outcome.remedy, state=incoming.state)

    def _fits(self, incoming: Incoming) -> bool:
        try:
            self._require_fit(incoming, ours=False)
        except FileRefused:
            return False
        return True

    def _require_fit(self, incoming: Incoming, *, ours: bool) -> None:
        """Refuse what is not between us, or is not what its envelope says. Raises FileRefused."""
        self._desk.envelopes.require_fit(incoming)
        require_between_us(self._desk.config, incoming.message, ours=ours)

    # --- one message --------------------------------------------------------------------------------------

    def _receive(self, incoming: Incoming, findings: tuple[Finding, ...] | None) -> Outcome:
        """Take one message: what becomes of its file, or why it is refused."""
        message = incoming.message
        try:
            if message.number == ANSWERED:
                self._require_fit(incoming, ours=False)
                self._party.take_answer(message, incoming.digest)
            elif message.schema.answers:
                self._take_retour(incoming)
            else:
                return self._take_message(incoming, findings)
        except (FileRefused, JournalConflict) as refused:
            return refused
        return Done.TAKEN

    def _take_retour(self, incoming: Incoming) -> None:
        message = incoming.message
        self._require_fit(incoming, ours=True)
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

    def _take_message(self, incoming: Incoming, findings: tuple[Finding, ...] | None) -> Done:
        """Answer a message, or leave it in the inbox for a later pass."""
        desk, message, key = self._desk, incoming.message, _key(incoming)
        self._require_fit(incoming, ours=False)
        if self._waits and message.number in self._party.asks_to_judge:
            self._left = True
            return Done.LATER
        arrival = desk.journal.receive(key, desk.now_ms, desk.today)
        if arrival is Arrival.ANSWERED:
            desk.journal.answer_again(key, desk.now_ms)
            desk.log.info("message_again", message_type=message.name)
        # Or a kill came before its file was taken away.
        held = arrival is Arrival.UNFINISHED and desk.held.holds(key)
        if held or arrival is Arrival.ANSWERED:
            return Done.HELD if held else Done.TAKEN
        try:
            verdict = self._judge(message, arrival, findings)
        except NOT_NOW as error:
            self._pausing.pause(error)
            self._left = True
            return Done.LATER
        self._pausing.well()
        if verdict.waits is None or not self._resuming.may_wait(key):
            self._answer(key, message, verdict)
            return Done.TAKEN
        held = self._resuming.hold(key, incoming, verdict.waits)
        self._left = self._left or not held
        return Done.HELD if held else Done.LATER

    def _judge(self, message: Message, arrival: Arrival, findings: tuple[Finding, ...] | None) -> Verdict:
        if arrival is Arrival.CLASH:
            return Verdict((identification_taken(),))
        if findings is None:
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
        try:
            outgoing = self._retour(message, verdict)
        except MessageUnsafe:
            # What it names of the message makes it larger than a file may be: refused whole, and in short.
            verdict = Verdict((Finding("OP179", "/Bericht", TECHNICAL),))
            outgoing = self._retour(message, verdict)
        with desk.journal.transaction():
            if verdict.keep is not None:
                verdict.keep()
            desk.about.read(key.digest, verdict.people)
            desk.about.sent(outgoing.name, verdict.people)
            desk.journal.answer(key, outgoing, desk.now_ms)
        rules = ",".join(sorted({finding.rule for finding in verdict.findings}))
        told = "message_rejected" if verdict.findings else "message_taken"
        desk.log.info(told, message_type=message.name, rule=rules)

    def _retour(self, message: Message, verdict: Verdict) -> Outgoing:
        """Return the answer to a message. Raises MessageUnsafe where it would be too large."""
        identity = RetourIdentity(self._desk.fresh_identification(), self._desk.today)
        build = build_declaration_answer if message.number == DECLARATION else build_retour
        retour = build(message, verdict.findings, identity)
        return Outgoing(
            name=file_name(retour, identity.identification),
            kind=retour.name,
            identification=identity.identification,
            content=emit(retour),
            pseudonym=verdict.pseudonym,
        )

    def _find_archived(self) -> None:
        """Find the files that were archived just before a kill, so that a purge finds them too."""
        missing = self._desk.journal.answered_not_archived()
        if not missing:
            return
        for path in self._desk.config.archive.iterdir():
            # Somebody may have put a folder there.
            if not path.is_file():
                continue
            key = missing.get(hashlib.sha256(path.read_bytes()).digest())
            if key is not None:
                self._desk.journal.archived(key, path.name)


def _key(incoming: Incoming) -> MessageKey:
    header = incoming.message.root.children[0]
    return MessageKey(
        sender=header.required("Afzender"),
        kind=incoming.message.name,
        identification=header.required("BerichtIdentificatie/Identificatie"),
        digest=incoming.digest,
    )
