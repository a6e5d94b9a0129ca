"""What is to be erased is asked page by page, and answered once it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.sdk.purge_port import SdkPurges
from adapters.sdk.purges import PurgeAsked
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.sdk.exchange_fake import FakeExchange

PAGES = {
    "": pb.ListPurgeRequestsResponse(
        purge_requests=[pb.PurgeRequest(erasure_id="e-1", subjects=["plan-a", "case-b", "plan-c"])],
        next_page_token="more",
    ),
    "more": pb.ListPurgeRequestsResponse(
        purge_requests=[pb.PurgeRequest(erasure_id="e-2", subjects=["plan-d"], categories=["ARBEID"])]
    ),
}


def test_every_page_is_asked_and_only_plans_are_taken(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("ListPurgeRequests", lambda request, _: PAGES[request.page_token])
    assert SdkPurges(client).asked() == (
        PurgeAsked("e-1", ("a", "c"), case_ids=("b",)),
        PurgeAsked("e-2", ("d",), frozenset({"ARBEID"})),
    )
    assert {one.claim.legal_basis for one in exchange.requests["ListPurgeRequests"]} == {"ERASURE-12"}


def test_the_answer_says_whether_anything_was_held(exchange: FakeExchange, client: ExchangeClient) -> None:
    exchange.on("ConfirmPurge", lambda *_: pb.ConfirmPurgeResponse())
    for erased in (True, False):
        SdkPurges(client).answer("e-1", erased=erased)
    told = exchange.requests["ConfirmPurge"]
    assert [one.outcome for one in told] == [pb.PURGE_OUTCOME_ERASED, pb.PURGE_OUTCOME_NOTHING_KEPT]
    assert {one.claim.legal_basis for one in told} == {"PURGE-19"}


def test_an_erasure_concerns_what_is_held_of_its_categories() -> None:
    whole, part = PurgeAsked("e", ()), PurgeAsked("e", (), frozenset({"INKOMEN", "BSN"}))
    assert whole.concerns(frozenset({"ARBEID"}))
    assert part.concerns(frozenset({"ARBEID", "INKOMEN"}))
    assert not part.concerns(frozenset({"ARBEID"}))
