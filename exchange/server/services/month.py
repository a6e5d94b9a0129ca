"""The month in numbers, of AuditService: for the privacy officer's report.

Promises: the operator's officer counts all, another's only what his own organisation asked; the list of
duties is waited for, never guessed; the decision on this very question is not among what it counts.
Source: GDPR 5(2), 12(3), 39(1)(b); protos/exchange/v1/audit_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import RequestInvalid
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.projections.duty_counts import duty_counts
from exchange.server.accountability.months import Kind, MonthCounter, month_of
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.officers import asked_by
from exchange.server.services.duties import followed
from exchange.server.walks import given_paths, read
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from exchange.server.house import Call

_LABELS: Final = labels_of(pb.SummariseMonthResponse.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Scope:
    """Attributes of this and all below have the names of the contract's fields."""

    organisation: str
    start_time: datetime
    end_time: datetime
    answer_time: datetime


@dataclass(frozen=True, slots=True)
class LedgerStand:
    """How the ledger stands."""

    origin: str
    leaves: int
    signed_leaves: int
    quorum: bool
    missing_witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many decisions of one kind."""

    organisation: str
    legal_basis: str
    action: str
    outcome: str
    count: int


async def summarise_month(call: Call, request: pb.SummariseMonthRequest) -> pb.SummariseMonthResponse:
    """Count one month."""
    parts, caller = call.house.parts, call.caller
    place = call.house.pages.place(call.rpc, caller, request)
    month = month_of(request.year, request.month)
    if month.start > call.now:
        raise RequestInvalid("this month is still to come", {"month": "must have begun"})
    outcome = await read(
        call,
        request,
        anchor="",
        labels=_LABELS,
        groups=of_origin(_LABELS, KEEPER_OF_THE_LOG),
        capture=asked_by(caller),
    )
    own, loop, pool = outcome.captured, asyncio.get_running_loop(), call.house.pool
    counter = MonthCounter(parts.reader, parts.codec, parts.register)
    count = partial(counter.page, month, place, outcome.position, own)
    found = await loop.run_in_executor(pool, count)
    answer, given = pb.SummariseMonthResponse(decision_id=outcome.decision_id), given_paths(outcome)
    _rows(answer, "decisions", given, map(_counted, sorted(found.kinds.items())))
    if place is None:
        await followed(call, outcome.position)
        duties = await loop.run_in_executor(pool, duty_counts, parts.obligations, *month, call.now, own)
        _rows(answer, "duties", given, duties)
        _one(answer, "scope", given, Scope(own, *month, call.now))
        _one(answer, "ledger", given, _ledger(call, outcome.position - 1))
    if found.more:
        answer.next_page_token = call.house.pages.token(found.last, call.rpc, caller, request)
    return answer


def _counted(one: tuple[Kind, int]) -> Counted:
    return Counted(*one[0], count=one[1])


def _ledger(call: Call, leaves: int) -> LedgerStand:
    """Return the ledger below the decision on this very question."""
    newest = call.house.parts.ledger.newest()
    if newest is None:
        return LedgerStand("", leaves, 0, quorum=True, missing_witnesses=())
    first, checkpoint = call.house.parts.ledger.log_of(newest).first, newest.signed.checkpoint
    signed = min(first + checkpoint.size, leaves)
    return LedgerStand(checkpoint.origin, leaves, signed, newest.quorum, newest.missing)


def _rows(
    answer: pb.SummariseMonthResponse, name: str, given: frozenset[str], rows: Iterable[object]
) -> None:
    copies = copies_of(answer.DESCRIPTOR.fields_by_name[name].message_type)
    leaves = _leaves_of(name, given)
    for row in rows if leaves else ():
        told: Any = getattr(answer, name).add()
        for leaf in leaves:
            copies[leaf](row, told)


def _one(answer: pb.SummariseMonthResponse, name: str, given: frozenset[str], found: object) -> None:
    copies = copies_of(answer.DESCRIPTOR.fields_by_name[name].message_type)
    for leaf in _leaves_of(name, given):
        copies[leaf](found, getattr(answer, name))


def _leaves_of(name: str, given: frozenset[str]) -> list[str]:
    return [path.partition(".")[2] for path in sorted(given) if path.startswith(f"{name}.")]
