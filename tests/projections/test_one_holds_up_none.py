"""What stands in the store twice under one id, and a read model that cannot go on: the others do."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from exchange.domain.disclosure import DisclosureDecided
from exchange.errors import StoreUnavailable
from exchange.projections.follower import Follower
from tests.projections.test_obligations import WAIT_S, break_glass, follow, listing, open_duties

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from exchange.errors import ExchangeError
    from tests.pipeline.shard import Shard


def test_of_two_decisions_under_one_id_the_first_stands_and_the_list_goes_on(
    shard: Shard, tmp_path: Path
) -> None:
    listed = listing(shard, tmp_path)
    _, _, plan_id = shard.plan()
    first = break_glass(shard, plan_id)
    head = follow(shard, listed)
    before = open_duties(listed)
    assert {name for name, _ in before} == {first}
    row = shard.core.reader.page(0, 500, (DisclosureDecided.TOPIC,))[-1]

    listed.apply([row._replace(position=head + 1)], head, head + 1, shard.core.codec)

    assert open_duties(listed) == before
    assert listed.database.position() == head + 1
    listed.database.close()


def test_a_read_model_that_cannot_go_on_holds_up_none_of_the_others(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, listed = listing(shard, tmp_path / "stuck"), listing(shard, tmp_path / "other")

    def never(*_: Any) -> None:  # noqa: ANN401 -- rows and places
        raise StoreUnavailable("the read model did not answer", file="obligations.db")

    monkeypatch.setattr(stuck, "apply", never)
    errors: list[ExchangeError] = []
    told = threading.Event()

    def tell(error: ExchangeError) -> None:
        errors.append(error)
        told.set()

    _, _, plan_id = shard.plan()
    break_glass(shard, plan_id)
    follower = Follower([stuck, listed], shard.core.reader, shard.core.codec, tell)
    follower.start()
    assert told.wait(WAIT_S)
    # Who waits is not told that all is there; what can go on has gone on.
    assert not follower.wait_for(shard.head, 0.01)
    follower.stop()
    assert listed.database.position() == shard.head
    assert len(open_duties(listed)) == 4
    assert stuck.database.position() == 0
    assert [error.code for error in errors][:1] == [StoreUnavailable.code]
    for one in (stuck, listed):
        one.database.close()


def test_who_is_told_to_stop_waits_for_a_store_that_is_away_once_and_not_for_each_read_model(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [listing(shard, tmp_path / str(number)) for number in range(3)]
    asked, answering = threading.Semaphore(0), threading.Event()
    questions: list[None] = []

    def away() -> tuple[int, bytes]:
        questions.append(None)
        asked.release()
        assert answering.wait(WAIT_S)
        raise StoreUnavailable("the event store did not answer")

    monkeypatch.setattr(shard.core.reader, "head", away)
    follower = Follower(models, shard.core.reader, shard.core.codec, lambda _: None)
    follower.start()
    assert asked.acquire(timeout=WAIT_S)
    stopping = threading.Thread(target=follower.stop)
    stopping.start()
    # It knows that it is to stop, and its first question is still out.
    while not follower._stopping:
        time.sleep(0.001)
    answering.set()
    stopping.join()
    assert len(questions) == 1
    for one in models:
        one.database.close()
