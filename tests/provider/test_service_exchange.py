"""The adapter over real gRPC with mutual TLS: what it asks on which ground, and its loop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from adapters import cli
from adapters.kit.receipts import ReceiptsKept
from adapters.provider import exchange_port, running
from adapters.provider.codes import JwStopReason, WmoStopReason
from adapters.provider.config import Side, load_config
from adapters.provider.exchange_port import CARE_FIELDS, CLAIMS, SUPPORT_FIELDS
from adapters.provider.plan_seen import Agreement, Stage, read_event, read_support
from adapters.provider.retour import read_retour
from adapters.provider.schema import Law
from adapters.provider.stop_reasons import STOP_REASONS
from adapters.provider.xml import emit, read
from adapters.sdk.logs import AdapterLog
from exchange.gate.register import Register as LegalBases
from exchange.server.contract.names import enum_names
from exchange.v1 import plan_pb2 as pb
from exchange.v1.common_pb2 import Purpose
from exchange.v1.subscription_service_pb2 import PublishedEvent
from tests.provider.around import BAD_BSN, ONE, sent
from tests.provider.builders import BSN, SURNAME, put
from tests.provider.door import (
    PLAN_ID,
    SUPPORT_ID,
    WAIT_S,
    Door,
    assert_answered,
    command,
    drop,
    followed_to,
    told,
    wait_until,
)
from tests.provider.world import START, TODAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sdk.exchange_fake import FakeExchange

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
    assert sorted(followed.fields) == sorted((*SUPPORT_FIELDS, *CARE_FIELDS))
    assert not followed.with_joins
    # An assignment is tied to what was chosen: what care was given is not asked for it.
    (looked, *_) = exchange.requests["GetPlan"]
    assert sorted(looked.fields) == sorted(("version", *SUPPORT_FIELDS))
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
    receipts = ReceiptsKept(load_config(settings).state, make=False)
    assert [one.rpc.rpartition("/")[2] for one in receipts.listed(PLAN_ID)] == ["AssignSupport"]
    receipts.close()


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
