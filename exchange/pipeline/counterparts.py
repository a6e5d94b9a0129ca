"""A walk about one resident in which another has a part: each is judged, and neither is told of the other.

Promises: who else is asked is judged by the same gate, in the same order as everything else, under his own
consents and limits; as many are judged and as much is recorded where nobody is found: then a decision about
nobody stands where the event about somebody would. What is about him is recorded first, so that a receipt is
of the own side alone.
Source: GDPR 5(1)(c), 5(2), 7, 25; exchange/decisions/0078-two-sides.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.pipeline.telling import Judged
    from exchange.pipeline.walk import CommandWalk, Steps


class Counterpart(NamedTuple):
    """Who is asked along, as judged; without steps where nobody is."""

    walk: CommandWalk
    judged: Judged
    steps: Steps | None


def first_of(
    walks: Sequence[CommandWalk],
    judging: Callable[[CommandWalk], Judged],
    processing: Callable[[CommandWalk, Judged], Steps | None],
) -> Counterpart:
    """Judge every one; return the first that is let and that its rules take, else the last.

    The last names a plan that is not there. `processing` returns None for who is not let.
    """
    found: Counterpart | None = None
    last: Counterpart | None = None
    for walk in walks:
        # Also once somebody was found: how many are judged tells nothing.
        judged = judging(walk)
        last = Counterpart(walk, judged, None)
        if found is None:
            steps = _taken(walk, judged, processing)
            found = None if steps is None else Counterpart(walk, judged, steps)
    assert last is not None, "there is always one to judge, be it nobody"
    return found or last


def _taken(
    walk: CommandWalk, judged: Judged, processing: Callable[[CommandWalk, Judged], Steps | None]
) -> Steps | None:
    try:
        return processing(walk, judged)
    except RuleBroken:
        return None
