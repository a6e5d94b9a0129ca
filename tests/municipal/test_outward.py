"""Calls to the outside, and the journal: limits, on both sides of each line."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import jwt
import pytest

from adapters.kit.journal import PARK_AFTER_MS, RETRY_LONGEST_MS, Journal, wait_before_retry_ms
from adapters.kit.outward import (
    RETRY_AFTER_S_MAX,
    NotNow,
    Outward,
    Refused,
    Unexpected,
    require_safe,
    retry_after_s,
)
from adapters.municipal.case_system import TOKEN_EARLY_S, TOKEN_LIFE_S, zgw_token
from adapters.simulators.open_zaak.access import CLIENT, SECRET
from adapters.simulators.open_zaak.faults import Fault, Kind
from adapters.simulators.open_zaak.zaken import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak, Seen


DROPS = 99  # a hundred headers are more than http.client takes


@pytest.fixture
def ended() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def zgw(system: OpenZaak, secret: str = SECRET, now: float | None = None, timeout_s: float = 30.0) -> Outward:
    moment = datetime.now(UTC).timestamp() if now is None else now
    return Outward(
        "zaken",
        system.url + ROOT,
        lambda: {"Authorization": f"Bearer {zgw_token(CLIENT, secret, moment)}"},
        timeout_s=timeout_s,
    )


@pytest.mark.parametrize("base", ["https://zaken.example/api", "http://localhost:8000", "http://127.0.0.1/x"])
def test_an_address_is_safe(base: str) -> None:
    require_safe(base)
    assert Outward("x", base, dict).holds(f"{base}/zaken/1")


@pytest.mark.parametrize(
    "base",
    [
        "http://zaken.example",
        "ftp://zaken.example",
        "https://",
        "https://a@zaken.example",
        "https://z.example?x=1",
        "http://127.0.0.1.elsewhere.example",
    ],
)
def test_an_address_in_the_clear_or_with_more_in_it_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="address"):
        require_safe(base)


def test_nothing_goes_to_another_address_than_ours(system: OpenZaak, seen: list[Seen]) -> None:
    api = zgw(system)
    for url in (
        "https://elsewhere.example/zaken/1",
        f"{system.url}{ROOT}x/zaken",
        f"{api.base}/../brp",
        f"{api.base}/zaken/é",
    ):
        with pytest.raises(Unexpected, match="url_of_another_system"):
            api.ask("GET", url)
    assert seen == []


def test_a_token_says_who_and_is_soon_over() -> None:
    told = jwt.decode(
        zgw_token(CLIENT, SECRET, 1_000_000.5),
        SECRET,
        ["HS256"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert {"iss", "iat", "client_id"} <= told.keys()
    assert told["iat"] == 1_000_000 - TOKEN_EARLY_S
    assert told["exp"] - told["iat"] == TOKEN_LIFE_S


@pytest.mark.parametrize(
    ("ahead_s", "taken"),
    [
        (0, True),
        (TOKEN_EARLY_S - 5, True),
        (TOKEN_EARLY_S + 5, False),
        (TOKEN_EARLY_S + 5 - TOKEN_LIFE_S, True),
        (TOKEN_EARLY_S - 5 - TOKEN_LIFE_S, False),
    ],
)
def test_clocks_may_differ_by_half_a_minute(ahead_s: int, system: OpenZaak, *, taken: bool) -> None:
    api = zgw(system, now=datetime.now(UTC).timestamp() + ahead_s)
    query = "/zaken?bronorganisatie=000000000"
    if taken:
        assert api.ask("GET", query).content["count"] == 0
    else:
        with pytest.raises(Refused, match="403 jwt-"):
            api.ask("GET", query)


def test_a_wrong_secret_is_refused(system: OpenZaak) -> None:
    with pytest.raises(Refused, match="403 jwt-verification-failed") as refused:
        zgw(system, secret="x" * 32).ask("GET", "/zaken")
    assert refused.value.status == 403


def test_what_a_refusal_says_holds_no_value(system: OpenZaak) -> None:
    with pytest.raises(Refused) as refused:
        zgw(system).ask(
            "POST",
            "/zaken",
            {
                "bronorganisatie": "111222333",
                "verantwoordelijkeOrganisatie": "111222333",
                "zaaktype": "https://zaken.example/t",
                "startdatum": "2026-11-01",
            },
            headers={"Content-Crs": "EPSG:4326"},
        )
    assert refused.value.params == (("zaaktype", "bad-url"),)
    assert str(refused.value) == "zaken: 400 invalid zaaktype bad-url"


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.LOSE])
def test_an_answer_that_is_cut_off_is_no_answer(kind: Kind, system: OpenZaak) -> None:
    system.faults.order(Fault(kind))
    with pytest.raises(NotNow):
        zgw(system).ask("GET", "/zaken")


def test_an_answer_that_does_not_come_is_given_up(system: OpenZaak) -> None:
    system.faults.order(Fault(Kind.DELAY, delay_s=1.0))
    with pytest.raises(NotNow, match="TimeoutError"):
        zgw(system, timeout_s=0.2).ask("GET", "/zaken")


@contextmanager
def answering(pieces: Iterable[bytes]) -> Iterator[str]:
    """Be a system that takes one call and answers it with these bytes, as they come."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            line, _ = listening.accept()
            with line, suppress(OSError):
                line.recv(64 * 1024)
                for piece in pieces:
                    line.sendall(piece)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread.join()


@pytest.mark.parametrize(
    ("whole", "drop", "scheme"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" ", "http"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", "http"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", "http"),
        (b"", b"H", "http"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", "http"),
        # The begin of a handshake of 16 KiB, which nobody waits for either.
        (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"x", "https"),
    ],
    ids=["body", "header", "headers", "status", "continue", "handshake"],
)
def test_an_answer_that_comes_by_drops_is_given_up(
    whole: bytes, drop: bytes, scheme: str, ended: threading.Event
) -> None:
    def drops() -> Iterator[bytes]:
        yield whole
        for _ in range(DROPS):
            if ended.wait(0.01):
                return
            yield drop

    with answering(drops()) as base:
        with pytest.raises(NotNow, match=r"^x: TimeoutError$"):
            Outward("x", base.replace("http", scheme, 1), dict, timeout_s=0.2).ask("GET", "/zaken")
        ended.set()


def test_a_slow_answer_within_the_limit_is_an_answer() -> None:
    told = b"HTTP/1.1 200 OK\r\nX-Slow: 1\r\nContent-Length: 2\r\n\r\n{}"
    with answering(told[at : at + 1] for at in range(len(told))) as base:
        assert Outward("x", base, dict, timeout_s=20.0).ask("GET", "/zaken").content == {}


@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
def test_an_answer_has_a_limit(more: int, monkeypatch: pytest.MonkeyPatch, *, refused: bool) -> None:
    monkeypatch.setattr("adapters.kit.outward.ANSWER_BYTES_MAX", 100)
    body = b'"' + b"x" * (98 + more) + b'"'
    with answering([f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body]) as base:
        if refused:
            with pytest.raises(Unexpected, match="answer_too_large"):
                Outward("x", base, dict).ask("GET", "/zaken")
        else:
            assert len(Outward("x", base, dict).ask("GET", "/zaken").content) == 98


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"toelichting": "\\ud800"}', b"{"])
def test_an_answer_nobody_can_take_is_refused(body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with answering([head, body]) as base, pytest.raises(Unexpected, match="answer_is_no_json"):
        Outward("x", base, dict).ask("GET", "/zaken")


def test_a_refusal_nobody_can_read_is_a_refusal() -> None:
    with (
        answering([b"HTTP/1.1 400 x\r\nContent-Length: 100000\r\n\r\n", b"[" * 100_000]) as base,
        pytest.raises(Refused, match="400 no_problem_document"),
    ):
        Outward("x", base, dict).ask("GET", "/zaken")


def test_a_wait_is_read_in_seconds_and_as_a_date() -> None:
    assert retry_after_s("7") == 7
    assert retry_after_s(str(10**6)) == RETRY_AFTER_S_MAX
    soon = datetime.now(UTC) + timedelta(seconds=60)
    assert 55 <= retry_after_s(format_datetime(soon, usegmt=True)) <= 61
    assert retry_after_s(format_datetime(soon - timedelta(hours=1), usegmt=True)) == 0
    assert [retry_after_s(text) for text in ("", "soon", "-5")] == [0, 0, 0]
    # By the clock of who asks it, whatever ours says.
    theirs = datetime(2001, 1, 1, tzinfo=UTC)
    later = format_datetime(theirs + timedelta(seconds=90), usegmt=True)
    assert retry_after_s(later, format_datetime(theirs, usegmt=True)) == 91
    assert [retry_after_s(later, date) for date in ("", "soon")] == [0, 0]
    # More digits than a number may have, and than a year may have.
    assert retry_after_s("9" * 5_000) == 0
    assert retry_after_s("Mon, 01 Jan 99999999999 00:00:00 GMT") == 0


# --- the journal --------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def test_waits_double_up_to_an_hour() -> None:
    assert [wait_before_retry_ms(number, 0.0) for number in (1, 2, 3)] == [1_000, 2_000, 4_000]
    assert wait_before_retry_ms(99, 0.0) == RETRY_LONGEST_MS
    assert wait_before_retry_ms(2, 0.99) > 1_000
    for attempt, jitter in ((0, 0.0), (1, 1.0), (1, -0.1)):
        with pytest.raises(ValueError, match="attempt"):
            wait_before_retry_ms(attempt, jitter)


def test_what_waits_for_a_day_is_parked_and_not_before(journal: Journal) -> None:
    journal.ask("zaak", "u", 0)
    (errand,) = journal.due(0)
    assert not journal.later(errand, "away", PARK_AFTER_MS - 1, 1)
    assert journal.due(PARK_AFTER_MS - 1) == ()
    (errand,) = journal.due(PARK_AFTER_MS)
    assert journal.later(errand, "away", PARK_AFTER_MS, 1)
    assert [one.reason for one in journal.parked()] == ["away"]
    journal.ask_unless_known("zaak", "u", PARK_AFTER_MS)
    assert journal.waiting() == ()
    journal.ask("zaak", "u", PARK_AFTER_MS)
    assert len(journal.waiting()) == 1
    assert journal.parked() == ()


def test_what_is_asked_again_while_it_is_done_is_done_again(journal: Journal) -> None:
    journal.ask("plan", "p", 0)
    (errand,) = journal.due(0)
    journal.ask("plan", "p", 1)
    journal.done(errand)
    (again,) = journal.due(1)
    # An old look neither parks nor puts off what was asked since.
    assert not journal.park(errand, "old")
    # Nor is anybody told that it is set apart.
    assert not journal.later(errand, "old", PARK_AFTER_MS, 1_000)
    assert journal.due(2) == (again,)
    journal.done(again)
    assert journal.waiting() == ()


def test_a_plan_is_stopped_and_let_go_on_for_its_own_reason(journal: Journal) -> None:
    journal.ask("plan", "p", 0, "p")
    journal.ask("gezag", "p", 0, "p")
    journal.ask("plan", "q", 0, "q")
    assert journal.park_plan("p", "restricted") == 2
    assert [one.subject for one in journal.waiting()] == ["q"]
    journal.revive_plan("p", "another", 5)
    assert len(journal.parked()) == 2
    journal.revive_plan("p", "restricted", 5)
    assert len(journal.due(5)) == 3
    journal.forget_plan("p")
    assert [one.subject for one in journal.waiting()] == ["q"]


def test_request_ids_hold_over_restarts_and_are_chance_to_others(tmp_path: Path) -> None:
    made = []
    for name in ("a", "a", "b"):
        one = Journal(tmp_path / name)
        made.append(one.request_id("report u"))
        one.close()
    assert made[0] == made[1] != made[2]
