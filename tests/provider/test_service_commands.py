"""The commands: exit codes, what they print, and what they never print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from adapters import cli
from adapters.provider import running
from adapters.provider.config import load_config
from adapters.provider.errors import ConfigInvalid
from adapters.provider.journal import Journal
from adapters.provider.register import Register
from adapters.provider.xml import emit
from adapters.sdk.bsn import Bsn
from adapters.sdk.logs import AdapterLog
from exchange.errors import AccessDenied
from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse
from tests.provider.around import BAD_BSN, sent
from tests.provider.builders import BSN, SURNAME, message, put
from tests.provider.door import KEYS, PLAN_ID, Door, command, drop
from tests.provider.papers import PERSON, SETTINGS, written
from tests.provider.world import MUNICIPALITY_OIN
from tests.sdk.exchange_fake import FakeExchange, refuse

if TYPE_CHECKING:
    from pathlib import Path


def test_a_person_is_registered_with_their_plan(
    exchange: FakeExchange,
    municipal: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    door = Door(exchange, stays=False)
    exchange.on("EvaluateBlinded", _evaluated_for_municipality)
    file = municipal.with_name("person.json")
    file.write_text(json.dumps(PERSON))
    assert command(monkeypatch, "register", "--config", str(municipal), "--file", str(file)) == 0
    journal = Journal(load_config(municipal).journal)
    pseudonym = Register(journal).pseudonym(Bsn(BSN))
    rows = journal.connection.execute("SELECT plan_id, pseudonym FROM plans").fetchall()
    journal.close()
    assert rows == [(PLAN_ID, pseudonym)]
    exchange.on("FindCase", lambda _request, context: refuse(context, AccessDenied("no", rules=("R03",))))
    assert command(monkeypatch, "register", "--config", str(municipal), "--file", str(file)) == 0
    out = capsys.readouterr()
    assert out.out == ""
    assert "no case of this adapter" in out.err
    assert BSN not in out.err
    assert door.claimed("FindCase") == door.claimed("EvaluateBlinded") == {"WMO-2.3.2"}


def _evaluated_for_municipality(request: Any, _context: object) -> EvaluateBlindedResponse:  # noqa: ANN401 -- protobuf
    answer = KEYS.evaluate_batch(MUNICIPALITY_OIN, list(request.blinded_elements))
    key = KEYS.public_key(MUNICIPALITY_OIN)
    return EvaluateBlindedResponse(evaluated_elements=answer.elements, proof=answer.proof, public_key=key)


def test_a_provider_registers_nobody(settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON))
    words = ("register", "--config", str(settings), "--file", str(file))
    assert command(monkeypatch, *words) == cli.EXIT_WRONG_CALL
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        cli._bytes(tmp_path / "none.json", 10)


def test_status_tells_what_waits_for_a_person(
    exchange: FakeExchange,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("status", "--config", str(settings), "-o", "json")
    assert command(monkeypatch, *words) == cli.EXIT_WRONG_CALL
    Door(exchange, stays=False)
    drop(settings)
    running.once(load_config(settings), AdapterLog())
    capsys.readouterr()
    assert command(monkeypatch, *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["well"], found["side"], found["followed_to"]) == (True, "provider", 9)
    journal = Journal(load_config(settings).journal)
    journal.connection.execute("UPDATE outbox SET state = 'parked'")
    journal.close()
    assert command(monkeypatch, *words[:-2]) == cli.EXIT_NOT_SO
    out = capsys.readouterr().out
    assert "messages_parked: 1\n  WMO302-" in out
    assert BSN not in out


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (emit(sent()), (0, "supports.assignment_number")),
        (emit(put(sent(), "Client/Bsn", BAD_BSN)), (cli.EXIT_NOT_SO, "CS002")),
        (emit(sent())[:-100], (cli.EXIT_NOT_SO, "Refused")),
        (emit(message("305")), (0, "care_start_date")),
    ],
)
def test_explain_says_what_would_become_of_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    expected: tuple[int, str],
) -> None:
    code, says = expected
    file = tmp_path / "a.xml"
    file.write_bytes(content)
    assert command(monkeypatch, "explain", str(file)) == code
    out = capsys.readouterr().out
    assert says in out
    for secret in (BSN, BAD_BSN, SURNAME):
        assert secret not in out


def test_a_request_is_sent_by_hand_and_another_side_may_not(
    exchange: FakeExchange,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Door(exchange, stays=False)
    file = settings.with_name("ask.xml")
    file.write_bytes(emit(message("315")))
    words = ("send", "--config", str(settings), str(file))
    assert command(monkeypatch, *words) == 0
    assert command(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    assert out == "WMO315-A1.xml\n" * 2
    assert command(monkeypatch, "status", "--config", str(settings)) == 0
    assert "requests_under_way: 2\n  1 WMO315 of" in capsys.readouterr().out
    file.write_bytes(emit(put(message("317"), "Client/Bsn", BAD_BSN)))
    assert command(monkeypatch, *words) == cli.EXIT_NOT_SO
    told = capsys.readouterr().err
    assert "CS002" in told
    assert BAD_BSN not in told
    answering = ("answer", "--config", str(settings), "--request", "1", "--outcome", "2")
    assert command(monkeypatch, *answering) == cli.EXIT_WRONG_CALL


def test_a_request_is_answered_by_its_number(
    exchange: FakeExchange,
    municipal: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Door(exchange, stays=False)
    config = load_config(municipal)
    config.inbox.mkdir()
    (config.inbox / "a.xml").write_bytes(emit(message("315")))
    running.once(config, AdapterLog())
    assert command(monkeypatch, "status", "--config", str(municipal)) == cli.EXIT_NOT_SO
    assert "requests_to_answer: 2" in capsys.readouterr().out
    words = ("answer", "--config", str(municipal), "--request")
    assert command(monkeypatch, *words, "9", "--outcome", "2") == cli.EXIT_WRONG_CALL
    assert command(monkeypatch, *words, "1", "--outcome", "7") == cli.EXIT_WRONG_CALL
    assert command(monkeypatch, *words, "1", "--outcome", "1") == cli.EXIT_NOT_SO
    assert "CD085" in capsys.readouterr().err
    assert command(monkeypatch, *words, "1", "--outcome", "1", "--reason", "3") == 0
    assert command(monkeypatch, *words, "2", "--outcome", "2") == 0
    out = capsys.readouterr().out
    assert out.count("WMO319-") == 2
    assert command(monkeypatch, "status", "--config", str(municipal)) == 0
    file = municipal.with_name("ask.xml")
    file.write_bytes(emit(message("315")))
    assert command(monkeypatch, "send", "--config", str(municipal), str(file)) == cli.EXIT_WRONG_CALL


def test_wrong_calls_are_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "explain", str(tmp_path / "none.xml")) == cli.EXIT_WRONG_CALL
    assert command(monkeypatch, "run", "--config", str(tmp_path / "none.toml")) == cli.EXIT_WRONG_CALL
    assert command(monkeypatch, "run") == cli.EXIT_WRONG_CALL
    assert command(monkeypatch, "fly") == cli.EXIT_WRONG_CALL
    # No credentials where the settings say they are.
    file = written(tmp_path, SETTINGS)
    assert command(monkeypatch, "run", "--config", str(file)) == cli.EXIT_WRONG_CALL
    assert "Traceback" not in capsys.readouterr().err
