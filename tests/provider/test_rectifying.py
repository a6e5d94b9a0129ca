"""Word of a rectification: answered where nothing wrong is kept, left to a person where it went out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.kit.rectifications import RectifiedTold
from adapters.provider.plan_seen import Happening
from adapters.provider.rectifying import LOOK_EVERY_MS, REASON, Rectifying
from tests.provider.around import agreed
from tests.provider.world import PLAN, SUPPORT

if TYPE_CHECKING:
    from tests.provider.around import Adapter, Both

DAY = RectifiedTold("request-1", (PLAN,), ("supports.care_start_date",))
WORDS = RectifiedTold("request-2", (PLAN,), ("goals.own_words",))


def tell(both: Both, *told: RectifiedTold) -> None:
    held = both.world.held()
    held.rectifications += told
    both.world.save(held)


def look(side: Adapter) -> None:
    Rectifying(side.service._desk).work()


def corrected(both: Both) -> Happening:
    return Happening(10_000, "plan.corrected", PLAN, "case-1", 9, both.world.support())


def test_of_words_nothing_is_kept_here_and_it_is_told(both: Both) -> None:
    agreed(both)
    both.work(2)
    tell(both, WORDS, RectifiedTold("request-3", ("plan-9",), ("supports.start_date",)))
    look(both.provider)
    assert both.world.held().rectified == {"request-2": False, "request-3": False}


def test_support_that_no_message_told_of_is_read_anew_and_so_is_rectified(both: Both) -> None:
    agreed(both)
    both.work(2)
    tell(both, DAY)
    look(both.provider)
    assert both.world.held().rectified == {"request-1": True}


@pytest.mark.parametrize("name", ["provider", "municipality"])
def test_what_went_out_or_came_in_by_message_is_left_to_a_person(name: str, both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.work(3)
    tell(both, DAY, RectifiedTold("request-1", (PLAN,), ("goals.own_words",)))
    side: Adapter = getattr(both, name)
    look(side)
    # One answer would be to both: neither is answered by the machine.
    assert both.world.held().rectified == {}


def test_what_waits_of_a_rectified_support_goes_out_no_more_by_itself(both: Both) -> None:
    agreed(both)
    both.work(2)
    errands = both.provider.service._desk.errands
    both.world.start()
    errands.want(SUPPORT, "WMO999", PLAN)
    both.provider.service.take(corrected(both))
    assert [(one.kind, one.reason) for one in errands.undone() if one.kind == "WMO999"] == [
        ("WMO999", REASON)
    ]


def test_a_correction_is_looked_at_at_once_and_else_once_an_hour(both: Both) -> None:
    agreed(both)
    both.work(2)
    rectifying = Rectifying(both.provider.service._desk)
    rectifying.work()
    tell(both, WORDS)
    rectifying.work()
    assert both.world.held().rectified == {}
    assert rectifying.notice(corrected(both))
    rectifying.work()
    assert both.world.held().rectified == {"request-2": False}
    tell(both, DAY)
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    rectifying.work()
    assert set(both.world.held().rectified) == {"request-1", "request-2"}


def test_an_exchange_that_is_away_is_asked_again(both: Both) -> None:
    tell(both, WORDS)
    rectifying = Rectifying(both.provider.service._desk)
    both.world.away = True
    rectifying.work()
    both.world.away = False
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    rectifying.work()
    assert both.world.held().rectified == {"request-2": False}
