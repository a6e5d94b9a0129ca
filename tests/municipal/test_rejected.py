"""What was refused is sealed, goes with its time or with whoever it is about, and a person can read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from adapters.cli import app
from adapters.kit.numbers import mentions
from adapters.kit.put_aside import TIDY_EVERY_MS
from adapters.municipal.errors import ConfigInvalid
from adapters.municipal.limits import LOOK_EVERY_MS
from adapters.municipal.rejected import Rejected
from adapters.sdk.bsn import Bsn
from adapters.sdk.purges import PurgeAsked
from tests.municipal.around import Adapter, configured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak
    from tests.municipal.around import Clock

BSN, OTHER = "999993653", "999990019"
PLAN, ZAAK = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001", "https://zaken.example/zaken/1"


class Exchange:
    """The lists it keeps for a recipient: one erasure, when there is one."""

    def __init__(self) -> None:
        self.waiting: list[PurgeAsked] = []
        self.answers: list[tuple[str, bool]] = []

    @property
    def restrictions(self) -> Exchange:
        return self

    purges = restrictions

    def told(self) -> tuple[()]:
        return ()

    def asked(self) -> tuple[PurgeAsked, ...]:
        return tuple(self.waiting)

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        self.waiting = [one for one in self.waiting if one.erasure_id != erasure_id]
        self.answers.append((erasure_id, erased))


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def adapter(exchange: Exchange, system: OpenZaak, clock: Clock, tmp_path: Path) -> Iterator[Adapter]:
    config = configured(tmp_path, system)
    made = Adapter(config, exchange, clock)  # type: ignore[arg-type] # the part that is asked here
    made.service._next_sweep_ms = 2**62
    yield made
    made.close()


@pytest.fixture
def door(adapter: Adapter) -> Rejected:
    """As the webhook has one, in its own thread."""
    clock, desk = adapter.clock, adapter.service.desk
    return Rejected(adapter.config, desk.log, lambda: int(clock.now().timestamp() * 1_000))


def names(adapter: Adapter) -> list[str]:
    return sorted(path.name for path in adapter.config.rejected.iterdir())


def test_a_body_is_sealed_and_a_person_reads_it(adapter: Adapter, door: Rejected, tmp_path: Path) -> None:
    raw = f'{{"bsn": "{BSN}"}}'.encode()
    settings = str(tmp_path / "adapter.toml")
    run = CliRunner().invoke
    # Nothing was ever kept: there is no key, and none is made to look.
    assert isinstance(run(app, ["municipal", "rejected", "--config", settings]).exception, ConfigInvalid)
    assert not adapter.config.seal_key.exists()
    assert door.keep_body(raw, "NOTIFICATION_REFUSED: kanaal is missing or no text")
    assert door.keep_body(raw, "NOTIFICATION_REFUSED: kanaal is missing or no text")
    sealed, reason = names(adapter)
    assert reason == f"{sealed}.reason.txt"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if mentions(path.read_bytes(), BSN)] == []
    listed = run(app, ["municipal", "rejected", "--config", settings]).stdout
    assert listed.startswith(sealed)
    assert listed.endswith("NOTIFICATION_REFUSED: kanaal is missing or no text\n")
    assert run(app, ["municipal", "rejected", "--config", settings, sealed]).stdout == raw.decode()
    for name in ("absent.sealed", reason, "../state/seal.key"):
        assert isinstance(
            run(app, ["municipal", "rejected", "--config", settings, name]).exception, ConfigInvalid
        )
    adapter.config.seal_key.write_bytes(b"o" * 32)
    refused = run(app, ["municipal", "rejected", "--config", settings, sealed])
    assert isinstance(refused.exception, ConfigInvalid)


def test_what_the_door_is_keeping_while_the_loop_begins_is_kept(
    adapter: Adapter, door: Rejected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill left half written goes at the start; what another thread is writing is not that."""
    stamped = os.utime

    def begins(*told: Any, **more: Any) -> None:  # noqa: ANN401 -- as it is told
        monkeypatch.undo()
        adapter.work(1)
        stamped(*told, **more)

    monkeypatch.setattr(os, "utime", begins)
    assert door.keep_body(b"{", "why")
    assert [one.name for one in door.kept.listed()] == [names(adapter)[0]]


def test_what_was_refused_goes_with_its_time(adapter: Adapter, door: Rejected) -> None:
    door.keep_body(b"{", "why")
    adapter.service.desk.ask("zaak", "https://elsewhere.example/zaken/1")
    adapter.work(1)
    assert len(names(adapter)) == 4
    # The clock goes on by itself meanwhile: an hour before the line, and an hour behind it.
    adapter.clock.pass_by(days=30, milliseconds=-TIDY_EVERY_MS)
    adapter.work(1)
    assert len(names(adapter)) == 4
    adapter.clock.pass_by(milliseconds=2 * TIDY_EVERY_MS)
    adapter.work(1)
    assert (names(adapter), adapter.events.count("rejected_expired")) == ([], 1)


def test_who_is_erased_takes_along_what_was_refused(
    adapter: Adapter, door: Rejected, exchange: Exchange
) -> None:
    links = adapter.service.desk.links
    links.know("ab" * 32, Bsn(BSN), PLAN, "case-1")
    links.link(ZAAK, PLAN, "case-1", "ab" * 32)
    for body in (f"bsn {BSN}", BSN[:4] + "." + BSN[4:6] + "." + BSN[6:], f'{{"hoofdObject": "{ZAAK}"}}'):
        door.keep_body(body.encode(), "why")
    door.keep("zaak-1", f"{ZAAK}\n".encode(), "case_without_words")
    door.keep_body(OTHER.encode(), "why")
    adapter.work(1)
    exchange.waiting.append(PurgeAsked("e-1", (PLAN,)))
    adapter.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    adapter.work(1)
    (left,) = door.kept.listed()
    assert door.kept.read(left.name) == OTHER.encode()
    assert (exchange.answers, adapter.events.count("rejected_erased")) == ([("e-1", True)], 1)


def test_what_cannot_be_taken_away_is_not_erased_and_is_asked_for_again(
    adapter: Adapter, door: Rejected, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter.service.desk.links.know("ab" * 32, Bsn(BSN), PLAN, "case-1")
    door.keep_body(BSN.encode(), "why")
    # The second is of nobody here: the first does not hold it up.
    exchange.waiting += [PurgeAsked("e-1", (PLAN,)), PurgeAsked("e-2", ("plan-9",))]

    def fails(*_asked: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("adapters.kit.put_aside.erase", fails)
        adapter.work(1)
    assert (exchange.answers, "purge_failed" in adapter.events) == ([("e-2", False)], True)
    assert adapter.service.desk.links.holds(PLAN)
    adapter.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    adapter.work(1)
    assert (exchange.answers[1:], names(adapter)) == ([("e-1", True)], [])


def test_what_lies_there_in_the_clear_is_sealed_at_the_start(adapter: Adapter, door: Rejected) -> None:
    folder = adapter.config.rejected
    folder.mkdir(exist_ok=True)
    moment = adapter.clock.now().timestamp() - 29 * 24 * 3_600
    for name, text in (
        ("notification-1f.json", BSN),
        ("notification-1f.json.reason.txt", "why\n"),
        ("zaak-1", ZAAK),
        ("zaak-1.reason.txt", "case_without_words\n"),
    ):
        (folder / name).write_text(text)
        os.utime(folder / name, (moment, moment))
    adapter.work(1)
    told = [(one.name, one.reason) for one in door.kept.listed()]
    assert told == [("notification-1f.sealed", "why"), ("zaak-1.sealed", "case_without_words")]
    assert door.kept.read("notification-1f.sealed") == BSN.encode()
    assert not [path for path in folder.iterdir() if mentions(path.read_bytes(), BSN)]
    # Its time goes on from when it was refused.
    adapter.clock.pass_by(days=1, seconds=1)
    adapter.work(1)
    assert names(adapter) == []
