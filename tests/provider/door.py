"""A door over real gRPC that knows one plan, and the files an adapter needs to knock on it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters import cli
from adapters.provider.config import load_config
from adapters.provider.journal import Journal
from adapters.provider.retour import read_retour
from adapters.provider.xml import emit, read
from exchange.keys.identity import IdentityKeys
from exchange.v1 import case_service_pb2 as case
from exchange.v1 import plan_pb2 as pb
from exchange.v1 import plan_service_pb2 as plan
from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse
from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse
from tests.provider.around import ONE, sent
from tests.provider.world import PROVIDER_OIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sdk.exchange_fake import FakeExchange

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


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["exchange-adapter", "provider", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)
