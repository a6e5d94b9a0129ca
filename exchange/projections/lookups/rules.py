"""What explains an access and what makes one stand out: rules as data, each with its window and its source.

Promises: a rule that changes gives the set another version, so that a figure says by which rules it was made;
every window is in days or minutes and every threshold a whole number; nothing here looks at anything.
Source: Fabbri and LeFevre 2011 (explanations: most accesses have a reason elsewhere in the database);
BKWI, generieke gebruiksrapportage Suwinet, chapter 2 (careful use), and specifieke gebruiksrapportage.
"""

from __future__ import annotations

from typing import Final, NamedTuple

RULES_VERSION: Final = 1

# --- what explains ----------------------------------------------------------------------------------

CASE: Final = "CASE"
STAND_IN: Final = "STAND-IN"
REFERRAL: Final = "REFERRAL"
RIGHTS: Final = "RIGHTS"
BREAK_GLASS: Final = "BREAK-GLASS"
TASK: Final = "TASK"


class Explanation(NamedTuple):
    """One reason to look: how long before it was recorded, and after it ended, it still explains."""

    name: str
    days_before: int
    days_after: int
    meaning: str
    source: str


_PAPER: Final = "Fabbri and LeFevre 2011, section 2"

# In the order in which they are tried: of two that hold, the first is counted.
EXPLANATIONS: Final = (
    Explanation(
        CASE,
        0,
        14,
        "somebody else let this person in on the case, or he did himself and recorded work on it within six "
        "weeks, the term of an investigation; to close a file takes some days more",
        f"{_PAPER}; Wmo 2015 2.3.2(1), 5.3.3; GDPR 5(1)(f)",
    ),
    Explanation(
        STAND_IN,
        3,
        0,
        "somebody else appointed this person for one who works on the case, or, without that, on this day he "
        "worked on other files of a colleague in his task who does",
        "Awb 10:1; Fabbri and LeFevre 2011, section 4 (collaborative groups)",
    ),
    Explanation(
        REFERRAL,
        2,
        30,
        "the case was sent to this organisation and task, or it was told of a correction or a restriction",
        f"{_PAPER}; GDPR 19",
    ),
    Explanation(
        RIGHTS,
        0,
        14,
        "a request of the resident is open that this person handles",
        "GDPR 12(3), 15-21",
    ),
    Explanation(
        BREAK_GLASS,
        0,
        0,
        "an emergency that a second person found justified",
        "GDPR 6(1)(d); exchange/decisions/0133-what-explains-a-lookup.md",
    ),
    Explanation(
        TASK,
        14,
        14,
        "this person recorded work on the resident's file around that day: more than letting himself in",
        f"{_PAPER} (the appointment that explains the look)",
    ),
)
WITHIN: Final = {one.name: one for one in EXPLANATIONS}
OWN_PART_WORKED_DAYS: Final = 42
# Who covers for an absent colleague works on more than one of his files that day.
COVERED_MIN: Final = 2

# --- what stands out --------------------------------------------------------------------------------

OFF_HOURS: Final = "OFF-HOURS"
MANY_RESIDENTS: Final = "MANY-RESIDENTS"
MANY_LOOKERS: Final = "MANY-LOOKERS"
AFTER_END: Final = "AFTER-END"
PAIR: Final = "PAIR"
NO_FOLLOW_UP: Final = "NO-FOLLOW-UP"


class Indicator(NamedTuple):
    """One reason to look twice. It accuses nobody: it says where to begin."""

    name: str
    window: str
    threshold: int
    meaning: str
    source: str


_BKWI: Final = "BKWI, generieke gebruiksrapportage Suwinet"
INDICATORS: Final = (
    Indicator(
        OFF_HOURS,
        "19:00 to 06:00, a weekend, a day the Algemene termijnenwet lists",
        1,
        "looked outside office hours",
        f"{_BKWI}, 2.2 (buiten kantoortijd); Algemene termijnenwet 3",
    ),
    Indicator(
        MANY_RESIDENTS,
        "60 minutes",
        20,
        "this person looked at so many residents in the hour that ends here",
        "BKWI, specifieke gebruiksrapportage (most consultations of one user)",
    ),
    Indicator(
        MANY_LOOKERS,
        "7 days",
        8,
        "so many persons looked at this resident in the week that ends here",
        "BKWI, specifieke gebruiksrapportage (most consulted BSNs)",
    ),
    Indicator(
        AFTER_END,
        "the month, from the second day after his part in the case ended until 180 days after it",
        2,
        "this person looked so often at a resident whose case he had left",
        "Wmo 2015 5.3.3; ours",
    ),
    Indicator(
        PAIR,
        "the month, against the median of all pairs of person and resident in the task",
        6,
        "this person looked at this resident on so many times the days that is usual in his task",
        f"{_BKWI}, chapter 2; ours",
    ),
    Indicator(
        NO_FOLLOW_UP,
        "30 days",
        1,
        "nobody of this task recorded anything about the resident in so many days around the look",
        f"{_BKWI}, 1.2 (a search that is broken off asks why it was begun)",
    ),
)
THRESHOLDS: Final = {one.name: one.threshold for one in INDICATORS}

OFFICE_FROM_HOUR: Final = 6
OFFICE_UNTIL_HOUR: Final = 19
MANY_RESIDENTS_MINUTES: Final = 60
MANY_LOOKERS_DAYS: Final = 7
AFTER_END_DAYS: Final = 180
PAIR_DAYS_MIN: Final = 6
FOLLOW_UP_DAYS: Final = 30
# Which days before a month count in its first days; acts count that long before and after it.
LOOKED_BACK_DAYS: Final = MANY_LOOKERS_DAYS
ACTS_AROUND_DAYS: Final = FOLLOW_UP_DAYS
# Ties that ended earlier than this before a month say nothing of it any more.
TIES_BACK_DAYS: Final = AFTER_END_DAYS
# Fewer professionals in a cell than this, and what its people do is not told apart by kind.
PROFESSIONALS_MIN: Final = 10
