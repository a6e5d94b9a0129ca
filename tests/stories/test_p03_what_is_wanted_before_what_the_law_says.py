"""P3, what a resident notices: first what is going on and what he wants, then the law, and the money last.

Source: Stimulansz, omgekeerde toets; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import WORK
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town

CONFLICT: dict[str, Any] = {
    "laws": [pb.LAW_WMO_2015, pb.LAW_PARTICIPATIEWET],
    "rules": ["Wmo 2015 2.3.5(3)", "Participatiewet 9(1)"],
    "analysis": "Dagbesteding helpt; solliciteren zou haar terugwerpen.",
}
RESOLUTION: dict[str, Any] = {
    "resolution": "Een half jaar geen sollicitatieplicht.",
    "resolve_reason": "Anders bereikt geen van beide wetten haar doel.",
}


def test_each_step_has_its_turn(town: Town) -> None:
    desks = Desks(town)
    lens = {"law": pb.LAW_WMO_2015, "finding": plan_pb2.LENS_FINDING_FITS, "reason": "Past."}
    assert desks.broken(desks.team, "assess_lens", **lens) == "NO_GOAL"
    support_id = desks.choose(desks.story.goal())
    assigning = {"support_id": support_id, "assignment_number": "7", "assign_date": "2026-12-01"}
    assert desks.broken(desks.team, "assign_support", **assigning) == "NOT_AGREED"
    desks.agree()
    assert desks.broken(desks.team, "assign_support", **assigning) == "NO_SITUATION"
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    assert desks.broken(desks.team, "assign_support", **assigning) == "NO_LENS"
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.assign(support_id)


def test_rules_that_conflict_are_weighed_in_the_open_before_anybody_agrees(town: Town) -> None:
    desks = Desks(town)
    desks.story.goal()
    conflict = desks.does(desks.team, "record_rule_conflict", **CONFLICT)
    agreeing = {"outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED}
    assert desks.broken(desks.resident, "agree_to_plan", **agreeing) == "CONFLICT_OPEN"
    resolving = RESOLUTION | {"conflict_id": conflict.conflict_id}
    # Another desk does not put words under this one's name.
    assert desks.broken(desks.work, "resolve_rule_conflict", **resolving) == "NOT_THE_AUTHOR"
    desks.does(desks.team, "resolve_rule_conflict", **resolving)
    assert desks.broken(desks.team, "resolve_rule_conflict", **resolving) == "CONFLICT_RESOLVED"
    desks.agree()
    fields = [f"rule_conflicts.{name}" for name in (*CONFLICT, *RESOLUTION)]
    (read,) = desks.plan(desks.resident, *fields).rule_conflicts
    assert read == plan_pb2.RuleConflict(**CONFLICT, **RESOLUTION)
    # What the neighbourhood team weighed is not what Werk & Inkomen may read.
    with pytest.raises(errors.Denied):
        desks.plan(desks.work, "rule_conflicts.analysis", claim=WORK)


def test_a_rule_with_a_bsn_in_it_is_refused_by_its_place(town: Town) -> None:
    desks = Desks(town)
    rules = ["Wmo 2015 2.3.5(3)", f"van {desks.story.bsn}"]
    said = CONFLICT | {"rules": rules}
    assert desks.at_fault(desks.team, "record_rule_conflict", **said) == {"rules[1]"}
    with pytest.raises(errors.Invalid) as refused:
        desks.does(desks.team, "record_rule_conflict", **said)
    assert refused.value.reason == "BSN_REFUSED"
    assert desks.story.bsn not in str(refused.value)
