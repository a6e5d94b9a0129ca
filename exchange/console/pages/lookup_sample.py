"""The sample of a month of lookups: draw it once, see what it is worth, say what was found of each.

Promises: what was drawn by is shown whole, with a program by which anybody draws the same; chances are those
the exchange tells; a sample names decisions and no persons.
Source: GDPR 39(1)(b); exchange/decisions/0135-a-sample-nobody-steers.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from exchange.console.language import later
from exchange.console.lookup_words import (
    AUDIT,
    REVIEW,
    TITLES,
    ask,
    asked_month,
    asked_organisation,
    month_in_words,
)
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE
from exchange.v1 import lookup_review_service_pb2 as pb

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

LONGER_THAN_A_MONTH: Final = timedelta(days=32)
SIZE_MAX: Final = 200
SIZE_DEFAULT: Final = 50
_NUMBER_CHARS_MAX: Final = 3
FIELDS: Final = [
    *(f"sample.{field.name}" for field in pb.LookupSample.DESCRIPTOR.fields),
    *(f"lookups.{field.name}" for field in pb.SampledLookup.DESCRIPTOR.fields),
]


class Found(NamedTuple):
    """What a person can find of a lookup; `kind` is how it looks beside its word."""

    outcome: pb.ReviewOutcome.ValueType
    value: str
    says: str
    kind: str


FINDINGS: Final = (
    Found(pb.REVIEW_OUTCOME_EXPLAINED, "verklaard", later("Er was een reden"), "good"),
    Found(pb.REVIEW_OUTCOME_UNLAWFUL, "onrechtmatig", later("Er was geen reden"), "bad"),
    Found(pb.REVIEW_OUTCOME_UNKNOWN, "onbekend", later("Niet meer na te gaan"), "warn"),
)


async def show(look: Look) -> Response:
    """Show the sample of a month, or how to draw it."""
    month, organisation = asked_month(look), asked_organisation(look)
    request = pb.GetSampleRequest(claim=AUDIT, fields=FIELDS, of_organisation=organisation, month=month)
    answer = await ask(look, request, pb.GetSampleResponse)
    starts, ends = bounds_of(month)
    return look.page(
        "lookup_sample.html",
        month=month,
        month_told=month_in_words(month),
        starts=starts,
        ends=ends,
        organisation_told=organisation,
        sample=answer.sample if answer.HasField("sample") else None,
        lookups=answer.lookups,
        said=sum(one.outcome != pb.REVIEW_OUTCOME_UNSPECIFIED for one in answer.lookups),
        found={one.outcome: one for one in FINDINGS},
        findings=FINDINGS,
        titles=TITLES,
        ids=[look.fresh_id() for _ in answer.lookups],
        request_id=look.fresh_id(),
        size_default=SIZE_DEFAULT,
        size_max=SIZE_MAX,
    )


async def draw(look: Look) -> Response:
    """Record that the sample is drawn."""
    month, organisation, size = asked_month(look), asked_organisation(look), look.field("aantal")
    if not (size.isascii() and size.isdecimal() and len(size) <= _NUMBER_CHARS_MAX):
        raise Refused("NUMBER", later("Vul een getal in."))
    request = pb.DrawSampleRequest(
        request_id=look.field("request_id"),
        claim=REVIEW,
        of_organisation=organisation,
        month=month,
        sample_size=int(size),
    )
    answer = await ask(look, request, pb.DrawSampleResponse)
    back = _place(organisation, month)
    return look.page(
        "receipt.html", receipt=answer.receipt, way=later("De steekproef is getrokken"), back=back
    )


async def say(look: Look) -> Response:
    """Record what was found of one lookup, and go on with the next."""
    month, organisation = asked_month(look), asked_organisation(look)
    told = {one.value: one for one in FINDINGS}.get(look.field("bevinding"))
    if told is None:
        raise Refused("FINDING", later("Kies wat u hebt gevonden."))
    request = pb.RecordReviewRequest(
        request_id=look.field("request_id"),
        claim=REVIEW,
        of_organisation=organisation,
        month=month,
        of_decision_id=look.field("beslissing"),
        outcome=told.outcome,
    )
    await ask(look, request, pb.RecordReviewResponse)
    return look.onward(f"{_place(organisation, month)}#te-doen")


def bounds_of(month: str) -> tuple[str, str]:
    """Return the first moment of a month here, and of the next, in UTC as the command line takes them."""
    first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=HERE)
    after = (first + LONGER_THAN_A_MONTH).replace(day=1)
    starts, ends = (one.astimezone(UTC).replace(tzinfo=None).isoformat() for one in (first, after))
    return starts, ends


def _place(organisation: str, month: str) -> str:
    return f"/toezicht/steekproef?{urlencode({'maand': month, 'organisatie': organisation})}"


ROUTES: Final = (
    Page("/toezicht/steekproef", show, (OFFICER,)),
    Page("/toezicht/trekken", draw, (OFFICER,), methods=("POST",)),
    Page("/toezicht/bevinding", say, (OFFICER,), methods=("POST",)),
)
