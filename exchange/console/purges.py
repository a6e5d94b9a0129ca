"""What recipients were asked to erase, and whether they answered: the officer's to watch.

Promises: names no person and no pseudonym: an erasure is known by its own id.
Source: GDPR 17, 19; ResidentRightsService.ListPurgeRequests.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.language import later
from exchange.console.templating import as_datetime
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_TOEZICHT, Claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.console.page import Look

ASKED: Final = Claim(purpose=PURPOSE_TOEZICHT, legal_basis="ERASURE-12")
PAGE_ROWS: Final = 200
PAGES_MAX: Final = 5
ANSWERS: Final[Mapping[pb.PurgeOutcome.ValueType, str]] = {
    pb.PURGE_OUTCOME_UNSPECIFIED: later("nog niet geantwoord"),
    pb.PURGE_OUTCOME_ERASED: later("gewist"),
    pb.PURGE_OUTCOME_NOTHING_KEPT: later("bewaarde niets"),
    pb.PURGE_OUTCOME_KEPT_BY_LAW: later("moet het van de wet bewaren"),
}


class Purge(NamedTuple):
    """What one recipient was asked; `left` is negative once its time has passed."""

    told: pb.PurgeRequest
    answer: str
    left: timedelta

    @property
    def late(self) -> bool:
        """Tell whether an answer is overdue."""
        return self.told.outcome == pb.PURGE_OUTCOME_UNSPECIFIED and self.left < timedelta(0)


async def purges(look: Look, *, only_open: bool) -> tuple[list[Purge], bool]:
    """Return what was asked, first what is due first; and whether there is more than is shown."""
    found: list[Purge] = []
    token = ""
    for _ in range(PAGES_MAX):
        request = pb.ListPurgeRequestsRequest(
            claim=ASKED, only_open=only_open, page_size=PAGE_ROWS, page_token=token
        )
        answer = await look.ask(request, pb.ListPurgeRequestsResponse)
        found += [
            Purge(one, ANSWERS.get(one.outcome, ""), as_datetime(one.due_time) - look.now)
            for one in answer.purge_requests
        ]
        token = answer.next_page_token
        if not token:
            break
    return sorted(found, key=lambda one: one.left), bool(token)
