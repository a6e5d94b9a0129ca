"""What a person calls: `explain`, `status`, `register`, and settings that are not what they should be."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from adapters import cli
from adapters.municipal import exchange_port, running
from adapters.municipal.config import Law, load_config
from adapters.municipal.desk import open_journal
from adapters.municipal.errors import AlreadyRunning, ConfigInvalid
from adapters.municipal.exchange_port import CLAIMS
from adapters.municipal.service import alone_at
from adapters.sdk.errors import Unavailable
from adapters.sdk.logs import AdapterLog
from exchange.gate.register import Register
from exchange.server.contract.names import enum_names
from exchange.v1.common_pb2 import Purpose
from tests.municipal.around import WORDS, plan_of, settings, written
from tests.server.town import made_up_bsns

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["exchange-adapter", "municipal", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_claims_stand_in_the_register_for_that_recipient() -> None:
    names = enum_names(Purpose.DESCRIPTOR)
    for law, recipient in ((Law.WMO, "college:WMO"), (Law.JW, "college:JW")):
        basis = Register.load().find(CLAIMS[law].legal_basis, datetime(2026, 11, 26, tzinfo=UTC))
        assert basis is not None
        assert names.stored(CLAIMS[law].purpose) in basis.purposes
        assert recipient in basis.recipients
        assert basis.bsn_allowed


def test_a_case_is_explained_without_asking_anybody(
    system: OpenZaak,
    town: Town,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "case.json"
    config = written(tmp_path, settings(system))
    zaak = town.case()
    file.write_text(json.dumps(zaak))
    assert command(monkeypatch, "explain", "--config", str(config), str(file)) == 0
    said = capsys.readouterr().out
    assert "basis: WMO-2.3.2" in said
    assert WORDS not in said
    file.write_text(json.dumps(zaak | {"kenmerken": [{"kenmerk": "p", "bron": "exchange"}]}))
    assert command(monkeypatch, "explain", "--config", str(config), str(file)) == 0
    assert capsys.readouterr().out.startswith("linked")
    file.write_text(json.dumps(zaak | {"einddatum": "2026-11-01"}))
    assert command(monkeypatch, "explain", "--config", str(config), str(file)) == 0
    assert capsys.readouterr().out.startswith("nothing")
    file.write_text(json.dumps(zaak | {"toelichting": "", "omschrijving": ""}))
    assert command(monkeypatch, "explain", "--config", str(config), str(file)) == 1
    assert "case_without_words" in capsys.readouterr().out
    for bad in ("{}", "[]", "{"):
        file.write_text(bad)
        assert command(monkeypatch, "explain", "--config", str(config), str(file)) == cli.EXIT_WRONG_CALL


@pytest.fixture
def real(exchange: Exchange, system: OpenZaak) -> dict[str, Any]:
    return settings(system, exchange.target, credentials=str(exchange.settings.data / "operator"))


def test_one_pass_and_what_waits_after_it(
    real: dict[str, Any],
    town: Town,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = written(tmp_path, real)
    assert command(monkeypatch, "status", "--config", str(config)) == cli.EXIT_WRONG_CALL
    capsys.readouterr()
    bsns = made_up_bsns()
    bsn = town.person(next(bsns))
    zaak = town.case(bsn)
    bad = town.case(next(bsns))
    running.once(load_config(config), AdapterLog())
    assert plan_of(zaak)
    assert bad["kenmerken"] == []
    assert command(monkeypatch, "status", "--config", str(config), "--json") == 1
    said = capsys.readouterr().out
    found = json.loads(said)
    assert (found["cases_linked"], found["files_rejected"], found["well"]) == (1, 1, False)
    assert found["errands_parked"] == [f"zaak {bad['url']} person_not_in_brp"]
    assert bsn not in said
    person = tmp_path / "person.json"
    person.write_text(json.dumps({"bsn": bsn}))
    assert command(monkeypatch, "register", "--config", str(config), "--file", str(person)) == 0
    for wrong in ({"bsn": "123456789"}, {"bsn": bsn, "name": "x"}, {"bsn": 7}):
        person.write_text(json.dumps(wrong))
        assert command(monkeypatch, "register", "--config", str(config), "--file", str(person)) == (
            cli.EXIT_WRONG_CALL
        )
    captured = capsys.readouterr()
    assert bsn not in captured.out + captured.err


def test_a_catalogue_without_what_the_settings_name_is_told_of(
    real: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real["zaaktype"]["agreed"] = "Akkoordje"
    running.once(load_config(written(tmp_path, real)), AdapterLog())
    assert "zaaktype.agreed" in capsys.readouterr().err


def test_a_second_adapter_on_the_same_state_is_refused(system: OpenZaak, tmp_path: Path) -> None:
    config = load_config(written(tmp_path, settings(system)))
    with alone_at(config), pytest.raises(AlreadyRunning):  # noqa: SIM117 -- the second within the first
        with alone_at(config):
            pass


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "unknown settings: colour"),
    ({"law": "bijstand"}, "law is one of wmo, jw"),
    ({"target": "nowhere"}, "target has not the shape"),
    ({"poll_ms": 9}, "poll_ms lies between"),
    ({"poll_ms": True}, "poll_ms is not a int"),
    ({"sweep_s": 0}, "sweep_s lies between"),
    ({"brp": {"url": "http://brp.example", "key_file": "brp-key"}}, "brp.url: an address outside"),
    ({"brp": {"url": "https://brp.example", "key_file": "absent"}}, "brp.key_file names no file"),
    ({"webhook": {"auth_file": "hook-auth", "port": 70_000}}, "webhook.port lies between"),
    ({"webhook": {"auth_file": "hook-auth", "host": "x"}}, "unknown settings: webhook.host"),
    ({"person": {"task": "college:WMO"}}, "person.professional is missing"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[said for _, said in CHANGES])
def test_settings_that_are_wrong_are_refused_by_name(
    change: dict[str, Any], said: str, system: OpenZaak, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        load_config(written(tmp_path, settings(system) | change))


def test_settings_at_their_limits_are_taken(system: OpenZaak, tmp_path: Path) -> None:
    limits = {"poll_ms": 10, "sweep_s": 1, "timeout_s": 120}
    made = load_config(written(tmp_path, settings(system) | limits))
    assert (made.poll_ms, made.sweep_s, made.timeout_s) == (10, 1, 120)
    # No secret shows itself.
    assert "a-secret" not in repr(made)


def test_what_the_exchange_cannot_hear_waits_and_the_rest_goes_on(
    system: OpenZaak, exchange: Exchange, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = settings(system, "localhost:1", credentials=str(exchange.settings.data / "operator"))
    config = load_config(written(tmp_path, told))
    town.case(town.person(next(exchange.bsns)))
    monkeypatch.setattr(exchange_port, "CATCHING_UP_GIVE_UP_S", 0.0)
    with pytest.raises(Unavailable):
        running.once(config, AdapterLog())
    journal = open_journal(config.journal)
    try:
        (errand,) = journal.waiting()
    finally:
        journal.close()
    assert errand.reason.startswith("exchange ")
