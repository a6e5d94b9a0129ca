"""The purge hook: what the exchange asks this organisation to erase, done by the adapter, and confirmed.

`purge(client, forget)` asks what is open, lets `forget` erase what the adapter holds, and confirms each.
Promises: nothing is confirmed before `forget` returned, so that a kill between the two is made good the next
time (`forget` is then called again and may find nothing: say so by remembering what was erased, or the first
answer of the exchange counts); what is asked names ids that were given before, and no person.
Source: GDPR 17 and 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.sdk.calls import claim
from exchange.v1.common_pb2 import Purpose
from exchange.v1.resident_rights_service_pb2 import PurgeOutcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from adapters.sdk.aio import AsyncExchangeClient
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.keeping import ReceiptKeeper
    from exchange.v1.resident_rights_service_pb2 import PurgeRequest

READING: Final = claim(Purpose.PURPOSE_BEHEER, "ERASURE-12")
ANSWERING: Final = claim(Purpose.PURPOSE_BEHEER, "PURGE-19")
PAGE_SIZE: Final = 200


PLAN_CATEGORY: Final = "WMO-PLAN"


@dataclass(frozen=True, slots=True)
class PurgeAsked:
    """One erasure: ids of what was given, by kind. No category means that all of it is to go."""

    erasure_id: str
    plan_ids: tuple[str, ...]
    categories: frozenset[str] = frozenset()
    case_ids: tuple[str, ...] = ()
    asked_ms: int = 0  # since 1970; what was recorded later is not of it

    @property
    def of_resident(self) -> bool:
        """Tell whether the resident is gone: these ids are never given again, as those of a part may be."""
        return not self.categories

    @property
    def whole(self) -> bool:
        """Tell whether all that rests on a plan is to go: with the plan's category goes the rest."""
        return self.concerns(frozenset({PLAN_CATEGORY}))

    def concerns(self, held: frozenset[str]) -> bool:
        """Tell whether anything of these categories is to go."""
        return not self.categories or bool(self.categories & held)


def purge(client: ExchangeClient, forget: Callable[[PurgeAsked], bool]) -> int:
    """Carry out what is open, oldest first; return how many were confirmed. Raises ExchangeRefused.

    `forget` tells whether anything was held; what it raises stops here, with that one unconfirmed.
    """
    asked = list_asked(client)
    for one in asked:
        confirm(client, one.erasure_id, erased=forget(one))
    return len(asked)


def list_asked(client: ExchangeClient) -> list[PurgeAsked]:
    """Ask for every page of what is open, oldest first. Raises ExchangeRefused."""
    asked: list[PurgeAsked] = []
    token = ""
    while True:
        page = client.rights.list_purge_requests(
            claim=READING, only_open=True, page_size=PAGE_SIZE, page_token=token
        )
        asked += _asked(page.purge_requests)
        token = page.next_page_token
        if not token:
            break
    if client.receipts is not None:
        _expect(client.receipts, asked)
        # A look is a good moment: an adapter has one an hour.
        client.receipts.prove(lambda leaf: client.ledger.get_receipt(leaf_index=leaf, second_signature=True))
    return asked


def confirm(client: ExchangeClient, erasure_id: str, *, erased: bool) -> None:
    """Tell that all was erased, or that nothing was held. Raises ExchangeRefused, and as the book."""
    # Its receipts first: what is told to be erased is.
    receipts = client.receipts is not None and client.receipts.erase(erasure_id)
    outcome = _outcome(erased=erased or receipts)
    client.rights.confirm_purge(claim=ANSWERING, erasure_id=erasure_id, outcome=outcome)
    if client.receipts is not None:
        client.receipts.answered(erasure_id)


async def purge_async(client: AsyncExchangeClient, forget: Callable[[PurgeAsked], Awaitable[bool]]) -> int:
    """Do what `purge` does, with the asyncio client."""
    asked: list[PurgeAsked] = []
    token = ""
    while True:
        page = await client.rights.list_purge_requests(
            claim=READING, only_open=True, page_size=PAGE_SIZE, page_token=token
        )
        asked += _asked(page.purge_requests)
        token = page.next_page_token
        if not token:
            break
    if client.receipts is not None:
        _expect(client.receipts, asked)
    for one in asked:
        erased = await forget(one)
        receipts = client.receipts is not None and client.receipts.erase(one.erasure_id)
        outcome = _outcome(erased=erased or receipts)
        await client.rights.confirm_purge(claim=ANSWERING, erasure_id=one.erasure_id, outcome=outcome)
        if client.receipts is not None:
            client.receipts.answered(one.erasure_id)
    return len(asked)


def _expect(receipts: ReceiptKeeper, asked: Iterable[PurgeAsked]) -> None:
    for one in asked:
        # Of a part: a receipt tells of no category that is erased apart.
        if one.of_resident:
            receipts.expect(one.erasure_id, (*one.plan_ids, *one.case_ids))
        elif one.whole:
            receipts.expect(one.erasure_id, one.plan_ids, until_ms=one.asked_ms)


def _asked(told: Iterable[PurgeRequest]) -> list[PurgeAsked]:
    return [
        PurgeAsked(
            one.erasure_id,
            _of_kind("plan-", one),
            frozenset(one.categories),
            _of_kind("case-", one),
            one.request_time.ToMilliseconds(),
        )
        for one in told
    ]


def _of_kind(kind: str, told: PurgeRequest) -> tuple[str, ...]:
    return tuple(name.removeprefix(kind) for name in told.subjects if name.startswith(kind))


def _outcome(*, erased: bool) -> PurgeOutcome.ValueType:
    return PurgeOutcome.PURGE_OUTCOME_ERASED if erased else PurgeOutcome.PURGE_OUTCOME_NOTHING_KEPT
