"""What work and income know already is asked of Suwinet, on the basis the law names, and of nobody else.

Under another purpose nothing is asked: the gate refuses before a call leaves, and the counterparty counts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.tokens import Person
from adapters.simulators.story import systems
from adapters.simulators.story.intake import join
from adapters.simulators.story.stage import WERK, StoryBroken
from exchange.v1.common_pb2 import LifeDomain

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

PROFESSIONAL: Final = "suwinet-1"
SETTINGS_LINES: Final = 8
FOREIGN_RULE: Final = "R06"
SITUATIONS: Final = [f"situations.{name}" for name in ("life_domain", "description", "source")]
NECESSITY: Final = "Nodig om niet opnieuw te vragen wat al bekend is"


class Suwinet:
    """The simulator as a process, and the adapter of Werk & Inkomen beside it."""

    def __init__(self, beside: systems.Systems, plan: Plan) -> None:
        """Start the simulator; it knows the resident."""
        self._beside: Final = beside
        self._folder: Final = plan.municipality.folder / "work_income"
        counterparty = plan.script.work / "suwinet"
        self._asked: Final = counterparty / "asked.jsonl"
        words = (str(counterparty), "--oin", plan.municipality.oin, "--bsn", plan.bsn.reveal())
        module, log = "adapters.simulators.suwinet", counterparty / "suwinet.log"
        self._process: Final = beside.start(log, module, *words, "--asked", str(self._asked))
        self._orders = 0

    def adapter_starts(self, plan: Plan) -> None:
        """Run the adapter of Werk & Inkomen."""
        file = systems.settings(
            self._folder / "adapter.toml",
            {
                "target": plan.script.target,
                "credentials": str(plan.municipality.folder / "credentials"),
                **{name: name for name in ("inbox", "drafts", "rejected", "state")},
                "poll_ms": 100,
                "person": {"professional": PROFESSIONAL, "task": "college:PW"},
            },
        )
        told = "\n".join(systems.first_lines(self._process, SETTINGS_LINES))
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{told}\n")
        self._beside.adapter("work-income", file)

    def order(self, plan: Plan, purpose: str, **more: Any) -> None:  # noqa: ANN401 -- keys of an order
        """Give the adapter an order, as the desk's own system does."""
        inbox = self._folder / "inbox"
        inbox.mkdir(exist_ok=True)
        self._orders += 1
        told = {"bsn": plan.bsn.reveal(), "purpose": purpose, "necessity": NECESSITY, **more}
        partial = inbox / f".order-{self._orders}"
        partial.write_text(json.dumps(told), encoding="utf-8")
        partial.replace(inbox / f"order-{self._orders}.json")

    @property
    def calls(self) -> int:
        """Return how many questions Suwinet was asked."""
        return len(systems.asked(self._asked))

    @property
    def done(self) -> int:
        """Return how many orders were done, as the adapter's log says."""
        return (self._folder / "adapter.log").read_text(encoding="utf-8").count('"pull_done"')

    def refusal(self) -> str:
        """Return why an order was refused; empty while none was."""
        return next(
            (file.read_text() for file in systems.whole(self._folder / "rejected", "*.reason.txt")), ""
        )

    def draft(self) -> dict[str, Any]:
        """Return the draft for a professional; empty while there is none."""
        return next(
            (json.loads(file.read_text()) for file in systems.whole(self._folder / "drafts", "*.json")), {}
        )


def not_asked_again(told: Telling, plan: Plan, suwinet: Suwinet) -> None:
    """Ask under the wrong law, then under the right one; take over what is a professional's to take over."""
    told.chapter("What is known already is not asked again")
    join(plan, plan.consulent(), WERK, plan.municipality, Person(PROFESSIONAL, "college:PW", "adapter"))
    suwinet.order(plan, "wmo-onderzoek")
    reason = systems.wait_for(suwinet.refusal, "an order for another law was not refused")
    if FOREIGN_RULE not in reason or suwinet.calls:
        raise StoryBroken(f"an order for another law was not refused by {FOREIGN_RULE}, or left")
    told.step(
        "suwinet-other-law",
        "Suwinet tells a town what the state knows of somebody's work and income, for that alone. Somebody "
        f"wants to ask for care; the exchange says no first. Questions that left: {suwinet.calls}.",
        "DENY",
        [FOREIGN_RULE],
    )
    _the_benefit(told, plan, suwinet)
    _the_trajectory(told, plan, suwinet)


def _the_benefit(told: Telling, plan: Plan, suwinet: Suwinet) -> None:
    suwinet.order(plan, "pw-recht-vaststellen", scores={"finance": 2})
    systems.wait_for(lambda: suwinet.done, "what Suwinet knows of income was not asked")
    read = plan.consulent().plan.get_plan(
        claim=WERK, plan_id=plan.plan_id, fields=SITUATIONS, allow_partial=True
    )
    money = LifeDomain.LIFE_DOMAIN_FINANCE
    source = "".join(one.source for one in read.plan.situations if one.life_domain == money)
    if not source:
        raise StoryBroken("what Suwinet knows of income did not reach the plan")
    told.step(
        "suwinet-benefit",
        "For income it may, by the Wet SUWI, article 62. Her benefit and wage now stand in the plan, with "
        f"where that was found ({source}); nobody asks her. Questions: {suwinet.calls}.",
        "PERMIT",
    )


def _the_trajectory(told: Telling, plan: Plan, suwinet: Suwinet) -> None:
    suwinet.order(plan, "pw-arbeidsinschakeling")
    draft = systems.wait_for(suwinet.draft, "what Suwinet knows of a trajectory is in no draft")
    (found,) = draft["trajectories"]
    plan.look()
    begun = plan.consulent().plan.start_trajectory(
        claim=WERK,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        activity=found["activity"],
        facility=found["facility"],
        step=4,
        goal_ids=[plan.goal_id],
        start_date=found["start_day"],
    )
    told.keep(plan.municipality, begun)
    plan.version = begun.version
    told.step(
        "suwinet-trajectory",
        f"For work it knows of a '{found['activity']}'. No program judges a step towards work: it is a "
        f"draft, until a professional takes it over. Questions: {suwinet.calls}.",
        "PERMIT",
    )
