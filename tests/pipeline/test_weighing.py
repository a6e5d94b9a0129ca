"""What a state in memory is taken to weigh: never more than its events, and no more for being said again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain import stream_of
from exchange.domain.plan import DescribeSituation
from exchange.pipeline.hot import ENTRY_BYTES_MIN, Entry
from exchange.pipeline.weighing import LOADED_MIN, LOOKED_AT_MIN, weight
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard

WORDS = "Zij ziet alleen haar zus en komt de deur niet meer uit. " * 8
ROUNDS = 500
NO_END = 1 << 40


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    many: tuple[str, ...] = ()


def test_everything_is_counted_once() -> None:
    word = "w" * 1_000
    alone = weight(Part(word), NO_END)
    assert alone >= sys.getsizeof(word)
    assert weight((Part(word), Part(word)), NO_END) < alone + 500
    assert weight(Part("x" * 1_000, (word,)), NO_END) > alone + 1_000


@pytest.mark.parametrize(
    "whole", [["k" * 500], {"k" * 500}, frozenset({"k" * 500}), MappingProxyType({"k" * 500: 1})]
)
def test_what_holds_others_is_opened(whole: Any) -> None:  # noqa: ANN401 -- each kind of container
    assert weight(whole, NO_END) > 500


def test_what_is_there_once_for_all_is_not_opened() -> None:
    assert weight(Colour.RED, NO_END) < 100
    assert weight((Colour.RED,) * 1_000, NO_END) < 9_000


def test_nobody_looks_further_than_he_was_asked() -> None:
    assert weight(tuple(str(one) * 50 for one in range(10_000)), 4_096) == 4_096


@pytest.mark.parametrize(("added", "looked_at"), [(2 * LOOKED_AT_MIN - 1, False), (2 * LOOKED_AT_MIN, True)])
def test_a_state_is_looked_at_when_it_seems_to_have_doubled(added: int, looked_at: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    entry = Entry("state", 1, 1, 0)
    entry.grow(added)
    assert entry.size == (sys.getsizeof("state") if looked_at else added)
    assert entry.weighed == LOOKED_AT_MIN


def test_what_is_described_anew_takes_no_more_room(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    stream = stream_of("plan", plan_id)

    def describe(number: int) -> None:
        order = DescribeSituation(
            now=NOW,
            author=shard.author(),
            life_domain="social_network",
            description=f"{number} {WORDS}",
            strengths=WORDS,
            score=2,
            judge_date=date(2026, 3, 2),
        )
        shard.done(shard.command(order, "plan", plan_id, anchor=stream))

    for number in range(ROUNDS):
        describe(number)
    kept = shard.core.hot.peek(stream)
    assert kept is not None
    assert kept.version > ROUNDS
    assert ENTRY_BYTES_MIN < kept.size < 3 * LOOKED_AT_MIN
    (described,) = kept.state.situations
    held = vars(type(described))["earlier_scores"].held
    assert weight(kept.state, NO_END) > len(WORDS)
    assert isinstance(held(described), list), "what is made when it is read was made"
    shard.core.hot.clear()
    loaded = shard.core.loader.load(stream)
    assert loaded.state == kept.state
    assert loaded.size < 3 * LOOKED_AT_MIN
    # Much more was said than is kept.
    said = sum(len(row.state) for row in shard.core.reader.tail(stream, 0, 1_024)[1])
    assert said > LOADED_MIN
