"""What the exchange asks of what is held here: to erase it, to leave it alone, or to correct it.

Promises: looked at once an hour, before all else. Erased, nothing about the plan is left, and then the
exchange is told. Restricted, nothing more is asked or written for it, and its draft is out of reach;
lifted, and no other one standing, it goes on, asked anew. Rectified, what waits is asked anew; a draft that
was made before is for a person. One answer counts for organisation and task: where people read plans in other
systems too, or for other purposes, a person gives it, and hears so at each look.
Source: GDPR 4(3), 16, 17, 18, 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from adapters.sdk.errors import SdkError
from adapters.work_income.config import BY_PERSON
from adapters.work_income.exchange_port import purpose_of
from adapters.work_income.journal import TOLD_SO
from adapters.work_income.services import SERVICES_OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.kit.restrictions import RestrictionTold
    from adapters.sdk.logs import AdapterLog
    from adapters.sdk.purges import PurgeAsked
    from adapters.work_income.config import Config
    from adapters.work_income.drafts import Drafts
    from adapters.work_income.exchange_port import ExchangePort
    from adapters.work_income.journal import Journal

LOOK_EVERY_MS: Final = 3_600_000
# What a plan holds of what this adapter writes.
HELD: Final = frozenset({"INKOMEN", "ARBEID", "SCHULDEN"})
# The parts of a plan that say what a draft or a description of this adapter says too.
_PARTS: Final = ("situations.", "goals.", "trajectories.")


class Held(NamedTuple):
    """All that is held here about anybody."""

    journal: Journal
    drafts: Drafts


class Restraints:
    """Owned by the thread that opened the journal."""

    def __init__(self, config: Config, exchange: ExchangePort, held: Held, log: AdapterLog) -> None:
        self._config: Final = config
        self._exchange: Final = exchange
        self._journal, self._drafts = held
        self._log: Final = log
        self._next_look_ms = 0

    def work(self, now_ms: int, steady_ms: int) -> bool:
        """Look where it is time to; tell whether what is remembered of anybody may be stale now."""
        if steady_ms < self._next_look_ms:
            return False
        self._next_look_ms = steady_ms + LOOK_EVERY_MS
        # Each by itself: what cannot be asked of one holds up none of the others.
        looks: tuple[Callable[[int], bool], ...] = (self._restrict, self._rectify, self._purge)
        changed = [self._looked(look, now_ms) for look in looks]
        gone = self._drafts.expire(now_ms, self._config.draft_days)
        if gone:
            self._log.warning("draft_expired", count=gone)
        return any(changed)

    def _looked(self, look: Callable[[int], bool], now_ms: int) -> bool:
        try:
            return look(now_ms)
        except SdkError as error:
            self._log.warning("limits_not_now", error=type(error).__name__)
        except OSError as error:
            # A file that cannot be taken away is neither erased nor out of reach: somebody must look.
            self._log.error("limits_failed", error=type(error).__name__)
        return True

    def _by_person(self, event: str) -> None:
        self._log.error(event, count=1)

    # --- restriction --------------------------------------------------------------------------------------

    def _restrict(self, now_ms: int) -> bool:
        # In the order they were told: what was restricted and lifted since goes on.
        found = self._exchange.restrictions.told()
        for told in found:
            self._take(told, now_ms)
        return bool(found)

    def _take(self, told: RestrictionTold, now_ms: int) -> None:
        ours = [word for word in SERVICES_OF if not told.purposes or purpose_of(word) in told.purposes]
        kept = [self._one(told, plan, purpose, now_ms) for plan in told.plan_ids for purpose in ours]
        of_others = told.purposes - {purpose_of(word) for word in SERVICES_OF}
        if of_others or self._config.answers == BY_PERSON:
            self._by_person("restriction_for_a_person")
            return
        self._exchange.restrictions.answer(told, kept=any(kept))
        self._log.info("restriction_lifted" if told.lifted else "restricted")

    def _one(self, told: RestrictionTold, plan_id: str, purpose: str, now_ms: int) -> bool:
        """Stop what is held of a plan for one purpose, or let it go on; tell whether there is anything."""
        journal, drafts = self._journal, self._drafts
        if not told.lifted:
            row = journal.restrict(plan_id, purpose, TOLD_SO, 0)
            kept = drafts.set_aside(plan_id, purpose) or row
            if kept:
                journal.stands(told.restriction_id, plan_id, purpose)
            return kept
        if journal.stands_no_more(told.restriction_id, plan_id, purpose):
            journal.lift(plan_id, purpose, now_ms)
            drafts.bring_back(plan_id, purpose)
        return journal.holds([plan_id], purpose) or drafts.holds([plan_id])

    # --- rectification ------------------------------------------------------------------------------------

    def _rectify(self, _now_ms: int) -> bool:
        told = self._exchange.rectifications.told()
        # One answer is to all that was told under one name.
        for name in dict.fromkeys(one.rights_request_id for one in told):
            plans = {
                plan_id
                for one in told
                if one.rights_request_id == name and any(path.startswith(_PARTS) for path in one.paths)
                for plan_id in one.plan_ids
            }
            self._journal.ask_anew(plans)
            if self._drafts.holds(plans) or self._config.answers == BY_PERSON:
                self._by_person("rectification_for_a_person")
                continue
            kept = self._journal.holds(plans)
            self._exchange.rectifications.answer(name, rectified=kept)
            self._log.info("rectified" if kept else "nothing_to_rectify")
        return bool(told)

    # --- erasure ------------------------------------------------------------------------------------------

    def _purge(self, _now_ms: int) -> bool:
        found = self._exchange.purges.asked()
        for asked in found:
            erased = asked.concerns(HELD) and self._erase(asked)
            if self._config.answers == BY_PERSON:
                self._by_person("purge_for_a_person")
                continue
            self._exchange.purges.answer(asked.erasure_id, erased=erased)
            self._journal.erasures.end(asked.erasure_id)
            self._log.info("purged" if erased else "nothing_to_purge")
        return bool(found)

    def _erase(self, asked: PurgeAsked) -> bool:
        """Erase all about these plans; tell whether there was anything, now or before a kill."""
        journal, drafts, plans = self._journal, self._drafts, asked.plan_ids
        if journal.holds(plans) or journal.wrote_to(plans) or drafts.holds(plans):
            journal.erasures.begin(asked.erasure_id)
        drafts.erase(plans)
        with journal.transaction():
            journal.forget_plans(plans)
            # What comes behind it is not written.
            journal.erasures.follow(plans if asked.of_resident else ())
        erasing = journal.erasures.begun(asked.erasure_id)
        if erasing:
            journal.fold_log()
        return erasing
