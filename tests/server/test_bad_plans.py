"""What no plan may hold, over the wire: each is refused by the path of its field or the name of its rule.

Source: the domain's design section 3; BSN: the 11-proof (Wabb 10); GDPR 5(1)(d).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from adapters.sdk import errors
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.story import Story
from tests.server.town import CARE, DELIVER, WORD
from tests.stories.people import Desks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.server.town import Town

LONG = "x" * 4_001
WMO, WORK_MONEY = plan_pb2.FUNDING_SOURCE_WMO_2015, plan_pb2.FUNDING_SOURCE_PARTICIPATIEWET
Said = dict[str, Any]


class Plan(NamedTuple):
    """A plan that was agreed with, one support of it assigned and paid for; commands that would be fine."""

    desks: Desks
    fine: Mapping[str, Said]

    @classmethod
    def of(cls, town: Town) -> Plan:
        desks = Desks(town)
        goal_id = desks.story.goal()
        support_id = desks.choose(goal_id)
        desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
        desks.look(desks.team, pb.LAW_WMO_2015)
        desks.agree()
        desks.assign(support_id)
        today = town.now().date()
        looking = desks.does(
            desks.team, "plan_evaluation", plan_date=(today + timedelta(days=30)).isoformat()
        )
        split: Said = {
            "support_id": support_id,
            "cost_cents": 100_000,
            "sources": [WMO, WORK_MONEY],
            "amounts_cents": [60_000, 40_000],
            "start_date": "2027-01-01",
            "end_date": "2027-06-30",
        }
        desks.does(desks.team, "set_funding", **split)
        return cls(desks, {"set_funding": split} | _fine(goal_id, looking.evaluation_id, today.isoformat()))


def _fine(goal_id: str, evaluation_id: str, today: str) -> dict[str, Said]:
    return {
        "request_support": {
            "kind": plan_pb2.SUPPORT_KIND_CUSTOM,
            "provider_oin": CARE,
            "product_category": "02",
            "product_code": "02A05",
            "start_date": "2027-01-01",
            "end_date": "2027-12-31",
            "goal_ids": [goal_id],
        },
        "describe_situation": {
            "life_domain": pb.LIFE_DOMAIN_HOUSING,
            "description": "Woont boven.",
            "score": 2,
            "judge_date": "2026-11-02",
        },
        "hold_evaluation": {
            "evaluation_id": evaluation_id,
            "hold_date": today,
            "goal_ids": [goal_id],
            "scores": [4],
        },
        "plan_evaluation": {"plan_date": "2099-06-01"},
        "start_trajectory": {
            "activity": "Koken voor de buurt.",
            "step": 3,
            "goal_ids": [goal_id],
            "start_date": "2027-01-01",
        },
        "set_goal": {
            "own_words": "Weer zelf koken.",
            "desired_effect": "zelfstandig eten",
            "life_domain": pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            "target_date": "2027-06-01",
        },
        "record_conversation": {
            "kind": plan_pb2.CONVERSATION_KIND_FIRST,
            "hold_date": "2026-11-02",
            "outcome": plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
            "summary": "Wij spraken thuis.",
        },
        "assess_lens": {
            "law": pb.LAW_WMO_2015,
            "finding": plan_pb2.LENS_FINDING_FITS,
            "reason": "Past.",
        },
        "agree_to_plan": {"outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED, "remarks": "Goed."},
    }


# (command, what is said otherwise, the paths of the fields it is refused by)
FAULTS: tuple[tuple[str, Said, set[str]], ...] = (
    # Money that does not add up, and periods that lie over one another or end before they begin.
    ("set_funding", {"amounts_cents": [60_000, 39_999]}, {"amounts_cents"}),
    ("set_funding", {"amounts_cents": [60_000, 40_001]}, {"amounts_cents"}),
    ("set_funding", {"start_date": "2027-06-30", "end_date": "2027-12-31"}, {"start_date"}),
    ("set_funding", {"start_date": "2027-12-31", "end_date": "2027-07-01"}, {"end_date"}),
    ("request_support", {"end_date": "2026-12-31"}, {"end_date"}),
    # Scores on either side of their scale.
    ("describe_situation", {"score": 0}, {"score"}),
    ("describe_situation", {"score": 6}, {"score"}),
    ("hold_evaluation", {"scores": [0]}, {"scores[0]"}),
    ("hold_evaluation", {"scores": [6]}, {"scores[0]"}),
    ("start_trajectory", {"step": 0}, {"step"}),
    ("start_trajectory", {"step": 7}, {"step"}),
    # Looking back before there was anything to look back on, or ahead of the day.
    ("hold_evaluation", {"hold_date": "2020-01-01"}, {"hold_date"}),
    ("hold_evaluation", {"hold_date": "2099-01-01"}, {"hold_date"}),
    ("plan_evaluation", {"plan_date": "2020-01-01"}, {"plan_date"}),
    ("plan_evaluation", {"plan_date": "2027-02-30"}, {"plan_date"}),
)
# Every text of the plan's commands, by the command that brings it.
TEXTS = (
    ("describe_situation", "description"),
    ("describe_situation", "strengths"),
    ("describe_situation", "own_network"),
    ("hold_evaluation", "what_to_change"),
    ("start_trajectory", "activity"),
    ("start_trajectory", "place"),
    ("start_trajectory", "facility"),
    ("set_goal", "own_words"),
    ("set_goal", "desired_effect"),
    ("record_conversation", "summary"),
    ("assess_lens", "reason"),
    ("agree_to_plan", "remarks"),
)


@pytest.fixture(scope="module")
def plan(town: Town) -> Plan:
    return Plan.of(town)


def whose(plan: Plan, command: str) -> Any:  # noqa: ANN401 -- ExchangeClient
    return plan.desks.resident if command == "agree_to_plan" else plan.desks.team


@pytest.mark.parametrize(("command", "changes", "paths"), FAULTS, ids=lambda one: str(one)[:40])
def test_what_does_not_do_is_refused_by_the_path_of_its_field(
    plan: Plan, command: str, changes: Said, paths: set[str]
) -> None:
    before = plan.desks.version
    assert plan.desks.at_fault(whose(plan, command), command, **(plan.fine[command] | changes)) == paths
    assert plan.desks.version == before


@pytest.mark.parametrize(("command", "field"), TEXTS)
def test_a_text_that_is_too_long_or_holds_a_bsn_is_refused_by_its_field(
    plan: Plan, command: str, field: str
) -> None:
    desks, client = plan.desks, whose(plan, command)
    assert desks.at_fault(client, command, **(plan.fine[command] | {field: LONG})) == {field}
    number = desks.story.bsn
    with pytest.raises(errors.Invalid) as refused:
        desks.does(client, command, **(plan.fine[command] | {field: f"Bel {number[:4]}.{number[4:]}."}))
    assert (refused.value.reason, set(refused.value.field_violations)) == ("BSN_REFUSED", {field})
    assert number[:4] not in str(refused.value)


def test_the_longest_text_is_taken_and_nine_digits_that_pass_no_11_proof_are_no_bsn(plan: Plan) -> None:
    desks = plan.desks
    wrong = str(int(desks.story.bsn) + 1)
    said = {"own_words": wrong + LONG[len(wrong) + 1 :]}
    assert len(said["own_words"]) == len(LONG) - 1
    assert desks.does(desks.team, "set_goal", **(plan.fine["set_goal"] | said)).goal_id


def test_what_has_its_turn_later_or_belongs_to_somebody_else_is_refused_by_its_rule(town: Town) -> None:
    desks = Desks(town)
    agreeing: Said = {"outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED, "remarks": "Goed."}
    goal_id = desks.story.goal()
    support_id = desks.choose(goal_id)
    assigning: Said = {"support_id": support_id, "assignment_number": "7", "assign_date": "2026-12-01"}
    assert desks.broken(desks.team, "assign_support", **assigning) == "NOT_AGREED"
    # Neither desk says yes in the resident's place, nor does who delivers.
    assert desks.broken(desks.team, "agree_to_plan", **agreeing) == "NOT_RESIDENTS_SIDE"
    for nobody, why in ((desks.carer(), DELIVER), (Story(town, next(town.bsns)).resident(), WORD)):
        with pytest.raises(errors.Denied):
            desks.does(nobody, "agree_to_plan", claim=why, **agreeing)
    looking = desks.does(desks.team, "plan_evaluation", plan_date="2099-06-01")
    held: Said = {
        "evaluation_id": looking.evaluation_id,
        "hold_date": town.now().date().isoformat(),
        "goal_ids": [goal_id],
        "scores": [4],
    }
    assert desks.broken(desks.team, "hold_evaluation", **held) == "NOT_AGREED"
    for support in (desks.story.case_id, desks.story.plan_id):
        assert desks.broken(desks.team, "assign_support", **(assigning | {"support_id": support})) == (
            "SUPPORT_UNKNOWN"
        )
