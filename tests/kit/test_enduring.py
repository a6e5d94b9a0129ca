"""A step that cannot end leaves none open; a loop stands still for what waiting mends, and nothing else."""

from __future__ import annotations

import errno
import io
import json
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from adapters.kit.enduring import Enduring, Light, fault_of
from adapters.kit.figures import Figures
from adapters.kit.journal import Journal
from adapters.kit.rates import Limits, Rate
from adapters.kit.steps import step
from adapters.sdk.errors import Refusal, Unreachable
from adapters.sdk.following import FollowingThread, Trouble
from adapters.sdk.logs import AdapterLog
from tests.kit.squeezed import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# --- steps -------------------------------------------------------------------------------------------------


def opened(path: Path) -> sqlite3.Connection:
    """Return a file of a few pages that may not grow."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE held (number INTEGER PRIMARY KEY, what BLOB)")
    connection.execute("INSERT INTO held VALUES (1, 'first')")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    return connection


def held(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT number FROM held ORDER BY number")]


LARGE = b"x" * 100_000


def test_a_step_that_finds_no_room_leaves_nothing_behind_and_none_open(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")

    def fill() -> None:
        with step(connection):
            connection.execute("INSERT INTO held VALUES (2, 'small')")
            connection.execute("INSERT INTO held VALUES (3, ?)", (LARGE,))

    def fill_within() -> None:
        with step(connection):
            connection.execute("INSERT INTO held VALUES (4, 'small')")
            fill()

    for one in (fill, fill_within):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            one()
        assert not connection.in_transaction
        assert held(connection) == [1]
    # Room again: what is written is kept.
    connection.execute("PRAGMA max_page_count = 1000")
    with step(connection):
        connection.execute("INSERT INTO held VALUES (3, ?)", (LARGE,))
    connection.close()
    assert held(sqlite3.connect(tmp_path / "a.db")) == [1, 3]


def test_a_step_whose_end_fails_is_not_left_open(tmp_path: Path) -> None:
    """A reader in another program holds up a COMMIT of a file without a write-ahead log."""
    connection = opened(tmp_path / "a.db")
    connection.execute("PRAGMA busy_timeout = 20")
    reader = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM held").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="locked"), step(connection):
        connection.execute("INSERT INTO held VALUES (2, 'small')")
    assert not connection.in_transaction
    reader.execute("ROLLBACK")
    assert held(connection) == [1]
    with step(connection):
        connection.execute("INSERT INTO held VALUES (2, 'small')")
    assert held(reader) == [1, 2]


def test_an_inner_step_that_fails_takes_back_its_own_part_alone(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    with step(connection):
        connection.execute("INSERT INTO held VALUES (2, 'small')")
        with pytest.raises(sqlite3.IntegrityError), step(connection):
            connection.executemany("INSERT INTO held VALUES (?, 'small')", [(3,), (1,)])
    assert held(connection) == [1, 2]


# --- the loop ----------------------------------------------------------------------------------------------


class Loop:
    """A loop that is told what goes wrong, one after the other."""

    def __init__(self, folder: Path, lines: io.StringIO | None = None) -> None:
        self.lines, self.stopping, self.waits = lines or io.StringIO(), threading.Event(), list[float]()
        self.folder = folder
        self.on_wait: Callable[[], object] = lambda: None
        limits = Limits({"brp": Rate(60, 1)}, folder / "waits.json")
        self.enduring = Enduring(folder, AdapterLog(self.lines), limits, self.stopping, self._pause)

    def _pause(self, _event: threading.Event, seconds: float) -> None:
        self.waits.append(seconds)
        self.on_wait()
        assert Light(self.folder).seen() != "", "it shows that it stands still"

    def run(self, *faults: Exception | None) -> None:
        left = list(faults)

        def work() -> None:
            while left:
                fault = left.pop(0)
                if fault is not None:
                    raise fault
                self.enduring.well()

        self.enduring.run(work)

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.lines.getvalue().splitlines()]


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("?")
    error.sqlite_errorcode = code
    return error


def test_it_waits_longer_each_time_and_begins_anew_once_a_pass_went_well(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    full = OSError(errno.ENOSPC, "no room")
    loop.run(None, *[full] * 8, None, full, None)
    assert loop.waits == [1, 2, 4, 8, 16, 32, 32, 32, 1]
    assert loop.events() == [*["store_fault"] * 8, "store_well", "store_fault", "store_well"]
    assert Light(tmp_path).seen() == ""
    assert "exchange_adapter_store_faults_total" in (tmp_path / "metrics.prom").read_text()


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.ENOSPC, ""), "full"),
        (OSError(errno.EDQUOT, ""), "full"),
        (PermissionError(errno.EACCES, ""), "file"),
        (OSError("without a number"), "file"),
        (of_sqlite(sqlite3.SQLITE_FULL), "full"),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "locked"),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), "io"),
        (of_sqlite(sqlite3.SQLITE_READONLY_DIRECTORY), "read_only"),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), "cannot_open"),
    ],
)
def test_what_waiting_mends_is_named(error: OSError | sqlite3.Error, word: str, tmp_path: Path) -> None:
    assert fault_of(error) == word
    loop = Loop(tmp_path)
    loop.run(error, None)
    assert json.loads(loop.lines.getvalue().splitlines()[0])["code"] == word


@pytest.mark.parametrize(
    "error", [of_sqlite(sqlite3.SQLITE_ERROR), of_sqlite(sqlite3.SQLITE_CORRUPT), sqlite3.IntegrityError("?")]
)
def test_what_no_waiting_mends_ends_the_loop(error: sqlite3.Error, tmp_path: Path) -> None:
    assert fault_of(error) == ""
    with pytest.raises(type(error)):
        Loop(tmp_path).run(error)


def test_a_file_that_is_no_database_ends_the_loop(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"something else" * 1_000)
    with pytest.raises(sqlite3.DatabaseError) as told:
        Journal(tmp_path / "journal.db")
    assert fault_of(told.value) == ""


def test_it_stops_while_it_stands_still(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.on_wait = loop.stopping.set  # as a signal does
    loop.run(*[OSError(errno.ENOSPC, "")] * 9)
    assert loop.events() == ["store_fault"]


def test_a_light_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    light = Light(tmp_path / "gone")
    light.show("full")
    assert light.seen() == ""
    (tmp_path / "light").write_bytes(b"\xff")
    assert Light(tmp_path).seen() == ""


def test_figures_are_whole_or_as_they_were(tmp_path: Path) -> None:
    limits = Limits({"zgw": Rate(60, 2), "brp": Rate(60, 1)}, tmp_path / "waits.json")
    limits["zgw"].turn()
    clock = [0.0]
    figures = Figures(tmp_path / "metrics.prom", limits, lambda: clock[0])
    figures.write_now_and_then(0)
    first = (tmp_path / "metrics.prom").read_text()
    assert 'exchange_adapter_calls_total{system="zgw"} 1\n' in first
    assert 'exchange_adapter_calls_total{system="brp"} 0\n' in first
    clock[0] = 9.9
    figures.write_now_and_then(7)
    assert (tmp_path / "metrics.prom").read_text() == first
    clock[0] = 10.0
    figures.write_now_and_then(7)
    assert "exchange_adapter_store_faults_total 7\n" in (tmp_path / "metrics.prom").read_text()
    # Where it cannot be written it stays as it was.
    (tmp_path / "metrics.draft").mkdir()
    figures.write(8, still=True)
    assert "exchange_adapter_store_faults_total 7\n" in (tmp_path / "metrics.prom").read_text()


class Full(io.StringIO):
    """A log on a disk without room, for the next so many lines."""

    left = 2

    def write(self, text: str, /) -> int:
        if self.left:
            self.left -= 1
            raise OSError(errno.ENOSPC, "no room")
        return super().write(text)


def test_a_log_without_room_ends_nothing_and_says_afterwards_what_is_missing(tmp_path: Path) -> None:
    loop = Loop(tmp_path, Full())
    loop.run(*[OSError(errno.ENOSPC, "")] * 2, None)
    assert loop.events() == ["log_lines_lost", "store_well"]
    assert json.loads(loop.lines.getvalue().splitlines()[0])["count"] == 2


# --- following ---------------------------------------------------------------------------------------------


class Failing:
    """What is followed fails by a file of its own, then by the line, then tells."""

    def __init__(self) -> None:
        self.faults: list[Exception] = [Unreachable(Refusal("", "away")), OSError(errno.EMFILE, "files")]
        self.ended = threading.Event()

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[str]:
        assert (cursor, callable(keep_cursor), until_caught_up) == (0, True, False)
        if self.faults:
            raise self.faults.pop()
        yield "happened"
        self.ended.wait(30)

    def stop_following(self) -> None:
        self.ended.set()


@pytest.mark.slow
def test_following_goes_on_after_a_fault_of_a_file() -> None:
    thread = FollowingThread(Failing(), 0, threading.Event())
    thread.start()
    found: list[object] = []

    def happened() -> bool:
        found.extend(thread.taken())
        return "happened" in found

    try:
        until(happened)
    finally:
        thread.stop()
    assert [type(one.error) for one in found if isinstance(one, Trouble)] == [OSError, Unreachable]
