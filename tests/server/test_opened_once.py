"""Events opened once for all streams: found over the same state only, gone with the keys, bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from exchange.errors import KeyDestroyed
from exchange.server import opened_once as room
from exchange.server.opened_once import OpenedOnce
from exchange.store.batch import Row

STATE, OTHER = object(), object()


def row(position: int, size: int = 10) -> Row:
    return Row(position, "plan-1", position, "plan.goal_set.v1", bytes(size))


@pytest.fixture
def codec() -> Any:  # noqa: ANN401 -- the one attribute that is looked at
    return SimpleNamespace(erasures=0)


@pytest.fixture
def opened(codec: Any) -> OpenedOnce:  # noqa: ANN401 -- as above
    return OpenedOnce(codec)


def test_what_was_made_is_found_over_the_same_state_and_no_other(opened: OpenedOnce) -> None:
    assert opened.found(row(1), STATE) is None
    assert opened.make(row(1), STATE, lambda: "made") == "made"
    assert opened.found(row(1), STATE) == "made"
    assert opened.found(row(1), OTHER) is None
    assert opened.found(row(2), STATE) is None
    assert opened.make(row(1), OTHER, lambda: "anew") == "anew"
    assert (opened.found(row(1), OTHER), opened.found(row(1), STATE)) == ("anew", None)


def test_an_erasure_ends_all_of_it(opened: OpenedOnce, codec: Any) -> None:  # noqa: ANN401 -- as above
    opened.make(row(1), STATE, lambda: "made")
    codec.erasures += 1
    assert opened.found(row(1), STATE) is None
    opened.make(row(1), STATE, lambda: "anew")
    assert opened.found(row(1), STATE) == "anew"
    opened.forget()
    assert opened.found(row(1), STATE) is None


def test_what_was_opened_before_an_erasure_is_not_kept_after_it(opened: OpenedOnce, codec: Any) -> None:  # noqa: ANN401 -- as above
    opened.make(row(1), STATE, lambda: "before")

    def meanwhile() -> str:
        codec.erasures += 1
        return "of before"

    assert opened.make(row(2), STATE, meanwhile) == "of before"
    assert (opened._all.kept, opened._all.size) == ({}, 0)


def test_who_forgets_in_the_middle_leaves_no_size_without_what_has_it(opened: OpenedOnce) -> None:
    """It comes from another thread, between any two steps."""

    class Forgetting(bytes):
        def __len__(self) -> int:
            opened.forget()
            return super().__len__()

    opened.make(row(1), STATE, lambda: "made")
    opened.make(row(1)._replace(state=Forgetting(10)), OTHER, lambda: "anew")
    sizes = [one.size for one in opened._all.kept.values()]
    assert opened._all.size == sum(sizes)


def test_what_cannot_be_opened_is_not_kept(opened: OpenedOnce) -> None:
    def gone() -> str:
        raise KeyDestroyed("its keys are gone")

    with pytest.raises(KeyDestroyed):
        opened.make(row(1), STATE, gone)
    assert opened.found(row(1), STATE) is None
    assert opened._all.size == 0


def test_it_is_bounded_in_events_and_the_oldest_goes_first(
    opened: OpenedOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OPENED_KEPT_MAX", 3)
    for position in range(1, 5):
        opened.make(row(position), STATE, lambda: "made")
    assert [opened.found(row(position), STATE) is None for position in range(1, 5)] == [True, *[False] * 3]
    assert opened._all.size == 30


@pytest.mark.parametrize(("size", "kept"), [(50, [1, 2]), (51, [2]), (200, [2])])
def test_it_is_bounded_in_bytes_and_what_came_last_stays(
    opened: OpenedOnce, monkeypatch: pytest.MonkeyPatch, size: int, kept: list[int]
) -> None:
    monkeypatch.setattr(room, "OPENED_BYTES_MAX", 100)
    for position in (1, 2):
        opened.make(row(position, size), STATE, lambda: "made")
    assert list(opened._all.kept) == kept
    assert opened._all.size == size * len(kept)
    opened.make(row(2, 10), OTHER, lambda: "anew")
    assert opened._all.size == size * (len(kept) - 1) + 10
