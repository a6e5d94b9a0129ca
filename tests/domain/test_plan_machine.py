"""Any sequence of all commands on a plan, aimed at what is there: the laws hold after every one of them.

What is laid down: money adds up and its days do not overlap; a yes comes after a goal, the lenses and every
conflict of rules; nothing is assigned without a yes to it; versions count every event, and say of each
element and leaf when it was written. Folding the whole history again gives what was folded step by step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from exchange.domain.kernel import Command, evolve_at
from exchange.domain.plan import PLAN, AddStatement, PlanState, RectifyPlan
from exchange.domain.plan.correctable import FIELDS
from exchange.domain.plan.corrections import ElementName
from exchange.domain.plan.rectified import NAMED_BY
from exchange.domain.plan.words import Attendee
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import (
    A_DAY,
    AGREE,
    ASSESS,
    ASSIGN,
    CONSULENT,
    CONVERSE,
    DAY,
    DESCRIBE,
    LATER,
    MUNICIPALITY,
    PLANNER,
    PROVIDER,
    REPORT,
    REQUEST_SUPPORT,
    RESIDENT,
    SET_GOAL,
    START,
    STOP,
    STRANGER,
)
from tests.domain.matching_builders import (
    ASK,
    CLOSE,
    END,
    OFFER,
    PROPOSE_TO_WHO_ASKS,
    PROPOSE_TO_WHO_OFFERS,
    SAY_YES,
    WITHDRAW,
)
from tests.domain.plan_builders import (
    ANSWER,
    CHANGE,
    INVITE,
    LOOK_BACK,
    MARK_GOAL,
    MOVE_TRAJECTORY,
    PLAN_LOOKING_BACK,
    PREFER,
    RECEIVE_SIGNAL,
    RECORD_CONFLICT,
    REFUSE,
    RESOLVE_CONFLICT,
    SET_FUNDING,
    START_TRAJECTORY,
)
from tests.domain.plan_laws import holds, noted, notes_hold, stays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pytest

    from exchange.domain.kernel import Event

QUICK = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
# The steps to care that runs; a history begins with as many of them as are drawn.
TO_CARE = (REPORT, DESCRIBE, SET_GOAL, REQUEST_SUPPORT, ASSESS, AGREE, ASSIGN, SET_FUNDING, START)
WORK = Author(MUNICIPALITY, "college:PW", "w-1", operator=True)
# Most often who usually gives such a command.
AUTHORS = st.sampled_from([None] * 6 + [WORK, PLANNER, RESIDENT, Author(STRANGER, "wmo-aanbieder", "s-1")])
NUMBERS = st.sampled_from(["1", "2", "3"])
KINDS = st.sampled_from(["first", "with_provider", "evaluation"])
THERE = st.sampled_from([(), tuple(Attendee), ("resident", "nobody")])
DAYS = st.integers(-3, 100).map(lambda days: DAY + days * A_DAY)
# Most often of one goal, and on the scale.
SCORES = st.sampled_from([(1,), (2,), (3,), (4,), (5,), (4,), (0,), (4, 4)])
DOMAINS = st.sampled_from(["basic_adl", "work_and_education", "finance", "nonsense"])
LAWS = st.sampled_from(["wmo_2015", "participatiewet", "jeugdwet", "wgs"])
WORDS = st.sampled_from(["Weer koken.", "", "fits", "basic_adl", "finance", "2026-03-20", "4", "temporary"])


class AnyPlan(RuleBasedStateMachine):
    """One plan, and everything that happened to it."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: PlanState | None = None
        self.history: list[tuple[Event, datetime]] = []
        self.now = LATER

    def give(self, command: Command, **changes: Any) -> None:  # noqa: ANN401 -- any field of the command
        """Give a command now; a refusal changes nothing."""
        self.now += timedelta(minutes=1)
        said = {name: value for name, value in changes.items() if value is not None}
        order = replace(command, **{"now": self.now, **said})
        try:
            events = PLAN.decide(order, self.plan)
        except (RuleBroken, RequestInvalid):
            return
        for event in events:
            before = self.plan
            self.history.append((event, self.now))
            self.plan = evolve_at(PLAN, before, event, self.now)  # type: ignore[assignment] # a plan's own
            assert self.plan is not None
            assert self.plan.version == len(self.history)
            stays(before, self.plan)
            notes_hold(before, self.plan)
        assert self.plan is not None
        holds(self.plan)

    def drawn(self, data: st.DataObject, collection: str, field: str) -> str:
        """Return the id of an element, or now and then one that is not there."""
        there = [getattr(one, field) for one in getattr(self.plan, collection, ())]
        name: str = data.draw(st.sampled_from([*there * 3, "v-9"]))
        return name

    # --- commands -----------------------------------------------------------------------------------------

    @initialize(
        steps=st.sampled_from([len(TO_CARE)] * 4 + list(range(len(TO_CARE)))),
        conflict=st.sampled_from([0, 0, 0, 1]),
        more=st.sampled_from([(PLAN_LOOKING_BACK,), (), (OFFER, ASK), (PLAN_LOOKING_BACK, OFFER, ASK)]),
    )
    def begins(self, steps: int, conflict: int, more: tuple[Command, ...]) -> None:
        for command in (*TO_CARE[:3], *[RECORD_CONFLICT] * conflict, *TO_CARE[3:])[:steps]:
            self.give(command)
        for one in more:
            self.give(one)

    @rule(domain=DOMAINS, author=AUTHORS)
    def reports(self, domain: str, author: Author | None) -> None:
        self.give(REPORT, life_domains=(domain,), author=author)

    @rule(number=NUMBERS)
    def signals(self, number: str) -> None:
        self.give(RECEIVE_SIGNAL, signal_id=f"s-{number}", report_id=f"m-{number}")

    @rule(kind=KINDS, there=THERE, solved=st.booleans(), number=NUMBERS)
    def converses(self, kind: str, there: tuple[str, ...], number: str, *, solved: bool) -> None:
        outcome = "solved_in_general_services" if solved else "continue"
        self.give(CONVERSE, kind=kind, outcome=outcome, present=there, conversation_id=f"g-{number}")

    @rule(domain=DOMAINS, score=st.integers(0, 6), author=AUTHORS)
    def describes(self, domain: str, score: int, author: Author | None) -> None:
        self.give(DESCRIBE, life_domain=domain, score=score, author=author)

    @rule(number=NUMBERS, domain=DOMAINS, author=AUTHORS)
    def aims(self, number: str, domain: str, author: Author | None) -> None:
        self.give(SET_GOAL, goal_id=f"d-{number}", life_domain=domain, author=author)

    @rule(data=st.data(), state=st.sampled_from(["active", "reached", "withdrawn"]), author=AUTHORS)
    def marks(self, data: st.DataObject, state: str, author: Author | None) -> None:
        goal_id = self.drawn(data, "goals", "goal_id")
        self.give(MARK_GOAL, goal_id=goal_id, state=state, author=author)

    @rule(law=LAWS, waived=st.booleans())
    def looks_through(self, law: str, *, waived: bool) -> None:
        self.give(ASSESS, law=law, finding="waived" if waived else "fits")

    @rule(number=NUMBERS, author=AUTHORS)
    def finds_conflict(self, number: str, author: Author | None) -> None:
        self.give(RECORD_CONFLICT, conflict_id=f"k-{number}", author=author)

    @rule(data=st.data(), author=AUTHORS)
    def resolves_conflict(self, data: st.DataObject, author: Author | None) -> None:
        conflict_id = self.drawn(data, "rule_conflicts", "conflict_id")
        self.give(RESOLVE_CONFLICT, conflict_id=conflict_id, author=author)

    @rule(data=st.data(), number=NUMBERS, custom=st.booleans(), author=AUTHORS)
    def chooses(self, data: st.DataObject, number: str, author: Author | None, *, custom: bool) -> None:
        goal_ids = (self.drawn(data, "goals", "goal_id"),)
        kind = "custom" if custom else "own_network"
        provider = PROVIDER if custom else ""
        said = {"support_id": f"v-{number}", "kind": kind, "provider_oin": provider, "goal_ids": goal_ids}
        self.give(REQUEST_SUPPORT, **said, author=author)

    @rule(
        outcome=st.sampled_from(["agreed", "agreed", "agreed_on_conditions", "disagreed"]),
        minor=st.booleans(),
    )
    def speaks(self, outcome: str, *, minor: bool) -> None:
        self.give(AGREE, outcome=outcome, remarks="Als het mag.", minor=minor)

    @rule(data=st.data(), met=st.booleans(), author=AUTHORS)
    def answers(self, data: st.DataObject, author: Author | None, *, met: bool) -> None:
        words = [one.plan_version for one in getattr(self.plan, "agreements", ())]
        self.give(ANSWER, plan_version=data.draw(st.sampled_from([*words, 1])), met=met, author=author)

    @rule(data=st.data(), number=NUMBERS, author=AUTHORS)
    def assigns(self, data: st.DataObject, number: str, author: Author | None) -> None:
        support_id = self.drawn(data, "supports", "support_id")
        self.give(ASSIGN, support_id=support_id, assignment_number=f"0{number}", author=author)

    @rule(data=st.data(), day=DAYS, author=AUTHORS)
    def starts(self, data: st.DataObject, day: date, author: Author | None) -> None:
        self.give(
            START, support_id=self.drawn(data, "supports", "support_id"), care_start_date=day, author=author
        )

    @rule(data=st.data(), author=AUTHORS)
    def refuses(self, data: st.DataObject, author: Author | None) -> None:
        self.give(REFUSE, support_id=self.drawn(data, "supports", "support_id"), author=author)

    @rule(data=st.data(), day=DAYS, while_=st.booleans(), author=AUTHORS)
    def stops(self, data: st.DataObject, day: date, author: Author | None, *, while_: bool) -> None:
        said = {"care_end_date": day, "reason": "temporary" if while_ else STOP.reason}
        self.give(STOP, support_id=self.drawn(data, "supports", "support_id"), **said, author=author)

    @rule(data=st.data(), day=DAYS, volume=st.integers(4, 6), author=AUTHORS)
    def changes(self, data: st.DataObject, day: date, volume: int, author: Author | None) -> None:
        said = {"end_date": day + 90 * A_DAY, "volume": volume}
        self.give(CHANGE, support_id=self.drawn(data, "supports", "support_id"), **said, author=author)

    @rule(data=st.data(), number=NUMBERS, day=DAYS, more=st.integers(0, 1), author=AUTHORS)
    def funds(self, data: st.DataObject, number: str, day: date, more: int, author: Author | None) -> None:
        replaces = self.drawn(data, "funding", "funding_id") if data.draw(st.booleans()) else ""
        said = {"funding_id": f"f-{number}", "support_id": self.drawn(data, "supports", "support_id")}
        days = {"start_date": day, "end_date": day + 10 * A_DAY}
        cost = {"cost_cents": sum(SET_FUNDING.amounts_cents) + more}
        self.give(SET_FUNDING, **said, **days, **cost, replaces=replaces, author=author)

    @rule(number=NUMBERS, author=AUTHORS)
    def plans_looking_back(self, number: str, author: Author | None) -> None:
        self.give(PLAN_LOOKING_BACK, evaluation_id=f"e-{number}", author=author)

    @rule(data=st.data(), scores=SCORES, author=AUTHORS)
    def looks_back(self, data: st.DataObject, scores: tuple[int, ...], author: Author | None) -> None:
        evaluation_id = self.drawn(data, "evaluations", "evaluation_id")
        said = {"goal_ids": (self.drawn(data, "goals", "goal_id"),), "scores": scores}
        self.give(LOOK_BACK, evaluation_id=evaluation_id, **said, now=LOOK_BACK.now, author=author)

    @rule(data=st.data(), number=NUMBERS, step=st.integers(0, 7), author=AUTHORS)
    def sets_out(self, data: st.DataObject, number: str, step: int, author: Author | None) -> None:
        goal_ids = (self.drawn(data, "goals", "goal_id"),)
        self.give(START_TRAJECTORY, trajectory_id=f"t-{number}", step=step, goal_ids=goal_ids, author=author)

    @rule(data=st.data(), step=st.integers(0, 7), day=DAYS, author=AUTHORS)
    def moves(self, data: st.DataObject, step: int, day: date, author: Author | None) -> None:
        state = data.draw(st.sampled_from(["started", "paused", "stopped"]))
        trajectory_id = self.drawn(data, "trajectories", "trajectory_id")
        self.give(
            MOVE_TRAJECTORY,
            trajectory_id=trajectory_id,
            state=state,
            step=step,
            since_date=day,
            author=author,
        )

    @rule(number=NUMBERS, author=AUTHORS)
    def prefers(self, number: str, author: Author | None) -> None:
        self.give(PREFER, preference_id=f"w-{number}", author=author)

    @rule(data=st.data(), author=AUTHORS)
    def invites(self, data: st.DataObject, author: Author | None) -> None:
        self.give(INVITE, preference_id=self.drawn(data, "preferences", "preference_id"), author=author)

    # --- among neighbours -----------------------------------------------------------------------------------

    @rule(number=NUMBERS, asks=st.booleans(), day=DAYS, author=AUTHORS)
    def offers_or_asks(self, number: str, day: date, author: Author | None, *, asks: bool) -> None:
        if asks:
            self.give(ASK, wish_id=f"w-{number}", start_date=day, author=author)
        else:
            self.give(OFFER, contribution_id=f"o-{number}", start_date=day, author=author)

    @rule(data=st.data(), asks=st.booleans(), author=AUTHORS)
    def takes_back(self, data: st.DataObject, author: Author | None, *, asks: bool) -> None:
        if asks:
            self.give(CLOSE, wish_id=self.drawn(data, "wishes", "wish_id"), author=author)
        else:
            contribution_id = self.drawn(data, "contributions", "contribution_id")
            self.give(WITHDRAW, contribution_id=contribution_id, author=author)

    @rule(data=st.data(), number=NUMBERS, asks=st.booleans())
    def is_proposed(self, data: st.DataObject, number: str, *, asks: bool) -> None:
        if asks:
            wish_id = self.drawn(data, "wishes", "wish_id")
            self.give(PROPOSE_TO_WHO_ASKS, wish_id=wish_id, match_id=f"m-{number}")
        else:
            contribution_id = self.drawn(data, "contributions", "contribution_id")
            self.give(PROPOSE_TO_WHO_OFFERS, contribution_id=contribution_id, match_id=f"m-{number}")

    @rule(data=st.data(), yes=st.booleans(), author=AUTHORS)
    def answers_a_match(self, data: st.DataObject, author: Author | None, *, yes: bool) -> None:
        said = {"said": "yes", "contact": SAY_YES.contact} if yes else {"said": "no", "contact": ""}
        self.give(SAY_YES, match_id=self.drawn(data, "matches", "match_id"), **said, author=author)

    @rule(data=st.data(), author=AUTHORS)
    def ends_a_match(self, data: st.DataObject, author: Author | None) -> None:
        self.give(END, match_id=self.drawn(data, "matches", "match_id"), author=author)

    # --- corrections ----------------------------------------------------------------------------------------

    @rule(
        data=st.data(),
        path=st.sampled_from(sorted(FIELDS)),
        words=WORDS,
        author=AUTHORS,
        granted=st.booleans(),
    )
    def corrects(
        self, data: st.DataObject, path: str, words: str, author: Author | None, *, granted: bool
    ) -> None:
        collection, _, field = path.partition(".")
        element = self.named(data, collection)
        values = (words,) if words else ()
        order = RectifyPlan(
            now=self.now,
            author=author or CONSULENT,
            element=element,
            field=field,
            values=values,
            granted=granted,
        )
        self.give(order)

    @rule(data=st.data(), collection=st.sampled_from(sorted(NAMED_BY)), author=AUTHORS)
    def speaks_beside(self, data: st.DataObject, collection: str, author: Author | None) -> None:
        element = self.named(data, collection)
        self.give(
            AddStatement(
                now=self.now, author=author or RESIDENT, element=element, statement="Zo was het niet."
            )
        )

    def named(self, data: st.DataObject, collection: str) -> ElementName:
        there = getattr(self.plan, collection, ())
        nobody = ElementName(collection, "v-9", "college:WMO@x")
        names = [ElementName(collection, getattr(one, NAMED_BY[collection]), one.origin) for one in there]
        return data.draw(st.sampled_from([*names * 3, nobody]))

    def teardown(self) -> None:
        folded: Any = None
        for event, at in self.history:
            folded = evolve_at(PLAN, folded, event, at)
        assert folded == self.plan
        assert list(noted(folded)) == list(noted(self.plan))


# --- all of it --------------------------------------------------------------------------------------------


def commands(kind: type[Command]) -> Iterator[type[Command]]:
    for one in kind.__subclasses__():
        yield one
        yield from commands(one)


def test_any_sequence_of_commands_keeps_the_laws() -> None:
    # Each law is held in the machine, after every command.
    assert run_state_machine_as_test(AnyPlan, settings=QUICK) is None  # type: ignore[func-returns-value] # None is its good end


def test_every_command_on_a_plan_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given: set[str] = set()
    give = AnyPlan.give

    def noting(self: AnyPlan, command: Command, **changes: Any) -> None:  # noqa: ANN401 -- as `give`
        given.add(type(command).__name__)
        give(self, command, **changes)

    monkeypatch.setattr(AnyPlan, "give", noting)
    # The same draws each time: whether every command comes is no matter of chance.
    run_state_machine_as_test(AnyPlan, settings=settings(QUICK, derandomize=True, max_examples=120))
    of_plans = {
        one.__name__ for one in commands(Command) if one.__module__.startswith("exchange.domain.plan.")
    }
    # What offers and wishes say alike is no command of its own.
    assert of_plans - {"Terms"} <= given
