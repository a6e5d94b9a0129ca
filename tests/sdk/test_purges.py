"""The purge hook: erased first, confirmed after, page by page; the blocking and the asyncio client alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.purges import PurgeAsked, purge, purge_async
from exchange.v1.resident_rights_service_pb2 import (
    PURGE_OUTCOME_ERASED,
    PURGE_OUTCOME_NOTHING_KEPT,
    ConfirmPurgeResponse,
    ListPurgeRequestsResponse,
    PurgeRequest,
)

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from tests.sdk.exchange_fake import FakeExchange

PAGES = {
    "": ListPurgeRequestsResponse(
        purge_requests=[PurgeRequest(erasure_id="e-1", subjects=["plan-p", "case-c", "resident-r"])],
        next_page_token="more",
    ),
    "more": ListPurgeRequestsResponse(
        purge_requests=[PurgeRequest(erasure_id="e-2", subjects=["plan-q"], categories=["WMO-PLAN", "LOG"])]
    ),
}
ASKED = [
    PurgeAsked("e-1", ("p",), case_ids=("c",)),
    PurgeAsked("e-2", ("q",), frozenset({"LOG", "WMO-PLAN"})),
]


@pytest.fixture(autouse=True)
def pages(exchange: FakeExchange) -> None:
    exchange.on("ListPurgeRequests", lambda request, _context: PAGES[request.page_token])
    exchange.on("ConfirmPurge", lambda _request, _context: ConfirmPurgeResponse())


def confirmed(exchange: FakeExchange) -> list[tuple[str, int]]:
    return [(one.erasure_id, one.outcome) for one in exchange.requests["ConfirmPurge"]]


BOTH = [("e-1", PURGE_OUTCOME_ERASED), ("e-2", PURGE_OUTCOME_NOTHING_KEPT)]


def test_each_is_erased_and_then_confirmed(exchange: FakeExchange, client: ExchangeClient) -> None:
    seen: list[tuple[PurgeAsked, int]] = []

    def forget(one: PurgeAsked) -> bool:
        seen.append((one, len(confirmed(exchange))))
        return one.erasure_id == "e-1"

    assert purge(client, forget) == 2
    assert seen == list(zip(ASKED, (0, 1), strict=True))
    assert confirmed(exchange) == BOTH
    assert all(one.only_open for one in exchange.requests["ListPurgeRequests"])


def test_what_could_not_be_erased_is_not_confirmed(exchange: FakeExchange, client: ExchangeClient) -> None:
    def forget(one: PurgeAsked) -> bool:
        if one.erasure_id == "e-2":
            raise OSError("read-only")
        return True

    with pytest.raises(OSError, match="read-only"):
        purge(client, forget)
    assert confirmed(exchange) == BOTH[:1]


async def test_the_asyncio_client_does_the_same(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> None:
    seen: list[PurgeAsked] = []

    async def forget(one: PurgeAsked) -> bool:
        seen.append(one)
        return one.erasure_id == "e-1"

    async with AsyncExchangeClient(exchange.target, credentials, person) as client:
        assert await purge_async(client, forget) == 2
    assert (seen, confirmed(exchange)) == (ASKED, BOTH)
