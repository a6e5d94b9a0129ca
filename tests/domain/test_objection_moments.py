"""When a decision about an objection was recorded: what a later word is compared with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from exchange.domain.kernel import evolve_at
from exchange.domain.resident import RESIDENT
from tests.domain.builders import NOON, RESIDENT_REGISTERED, fold
from tests.domain.test_limits import OBJECTED, REJECTED, UPHELD, WEIGHED


def test_a_decision_about_an_objection_keeps_when_it_was_recorded() -> None:
    state: Any = None
    minutes = [NOON + timedelta(minutes=number) for number in range(6)]
    other = replace(OBJECTED, objection_id="o-2", purpose="wmo-onderzoek")
    events = (RESIDENT_REGISTERED, OBJECTED, UPHELD, other, replace(REJECTED, objection_id="o-2"), WEIGHED)
    for event, at in zip(events, minutes, strict=True):
        state = evolve_at(RESIDENT, state, event, at)
        found = {one.objection_id: one.decided_at for one in state.objections}
        assert found.get("o-1") == (minutes[2] if at >= minutes[2] else None)
    assert found == {"o-1": minutes[2], "o-2": minutes[4]}
    # Spoken anew after a decision it waits again; what the fold alone is told has no moment.
    state = evolve_at(RESIDENT, state, other, minutes[5])
    assert {one.objection_id: one.decided_at for one in state.objections} == {"o-1": minutes[2], "o-2": None}
    told = fold(RESIDENT, RESIDENT_REGISTERED, OBJECTED, UPHELD)
    assert [one.decided_at for one in told.objections] == [None]
