"""What the exchange asks of what we hold: to erase it, or to leave it alone. Once an hour, before all else.

Promises: after an erasure nothing of the resident is left in the journal, in the Objects API or in what was
refused, and then the exchange is told; of a restricted plan nothing that waits is told; what lies in the case
file itself is the organisation's own to judge, and a person hears of it.
Source: GDPR 4(3), 17, 18, 19; Archiefwet 1995, for the case file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.outward import OutwardError
from adapters.kit.refusals import TOO_LONG
from adapters.municipal.desk import ZAAK
from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from adapters.kit.restrictions import RestrictionTold
    from adapters.municipal.desk import Desk
    from adapters.municipal.telling import Telling
    from adapters.sdk.purges import PurgeAsked

LOOK_EVERY_MS: Final = 3_600_000
# A question that is refused is recorded, and the resident sees it: not every hour.
ASK_AGAIN_EVERY_MS: Final = 24 * 3_600_000
RESTRICTED: Final = "restricted"
# What the exchange says of a question within a restriction.
DENIED: Final = "denied R24"


class Restraints:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk, telling: Telling) -> None:
        self._desk: Final = desk
        self._telling: Final = telling
        self._erasures: Final = desk.erasures
        self._next_look_ms = 0
        self._next_ask_ms = 0

    def work(self) -> None:
        """Look once an hour, and do what is asked."""
        desk = self._desk
        if desk.steady_ms < self._next_look_ms:
            return
        self._next_look_ms = desk.steady_ms + LOOK_EVERY_MS
        self._ask_again()
        try:
            for told in desk.exchange.restrictions.told():
                self._take(told)
            for asked in desk.exchange.purges.asked():
                self._try(asked)
        except SdkError as error:
            desk.log.warning("limits_not_now", error=type(error).__name__)

    def _try(self, asked: PurgeAsked) -> None:
        """Purge; what could not be taken away is not erased, is asked for again, and holds up no other."""
        try:
            self._purge(asked)
        except OutwardError as error:
            self._desk.alarm("purge_failed", code=error.code)
        except OSError as error:
            self._desk.alarm("purge_failed", error=type(error).__name__)

    def _ask_again(self) -> None:
        """Try what a restriction stopped once a day, for a month: who reads its own is told nothing."""
        desk = self._desk
        if desk.steady_ms < self._next_ask_ms:
            return
        self._next_ask_ms = desk.steady_ms + ASK_AGAIN_EVERY_MS
        stopped = [one for one in desk.journal.parked() if one.reason == DENIED]
        for errand in stopped:
            too_long = desk.refusals.too_long(f"{errand.kind} {errand.subject}", desk.now_ms)
            if too_long and desk.journal.park(errand, TOO_LONG):
                desk.alarm("errand_parked", message_type=errand.kind, reason=TOO_LONG)
        # Those that were just set apart for a person have another reason now.
        for plan_id in {one.plan_id for one in stopped}:
            desk.journal.revive_plan(plan_id, DENIED, desk.now_ms)

    def _take(self, told: RestrictionTold) -> None:
        desk = self._desk
        kept = any(desk.links.holds(plan_id) for plan_id in told.plan_ids)
        for plan_id in told.plan_ids:
            if told.lifted:
                desk.refusals.lifted(plan_id)
                for reason in (RESTRICTED, DENIED, TOO_LONG):
                    desk.journal.revive_plan(plan_id, reason, desk.now_ms)
                # What is of no known plan, a report that was not taken, may be of this one: asked once.
                desk.journal.revive_plan("", TOO_LONG, desk.now_ms)
            elif told.ours and desk.journal.park_plan(plan_id, RESTRICTED):
                desk.alarm("errand_parked", reason=RESTRICTED)
        if kept:
            # The case file is read by people too: one of them answers.
            desk.alarm("restriction_for_a_person", count=1)
            return
        desk.exchange.restrictions.answer(told, kept=False)

    def _purge(self, asked: PurgeAsked) -> None:
        desk = self._desk
        held = [plan_id for plan_id in asked.plan_ids if asked.whole and desk.links.holds(plan_id)]
        cases = desk.links.cases_of(held)
        for plan_id in held:
            self._telling.take_copy_away(plan_id)
        people = [desk.links.person_of(plan_id) for plan_id in held]
        desk.rejected.erase([one.bsn for one in people if one is not None], cases)
        if cases:
            # Before they are forgotten: afterwards nobody knows of them any more.
            desk.alarm("case_file_for_a_person", count=len(cases))
        with desk.journal.transaction():
            # What comes behind it is not written.
            self._erasures.follow(asked.plan_ids if asked.of_resident else ())
            for url in cases:
                desk.refusals.forget(f"{ZAAK} {url}")
            for plan_id in held:
                desk.links.forget(plan_id)
                desk.journal.forget_plan(plan_id)
                desk.refusals.forget_plan(plan_id)
                self._erasures.begin(asked.erasure_id)
        # Begun in an earlier pass, too: a kill or an exchange that is away may come before the answer.
        erased = self._erasures.begun(asked.erasure_id)
        if erased:
            desk.journal.fold_log()
        desk.exchange.purges.answer(asked.erasure_id, erased=erased)
        self._erasures.end(asked.erasure_id)
        desk.log.info("purged" if erased else "nothing_to_purge")
