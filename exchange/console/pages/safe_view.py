"""The safe view: for a resident of whom somebody may see the screen, or look into his browser afterwards.

Promises: whether it is on stands in the session here and nowhere else: no cookie, no address, nothing that
survives signing out. In it titles and headings say nothing, nothing is downloaded, nothing is told as new.
Source: exchange/decisions/0151-a-safe-view.md; what is sealed is absent in every view (GATE, rule R26).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from exchange.console.language import later
from exchange.console.login import onward
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.roles import NO_STAFF

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

# Not even this page says in a history that somebody read how not to be seen.
TITLE: Final = later("Uitleg")
NEUTRAL: Final = later("Overzicht")
SAFE: Final = {"0": False, "1": True}


async def explain(look: Look) -> Response:
    """Say what it does, and what it cannot do."""
    return look.page("safe_view.html", heading=look.heading(TITLE, NEUTRAL))


async def choose(look: Look) -> Response:
    """Turn it on or off, and show the same page again."""
    chosen = SAFE.get(look.field("stand"))
    if chosen is None:
        raise Refused("VIEW", later("Kies een weergave."))
    look.keep(replace(look.session, safe=chosen))
    return look.onward(onward(look.field("terug")))


ROUTES: Final = (
    Page("/mijn/5", explain, NO_STAFF),
    Page("/weergave", choose, NO_STAFF, methods=("POST",)),
)
