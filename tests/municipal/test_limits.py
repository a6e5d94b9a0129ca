"""What the exchange tells of a restriction: what waits is parked, and goes on once it is lifted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from adapters.kit.restrictions import RestrictionTold
from adapters.municipal.limits import LOOK_EVERY_MS
from adapters.sdk.bsn import Bsn
from adapters.sdk.errors import Refusal, Unreachable
from adapters.sdk.purges import PurgeAsked
from tests.municipal.around import Adapter, configured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


class AnswerLost:
    """An exchange that asks for one erasure, and is away when it is answered the first time."""

    def __init__(self) -> None:
        self.answers: list[bool] = []
        self.away = True

    def told(self) -> tuple[RestrictionTold, ...]:
        return ()

    def asked(self) -> tuple[PurgeAsked, ...]:
        return () if self.answers else (PurgeAsked("erasure-1", (PLAN,)),)

    def answer(self, _erasure_id: str, *, erased: bool) -> None:
        if self.away:
            self.away = False
            raise Unreachable(Refusal("", "nobody is there"))
        self.answers.append(erased)

    @property
    def restrictions(self) -> AnswerLost:
        return self

    @property
    def purges(self) -> AnswerLost:
        return self


def test_what_was_erased_is_told_so_where_the_answer_was_lost(
    system: OpenZaak, clock: Clock, tmp_path: Path
) -> None:
    exchange = AnswerLost()
    adapter = Adapter(configured(tmp_path, system), exchange, clock)  # type: ignore[arg-type] # as above
    adapter.service._next_sweep_ms = 2**62
    adapter.service.desk.links.know("ab" * 32, Bsn("999993653"), PLAN, "case-1")
    for _ in range(2):
        adapter.service.work()
        assert not adapter.service.desk.links.holds(PLAN)
        clock.pass_by(milliseconds=LOOK_EVERY_MS)
    assert exchange.answers == [True]
    adapter.close()


def test_a_folder_that_takes_no_reason_holds_up_nobody(
    system: OpenZaak, clock: Clock, tmp_path: Path
) -> None:
    exchange = AnswerLost()
    exchange.answers.append(True)
    adapter = Adapter(configured(tmp_path, system), exchange, clock)  # type: ignore[arg-type] # as above
    adapter.service._next_sweep_ms = 2**62
    adapter.config.rejected.write_bytes(b"no folder")
    for number in (1, 2):
        adapter.service.desk.ask("zaak", f"https://elsewhere.example/zaken/{number}")
    adapter.work(1)
    assert adapter.parked() == ["zaken url_of_another_system"] * 2
    assert adapter.events == ["errand_parked", "reason_not_kept"] * 2
    adapter.close()
