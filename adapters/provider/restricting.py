"""Takes word of a restriction, stops what waits to go out, and answers what it can answer itself.

Promises: of a restricted plan nothing that waits goes out, from the look that brings it on: no errand, and no
message in the outbox. What comes later asks the exchange first, which refuses. Lifted, what had become no
message goes on; a message that stood ready is left to a person. Where a message of care went out or came in,
or it is of what somebody else here read it for, a person answers: it alarms at each look.
Source: GDPR 4(3), 18, 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from adapters.kit.restrictions import RestrictionTold
    from adapters.provider.desk import Desk

LOOK_EVERY_MS: Final = 3_600_000
REASON: Final = "restricted"
# What the exchange says of a question within a restriction.
DENIED: Final = "denied R24"


class Restricting:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._next_look_ms = 0

    def work(self) -> None:
        """Look once an hour, before anything goes out; answer what can be answered."""
        desk = self._desk
        if desk.steady_ms < self._next_look_ms:
            return
        self._next_look_ms = desk.steady_ms + LOOK_EVERY_MS
        try:
            # In the order they were told: what was restricted and lifted since goes on.
            for told in desk.exchange.restrictions.told():
                self._take(told)
        except SdkError as error:
            desk.log.warning("restriction_not_now", error=type(error).__name__)

    def _take(self, told: RestrictionTold) -> None:
        desk = self._desk
        if not told.ours:
            desk.alarm("restriction_for_a_person", count=1)
            return
        kept = bool(desk.people_of(told.plan_ids))
        for plan_id in told.plan_ids:
            self._lift(plan_id) if told.lifted else self._stop(plan_id)
        if kept and (desk.told_of_care(told.plan_ids) or (told.lifted and self._stands_ready(told))):
            desk.alarm("restriction_for_a_person", count=1)
            return
        desk.exchange.restrictions.answer(told, kept=kept)
        desk.log.info("restriction_lifted" if told.lifted else "restricted")

    def _stop(self, plan_id: str) -> None:
        for kind in self._desk.errands.park_plan(plan_id, REASON):
            self._desk.alarm("errand_parked", message_type=kind, reason=REASON)

    def _stands_ready(self, told: RestrictionTold) -> bool:
        waiting = self._desk.errands.undone()
        return any(one.plan_id in told.plan_ids and one.reason == REASON for one in waiting)

    def _lift(self, plan_id: str) -> None:
        for reason in (REASON, DENIED):
            self._desk.errands.revive(plan_id, reason)
        self._desk.held.hurry(plan_id)
