"""What harms a message that waits: a row or a key that is gone, a number that is somebody else's by now."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from adapters.provider.holding import AGAIN_MS
from adapters.provider.restricting import LOOK_EVERY_MS
from adapters.provider.transport import Ggk
from adapters.provider.xml import emit
from tests.provider.around import ONE, Both, answers, sent
from tests.provider.builders import resident
from tests.provider.envelopes import envelope
from tests.provider.test_holding import (
    MARK,
    OTHER_PLAN,
    OTHER_SUPPORT,
    Gate,
    assert_waits,
    gate,
    planned,
    waiting,
)
from tests.provider.world import OTHER_BSN

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["gate"]


def test_one_that_opens_no_more_holds_up_nobody_else(both: Both, tmp_path: Path) -> None:
    planned(both)
    gate = Gate(both.provider.port, tmp_path / MARK)
    other = Gate(both.provider.port, tmp_path / "other", whose=OTHER_PLAN)
    both.provider.drop("a.xml", sent())
    both.provider.drop(
        "b.xml", sent(dataclasses.replace(ONE, number=201), identification="A2", bsn=OTHER_BSN)
    )
    both.provider.work()
    assert len(waiting(both)) == 2
    both.provider.journal.connection.execute(
        "UPDATE held SET content = zeroblob(64) WHERE identification = 'A1'"
    )
    gate.lift()
    other.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS)
    for _ in range(3):
        both.provider.work()
    assert [one.support_id for one in both.world.assigned] == [OTHER_SUPPORT]
    assert_waits(both, archived=["b.xml"])
    # Not at every pass.
    assert both.provider.out.getvalue().count('"event": "message_not_held"') == 1
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    both.provider.work()
    assert both.provider.out.getvalue().count('"event": "message_not_held"') == 2


def test_an_answered_one_whose_key_is_gone_ends_nothing(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    # As a kill leaves it that comes behind the answer.
    both.provider.journal.connection.execute("UPDATE held SET answered = 1")
    key = both.provider.config.seal_key
    gone = key.rename(key.with_name("gone"))
    both.provider.drop(
        "c.xml", sent(dataclasses.replace(ONE, number=201), identification="A3", bsn=OTHER_BSN)
    )
    both.provider.work()
    assert [one.support_id for one in both.world.assigned] == [OTHER_SUPPORT]
    gone.rename(key)
    both.provider.work()
    assert both.provider.names("archive") == ["a.xml", "c.xml"]


def test_a_number_that_is_known_under_another_pseudonym_by_now_ends_nothing(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.provider.desk.register.remember("another", resident())
    gate.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    both.provider.work()
    # As one that comes with such a number.
    assert (answers(both), waiting(both)) == ([], ())
    assert both.provider.names("rejected") == ["a.xml", "a.xml.reason.txt"]


def test_one_that_came_in_an_envelope_waits_and_is_answered_in_one(tmp_path: Path) -> None:
    both = Both(tmp_path, ggk=Ggk())
    planned(both)
    held = Gate(both.provider.port, tmp_path / MARK)
    both.provider.drop("a.xml", envelope(emit(sent())))
    both.provider.work()
    assert_waits(both)
    held.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert (waiting(both), len(both.world.assigned)) == ((), 1)
    (went,) = both.municipality.names("inbox")
    assert b"envelopRetourbericht" in (both.municipality.config.inbox / went).read_bytes()
    (kept,) = both.provider.names("archive")
    assert (both.provider.config.archive / kept).read_bytes() == emit(sent())
    both.close()


def test_under_another_key_nothing_more_is_let_wait(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    key = both.provider.config.seal_key
    own = key.read_bytes()
    key.write_bytes(bytes(range(32)))
    both.provider.drop("b.xml", sent(identification="A2"))
    both.provider.work()
    # It is sealed under no key that opens nothing else, and lies where it came.
    assert (len(waiting(both)), both.provider.names("inbox")) == (1, ["b.xml"])
    assert "another key" in both.provider.out.getvalue()
    key.write_bytes(own)
    both.provider.work()
    assert (len(waiting(both)), both.provider.names("inbox")) == (2, [])
