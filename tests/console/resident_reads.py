"""What a resident's pages say, and what the exchange has of him: as tests read both."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

from adapters.sdk.tokens import Person
from tests.server.town import ACCESS

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.console.house import Visitor
    from tests.server.story import Story

FORM = re.compile(r'<form method="post" action="([^"]+)".*?</form>', re.DOTALL)
HIDDEN = re.compile(r'type="hidden" name="([a-z_]+)" value="([^"]*)"')


def words_of(text: str) -> str:
    """Return what somebody reads in a page: of its main part, without what stands in fields."""
    main = text.partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def form_of(visitor: Visitor, page: str, action: str, **hidden: str) -> dict[str, str]:
    """Return what the first such form of a page carries unseen; empty where it has none."""
    text = visitor.get(page).text
    for found in FORM.finditer(text):
        told = dict(HIDDEN.findall(found[0]))
        if found[1] == action and hidden.items() <= told.items():
            return told
    return {}


def client_of(story: Story) -> ExchangeClient:
    """Return the resident on the one connection of the portal."""
    return story.town.signed_in(Person("burger-1", "betrokkene", "inwoner", resident=story.pseudonym))


def numbers_of(story: Story) -> dict[str, int]:
    """Return the place of each consent, by its id."""
    told = client_of(story).consent.list_consents(
        claim=ACCESS, case_id=story.case_id, fields=["consents.consent_id"], page_size=200
    )
    return {one.consent_id: place for place, one in enumerate(told.consents, start=1)}


def state_of(story: Story, consent_id: str) -> int:
    told: Any = client_of(story).consent.list_consents(
        claim=ACCESS, case_id=story.case_id, fields=["consents.consent_id", "consents.state"], page_size=200
    )
    (found,) = (one.state for one in told.consents if one.consent_id == consent_id)
    return int(found)


def requests_of(story: Story) -> list[Any]:
    told = client_of(story).rights.list_rights_requests(
        claim=ACCESS,
        case_id=story.case_id,
        fields=["requests.right", "requests.statement", "requests.due_time"],
    )
    return list(told.requests)


def plan_version(story: Story) -> int:
    told = client_of(story).plan.get_plan(claim=ACCESS, plan_id=story.plan_id, fields=["version"])
    return int(told.plan.version)
