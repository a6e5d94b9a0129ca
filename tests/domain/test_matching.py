"""Offers, wishes and the two sides of a match: each rule on both sides of its line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.plan import PLAN, PlanState
from exchange.domain.plan.matching import (
    WAITS,
    Side,
    fits,
    made,
    match_of,
    stands_by_offer,
    stands_by_wish,
    waits,
)
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import A_DAY, CONSULENT, DAY, NOON, PLAN_OPENED, REPRESENTATIVE, fold
from tests.domain.matching_builders import (
    ASK,
    CLOSE,
    DESK,
    END,
    OFFER,
    OTHER,
    PROPOSE_TO_WHO_ASKS,
    PROPOSE_TO_WHO_OFFERS,
    SAY_YES,
    WISH,
    WITHDRAW,
)

if TYPE_CHECKING:
    from exchange.domain.kernel import Command


def after(*commands: Command) -> PlanState:
    """Return a plan on which these were decided, one after another."""
    state: Any = fold(PLAN, PLAN_OPENED)
    for command in commands:
        for event in PLAN.decide(command, state):
            state = PLAN.evolve(state, event)
    assert isinstance(state, PlanState)
    return state


def rule(command: Any, *before: Command) -> str:  # noqa: ANN401 -- any command of a plan
    with pytest.raises(RuleBroken) as refused:
        PLAN.decide(command, after(*before))
    return str(refused.value.metadata["rule"])


def faults(command: Any, *before: Command) -> set[str]:  # noqa: ANN401 -- any command of a plan
    with pytest.raises(RequestInvalid) as refused:
        PLAN.decide(command, after(*before))
    return set(refused.value.fields)


@pytest.mark.parametrize(
    "command", [OFFER, ASK, WITHDRAW, CLOSE, SAY_YES, END], ids=lambda one: type(one).__name__
)
def test_nobody_offers_asks_or_answers_in_the_residents_place(command: Any) -> None:  # noqa: ANN401 -- any of them
    before = (OFFER, ASK, PROPOSE_TO_WHO_ASKS)
    for author in (CONSULENT, DESK):
        assert rule(replace(command, author=author), *before) == "NOT_RESIDENTS_SIDE"
    fresh = {"contribution_id": "o-9"} if command is OFFER else {"wish_id": "w-9"} if command is ASK else {}
    assert after(*before, replace(command, author=REPRESENTATIVE, **fresh)).version == len(before) + 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "childcare"}, "kind"),
        ({"neighbourhood": "BU0197010"}, "neighbourhood"),
        ({"neighbourhood": "Dorpsstraat 4"}, "neighbourhood"),
        ({"hours_a_week": 0}, "hours_a_week"),
        ({"hours_a_week": 41}, "hours_a_week"),
        ({"end_date": DAY - A_DAY}, "end_date"),
        ({"own_words": "x" * 4_001}, "own_words"),
    ],
)
def test_what_is_no_offer_and_no_wish_is_named_by_its_field(changes: dict[str, Any], field: str) -> None:
    assert faults(replace(OFFER, **changes)) == faults(replace(ASK, **changes)) == {field}
    fine: dict[str, Any] = {"hours_a_week": 40, "end_date": DAY, "own_words": "x" * 4_000}
    assert after(replace(OFFER, **fine)).contributions[0].hours_a_week == 40


def test_an_offer_fits_what_is_asked_there_today_and_for_as_long() -> None:
    (offer,) = after(OFFER).contributions
    assert fits(offer, WISH, NOON)
    today = NOON.date()
    lines: tuple[tuple[dict[str, Any], bool], ...] = (
        ({"end_date": today}, True),
        ({"end_date": today - A_DAY}, False),
        ({"start_date": today}, True),
        ({"start_date": today + A_DAY}, False),
        ({"ended": True}, False),
        ({"kind": "cooking"}, False),
        ({"neighbourhood": "BU01970104"}, False),
    )
    for changes, fitting in lines:
        assert fits(replace(offer, **changes), WISH, NOON) is fitting, changes
        assert fits(offer, replace(WISH, **changes), NOON) is fitting, changes
    assert not fits(replace(offer, hours_a_week=1), WISH, NOON)
    assert fits(replace(offer, hours_a_week=3), WISH, NOON)
    # What is sealed says nothing: also beside a wish that says nothing, nobody knows that it fits.
    blank = replace(offer, kind="")
    assert not fits(blank, replace(WISH, kind=""), NOON)


def test_a_match_is_proposed_by_a_desk_of_volunteers_about_what_stands() -> None:
    assert rule(PROPOSE_TO_WHO_ASKS) == "WISH_UNKNOWN"
    assert rule(PROPOSE_TO_WHO_ASKS, ASK, CLOSE) == "WISH_UNKNOWN"
    assert rule(replace(PROPOSE_TO_WHO_ASKS, author=CONSULENT), ASK) == "NOT_THE_DESK"
    assert rule(PROPOSE_TO_WHO_OFFERS) == "CONTRIBUTION_UNKNOWN"
    assert rule(PROPOSE_TO_WHO_OFFERS, OFFER, WITHDRAW) == "CONTRIBUTION_UNKNOWN"
    other_wish = replace(PROPOSE_TO_WHO_OFFERS, wish=replace(WISH, kind="cooking"))
    assert rule(other_wish, OFFER) == "CONTRIBUTION_UNKNOWN"
    # Nobody is matched with himself.
    own = replace(PROPOSE_TO_WHO_OFFERS, other=Side(PLAN_OPENED.plan_id, "m-9"))
    assert rule(own, OFFER) == "CONTRIBUTION_UNKNOWN"
    assert [one.about_id for one in after(OFFER, PROPOSE_TO_WHO_OFFERS).matches] == ["o-1"]


def test_one_match_waits_at_a_time_and_who_said_no_is_left_in_peace() -> None:
    late = NOON + WAITS
    asked = (ASK, PROPOSE_TO_WHO_ASKS)
    again = replace(PROPOSE_TO_WHO_ASKS, match_id="m-3")
    assert rule(replace(again, now=late - timedelta(microseconds=1)), *asked) == "MATCH_WAITS"
    assert len(after(*asked, replace(again, now=late)).matches) == 2
    offered_to = (OFFER, PROPOSE_TO_WHO_OFFERS)
    no = replace(SAY_YES, match_id="m-2", said="no", contact="")
    same = replace(PROPOSE_TO_WHO_OFFERS, match_id="m-4")
    another = replace(same, other=Side("a-third", "m-5"))
    assert rule(another, *offered_to) == "MATCH_WAITS"
    assert rule(same, *offered_to, no) == "MATCH_WAITS"
    assert len(after(*offered_to, no, another).matches) == 2


def test_a_side_answers_once_in_time_and_says_how_it_is_reached_with_a_yes_only() -> None:
    asked = (ASK, PROPOSE_TO_WHO_ASKS)
    assert rule(SAY_YES) == "MATCH_UNKNOWN"
    assert faults(replace(SAY_YES, contact=" "), *asked) == {"contact"}
    assert faults(replace(SAY_YES, said="no"), *asked) == {"contact"}
    assert faults(replace(SAY_YES, said="perhaps", contact=""), *asked) == {"said"}
    assert rule(replace(SAY_YES, now=NOON + WAITS), *asked) == "MATCH_ANSWERED"
    in_time = replace(SAY_YES, now=NOON + WAITS - timedelta(microseconds=1))
    assert after(*asked, in_time).matches[0].contact == SAY_YES.contact
    assert rule(SAY_YES, *asked, SAY_YES) == "MATCH_ANSWERED"
    assert rule(SAY_YES, *asked, END) == "MATCH_UNKNOWN"
    assert after(*asked, SAY_YES, END).matches[0].contact == ""


def test_two_sides_are_made_of_one_match_while_both_stand() -> None:
    asks = after(ASK, PROPOSE_TO_WHO_ASKS, SAY_YES)
    mine = asks.matches[0]
    theirs = replace(mine, match_id=OTHER.match_id, other_match=mine.match_id, other_plan=asks.plan_id)
    assert stands_by_wish(asks, mine)
    assert not stands_by_offer(asks, mine), "each side is told of as the side it is"
    assert made(mine, theirs)
    assert not made(mine, replace(theirs, other_match="m-9"))
    assert not made(replace(mine, other_match="m-9"), theirs)
    for gone in (END, CLOSE):
        plan = after(ASK, PROPOSE_TO_WHO_ASKS, SAY_YES, gone)
        assert not stands_by_wish(plan, plan.matches[0])
    unanswered = after(ASK, PROPOSE_TO_WHO_ASKS)
    assert not stands_by_wish(unanswered, unanswered.matches[0])
    assert match_of(None, "m-1") is None


def test_a_side_that_ended_or_said_no_waits_no_longer() -> None:
    (match,) = after(ASK, PROPOSE_TO_WHO_ASKS).matches
    assert waits(match, NOON)
    assert waits(replace(match, said="yes"), NOON)
    for changes in ({"ended": True}, {"said": "no"}):
        assert not waits(replace(match, **changes), NOON)
