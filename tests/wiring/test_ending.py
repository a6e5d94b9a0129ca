"""How long a stop may take: counted once, from when it was asked, and ended by whoever hangs."""

from __future__ import annotations

import threading
from typing import Any

from exchange.wiring.ending import CUT_OFF, ENDS_S, EXIT, Ending

AT_ONCE = -ENDS_S


class Log:
    """What was told as a fault."""

    def __init__(self, *, fails: bool = False) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._fails = fails

    def error(self, event: str, **values: Any) -> None:  # noqa: ANN401 -- a log takes anything
        if self._fails:
            raise OSError("the disk is full")
        self.told.append((event, values))


class End:
    """What would end the process."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.come = threading.Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.come.set()


def test_what_hangs_is_cut_off_and_told() -> None:
    end, log = End(), Log()
    ending = Ending(end)
    ending.begin(AT_ONCE, log)
    end.come.wait()
    ending.over()
    assert (end.codes, log.told) == ([EXIT], [("stopped", {"reason": CUT_OFF})])


def test_it_ends_also_where_it_cannot_be_told() -> None:
    end = End()
    threading.excepthook, before = lambda _: None, threading.excepthook
    try:
        ending = Ending(end)
        ending.begin(AT_ONCE, Log(fails=True))
        end.come.wait()
        ending.over()
    finally:
        threading.excepthook = before
    assert end.codes == [EXIT]


def test_what_stops_by_itself_is_not_cut_off_and_counts_from_the_first_word() -> None:
    end, log = End(), Log()
    ending = Ending(end)
    ending.begin(300.0, log)
    ending.begin(AT_ONCE, log)
    ending.over()
    assert (end.codes, log.told) == ([], [])


def test_what_was_never_told_to_stop_is_never_cut_off() -> None:
    end = End()
    Ending(end).over()
    assert end.codes == []
