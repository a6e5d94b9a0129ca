"""A register through time that never changed: what tests judge by when they are about something else."""

from __future__ import annotations

from datetime import UTC, datetime

from exchange.gate.register import Register
from exchange.pipeline.registers import Registers
from exchange.wiring.register import adopting

# The operator joins, and each entry of the shipped register is adopted.
GENESIS_EVENTS = 1 + len(Register.load().entries())
LONG_AGO = datetime(2018, 5, 25, tzinfo=UTC)


def adopted(register: Register) -> Registers:
    """Return it as adopted by the first events of a store."""
    appends = adopting(LONG_AGO, register.written)
    return Registers((1, stream, event) for stream, events in appends for event in events)
