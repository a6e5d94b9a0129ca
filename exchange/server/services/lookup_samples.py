"""A month's sample of lookups: drawn by the log, given with what it is worth, and what was found of it.

Promises: what is drawn follows from the log and the month, and never from who draws or when; a signed
checkpoint covers what it was drawn by.
Source: GDPR 39(1)(b); exchange/decisions/0135-a-sample-nobody-steers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.domain.lookups import DrawSample, RecordReview
from exchange.domain.lookups.words import OFFICER
from exchange.ledger.merkle import range_hash
from exchange.pipeline.walk import Steps
from exchange.projections.lookups.sampling import (
    RATES_THOUSANDTHS,
    Anchor,
    chance_of_one,
    draw,
    seed_of,
)
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names
from exchange.server.interceptor import Unary
from exchange.server.services import duties
from exchange.server.services.lookup_asking import (
    decide,
    leaves_of,
    look,
    month_of_request,
    of_month,
    run,
    stream_for,
)
from exchange.server.walks import author_of, receipt
from exchange.v1 import lookup_review_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain.lookups import LookupsState, Month, Sample
    from exchange.projections.lookups.counting import Judged
    from exchange.server.house import Call

_SAMPLE: Final = labels_of(pb.GetSampleResponse.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Sampled:
    """One access that was drawn; attributes have the names of the contract's fields."""

    decision_id: str
    explanation: str
    indicators: tuple[str, ...]
    outcome: str


async def draw_sample(call: Call, request: pb.DrawSampleRequest) -> pb.DrawSampleResponse:
    """Draw the sample of a month."""
    month = month_of_request(request.month)
    # For who may not draw nothing is drawn: the walk judges everybody.
    anchor = await _anchor(call, month) if call.caller.task == OFFICER else None
    population: list[str] = []
    if anchor is not None:
        look = call.house.parts.lookups.decision_ids
        population = await run(call, look, request.of_organisation, month)
    found = anchor or Anchor("", 0, b"")
    drawn = draw(population, request.sample_size, seed_of(found, request.of_organisation, month.text))
    order = DrawSample(
        now=call.now,
        author=author_of(call.caller),
        of_organisation=request.of_organisation,
        month=month.text,
        origin=found.origin,
        size=found.size,
        root=found.root.hex(),
        population=len(population),
        decision_ids=drawn,
    )
    return pb.DrawSampleResponse(receipt=receipt(await decide(call, request, order)))


async def _anchor(call: Call, month: Month) -> Anchor | None:
    """Return the log as it was at the first decision after a month; None while there is none."""
    parts = call.house.parts
    head, _ = await run(call, parts.reader.head)
    await duties.followed(call, head)
    first = await run(call, parts.lookups.first_after, month)
    if not first:
        return None
    # A signed checkpoint covers it, so that everybody is held to this root.
    proof = await parts.ledger.receipt(first - 1)
    newest = parts.ledger.newest_of(proof.origin)
    assert newest is not None, "a receipt is under a checkpoint"
    log = parts.ledger.log_of(newest)
    size = first - log.first
    root = await run(call, range_hash, 0, size, log.tiles.hash_reader(newest.signed.checkpoint.size))
    return Anchor(log.origin, size, root)


async def get_sample(call: Call, request: pb.GetSampleRequest) -> pb.GetSampleResponse:
    """Give the sample of a month and what was found."""
    month = month_of_request(request.month)
    outcome = await look(call, request, _SAMPLE, lambda _view: Steps(()))
    state: LookupsState | None = await call.house.state(stream_for(request))
    answer = pb.GetSampleResponse(decision_id=outcome.decision_id)
    if state is None or state.sample is None:
        return answer
    copies = copies_of(pb.LookupSample.DESCRIPTOR)
    worth = _Worth(state.sample)
    for leaf in leaves_of(outcome, "sample"):
        copies[leaf](worth, answer.sample)
    drawn, of_decisions = state.sample.decision_ids, call.house.parts.lookups.of_decisions
    known: Mapping[str, Judged] = await of_month(call, outcome, partial(of_decisions, month, drawn))
    copies, leaves = copies_of(pb.SampledLookup.DESCRIPTOR), leaves_of(outcome, "lookups")
    for decision_id in drawn:
        one = known[decision_id]
        said = state.outcomes.get(decision_id, "")
        shown, told = Sampled(decision_id, one.explanation, one.indicators, said), answer.lookups.add()
        for leaf in leaves:
            copies[leaf](shown, told)
    return answer


class _Worth:
    """A sample under the names of the contract's fields."""

    def __init__(self, sample: Sample) -> None:
        self.origin, self.size, self.root = sample.origin, sample.size, sample.root
        self.population, self.drawn = sample.population, len(sample.decision_ids)
        chances = [chance_of_one(self.population, self.drawn, rate) for rate in RATES_THOUSANDTHS]
        self.chance_one_percent, self.chance_half_percent, self.chance_one_in_thousand = chances


async def record_review(call: Call, request: pb.RecordReviewRequest) -> pb.RecordReviewResponse:
    """Record what was found."""
    order = RecordReview(
        now=call.now,
        author=author_of(call.caller),
        of_organisation=request.of_organisation,
        month=request.month,
        decision_id=request.of_decision_id,
        outcome=enum_names(pb.ReviewOutcome.DESCRIPTOR).stored(request.outcome),
    )
    return pb.RecordReviewResponse(receipt=receipt(await decide(call, request, order)))


RPCS: Final[Mapping[str, Unary]] = {
    "DrawSample": Unary(pb.DrawSampleRequest, draw_sample),
    "GetSample": Unary(pb.GetSampleRequest, get_sample),
    "RecordReview": Unary(pb.RecordReviewRequest, record_review),
}
