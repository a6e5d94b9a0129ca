"""The two looks back of AuditService: decisions judged again, and a register previewed, page by page.

Promises: the gate was asked before an entry is read; a page looks at a bounded number of events, outside the
event loop, up to the position of its own decision; another organisation's officer is told of his own only.
Source: GDPR 5(2), 25, 39(1)(b); the gate's law P6.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.errors import RegisterInvalid, RequestInvalid
from exchange.gate.canonical import entries_of_text
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.pipeline.preview import Effect, Preview, first_since
from exchange.pipeline.proposed import proposed_over
from exchange.pipeline.replay import Replay, Tally
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import moment
from exchange.server.contract.officers import asked_by
from exchange.server.walks import given_paths, read
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from google.protobuf.message import Message

    from exchange.gate.register import Register
    from exchange.pipeline.registers import Known
    from exchange.pipeline.walk import ReadOutcome
    from exchange.server.house import Call
    from exchange.store.batch import Row

EVENTS_PER_PAGE_MAX: Final = 2_000
# Of streams behind the commands of a page: after so many the page ends where it is.
EVENTS_OPENED_PER_PAGE_MAX: Final = 20_000
_REPLAY: Final = labels_of(pb.ReplayDecisionsResponse.DESCRIPTOR)
_PREVIEW: Final = labels_of(pb.PreviewRegisterResponse.DESCRIPTOR)


class _Row(NamedTuple):
    """One line of the effects; attributes have the names of the contract's fields."""

    recipient: str
    category: str
    opens: int
    closes: int


async def replay_decisions(call: Call, request: pb.ReplayDecisionsRequest) -> pb.ReplayDecisionsResponse:
    """Judge a page of decisions again."""
    parts = call.house.parts
    _refuse_backwards(request)
    place = call.house.pages.place(call.rpc, call.caller, request)
    outcome = await _ask(call, request, _REPLAY)
    start = max(request.from_position - 1, 0) if place is None else place
    # The newest that was decided before this question.
    newest = outcome.position - 1
    _refuse_beyond(request, newest)
    stop = min(request.to_position or newest, newest)

    def look() -> tuple[Tally, int]:
        tally, replay = Tally(), Replay(parts.codec, parts.register, parts.reader)
        rows = _rows(call, start, stop)
        for before in _before(call, start):
            replay.after(before)
        last = replay.run(rows, tally, organisation=outcome.captured, opened_max=EVENTS_OPENED_PER_PAGE_MAX)
        return tally, last or stop

    tally, last = await _in_pool(call, look)
    answer = pb.ReplayDecisionsResponse(decision_id=outcome.decision_id)
    copy_part(outcome, "counts", _counted(tally), answer.counts)
    for difference in tally.differences:
        copy_part(outcome, "differences", difference, answer.differences.add())
    if last < stop:
        answer.next_page_token = call.house.pages.token(last, call.rpc, call.caller, request)
    return answer


async def preview_register(call: Call, request: pb.PreviewRegisterRequest) -> pb.PreviewRegisterResponse:
    """Judge a page of decisions by the register in force and by the proposed one."""
    parts, since = call.house.parts, moment(request.since_time)
    _refuse_future(since, call.now)
    place = call.house.pages.place(call.rpc, call.caller, request)
    outcome = await _ask(call, request, _PREVIEW)
    stop = outcome.position - 1
    known = parts.register.known_at(outcome.position)

    def look() -> tuple[Effect, int]:
        registers = _registers(known, request, call.now)
        effect, preview = Effect(), Preview(parts.reader, parts.codec, *registers)
        start = first_since(parts.reader, parts.codec, since) if place is None else place
        rows = _rows(call, start, stop)
        for before in _before(call, start):
            preview.after(before)
        last = preview.run(
            rows,
            effect,
            since=since,
            organisation=outcome.captured,
            opened_max=EVENTS_OPENED_PER_PAGE_MAX,
        )
        return effect, last if rows else stop

    effect, last = await _in_pool(call, look)
    answer = pb.PreviewRegisterResponse(decision_id=outcome.decision_id)
    copy_part(outcome, "counts", effect, answer.counts)
    for row in _effects(effect):
        copy_part(outcome, "effects", row, answer.effects.add())
    for change in effect.changes:
        copy_part(outcome, "changes", change, answer.changes.add())
    if last < stop:
        answer.next_page_token = call.house.pages.token(last, call.rpc, call.caller, request)
    return answer


async def _ask(call: Call, request: Any, labels: Mapping[str, Any]) -> ReadOutcome:  # noqa: ANN401 -- one of two questions
    return await read(
        call,
        request,
        anchor="",
        labels=labels,
        groups=of_origin(labels, KEEPER_OF_THE_LOG),
        capture=asked_by(call.caller),
    )


async def _in_pool(call: Call, look: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever the look gives
    return await asyncio.get_running_loop().run_in_executor(call.house.pool, partial(look))


def _rows(call: Call, start: int, stop: int) -> list[Row]:
    """Return the events of one page after a position; none beyond `stop`."""
    if start >= stop:
        return []
    return call.house.parts.reader.page(start, min(EVENTS_PER_PAGE_MAX, stop - start))


def _before(call: Call, start: int) -> list[Row]:
    """Return the last event of what was looked at before: the next may be of the same walk."""
    return call.house.parts.reader.page(start - 1, 1) if start else []


def copy_part(outcome: ReadOutcome, part: str, source: object, target: Message) -> None:
    """Copy the leaves of one part of the answer that were released."""
    copies = copies_of(target.DESCRIPTOR)
    for path in given_paths(outcome):
        name, _, leaf = path.partition(".")
        if name == part:
            copies[leaf](source, target)


class _Counts:
    """Counts by the names of the contract's fields."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        vars(self).update(counts)


def _counted(tally: Tally) -> _Counts:
    looked_at = {"decisions": tally.decisions, "commands": tally.commands}
    return _Counts(looked_at | {str(found): n for found, n in tally.counts.items()})


def _effects(effect: Effect) -> Iterable[_Row]:
    for recipient, category in sorted(effect.opens.keys() | effect.closes.keys()):
        name = (recipient, category)
        yield _Row(recipient, category, effect.opens[name], effect.closes[name])


def _refuse_backwards(request: pb.ReplayDecisionsRequest) -> None:
    if 0 < request.to_position < request.from_position:
        raise RequestInvalid(
            "the first position to judge again comes after the last",
            {"from_position": "must not come after to_position: exchange the two, or leave to_position 0"},
        )


def _refuse_beyond(request: pb.ReplayDecisionsRequest, newest: int) -> None:
    """Refuse to have found nothing wrong where there is nothing to look at."""
    if request.from_position > newest:
        raise RequestInvalid(
            "nothing was recorded at or after the first position to judge again",
            {"from_position": f"must not come after the newest position, which is {newest}"},
            newest=str(newest),
        )


def _refuse_future(since: datetime, now: datetime) -> None:
    if since > now:
        raise RequestInvalid(
            "nothing was decided since a moment that is still to come",
            {"since_time": "must not be in the future"},
        )


def _registers(known: Known, request: pb.PreviewRegisterRequest, now: datetime) -> tuple[Register, Register]:
    """Return the register of today and the proposed one. Raises RequestInvalid naming the key of an entry."""
    try:
        return proposed_over(known, entries_of_text(request.text), now, whole=request.whole)
    except RegisterInvalid as error:
        key = error.metadata["key"]
        raise RequestInvalid(
            "a proposed entry of the register is refused",
            {f"text.{key}" if key else "text": error.message},
            entry=error.metadata["entry"],
        ) from error
