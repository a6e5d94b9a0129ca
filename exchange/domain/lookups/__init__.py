"""Review of lookups: who may see the names behind a count, which accesses are drawn, and what a look found.

Promises: this room only gathers; events, state and rules each have their own. What explains an access, and
what counts as an indicator, is a read model's: `exchange/projections/lookups/`.
Source: GDPR 5(1)(f), 5(2), 24, 32, 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from typing import Final

from exchange.domain.kernel import Aggregate, aggregate
from exchange.domain.lookups.decide import (
    ApproveNames,
    DrawSample,
    RecordReview,
    RequestNames,
    approve_names,
    draw_sample,
    record_review,
    request_names,
)
from exchange.domain.lookups.events import LookupReviewed, NamesApproved, NamesRequested, SampleDrawn
from exchange.domain.lookups.state import (
    LookupsState,
    NamesRequest,
    Sample,
    names_approved,
    names_requested,
    reviewed,
    sample_drawn,
)
from exchange.domain.lookups.words import Month, ReviewOutcome, key_of

LOOKUPS: Final[Aggregate] = aggregate(
    "lookups",
    deciders={
        RequestNames: request_names,
        ApproveNames: approve_names,
        DrawSample: draw_sample,
        RecordReview: record_review,
    },
    founders={NamesRequested: names_requested, SampleDrawn: sample_drawn},
    evolvers={NamesApproved: names_approved, LookupReviewed: reviewed},
)

__all__ = [
    "LOOKUPS",
    "ApproveNames",
    "DrawSample",
    "LookupReviewed",
    "LookupsState",
    "Month",
    "NamesApproved",
    "NamesRequest",
    "NamesRequested",
    "RecordReview",
    "RequestNames",
    "ReviewOutcome",
    "Sample",
    "SampleDrawn",
    "key_of",
]
