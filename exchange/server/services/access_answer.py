"""The answer on access, of ResidentRightsService: what GDPR 15(1) asks beside the data, and what is covered.

Promises: the covered leaves are those of every stream of the resident that his own key finds, below the size
of the log before this question, on every page of one answer; the key goes to the resident in person, for it
finds his leaves of later too, and representation ends. What is kept from the resident's side is not covered.
Source: GDPR 15; Wmo 2015 5.2.6; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.plan import PlanCorrected
from exchange.domain.rights.corrections import RightsRectified
from exchange.domain.rights.recipients import RightsRecipientTold
from exchange.domain.values import RESIDENT_TASK
from exchange.errors import KeyDestroyed
from exchange.ledger.leaf import event_pseudonym, parse_leaf
from exchange.pipeline.apart import COLLECTION_OF, VERSION_SUFFIX, changed_by, tells_apart
from exchange.pipeline.elements import of_log
from exchange.pipeline.facts import OWN_WORDS, PLAN_PREFIX
from exchange.server.contract.access import (
    RIGHTS,
    Limit,
    Processing,
    Recipient,
    Source,
    gave,
    latest,
    limits_of,
    processing_of,
    sources_of,
)
from exchange.server.contract.copies import copies_of
from exchange.server.contract.decisions import TOPIC, DecisionReader
from exchange.server.contract.labels import labels_of
from exchange.server.interceptor import Unary
from exchange.server.walks import given_paths, read
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exchange.pipeline.walk import ReadOutcome, View
    from exchange.server.house import Call
    from exchange.server.parts import Parts
    from exchange.store.batch import Row

LEAVES_PER_PAGE_MAX: Final = 10_000
# Newest first; who reads on finds the older ones in the list of disclosures.
DECISIONS_TOLD_MAX: Final = 5_000
ROWS_MAX: Final = 200
_INDEX_BITS: Final = 32
CORRECTIONS: Final = frozenset({PlanCorrected.TOPIC, RightsRectified.TOPIC, RightsRecipientTold.TOPIC})
_COVERED: Final = "covered"
_LABELS: Final = labels_of(pb.GetAccessAnswerResponse.DESCRIPTOR)


class Known(NamedTuple):
    """What the walk saw, without what is sealed to who asks."""

    streams: tuple[str, ...]
    sources: tuple[Source, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """Attributes have the names of the contract's fields."""

    log_size: int
    leaf_indexes: tuple[int, ...]
    scanning_keys: tuple[bytes, ...]


class Told(NamedTuple):
    """The rows of the first page, by the contract's names."""

    processings: Sequence[Processing] = ()
    recipients: Sequence[Recipient] = ()
    sources: Sequence[Source] = ()
    rights: Sequence[Any] = ()
    limits: Sequence[Limit] = ()


async def get_access_answer(call: Call, request: pb.GetAccessAnswerRequest) -> pb.GetAccessAnswerResponse:
    """Give the answer."""
    pages, caller = call.house.pages, call.caller
    place = pages.place(call.rpc, caller, request)
    anchor = stream_of("case", request.case_id)
    outcome = await read(
        call,
        request,
        anchor=anchor,
        labels=_LABELS,
        groups=of_log(_LABELS, caller, OWN_WORDS),
        capture=lambda view: _known(view, anchor),
        collections=call.house.plan_groups.collections,
    )
    answer = pb.GetAccessAnswerResponse(
        decision_id=outcome.decision_id, withheld_fields=outcome.withheld_paths
    )
    if not outcome.resident:
        return answer
    # The decision on this very question is the last leaf: it is not covered yet.
    size, start = (outcome.position - 1, 0) if place is None else divmod(place, 1 << _INDEX_BITS)
    limit = request.page_size or LEAVES_PER_PAGE_MAX
    loop = asyncio.get_running_loop()
    covered, following = await loop.run_in_executor(
        call.house.pool, _covered, call, outcome, size, start, limit
    )
    told = Told()
    if place is None:
        told = await loop.run_in_executor(call.house.pool, _told, call, outcome)
    _fill(answer, told, covered, given_paths(outcome))
    if following is not None:
        answer.next_page_token = pages.token((size << _INDEX_BITS) | following, call.rpc, caller, request)
    return answer


def _known(view: View, anchor: str) -> Known:
    case = view.state(anchor)
    if case is None:
        return Known((), (), ())
    own = (stream_of("resident", case.resident), stream_of("disclosure", case.resident))
    linked = view.scope(case.resident)
    plans = (view.state(stream) for stream in linked if stream.startswith(PLAN_PREFIX))
    sources = tuple(dict.fromkeys(source for plan in plans for source in sources_of(plan)))
    return Known((*own, *linked), sources, limits_of(view.state(own[0])))


def _covered(
    call: Call, outcome: ReadOutcome, size: int, start: int, limit: int
) -> tuple[Covered, int | None]:
    """Return this page of what is covered, and the index at which the next one goes on, or None."""
    parts = call.house.parts
    try:
        keys = parts.scanning_keys(outcome.resident)
    except KeyDestroyed:
        return Covered(size, (), ()), None
    positions = parts.reader.positions(outcome.captured.streams, size)
    indexes = [position - 1 for position in positions if position > start]
    page, rest = indexes[:limit], indexes[limit:]
    found = tuple(index for index, entry in parts.reader.leaves_at(page) if _is_of(entry, keys))
    if call.caller.task == RESIDENT_TASK:
        # In person: whoever holds it finds what is recorded after his word for the resident has ended.
        return Covered(size, found, keys), rest[0] if rest else None
    return Covered(size, _told_of(call, found), ()), rest[0] if rest else None


def _told_of(call: Call, indexes: Sequence[int]) -> tuple[int, ...]:
    """Return the leaves without those of decisions that a representative is not told of now."""
    parts = call.house.parts
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    kept = {
        row.position - 1
        for row in parts.reader.rows_at([index + 1 for index in indexes])
        if row.topic == TOPIC and reader.kept_from(row, call.caller, call.now)
    }
    return tuple(index for index in indexes if index not in kept)


def _is_of(entry: bytes, keys: Sequence[bytes]) -> bool:
    leaf = parse_leaf(entry)
    return any(leaf.pseudonym == event_pseudonym(key, leaf.event_id) for key in keys)


def _told(call: Call, outcome: ReadOutcome) -> Told:
    parts, known = call.house.parts, outcome.captured
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    recipients, used = [], set[tuple[str, str]]()
    for row in _decisions(parts, stream_of("disclosure", outcome.resident), outcome.position):
        if not reader.is_told(row, call.caller, call.now, outcome.hidden, outcome.links):
            continue
        clear, meta, _ = parts.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if gave(clear):
            at = datetime.fromisoformat(clear["at"])
            recipients.append(Recipient(clear["organisation"], clear["task"], at))
            used.add((meta.purpose, meta.legal_basis))
    used.update(_recorded(parts, known.streams[2:], outcome))
    register = parts.register.now
    return Told(
        processings=[processing_of(purpose, basis, register) for purpose, basis in sorted(used)][:ROWS_MAX],
        recipients=latest(recipients)[:ROWS_MAX],
        sources=known.sources[:ROWS_MAX],
        rights=RIGHTS,
        limits=[one for one in known.limits if one.recipient not in outcome.links][:ROWS_MAX],
    )


def _decisions(parts: Parts, stream: str, position: int) -> Iterator[Row]:
    rows = parts.reader.page_of_stream(stream, 2**62, DECISIONS_TOLD_MAX)
    return (row for row in rows if row.topic == TOPIC and row.position < position)


def _recorded(parts: Parts, streams: Sequence[str], outcome: ReadOutcome) -> Iterator[tuple[str, str]]:
    """Yield purpose and basis of what was recorded, but for what is kept from the resident's side."""
    for stream in streams:
        for row in parts.reader.page_of_stream(stream, 2**62, DECISIONS_TOLD_MAX):
            clear, meta, _ = parts.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            changed = _changed(parts, row)
            apart = clear.get("apart") is True or tells_apart(meta.task, meta.purpose, meta.legal_basis)
            apart = apart or f"{meta.organisation}/{meta.task}" in outcome.links
            if row.position < outcome.position and not apart and changed.isdisjoint(outcome.hidden):
                yield meta.purpose, meta.legal_basis


def _changed(parts: Parts, row: Row) -> frozenset[str]:
    """Return the collections an event is about; of a correction, and of word of it, that is sealed."""
    if row.topic not in CORRECTIONS:
        return frozenset({COLLECTION_OF.get(row.topic.rpartition(VERSION_SUFFIX)[0], "")})
    try:
        opened = parts.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    except KeyDestroyed:
        return frozenset()
    return changed_by(opened.event)


def _fill(answer: pb.GetAccessAnswerResponse, told: Told, covered: Covered, given: frozenset[str]) -> None:
    for name, rows in told._asdict().items():
        leaves = _leaves_of(name, given)
        copies = copies_of(answer.DESCRIPTOR.fields_by_name[name].message_type) if leaves else {}
        for row in rows if leaves else ():
            message = getattr(answer, name).add()
            for leaf in leaves:
                copies[leaf](row, message)
    copies = copies_of(pb.AccessCovered.DESCRIPTOR)
    for leaf in _leaves_of(_COVERED, given):
        copies[leaf](covered, answer.covered)


def _leaves_of(name: str, given: frozenset[str]) -> list[str]:
    return [path.partition(".")[2] for path in sorted(given) if path.startswith(f"{name}.")]


RPCS: Final[Mapping[str, Unary]] = {"GetAccessAnswer": Unary(pb.GetAccessAnswerRequest, get_access_answer)}
