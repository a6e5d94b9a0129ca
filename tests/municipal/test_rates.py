"""How often the case system, the objects and the BRP are asked: our own rate, and the waits they ask for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from adapters.kit.rates import Rate
from adapters.municipal.config import BRP_RATE, OBJECTS_RATE, ZGW_RATE, load_config
from adapters.municipal.errors import ConfigInvalid
from adapters.simulators.open_zaak.faults import Fault, Kind
from tests.municipal.around import QUICK, Adapter, configured, plan_of, settings, written

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange


def slow(system: OpenZaak, **rate: Any) -> dict[str, Any]:  # noqa: ANN401 -- settings
    return {name: settings(system)[name] | rate for name in ("zgw", "objects", "brp")}


def test_where_nothing_is_said_a_rate_holds_all_the_same(system: OpenZaak, tmp_path: Path) -> None:
    told = settings(system)
    for name in ("zgw", "objects", "brp"):
        told[name] = {key: value for key, value in told[name].items() if key not in QUICK}
    found = load_config(written(tmp_path, told))
    assert found.objects is not None
    assert (found.zgw.rate, found.objects.rate, found.brp.rate) == (ZGW_RATE, OBJECTS_RATE, BRP_RATE)
    assert configured(tmp_path, system).brp.rate == Rate(60_000, 1_000)


@pytest.mark.parametrize("part", ["zgw", "objects", "brp"])
@pytest.mark.parametrize(
    "rate",
    [{"calls_per_minute": 0}, {"calls_per_minute": 60_001}, {"calls_at_once": 0}, {"calls_at_once": 1_001}],
)
def test_a_rate_outside_its_bounds_is_refused_by_name(
    part: str, rate: dict[str, int], system: OpenZaak, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid, match=f"{part}.{next(iter(rate))}"):
        configured(tmp_path, system, **{part: settings(system)[part] | rate})


def test_a_case_is_told_at_our_own_rate_and_all_of_it_is_told(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen], tmp_path: Path
) -> None:
    """Six hundred a minute and one at once: a call in each tenth of a second, by the real clock."""
    zaak = town.case(town.person(next(exchange.bsns)))
    parts = slow(town.system, calls_per_minute=600, calls_at_once=1)
    config = configured(tmp_path / "slow", town.system, target=exchange.target, **parts)
    made = Adapter(config, adapter.exchange, adapter.clock)
    begun = made.service.desk.limits["zgw"]._pace.steady()
    made.work()
    took = made.service.desk.limits["zgw"]._pace.steady() - begun
    assert plan_of(zaak)
    assert made.parked() == []
    made.close()
    of_zgw = sum(1 for one in seen if "/api/v1/" in one.path)
    assert made.service.desk.limits["zgw"].counts.calls == of_zgw
    # Never sooner than the rate lets: how much later a machine is, it may be.
    assert took >= (of_zgw - 1) * 0.1


def test_a_wait_that_was_asked_holds_for_every_call_also_after_a_restart_and_whatever_the_clock_says(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen]
) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    town.system.faults.order(Fault(Kind.REFUSE, path="/zaaktypen", status=429, retry_after_s=600))
    adapter.work(1)
    asked = len(seen)
    # Another errand, another API of the same system: none of it goes.
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.clock.pass_by(seconds=300)
    adapter.work()
    assert len(seen) == asked
    adapter.close()
    again = Adapter(adapter.config, adapter.exchange, adapter.clock)
    again.work()
    assert len(seen) == asked
    # Set back by a day, it lasts no longer; what was to be done is due.
    adapter.clock.set_ahead_by(days=-1)
    again.clock.pass_by(seconds=298)
    again.work()
    assert len(seen) == asked
    again.clock.pass_by(seconds=90)
    again.work(8)
    assert plan_of(zaak)
    assert json.loads(again.config.waits.read_bytes()).keys() == {"zgw"}
    again.close()


def test_a_clock_that_is_set_back_or_ahead_holds_up_nothing(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    adapter.clock.set_ahead_by(minutes=3)
    first = town.case(town.person(next(exchange.bsns)))
    town.system.faults.order(Fault(Kind.REFUSE, path="/rollen", times=2))
    adapter.work(1)
    assert adapter.journal.waiting() != ()
    # An hour is the longest anything waits: what lies farther ahead was noted by a clock that ran ahead.
    adapter.clock.set_ahead_by(hours=-2)
    adapter.clock.pass_by(seconds=60)
    adapter.work()
    adapter.clock.pass_by(seconds=60)
    adapter.work()
    assert plan_of(first)
    # Nor does the hourly look wait for the clock of the day.
    second = town.case(town.person(next(exchange.bsns)))
    adapter.clock.pass_by(hours=1)
    adapter.work()
    assert plan_of(second)
    assert adapter.parked() == []
