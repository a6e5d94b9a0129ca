"""The door over real HTTP: whole and confirmed, or nothing; whoever knocks, however slowly and how often."""

from __future__ import annotations

import http.client
import io
import os
import socket
import sqlite3
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from adapters.kit.enduring import WELL, Light
from adapters.kit.outward import Outward, OutwardError
from adapters.provider import arriving, http_door, stuf
from adapters.provider.config import Side
from adapters.provider.envelopes import Envelopes
from adapters.provider.http_door import PATH, READY, Listening
from adapters.provider.stuf import Kind, Reader
from adapters.provider.transport import Ggk, Http
from adapters.provider.xml import emit
from adapters.sdk.logs import AdapterLog
from tests.provider.around import Adapter, Clock, config, sent
from tests.provider.builders import BSN
from tests.provider.envelopes import envelope
from tests.provider.world import MUNICIPALITY_OIN, OTHER_OIN, PROVIDER_OIN, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.provider.stuf import Told
    from exchange.keys.authority import DevelopmentAuthority

WAIT_S = 20.0
REFERENCE = "9c0f7b90-5c69-41e5-a837-0800200c9a66"
ONE = envelope(emit(sent()), reference=REFERENCE)


class Knocking:
    """A door that listens, and who knocks at it."""

    def __init__(self, root: Path, ggk: Ggk | None, **settings: Any) -> None:  # noqa: ANN401 -- of the record
        made = Http(port=0, **settings)
        self.config = config(root, Side.PROVIDER, ggk=ggk, http=made)
        self.out, self.wake = io.StringIO(), threading.Event()
        self.listening = Listening(self.config, made, AdapterLog(self.out), self.wake)
        self.listening.start()
        self.port = int(self.listening.url.rpartition(":")[2].partition("/")[0])

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            line.request(method, path, body)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def waits(self, method: str, path: str, body: bytes = b"") -> tuple[int, str | None, bytes]:
        """Return status, Retry-After and what was said."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            line.request(method, path, body)
            answer = line.getresponse()
            return answer.status, answer.getheader("Retry-After"), answer.read()
        finally:
            line.close()

    def post(self, body: bytes) -> tuple[int, Told | None]:
        status, said = self.ask("POST", PATH, body)
        assert BSN.encode() not in said
        return status, told_of(said) if said else None

    @contextmanager
    def begun(self) -> Iterator[socket.socket]:
        """Begin to post, and leave the rest to the caller."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ONE)}\r\n\r\n"
        line.sendall(head.encode() + ONE[: len(ONE) // 2])
        yield line
        line.close()

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.config.inbox.iterdir())

    def until(self, done: Callable[[], bool]) -> None:
        ends = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < ends, "it did not come to that in time"
            time.sleep(0.01)


def told_of(said: bytes) -> Told:
    reader = Reader(lambda _piece: None)
    reader.feed(said)
    return reader.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Knocking]:
    made = Knocking(tmp_path, Ggk())
    yield made
    made.listening.close()
    assert BSN not in made.out.getvalue()


@pytest.mark.parametrize("soap", [False, True])
def test_what_comes_in_an_envelope_is_confirmed_once_its_message_lies_there(
    door: Knocking, *, soap: bool
) -> None:
    status, told = door.post(envelope(emit(sent()), soap=soap, reference=REFERENCE))
    assert told is not None
    assert (status, told.kind, told.cross_reference, told.soap) == (200, Kind.TAKEN, REFERENCE, soap)
    assert door.names == [f"ggk-{REFERENCE}.xml"]
    assert (door.config.inbox / door.names[0]).read_bytes() == emit(sent())
    assert door.wake.is_set()


def test_the_same_again_is_confirmed_again_and_another_under_its_number_is_not(door: Knocking) -> None:
    for _ in range(2):
        assert door.post(ONE)[0] == 200
    status, told = door.post(envelope(emit(sent(identification="A2")), reference=REFERENCE, soap=True))
    assert told is not None
    assert (status, told.kind, told.code, told.cross_reference) == (500, Kind.REFUSED, "IB016", REFERENCE)
    assert (door.config.inbox / f"ggk-{REFERENCE}.xml").read_bytes() == emit(sent())


def test_a_bare_message_is_taken_under_the_name_of_its_bytes(door: Knocking) -> None:
    for _ in range(2):
        assert door.post(emit(sent())) == (202, None)
    (name,) = door.names
    assert name.startswith("http-")
    assert (door.config.inbox / name).read_bytes() == emit(sent())


def test_what_is_wrong_is_refused_with_its_code_and_leaves_nothing(door: Knocking) -> None:
    for body, status, code in (
        (envelope(b"x", function="WMO399"), 422, "IB004"),
        (envelope(b"x", sender="0364", soap=True), 500, "IB002"),
        (ONE[:-10], 422, "IB001"),
        (ONE.replace(b"<GGK:bericht>", b"<GGK:berichten>"), 422, "IB001"),
        (b'<!DOCTYPE a SYSTEM "http://www.egem.nl/StUF/StUF0301">' + ONE, 422, "IB001"),
    ):
        said, told = door.post(body)
        assert told is not None
        assert (said, told.kind, told.code) == (status, Kind.REFUSED, code)
    assert door.names == []


def test_only_one_path_and_one_method_are_there(door: Knocking) -> None:
    assert door.ask("POST", "/", ONE)[0] == 404
    assert door.ask("GET", PATH)[0] == 405
    assert door.names == []


def test_a_body_that_is_cut_off_or_too_slow_leaves_nothing(
    door: Knocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    with door.begun():
        door.until(lambda: door.names != [])
    door.until(lambda: door.names == [])
    door.until(lambda: "body_cut_off" in door.out.getvalue())
    monkeypatch.setattr(http_door, "BODY_S", 0.05)
    with door.begun() as line:
        assert line.recv(100).startswith(b"HTTP/1.1 408")
    assert door.names == []
    monkeypatch.setattr(http_door, "BODIES_MAX", 0)
    assert door.post(ONE)[0] == 503
    assert door.names == []


def test_what_is_larger_than_a_message_may_be_is_refused_and_gone(
    door: Knocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (stuf, arriving):
        monkeypatch.setattr(room, "MESSAGE_BYTES_MAX", 9_999)
    assert door.post(b"x" * 9_999)[0] == 202
    assert door.post(b"x" * 10_000)[0] == 413
    status, told = door.post(envelope(b"x" * 10_000))
    assert told is not None
    assert (status, told.code) == (422, "IB012")
    assert len(door.names) == 1


def test_a_journal_that_is_being_opened_is_told_as_come_back_soon_and_then_it_is_ready(
    door: Knocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_door, "JOURNAL_S", 0.01)
    # As a loop does that begins again after a kill, at the same moment.
    door.config.state.mkdir()
    opening = sqlite3.connect(door.config.journal)
    opening.execute("PRAGMA journal_mode = WAL")
    opening.execute("BEGIN EXCLUSIVE")
    assert door.waits("POST", PATH, ONE) == (503, "5", b"")
    assert door.waits("GET", READY) == (503, "5", b"locked")
    assert door.names == []
    opening.rollback()
    opening.close()
    assert door.waits("GET", READY) == (200, None, b"ready")
    assert door.post(ONE)[0] == 200


def test_whoever_asks_hears_that_the_loop_stands_still_or_has_no_inbox(door: Knocking) -> None:
    door.config.state.mkdir()
    Light(door.config.state).show("full")
    assert door.waits("GET", READY) == (503, "60", b"full")
    Light(door.config.state).show(WELL)
    assert door.waits("GET", READY)[0] == 200
    door.config.inbox.rmdir()
    assert door.waits("GET", READY) == (503, "60", b"file")
    assert door.ask("POST", READY)[0] == 404


def test_a_full_disk_is_told_as_come_back_later(door: Knocking, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert door.waits("POST", PATH, ONE)[:2] == (503, "60")
    assert door.names == []


def test_a_journal_that_takes_nothing_is_told_as_come_back_later(
    door: Knocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Envelopes, "came", full)
    assert door.post(ONE)[0] == 503
    assert door.names == []


def test_an_inbox_that_is_gone_is_told_as_come_back_later(door: Knocking) -> None:
    door.config.inbox.rmdir()
    assert door.post(ONE)[0] == 503
    assert "inbox_failed" in door.out.getvalue()


def test_what_was_on_its_way_at_a_kill_is_taken_away_at_the_next_start(tmp_path: Path) -> None:
    first = Knocking(tmp_path, Ggk())
    first.listening.close()
    (first.config.inbox / ".passing-left.part").write_bytes(b"half")
    second = Knocking(tmp_path, Ggk())
    assert second.names == []
    second.listening.close()


def test_what_is_on_its_way_through_the_door_stays_when_the_loop_begins_anew(
    door: Knocking, tmp_path: Path
) -> None:
    """After a fault of our own files all but the door is opened again."""
    with door.begun() as line:
        door.until(lambda: len(door.names) == 1)
        http = door.config.http
        Adapter(tmp_path, Side.PROVIDER, World(tmp_path / "world"), Clock(), ggk=Ggk(), http=http).close()
        line.sendall(ONE[len(ONE) // 2 :])
        assert line.recv(64).startswith(b"HTTP/1.1 200")
    assert door.names == [f"ggk-{REFERENCE}.xml"]


def test_what_the_loop_takes_while_it_comes_again_lies_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config(tmp_path, Side.PROVIDER)
    made.inbox.mkdir(parents=True)
    linked = os.link

    def taken(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", linked)
        try:
            linked(source, target)
        except FileExistsError:
            target.unlink()
            raise

    for way in (linked, taken):
        monkeypatch.setattr(os, "link", way)
        coming = arriving.Arriving(made, way.__name__)
        coming.feed(b"<a/>")
        coming.whole()
        coming.put("a.xml")
        coming.end()
    assert [(one.name, one.read_bytes()) for one in made.inbox.iterdir()] == [("a.xml", b"<a/>")]


def test_without_the_setting_there_are_no_envelopes(tmp_path: Path) -> None:
    door = Knocking(tmp_path, None)
    try:
        assert door.post(emit(sent()))[0] == 202
        # It lies there as it came, and the inbox says what it is not.
        assert door.post(ONE)[0] == 202
    finally:
        door.listening.close()


def test_over_tls_only_the_certificates_of_the_settings_may_knock(
    tmp_path: Path, authority: DevelopmentAuthority
) -> None:
    folders = {}
    for oin in (PROVIDER_OIN, MUNICIPALITY_OIN, OTHER_OIN):
        folders[oin] = tmp_path / oin
        authority.issue_organisation(oin, "Organisatie", folders[oin])
    server = tmp_path / "server"
    authority.issue_server(server)
    certificate, key = max(server.glob("*.pem")), next(server.glob("*.key"))
    door = Knocking(
        tmp_path,
        Ggk(),
        certificate=certificate,
        key=key,
        callers=folders[MUNICIPALITY_OIN] / "client.pem",
    )
    url = f"https://localhost:{door.port}{PATH}"

    def knock(oin: str | None) -> bytes:
        shown = None if oin is None else (str(folders[oin] / "client.pem"), str(folders[oin] / "client.key"))
        root = str(folders[PROVIDER_OIN] / "ca.pem")
        return Outward("door", url, dict, authorities=root, identity=shown).post("", [ONE], {})

    try:
        assert told_of(knock(MUNICIPALITY_OIN)).kind is Kind.TAKEN
        for stranger in (OTHER_OIN, None):
            with pytest.raises((OutwardError, ssl.SSLError)):
                knock(stranger)
    finally:
        door.listening.close()
    assert door.names == [f"ggk-{REFERENCE}.xml"]
