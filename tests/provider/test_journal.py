"""The journal: every effect once, nothing dropped, everything there after kill -9."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kit.journal import PARK_AFTER_MS, RETRY_LONGEST_MS, wait_before_retry_ms
from adapters.provider.apart import release_over
from adapters.provider.deadlines import retour_due
from adapters.provider.errors import JournalConflict
from adapters.provider.journal import Arrival, Journal, MessageKey, Outgoing
from tests.provider.builders import TODAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


def key(
    content: bytes = b"one", sender: str = "0363", kind: str = "WMO301", identification: str = "A1"
) -> MessageKey:
    return MessageKey(sender, kind, identification, hashlib.sha256(content).digest())


def retour(name: str = "R1.xml", content: bytes = b"answer") -> Outgoing:
    return Outgoing(name, "WMO302", "R1", content)


def test_a_message_comes_once_and_is_answered_once(journal: Journal) -> None:
    assert journal.receive(key(), 1, TODAY) is Arrival.NEW
    assert journal.receive(key(), 2, TODAY) is Arrival.UNFINISHED
    journal.answer(key(), retour(), 3)
    assert journal.receive(key(), 4, TODAY) is Arrival.ANSWERED
    assert [waiting.content for waiting in journal.due(10)] == [b"answer"]


def test_the_same_message_again_gets_the_same_answer_again(journal: Journal) -> None:
    journal.receive(key(), 1, TODAY)
    journal.answer(key(), retour(), 2)
    journal.delivered("R1.xml")
    assert journal.due(10) == ()
    assert journal.answer_again(key(), 11) == "R1.xml"
    assert [waiting.content for waiting in journal.due(11)] == [b"answer"]


def test_the_same_identification_with_other_content_clashes_and_keeps_clashing(journal: Journal) -> None:
    journal.receive(key(), 1, TODAY)
    assert journal.receive(key(b"two"), 2, TODAY) is Arrival.CLASH
    assert journal.receive(key(b"two"), 3, TODAY) is Arrival.CLASH
    journal.answer(key(b"two"), retour("R2.xml", b"9056"), 4)
    assert journal.receive(key(b"two"), 5, TODAY) is Arrival.ANSWERED
    assert journal.receive(key(), 6, TODAY) is Arrival.UNFINISHED


def test_another_sender_or_kind_may_use_the_same_identification(journal: Journal) -> None:
    assert journal.receive(key(), 1, TODAY) is Arrival.NEW
    assert journal.receive(key(sender="0384"), 1, TODAY) is Arrival.NEW
    assert journal.receive(key(kind="JW301"), 1, TODAY) is Arrival.NEW


def test_a_message_gets_one_answer(journal: Journal) -> None:
    journal.receive(key(), 1, TODAY)
    journal.answer(key(), retour(), 2)
    journal.answer(key(), retour(), 3)
    with pytest.raises(JournalConflict):
        journal.answer(key(), retour("R2.xml"), 4)
    with pytest.raises(JournalConflict):
        journal.answer(key(b"never came"), retour("R3.xml"), 5)
    assert len(journal.due(10)) == 1


def test_an_answer_not_given_cannot_be_given_again(journal: Journal) -> None:
    journal.receive(key(), 1, TODAY)
    with pytest.raises(JournalConflict):
        journal.answer_again(key(), 2)


def test_one_name_in_the_outbox_is_one_message(journal: Journal) -> None:
    journal.send(retour(), 1)
    journal.send(retour(), 2)
    with pytest.raises(JournalConflict):
        journal.send(retour(content=b"other"), 3)
    assert len(journal.due(10)) == 1


def test_what_happens_in_a_step_happens_whole_or_not_at_all(journal: Journal) -> None:
    journal.receive(key(), 1, TODAY)

    def half() -> None:
        with journal.transaction():
            journal.answer(key(), retour(), 2)
            journal.advance("plan", 7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert journal.due(10) == ()
    assert journal.position("plan") == 0
    assert journal.receive(key(), 3, TODAY) is Arrival.UNFINISHED


def test_a_failed_delivery_waits_longer_each_time_and_is_parked_after_a_day(journal: Journal) -> None:
    journal.send(retour(), 0)
    assert journal.failed("R1.xml", 0, 0.0) is False
    assert journal.due(999) == ()
    assert journal.due(1000)[0].attempts == 1
    assert journal.failed("R1.xml", PARK_AFTER_MS - 1, 0.0) is False
    assert journal.parked() == ()
    assert journal.failed("R1.xml", PARK_AFTER_MS, 0.0) is True
    assert journal.due(PARK_AFTER_MS * 9) == ()
    assert [waiting.content for waiting in journal.parked()] == [b"answer"]
    journal.revive("R1.xml", PARK_AFTER_MS + 5)
    assert [waiting.attempts for waiting in journal.due(PARK_AFTER_MS + 5)] == [0]


@pytest.mark.parametrize("outage_s", [10, 60, 300, 600])
def test_an_outage_of_minutes_loses_nothing(journal: Journal, outage_s: int) -> None:
    journal.send(retour(), 0)
    now = 0
    while now < outage_s * 1000:
        for waiting in journal.due(now):
            assert journal.failed(waiting.name, now, 0.5) is False
        now += 500
    late = now + RETRY_LONGEST_MS
    assert [waiting.name for waiting in journal.due(late)] == ["R1.xml"]


def test_what_was_never_made_cannot_fail(journal: Journal) -> None:
    with pytest.raises(JournalConflict):
        journal.failed("R1.xml", 0, 0.0)


@pytest.mark.parametrize("left", [True, False])
def test_a_fault_that_comes_before_its_delivery_is_noted_stands(journal: Journal, *, left: bool) -> None:
    """The door takes it in a thread of its own, while whoever sends has yet to note how its call ended."""
    journal.send(retour(), 1)
    (sending,) = journal.due(1)
    journal.refused(sending.name, "IB005")
    if left:
        journal.delivered(sending.name)
    else:
        assert journal.failed(sending.name, PARK_AFTER_MS + 2, 0.0) is False
    assert [one.name for one in journal.parked()] == ["R1.xml"]
    assert journal.due(2**60) == ()


@given(
    attempt=st.integers(min_value=1, max_value=10_000),
    jitter=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_waiting_doubles_within_bounds(attempt: int, jitter: float) -> None:
    longest = wait_before_retry_ms(attempt, 0.0)
    assert longest == min(1000 * 2 ** (attempt - 1), RETRY_LONGEST_MS)
    assert longest / 2 <= wait_before_retry_ms(attempt, jitter) <= longest


@pytest.mark.parametrize(("attempt", "jitter"), [(0, 0.0), (1, 1.0), (1, -0.1)])
def test_waiting_has_no_meaning_outside_its_bounds(attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="jitter"):
        wait_before_retry_ms(attempt, jitter)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2026, 6, 1), date(2026, 6, 4)),
        (date(2026, 6, 3), date(2026, 6, 8)),
        (date(2026, 6, 5), date(2026, 6, 10)),
        (date(2026, 6, 6), date(2026, 6, 10)),
    ],
)
def test_a_retour_is_due_within_three_working_days(received: date, due: date) -> None:
    assert retour_due("WMO301", received) == due


def test_what_is_late_is_visible(journal: Journal) -> None:
    journal.receive(key(), 1, date(2026, 6, 1))
    assert journal.overdue(date(2026, 6, 4)) == ()
    assert journal.overdue(date(2026, 6, 5)) == ("WMO301 0363 A1",)
    journal.answer(key(), retour(), 2)
    assert journal.overdue(date(2026, 6, 5)) == ()
    journal.send(Outgoing("S1.xml", "WMO305", "S1", b"start", retour_due=date(2026, 6, 4)), 1)
    assert journal.unanswered(date(2026, 6, 4)) == ()
    assert journal.unanswered(date(2026, 6, 5)) == ("S1.xml",)
    assert journal.answered("WMO305", "S1", ()) is True
    assert journal.unanswered(date(2026, 6, 5)) == ()
    assert journal.answered("WMO305", "S2", ()) is False


def test_a_position_never_goes_back(journal: Journal) -> None:
    assert journal.position("plan") == 0
    journal.advance("plan", 5)
    journal.advance("plan", 3)
    assert journal.position("plan") == 5


def test_the_journal_is_for_its_owner_only_and_keeps_each_step(tmp_path: Path, journal: Journal) -> None:
    assert (tmp_path / "journal.sqlite").stat().st_mode & 0o777 == 0o600
    assert journal.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_reopened_journal_knows_what_it_knew(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.sqlite")
    first.receive(key(), 1, TODAY)
    first.answer(key(), retour(), 2)
    first.archived(key(), "a.xml")
    first.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.receive(key(), 3, TODAY) is Arrival.ANSWERED
    assert len(again.due(10)) == 1
    again.close()


def test_a_request_id_is_the_same_after_a_restart_and_another_in_every_journal(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.sqlite")
    asked = [first.request_id(one) for one in ("WMO/9998/1/1/3/s-1", "WMO/9998/1/1/4/s-1")]
    # Two who open it at once have one namespace.
    beside = Journal(tmp_path / "j.sqlite")
    assert beside.request_id("WMO/9998/1/1/3/s-1") == asked[0]
    beside.close()
    first.close()
    again, other = Journal(tmp_path / "j.sqlite"), Journal(tmp_path / "other.sqlite")
    assert again.request_id("WMO/9998/1/1/3/s-1") == asked[0]
    assert len({*asked, other.request_id("WMO/9998/1/1/3/s-1")}) == 3
    again.close()
    other.close()


WORKER = """
import hashlib, sys
from datetime import date
from pathlib import Path
from adapters.provider.journal import Journal, MessageKey, Outgoing
journal = Journal(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    text = str(number)
    key = MessageKey("0363", "WMO301", text, hashlib.sha256(text.encode()).digest())
    journal.receive(key, number, date(2026, 6, 1))
    journal.answer(key, Outgoing(f"R{text}.xml", "WMO302", text, text.encode()), number)
    print(text, flush=True)
"""


@pytest.mark.parametrize("after", [1, 17, 60])
def test_nothing_acknowledged_is_missing_after_kill(tmp_path: Path, after: int) -> None:
    path = tmp_path / "journal.sqlite"
    worker = subprocess.Popen(  # noqa: S603 -- our own interpreter and our own text
        [sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    acknowledged = [worker.stdout.readline() for _ in range(after)]
    worker.send_signal(signal.SIGKILL)
    acknowledged += worker.stdout.readlines()
    worker.wait()
    worker.stdout.close()
    whole = [line for line in acknowledged if line.endswith(b"\n")]
    journal = Journal(path)
    held = {waiting.name for waiting in journal.due(10**9, limit=10**6)}
    assert {f"R{line.decode().strip()}.xml" for line in whole} <= held
    answered = journal.connection.execute(
        "SELECT outbox_name FROM inbox WHERE outbox_name IS NOT NULL"
    ).fetchall()
    assert {row[0] for row in answered} == held
    assert journal.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    journal.close()


def test_a_journal_another_process_holds_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Journal(tmp_path / "j.sqlite"), Journal(tmp_path / "j.sqlite")
    second.connection.execute("PRAGMA busy_timeout = 1")
    with first.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        second.send(retour(), 1)
    second.send(retour(), 1)
    first.close()
    second.close()


def test_none_overtakes_an_older_one_about_the_same_person(journal: Journal) -> None:
    for name, whose in (("S1.xml", "p"), ("S2.xml", "q"), ("S3.xml", "p"), ("S4.xml", None)):
        journal.send(Outgoing(name, "WMO305", name, b"x", pseudonym=whose), 1)
    # By chance the first is to be tried again later than the third.
    journal.failed("S1.xml", 1_000, 0.0)
    journal.failed("S3.xml", 1_000, 0.9)
    assert [one.name for one in journal.due(1_999)] == ["S2.xml", "S4.xml"]
    assert [one.name for one in journal.due(2_000)] == ["S1.xml", "S2.xml", "S4.xml"]
    # One that waits for a person holds up nothing that wants no answer; a clock that was set back neither.
    journal.failed("S1.xml", PARK_AFTER_MS + 2_000, 0.0)
    assert [one.name for one in journal.due(PARK_AFTER_MS + 2_000)] == ["S2.xml", "S3.xml", "S4.xml"]
    journal.revive("S1.xml", 10 * PARK_AFTER_MS)
    assert [one.name for one in journal.due(5_000)] == ["S1.xml", "S2.xml", "S4.xml"]
    # Nor one that left.
    journal.delivered("S1.xml")
    assert [one.name for one in journal.due(5_000)] == ["S2.xml", "S3.xml", "S4.xml"]


def test_an_answer_that_was_turned_down_twice_is_set_apart_twice(journal: Journal) -> None:
    """The sender comes again after its fault, and so does the fault: it is no answer."""
    journal.receive(key(), 1, TODAY)
    journal.answer(key(), retour(), 2)
    journal.delivered("R1.xml")
    journal.refused("R1.xml", "IB005")
    journal.answer_again(key(), 3)
    journal.delivered("R1.xml")
    journal.refused("R1.xml", "IB005")
    assert [one.name for one in journal.parked()] == ["R1.xml"]


def test_what_a_person_has_sent_again_while_it_is_under_way_goes_again(journal: Journal) -> None:
    """Turned down and looked at before the call that brought it ended: that call says nothing of the next."""
    journal.send(retour(), 1)
    (sending,) = journal.due(1)
    journal.refused(sending.name, "IB005")
    release_over(journal, sending.name, 2, settled=False)
    assert not journal.delivered(sending.name, sending.created_ms)
    assert [one.name for one in journal.due(2)] == ["R1.xml"]
