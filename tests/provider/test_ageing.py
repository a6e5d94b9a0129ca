"""What was refused and is about nobody who is known here goes with its time, message and answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.provider.purging import Purging
from adapters.provider.restricting import LOOK_EVERY_MS
from tests.provider.around import ONE, Both, answers, planned, sent
from tests.provider.builders import BSN
from tests.provider.world import OTHER_BSN

if TYPE_CHECKING:
    from tests.provider.around import Adapter

DAYS = 90


@pytest.fixture
def refused(both: Both) -> Both:
    """Let one come twice about somebody of whom no case is known, and one that is accepted."""
    planned(both)
    for name in ("a.xml", "b.xml"):
        both.provider.drop(name, sent(identification="A2", bsn=OTHER_BSN))
        both.provider.work()
    both.provider.drop("c.xml", sent(ONE))
    both.provider.work()
    assert sorted(answers(both)) == [(), ("0200", "9019")]
    assert both.provider.names("archive") == ["a.xml", "b.xml", "c.xml"]
    return both


def look(both: Both) -> None:
    Purging(both.provider.service._desk).work()


def traces(side: Adapter) -> list[str]:
    folders = (side.config.state, side.config.archive, side.config.outbox)
    found = [file for folder in folders for file in folder.iterdir() if file.is_file()]
    return [file.name for file in found if OTHER_BSN.encode() in file.read_bytes()]


def test_they_go_after_their_days_and_not_before(refused: Both) -> None:
    refused.clock.pass_by(days=DAYS)
    look(refused)
    assert refused.provider.names("archive") == ["a.xml", "b.xml", "c.xml"]
    refused.clock.pass_by(milliseconds=1)
    look(refused)
    assert refused.provider.names("archive") == ["c.xml"]
    assert traces(refused.provider) == []
    # What was accepted stays, with its answer.
    assert answers(refused) == [()]
    assert BSN.encode() in (refused.provider.config.archive / "c.xml").read_bytes()
    look(refused)
    told = refused.provider.out.getvalue()
    assert told.count('"event": "refusals_expired", "count": 3') == 1
    # Again after that: it is kept for a look, and has no answer to give any more.
    refused.provider.drop("d.xml", sent(identification="A2", bsn=OTHER_BSN))
    refused.provider.work()
    look(refused)
    assert traces(refused.provider) == []


def test_one_whose_keeping_was_not_noted_before_a_kill_goes_too(refused: Both) -> None:
    refused.provider.journal.connection.execute("UPDATE inbox SET archived = NULL WHERE pseudonym IS NULL")
    (refused.provider.config.archive / "of-last-year").mkdir()
    look(refused)
    refused.clock.pass_by(days=DAYS, minutes=1)
    look(refused)
    assert traces(refused.provider) == []


def test_an_answer_that_did_not_leave_stays_until_it_did(both: Both) -> None:
    inbox = both.municipality.config.inbox
    shutil.rmtree(inbox)
    both.provider.drop("a.xml", sent(bsn=OTHER_BSN))
    both.provider.work()
    both.clock.pass_by(days=DAYS, minutes=1)
    look(both)
    assert both.provider.names("archive") == []
    inbox.mkdir()
    both.clock.pass_by(hours=1)
    both.provider.service._delivering.work()
    assert len(both.provider.names("outbox")) == 1
    look(both)
    assert traces(both.provider) == []


def test_one_that_will_not_go_is_told_and_tried_again(refused: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    refused.clock.pass_by(days=DAYS, minutes=1)
    unlink = Path.unlink

    def stuck(path: Path, *, missing_ok: bool = False) -> None:
        if path.parent == refused.provider.config.archive:
            raise PermissionError(13, "no")
        unlink(path, missing_ok=missing_ok)

    purging = Purging(refused.provider.service._desk)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", stuck)
        purging.work()
    assert '"event": "rejected_failed"' in refused.provider.out.getvalue()
    refused.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    purging.work()
    assert traces(refused.provider) == []
