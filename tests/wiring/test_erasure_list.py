"""The list of erasures as nodes share it: both lines stand, and none that somebody else wrote."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from exchange.errors import ErasureListBroken, StoreUnavailable
from exchange.ledger.checkpoints import CheckpointStore
from exchange.wiring.erasure_list import LIST, Erased, ErasureList, SharedLines
from tests.databases.kept import Faulty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.databases.place import Place

KEY = bytes(range(32))
ONE = Erased("erasure-1", "resident-1", (), "2026-03-02T10:00:00+00:00")
OTHER = Erased("erasure-2", "resident-2", ("SCHULDEN",), "2026-03-03T10:00:00+00:00")


@pytest.fixture
def opened(place_of: Callable[[str], Place]) -> Iterator[Callable[[], CheckpointStore]]:
    """Open the same store of what was signed as often as asked, as nodes do."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(CheckpointStore(place_of("checkpoints"))))


def test_what_one_node_appended_the_other_goes_on_behind(opened: Callable[[], CheckpointStore]) -> None:
    mine, theirs = (ErasureList(SharedLines(opened()), KEY) for _ in range(2))
    assert not mine.is_there
    for listed, erased in ((mine, ONE), (theirs, OTHER), (mine, OTHER), (theirs, ONE)):
        listed.add(erased)
    assert list(mine.entries) == list(theirs.entries) == [ONE.erasure_id, OTHER.erasure_id]
    again = ErasureList(SharedLines(opened()), KEY)
    assert (list(again.entries.values()), again.is_there) == ([ONE, OTHER], True)


def test_of_many_at_once_every_line_stands_in_one_chain(opened: Callable[[], CheckpointStore]) -> None:
    nodes = [ErasureList(SharedLines(opened()), KEY) for _ in range(4)]
    start = Barrier(4)

    def append(number: int) -> None:
        start.wait(timeout=10)
        for count in range(5):
            nodes[number].add(ONE._replace(erasure_id=f"erasure-{number}-{count}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))
    assert len(ErasureList(SharedLines(opened()), KEY).entries) == 20


def test_a_row_that_somebody_else_wrote_is_refused_and_nothing_is_appended_behind_it(
    opened: Callable[[], CheckpointStore],
) -> None:
    store = opened()
    listed = ErasureList(SharedLines(store), KEY)
    listed.add(ONE)
    ErasureList(SharedLines(store), KEY)
    store.add_line(LIST, 2, store.lines(LIST)[0])
    with pytest.raises(ErasureListBroken, match="not whole"):
        listed.add(OTHER)
    with pytest.raises(ErasureListBroken):
        ErasureList(SharedLines(store), KEY)
    with pytest.raises(ErasureListBroken):
        ErasureList(SharedLines(store), bytes(32))
    assert len(store.lines(LIST)) == 2


def test_a_line_that_could_not_be_appended_is_not_listed(opened: Callable[[], CheckpointStore]) -> None:
    store = opened()
    listed = ErasureList(SharedLines(store), KEY)
    store.close()
    with pytest.raises(StoreUnavailable):
        listed.add(ONE)
    assert listed.entries == {}


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept"])
def test_a_line_reported_lost_is_appended_once(
    opened: Callable[[], CheckpointStore], monkeypatch: pytest.MonkeyPatch, *, persisted: bool
) -> None:
    store = opened()
    listed, database = ErasureList(SharedLines(store), KEY), store._database
    monkeypatch.setattr(database, "_connection", Faulty(database._connection, persisted=persisted))
    with pytest.raises(StoreUnavailable):
        listed.add(ONE)
    for one in (ONE, OTHER):
        listed.add(one)
    assert list(ErasureList(SharedLines(opened()), KEY).entries.values()) == [ONE, OTHER]
