"""A 301 whose assigning was recorded and not answered, and is refused when asked again: no answer yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider import running
from adapters.provider.config import load_config
from adapters.sdk.logs import AdapterLog
from exchange.errors import AccessDenied, RequestInvalid
from tests.provider.door import Door, assert_answered, drop
from tests.sdk.cut_lines import cut
from tests.sdk.exchange_fake import refuse

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from exchange.errors import ExchangeError
    from tests.sdk.exchange_fake import FakeExchange


@pytest.mark.parametrize(
    "error",
    [RequestInvalid("wrong", {"plan_id": "of another version"}), AccessDenied("not here")],
    ids=lambda error: error.code,
)
def test_what_may_be_assigned_is_not_told_as_refused(
    exchange: FakeExchange, settings: Path, capsys: pytest.CaptureFixture[str], error: ExchangeError
) -> None:
    door = Door(exchange, stays=False)
    attempts = 0

    def assign(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- as the fake gives it
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            return refuse(context, error)
        answer = door._assign(request, context)
        return cut(context) if attempts == 1 else answer

    exchange.on("AssignSupport", assign)
    config = load_config(settings)
    drop(settings)
    running.once(config, AdapterLog())
    assert not (config.outbox.is_dir() and any(config.outbox.iterdir()))
    assert [file.name for file in config.inbox.iterdir()] == ["a.xml"]
    assert "exchange_not_now" in capsys.readouterr().err
    running.once(config, AdapterLog())
    assert_answered(settings)
    assert len({one.request_id for one in exchange.requests["AssignSupport"]}) == 1
