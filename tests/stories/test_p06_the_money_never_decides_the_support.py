"""P6, what a resident notices: what helps is chosen first, and stays as it is whoever pays for it.

Source: Passend Werk; Binthout (day activity under the Wmo, paid from re-integration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.test_correction import correct
from tests.server.test_rectification import told as told_of
from tests.server.test_support import PROVIDE
from tests.server.town import DELIVER, WORK
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town

WMO, WORK_MONEY = plan_pb2.FUNDING_SOURCE_WMO_2015, plan_pb2.FUNDING_SOURCE_PARTICIPATIEWET
YEAR: dict[str, Any] = {"start_date": "2027-01-01", "end_date": "2027-12-31"}
HALF: dict[str, Any] = {"sources": [WMO, WORK_MONEY], "amounts_cents": [600_000, 400_001]}
SUPPORT = ("support_id", "kind", "state", "product_code", "volume", "start_date", "end_date", "goal_ids")
FUNDING = ("funding_id", "support_id", "cost_cents", "sources", "amounts_cents", "start_date", "end_date")


def decided(town: Town) -> tuple[Desks, dict[str, Any]]:
    """Return desks whose resident's support was assigned, and a split of its cost."""
    desks = Desks(town)
    support_id = desks.choose(desks.story.goal())
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.agree()
    split = {"support_id": support_id, "cost_cents": 1_000_001, **HALF, **YEAR}
    assert desks.broken(desks.team, "set_funding", **split) == "NOT_DECIDED"
    desks.assign(support_id)
    return desks, split


def test_a_support_under_one_law_is_paid_from_two_and_stays_what_it_is(town: Town) -> None:
    desks, split = decided(town)
    paths = [f"supports.{leaf}" for leaf in SUPPORT]
    before = desks.plan(desks.resident, *paths)
    first = desks.does(desks.team, "set_funding", **split)
    (read,) = desks.plan(desks.team, *(f"funding.{leaf}" for leaf in FUNDING)).funding
    assert read == plan_pb2.Funding(funding_id=first.funding_id, **split)
    # Later all of it comes from re-integration.
    anew = {"sources": [WORK_MONEY], "amounts_cents": [1_000_001], "replaces": first.funding_id}
    desks.does(desks.team, "set_funding", **(split | anew))
    (read,) = desks.plan(desks.resident, "funding.sources", "funding.amounts_cents").funding
    assert (list(read.sources), list(read.amounts_cents)) == ([WORK_MONEY], [1_000_001])
    assert desks.plan(desks.resident, *paths) == before
    assert [one.state for one in before.supports] == [plan_pb2.SUPPORT_STATE_ASSIGNED]


def test_what_does_not_add_up_is_named_by_its_field(town: Town) -> None:
    desks, split = decided(town)

    def at_fault(**changes: Any) -> set[str]:  # noqa: ANN401 -- any field of a split
        return desks.at_fault(desks.team, "set_funding", **(split | changes))

    assert at_fault(cost_cents=1_000_000) == {"amounts_cents"}
    assert at_fault(amounts_cents=[1_000_001]) == {"amounts_cents"}
    assert at_fault(amounts_cents=[1_000_001, -1]) == {"amounts_cents[1]"}
    assert at_fault(sources=[WMO, WMO]) == {"sources"}
    assert at_fault(cost_cents=0) == {"cost_cents"}
    assert at_fault(end_date="2028-01-01") == {"end_date"}
    assert at_fault(start_date="2026-12-31") == {"start_date"}
    desks.does(desks.team, "set_funding", **(split | {"end_date": "2027-06-30"}))
    assert at_fault(start_date="2027-06-30") == {"start_date"}
    desks.does(desks.team, "set_funding", **(split | {"start_date": "2027-07-01"}))


def test_who_delivers_does_not_decide_who_pays(town: Town) -> None:
    desks, split = decided(town)
    with pytest.raises(errors.RuleBroken) as broken:
        desks.does(desks.carer(), "set_funding", claim=PROVIDE, **split)
    assert broken.value.rule == "NOT_THE_COLLEGE"
    desks.does(desks.team, "set_funding", **split)
    # Werk & Inkomen has no basis for what the neighbourhood team wrote of the money either.
    with pytest.raises(errors.Denied):
        desks.plan(desks.work, "funding.cost_cents", claim=WORK)
    assert desks.plan(desks.carer(), "supports.volume", claim=DELIVER).supports[0].volume


def test_money_that_was_written_down_wrong_is_put_right_and_still_adds_up(town: Town) -> None:
    desks, split = decided(town)
    carer = desks.carer()
    funding_id = desks.does(desks.team, "set_funding", **split).funding_id
    desks.plan(carer, "funding.cost_cents", "supports.volume", claim=DELIVER)
    rectified = correct(
        desks.story, desks.team, funding_id, "500000", "400001", collection="funding", field="amounts_cents"
    )
    # Who got the cost alone is told of the cost alone: it follows from the amounts.
    assert rectified.recipients == 1
    (told,) = told_of(carer, rectified.rights_request_id)
    assert list(told.paths) == ["funding.cost_cents"]
    (read,) = desks.plan(desks.resident, "funding.cost_cents", "funding.amounts_cents").funding
    assert (read.cost_cents, list(read.amounts_cents)) == (900_001, [500_000, 400_001])
    with pytest.raises(errors.ExchangeRefused) as refused:
        correct(desks.story, desks.team, funding_id, "900001", collection="funding", field="amounts_cents")
    assert set(refused.value.field_violations) == {"values"}


def test_a_support_that_was_written_down_wrong_is_agreed_with_anew(town: Town) -> None:
    desks = Desks(town)
    support_id = desks.choose(desks.story.goal())
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.agree()
    correct(desks.story, desks.team, support_id, "2", collection="supports", field="volume")
    assigned = {"support_id": support_id, "assignment_number": "7", "assign_date": "2026-12-01"}
    assert desks.broken(desks.team, "assign_support", **assigned) == "NOT_AGREED"
    desks.agree("Twee uur, zo was het bedoeld.")
    desks.assign(support_id)
