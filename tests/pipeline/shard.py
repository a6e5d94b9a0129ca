"""Builders for walks on a real shard: valid by default, a test names only what it is about."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.intake import receive_report
from exchange.domain.plan import ReceiveReport, SetGoal
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author
from exchange.gate.model import Field
from exchange.pipeline.walk import (
    Caller,
    Claim,
    CommandOutcome,
    CommandWalk,
    Group,
    ReadOutcome,
    ReadWalk,
    Steps,
)
from exchange.settings import Settings
from exchange.wiring.core import genesis, open_core

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.pipeline.walk import View, Walk

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
THUMBPRINT = "ab" * 32
SIGNING_KEY = "cd" * 32
NECESSITY = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"
WIJKTEAM = Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY)


class Shard:
    """A core whose writer is run directly, one group at a time."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.settings = Settings(data=data, **settings)
        self.core = open_core(self.settings, lambda: NOW)
        genesis(self.core, NOW, thumbprint=THUMBPRINT, signing_key=SIGNING_KEY)

    @property
    def oin(self) -> str:
        """The operator's, who is also the municipality."""
        return self.settings.operator_oin

    def caller(self, task: str = "college:WMO", professional: str = "prof-1", **changes: Any) -> Caller:
        """A professional of the municipality."""
        facts: dict[str, Any] = {
            "organisation": self.oin,
            "task": task,
            "professional": professional,
            "role": "regisseur",
            "thumbprint": THUMBPRINT,
            "two_factor": True,
            "mutual_tls": True,
        }
        return Caller(**(facts | changes))

    def run(self, *walks: Walk) -> list[Any]:
        """Run one group."""
        return self.core.writer.run(walks)

    def done(self, walk: Walk) -> Any:
        """Run one walk that must succeed."""
        (outcome,) = self.run(walk)
        assert isinstance(outcome, CommandOutcome | ReadOutcome), outcome
        return outcome

    def resident(self) -> str:
        """Register somebody."""
        ref = uuid.uuid4().hex
        command = RegisterResident(
            now=NOW, author=self.author(), resident=ref, birth_date=date(1980, 5, 1), capable=True
        )
        self.done(
            self.command(
                command, "resident", ref, anchor=f"resident-{ref}", relation=False, category="CONTACT"
            )
        )
        return ref

    def plan(self, ref: str | None = None) -> tuple[str, str, str]:
        """Report somebody; return (resident, case id, plan id)."""
        ref = ref or self.resident()
        case_id, plan_id, report_id = (str(uuid.uuid4()) for _ in range(3))
        order = ReceiveReport(
            now=NOW,
            author=self.author(),
            resident=ref,
            case_id=case_id,
            plan_id=plan_id,
            report_id=report_id,
            life_domains=("social_network",),
            own_words="ik kom niet meer buiten",
            desk="wijkteam-oost",
        )
        walk = self.walk(
            process=lambda _: Steps(receive_report(order, None, None)),
            anchor=f"resident-{ref}",
            relation=False,
        )
        self.done(walk)
        return ref, case_id, plan_id

    def author(self, task: str = "college:WMO") -> Author:
        """The professional as the domain knows him."""
        return Author(self.oin, task, "prof-1")

    def goal(self, plan_id: str, words: str = "weer onder de mensen", **changes: Any) -> CommandWalk:
        """A walk that sets a goal."""
        command = SetGoal(
            now=NOW,
            author=self.author(),
            goal_id=str(uuid.uuid4()),
            own_words=words,
            desired_effect="elke week naar de buurtkamer",
            life_domain="social_network",
            target_date=date(2026, 12, 1),
        )
        return self.command(command, "plan", plan_id, anchor=f"plan-{plan_id}", **changes)

    def command(
        self, command: Any, aggregate: str, key: str, category: str = "WMO-PLAN", **changes: Any
    ) -> CommandWalk:
        """A walk of one command on one stream."""
        stream = stream_of(aggregate, key)

        def process(view: View) -> Steps:
            return Steps([(stream, AGGREGATES[aggregate].decide(command, view.state(stream)))])

        return self.walk(process=process, streams=(stream,), category=category, **changes)

    def walk(
        self, process: Callable[[View], Steps], category: str = "WMO-PLAN", **changes: Any
    ) -> CommandWalk:
        """A command walk; the content hash follows the request id unless given."""
        request_id = changes.pop("request_id", str(uuid.uuid4()))
        facts: dict[str, Any] = {
            "rpc": "Test",
            "caller": self.caller(),
            "claim": WIJKTEAM,
            "now": NOW,
            "request_id": request_id,
            "content": sha256(request_id.encode()).digest(),
            "anchor": "",
            "fields": (("own_words", category),),
            "process": process,
        }
        return CommandWalk(**(facts | changes))

    def question(self, plan_id: str, *paths: str, **changes: Any) -> ReadWalk:
        """A read of a plan; every path is one field of category WMO-PLAN."""

        def groups(_: View, asked: tuple[str, ...]) -> list[Group]:
            return [
                Group(path, Field(path, "WMO-PLAN", provider="college:WMO", acquired_for="wmo"))
                for path in asked
            ]

        facts: dict[str, Any] = {
            "rpc": "GetPlan",
            "caller": self.caller(),
            "claim": WIJKTEAM,
            "now": NOW + timedelta(hours=1),
            "anchor": f"plan-{plan_id}",
            "fields": paths or ("goals.own_words",),
            "groups": groups,
            "capture": lambda view: view.state(f"plan-{plan_id}"),
        }
        return ReadWalk(**(facts | changes))

    def close(self) -> None:
        """Close the parts."""
        self.core.close()
