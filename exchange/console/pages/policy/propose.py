"""A proposal: a version of a legal basis that opens nothing until two others approved it.

Promises: a fault in the text is shown at its place, and nothing was recorded then.
Source: GDPR 5(2), 24, 25.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pages.policy.entries import KEEPING
from exchange.console.pages.policy.faults import fault_of
from exchange.console.pages.policy.preview import text_of
from exchange.console.pages.policy.register import PATH
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import AUTHOR
from exchange.v1 import legal_basis_service_pb2 as pb

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

# Of the contract: ProposeLegalBasisRequest.text.
TEXT_CHARS_MAX: Final = 16_000
_LONG: Final = later("Deze versie is te groot: ten hoogste 16.000 tekens.")


async def show(look: Look) -> Response:
    """Show the empty form."""
    return _page(look, "")


async def propose(look: Look) -> Response:
    """Propose what was filled in."""
    text = look.field("tekst")
    try:
        text = await text_of(look, TEXT_CHARS_MAX, _LONG)
        request = pb.ProposeLegalBasisRequest(request_id=look.field("request_id"), claim=KEEPING, text=text)
        answer = await look.ask(request, pb.ProposeLegalBasisResponse)
    except AnswerRefused as refused:
        fault = fault_of(refused, text)
        if fault is None:
            raise
        return _page(look, text, refused.status, fault=fault)
    except Refused as refused:
        if refused.reason != "TEXT":
            raise
        return _page(look, "", HTTPStatus.BAD_REQUEST, wrong=refused.sentence)
    way = later("Voorgesteld. Kijk nu wat deze versie opent en sluit; twee anderen moeten haar goedkeuren")
    back = f"{PATH}/{answer.basis_id}/{answer.basis_version}"
    return look.page("receipt.html", receipt=answer.receipt, way=way, back=back)


def _page(
    look: Look,
    text: str,
    status: HTTPStatus = HTTPStatus.OK,
    **told: Any,  # noqa: ANN401 -- whatever the template shows
) -> Response:
    around = {"fault": None, "wrong": "", "longest": TEXT_CHARS_MAX, "text": text}
    return look.page("propose.html", status, **(around | told), request_id=look.fresh_id())


ROUTES: Final = (
    Page(f"{PATH}/voorstel", show, (AUTHOR,)),
    Page(f"{PATH}/voorstel", propose, (AUTHOR,), methods=("POST",)),
)
