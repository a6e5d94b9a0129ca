"""What the descriptions said that a newer one took the place of: a chain in memory, tuples to who reads them.

Promises: whoever reads them finds tuples, oldest first, of at most `EARLIER_MAX`, whatever is held; what one
description adds copies nothing. A link never changes, so that states which share one need no lock.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, Final

from exchange.domain.plan.words import EARLIER_MAX

# What it came after, its score, its day of judging, how many links there are. The first of a chain came after
# two tuples, scores and days as texts. It is a list to tell it from what is read, and made in a fifth of the
# time of a class of its own: nobody is given one, and nobody writes to one.
Link = list[Any]
# A link takes 136 bytes, what is told of a hundred 1.7 KB: a longer chain begins anew with what it tells.
LINKS_MAX: Final = 32
DAYS_KEPT_MAX: Final = 4_096
_SCORES: Final = "earlier_scores"
_DAYS: Final = "earlier_judge_dates"


def as_chain(kind: type) -> type:
    """Let both fields of a frozen, slotted record hold a chain until they are read, and then tuples."""
    for place, name in enumerate((_SCORES, _DAYS)):
        setattr(kind, name, _Read(getattr(kind, name), place))
    return kind


def chained(kind: Any) -> Callable[[Any, int, date], Link]:  # noqa: ANN401 -- a class that `as_chain` was given
    """Return what makes the chain of who takes the place of a record, of that score and day of judging.

    For each event of a fold: of ten years there are a hundred of both, which a tuple would copy.
    """
    scores, days = (vars(kind)[name].held for name in (_SCORES, _DAYS))

    def chain(was: object, score: int, day: date) -> Link:
        before = scores(was)
        if before is days(was) and before.__class__ is list:
            if before[3] < LINKS_MAX:
                return [before, score, day, before[3] + 1]
            return [_both(before), score, day, 1]
        # It was read: what may be told of it is where this one begins.
        return [(_told(before, 0), _told(days(was), 1)), score, day, 1]

    return chain


class _Read:
    """A field of a record that is a chain until somebody reads it."""

    def __init__(self, slot: Any, place: int) -> None:  # noqa: ANN401 -- what Python makes of `__slots__`
        self.held: Callable[[object], Any] = slot.__get__
        self._put: Callable[[object, object], None] = slot.__set__
        self._place = place

    def __get__(self, record: object, kind: type) -> Any:  # noqa: ANN401 -- the descriptor itself, asked of the class
        if record is None:
            return self
        found = self.held(record)
        if found.__class__ is list:
            # Who else reads it meanwhile makes the same of it.
            found = _told(found, self._place)
            self._put(record, found)
        return found

    def __set__(self, record: object, value: object) -> None:
        self._put(record, value)


# Many are judged on one day: of all of them its text is kept once.
_text: Final = lru_cache(DAYS_KEPT_MAX)(date.isoformat)


def _both(held: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:  # noqa: ANN401 -- a chain
    """Return the scores of a chain and its days, as tuples have them."""
    scores: list[Any] = []
    days: list[Any] = []
    while held.__class__ is list:
        held, score, day, _ = held
        scores.append(score)
        days.append(_text(day))
    scores.reverse()
    days.reverse()
    return (*held[0], *scores)[-EARLIER_MAX:], (*held[1], *days)[-EARLIER_MAX:]


def _told(held: Any, place: int) -> tuple[Any, ...]:  # noqa: ANN401 -- a chain, or what was read of one
    """Return the scores of a chain, or its days, as tuples have them."""
    found: list[Any] = []
    while held.__class__ is list and len(found) < EARLIER_MAX:
        held, score, day, links = held
        found.append(_text(day) if place else score)
        if links == 1:
            held = held[place]
    before = held if held.__class__ is tuple else ()
    return (*before, *reversed(found))[-EARLIER_MAX:]
