"""Commands by gRPC on two residents' plans, one of which holds what the other never had, sealed.

Answers and refusals are compared whole, with ids, positions and moments made equal; versions, which count
what was written, seen or not, are counted from the same moment of both. Source: GDPR 32 (uniform absence).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.story import Story
from tests.server.test_support import Steps
from tests.server.town import CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
DAY = "2027-01-04"
DISAGREED = plan_pb2.AGREEMENT_OUTCOME_DISAGREED
NEVER_THERE = "0b6c1a52-8f0e-4d26-9f9f-0d8f0a6a1b11"


class Plan:
    """One resident's plan, and who may not see what is sealed of it."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.story = Story(town, next(town.bsns))
        self.goal_id = self.support_id = NEVER_THERE
        for professional in ("w-second", "w-reader"):
            self.story.wmo.case.join_professional(
                claim=INVESTIGATE,
                case_id=self.story.case_id,
                oin=CITY,
                task="college:WMO",
                professional=professional,
                role="consulent",
            )
        self.base = self.version = self.story.version

    def hide_care(self) -> None:
        """Let care be agreed and assigned, and two persons seal it from all but one reader."""
        self.goal_id = self.story.goal()
        steps = Steps(self.town, self.story)
        self.support_id = steps.request()
        steps.agree()
        steps.assign(self.support_id)
        proposed = self.story.wmo.rights.seal_compartment(
            claim=SEAL,
            case_id=self.story.case_id,
            paths=["goals", "supports", "agreements", "situations"],
            readers=[f"{CITY}/college:WMO/w-reader"],
            reason="Adres van de opvang.",
        )
        self.town.worker("college:WMO", "w-second").rights.confirm_seal(
            claim=SEAL, case_id=self.story.case_id, proposal_id=proposed.proposal_id
        )
        self.base = self.version = self.story.version

    def client(self, who: str) -> ExchangeClient:
        if who == "burger-1":
            return self.story.resident()
        return self.town.client(Person(who, "college:WMO", "regisseur"))

    def told(self, who: str, name: str, **said: Any) -> Any:  # noqa: ANN401 -- any command's fields, and what is told
        """Return what is told, the same for the same."""
        client = self.client(who)
        of_plan = name != "receive_report"
        service = client.plan if of_plan else client.case
        if of_plan:
            said |= {"plan_id": self.story.plan_id}
            said.setdefault("expected_version", self.version)
        try:
            answer = getattr(service, name)(claim=WORD if who == "burger-1" else INVESTIGATE, **said)
        except errors.ExchangeRefused as refused:
            return replace(refused.refusal, request_id="", decision_id="")
        receipt = answer.receipt
        assert receipt.leaf_index == receipt.position - 1
        told = (receipt.leaves, bool(receipt.decision_id), leaf_of(receipt))
        answer.ClearField("receipt")
        if answer.version:
            self.version, answer.version = answer.version, answer.version - self.base
        ids = [field.name for field, _ in answer.ListFields() if field.name.endswith("_id")]
        for one in ids:
            answer.ClearField(one)
        return *told, ids, answer.SerializeToString(deterministic=True)


def leaf_of(receipt: pb.Receipt) -> dict[str, str]:
    """Return what a leaf says but for its ids, its moment and its hash."""
    said = json.loads(receipt.leaf_entry)
    return {name: said[name] for name in "abkpt"}


@pytest.fixture(scope="module")
def plans(town: Town) -> tuple[Plan, Plan]:
    holding, without = Plan(town), Plan(town)
    holding.hide_care()
    return holding, without


AGREES = {"outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED, "remarks": "Zo is het goed."}
GOAL = {
    "own_words": "Naar buiten.",
    "desired_effect": "rust",
    "life_domain": pb.LIFE_DOMAIN_HOUSING,
    "target_date": DAY,
}
SITUATION = {
    "life_domain": pb.LIFE_DOMAIN_HOUSING,
    "description": "Woont bij haar zus.",
    "score": 2,
    "judge_date": "2026-03-02",
}
SOLVED = {
    "kind": plan_pb2.CONVERSATION_KIND_FIRST,
    "hold_date": "2026-03-02",
    "outcome": plan_pb2.CONVERSATION_OUTCOME_SOLVED_IN_GENERAL_SERVICES,
    "summary": "Opgelost.",
}
# A lens that is waived needs no goal.
LENS = {"law": pb.LAW_WMO_2015, "finding": plan_pb2.LENS_FINDING_WAIVED, "reason": "Loopt al."}
REPORT = {
    "life_domains": [pb.LIFE_DOMAIN_HOUSING],
    "own_words": "Het lukt niet.",
    "desk": "wijkteam-oost",
}
ACCORDING_TO_PLAN = plan_pb2.STOP_REASON_ACCORDING_TO_PLAN


def orders(holding: Plan, plan: Plan) -> list[tuple[str, str, dict[str, Any]]]:
    """Return who commands what, in this order; ids are those of what one of the plans holds."""
    support = {"support_id": holding.support_id}
    number = {"assignment_number": "123456", "assign_date": DAY}
    choice = {"kind": plan_pb2.SUPPORT_KIND_OWN_NETWORK, "start_date": DAY, "goal_ids": [holding.goal_id]}
    return [
        ("burger-1", "agree_to_plan", AGREES),
        ("w-second", "request_support", choice),
        ("w-second", "assign_support", support | number),
        ("w-second", "start_support", support | {"care_start_date": DAY}),
        ("w-second", "stop_support", support | {"care_end_date": DAY, "reason": ACCORDING_TO_PLAN}),
        ("stranger", "set_goal", GOAL),
        ("w-second", "set_goal", GOAL | {"expected_version": plan.version - 1}),
        ("w-second", "assess_lens", LENS),
        ("w-second", "record_conversation", SOLVED),
        ("w-second", "set_goal", GOAL),
        ("w-second", "receive_report", REPORT | {"resident": plan.story.pseudonym}),
        ("w-second", "describe_situation", SITUATION),
        ("w-second", "set_goal", GOAL),
        ("burger-1", "agree_to_plan", AGREES | {"outcome": DISAGREED}),
    ]


def test_no_command_tells_what_is_sealed(plans: tuple[Plan, Plan]) -> None:
    holding, _ = plans
    told = [[plan.told(who, name, **said) for who, name, said in orders(holding, plan)] for plan in plans]
    assert told[0] == told[1]
    refusals = [one for one in told[0] if isinstance(one, errors.Refusal)]
    unknown = ["SUPPORT_UNKNOWN"] * 3
    assert [one.rule or one.reason for one in refusals] == [
        "NO_GOAL",
        "GOAL_UNKNOWN",
        *unknown,
        "ACCESS_DENIED",
        "VERSION_CONFLICT",
        "PLAN_CLOSED",
    ]
    # Nothing of what was hidden was lost by it.
    reader = holding.client("w-reader").plan.get_plan(
        claim=INVESTIGATE,
        plan_id=holding.story.plan_id,
        fields=["supports.state", "goals.goal_id", "agreements.outcome"],
    )
    assert [one.state for one in reader.plan.supports] == [plan_pb2.SUPPORT_STATE_ASSIGNED]
    assert holding.goal_id in {one.goal_id for one in reader.plan.goals}
