"""Whose turn it is: at the line, on both sides of it, in the order of asking, whatever clock is set."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.kit.outward import RETRY_AFTER_S_MAX, NotNow
from adapters.kit.rates import (
    BURST_MOST,
    PATIENCE_S,
    PER_MINUTE_MOST,
    WAITING_MAX,
    Limiter,
    Limits,
    Pace,
    Rate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sized
    from pathlib import Path

WAIT_S = 30.0


class Time:
    """Seconds that pass when told, and while somebody waits."""

    def __init__(self) -> None:
        self.s = 1_000.0
        self.waits: list[float] = []
        # Called before each wait: what somebody else does meanwhile.
        self.meanwhile: Callable[[], object] = lambda: None

    def pause(self, _event: threading.Event, seconds: float) -> None:
        self.waits.append(seconds)
        self.meanwhile()
        self.s += seconds

    def pace(self) -> Pace:
        return Pace(lambda: self.s, self.pause)


def limiter(clock: Time, per_minute: int = 60, burst: int = 3) -> Limiter:
    return Limiter("brp", Rate(per_minute, burst), clock.pace())


def took(clock: Time, one: Limiter, calls: int) -> list[float]:
    """Return after how many seconds each of so many calls began."""
    begun = clock.s
    found = []
    for _ in range(calls):
        one.turn()
        found.append(round(clock.s - begun, 3))
    return found


def test_a_start_has_one_call_and_then_one_for_each_interval() -> None:
    clock = Time()
    one = limiter(clock)
    assert (one.free, one.wait_s) == (1, 0.0)
    assert took(clock, one, 4) == [0.0, 1.0, 2.0, 3.0]
    assert one.free == 0
    assert one.counts.calls == 4
    assert one.counts.waited_s == pytest.approx(3.0, abs=0.01)


def test_a_quiet_time_gives_the_burst_and_no_more() -> None:
    clock = Time()
    one = limiter(clock)
    clock.s += 10_000
    assert one.free == 3
    assert took(clock, one, 5) == [0.0, 0.0, 0.0, 1.0, 2.0]


def test_in_no_stretch_of_time_begin_more_than_the_burst_and_one_for_each_interval() -> None:
    clock = Time()
    one = limiter(clock, 600, 5)
    begun = []
    for number in range(300):
        if number % 37 == 0:
            clock.s += 1.7
        one.turn()
        begun.append(clock.s)
    for first in range(0, 300, 7):
        for last in range(first, 300, 11):
            allowed = 5 + (begun[last] - begun[first]) * 10
            assert last - first + 1 <= allowed + 0.001


@pytest.mark.parametrize("moment", [0.999, 1.0, 1.001])
def test_at_the_line_and_on_both_sides_of_it(moment: float) -> None:
    clock = Time()
    one = limiter(clock)
    one.turn()
    clock.s += moment
    assert one.free == int(moment >= 1.0)


def test_a_clock_that_goes_back_or_leaps_gives_no_more_than_the_burst() -> None:
    clock = Time()
    one = limiter(clock)
    one.turn()
    clock.s -= 900
    assert (one.free, one.wait_s) == (0, 1.0)
    assert took(clock, one, 2) == [1.0, 2.0]
    clock.s += 10**9
    assert one.free == 3


# --- a wait that was asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked_s", "first_s"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (7.0, 7.0)])
def test_of_a_wait_that_was_asked_and_our_own_rate_the_later_counts(asked_s: float, first_s: float) -> None:
    clock = Time()
    one = limiter(clock)
    one.turn()
    one.hold(asked_s)
    assert one.wait_s == pytest.approx(first_s)
    # Nobody sleeps through a long one: what was to be done stays in the journal until then.
    if asked_s > 1:
        with pytest.raises(NotNow, match="asked_to_wait") as told:
            one.turn()
        assert (told.value.retry_after_s, one.soon) == (7, False)
        clock.s += asked_s - 0.001
        assert one.free == 0
        clock.s += 0.001
    assert took(clock, one, 3)[1:] == [pytest.approx(took_one, abs=0.002) for took_one in _after(asked_s)]


def _after(asked_s: float) -> list[float]:
    """One call when it ends, and no burst behind it."""
    return [1.0, 2.0] if asked_s > 1 else [2.0, 3.0]


def test_the_longest_wait_that_was_asked_counts_and_none_is_longer_than_an_hour() -> None:
    clock = Time()
    one = limiter(clock)
    one.hold(60)
    one.hold(5)
    assert one.wait_s == 60
    one.hold(10**9)
    assert one.wait_s == RETRY_AFTER_S_MAX
    one.hold(-1)
    assert one.wait_s == RETRY_AFTER_S_MAX


def test_who_waits_already_hears_of_a_wait_that_is_asked_meanwhile() -> None:
    clock = Time()
    one = limiter(clock)
    one.turn()
    clock.meanwhile = lambda: one.hold(120)
    with pytest.raises(NotNow, match="asked_to_wait") as told:
        one.turn()
    assert 119 <= told.value.retry_after_s <= 120
    assert one.counts.put_off == 1


# --- waiting ----------------------------------------------------------------------------------------------


def test_who_would_wait_too_long_is_told_for_how_long() -> None:
    clock = Time()
    one = limiter(clock, 1, 1)
    one.turn()
    # Twice the interval is waited for, also where it is long.
    assert took(clock, one, 1) == [60.0]
    # Two others wait before this one: three minutes are too long.
    one._line.extend(threading.Event() for _ in range(2))
    begun = clock.s
    with pytest.raises(NotNow, match="own_limit") as told:
        one.turn()
    assert (told.value.retry_after_s, clock.s, len(one._line)) == (180, begun, 2)
    one._line.pop()
    assert one.soon
    assert PATIENCE_S == 30


def test_it_sleeps_and_does_not_spin() -> None:
    clock = Time()
    one = limiter(clock, 6, 1)
    one.turn()
    one.turn()
    # Ten seconds, looked at once a second: whoever stops the adapter is heard.
    assert len(clock.waits) == 10
    assert min(clock.waits) > 0.9


def test_who_waits_hears_that_the_adapter_stops() -> None:
    clock = Time()
    stopped: list[int] = []
    one = Limiter("brp", Rate(6, 1), clock.pace(), stopped=lambda: bool(stopped))
    one.turn()
    clock.meanwhile = lambda: stopped.append(1)
    with pytest.raises(NotNow, match="stopping"):
        one.turn()
    assert one.counts.calls == 1


def test_callers_go_in_the_order_of_asking_and_one_too_many_is_told_so() -> None:
    """Real threads on a clock that stands still until all of them wait."""
    clock = Time()
    told: list[int] = []
    errors: list[NotNow] = []
    one = Limiter("brp", Rate(60_000, 1), Pace(lambda: clock.s))
    one.turn()

    def ask(number: int) -> None:
        try:
            one.turn()
        except NotNow as error:
            errors.append(error)
        else:
            told.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(WAITING_MAX + 1)]
    for number, thread in enumerate(threads):
        thread.start()
        line = min(number + 1, WAITING_MAX)
        _until(partial(_holds, one._line, line))
    _until(partial(_holds, errors, 1))
    assert [error.code for error in errors] == ["own_limit_queue_full"]
    for number in range(WAITING_MAX):
        clock.s += 0.001
        with one._lock:
            one._line[0].set()
        _until(partial(_holds, told, number + 1))
    for thread in threads:
        thread.join(WAIT_S)
    assert told == list(range(WAITING_MAX))
    assert one.counts.calls == WAITING_MAX + 1


def _holds(what: Sized, count: int) -> bool:
    return len(what) == count


def _until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < ends, "it did not come to that in time"
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("per_minute", "burst"), [(0, 1), (1, 0), (PER_MINUTE_MOST + 1, 1), (1, BURST_MOST + 1), (-1, 1)]
)
def test_a_rate_outside_its_bounds_is_refused(per_minute: int, burst: int) -> None:
    with pytest.raises(ValueError, match="bounds"):
        Limiter("brp", Rate(per_minute, burst))
    Limiter("brp", Rate(PER_MINUTE_MOST, BURST_MOST))
    Limiter("brp", Rate(1, 1))


# --- after a restart ---------------------------------------------------------------------------------------


def limits(folder: Path, clock: Time, now: float) -> Limits:
    rates = {"brp": Rate(60, 3), "zgw": Rate(60, 3)}
    return Limits(rates, folder / "waits.json", clock.pace(), now=lambda: now)


@pytest.mark.parametrize(
    ("now", "left"),
    [(1_000.0, 60.0), (1_030.0, 30.0), (1_059.0, 1.0), (1_060.0, 0.0), (9_000.0, 0.0), (-9_000.0, 60.0)],
)
def test_a_wait_outlives_a_restart_and_is_never_longer_than_it_was_asked_for(
    now: float, left: float, tmp_path: Path
) -> None:
    limits(tmp_path, Time(), 1_000.0)["brp"].hold(60)
    again = limits(tmp_path, Time(), now)
    assert again["brp"].wait_s == pytest.approx(left)
    # Of this system alone; and with no burst after a start, however often it starts.
    assert (again["zgw"].wait_s, again["zgw"].free) == (0.0, 1)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"brp": 7}', '{"brp": ["a", 1]}', "[" * 100_000, f'{{"brp": [1{"0" * 400}, 1]}}'],
)
def test_a_file_of_waits_that_holds_something_else_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "waits.json").write_text(content)
    assert limits(tmp_path, Time(), 1_000.0)["brp"].free == 1


def test_where_a_wait_cannot_be_written_it_holds_all_the_same(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    one = limits(gone, Time(), 1_000.0)["brp"]
    one.hold(60)
    assert one.wait_s == 60
    assert not gone.exists()


def test_the_file_holds_the_waits_that_stand_and_no_others(tmp_path: Path) -> None:
    made = limits(tmp_path, Time(), 1_000.0)
    made["brp"].hold(60)
    made["brp"].hold(7)
    made["zgw"].hold(0)
    assert json.loads((tmp_path / "waits.json").read_bytes()) == {"brp": [1_060.0, 60.0]}
