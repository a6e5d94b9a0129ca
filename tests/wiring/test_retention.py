"""Of whom every term has ended: on both sides of the day, under every law, and never who was erased."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.errors import SettingsInvalid
from exchange.gate.retention import retention_end
from exchange.pipeline.walk import Claim
from exchange.settings import Settings
from exchange.wiring.retention import ended_by
from tests.pipeline.shard import NECESSITY, NOW, Shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIFTEEN_YEARS = datetime(2041, 3, 2, 10, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    made = Shard(tmp_path / "shard")
    yield made
    made.core.close()


def told(shard: Shard, until: datetime) -> list[tuple[str, ...]]:
    return [one.cases for one in ended_by(shard.settings, until)]


def test_who_has_nothing_within_its_term_is_due_from_that_moment_on(shard: Shard) -> None:
    _, case_id, _ = shard.plan()
    assert retention_end(NOW, "wmo") == FIFTEEN_YEARS
    assert told(shard, FIFTEEN_YEARS - MOMENT) == []
    assert told(shard, FIFTEEN_YEARS) == [(case_id,)]
    (ended,) = ended_by(shard.settings, FIFTEEN_YEARS)
    assert ended.laws == (("wmo", FIFTEEN_YEARS),)


def test_the_longest_term_of_all_laws_counts(shard: Shard) -> None:
    _, case_id, plan_id = shard.plan()
    _, other, _ = shard.plan()
    youth = Claim("jeugd-toegang", "JW-2.3", NECESSITY)
    shard.done(shard.goal(plan_id, caller=shard.caller("college:JW"), claim=youth, relation=False))
    assert told(shard, FIFTEEN_YEARS) == [(other,)]
    twenty_years = retention_end(NOW, "jw")
    assert told(shard, twenty_years - MOMENT) == [(other,)]
    # The longest over first.
    assert told(shard, twenty_years) == [(other,), (case_id,)]


def test_that_it_was_asked_for_makes_nothing_last(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    later = NOW + timedelta(days=365)
    shard.done(shard.question(plan_id, now=later))
    assert len(told(shard, FIFTEEN_YEARS)) == 1


def test_who_was_erased_is_not_due_again(shard: Shard) -> None:
    ref, _, _ = shard.plan()
    shard.core.keys.destroy(ref)
    assert told(shard, FIFTEEN_YEARS) == []


def test_without_a_store_it_says_so_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid):
        list(ended_by(Settings(data=tmp_path / "nothing"), FIFTEEN_YEARS))
    assert not (tmp_path / "nothing").exists()
