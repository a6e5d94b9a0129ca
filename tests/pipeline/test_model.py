"""Random walks, faults and restarts against a model that knows nothing of groups: one order explains all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange.errors import AccessDenied, StoreUnavailable
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from exchange.pipeline.walk import CommandWalk, Walk

PLANS = 2
plans = st.integers(0, PLANS - 1)
steps = st.lists(
    st.tuples(st.sampled_from(["goal", "read", "withdraw", "stranger"]), plans), min_size=1, max_size=5
)


@dataclass
class Known:
    """What the model knows of one plan."""

    plan_id: str
    consent_id: str
    version: int
    given: bool = True
    goals: list[CommandWalk] = field(default_factory=list)


class ShardModel(RuleBasedStateMachine):
    """Walks one after another, as if there were no groups, no faults and no cache."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shard-"))
        self.shard = Shard(self.folder / "data")
        self.plans = []
        for _ in range(PLANS):
            ref, case_id, plan_id = self.shard.plan()
            self.plans.append(Known(plan_id, self.shard.consent(ref, case_id), version=2))
        self.position = self.shard.head
        self.answered: list[tuple[CommandWalk, Any]] = []
        self.recorder = faulty_recorder(self.shard)

    def walk_of(self, step: str, known: Known) -> Walk:
        if step == "goal":
            return self.shard.goal(known.plan_id)
        if step == "withdraw":
            return self.shard.withdrawal(known.consent_id)
        if step == "read":
            return self.shard.question_with_consent(known.plan_id)
        return self.shard.question(known.plan_id, caller=self.shard.caller(professional="prof-2"))

    def expect(self, step: str, known: Known, outcome: Any) -> None:  # noqa: ANN401 -- any outcome
        """Follow one walk in the model, and hold its outcome against it."""
        self.position += 1
        if step == "goal":
            known.version += 1
            assert isinstance(outcome, CommandOutcome)
            assert outcome.versions == {"plan": known.version}
        elif step == "withdraw":
            known.given = False
            assert isinstance(outcome, CommandOutcome)
        elif step == "read" and known.given:
            assert isinstance(outcome, ReadOutcome)
            assert len(outcome.captured.goals) == known.version - 2
        else:
            assert isinstance(outcome, AccessDenied)
            assert outcome.rules == (("R19",) if step == "read" else ("R03",))
            return
        assert outcome.position == self.position

    @rule(group=steps, fault=st.sampled_from(["", "", "", "kept"]))
    def walk(self, group: list[tuple[str, int]], fault: str) -> None:
        self.recorder.faults = [fault] if fault else []
        chosen = [(step, self.plans[plan]) for step, plan in group]
        walks = [self.walk_of(step, known) for step, known in chosen]
        outcomes = self.shard.run(*walks)
        for walk, (step, known), outcome in zip(walks, chosen, outcomes, strict=True):
            self.expect(step, known, outcome)
            if isinstance(outcome, CommandOutcome):
                self.answered.append((walk, outcome))  # type: ignore[arg-type] # its outcome says it is one

    @rule(group=steps)
    def lose(self, group: list[tuple[str, int]]) -> None:
        self.recorder.faults = ["lost"]
        outcomes = self.shard.run(*(self.walk_of(step, self.plans[plan]) for step, plan in group))
        assert [type(one) for one in outcomes] == [StoreUnavailable] * len(group)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.answered:
            chosen = data.draw(st.lists(st.sampled_from(self.answered), min_size=1, max_size=3))
            outcomes = self.shard.run(*(walk for walk, _ in chosen))
            assert outcomes == [outcome for _, outcome in chosen]

    @rule(plan=plans)
    def write_beside(self, plan: int) -> None:
        """Let another process set a goal that this one has not seen."""
        beside = self.shard.beside()
        self.expect("goal", self.plans[plan], beside.done(beside.goal(self.plans[plan].plan_id)))
        beside.close()

    @rule()
    def forget(self) -> None:
        self.shard.core.hot.clear()

    @rule()
    def restart(self) -> None:
        self.shard = self.shard.reopen()
        self.recorder = faulty_recorder(self.shard)

    @invariant()
    def events_are_leaves_and_the_model(self) -> None:
        assert self.shard.verified() == self.position

    def teardown(self) -> None:
        self.shard.close()
        shutil.rmtree(self.folder)


TestShardModel = ShardModel.TestCase
TestShardModel.settings = settings(
    max_examples=8,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
