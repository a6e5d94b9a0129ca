"""A plan whole: an early signal, money from two laws, steps up the ladder, looking back, and a mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.simulators.story.stage import NECESSITY, WERK, WIJKTEAM, StoryBroken
from exchange.v1.common_pb2 import Purpose
from exchange.v1.plan_pb2 import FundingSource, PracticeAnswer, PracticeCheck, SignalPartner, TrajectoryState

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

EARLY: Final = claim(Purpose.PURPOSE_WGS_VROEGSIGNALERING, "WGS-3", NECESSITY)
SUPPORT: Final = [f"supports.{leaf}" for leaf in ("kind", "state", "product_code", "volume", "goal_ids")]
WMO_CENTS: Final = 520_000
WORK_CENTS: Final = 260_000
SCORE: Final = 3
QUESTIONS: Final = [one.name for one in PracticeCheck.DESCRIPTOR.fields if one.name != "asked_twice"]


def a_signal_of_arrears(told: Telling, plan: Plan) -> None:
    """Let the landlord's word come in at debt help, and be read there alone."""
    answer = plan.municipality.as_("sh-002", "college:WGS", "consulent").case.receive_signal(
        claim=EARLY,
        resident=plan.resident,
        partner=SignalPartner.SIGNAL_PARTNER_LANDLORD,
        arrears_cents=148_000,
        since_date=plan.script.day(-60),
        own_words="Er is een achterstand bij de huur.",
        desk="vroegsignalering",
    )
    told.keep(plan.municipality, answer)
    if answer.case_id or answer.opened:
        raise StoryBroken("a signal told debt help of a case it has no part in")
    told.step(
        "signal",
        "The landlord tells debt help of two months' rent: an early signal, so that help is offered in time.",
        "PERMIT",
    )
    told.refused(
        "signal-stays",
        "The neighbourhood team asks how much it is. It was told under the law on debts, and stays there:",
        lambda: plan.wijkteam().plan.get_plan(
            claim=WIJKTEAM, plan_id=plan.plan_id, fields=["signals.arrears_cents"]
        ),
        "R09",
        "R07",
    )


def the_plan_goes_on(told: Telling, plan: Plan) -> None:
    """Pay, step up, look back, and look in the mirror."""
    told.chapter("The plan goes on")
    plan.look()
    _money(told, plan)
    _ladder(told, plan)
    _looking_back(told, plan)
    _mirror(told, plan)


def _money(told: Telling, plan: Plan) -> None:
    team = plan.wijkteam()

    def support() -> object:
        return team.plan.get_plan(claim=WIJKTEAM, plan_id=plan.plan_id, fields=SUPPORT).plan

    before = support()
    split = team.plan.set_funding(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        support_id=plan.support_id,
        cost_cents=WMO_CENTS + WORK_CENTS,
        sources=[FundingSource.FUNDING_SOURCE_WMO_2015, FundingSource.FUNDING_SOURCE_PARTICIPATIEWET],
        amounts_cents=[WMO_CENTS, WORK_CENTS],
        start_date=plan.script.day(0),
        end_date=plan.script.day(364),
    )
    told.keep(plan.municipality, split)
    plan.version = split.version
    if support() != before:
        raise StoryBroken("who pays changed what the support is")
    told.step(
        "money",
        "Only now who pays: two thirds from the Wmo, one third from the Participatiewet. The support stays "
        "what it is.",
        "PERMIT",
    )


def _ladder(told: Telling, plan: Plan) -> None:
    work = plan.consulent()
    started = work.plan.start_trajectory(
        claim=WERK,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        activity="Koken in het buurthuis",
        step=3,
        hours_a_week=8,
        place="Buurthuis De Linde",
        goal_ids=[plan.goal_id],
        start_date=plan.script.day(-1),
    )
    moved = work.plan.move_trajectory(
        claim=WERK,
        plan_id=plan.plan_id,
        expected_version=started.version,
        trajectory_id=started.trajectory_id,
        state=TrajectoryState.TRAJECTORY_STATE_STARTED,
        step=4,
        hours_a_week=12,
        since_date=plan.script.day(0),
    )
    told.keep(plan.municipality, moved)
    plan.version = moved.version
    read = work.plan.get_plan(
        claim=WERK, plan_id=plan.plan_id, fields=["trajectories.step", "trajectories.earlier_steps"]
    )
    (one,) = read.plan.trajectories
    told.step(
        "ladder",
        f"'Koken in het buurthuis', step {one.earlier_steps[0]} of six towards paid work, becomes step "
        f"{one.step}; the earlier step stays readable.",
        "PERMIT",
    )


def _looking_back(told: Telling, plan: Plan) -> None:
    team = plan.wijkteam()
    planned = team.plan.plan_evaluation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        plan_date=plan.script.day(0),
    )
    held = team.plan.hold_evaluation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=planned.version,
        evaluation_id=planned.evaluation_id,
        hold_date=plan.script.day(0),
        goal_ids=[plan.goal_id],
        scores=[SCORE],
        what_to_change="Een dagdeel erbij.",
    )
    told.keep(plan.municipality, held)
    following = team.plan.plan_evaluation(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=held.version,
        plan_date=plan.script.day(180),
    )
    told.keep(plan.municipality, following)
    plan.version = following.version
    plan.evaluated_at.CopyFrom(following.receipt.record_time)
    told.step(
        "evaluation",
        f"They look back on the goal together: {SCORE} of 5, 'Een dagdeel erbij.' The next day to look back "
        f"is planned.",
        "PERMIT",
    )


def _mirror(told: Telling, plan: Plan) -> None:
    check = (
        plan.wijkteam()
        .plan.get_practice_check(claim=WIJKTEAM, plan_id=plan.plan_id, fields=[*QUESTIONS, "asked_twice"])
        .check
    )
    said = {name: getattr(check, name) for name in QUESTIONS}
    yes = sorted(name for name, one in said.items() if one == PracticeAnswer.PRACTICE_ANSWER_YES)
    if "own_words" not in yes or "resident_agreed" not in yes:
        raise StoryBroken("the mirror does not show what happened")
    other = sorted(name.replace("_", " ") for name in said if name not in yes)
    told.step(
        "mirror",
        f"A mirror nobody fills in: was this done the new way? {len(yes)} of {len(QUESTIONS)} questions yes"
        + (f"; not: {', '.join(other)}." if other else "."),
        "TOLD",
    )
