"""P5, what a resident notices: what is known is filled in, with where it comes from, and not asked again.

Source: Regiebox; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

ASKED = ("nothing_asked_twice", "asked_twice")


def describe(desks: Desks, client: ExchangeClient, source: str = "") -> None:
    desks.does(
        client,
        "describe_situation",
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        description="Woont boven, zonder lift.",
        own_network="De buurman draagt de boodschappen.",
        score=3,
        judge_date=A_DAY,
        source=source,
    )


def test_a_desk_that_fills_in_asks_nothing_and_says_where_it_comes_from(town: Town) -> None:
    desks = Desks(town)
    describe(desks, desks.team)
    describe(desks, desks.work, "bag")
    assert desks.check(desks.team, *ASKED) == plan_pb2.PracticeCheck(
        nothing_asked_twice=plan_pb2.PRACTICE_ANSWER_YES
    )
    plan = desks.plan(desks.resident, "situations.source", "situations.own_network")
    helps = "De buurman draagt de boodschappen."
    assert [(one.source, one.own_network) for one in plan.situations] == [("", helps), ("bag", helps)]


def test_a_desk_that_asks_again_is_counted(town: Town) -> None:
    desks = Desks(town)
    describe(desks, desks.team)
    describe(desks, desks.team)
    assert desks.check(desks.team, *ASKED).asked_twice == 0
    describe(desks, desks.work)
    assert desks.check(desks.work, *ASKED) == plan_pb2.PracticeCheck(
        nothing_asked_twice=plan_pb2.PRACTICE_ANSWER_NO, asked_twice=1
    )


def test_where_it_comes_from_is_no_place_for_a_bsn(town: Town) -> None:
    desks = Desks(town)
    said = {
        "life_domain": pb.LIFE_DOMAIN_HOUSING,
        "description": "Woont boven.",
        "score": 3,
        "judge_date": A_DAY,
    }
    for source in (desks.story.bsn, "b r p"):
        assert desks.at_fault(desks.team, "describe_situation", source=source, **said) == {"source"}
