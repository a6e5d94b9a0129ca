"""Every field that is corrected, looked back on: as if it had been recorded right, and marked as put right.

What should be seen is not worked out by what is tested: the same history is folded once more with the event
that was wrong said right.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import evolve_at
from exchange.domain.plan import PLAN
from exchange.domain.plan.correctable import FIELDS
from exchange.domain.plan.rectified import NAMED_BY, Noted, paths_at, rectified
from exchange.pipeline.apart import COLLECTION_OF
from tests.domain.test_correctable import (
    ASSIGNED,
    CARE,
    DESCRIBED,
    KINDS,
    MARKED,
    MOVED,
    ONCE_MORE,
    PATH,
    SUPPORT,
    TABLE,
    TALKED,
    Told,
    command,
    values_of,
)
from tests.domain.test_corrections import AT, CITY, DESK, LATER
from tests.golden.write_missing import sample

if TYPE_CHECKING:
    from exchange.domain.plan import PlanState

HOUR = timedelta(hours=1)
REPORTED: Told = ("report_received", {"life_domains": ("finance",)})
GOAL: Told = ("goal_set", {"life_domain": "finance"})
LENS: Told = ("lens_assessed", {"finding": "fits"})
STOPPED: Told = (
    "support_stopped",
    {"support_id": "s-1", "care_end_date": date(2026, 2, 20), "stop_reason": "temporary"},
)
AGAIN: Told = ("support_started", {"support_id": "s-1", "care_start_date": date(2026, 3, 1)})
WORSE: Told = ("situation_described", {"score": 1, "beside": False, "judge_date": date(2026, 2, 9)})
PAUSED: Told = ("goal_marked", MARKED[1] | {"state": "paused", "state_date": date(2026, 1, 9)})
LIVED = (SUPPORT, ASSIGNED, CARE, STOPPED)
# What was told, which field is wrong in the last of it that says so, and what is right, in turn.
CASES: tuple[tuple[tuple[Told, ...], str, tuple[Any, ...]], ...] = (
    # What says nothing is not corrected any more.
    *((told, path, good[good[0] in ("0", ()) :] or good) for told, path, good, _ in TABLE if good),
    ((REPORTED,), "reports.life_domains", ("basic_adl",)),
    ((REPORTED,), "reports.own_words", ("Anders.", "Toch zo.")),
    ((TALKED,), "conversations.hold_date", ("2026-02-02",)),
    ((TALKED,), "conversations.summary", ("Anders.",)),
    ((LENS,), "lens_assessments.finding", ("waived", "conflict", "fits")),
    (
        (LENS, ("lens_assessed", {"finding": "fits", "reason": "Nieuw."})),
        "lens_assessments.reason",
        ("Anders.",),
    ),
    ((GOAL, MARKED), "goals.own_words", ("Anders.",)),
    ((GOAL,), "goals.desired_effect", ("Anders.",)),
    ((GOAL,), "goals.life_domain", ("basic_adl",)),
    ((GOAL,), "goals.target_date", ("2026-12-31",)),
    ((GOAL, PAUSED, MARKED), "goals.state_date", ("2026-03-03", "2026-02-03")),
    ((DESCRIBED, WORSE), "situations.description", ("Anders.",)),
    ((DESCRIBED, WORSE), "situations.strengths", ("Anders.", ())),
    ((DESCRIBED, WORSE), "situations.own_network", ("Anders.", ())),
    ((DESCRIBED, WORSE), "situations.score", ("4", "3")),
    ((DESCRIBED, WORSE), "situations.judge_date", ("2026-02-08",)),
    ((DESCRIBED, WORSE, DESCRIBED), "situations.earlier_scores", (("5", "4"), ("5", "1"))),
    ((DESCRIBED, WORSE, DESCRIBED), "situations.earlier_judge_dates", (("2026-02-09", "2026-02-10"),)),
    (LIVED[:3], "supports.care_start_date", ("2026-02-11",)),
    ((*LIVED, AGAIN), "supports.care_start_date", ("2026-03-05", "2026-03-04")),
    (LIVED, "supports.care_end_date", ("2026-02-21",)),
    (LIVED, "supports.stop_reason", ("death",)),
    ((PATH, MOVED, ONCE_MORE), "trajectories.step", ("6",)),
    # On the same step as before, and as long a week.
    ((PATH, ("trajectory_moved", MOVED[1] | {"step": 2})), "trajectories.step", ("1",)),
    ((PATH, MOVED), "trajectories.hours_a_week", ("9",)),
    (
        (PATH, MOVED, ONCE_MORE),
        "trajectories.earlier_dates",
        (("2026-02-01", "2026-02-20"), ("2026-02-01", "2026-02-02")),
    ),
    # Each the next one's.
    ((PATH, MOVED, ONCE_MORE), "trajectories.earlier_steps", (("3", "2"), ("2", "3"), ("5", "5"))),
)


def event_of(told: Told) -> Any:  # noqa: ANN401 -- any event of a plan
    topic, said = told
    return replace(sample(KINDS[topic]), **({"task": DESK.task, "organisation": CITY} | said))


def lived(told: tuple[Told, ...]) -> list[PlanState]:
    """Return the plan after each of what was told, an hour apart; first as it was opened."""
    states: list[Any] = [None]
    for number, one in enumerate((("opened", {}), *told)):
        states.append(evolve_at(PLAN, states[-1], event_of(one), AT + number * HOUR))
    return states[1:]


def said_right(told: tuple[Told, ...], path: str, element: Any, values: tuple[str, ...]) -> tuple[Told, ...]:  # noqa: ANN401 -- the one that is corrected
    """Return what would have been told, had the field of the element been recorded right."""
    collection, _, leaf = path.partition(".")
    names, says = NAMED_BY[collection], FIELDS[path].read(values)
    right = [dict(said) for _, said in told]

    def telling(name: str) -> list[int]:
        return [
            place
            for place, (topic, said) in enumerate(told)
            if COLLECTION_OF[f"plan.{topic}"] == collection
            and said.get(names, getattr(element, names)) == getattr(element, names)
            and name in {field.name for field in fields(KINDS[topic])}
        ]

    if leaf in ("earlier_scores", "earlier_steps"):
        for place, value in zip(telling(leaf.removeprefix("earlier_").removesuffix("s")), says, strict=False):
            right[place][leaf.removeprefix("earlier_").removesuffix("s")] = value
    elif leaf in ("earlier_judge_dates", "earlier_dates"):
        for place, value in enumerate(says):
            first = "start_date" if place == 0 else "since_date"
            name = "judge_date" if collection == "situations" else first
            right[place][name] = date.fromisoformat(value)
    else:
        place = telling(leaf)[-1]
        written = path in ("funding.amounts_cents", "evaluations.scores", "signals.arrears_cents")
        right[place][leaf] = values if written and isinstance(says, tuple) else says
        if path == "funding.amounts_cents":
            right[place]["cost_cents"] = sum(says)
    return tuple((topic, said) for (topic, _), said in zip(told, right, strict=True))


@pytest.mark.parametrize(
    ("told", "path", "good"), CASES, ids=[f"{path}-{len(told)}" for told, path, _ in CASES]
)
def test_it_is_seen_as_if_it_had_been_recorded_right(
    told: tuple[Told, ...], path: str, good: tuple[Any, ...]
) -> None:
    collection = path.partition(".")[0]
    states = lived(told)
    now = states[-1]
    for number, said in enumerate(good):
        (event,) = PLAN.decide(command(now, path, *values_of(said)), now)
        now = evolve_at(PLAN, now, event, LATER + number * HOUR)  # type: ignore[assignment] # a plan's own
    right = said_right(told, path, getattr(now, collection)[0], values_of(good[-1]))
    noted = Noted(now.corrections)
    for was, should in zip(states, lived(right), strict=True):
        for one, other in zip(getattr(was, collection), getattr(should, collection), strict=True):
            seen, by = rectified(collection, one, was.version, noted.since(was.version, collection, one))
            assert seen == other
            leaves = [leaf for leaf in one.__slots__ if getattr(one, leaf) != getattr(seen, leaf)]
            # Marked is what says something else; and what was corrected back to what it said.
            assert {each.field for each in by}.issuperset({*leaves} - NOTED)
            assert not by or leaves or len(good) > 1
            assert all(each.recorded is not None for each in by)


def test_what_is_set_anew_after_a_correction_is_not_the_value_that_was_wrong() -> None:
    state = lived((PATH,))[-1]
    was = state
    seen: list[Any] = [state]
    for number, step in enumerate(("4", MOVED, "5", ONCE_MORE, "1")):
        order: Any = command(state, "trajectories.step", step) if isinstance(step, str) else None
        (event,) = (event_of(step),) if order is None else PLAN.decide(order, state)  # type: ignore[arg-type] # a told event
        state = evolve_at(PLAN, state, event, LATER + number * HOUR)  # type: ignore[assignment] # a plan's own
        seen.append(state)
    noted = Noted(state.corrections)
    told = [
        rectified("trajectories", one, was.version, noted.since(was.version, "trajectories", one))[0]
        for was in seen
        for one in was.trajectories
    ]
    assert [one.step for one in told] == [4, 4, 5, 5, 1, 1]
    assert [one.earlier_steps for one in told] == [(), (), (4,), (4,), (4, 5), (4, 5)]
    # No number that was wrong is kept for it.
    assert [(each.field, each.value, each.formers) for each in state.corrections] == [
        ("step", 4, ()),
        ("step", 5, ()),
        ("step", 1, ()),
    ]
    assert was.trajectories[0].step == 2


NOTED = {"written", "rewritten"}


def test_every_field_that_is_corrected_is_looked_back_on() -> None:
    assert {path for _, path, _ in CASES} == FIELDS.keys()


def test_a_correction_is_of_the_leaves_it_changed() -> None:
    moved = lived((PATH, MOVED))[-1]
    for state, leaves in (
        (lived((PATH,))[-1], {"start_date", "since_date"}),
        (moved, {"start_date", "earlier_dates"}),
    ):
        (event,) = PLAN.decide(command(state, "trajectories.start_date", "2026-01-15"), state)
        after: Any = evolve_at(PLAN, state, event, LATER)
        assert paths_at(after.corrections, after.version) == {f"trajectories.{leaf}" for leaf in leaves}
        assert paths_at(after.corrections, state.version) == frozenset()


def test_what_came_along_without_a_day_for_each_is_folded_and_looked_back_on() -> None:
    before = lived((PATH, MOVED, ONCE_MORE))
    (one,) = before[-1].trajectories
    state = replace(before[-1], trajectories=(replace(one, earlier_dates=one.earlier_dates[:1]),))
    (event,) = PLAN.decide(command(state, "trajectories.earlier_steps", "5", "6"), state)
    after: Any = evolve_at(PLAN, state, event, LATER)
    noted = Noted(after.corrections)
    (was,) = before[-2].trajectories
    for dates in (was.earlier_dates, ()):
        of_then = replace(was, earlier_dates=dates)
        found = noted.since(before[-2].version, "trajectories", of_then)
        seen, _ = rectified("trajectories", of_then, before[-2].version, found)
        assert (seen.step, seen.earlier_steps) == (3, (5,) if dates else (2,))
