"""Takes word of what was rectified, and answers what it can answer itself.

Promises: nothing of a plan is kept here but what messages said of care, so that of all else it is told that
nothing was kept; a field that went out in a message is left to a person, who is told so at each look, and is
answered by nobody else; what waits to go out of a rectified support goes out no more by itself.
Source: GDPR 16, 19; iWmo 3.2 (a start or stop that was wrong is taken back and sent anew).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from adapters.kit.rectifications import RectifiedTold
    from adapters.provider.desk import Desk
    from adapters.provider.plan_seen import Happening

LOOK_EVERY_MS: Final = 3_600_000
CORRECTED: Final = "plan.corrected"
_OF_SUPPORTS: Final = "supports."
REASON: Final = "rectified"


class Rectifying:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._next_look_ms = 0

    def notice(self, happening: Happening) -> bool:
        """Take a correction that the subscription brought; tell whether this was one."""
        if happening.kind != CORRECTED:
            return False
        self._next_look_ms = 0
        if happening.support is not None:
            errands = self._desk.errands
            for one in errands.undone():
                if one.state == "due" and one.support_id == happening.support.support_id:
                    errands.park(one, REASON)
                    self._desk.alarm("errand_parked", message_type=one.kind, reason=REASON)
        return True

    def work(self) -> None:
        """Look once an hour, and at once after a correction; answer what can be answered."""
        desk = self._desk
        if desk.steady_ms < self._next_look_ms:
            return
        self._next_look_ms = desk.steady_ms + LOOK_EVERY_MS
        try:
            told = desk.exchange.rectifications.told()
            # One answer is to all that was told under one name: what a person must look at comes first.
            by_hand = {one.rights_request_id for one in told if self._went_out(one)}
            for name in dict.fromkeys(one.rights_request_id for one in told):
                if name in by_hand:
                    desk.alarm("rectification_for_a_person", count=1)
                    continue
                kept = any(self._is_kept(one) for one in told if one.rights_request_id == name)
                desk.exchange.rectifications.answer(name, rectified=kept)
                desk.log.info("rectified" if kept else "nothing_to_rectify")
        except SdkError as error:
            desk.log.warning("rectification_not_now", error=type(error).__name__)

    def _is_kept(self, told: RectifiedTold) -> bool:
        """Tell whether it is about support we work on: that is read anew whenever it is acted on."""
        of_supports = any(path.startswith(_OF_SUPPORTS) for path in told.paths)
        return of_supports and bool(self._desk.people_of(told.plan_ids))

    def _went_out(self, told: RectifiedTold) -> bool:
        return self._is_kept(told) and self._desk.told_of_care(told.plan_ids)
