"""Words of households: what somebody is in one, and why a membership ended.

Source: protos/exchange/v1/household_service.proto; the domain's design section 3.
"""

from enum import StrEnum
from typing import Final


class MemberRole(StrEnum):
    """What a resident is in a household."""

    RESIDENT = "resident"  # none of the others: somebody who lives along
    PARENT = "parent"
    CHILD = "child"
    PARTNER = "partner"


class LeaveReason(StrEnum):
    """Why a membership ended."""

    OWN_WISH = "own_wish"
    SEPARATED = "separated"
    GROWN_UP = "grown_up"
    MOVED_OUT = "moved_out"
    PLACED_ELSEWHERE = "placed_elsewhere"
    DIED = "died"
    MISTAKE = "mistake"


# Ever, those who left among them: a full household must not tell of who is hidden in it.
MEMBERS_EVER_MAX: Final = 100
# At a moment: a child of parents who live apart is in two, and few are in more.
MEMBERSHIPS_MAX: Final = 10
NAMED_MAX: Final = 30
NAMED_GOALS_MAX: Final = 200
