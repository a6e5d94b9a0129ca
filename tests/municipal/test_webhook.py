"""What the case system tells: taken once it stands on disk, in whatever order and however often it comes."""

from __future__ import annotations

import http.client
import io
import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from adapters.kit.journal import Journal
from adapters.municipal import rejected, running
from adapters.municipal.case_system import CaseSystem
from adapters.municipal.desk import open_journal
from adapters.municipal.errors import NotificationRefused
from adapters.municipal.links import SCHEMA
from adapters.municipal.webhook import BODY_BYTES_MAX, PATH, RETRY_AFTER_S, Listening, read_notification
from adapters.sdk.logs import AdapterLog
from tests.municipal.around import HOOK, RSIN, configured, plan_of, writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.municipal.config import Config
    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange

WAIT_S = 30.0
TOLD = {
    "kanaal": "zaken",
    "hoofdObject": "PLACE/zaken/1",
    "resource": "zaak",
    "resourceUrl": "PLACE/zaken/1",
    "actie": "create",
    "aanmaakdatum": "2026-11-26T09:00:00Z",
    "kenmerken": {"bronorganisatie": RSIN},
}


def until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < ends, "it did not come to that in time"
        time.sleep(0.01)


def post(url: str, body: bytes, auth: str) -> tuple[int, str | None, bytes]:
    """Return status, Retry-After and what was said."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    line.request("POST", PATH, body, {"Authorization": auth, "Content-Type": "application/json"})
    found = line.getresponse()
    told = (found.status, found.getheader("Retry-After"), found.read())
    line.close()
    return told


class Hook:
    """The webhook alone, and what it wrote down."""

    def __init__(self, config: Config, opened: Callable[[Path], Journal] = open_journal) -> None:
        assert config.webhook is not None
        self.config, self.wake, self.lines = config, threading.Event(), io.StringIO()
        open_journal(config.journal).close()
        self.listening = Listening(
            config,
            config.webhook,
            CaseSystem(config).holds,
            log=AdapterLog(self.lines),
            now_ms=lambda: 1,
            wake=self.wake,
            opened=opened,
        )
        self.listening.start()

    def answer(self, body: bytes) -> tuple[int, str | None, bytes]:
        """Tell, and return status, Retry-After and what was said."""
        return post(self.listening.url, body, HOOK)

    def tell(self, body: bytes, auth: str = HOOK) -> int:
        return post(self.listening.url, body, auth)[0]

    def message(self, **changes: Any) -> bytes:  # noqa: ANN401 -- any part of a message
        told = json.dumps(TOLD | changes).replace("PLACE", self.config.zgw.zaken)
        return told.encode()

    def asked(self) -> list[str]:
        journal = open_journal(self.config.journal)
        try:
            return [one.subject for one in journal.waiting()]
        finally:
            journal.close()


@pytest.fixture
def hook(system: OpenZaak, tmp_path: Path) -> Iterator[Hook]:
    made = Hook(configured(tmp_path, system))
    yield made
    made.listening.close()


def test_what_was_told_stands_on_disk_before_the_answer(hook: Hook) -> None:
    assert hook.tell(hook.message()) == 204
    assert hook.tell(hook.message(actie="destroy")) == 204
    assert hook.asked() == [f"{hook.config.zgw.zaken}/zaken/1"]
    assert hook.wake.is_set()


def test_what_is_not_about_our_cases_asks_for_nothing(hook: Hook) -> None:
    assert hook.tell(hook.message(kanaal="besluiten")) == 204
    assert hook.tell(hook.message(kanaal="test")) == 204
    assert hook.tell(hook.message(hoofdObject="https://elsewhere.example/zaken/1")) == 204
    assert hook.tell(hook.message(hoofdObject="PLACE/zaken/\ud800")) == 204
    assert hook.asked() == []


def test_who_does_not_show_the_word_is_refused(hook: Hook) -> None:
    assert hook.tell(hook.message(), "") == 403
    assert hook.tell(hook.message(), f"{HOOK}x") == 403
    assert hook.asked() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is no JSON"),
        (b"[]", "the body is no object"),
        (b"[" * BODY_BYTES_MAX, "the body is no JSON"),
        (json.dumps({**TOLD, "hoofdObject": 7}).encode(), "hoofdObject is missing or no text"),
        (json.dumps({**TOLD, "actie": "drop"}).encode(), "actie is not a known one"),
    ],
)
def test_a_body_that_is_no_message_is_kept_with_its_reason(body: bytes, said: str, hook: Hook) -> None:
    assert hook.tell(body) == 400
    assert hook.tell(body) == 400
    kept = sorted(hook.config.rejected.iterdir())
    assert [file.suffix for file in kept] == [".sealed", ".txt"]
    assert kept[0].read_bytes() != body
    assert running.rejected(hook.config).read(kept[0].name) == body
    assert sha256(body).hexdigest()[:8] not in kept[0].name
    assert said in kept[1].read_text()
    assert "notification_rejected" in hook.lines.getvalue()
    with pytest.raises(NotificationRefused, match=said):
        read_notification(body)


def test_a_body_at_the_limit_is_read_and_one_beyond_is_not(hook: Hook) -> None:
    whole = hook.message()
    assert hook.tell(whole + b" " * (BODY_BYTES_MAX - len(whole))) == 204
    assert hook.tell(whole + b" " * (BODY_BYTES_MAX - len(whole) + 1)) == 413


# --- what cannot be kept -----------------------------------------------------------------------------------


class Failing(Journal):
    """A journal whose next write fails: before it is there, or after."""

    kept: ClassVar[bool] = False
    faults: ClassVar[list[sqlite3.Error]] = []

    def ask(self, kind: str, subject: str, now_ms: int, plan_id: str = "") -> None:
        if self.faults and not self.kept:
            raise self.faults.pop()
        super().ask(kind, subject, now_ms, plan_id)
        if self.faults:
            raise self.faults.pop()


@pytest.mark.parametrize("kept", [0, 1], ids=["failed and lost", "failed but kept"])
@pytest.mark.parametrize(
    "fault", [sqlite3.OperationalError("database or disk is full"), sqlite3.DatabaseError("?")]
)
def test_what_could_not_be_written_down_is_asked_for_again_and_is_one_thing_to_do(
    fault: sqlite3.Error, kept: int, system: OpenZaak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "kept", bool(kept))
    monkeypatch.setattr(Failing, "faults", [fault])
    hook = Hook(configured(tmp_path, system), lambda path: Failing(path, SCHEMA))
    try:
        status, wait, said = hook.answer(hook.message())
        assert (status, wait, json.loads(said)["code"]) == (503, str(RETRY_AFTER_S), "not_kept")
        assert not hook.wake.is_set()
        assert hook.asked() == [f"{hook.config.zgw.zaken}/zaken/1"] * kept
        assert '"event": "notification_not_kept"' in hook.lines.getvalue()
        # Whoever told it comes again.
        assert hook.tell(hook.message()) == 204
        assert hook.asked() == [f"{hook.config.zgw.zaken}/zaken/1"]
        assert hook.wake.is_set()
    finally:
        hook.listening.close()


def test_a_journal_that_cannot_be_opened_takes_nothing_until_it_can(system: OpenZaak, tmp_path: Path) -> None:
    faults: list[Exception] = [
        OSError(28, "no room"),
        sqlite3.OperationalError("unable to open database file"),
    ]

    def opened(path: Path) -> Journal:
        if faults:
            raise faults.pop()
        return open_journal(path)

    hook = Hook(configured(tmp_path, system), opened)
    try:
        assert [hook.tell(hook.message()) for _ in range(3)] == [503, 503, 204]
        assert len(hook.asked()) == 1
    finally:
        hook.listening.close()


def test_a_body_that_cannot_be_put_aside_is_not_refused_before_it_can(hook: Hook) -> None:
    # A file stands where the folder should: nobody writes there, whoever asks.
    hook.config.rejected.write_text("in the way")
    status, wait, said = hook.answer(b"{")
    assert (status, wait, json.loads(said)["code"]) == (503, str(RETRY_AFTER_S), "not_kept")
    assert b"Traceback" not in said
    assert '"event": "notification_not_kept"' in hook.lines.getvalue()
    hook.config.rejected.unlink()
    assert hook.tell(b"{") == 400
    assert len(list(hook.config.rejected.iterdir())) == 2
    # What could be written of it once is there once; the reason that fails leaves nothing half.
    (reason,) = hook.config.rejected.glob("*.reason.txt")
    reason.unlink()
    reason.mkdir()
    assert hook.tell(b"{") == 503
    reason.rmdir()
    assert hook.tell(b"{") == 400
    assert sorted(one.suffix for one in hook.config.rejected.iterdir()) == [".sealed", ".txt"]


def test_a_flood_of_bodies_is_refused_and_alarmed_and_the_oldest_stay(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected, "REJECTED_MAX", 2)
    assert [hook.tell(body) for body in (b"{1", b"{2", b"{3")] == [400, 400, 400]
    assert len(list(hook.config.rejected.iterdir())) == 4
    assert hook.lines.getvalue().count('"event": "notification_rejected"') == 2
    assert hook.lines.getvalue().count('"event": "notification_rejected_not_kept"') == 1


@contextmanager
def at_work(config: Config) -> Iterator[None]:
    stop = threading.Event()
    loop = threading.Thread(target=running.run, args=(config, AdapterLog(), stop))
    loop.start()
    try:
        yield
    finally:
        stop.set()
        loop.join(WAIT_S)
    assert not loop.is_alive()


def test_told_twice_and_out_of_order_it_is_one_report(
    exchange: Exchange, system: OpenZaak, town: Town, tmp_path: Path, seen: list[Seen]
) -> None:
    credentials = str(exchange.settings.data / "operator")
    # No sweep helps here: what is not told of is not seen.
    config = configured(tmp_path, system, target=exchange.target, credentials=credentials, sweep_s=86_400)
    with at_work(config):
        until(lambda: bool(system.notificaties.abonnementen.by_uuid))
        system.notificaties.delivery.twice = True
        system.notificaties.delivery.held = 1
        cases = [town.case(town.person(next(exchange.bsns))) for _ in range(3)]
        until(lambda: all(town.statuses(one) == ["Melding ontvangen"] for one in cases))
        # All its own changes were told back to it; then it is quiet, while its door is still open.
        until(lambda: is_quiet(config, system))
    assert len({plan_of(one) for one in cases}) == 3
    assert set(system.notificaties.told) == {204}
    kinds = [one.partition(" ")[2].rpartition("/")[2] for one in writes(seen)]
    assert kinds.count("statussen") == kinds.count("objects") == kinds.count("zaakobjecten") == 3
    (abonnement,) = system.notificaties.abonnementen.by_uuid.values()
    assert abonnement["auth"] == HOOK
    # At the next start it stands already.
    with at_work(config):
        pass
    assert len(system.notificaties.abonnementen.by_uuid) == 1


def is_quiet(config: Config, system: OpenZaak) -> bool:
    """Tell whether nothing waits, and nothing was on its way to the door that would make something wait."""
    told = len(system.notificaties.told)
    return not waiting(config) and system.notificaties.idle and len(system.notificaties.told) == told


def waiting(config: Config) -> bool:
    journal = open_journal(config.journal)
    try:
        return bool(journal.waiting())
    finally:
        journal.close()
