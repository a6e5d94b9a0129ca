"""Where scores and supports stand: a fold of the events, without a word, gone with a resident's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.projections.follower import catch_up
from exchange.projections.insight import InsightIndex
from exchange.wiring.following import models_of
from tests.pipeline.erasing import erased
from tests.pipeline.insights import YEAR, helped
from tests.pipeline.test_past_plans import described

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.projections.follower import ReadModel
    from tests.pipeline.shard import Shard


@pytest.fixture
def followed(shard: Shard) -> Iterator[InsightIndex]:
    made = InsightIndex(shard.settings.data / "followed")
    yield made
    made.database.close()


def follow(shard: Shard, model: ReadModel) -> str:
    catch_up(model, shard.core.reader, shard.core.codec)
    return model.database.dump()


def rebuilt(shard: Shard, model: ReadModel) -> str:
    model.database.forget()
    return follow(shard, model)


def residents(model: InsightIndex, year: int = YEAR) -> dict[str, int]:
    return {one.resident: len(one.positions) for one in model.of_year(year)}


def test_it_knows_of_whom_a_score_was_judged_in_a_year(shard: Shard, followed: InsightIndex) -> None:
    one, _ = helped(shard, 2, 4)
    other, _ = helped(shard, 3)
    follow(shard, followed)
    assert residents(followed) == {one: 3, other: 2}
    assert residents(followed, YEAR - 1) == {}


def test_it_holds_no_word_of_anybody(shard: Shard, followed: InsightIndex) -> None:
    helped(shard, 2, 4)
    told = follow(shard, followed)
    for word in ("zo gaat het", "housing", "general_service", '"07"', "score"):
        assert word not in told


def test_followed_step_by_step_and_made_anew_have_the_same_bytes(
    shard: Shard, followed: InsightIndex, tmp_path: Path
) -> None:
    ref, _ = helped(shard, 2, 4)
    other, _ = helped(shard, 3, 4)
    follow(shard, followed)
    erased(shard, ref)
    follow(shard, followed)
    erased(shard, other, categories=("WONEN",), kept=("legal_claim",))
    step_by_step = follow(shard, followed)
    at_once = InsightIndex(tmp_path / "at-once")
    try:
        assert follow(shard, at_once) == step_by_step
    finally:
        at_once.database.close()
    assert ref not in step_by_step
    # Of his support something is left, of his scores nothing: no year has him.
    assert other in step_by_step
    assert residents(followed) == {}


def test_every_read_model_made_anew_has_the_same_bytes(shard: Shard) -> None:
    ref, plan_id = helped(shard, 2, 4)
    described(shard, plan_id, 3)
    shard.done(shard.question(plan_id))
    helped(shard, 1, 2)
    models = models_of(shard.core)
    before = {one.name: follow(shard, one) for one in models}
    erased(shard, ref)
    after = {one.name: follow(shard, one) for one in models}
    assert all(after[name] != before[name] for name in before), "each has something of it"
    assert {one.name: rebuilt(shard, one) for one in models} == after
