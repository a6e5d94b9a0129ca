"""A report that was recorded and not answered, and is refused when it is asked again: told once, linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.client import ExchangeClient
from adapters.sdk.errors import Denied, ExchangeRefused, Invalid, Refusal
from tests.municipal.around import Reported, plan_of
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from tests.municipal.around import Adapter, Town
    from tests.server.town import Town as Exchange


@pytest.mark.parametrize(
    "lost",
    [(command, kind) for command in ("register_resident", "receive_report") for kind in (Invalid, Denied)],
)
def test_what_may_be_recorded_is_asked_again_and_is_for_no_person(
    lost: tuple[str, type[ExchangeRefused]],
    exchange: Exchange,
    adapter: Adapter,
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (command, kind), sends = lost, ExchangeClient._send
    ids: list[str] = []

    def send(client: Any, rpc: Any, request: Any) -> object:  # noqa: ANN401 -- as the client has them
        answer = sends(client, rpc, request)
        if rpc.name == command:
            ids.append(request.request_id)
            if len(ids) == 1:
                raise kind(Refusal("", "a node of another version", request_id=ids[0], unanswered=True))
        return answer

    monkeypatch.setattr(ExchangeClient, "_send", send)
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    assert adapter.parked() == []
    assert not zaak["kenmerken"]
    adapter.clock.pass_by(minutes=5)
    adapter.work()
    assert adapter.parked() == []
    assert len(ids) == 2
    assert len(set(ids)) == 1
    story = Reported(exchange, bsn, plan_of(zaak))
    told = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.report_id"])
    assert len(told.plan.reports) == 1
