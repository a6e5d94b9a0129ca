"""What the exchange tells of a restriction: what waits is parked, and goes on once it is lifted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from adapters.kit.restrictions import RestrictionTold
from tests.municipal.around import Adapter, configured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.sdk.purges import PurgeAsked
    from adapters.simulators.open_zaak.whole import OpenZaak
    from tests.municipal.around import Clock

PLAN = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001"


@dataclass
class Told:
    """The lists the exchange keeps for a recipient: what is answered stands in them no more."""

    waiting: list[RestrictionTold] = field(default_factory=list)
    answers: list[tuple[str, bool]] = field(default_factory=list)

    def told(self) -> tuple[RestrictionTold, ...]:
        return tuple(self.waiting)

    def asked(self) -> tuple[PurgeAsked, ...]:
        return ()

    def answer(self, told: RestrictionTold, *, kept: bool) -> None:
        self.waiting.remove(told)
        self.answers.append((told.restriction_id, kept))

    @property
    def restrictions(self) -> Told:
        return self

    @property
    def purges(self) -> Told:
        return self


@pytest.fixture
def restricted(system: OpenZaak, clock: Clock, tmp_path: Path) -> Iterator[tuple[Adapter, Told]]:
    told = Told()
    made = Adapter(configured(tmp_path, system), told, clock)  # type: ignore[arg-type] # the part that is asked here
    # Only what is asked of the exchange is looked at: no case system is needed.
    made.service._next_sweep_ms = 2**62
    yield made, told
    made.close()


def test_what_waits_of_a_restricted_plan_is_parked_and_let_go(restricted: tuple[Adapter, Told]) -> None:
    adapter, told = restricted
    adapter.service.desk.links.link("z", PLAN, "c", "p")
    adapter.service.desk.ask("plan", PLAN, PLAN)
    told.waiting = [RestrictionTold("r", (PLAN,), lifted=False, ours=True)]
    adapter.service._limits.work()
    assert adapter.parked() == ["restricted"]
    # The case file is read by people too: one of them answers.
    assert told.answers == []
    assert "restriction_for_a_person" in adapter.events
    told.waiting = [RestrictionTold("r", (PLAN,), lifted=True, ours=True)]
    adapter.clock.pass_by(hours=1)
    adapter.service._limits.work()
    assert adapter.parked() == []


def test_of_a_plan_nothing_is_kept_of_it_is_answered_at_once(restricted: tuple[Adapter, Told]) -> None:
    adapter, told = restricted
    told.waiting = [RestrictionTold("r", (PLAN,), lifted=False, ours=True)]
    adapter.service._limits.work()
    assert told.answers == [("r", False)]
    assert adapter.events == []
