"""Erases what the exchange asks to erase, and answers.

Promises: a person is forgotten whole, files first and then all that leads to them in one step of the journal,
so that a kill at any moment is made good the next time; answered only after that; what cannot be asked or
told now holds up nothing else and is tried again within the hour.
Source: GDPR 17 and 19.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from adapters.kit.erasures import Erasures
from adapters.kit.put_aside import CannotOpen, erase, expire
from adapters.provider.ageing import age
from adapters.provider.errors import ConfigInvalid
from adapters.provider.files_about import is_about
from adapters.provider.folders import passing
from adapters.provider.mapping import read_assignments
from adapters.provider.xml import read
from adapters.sdk.errors import Denied, SdkError

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.provider.desk import Desk
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.purges import PurgeAsked

# What the exchange says of who is not there, or not for us.
NOT_THERE: Final = frozenset({"R01", "R03"})
LOOK_EVERY_MS: Final = 3_600_000


class Purging:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._erasures: Final = Erasures(desk.journal.connection)
        self._next_look_ms = 0

    def work(self) -> None:
        """Look once an hour, and do all that is asked."""
        desk = self._desk
        if desk.steady_ms < self._next_look_ms:
            return
        self._next_look_ms = desk.steady_ms + LOOK_EVERY_MS
        self._expire()
        try:
            # The journal is written anew once for all of them.
            forgotten = [one for one in desk.exchange.purges.asked() if self._forgets(one)]
            folded = self._folds(forgotten)
            for asked in forgotten:
                self._answer(asked, folded=folded)
        except SdkError as error:
            desk.log.warning("purge_not_now", error=type(error).__name__)

    def _expire(self) -> None:
        desk = self._desk
        try:
            gone = expire(desk.config.rejected, desk.now_ms, desk.config.rejected_days)
            answered = age(desk)
        except OSError as error:
            desk.alarm("rejected_failed", error=type(error).__name__)
            return
        if gone:
            desk.log.warning("rejected_expired", count=gone)
        if answered:
            desk.log.warning("refusals_expired", count=answered)

    def _forgets(self, asked: PurgeAsked) -> bool:
        """Forget what is to be erased; tell whether it can be answered, once it is gone from the disk too."""
        try:
            # Of a part: no category that is erased apart is ever asked for here.
            if asked.whole:
                # Again where somebody was registered, by a command beside this one, since it was looked whom.
                while not self._forget(asked):
                    pass
        except OSError as error:
            # A file that cannot be taken away is not erased: somebody must look. Others are not held up.
            self._desk.alarm("purge_failed", error=type(error).__name__)
            return False
        return True

    def _folds(self, forgotten: list[PurgeAsked]) -> bool:
        """Take from the disk what was forgotten, now or in an earlier pass; tell whether it is gone."""
        if not any(self._erasures.begun(one.erasure_id) for one in forgotten):
            return True
        try:
            self._desk.journal.fold_log()
        except OSError as error:
            self._desk.alarm("purge_failed", error=type(error).__name__)
            return False
        return True

    def _answer(self, asked: PurgeAsked, *, folded: bool) -> None:
        desk = self._desk
        # Begun in an earlier pass, too: a kill or an exchange that is away may come before the answer.
        erased = self._erasures.begun(asked.erasure_id)
        if erased and not folded:
            return
        try:
            desk.exchange.purges.answer(asked.erasure_id, erased=erased)
        except OSError as error:
            # The book of receipts has to be gone from the disk as well.
            desk.alarm("purge_failed", error=type(error).__name__)
            return
        self._erasures.end(asked.erasure_id)
        desk.log.info("purged" if erased else "nothing_to_purge")

    def _forget(self, asked: PurgeAsked) -> bool:
        """Forget who these plans are about, and note whether anything was held; tell whether that was all."""
        desk, plans = self._desk, asked.plan_ids
        people = desk.people_of(plans)
        if not people:
            people = self._known_no_more()
        for pseudonym in people:
            for bsn in self._numbers_of(pseudonym):
                self._forget_refused(pseudonym, bsn)
            for folder, name in desk.register.files_of(pseudonym):
                place = desk.config.archive if folder == "archive" else desk.config.outbox
                _remove(place / name)
            for path in desk.about.kept(pseudonym, desk.config.archive):
                path.unlink(missing_ok=True)
            for name in desk.about.left(pseudonym):
                _remove(desk.config.outbox / name)
        with desk.journal.transaction():
            if not desk.people_of(plans) <= people:
                return False
            for pseudonym in people:
                desk.register.forget(pseudonym)
                desk.care.forget(pseudonym)
                desk.terms.forget(pseudonym)
                desk.requests.forget(pseudonym)
                desk.declarations.forget(pseudonym)
                desk.envelopes.forget(pseudonym)
                desk.about.forget(pseudonym)
                desk.held.forget(pseudonym)
                desk.register.files_gone(pseudonym)
            # What comes behind it, of these plans or through somebody's hands just now, is not written.
            self._erasures.follow(plans if asked.of_resident else ())
            if desk.errands.forget_plans(plans) or people:
                self._erasures.begin(asked.erasure_id)
        return True

    def _known_no_more(self) -> frozenset[str]:
        """Return of whom a message waits, of no known plan, and the exchange tells of no case any more.

        Within a restriction it says that instead: what waits had a case when it was let wait. Raises the
        SDK's errors: nothing is answered before this is known.
        """
        desk, gone = self._desk, set[str]()
        for pseudonym in desk.held.of_no_plan():
            try:
                found = desk.exchange.find_case(bytes.fromhex(pseudonym))
            except Denied as denied:
                # A no that names no rule says nothing of who is there.
                if denied.rules and NOT_THERE.issuperset(denied.rules):
                    desk.alarm("message_erased", reason="no case any more, at an erasure of an unknown plan")
                    gone.add(pseudonym)
            else:
                desk.errands.plan_is_of(found.plan_id, pseudonym)
        return frozenset(gone)

    def _numbers_of(self, pseudonym: str) -> frozenset[Bsn]:
        """Return a person's number, as far as it is known: in the register, or by what waits about them."""
        desk = self._desk
        resident = desk.register.resident(pseudonym)
        found = set() if resident is None else {resident.bsn}
        for one in desk.held.about(pseudonym):
            # Without its key it says nothing, and goes all the same.
            with suppress(ConfigInvalid, CannotOpen):
                found.add(read_assignments(read(desk.held.content(one))).resident.bsn)
        return frozenset(found)

    def _forget_refused(self, pseudonym: str, bsn: Bsn) -> None:
        """Find by the number what nobody read: what was put aside, and what was answered with a refusal."""
        desk = self._desk
        tied = desk.register.files_of_somebody()
        erase(desk.config.rejected, partial(is_about, bsn=bsn))
        erase(desk.config.archive, lambda path: path.name not in tied and is_about(path, bsn))
        desk.about.find_sent(pseudonym, bsn)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    # And what a kill left of writing it.
    passing(path).unlink(missing_ok=True)
