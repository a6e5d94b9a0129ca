"""Mutated messages through both adapters at work: no crash, no plan reached half-way, no BSN told."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

import pytest

from adapters.provider.xml import emit
from tests.provider.around import ONE, Both, planned, sent
from tests.provider.builders import BSN, assignment, message
from tests.provider.world import OTHER_BSN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provider.around import Adapter

TO_PROVIDER = [
    emit(sent()),
    emit(sent(ONE, assignment(number=102))),
    emit(message("319")),
    emit(message("325")),
]
TO_MUNICIPALITY = [emit(message(number)) for number in ("305", "307", "315", "317", "323")]
LEAF = re.compile(rb">([^<>\s][^<>]*)<")
TEXTS = [
    b"",
    b"0",
    b"-1",
    b"999999999999",
    b"2026-02-30",
    b"2027-01-01",
    BSN.encode(),
    b"R-1",
    b"02",
    b"\xff",
    b"]]>",
]


def mutated(source: bytes, chance: Random) -> bytes:
    """Change a message at one to three places: by leaf, by byte, or by cutting it off."""
    data = source
    for _ in range(chance.randint(1, 3)):
        match chance.choice(["leaf", "leaf", "leaf", "byte", "cut", "double"]):
            case "leaf":
                leaves = list(LEAF.finditer(data))
                if leaves:
                    found = chance.choice(leaves)
                    data = data[: found.start(1)] + chance.choice(TEXTS) + data[found.end(1) :]
            case "byte":
                at = chance.randrange(len(data) + 1)
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case "cut":
                data = data[: chance.randrange(len(data) + 1)]
            case _:
                at = chance.randrange(len(data) + 1)
                data = data[:at] + data[at : at + 80] + data[at:]
    return data


def told(side: Adapter) -> Iterator[str]:
    """Give every word a side says: its log, and the reasons beside rejected files."""
    yield side.out.getvalue()
    yield from (path.read_text() for path in side.config.rejected.glob("*.reason.txt"))


def run(both: Both, count: int) -> None:
    chance = Random(20_261_126)  # noqa: S311 -- the same mutations each time
    both.register()
    planned(both)
    for batch in range(0, count, 100):
        for number in range(batch, min(batch + 100, count)):
            for side, sources in ((both.provider, TO_PROVIDER), (both.municipality, TO_MUNICIPALITY)):
                if (number + (side is both.provider)) % 2:
                    side.drop(f"{number:05}.xml", mutated(chance.choice(sources), chance))
        both.provider.work()
        both.municipality.work()
        # A 301 of two products, of which one is not on the plan, may not leave one of them assigned.
        assert len({order.assignment_number for order in both.world.assigned}) <= 1
        both.clock.pass_by(minutes=2)
    words = "".join(word for side in (both.provider, both.municipality) for word in told(side))
    assert words
    for secret in (BSN, OTHER_BSN):
        assert secret not in words


def test_mutated_messages_are_taken_or_refused_and_never_told(both: Both) -> None:
    run(both, 200)


@pytest.mark.slow
def test_two_thousand_mutated_messages(both: Both) -> None:
    run(both, 2_000)
