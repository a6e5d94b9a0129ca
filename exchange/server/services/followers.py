"""Which systems follow what happens, of AuditService: each named subscription, whether it is followed now.

Promises: tells nothing of what a subscription is about or was told; another organisation's officer sees those
of his own organisation. Whether a stream is open is told of this moment and of this process.
Source: GDPR 5(1)(d), 32(1)(b): who follows late works with data that are no longer so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.delivery import DELIVERY, key_of
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.officers import asked_by
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.walks import given_paths, read
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exchange.domain.delivery import DeliveryState
    from exchange.server.house import Call

_LABELS: Final = labels_of(pb.ListDeliveriesResponse.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Followed:
    """One subscription; attributes have the names of the contract's fields."""

    organisation: str
    task: str
    subscription_id: str
    followed: bool
    acknowledge_time: datetime
    failing: int
    parked: int


async def list_deliveries(call: Call, request: pb.ListDeliveriesRequest) -> pb.ListDeliveriesResponse:
    """List them by organisation and name."""
    house, start = call.house, call.house.pages.place(call.rpc, call.caller, request) or 0
    outcome = await read(
        call,
        request,
        anchor="",
        labels=_LABELS,
        groups=of_origin(_LABELS, KEEPER_OF_THE_LOG),
        capture=asked_by(call.caller),
    )
    loop = asyncio.get_running_loop()
    streams = sorted(
        await loop.run_in_executor(house.pool, house.named.every, house.parts.reader, outcome.captured)
    )
    stop = start + page_rows(request)
    answer = pb.ListDeliveriesResponse(decision_id=outcome.decision_id)
    copies = copies_of(pb.Delivery.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in sorted(given_paths(outcome))]
    for stream in streams[start:stop]:
        state = await house.state(stream)
        # Cancelled since the names were read.
        if state is None or state.cancelled:
            continue
        told, found = answer.deliveries.add(), _followed(call, state)
        for leaf in leaves:
            copies[leaf](found, told)
    if stop < len(streams):
        answer.next_page_token = house.pages.token(stop, call.rpc, call.caller, request)
    return answer


def _followed(call: Call, state: DeliveryState) -> Followed:
    stream = stream_of(DELIVERY.name, key_of(state.organisation, state.subscription_id))
    return Followed(
        organisation=state.organisation,
        task=state.task,
        subscription_id=state.subscription_id,
        followed=call.house.streams.has(stream),
        acknowledge_time=state.written_at,
        failing=len(state.failing),
        parked=len(state.parked),
    )


RPCS: Final[Mapping[str, Unary]] = {"ListDeliveries": Unary(pb.ListDeliveriesRequest, list_deliveries)}
