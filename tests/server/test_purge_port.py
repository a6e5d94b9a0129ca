"""What the provider's adapter is asked to erase, over mutual TLS: all of a resident, or the plan's part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.purge_port import SdkPurges
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_erasure import Erasure
from tests.server.test_rectification import provider
from tests.server.town import DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town


@pytest.mark.parametrize(
    ("category", "path", "whole"),
    [("WMO-PLAN", "goals.own_words", True), ("WONEN", "situations.score", False)],
)
def test_with_the_plans_category_goes_all_the_adapter_holds(
    category: str, path: str, town: Town, story: Story, *, whole: bool
) -> None:
    town.care()
    story.goal()
    story.version = story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        description="Huurt.",
        score=4,
        judge_date="2026-03-02",
    ).version
    care = provider(town, story)
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=[path])
    part: dict[str, Any] = {"categories": [category], "kept": [rights_pb.KEEPING_REASON_RETENTION_TERM]}
    erasure = Erasure(town, story, **part)
    assert erasure.executed().recipients >= 1
    port = SdkPurges(care)
    (asked,) = (one for one in port.asked() if one.erasure_id == erasure.erasure_id)
    assert (asked.plan_ids, asked.whole) == ((story.plan_id,), whole)
    port.answer(erasure.erasure_id, erased=whole)
    assert all(one.erasure_id != erasure.erasure_id for one in port.asked())
