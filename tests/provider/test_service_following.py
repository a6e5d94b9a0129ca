"""Following in a thread: in order, resumed at the cursor, through failures, and ended when asked."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from adapters.provider.plan_seen import Happening
from adapters.sdk import following
from adapters.sdk.errors import Denied, Refusal, SdkError
from adapters.sdk.following import Cursor, FollowingThread, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

WAIT_S = 10.0


class Feed:
    """Positions 1 to `last` in batches of one; `fails` are raised before anything is given."""

    def __init__(self, last: int, fails: list[SdkError] | None = None) -> None:
        self.cursors: list[int] = []
        self._last = last
        self._fails = fails or []
        self._ended = threading.Event()

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        assert not until_caught_up
        self.cursors.append(cursor)
        if self._fails:
            raise self._fails.pop(0)
        for position in range(cursor + 1, self._last + 1):
            yield Happening(position, "plan.x", "p", "c", position)
            keep_cursor(position)
        self._ended.wait(WAIT_S)

    def stop_following(self) -> None:
        self._ended.set()


Follower = FollowingThread[Happening]
Item = Happening | Cursor | Trouble


def taken(follower: Follower, wake: threading.Event, count: int) -> list[Item]:
    found: list[Item] = []
    until = time.monotonic() + WAIT_S
    while len(found) < count:
        assert time.monotonic() < until
        wake.wait(0.1)
        wake.clear()
        found += follower.taken()
    return found


def positions(items: list[Item]) -> list[tuple[str, int]]:
    return [(type(item).__name__, 0 if isinstance(item, Trouble) else item.position) for item in items]


def test_everything_comes_in_order_each_before_its_cursor() -> None:
    feed, wake = Feed(5), threading.Event()
    follower = Follower(feed, 3, wake)
    follower.start()
    items = taken(follower, wake, 4)
    follower.stop()
    assert positions(items) == [("Happening", 4), ("Cursor", 4), ("Happening", 5), ("Cursor", 5)]
    assert feed.cursors == [3]


def test_a_failure_is_told_and_following_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WAIT_FIRST_MS", 1)
    denied = [Denied(Refusal("ACCESS_DENIED", "no")) for _ in range(3)]
    feed, wake = Feed(1, list(denied)), threading.Event()
    follower = Follower(feed, 0, wake)
    follower.start()
    items = taken(follower, wake, 5)
    follower.stop()
    assert [item.attempt for item in items if isinstance(item, Trouble)] == [1, 2, 3]
    assert [item.error for item in items if isinstance(item, Trouble)] == denied
    assert positions(items)[3:] == [("Happening", 1), ("Cursor", 1)]
    assert feed.cursors == [0, 0, 0, 0]


def test_a_follower_nobody_reads_from_waits_and_still_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WAITING_MAX", 2)
    feed, wake = Feed(100), threading.Event()
    follower = Follower(feed, 0, wake)
    follower.start()
    assert wake.wait(WAIT_S)
    follower.stop()
    assert not follower._thread.is_alive()
    assert len(list(follower.taken())) <= 2
