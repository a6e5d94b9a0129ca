"""Each write of a named subscription fails twice: lost, and kept though reported lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain import stream_of
from exchange.domain.delivery import (
    WRITTEN_AFTER,
    Acknowledge,
    Cancel,
    DeliveryState,
    ReportFailure,
    Subscribe,
    key_of,
)
from exchange.errors import StoreUnavailable
from exchange.pipeline.walk import Claim, CommandOutcome
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from exchange.domain.kernel import Command
    from exchange.pipeline.walk import CommandWalk
    from tests.pipeline.shard import Shard

LATER = NOW + WRITTEN_AFTER
ORDERS = ("subscribe", "acknowledge", "report", "park", "settle", "cancel")


def order_of(shard: Shard, name: str) -> Command:
    said: dict[str, Any] = {"now": LATER, "author": shard.author()}
    orders: dict[str, Command] = {
        "subscribe": Subscribe(
            now=NOW,
            author=shard.author(),
            subscription_id="ecd",
            purpose="wmo-onderzoek",
            legal_basis="WMO-2.3.2",
            paths=("goals.own_words",),
            household_plan_id="",
            start=0,
        ),
        "acknowledge": Acknowledge(**said, position=9, told=20),
        "report": ReportFailure(**said, event_id="e-1", position=12, reason="away", told=20),
        "park": ReportFailure(**said, event_id="e-1", position=12, reason="refused", told=20, park=True),
        "settle": Acknowledge(**said, position=9, told=20, settled=("e-1",)),
        "cancel": Cancel(**said),
    }
    return orders[name]


def walk_of(shard: Shard, name: str) -> CommandWalk:
    order = order_of(shard, name)
    return shard.command(
        order,
        "delivery",
        key_of(shard.oin, "ecd"),
        claim=Claim("beheer", "DELIVERY-24"),
        relation=False,
        fields=(),
        now=order.now,
    )


def subscription(shard: Shard) -> DeliveryState | None:
    found: DeliveryState | None = shard.core.loader.load(
        stream_of("delivery", key_of(shard.oin, "ecd"))
    ).state
    return found


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_each_write_of_a_subscription_stands_once_or_not_at_all(shard: Shard, fault: str) -> None:
    recorder = faulty_recorder(shard)
    for name in ORDERS:
        before, head = subscription(shard), shard.head
        walk = walk_of(shard, name)
        recorder.faults = [fault]
        (outcome,) = shard.run(walk)
        if fault == "lost":
            assert isinstance(outcome, StoreUnavailable), name
            assert (subscription(shard), shard.head) == (before, head), name
        # Said again under its id it is the same command, whatever became of the first.
        done = shard.done(walk)
        assert isinstance(done, CommandOutcome), name
        assert subscription(shard) != before, name
        written = shard.head
        assert shard.done(walk) == done
        assert shard.head == written
    shard.verified()
    state = subscription(shard)
    assert state is not None
    assert (state.position, state.cancelled, state.parked) == (9, True, ())
    again = shard.reopen()
    try:
        assert subscription(again) == state
    finally:
        again.close()
