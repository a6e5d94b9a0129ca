"""Legal holds over mutual TLS: while one stands nothing is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_erasure import Erasure

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town

HOLD = claim(pb.PURPOSE_TOEZICHT, "HOLD-17-3")


def hold(story: Story, client: Any) -> str:  # noqa: ANN401 -- ExchangeClient
    answer = client.rights.place_hold(
        claim=HOLD,
        case_id=story.case_id,
        kind=rights_pb.HOLD_KIND_COURT_CASE,
        reference="AWB-26-1234",
        reason="Beroep tegen de beschikking.",
        review_date="2099-12-31",
    )
    found: str = answer.hold_id
    return found


def test_while_a_hold_stands_nothing_is_erased_and_another_lifts_it(town: Town, story: Story) -> None:
    story.goal()
    name = hold(story, story.wmo)
    erasure = Erasure(town, story)
    with pytest.raises(errors.RuleBroken, match="a hold stands"):
        erasure.executed()
    lift: dict[str, Any] = {"claim": HOLD, "case_id": story.case_id, "hold_id": name, "reason": "Uitspraak."}
    with pytest.raises(errors.RuleBroken, match="somebody else does"):
        story.wmo.rights.lift_hold(**lift)
    officer = town.worker("fg", "fg-1")
    officer.rights.lift_hold(**lift)
    with pytest.raises(errors.RuleBroken, match="no hold of this name"):
        officer.rights.lift_hold(**lift)
    erasure.executed()
    assert town.state("plan", story.plan_id) is None


def test_a_provider_holds_nothing_up(town: Town, story: Story) -> None:
    care = town.client(Person("z-9", "wmo-aanbieder", "begeleider"), town.care())
    with pytest.raises(errors.Denied):
        hold(story, care)
