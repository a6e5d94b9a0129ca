"""The whole chain: a real exchange, the simulator over HTTPS, and the adapter as its command.

The gate's no is heard before anything leaves: the simulator says so, and the ledger of decisions does.
"""

from __future__ import annotations

import json
import sys
import time
import tomllib
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from adapters import cli
from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.logs import AdapterLog
from adapters.simulators.suwinet.__main__ import main
from adapters.simulators.suwinet.people import body
from adapters.simulators.suwinet.server import Fault, Response, Simulator
from adapters.work_income import running
from adapters.work_income.config import load_config
from adapters.work_income.errors import AlreadyRunning
from adapters.work_income.services import INCOME, SERVICES
from adapters.work_income.suwinet_port import HttpsSuwinet, load_line
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.e2e.service import AUDIT, CITY, Case, Service
from tests.work_income.papers import BSN, SUWI_OIN, write_line
from tests.work_income.settings import SETTINGS, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.simulators.suwinet.papers import Authority, Paper

PROFESSIONAL = "suwinet-1"
PRINTED_LINES = 8
WAIT_S = 60.0
LIMIT = claim(pb.PURPOSE_WMO_ONDERZOEK, "LIMIT-18")
WHO = claim(pb.PURPOSE_INZAGE, "TOLD-19")
ASK = claim(pb.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT")
ANSWER = claim(pb.PURPOSE_INZAGE, "RIGHTS-12")
WHO_FIELDS = [f"recipients.{name}" for name in ("change", "answer", "task")]
DECIDED = ("decision_id", "task", "purpose", "legal_basis", "outcome", "rules")
DECISION_FIELDS = [f"decisions.disclosure.{name}" for name in DECIDED]
RIGHT = claim(pb.PURPOSE_PW_RECHT_VASTSTELLEN, "PW-7", "nodig om het recht vast te stellen")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("exchange") / "data")
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def settings(
    service: Service, simulator: Simulator, authority: Authority, city: Paper, tmp_path: Path
) -> Path:
    write_line(tmp_path / "suwinet", authority, city)
    told = SETTINGS | {
        "target": service.target,
        "credentials": str(service.data / "operator"),
        "person": {"professional": PROFESSIONAL, "task": "college:PW"},
        "suwinet": {
            "credentials": "suwinet",
            "oin": SUWI_OIN,
            "endpoints": {name: simulator.endpoint(name) for name in SERVICES},
        },
    }
    return written(tmp_path, told)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["exchange-adapter", "work-income", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def order(settings: Path, bsn: str, purpose: str, **more: Any) -> None:  # noqa: ANN401 -- keys of an order
    inbox = load_config(settings).inbox
    inbox.mkdir(exist_ok=True)
    told = {"bsn": bsn, "purpose": purpose, "necessity": "Nodig voor de aanvraag", **more}
    (inbox / "order.json").write_text(json.dumps(told))


def once(monkeypatch: pytest.MonkeyPatch, settings: Path) -> int:
    return command(monkeypatch, "once", "--config", str(settings))


def decisions(service: Service) -> list[Any]:
    """Every decision about this desk, as the privacy officer reads them, oldest first."""
    officer, found, token = service.worker("fg", "fg-1"), [], ""
    while True:
        page = officer.audit.list_decisions(
            claim=AUDIT, fields=DECISION_FIELDS, page_size=200, page_token=token
        )
        found += [one.disclosure for one in page.decisions if one.disclosure.task == "college:PW"]
        token = page.next_page_token
        if not token:
            return found


def on_suwi(found: list[Any]) -> list[tuple[str, int]]:
    """Those on the basis that Suwinet rests on: outcome and purpose."""
    return [(one.outcome, one.purpose) for one in found if one.legal_basis.partition("@")[0] == "SUWI-62"]


def recorded_at_each_question(
    service: Service, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> list[list[tuple[str, int]]]:
    """What was on record about this desk, on the basis of Suwinet, when each question came in."""
    decided, answered = len(decisions(service)), simulator.answer
    on_record: list[list[tuple[str, int]]] = []

    def answer(path: str, data: bytes) -> Response:
        on_record.append(on_suwi(decisions(service)[decided:]))
        return answered(path, data)

    monkeypatch.setattr(simulator, "answer", answer)
    return on_record


def test_what_suwinet_knows_is_in_the_plan_with_its_source(
    service: Service,
    simulator: Simulator,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Case(service)
    case.let_join(CITY, "college:PW", PROFESSIONAL, "consulent")
    for name in SERVICES:
        simulator.know(name, case.bsn)
    before = len(simulator.asked)
    on_record = recorded_at_each_question(service, simulator, monkeypatch)
    order(settings, case.bsn, "pw-recht-vaststellen", scores={"finance": 2})
    assert once(monkeypatch, settings) == 0
    order(settings, case.bsn, "pw-arbeidsinschakeling", scores={"work_and_education": 3})
    assert once(monkeypatch, settings) == 0
    assert [one.ended for one in simulator.asked[before:]] == ["answered"] * 4
    # For the number, and for the kind of data.
    right = [("PERMIT", pb.PURPOSE_PW_RECHT_VASTSTELLEN)] * 2
    work = [("PERMIT", pb.PURPOSE_PW_ARBEIDSINSCHAKELING)] * 2
    assert on_record == [right, right, right + work, right + work]
    plan = (
        service.worker("college:PW", PROFESSIONAL)
        .plan.get_plan(
            claim=RIGHT,
            plan_id=case.plan_id,
            fields=[f"situations.{name}" for name in ("life_domain", "description", "source", "score")],
        )
        .plan
    )
    told = {one.life_domain: one for one in plan.situations}
    assert "€ 1345,00" in told[pb.LIFE_DOMAIN_FINANCE].description
    assert told[pb.LIFE_DOMAIN_FINANCE].source == "suwinet:gsd-bijstand+uwv-inkomsten"
    assert told[pb.LIFE_DOMAIN_WORK_AND_EDUCATION].score == 3
    config = load_config(settings)
    assert [path.name for path in config.drafts.iterdir()] == [f"{case.plan_id}-pw-arbeidsinschakeling.json"]
    assert command(monkeypatch, "status", "--config", str(settings)) == 0
    said = capsys.readouterr()
    assert case.bsn not in said.err + said.out + service.said()
    assert json.loads(said.out.splitlines()[-1])["waits_for_a_person"] == []
    for path in (one for one in config.state.rglob("*") if one.is_file()):
        assert case.bsn.encode() not in path.read_bytes()


@pytest.mark.parametrize("purpose", ["wmo-onderzoek", "jeugd-toegang", "wgs-plan"])
def test_another_purpose_is_refused_by_the_gate_before_anything_leaves(
    purpose: str,
    service: Service,
    simulator: Simulator,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(service)
    case.let_join(CITY, "college:PW", PROFESSIONAL, "consulent")
    came, decided, before = simulator.connections, len(decisions(service)), service.position()
    order(settings, case.bsn, purpose)
    assert once(monkeypatch, settings) == 0
    # Nobody connected, so that not one byte left.
    assert simulator.connections == came
    # Four questions are on record: what is restricted, rectified and to be erased, and this one, refused;
    # nothing was evaluated.
    assert service.topics_after(before) == ["disclosure.decided.v1"] * 4
    refused = decisions(service)[decided:][-1]
    assert (refused.outcome, refused.legal_basis.partition("@")[0]) == ("DENY", "SUWI-62")
    assert refused.purpose == pb.Purpose.Value("PURPOSE_" + purpose.replace("-", "_").upper())
    assert "R06" in refused.rules
    (reason,) = load_config(settings).rejected.glob("*.reason.txt")
    assert "R06" in reason.read_text()


def test_who_does_not_work_on_the_case_asks_nothing(
    service: Service, simulator: Simulator, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(service)
    came = simulator.connections
    order(settings, case.bsn, "pw-recht-vaststellen")
    assert once(monkeypatch, settings) == 0
    assert simulator.connections == came


def test_a_restriction_stops_the_adapter_and_its_lifting_lets_it_go_on(
    service: Service, simulator: Simulator, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(service)
    case.let_join(CITY, "college:PW", PROFESSIONAL, "consulent")
    simulator.know("UWVWbDossierPersoonGSD", case.bsn)
    config = load_config(settings)
    order(settings, case.bsn, "pw-arbeidsinschakeling")
    assert once(monkeypatch, settings) == 0
    (draft,) = config.drafts.iterdir()
    restricted = case.wmo.rights.restrict(claim=LIMIT, case_id=case.case_id, reason="Juistheid betwist.")
    came = simulator.connections
    order(settings, case.bsn, "pw-arbeidsinschakeling")
    assert once(monkeypatch, settings) == 0
    assert (simulator.connections, draft.exists()) == (came, False)
    assert told(case) == [(rights_pb.TOLD_CHANGE_RESTRICTED, rights_pb.TOLD_ANSWER_DONE)]
    one: dict[str, Any] = {
        "claim": LIMIT,
        "case_id": case.case_id,
        "restriction_id": restricted.restriction_id,
    }
    case.wmo.rights.announce_lifting(how="letter", **one)
    case.wmo.rights.lift_restriction(reason="Nagegaan.", **one)
    assert once(monkeypatch, settings) == 0
    assert draft.exists()
    assert (rights_pb.TOLD_CHANGE_LIFTED, rights_pb.TOLD_ANSWER_DONE) in told(case)


def test_a_rectification_is_answered(
    service: Service, simulator: Simulator, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(service)
    case.let_join(CITY, "college:PW", PROFESSIONAL, "consulent")
    simulator.know("Bijstandsregelingen", case.bsn)
    order(settings, case.bsn, "pw-recht-vaststellen", scores={"finance": 2})
    assert once(monkeypatch, settings) == 0
    asked = case.resident().rights.receive_rights_request(
        claim=ASK, case_id=case.case_id, right=rights_pb.RIGHT_RECTIFICATION, statement="Dat was een ander."
    )
    one: dict[str, Any] = {"claim": ANSWER, "rights_request_id": asked.rights_request_id}
    case.wmo.rights.decide_rights_request(outcome=rights_pb.RIGHTS_OUTCOME_GRANTED, **one)
    case.wmo.rights.execute_rights_request(reference="s-1", how="letter", paths=["situations"], **one)
    assert once(monkeypatch, settings) == 0
    # The order was done, its number forgotten: nothing of what was rectified is kept here.
    assert told(case) == [(rights_pb.TOLD_CHANGE_RECTIFIED, rights_pb.TOLD_ANSWER_NOTHING_KEPT)]


def told(case: Case) -> list[tuple[int, int]]:
    """What the resident's side reads of what this desk was told, and what it answered."""
    page = case.resident().rights.list_told_recipients(claim=WHO, case_id=case.case_id, fields=WHO_FIELDS)
    return [(one.change, one.answer) for one in page.recipients if one.task == "college:PW"]


def test_what_waits_is_told_by_status(
    service: Service,
    simulator: Simulator,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Case(service)
    case.let_join(CITY, "college:PW", PROFESSIONAL, "consulent")
    simulator.fail(Fault.WRONG_SIGNATURE)
    order(settings, case.bsn, "pw-recht-vaststellen")
    assert once(monkeypatch, settings) == 0
    assert command(monkeypatch, "status", "--config", str(settings)) == 0
    assert json.loads(capsys.readouterr().out)["due"] == 1
    assert [path.suffix for path in load_config(settings).rejected.iterdir()] == [".txt"]


def test_explain_says_what_would_become_of_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from adapters.simulators.suwinet import people

    file = tmp_path / "answer.xml"
    file.write_bytes(etree.tostring(people.answer(INCOME.name, "999990019", people.ANSWERS[INCOME.name])))
    assert command(monkeypatch, "explain", str(file)) == 0
    said = capsys.readouterr().out
    assert "on SUWI-62; written on PW-7" in said
    assert "De Brug" in said
    assert "999990019" not in said
    file.write_bytes(etree.tostring(body(INCOME.name, [("Geheim", "999990019")])))
    assert command(monkeypatch, "explain", str(file)) == 1
    said = capsys.readouterr().err
    assert "ANSWER_REFUSED" in said
    assert "999990019" not in said
    assert command(monkeypatch, "explain", str(tmp_path / "absent.xml")) == 2


def test_bad_settings_are_a_wrong_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(monkeypatch, "once", "--config", str(tmp_path / "absent.toml")) == 2


def test_the_simulator_prints_settings_that_work(tmp_path: Path) -> None:
    stop, out = Event(), StringIO()
    thread = Thread(target=main, args=([str(tmp_path), "--oin", CITY, "--bsn", BSN], stop, out))
    thread.start()
    try:
        wait_for(thread, lambda: out.getvalue().count("\n") == PRINTED_LINES)
        told = tomllib.loads(out.getvalue())["suwinet"]
        line = load_line(Path(told["credentials"]), told["endpoints"], told["oin"], 20.0)
        answer = HttpsSuwinet(line).ask(INCOME, Bsn(BSN))
        assert answer.value("ClientSuwi/Burgerservicenr") == BSN
    finally:
        stop.set()
        thread.join()


def wait_for(thread: Thread, done: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not done():
        assert thread.is_alive(), "it ended before its time"
        assert time.monotonic() < until, "it did not come to that in time"
        thread.join(0.01)


def test_it_works_until_it_is_told_to_stop_and_alone(
    service: Service, simulator: Simulator, settings: Path
) -> None:
    case = Case(service)
    case.let_join(CITY, "college:PW", PROFESSIONAL, "consulent")
    simulator.know("UWVWbDossierPersoonGSD", case.bsn)
    config = load_config(settings)
    stop, out = Event(), StringIO()
    order(settings, case.bsn, "pw-arbeidsinschakeling")
    thread = Thread(target=running.run, args=(replace(config, poll_ms=10), AdapterLog(out), stop))
    thread.start()
    try:
        wait_for(thread, lambda: "pull_done" in out.getvalue())
        with pytest.raises(AlreadyRunning):
            running.once(config, AdapterLog(out))
    finally:
        stop.set()
        thread.join()
    assert '"adapter_stopped"' in out.getvalue()
    assert case.bsn not in out.getvalue()
