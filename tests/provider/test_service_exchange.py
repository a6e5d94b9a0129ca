"""The adapter over real gRPC with mutual TLS: what it asks on which ground, its loop, and its commands."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters import cli
from adapters.provider import exchange_port, running
from adapters.provider.codes import JwStopReason, WmoStopReason
from adapters.provider.config import Side, load_config
from adapters.provider.errors import ConfigInvalid
from adapters.provider.exchange_port import (
    CLAIMS,
    STOP_REASONS,
    SUPPORT_FIELDS,
    Agreement,
    Stage,
    read_event,
    read_support,
)
from adapters.provider.journal import Journal
from adapters.provider.register import Register
from adapters.provider.retour import read_retour
from adapters.provider.schema import Law
from adapters.provider.xml import emit, read
from adapters.sdk.bsn import Bsn
from adapters.sdk.logs import AdapterLog
from exchange.errors import AccessDenied
from exchange.gate.register import Register as LegalBases
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.identity import IdentityKeys
from exchange.server.contract.names import enum_names
from exchange.v1 import case_service_pb2 as case
from exchange.v1 import plan_pb2 as pb
from exchange.v1 import plan_service_pb2 as plan
from exchange.v1.common_pb2 import Purpose
from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse
from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse
from tests.provider.builders import BSN, SURNAME, message, put
from tests.provider.test_service_config import PERSON, SETTINGS, written
from tests.provider.test_service_refusals import BAD_BSN, ONE, sent
from tests.provider.world import MUNICIPALITY_OIN, PROVIDER_OIN, START, TODAY
from tests.sdk.exchange_fake import FakeExchange, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLAN_ID = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001"
SUPPORT_ID = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0002"
KEYS = IdentityKeys(b"m" * 32)
WAIT_S = 20.0


def told(**changes: Any) -> pb.Support:  # noqa: ANN401 -- the fields of the message
    whole: dict[str, Any] = {
        "support_id": SUPPORT_ID,
        "kind": pb.SUPPORT_KIND_CUSTOM,
        "provider_oin": PROVIDER_OIN,
        "product_category": "02",
        "product_code": "02A03",
        "start_date": ONE.starts_on.isoformat(),
        "end_date": "" if ONE.ends_on is None else ONE.ends_on.isoformat(),
        "volume": 3,
        "unit": "04",
        "frequency": "2",
        "state": pb.SUPPORT_STATE_REQUESTED,
    }
    return pb.Support(**(whole | changes))


# --- what is read, and on which ground ---------------------------------------------------------------------


@pytest.mark.parametrize(("law", "side"), list(CLAIMS))
def test_every_claim_stands_in_the_register_for_that_recipient(law: Law, side: Side) -> None:
    recipients = {
        (Law.WMO, Side.MUNICIPALITY): "college:WMO",
        (Law.WMO, Side.PROVIDER): "wmo-aanbieder",
        (Law.JW, Side.MUNICIPALITY): "college:JW",
        (Law.JW, Side.PROVIDER): "jeugdhulpaanbieder",
    }
    colleges = {Law.WMO: "college:WMO", Law.JW: "college:JW"}
    register = LegalBases.load()
    names = enum_names(Purpose.DESCRIPTOR)
    claims = CLAIMS[law, side]
    for stated, provider in ((claims.reading, colleges[law]), (claims.keeping, recipients[law, side])):
        basis = register.find(stated.legal_basis, START)
        assert basis is not None
        assert names.stored(stated.purpose) in basis.purposes
        assert recipients[law, side] in basis.recipients
        assert provider in basis.providers
        assert "WMO-PLAN" in basis.categories
        assert stated.necessity.text
    kept = register.find(claims.keeping.legal_basis, START)
    assert kept is not None
    assert kept.bsn_allowed


def test_every_reason_to_stop_has_a_code_in_both_laws() -> None:
    known = set(pb.StopReason.values()) - {pb.STOP_REASON_UNSPECIFIED}
    assert set(STOP_REASONS[Law.WMO]) == set(STOP_REASONS[Law.JW]) == known
    assert all(isinstance(one, WmoStopReason) for one in STOP_REASONS[Law.WMO].values())
    assert all(isinstance(one, JwStopReason) for one in STOP_REASONS[Law.JW].values())
    assert {one.name for one in Stage} == {
        value.name.removeprefix("SUPPORT_STATE_")
        for value in pb.SupportState.DESCRIPTOR.values
        if value.number
    }


def test_a_support_is_read_as_far_as_it_was_given() -> None:
    whole = read_support(
        told(
            state=pb.SUPPORT_STATE_STOPPED,
            assignment_number="007",
            care_start_date="2026-06-01",
            care_end_date="2026-06-02",
            stop_reason=pb.STOP_REASON_DEATH,
        )
    )
    assert whole is not None
    assert (whole.stage, whole.assignment_number, whole.custom) == (Stage.STOPPED, 7, True)
    assert (whole.care_starts_on, whole.ends_on) == (TODAY, ONE.ends_on)
    little = read_support(pb.Support(support_id="x", state=pb.SUPPORT_STATE_REQUESTED))
    assert little is not None
    assert (little.product, little.volume, little.starts_on, little.custom) == (None, None, None, False)
    assert read_support(pb.Support(support_id="x")) is None
    assert read_support(told(state=99)) is None


def test_an_event_is_read_with_what_it_may_show() -> None:
    both = pb.Plan(
        supports=[told()],
        agreements=[pb.Agreement(outcome=pb.AGREEMENT_OUTCOME_DISAGREED, plan_version=4)],
    )
    event = PublishedEvent(position=3, kind="plan.agreed", plan_id=PLAN_ID, plan_version=5, change=both)
    found = read_event(event)
    assert (found.position, found.kind, found.plan_version) == (3, "plan.agreed", 5)
    assert found.agreement == Agreement(agreed=False, plan_version=4)
    assert found.support is not None
    empty = read_event(PublishedEvent(position=4, kind="plan.goal_set"))
    assert (empty.support, empty.agreement) == (None, None)


# --- a provider's adapter against a real door --------------------------------------------------------------


class Door:
    """A door that answers one plan; `stays` keeps streams open as a live service does."""

    def __init__(self, exchange: FakeExchange, *, stays: bool) -> None:
        self.exchange = exchange
        self._stays = stays
        self.state = told()
        exchange.on("EvaluateBlinded", self._evaluate)
        exchange.on("FindCase", lambda *_: case.FindCaseResponse(case_id="c", plan_id=PLAN_ID))
        exchange.on(
            "GetPlan", lambda *_: plan.GetPlanResponse(plan=pb.Plan(version=4, supports=[self.state]))
        )
        exchange.on("AssignSupport", self._assign)
        exchange.on("Subscribe", self._subscribe)

    def _evaluate(self, request: Any, _context: object) -> EvaluateBlindedResponse:  # noqa: ANN401 -- protobuf
        answer = KEYS.evaluate_batch(PROVIDER_OIN, list(request.blinded_elements))
        return EvaluateBlindedResponse(
            evaluated_elements=answer.elements, proof=answer.proof, public_key=KEYS.public_key(PROVIDER_OIN)
        )

    def _assign(self, request: Any, _context: object) -> plan.AssignSupportResponse:  # noqa: ANN401 -- protobuf
        self.state = told(state=pb.SUPPORT_STATE_ASSIGNED, assignment_number=request.assignment_number)
        return plan.AssignSupportResponse(version=5)

    def _subscribe(self, request: Any, context: Any) -> Iterator[SubscribeResponse]:  # noqa: ANN401 -- protobuf
        if request.cursor < 7:
            event = PublishedEvent(
                event_id="e",
                position=7,
                kind="plan.x",
                plan_id=PLAN_ID,
                change=pb.Plan(supports=[self.state]),
            )
            yield SubscribeResponse(events=[event], cursor=7)
        if not self._stays:
            yield SubscribeResponse(cursor=9)
        while context.is_active() and not self.exchange.stopping.wait(0.02):
            pass

    def claimed(self, rpc: str) -> set[str]:
        return {request.claim.legal_basis for request in self.exchange.requests[rpc]}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    return DevelopmentAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def exchange(authority: DevelopmentAuthority, tmp_path: Path) -> Iterator[FakeExchange]:
    fake = FakeExchange(authority.issue_server(tmp_path / "server"))
    fake.start()
    yield fake
    fake.close()


@pytest.fixture
def settings(exchange: FakeExchange, authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    authority.issue_organisation(PROVIDER_OIN, "Zorg", tmp_path / "credentials")
    return written(tmp_path, SETTINGS | {"target": exchange.target, "poll_ms": 20})


@pytest.fixture
def municipal(exchange: FakeExchange, authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    authority.issue_organisation(MUNICIPALITY_OIN, "Gemeente", tmp_path / "credentials")
    side = {"side": "municipality", "own_code": "0363", "counterparty_code": "65656055"}
    return written(tmp_path, SETTINGS | side | {"target": exchange.target})


def drop(settings: Path) -> None:
    inbox = load_config(settings).inbox
    inbox.mkdir(exist_ok=True)
    (inbox / "a.xml").write_bytes(emit(sent()))


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.01)


def followed_to(settings: Path) -> int:
    journal = Journal(load_config(settings).journal)
    try:
        return journal.position("plans")
    finally:
        journal.close()


def assert_answered(settings: Path) -> None:
    (path,) = load_config(settings).outbox.iterdir()
    assert read_retour(read(path.read_bytes())).accepted


def test_the_loop_assigns_and_stops_when_told(
    exchange: FakeExchange, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    door = Door(exchange, stays=True)
    drop(settings)
    config = load_config(settings)
    stop = threading.Event()
    loop = threading.Thread(target=running.run, args=(config, AdapterLog(), stop))
    loop.start()
    try:
        wait_until(lambda: config.outbox.is_dir() and any(config.outbox.iterdir()))
        wait_until(lambda: followed_to(settings) == 7)
    finally:
        stop.set()
        loop.join(WAIT_S)
    assert not loop.is_alive()
    assert_answered(settings)
    (order,) = exchange.requests["AssignSupport"]
    assert (order.plan_id, order.expected_version, order.support_id) == (PLAN_ID, 4, SUPPORT_ID)
    assert (order.assignment_number, order.assign_date) == (str(ONE.number), ONE.assigned_on.isoformat())
    assert door.claimed("AssignSupport") == door.claimed("FindCase") == {"WMO-5.1.2"}
    assert door.claimed("EvaluateBlinded") == {"WMO-5.1.2"}
    assert door.claimed("GetPlan") == door.claimed("Subscribe") == {"WMO-5.2.1-2a"}
    (followed, *_) = exchange.requests["Subscribe"]
    assert tuple(followed.fields) == SUPPORT_FIELDS
    assert_no_bsn_left(exchange)
    out = capsys.readouterr()
    assert BSN not in out.out + out.err
    assert SURNAME not in out.out + out.err


def assert_no_bsn_left(exchange: FakeExchange) -> None:
    for requests in exchange.requests.values():
        for request in requests:
            assert BSN.encode() not in request.SerializeToString()


def test_once_does_one_pass_and_ends(exchange: FakeExchange, settings: Path) -> None:
    Door(exchange, stays=False)
    drop(settings)
    running.once(load_config(settings), AdapterLog())
    assert_answered(settings)
    assert followed_to(settings) == 9


def test_what_needs_no_exchange_is_done_once_all_the_same(
    exchange: FakeExchange, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_port, "CATCHING_UP_GIVE_UP_S", 0.0)
    exchange.stop()
    config = load_config(settings)
    config.inbox.mkdir()
    (config.inbox / "a.xml").write_bytes(emit(put(sent(), "Client/Bsn", BAD_BSN)))
    assert command(monkeypatch, "once", "--config", str(settings)) == cli.EXIT_NOT_REACHABLE
    (path,) = config.outbox.iterdir()
    assert not read_retour(read(path.read_bytes())).accepted


# --- commands ----------------------------------------------------------------------------------------------


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["exchange-adapter", "provider", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


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
