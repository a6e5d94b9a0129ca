"""What organisations are called: from the record of processing activities, which is about nobody.

Promises: who is not in it is told by his OIN; a name is never taken from anything else that was asked. A list
is as old as fifteen minutes at most; where it cannot be had, the last one stands.
Source: GDPR 30(1); protos/exchange/v1/legal_basis_service.proto.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from jinja2 import pass_context
from markupsafe import Markup

from exchange.console.refusals import AnswerRefused
from exchange.v1 import legal_basis_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_INZAGE, Claim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from jinja2.runtime import Context

    Asking = Callable[[pb.ListProcessingActivitiesRequest], Awaitable[pb.ListProcessingActivitiesResponse]]

READING: Final = Claim(purpose=PURPOSE_INZAGE, legal_basis="REGISTER-12")
PAGE_ROWS: Final = 200
PAGES_MAX: Final = 20
AGE_S_MAX: Final = 15 * 60


class Recorded(NamedTuple):
    """Names by OIN, and articles by the id of a legal basis."""

    names: Mapping[str, str]
    articles: Mapping[str, str]


async def recorded(ask: Asking) -> Recorded:
    """Return what the record says now."""
    names, articles, token = dict[str, str](), dict[str, str](), ""
    for _ in range(PAGES_MAX):
        page = await ask(
            pb.ListProcessingActivitiesRequest(claim=READING, page_size=PAGE_ROWS, page_token=token)
        )
        for activity in page.activities:
            for one in activity.recipient_organisations:
                oin, _, name = one.partition(" ")
                names.setdefault(oin, name)
            for one in activity.legal_bases:
                basis, _, article = one.partition(": ")
                articles.setdefault(basis.partition("@")[0], article)
        token = page.next_page_token
        if not token:
            break
    return Recorded(names, articles)


class Names:
    """Of one console, for its staff. Owned by the event loop."""

    def __init__(self, own: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._own = own
        self._clock = clock
        self._asked = float("-inf")
        self.told: Mapping[str, str] = MappingProxyType(dict(own))

    async def refresh(self, ask: Asking) -> None:
        """Ask anew where the list is old; of many at once the first asks."""
        now = self._clock()
        if 0 <= now - self._asked < AGE_S_MAX:
            return
        self._asked = now
        try:
            found = await recorded(ask)
        except AnswerRefused:
            # The page itself says what is wrong with the line, if anything is.
            return
        self.told = MappingProxyType({**found.names, **self._own})


@pass_context
def named(context: Context, oin: str) -> Markup | str:
    """Return an organisation by name with its OIN beneath, by its OIN alone where nobody knows the name."""
    name = context["organisation_names"].get(oin, "")
    return Markup('{} <span class="oin">{}</span>').format(name, oin) if name else oin
