"""What a start has to look at does not grow with how long the service ran before, and misses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.errors import KeyUnavailable, Unavailable
from exchange.wiring import erasing
from exchange.wiring.core import open_core
from tests.pipeline.erasing import approving, erased, proposed
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from exchange.store.batch import Row

EVERY = 16


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shard]:
    monkeypatch.setattr(erasing, "NOTED_EVERY", EVERY)
    shard = Shard(tmp_path / "data")
    yield shard
    shard.close()


class Looks:
    """Counts what pages of the events give, and from where those of erasures are asked."""

    def __init__(self, shard: Shard, patch: pytest.MonkeyPatch) -> None:
        self.rows, self.asked_from = 0, list[int]()
        self._shard, self._kind = shard, type(shard.core.reader)
        page = self._kind.page

        def counted(reader: Any, after: int, limit: int, topics: Sequence[str] = (), *rest: int) -> list[Row]:  # noqa: ANN401 -- of either store
            rows = page(reader, after, limit, topics, *rest)
            self.rows += len(rows)
            if KeysDestroyed.TOPIC in topics:
                self.asked_from.append(after)
            return rows

        patch.setattr(self._kind, "page", counted)

    def of_a_start(self) -> int:
        """Open the shard once more, as after a kill; return how many events it looked at."""
        before = self.rows
        self.asked_from.clear()
        open_core(self._shard.settings).close()
        return self.rows - before


def write(shard: Shard, plan_id: str, goals: int) -> None:
    for _ in range(goals):
        shard.done(shard.goal(plan_id))


def test_a_start_looks_at_what_the_last_commits_wrote(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, plan_id = shard.plan()
    looks = Looks(shard, monkeypatch)
    for goals in (3 * EVERY, 6 * EVERY):
        write(shard, plan_id, goals)
        head = shard.head
        assert head - EVERY < shard.core.keys.place <= head
        place = shard.core.keys.place
        assert looks.of_a_start() <= head - place < EVERY
        # Nothing was ever erased: there is no list to be made again.
        assert set(looks.asked_from) <= {place}
        assert shard.core.keys.place == head


@pytest.mark.parametrize("owing", [False, True])
def test_a_start_behind_an_erasure_reads_every_leaf_only_where_one_is_owing(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, *, owing: bool
) -> None:
    ref, _, _ = shard.plan()
    erasure_id = proposed(shard, ref)
    shard.core.integrator.integrate()

    def away(*_: object, **__: object) -> None:
        raise KeyUnavailable("away")

    with monkeypatch.context() as broken:
        if owing:
            broken.setattr(shard.core.keys, "destroy", away)
        shard.run(approving(shard, ref, erasure_id, "prof-3"))
    assert shard.core.keys.place < shard.head
    read, reader = [0], type(shard.core.reader)
    entries = reader.leaf_entries

    def counted(self: Any, start: int, stop: int) -> list[bytes]:  # noqa: ANN401 -- of either store
        found = entries(self, start, stop)
        read[0] += len(found)
        return found

    monkeypatch.setattr(reader, "leaf_entries", counted)
    again = open_core(shard.settings)
    try:
        assert again.keys.is_destroyed(ref)
        assert (read[0] > 0) is owing
    finally:
        again.close()


def test_a_list_that_is_lost_is_still_made_again_from_all_events(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ref, _, _), (_, _, plan_id) = shard.plan(), shard.plan()
    erasure_id = erased(shard, ref)
    write(shard, plan_id, 2 * EVERY)
    looks = Looks(shard, monkeypatch)
    (shard.settings.checkpoints_folder / "erasures.jsonl").unlink()
    looks.of_a_start()
    assert min(looks.asked_from) == 0
    shard = shard.reopen()
    assert list(shard.core.erasures.listed.entries) == [erasure_id]


@pytest.mark.parametrize("failing", ["list", "keys"])
def test_the_place_waits_for_an_erasure_that_is_owing(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    (ref, _, _), (_, _, plan_id) = shard.plan(), shard.plan()
    erasure_id = proposed(shard, ref)

    def away(*_: object, **__: object) -> None:
        raise OSError(28, "full") if failing == "list" else KeyUnavailable("away")

    with monkeypatch.context() as broken:
        if failing == "list":
            broken.setattr(shard.core.erasures.listed, "add", away)
        else:
            broken.setattr(shard.core.keys, "destroy", away)
        (told,) = shard.run(approving(shard, ref, erasure_id, "prof-3"))
        assert isinstance(told, Unavailable | KeyUnavailable)
        decided = shard.head
        write(shard, plan_id, 2 * EVERY)
    assert shard.core.keys.place < decided
    again = open_core(shard.settings)
    try:
        assert again.keys.is_destroyed(ref)
        assert list(again.erasures.listed.entries) == [erasure_id]
        assert again.keys.place == shard.head
    finally:
        again.close()


def test_a_place_that_cannot_be_noted_costs_nobody_his_answer(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    tried = []

    def away(position: int) -> None:
        tried.append(position)
        raise KeyUnavailable("away")

    before = shard.core.keys.place
    with monkeypatch.context() as broken:
        broken.setattr(shard.core.keys, "note_place", away)
        write(shard, plan_id, 2 * EVERY)
    assert shard.core.keys.place == before
    # Not with every commit: it waits for as many more.
    assert 1 <= len(tried) <= shard.head // EVERY
    write(shard, plan_id, EVERY)
    assert shard.core.keys.place > tried[-1]


def test_what_is_kept_of_names_while_looking_is_bounded(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "NAMES_KEPT_MAX", 2)
    for _ in range(4):
        shard.plan()
    asked, holds = set[str](), shard.core.keys.holds

    def counted(resident: str, category: str, version: int) -> bool:
        asked.add(resident)
        return holds(resident, category, version)

    monkeypatch.setattr(shard.core.keys, "holds", counted)
    assert shard.core.erasures._first_unknown(0) is None
    # Forgotten and asked again is right as well; every key is asked for.
    assert {(one,) for one in asked} == set(_owners(shard))


def _owners(shard: Shard) -> list[tuple[str]]:
    return shard.core.keys._reader.execute("SELECT DISTINCT resident_ref FROM data_key").fetchall()
