"""P4, what a resident notices: one conversation may do; else the next is with the provider he prefers.

Source: Regiebox, Waadhoeke; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import CARE, DELIVER
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from tests.server.town import Town

PROVIDER: dict[str, Any] = {"provider_oin": CARE, "provider_task": "wmo-aanbieder"}
TALK: dict[str, Any] = {
    "kind": plan_pb2.CONVERSATION_KIND_FIRST,
    "hold_date": A_DAY,
    "outcome": plan_pb2.CONVERSATION_OUTCOME_SOLVED_IN_GENERAL_SERVICES,
    "summary": "De buurvrouw kookt mee; het buurthuis helpt met de post.",
}


def test_what_the_neighbours_can_solve_ends_there_without_a_file(town: Town) -> None:
    desks = Desks(town)
    desks.does(desks.team, "record_conversation", **TALK)
    with pytest.raises(errors.RuleBroken) as closed:
        desks.story.goal()
    assert closed.value.rule == "PLAN_CLOSED"
    plan = desks.plan(desks.resident, "conversations.outcome", "goals.own_words", "supports.kind")
    assert [one.outcome for one in plan.conversations] == [TALK["outcome"]]
    assert (list(plan.goals), list(plan.supports)) == ([], [])


def test_the_provider_i_prefer_is_asked_and_sees_what_it_needs_and_nothing_else(town: Town) -> None:
    desks = Desks(town)
    desks.story.goal()
    desks.describe(pb.LIFE_DOMAIN_FINANCE)
    desks.describe(pb.LIFE_DOMAIN_USE_OF_TIME)
    town.care()
    who = Person("z-prefers", "wmo-aanbieder", "begeleider")
    named = desks.does(desks.resident, "prefer_provider", **PROVIDER)
    asking = PROVIDER | {"preference_id": named.preference_id, "professional": who.professional}
    carer = town.client(who, town.care())
    with pytest.raises(errors.Denied) as stranger:
        desks.plan(carer, "goals.own_words", claim=DELIVER)
    assert stranger.value.rules == ("R03",)
    asked = desks.does(desks.team, "invite_provider", **asking)
    # One commit: that it was asked, and that it is on the case.
    assert asked.receipt.leaves == 2
    fields = ["goals.own_words", "situations.description", "situations.life_domain"]
    answer = carer.plan.get_plan(
        claim=DELIVER, plan_id=desks.story.plan_id, fields=fields, allow_partial=True
    )
    assert [one.own_words for one in answer.plan.goals] == ["Weer zelf koken."]
    # No debts: the basis of a provider does not cover them.
    assert [one.life_domain for one in answer.plan.situations] == [pb.LIFE_DOMAIN_USE_OF_TIME]
    (read,) = desks.plan(desks.resident, "preferences.provider_oin", "preferences.invited").preferences
    assert (read.provider_oin, read.invited) == (CARE, True)
    assert desks.broken(desks.team, "invite_provider", **asking) == "INVITED"
    desks.does(
        desks.team,
        "record_conversation",
        kind=plan_pb2.CONVERSATION_KIND_WITH_PROVIDER,
        hold_date=A_DAY,
        outcome=plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
        summary="Samen bedacht wat er nodig is.",
        present=[plan_pb2.ATTENDEE_RESIDENT, plan_pb2.ATTENDEE_PROVIDER],
    )
    (held,) = desks.plan(desks.resident, "conversations.present").conversations
    assert list(held.present) == [plan_pb2.ATTENDEE_RESIDENT, plan_pb2.ATTENDEE_PROVIDER]


def test_nobody_is_asked_whom_i_did_not_name(town: Town) -> None:
    desks = Desks(town)
    town.care()
    stranger = PROVIDER | {"preference_id": desks.story.case_id, "professional": "z-1"}
    assert desks.broken(desks.team, "invite_provider", **stranger) == "NOT_PREFERRED"
    elsewhere = PROVIDER | {"provider_oin": "00000009009999999000"}
    named = desks.does(desks.team, "prefer_provider", **elsewhere)
    asking = elsewhere | {"preference_id": named.preference_id, "professional": "z-1"}
    # Nothing is kept of an asking that fails half-way.
    assert desks.broken(desks.team, "invite_provider", **asking) == "TASK_NOT_GRANTED"
    assert not desks.plan(desks.team, "preferences.invited").preferences[0].invited
    wrong = PROVIDER | {"provider_task": "college:WMO"}
    assert desks.at_fault(desks.team, "prefer_provider", **wrong) == {"provider_task"}
