"""What is said of a store that another version of the code wrote; both recorders say it alike."""

from __future__ import annotations

from exchange.errors import HistoryUnreadable, StoreOutdated


def outdated(found: int, known: int) -> StoreOutdated:
    """Return the refusal of a store that can be taken forward."""
    return StoreOutdated("the store was written by an older version", found=str(found), known=str(known))


def newer(found: int, known: int) -> HistoryUnreadable:
    """Return the refusal of a store that is ahead of the code."""
    return HistoryUnreadable("the store was written by a newer version", found=str(found), known=str(known))


def unreadable(found: int, known: int) -> HistoryUnreadable:
    """Return the refusal of a store that no step leads from, or to."""
    if found > known:
        return newer(found, known)
    return HistoryUnreadable(
        "the store was written by a version before the first release", found=str(found), known=str(known)
    )
