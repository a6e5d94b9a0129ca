"""What a command is answered with and cannot be read behind its commit: told as open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk.errors import ExchangeRefused, Unavailable
from adapters.sdk.patience import Patience
from exchange.errors import ExchangeError, KeyUnavailable, StoreUnavailable
from exchange.pipeline.hot import HotStates, Loader
from tests.server.subscribed import KEEP, set_up

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), KeyUnavailable("away")], ids=lambda one: one.code
)
def test_a_subscription_that_ended_is_not_said_to_go_on(
    town: Town, story: Story, monkeypatch: pytest.MonkeyPatch, error: ExchangeError
) -> None:
    named, head = set_up(story), town.core.reader.head()[0]
    applied, request_id = HotStates.apply, str(uuid4())

    def apply(hot: HotStates, changes: Any, as_of: int) -> None:  # noqa: ANN401 -- as the writer gives them
        applied(hot, changes, as_of)
        # As where there is no room for it.
        hot.evict([stream for stream in changes if stream.startswith("delivery-")])

    def load(_loader: Loader, _stream: str) -> Any:  # noqa: ANN401 -- it never returns
        raise error

    once = named.client._sibling(_patience=Patience(attempts_max=1)).subscription
    ended: dict[str, Any] = {"claim": KEEP, "subscription_id": named.name, "request_id": request_id}
    with monkeypatch.context() as patched:
        patched.setattr(HotStates, "apply", apply)
        patched.setattr(Loader, "load", load)
        with pytest.raises(ExchangeRefused) as caught:
            once.cancel_subscription(**ended)
    refused = caught.value
    assert (type(refused), refused.reason, refused.may_be_recorded) == (Unavailable, "OUTCOME_OPEN", True)
    assert "niets vastgelegd" not in refused.localized
    recorded = town.core.reader.head()[0]
    assert recorded > head
    # The same request id tells, and records nothing more.
    assert head < once.cancel_subscription(**ended).receipt.position <= recorded
    assert town.core.reader.head()[0] == recorded
