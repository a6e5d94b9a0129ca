"""Money in the plan: what a bewindvoerder finds here of the resident whose money he keeps, and why no more.

Promises: nothing of a page that is not about money is offered to him; a figure stands as it was told.
Source: BW 1:431, 1:441; GDPR 12(1), 15; exchange/decisions/0174-who-keeps-the-money-names-the-plan.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.resident.money import arrears_of
from exchange.console.resident.plain import Plain
from exchange.console.roles import MONEY
from exchange.documents.words import words_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

TITLE: Final = later("Geld in het plan")
NEUTRAL: Final = later("Overzicht")


async def show(look: Look) -> Response:
    """Show what is about money."""
    arrears = await arrears_of(look)
    return look.page(
        "my_money.html",
        heading=look.heading(TITLE, NEUTRAL),
        arrears=arrears,
        plain=Plain(words_of(look.words.language)),
    )


ROUTES: Final = (Page(MONEY.home, show, (MONEY,), menu=TITLE, place=10),)
