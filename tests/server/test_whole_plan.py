"""Everything of a plan fits in one question: who has a right to all of it asks once."""

from __future__ import annotations

from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1 import options_pb2
from exchange.v1.plan_service_pb2 import GetPlanRequest, GetPlanResponse
from exchange.v1.subscription_service_pb2 import SubscribeRequest


def test_every_leaf_of_a_plan_can_be_asked_at_once_and_named_as_withheld() -> None:
    for message, name in (
        (GetPlanRequest, "fields"),
        (GetPlanResponse, "withheld_fields"),
        (SubscribeRequest, "fields"),
    ):
        options = message.DESCRIPTOR.fields_by_name[name].GetOptions()
        assert options.Extensions[options_pb2.rule].max_items >= len(PLAN_LABELS), message.DESCRIPTOR.name
