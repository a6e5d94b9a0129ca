"""The years after: looking back as planned, a yes that ends by itself, a son who comes to decide himself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from adapters.simulators.story.stage import NECESSITY, WIJKTEAM
from adapters.simulators.years.asking import asked_and_given
from adapters.simulators.years.family import MOTHER_ID, by_work, must, parents_of_sem, stamp
from exchange.v1.common_pb2 import Purpose
from exchange.v1.plan_pb2 import GoalState, PracticeAnswer, PracticeCheck, TrajectoryState

if TYPE_CHECKING:
    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.family import Family

REUSE: Final = claim(Purpose.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", NECESSITY)
CONSENT_DAYS: Final = 90
QUESTIONS: Final = [one.name for one in PracticeCheck.DESCRIPTOR.fields if one.name != "asked_twice"]


def looked_back(told: Telling, family: Family, score: int, to_change: str) -> None:
    """Look back with Noor on her goal, on a day that was planned."""
    planned = family.change(told, family.noor, "plan_evaluation", plan_date=family.day())
    family.change(
        told,
        family.noor,
        "hold_evaluation",
        evaluation_id=planned.evaluation_id,
        hold_date=family.day(),
        goal_ids=[family.noor.goal_id],
        scores=[score],
        what_to_change=to_change,
    )


def on_the_ladder(told: Telling, family: Family) -> None:
    """Start at the second step; the first years of it."""
    started = family.change(
        told,
        family.noor,
        "start_trajectory",
        by_work(family),
        activity="Koken in het buurthuis",
        step=2,
        hours_a_week=4,
        place="Buurthuis De Linde",
        goal_ids=[family.noor.goal_id],
        start_date=family.day(),
    )
    family.trajectory_id = started.trajectory_id


def one_step_up(told: Telling, family: Family, step: int, hours: int) -> None:
    """Let Noor go up the ladder."""
    family.change(
        told,
        family.noor,
        "move_trajectory",
        by_work(family),
        trajectory_id=family.trajectory_id,
        state=TrajectoryState.TRAJECTORY_STATE_STARTED,
        step=step,
        hours_a_week=hours,
        since_date=family.day(),
    )


def a_yes_for_ninety_days(told: Telling, family: Family) -> None:
    """Let Noor say that the team may use what Werk & Inkomen wrote, and let the days pass."""
    now = family.clock.now()
    asked_and_given(
        told,
        family,
        family.noor,
        timedelta(days=CONSENT_DAYS),
        consent_purpose=Purpose.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{family.municipality.oin}/college:WMO"],
        categories=["ARBEID"],
    )

    def use() -> list[str]:
        read = family.team().plan.get_plan(
            claim=REUSE,
            plan_id=family.noor.plan_id,
            fields=["trajectories.activity"],
        )
        return [one.activity for one in read.plan.trajectories]

    must(bool(use()), "a yes opened nothing")
    told.step(
        "years-yes",
        "May the neighbourhood team know which steps to work Noor takes? She says yes, for ninety days.",
        "PERMIT",
    )
    family.clock.forward_to(now + timedelta(days=CONSENT_DAYS, minutes=1))
    told.refused("years-yes-ended", "Ninety days later nobody has to remember to stop:", use, "R18")


def an_old_extract(told: Telling, family: Family) -> None:
    """Ask for authority again: what a register said is of its day."""
    told.refused(
        "years-old-extract",
        "Sem's mother looks in. What the register of persons said of authority is a year old:",
        lambda: family.words(family.parent_of_sem(MOTHER_ID), family.sem),
        "R21",
    )
    parents_of_sem(told, family)
    told.step("years-new-extract", "The director asks the register again, and she is let in.", "PERMIT")


def sem_is_sixteen(told: Telling, family: Family) -> None:
    """Pass his birthday: what his mother read until yesterday is his own from today."""
    parents_of_sem(told, family)
    mother = family.parent_of_sem(MOTHER_ID)
    birthday = family.sem_turns(16)
    family.clock.forward_to(birthday - timedelta(days=1))
    must(bool(family.words(mother, family.sem)), "his mother was shut out before his birthday")
    family.clock.forward_to(birthday + timedelta(hours=6))
    told.refused(
        "years-sixteen",
        "Sem turned 16 this morning. Until yesterday his mother read his part of the plan. Today:",
        lambda: family.words(family.parent_of_sem(MOTHER_ID), family.sem),
        "R21",
    )
    asked_and_given(
        told,
        family,
        family.sem,
        timedelta(days=CONSENT_DAYS),
        consent_purpose=Purpose.PURPOSE_INZAGE,
        recipients=[f"{family.municipality.oin}/wettelijk-vertegenwoordiger"],
        categories=["WMO-PLAN"],
    )
    must(bool(family.words(family.parent_of_sem(MOTHER_ID), family.sem)), "his yes opened nothing")
    told.step("years-his-yes", "He lets her see his goals. Now it is because he says so.", "PERMIT")


def reached(told: Telling, family: Family) -> None:
    """Note that the goal was reached, and look in the mirror."""
    family.change(
        told,
        family.noor,
        "mark_goal",
        goal_id=family.noor.goal_id,
        state=GoalState.GOAL_STATE_REACHED,
        state_date=family.day(),
    )
    plan_id = family.noor.plan_id
    answer = family.team().plan.get_practice_check(
        claim=WIJKTEAM, plan_id=plan_id, fields=[*QUESTIONS, "asked_twice"]
    )
    said = {name: getattr(answer.check, name) for name in QUESTIONS}
    yes = [name for name, word in said.items() if word == PracticeAnswer.PRACTICE_ANSWER_YES]
    no = [name.replace("_", " ") for name, word in said.items() if word == PracticeAnswer.PRACTICE_ANSWER_NO]
    told.step(
        "years-reached",
        "The rent is paid on time, and the goal is noted as reached. Was this done the new way? "
        f"{len(yes)} of {len(QUESTIONS)} questions yes; no to: {', '.join(no)}.",
        "TOLD",
    )


def then_and_now(told: Telling, family: Family) -> None:
    """Lay the plan of the day she said yes beside that of today."""
    team, noor = family.team(), family.noor
    fields = ["goals.state", "evaluations.scores", "situations.score", "situations.life_domain"]
    changed = team.history.get_plan_difference(
        claim=WIJKTEAM,
        plan_id=noor.plan_id,
        from_time=noor.said_yes_at,
        to_time=stamp(family.clock.now()),
        fields=fields,
    )
    scores = [score for one in changed.after.evaluations for score in one.scores]
    must(not changed.before.evaluations and len(scores) > 1, "the years do not show")
    must(changed.after.goals[0].state == GoalState.GOAL_STATE_REACHED, "the goal is not reached")
    of_five = ", then ".join(map(str, scores))
    told.step(
        "years-difference",
        f"Three years side by side. When Noor said yes: a goal, and no score. Now: {of_five} "
        "of 5, and reached. What was known on any day in between can still be asked.",
        "PERMIT",
    )
