"""What recipients of a restriction are told and answer, in the list of duties: each its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from exchange.domain import stream_of
from exchange.domain.obligations import RightsDuty
from exchange.domain.rights.restricting import (
    RESTRICTION,
    ConfirmRestriction,
    Reached,
    TellLifted,
    TellRestricted,
)
from exchange.domain.values import Author
from exchange.pipeline.walk import Claim, Steps
from exchange.projections.obligations import Wanted
from tests.pipeline.erasing import erased
from tests.pipeline.shard import NOW
from tests.projections.test_obligations import follow, listing

if TYPE_CHECKING:
    from exchange.domain import Command, Event
    from exchange.domain.rights.restricting import RestrictionTold
    from exchange.pipeline.walk import View
    from exchange.projections.obligations import ObligationList
    from tests.pipeline.shard import Shard

CARE = Author("00000003271543200000", "wmo-aanbieder", "z-1")
SCHOOL = Author("00000004000000000000", "school", "s-1")
STREAM = stream_of("restriction", "x-1")
SAID = ConfirmRestriction(now=NOW, author=CARE, change="restricted", outcome="applied")
TERM = timedelta(days=7)


def does(shard: Shard, *orders: Command) -> None:
    def process(view: View) -> Steps:
        state: RestrictionTold | None = view.state(STREAM)
        events: list[Event] = []
        for order in orders:
            made = RESTRICTION.decide(order, state)
            events += made
            for event in made:
                state = RESTRICTION.evolve(state, event)
        return Steps(((STREAM, events),))

    shard.done(shard.walk(process, claim=Claim("klacht-bezwaar", "LIMIT-18"), fields=(), relation=False))


def ends(made: ObligationList, **wanted: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401 -- fields of Wanted
    asked = Wanted(duties=(RightsDuty.CONFIRM_RESTRICTION,), **wanted)
    return [
        (one.organisation, one.decision_id.split("/")[1], one.how)
        for one in made.page(asked, (0, ""), 100, NOW + TERM)
    ]


def test_each_is_open_until_its_own_answer_and_rebuilt_equals_followed(shard: Shard) -> None:
    ref, *_ = shard.plan()
    made = listing(shard, shard.settings.data / "list")
    recipients = tuple(Reached(one.oin, one.task, ("p-1",), ("wmo-levering",)) for one in (CARE, SCHOOL))
    who = Author(shard.oin, "college:WMO", "prof-1")
    tell = TellRestricted(now=NOW, author=who, restriction_id="x-1", resident=ref, recipients=recipients)
    does(shard, tell)
    follow(shard, made)
    assert ends(made, only_overdue=True) == [(CARE.oin, "restricted", ""), (SCHOOL.oin, "restricted", "")]
    does(shard, SAID, TellLifted(now=NOW + timedelta(seconds=1), author=who))
    follow(shard, made)
    assert ends(made, only_open=True) == [
        (SCHOOL.oin, "restricted", ""),
        (CARE.oin, "lifted", ""),
        (SCHOOL.oin, "lifted", ""),
    ]
    # Due at the end of its term and not a moment before: what was told later is not overdue yet.
    assert ends(made, only_overdue=True) == [(SCHOOL.oin, "restricted", "")]
    assert ends(made)[0] == (CARE.oin, "restricted", "applied")
    # Of who was erased nobody is left to keep anything from.
    erased(shard, ref)
    follow(shard, made)
    assert ends(made, only_open=True) == []
    followed = made.database.dump()
    made.database.forget()
    follow(shard, made)
    assert made.database.dump() == followed
    made.database.close()
