"""Folders: whole files only, half-written ones waited for within bounds, the refused kept with a reason."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from adapters.kit import leaving
from adapters.kit.leaving import State, state_of
from adapters.provider import folders
from adapters.provider.errors import FileRefused, Finding
from adapters.provider.folders import (
    LOOKS_TOTAL_MAX,
    LOOKS_UNCHANGED_MAX,
    NAME_BYTES_MAX,
    Inbox,
    Outbox,
    write_whole,
)
from adapters.provider.xml import emit
from tests.provider.builders import BSN, SURNAME, message, put
from tests.provider.envelopes import envelope

if TYPE_CHECKING:
    from pathlib import Path

DATA = emit(message("301"))


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox", tmp_path / "archive", tmp_path / "rejected")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def reason(tmp_path: Path, name: str) -> str:
    return (tmp_path / "rejected" / f"{name}.reason.txt").read_text(encoding="utf-8")


def test_whole_messages_are_taken_by_name_and_stay_until_they_are_done(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / "b.xml").write_bytes(DATA)
    (tmp_path / "inbox" / "a.XML").write_bytes(emit(message("305")))
    taken = tuple(inbox.take())
    assert [(incoming.name, incoming.message.number) for incoming in taken] == [
        ("a.XML", "305"),
        ("b.xml", "301"),
    ]
    assert taken[1].size == len(DATA)
    assert len(tuple(inbox.take())) == 2
    inbox.archive(taken[1])
    assert names(tmp_path / "archive") == ["b.xml"]
    assert [incoming.name for incoming in tuple(inbox.take())] == ["a.XML"]


def test_what_is_no_message_by_name_is_left_alone(tmp_path: Path, inbox: Inbox) -> None:
    for name in (".a.xml", ".a.xml.part", "a.xml.tmp", "a.txt", "xml"):
        (tmp_path / "inbox" / name).write_bytes(b"x")
    assert tuple(inbox.take()) == ()
    assert len(names(tmp_path / "inbox")) == 5


def test_a_half_written_file_is_taken_once_it_is_whole(tmp_path: Path, inbox: Inbox) -> None:
    path = tmp_path / "inbox" / "a.xml"
    for size in range(0, len(DATA), len(DATA) // 40):
        path.write_bytes(DATA[:size])
        assert tuple(inbox.take()) == ()
    path.write_bytes(DATA)
    assert [incoming.name for incoming in tuple(inbox.take())] == ["a.xml"]
    assert names(tmp_path / "rejected") == []


def test_a_file_that_stays_half_written_is_refused_after_five_looks(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA[:-20])
    for _ in range(LOOKS_UNCHANGED_MAX - 1):
        assert tuple(inbox.take()) == ()
        assert names(tmp_path / "inbox") == ["a.xml"]
    assert tuple(inbox.take()) == ()
    assert names(tmp_path / "rejected") == ["a.xml", "a.xml.reason.txt"]
    assert "MESSAGE_NOT_WELL_FORMED" in reason(tmp_path, "a.xml")


def test_a_file_that_changes_without_end_is_refused_too(tmp_path: Path, inbox: Inbox) -> None:
    path = tmp_path / "inbox" / "a.xml"
    for size in range(LOOKS_TOTAL_MAX):
        path.write_bytes(b"<" + b"a" * size)
        tuple(inbox.take())
    assert names(tmp_path / "rejected") == ["a.xml", "a.xml.reason.txt"]


def test_another_file_under_the_same_name_starts_afresh(tmp_path: Path, inbox: Inbox) -> None:
    path = tmp_path / "inbox" / "a.xml"
    path.write_bytes(b"<a>")
    for _ in range(LOOKS_UNCHANGED_MAX - 1):
        tuple(inbox.take())
    path.unlink()
    assert tuple(inbox.take()) == ()
    path.write_bytes(b"<a>")
    assert tuple(inbox.take()) == ()
    assert names(tmp_path / "inbox") == ["a.xml"]


def test_a_bad_message_goes_to_rejected_with_rule_and_place_and_the_rest_goes_on(
    tmp_path: Path, inbox: Inbox
) -> None:
    wrong = DATA.replace(b"Geslacht>2<", b"Geslacht>9<")
    (tmp_path / "inbox" / "a.xml").write_bytes(wrong)
    (tmp_path / "inbox" / "b.xml").write_bytes(DATA)
    assert [incoming.name for incoming in tuple(inbox.take())] == ["b.xml"]
    told = reason(tmp_path, "a.xml")
    assert "XSD-enumeration at /Bericht/Client/Geslacht" in told
    assert BSN not in told
    assert SURNAME not in told
    assert (tmp_path / "rejected" / "a.xml").read_bytes() == wrong


def test_a_dtd_is_refused_at_once(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>')
    assert tuple(inbox.take()) == ()
    assert "MESSAGE_UNSAFE" in reason(tmp_path, "a.xml")


def test_broken_rules_are_named_in_the_reason(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(emit(put(message("301"), "Client/Bsn", "999900007")))
    (incoming,) = tuple(inbox.take())
    inbox.reject(incoming.name, "refused", [Finding("CS002", "/Bericht/Client/Bsn", "0001")], "correct it")
    told = reason(tmp_path, "a.xml")
    assert told == "refused\nCS002 at /Bericht/Client/Bsn (code 0001)\nWhat to do: correct it\n"


def test_links_pipes_and_folders_are_no_messages(tmp_path: Path, inbox: Inbox) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_bytes(DATA)
    (tmp_path / "inbox" / "link.xml").symlink_to(secret)
    (tmp_path / "inbox" / "folder.xml").mkdir()
    os.mkfifo(tmp_path / "inbox" / "pipe.xml")
    assert tuple(inbox.take()) == ()
    assert [name for name in names(tmp_path / "rejected") if not name.endswith(".txt")] == [
        "folder.xml",
        "link.xml",
        "pipe.xml",
    ]
    assert secret.read_bytes() == DATA


def test_a_file_that_may_not_be_read_is_refused_after_five_looks(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA)

    def closed(path: Path, _bytes_max: int) -> tuple[bytes, tuple[int, int, int]]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folders, "_read_file", closed)
    for _ in range(LOOKS_UNCHANGED_MAX):
        assert tuple(inbox.take()) == ()
    assert "may not be read" in reason(tmp_path, "a.xml")


def test_a_name_too_long_is_refused_under_a_short_one(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / ("x" * 240 + ".xml")).write_bytes(DATA)
    (tmp_path / "inbox" / ("x" * (NAME_BYTES_MAX - 4) + ".xml")).write_bytes(DATA)
    assert [incoming.name for incoming in tuple(inbox.take())] == ["x" * (NAME_BYTES_MAX - 4) + ".xml"]
    (kept, told) = names(tmp_path / "rejected")
    assert told == f"{kept}.reason.txt"
    assert len(kept) == 20


def test_a_name_that_is_no_text_is_refused_under_a_short_one(tmp_path: Path, inbox: Inbox) -> None:
    for name in (b"\xff.xml", b"ggk-\xff.xml", b"a\n.xml"):
        (tmp_path / "inbox" / os.fsdecode(name)).write_bytes(DATA)
    assert tuple(inbox.take()) == ()
    assert [len(name) for name in names(tmp_path / "rejected") if not name.endswith(".txt")] == [20] * 3


def test_a_file_that_was_taken_back_and_is_wrong_again_is_refused_again(tmp_path: Path, inbox: Inbox) -> None:
    for wrong, said in ((b"<!DOCTYPE a><a/>", "MESSAGE_UNSAFE"), (b"<a/>", "MESSAGE_UNKNOWN")):
        (tmp_path / "inbox" / "a.xml").write_bytes(wrong)
        assert tuple(inbox.take()) == ()
        assert said in reason(tmp_path, "a.xml")
        (tmp_path / "rejected" / "a.xml").unlink()


def test_a_reason_that_cannot_be_written_leaves_the_file_where_it_is(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(b"<!DOCTYPE a><a/>")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        with pytest.raises(OSError, match="space"):
            tuple(inbox.take())
    assert (names(tmp_path / "inbox"), names(tmp_path / "rejected")) == (["a.xml"], [])
    assert tuple(inbox.take()) == ()
    assert names(tmp_path / "rejected") == ["a.xml", "a.xml.reason.txt"]


def test_a_file_too_large_is_read_no_further_than_the_limit(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MESSAGE_BYTES_MAX", 1000)
    monkeypatch.setattr("adapters.provider.parsing.MESSAGE_BYTES_MAX", 1000)
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA)
    assert tuple(inbox.take()) == ()
    assert "larger than 1000 bytes" in reason(tmp_path, "a.xml")


def test_nothing_in_archive_is_overwritten(tmp_path: Path, inbox: Inbox) -> None:
    for content in (DATA, DATA + b"\n"):
        (tmp_path / "inbox" / "a.xml").write_bytes(content)
        (taken,) = inbox.take()
        inbox.archive(taken)
    assert names(tmp_path / "archive") == ["a.2.xml", "a.xml"]
    assert (tmp_path / "archive" / "a.xml").read_bytes() == DATA


def test_writing_the_same_twice_changes_nothing_and_other_content_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    path = outbox.emit("a.xml", DATA)
    before = path.stat().st_ino
    assert outbox.emit("a.xml", DATA).stat().st_ino == before
    with pytest.raises(FileRefused):
        outbox.emit("a.xml", DATA + b"\n")
    assert names(tmp_path / "outbox") == ["a.xml"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../a.xml", "/a.xml", ".a.xml", "a.txt", "a/b.xml", "", "x" * 300 + ".xml"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileRefused):
        Outbox(tmp_path / "outbox").emit(name, DATA)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync" if failing == "fsync" else "pathlib.Path.replace", full)
    with pytest.raises(OSError, match="space"):
        write_whole(tmp_path, "a.xml", DATA)
    assert names(tmp_path) == []


def test_what_a_crash_left_behind_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.xml.part").write_bytes(b"half")
    assert write_whole(tmp_path, "a.xml", DATA).read_bytes() == DATA
    assert names(tmp_path) == ["a.xml"]


def over(tmp_path: Path, content: bytes) -> None:
    """Let whoever writes into the inbox put another file under the same name."""
    draft = tmp_path / "inbox" / ".draft"
    draft.write_bytes(content)
    draft.replace(tmp_path / "inbox" / "a.xml")


@pytest.mark.parametrize("way", ["archive", "remove"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_was_written_over_a_message_that_was_read_is_taken_too(
    tmp_path: Path, inbox: Inbox, way: str, *, whole: bool
) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA)
    (first,) = inbox.take()
    later = emit(message("305"))
    if whole:
        over(tmp_path, later)
    else:
        (tmp_path / "inbox" / "a.xml").write_bytes(later)
    assert getattr(inbox, way)(first) is None
    (second,) = inbox.take()
    assert (second.name, second.message.number) == ("a.xml", "305")
    assert names(tmp_path / "archive") == []


def test_what_was_written_over_a_bad_file_is_not_put_aside_for_it(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA)
    (first,) = inbox.take()
    over(tmp_path, DATA + b"\n")
    assert inbox.reject(first.name, "refused", state=first.state) is None
    assert names(tmp_path / "rejected") == []
    assert len(tuple(inbox.take())) == 1


def test_what_was_written_over_an_envelope_that_was_opened_is_taken_too(tmp_path: Path) -> None:
    def opened(_content: bytes) -> None:
        over(tmp_path, DATA)

    inbox = Inbox(tmp_path / "inbox", tmp_path / "archive", tmp_path / "rejected", opening=opened)
    (tmp_path / "inbox" / "a.xml").write_bytes(envelope(DATA))
    assert tuple(inbox.take()) == ()
    assert [one.message.number for one in inbox.take()] == ["301"]


def test_a_third_file_keeps_its_name_and_the_second_is_taken_beside_it(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA)
    (first,) = inbox.take()
    over(tmp_path, DATA + b"\n")

    def looks(status: os.stat_result) -> State:
        over(tmp_path, DATA + b"\n\n")
        return state_of(status)

    monkeypatch.setattr(leaving, "state_of", looks)
    assert inbox.archive(first) is None
    monkeypatch.undo()
    assert sorted(one.size - len(DATA) for one in inbox.take()) == [1, 2]


def test_a_file_that_was_taken_back_meanwhile_is_no_fault(tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "inbox" / "a.xml").write_bytes(DATA)
    (first,) = inbox.take()
    (tmp_path / "inbox" / "a.xml").unlink()
    assert inbox.archive(first) is None
    inbox.remove(first)
    assert tuple(inbox.take()) == ()


def test_what_a_kill_caught_on_its_way_out_comes_again(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / ".leaving-a.xml").write_bytes(DATA)
    inbox = Inbox(tmp_path / "inbox", tmp_path / "archive", tmp_path / "rejected")
    assert [one.name for one in inbox.take()] == ["a.xml"]
