"""A program is told to end while it runs, and afterwards signals are heard as before."""

from __future__ import annotations

import signal
import threading

import pytest

from adapters.kit.ending import STOP_SIGNALS, told_to_end


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_sets_all_that_is_looked_at(number: signal.Signals) -> None:
    stopping, wake = threading.Event(), threading.Event()
    with told_to_end(stopping, wake):
        signal.raise_signal(number)
        assert stopping.is_set()
        assert wake.is_set()


def test_signals_are_heard_as_before_also_after_a_failed_start() -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with pytest.raises(ValueError, match="cannot start"), told_to_end(threading.Event()):
        raise ValueError("cannot start")
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_another_thread_is_told_that_it_hears_of_no_signal() -> None:
    said: list[str] = []

    def listen() -> None:
        try:
            with told_to_end(threading.Event()):
                said.append("heard")
        except ValueError as error:
            said.append(str(error))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert len(said) == 1
    assert "main thread" in said[0]
