"""How much is measured: in some minutes, or for as long as it takes to know more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rounds, and what is done in each."""

    rounds: int = 3
    plans: int = 256
    in_flight: int = 64
    calls: int = 2_000
    batch: int = 64  # commands in a message
    batches_in_flight: int = 2
    library_commands: int = 128
    slow_commands: int = 64
    idle_calls: int = 300
    few_calls: int = 800
    rate_s: float = 4.0
    rate_of_most: float = 0.6  # of the commands a second that were measured
    subscribers: int = 8
    followed_events: int = 400
    echoed_times: int = 200
    replayed_plans: int = 100
    few_events: int = 10_000
    many_events: int = 1_000_000
    most_events: int = 0  # 0: not measured
    flat_turns: int = 7
    flat_groups: int = 8
    soak_s: float = 0.0  # 0: not measured
    soak_after_calls: int = 40_000  # by then what is kept of the last calls is full
    profiled_calls: int = 6_000
    lookups: int = 0  # accesses of a generated year; 0: not measured


SHORT: Final = Sizes()
LONG: Final = replace(
    SHORT, rate_s=10.0, most_events=10_000_000, soak_s=600.0, flat_turns=15, lookups=1_000_000
)
