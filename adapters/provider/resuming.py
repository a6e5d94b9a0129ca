"""Lets a message wait that may not be acted on yet, and goes on with it by itself.

Promises: it is sealed and written down before its file is taken away, and answered and no longer waiting in
one step; its file is put in the archive after that, so that a kill at any moment loses and doubles nothing.
None waits for it but messages about the same person, also where it opens no more. On the last day of its
term it is answered either way.
Source: GDPR 18; OP090 (a retour within three working days).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.put_aside import CannotOpen
from adapters.provider.errors import ConfigInvalid, JournalConflict
from adapters.provider.pausing import NOT_NOW
from adapters.provider.xml import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.provider.desk import Desk, Party, Verdict
    from adapters.provider.folders import Inbox, Incoming
    from adapters.provider.holding import Parked, Waits
    from adapters.provider.journal import MessageKey
    from adapters.provider.pausing import Pausing
    from adapters.provider.xml import Message

    Answer = Callable[[MessageKey, Message, Verdict], None]


ALARM_EVERY_MS: Final = 3_600_000


class Resuming:
    """Owned by the thread that opened the journal. `answer` gives a message the answer of a verdict."""

    def __init__(self, desk: Desk, party: Party, pausing: Pausing, inbox: Inbox, answer: Answer) -> None:
        self._desk: Final = desk
        self._party: Final = party
        self._pausing: Final = pausing
        self._inbox: Final = inbox
        self._answer: Final = answer
        self._next_alarm_ms = 0

    def may_wait(self, key: MessageKey) -> bool:
        """Tell whether its term leaves another day for its answer."""
        return self._desk.today < self._desk.held.answer_by(key)

    def hold(self, key: MessageKey, incoming: Incoming, waits: Waits) -> bool:
        """Let a message wait; tell whether it does: what is not read or sealed stays where it lies."""
        desk = self._desk
        content = self._inbox.read(incoming)
        if content is None:
            return False
        try:
            with desk.journal.transaction():
                desk.held.put(key, incoming.name, content, waits, desk.now_ms)
                if waits.plan_id:
                    desk.errands.plan_is_of(waits.plan_id, waits.pseudonym)
        except ConfigInvalid as error:
            desk.alarm("message_not_held", message_type=key.kind, code=error.code, reason=str(error))
            return False
        until = desk.held.answer_by(key).isoformat()
        desk.alarm("message_held", message_type=key.kind, reason=f"restricted, until {until}")
        return True

    def work(self) -> None:
        """Ask about what is due, of each person in order; put away what was answered."""
        self._put_away()
        # One that was answered lets the next of its person go on.
        while not self._pausing.paused and self._go_on():
            pass
        self._put_away()

    def _go_on(self) -> bool:
        """Ask about each that is due; tell whether one was answered."""
        desk = self._desk
        done = False
        for one in desk.held.due(desk.now_ms, desk.today):
            content = self._opened(one)
            if content is None:
                continue
            message = read(content)
            try:
                verdict = self._party.judge(message)
            except NOT_NOW as error:
                self._pausing.pause(error)
                return False
            self._pausing.well()
            if verdict.waits is not None and self.may_wait(one.key):
                self._wait_on(one, verdict.waits)
                continue
            try:
                with desk.journal.transaction():
                    self._answer(one.key, message, verdict)
                    desk.held.answered(one)
            except JournalConflict:
                # What becomes of such a message is told where it is taken from the inbox.
                self._inbox.give_back(one.file, content)
                with desk.journal.transaction():
                    desk.held.gone(one)
            done = True
        return done

    def _opened(self, one: Parked) -> bytes | None:
        """Return a message as it came; None, and an alarm once an hour, where it does not open now."""
        desk = self._desk
        try:
            return desk.held.content(one)
        except (ConfigInvalid, CannotOpen) as error:
            if desk.steady_ms >= self._next_alarm_ms:
                self._next_alarm_ms = desk.steady_ms + ALARM_EVERY_MS
                desk.alarm("message_not_held", error=type(error).__name__, reason=str(error))
            return None

    def _wait_on(self, one: Parked, waits: Waits) -> None:
        desk = self._desk
        with desk.journal.transaction():
            desk.held.later(one, waits, desk.now_ms)
            if waits.plan_id:
                desk.errands.plan_is_of(waits.plan_id, waits.pseudonym)
        desk.log.warning("message_waits", message_type=one.key.kind)

    def _put_away(self) -> None:
        desk = self._desk
        for one in desk.held.to_put_away():
            content = self._opened(one)
            if content is None:
                continue
            name = self._inbox.keep(one.file, content)
            self._inbox.settle()
            with desk.journal.transaction():
                desk.journal.archived(one.key, name)
                desk.held.gone(one)
