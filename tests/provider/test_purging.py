"""Purge requests: who the plans are about is forgotten on both sides, files and all; then it is told."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from datetime import date
from typing import TYPE_CHECKING

import pytest

from adapters.kit.steps import NoRoomToFold
from adapters.provider import by_hand
from adapters.provider.journal import Arrival, MessageKey, Outgoing
from adapters.provider.purging import LOOK_EVERY_MS, Purging
from adapters.provider.stuf import Told
from adapters.provider.xml import emit
from adapters.sdk.bsn import Bsn
from adapters.sdk.errors import Refusal, Unreachable
from adapters.sdk.purges import PurgeAsked
from tests.provider.around import ONE, Both, agreed, answers, sent
from tests.provider.builders import BSN, SURNAME, message, resident
from tests.provider.envelopes import envelope
from tests.provider.told import Purges
from tests.provider.world import MUNICIPALITY_OIN, OTHER_BSN, PLAN, PROVIDER_OIN, pseudonym

if TYPE_CHECKING:
    from tests.provider.around import Adapter

ERASURE = PurgeAsked("erasure-1", (PLAN,))


def ask(both: Both, *asked: PurgeAsked) -> None:
    held = both.world.held()
    held.purges += asked
    both.world.save(held)


def look(side: Adapter) -> None:
    """Let an hour pass and look."""
    Purging(side.service._desk).work()


def traces(side: Adapter) -> list[str]:
    """Return the files of a side, databases and their logs too, that say anything about the resident."""
    secrets = [BSN, SURNAME, *(pseudonym(oin, BSN).hex() for oin in (MUNICIPALITY_OIN, PROVIDER_OIN))]
    folders = (side.config.state, side.config.archive, side.config.outbox, side.config.rejected)
    found = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert found
    return [file.name for file in found if any(one.encode() in file.read_bytes() for one in secrets)]


@pytest.mark.parametrize("name", ["municipality", "provider"])
def test_who_was_erased_is_forgotten_whole_and_it_is_told(name: str, both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.work(3)
    by_hand.send_over(both.provider.desk, emit(message("315")))
    both.work(2)
    side: Adapter = getattr(both, name)
    assert traces(side)
    ask(both, ERASURE)
    look(side)
    assert traces(side) == []
    assert both.world.held().purged == {"erasure-1": True}
    look(side)
    side.work()
    assert both.world.held().purged == {"erasure-1": True}


@pytest.mark.parametrize("name", ["municipality", "provider"])
def test_not_even_a_hash_of_a_message_stays_and_it_stays_known(name: str, both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.work(3)
    side: Adapter = getattr(both, name)
    journal = side.journal
    rows = journal.connection.execute(
        "SELECT sender, kind, identification, digest FROM inbox"
        " WHERE outbox_name IS NOT NULL AND pseudonym IS NOT NULL"
    ).fetchall()
    assert rows
    # As where each came in an envelope.
    journal.connection.executemany(
        "INSERT INTO envelopes_in (reference, function, digest) VALUES (?, ?, ?)",
        [(f"reference-{number}", row[1], row[3]) for number, row in enumerate(rows)],
    )
    ask(both, ERASURE)
    look(side)
    held = b"".join(file.read_bytes() for file in side.config.state.rglob("*") if file.is_file())
    # A BSN is nine digits: of a message of which the rest is known a hash tells which.
    assert not [row for row in rows if row[3] in held or row[3].hex().encode() in held]
    for row in rows:
        for digest in (row[3], bytes(32)):
            key = MessageKey(row[0], row[1], row[2], digest)
            assert journal.receive(key, 0, date(2026, 3, 2)) is Arrival.ANSWERED
            assert journal.answer_again(key, 0)
    told = Told(reference="reference-0", function=rows[0][1])
    assert side.desk.envelopes.came(told, rows[0][3]) == "ggk-reference-0.xml"


def test_what_was_refused_goes_too_and_what_is_of_others_stays(both: Both) -> None:
    agreed(both)
    both.work(2)
    side, wrong = both.provider, emit(message("301")).replace(b"Geslacht>2<", b"Geslacht>9<")
    side.drop("wrong.xml", wrong)
    side.drop("other.xml", wrong.replace(BSN.encode(), OTHER_BSN.encode()))
    side.drop("utf16.xml", wrong.decode().encode("utf-16"))
    side.work()
    # As they lie there where the settings know of envelopes: whole, broken, and with a reason that is gone.
    whole = envelope(wrong)
    (side.config.rejected / "whole.xml").write_bytes(whole)
    (side.config.rejected / "broken.xml").write_bytes(whole[:-40])
    ask(both, ERASURE)
    look(side)
    assert side.names("rejected") == ["other.xml", "other.xml.reason.txt"]
    assert both.world.held().purged == {"erasure-1": True}


def test_nothing_is_told_erased_while_the_log_of_the_journal_cannot_be_folded(both: Both) -> None:
    agreed(both)
    both.work(2)
    side = both.provider
    # What a kill left while it was written.
    name = next(
        name
        for folder, name in side.desk.register.files_of(pseudonym(PROVIDER_OIN, BSN).hex())
        if folder == "outbox"
    )
    (side.config.outbox / f".{name}.part").write_text(BSN)
    side.journal.connection.execute("PRAGMA busy_timeout = 1")
    reader = sqlite3.connect(side.config.journal, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM outbox").fetchone()
        ask(both, ERASURE)
        look(side)
        assert (both.world.held().purged, traces(side) != []) == ({}, True)
        assert '"purge_failed"' in side.out.getvalue()
    finally:
        reader.close()
    look(side)
    assert (both.world.held().purged, traces(side)) == ({"erasure-1": True}, [])


def test_what_cannot_be_taken_away_holds_up_no_other_erasure(both: Both) -> None:
    agreed(both)
    both.work(2)
    side = both.provider
    # A folder with a reason beside it, past its days; and a file of another plan's resident that will not go.
    (side.config.rejected / "a").mkdir()
    (side.config.rejected / "a.reason.txt").touch()
    os.utime(side.config.rejected / "a.reason.txt", (0, 0))
    both.world.open_plan("plan-2", OTHER_BSN)
    side.desk.errands.plan_is_of("plan-2", "other")
    side.desk.register.remember("other", resident(bsn=Bsn(OTHER_BSN)))
    side.desk.journal.send(Outgoing("X.xml", "WMO305", "X", b"x", pseudonym="other"), 1)
    (side.config.outbox / "X.xml").mkdir()
    ask(both, PurgeAsked("erasure-0", ("plan-2",)), ERASURE)
    look(side)
    assert both.world.held().purged == {"erasure-1": True}
    # Of the other, who bears the same name, all is there still.
    assert traces(side) == ["journal.db"]
    said = side.out.getvalue()
    assert ('"rejected_failed"' in said, said.count('"purge_failed"')) == (True, 1)


@pytest.mark.parametrize("taken", [True, False])
def test_what_was_answered_with_a_refusal_goes_too(both: Both, *, taken: bool) -> None:
    side = both.provider
    if taken:
        agreed(both)
        both.work(2)
    else:
        # Of this resident no message was ever taken: what leads to them is the plan that did not fit.
        both.world.open_plan(PLAN, BSN)
    wrong = dataclasses.replace(ONE, number=777)
    begun = wrong.starts_on.replace(year=wrong.starts_on.year - 1)
    side.drop("plan.xml", sent(dataclasses.replace(wrong, starts_on=begun), identification="Z1"))
    if taken:
        # Refused before it was asked whose it is: by a rule within the message, and by its identification.
        side.drop(
            "rule.xml",
            sent(dataclasses.replace(wrong, starts_on=begun.replace(year=2090)), identification="Z2"),
        )
        side.drop("taken.xml", sent(wrong, identification="Z1"))
    both.provider.work()
    assert len(answers(both)) == (3 if taken else 1)
    assert all(answers(both))
    assert {"plan.xml", "journal.db-wal"} <= set(traces(side))
    ask(both, ERASURE)
    look(side)
    assert traces(side) == []
    assert both.world.held().purged == {"erasure-1": True}


def test_what_was_refused_goes_with_its_time(both: Both) -> None:
    side = both.provider
    side.drop("wrong.xml", b"<x/>")
    # As old as its sender says: it counts from when it was refused.
    os.utime(side.config.inbox / "wrong.xml", (0, 0))
    side.work()
    assert len(side.names("rejected")) == 2
    both.clock.pass_by(days=90)
    look(side)
    assert len(side.names("rejected")) == 2
    both.clock.pass_by(milliseconds=1)
    look(side)
    assert side.names("rejected") == []
    assert side.out.getvalue().count('"rejected_expired"') == 1


def test_what_was_never_held_is_told_as_such(both: Both) -> None:
    ask(both, PurgeAsked("erasure-2", ("plan-9",)), PurgeAsked("erasure-3", ()))
    look(both.provider)
    assert both.world.held().purged == {"erasure-2": False, "erasure-3": False}


def test_of_a_part_nothing_is_held_and_the_rest_stays(both: Both) -> None:
    agreed(both)
    both.work(2)
    ask(both, PurgeAsked("erasure-4", (PLAN,), frozenset({"LOG"})))
    before = traces(both.provider)
    look(both.provider)
    assert both.world.held().purged == {"erasure-4": False}
    assert traces(both.provider) == before != []


def test_who_dies_before_the_file_is_gone_tries_again(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed(both)
    both.work(2)
    ask(both, ERASURE)
    desk = both.provider.service._desk

    class Died(BaseException):
        pass

    def dies(_: str) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(desk.care, "forget", dies)
        with pytest.raises(Died):
            look(both.provider)
    assert both.world.held().purged == {}
    look(both.provider)
    assert traces(both.provider) == []
    assert both.world.held().purged == {"erasure-1": True}


def test_what_was_erased_is_told_so_where_the_answer_was_lost(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(both)
    both.work(2)
    ask(both, ERASURE)

    def away(*_: object, **_more: object) -> None:
        raise Unreachable(Refusal("", "nobody is there"))

    with monkeypatch.context() as lost:
        lost.setattr(Purges, "answer", away)
        look(both.provider)
    assert (traces(both.provider), both.world.held().purged) == ([], {})
    look(both.provider)
    assert both.world.held().purged == {"erasure-1": True}


def test_an_exchange_that_is_away_is_asked_again_within_the_hour(both: Both) -> None:
    ask(both, PurgeAsked("erasure-5", ("plan-9",)))
    purging = Purging(both.provider.service._desk)
    both.world.away = True
    purging.work()
    both.world.away = False
    purging.work()
    assert both.world.held().purged == {}
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    purging.work()
    assert both.world.held().purged == {"erasure-5": False}


def test_many_erasures_write_the_journal_anew_once_and_wait_for_that(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(both)
    both.work(2)
    side, fold = both.provider, both.provider.journal.fold_log
    folds: list[OSError | None] = [NoRoomToFold(), None]

    def folding() -> None:
        failed = folds.pop(0)
        if failed is not None:
            raise failed
        fold()

    monkeypatch.setattr(side.journal, "fold_log", folding)
    ask(both, PurgeAsked("erasure-0", ("another",)), ERASURE, PurgeAsked("erasure-2", (PLAN,)))
    look(side)
    # What holds nothing waits for nothing.
    assert both.world.held().purged == {"erasure-0": False, "erasure-2": False}
    assert '"event": "purge_failed"' in side.out.getvalue()
    look(side)
    assert both.world.held().purged["erasure-1"]
    assert (traces(side), folds) == ([], [])
    look(side)
