"""What is known of organisations and of laws: names and articles, from the record of processing activities.

Promises: the organisation asks for it itself: it is about nobody, and who is in it says nothing of who knows
a resident. An organisation without a name is told by its task, never by a number.
Source: GDPR 12(1), 30(1); protos/exchange/v1/legal_basis_service.proto.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.names import recorded
from exchange.console.roles import DESK
from exchange.v1 import legal_basis_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.console.page import Look
    from exchange.documents.words import Words

SELF: Final = frozenset({"betrokkene", "wettelijk-vertegenwoordiger"})


class Known(NamedTuple):
    """Names by OIN, and articles by the id of a legal basis."""

    names: Mapping[str, str]
    articles: Mapping[str, str]

    def name(self, oin: str) -> str:
        """Return what an organisation is called; empty where nobody knows."""
        return self.names.get(oin, "")

    def who(self, oin: str, task: str, words: Words) -> str:
        """Return an organisation with its task, in words: "Zorg Voorbeeld: een organisatie die ..."."""
        # A task that has no words of its own would be shown as it is stored.
        said = words.task(task)
        kind = said if said != task else ""
        name = "" if task in SELF else self.name(oin)
        return f"{name}: {kind[:1].lower()}{kind[1:]}" if name and kind else name or kind

    def article(self, basis: str) -> str:
        """Return where the law says it, of a basis with or without its version; empty where nobody knows."""
        return self.articles.get(basis.partition("@")[0], "")


async def known_of(look: Look) -> Known:
    """Return what the record says now."""
    mine, asking = look.shown.line.organisation, replace(look.session, role=DESK, resident=None)

    async def ask(request: pb.ListProcessingActivitiesRequest) -> pb.ListProcessingActivitiesResponse:
        return await look.shown.line.ask(request, pb.ListProcessingActivitiesResponse, asking)

    found = await recorded(ask)
    return Known({**found.names, mine.oin: mine.name}, found.articles)
