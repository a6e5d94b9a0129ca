"""One version of a legal basis: what it says, what it opens and closes, who answers for it; and the deciding.

Promises: who approves saw what it opens on the same page, and approves exactly the text shown there; of two
who decide at once the other is told; who audits has no form here.
Source: GDPR 5(2), 24, 25, 35; exchange/decisions/0149-what-an-approver-sees.md.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pages.policy.entries import KEEPING, changes, entries, former_of, openings
from exchange.console.pages.policy.register import NUMBER_CHARS_MAX, PATH, READERS, state_of
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import APPROVER, AUTHOR, OFFICER
from exchange.console.templating import HERE
from exchange.v1 import legal_basis_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from exchange.console.page import Look

APPROVERS_NEEDED: Final = 2
SEEN: Final = "ja"
# What the exchange says to who decides, by its rule.
RULES: Final[Mapping[str, str]] = {
    "PROPOSER_APPROVES": later("U hebt deze versie zelf voorgesteld. Twee anderen moeten haar goedkeuren."),
    "APPROVED_TWICE": later("U keurde deze versie al goed. Nu is iemand anders nodig."),
    "APPROVED_ALREADY": later("Een ander was u voor: deze versie is al door twee personen goedgekeurd."),
    "VERSION_DISABLED": later("Een ander was u voor: deze versie is ingetrokken."),
    "OTHER_CONTENT": later("Dit is niet de tekst die is voorgesteld. Lees hem opnieuw."),
    "VALIDITY_OVERLAPS": later("Een andere versie kwam intussen in werking en geldt op dezelfde dagen."),
    "VERSION_UNKNOWN": later("Deze versie bestaat niet."),
}


async def show(look: Look) -> Response:
    """Show a version."""
    told = look.request.path_params
    return await _page(look, told["basis_id"], told["number"])


async def approve(look: Look) -> Response:
    """Approve the version that was shown."""
    basis_id, number = look.field("grondslag"), look.field("versie")
    if look.field("gezien") != SEEN:
        wrong = {"gezien": later("Bekijk eerst wat deze versie opent en sluit, en kruis dat aan.")}
        return await _page(look, basis_id, number, HTTPStatus.BAD_REQUEST, wrong=wrong)
    try:
        shown = bytes.fromhex(look.field("sha256"))
    except ValueError:
        raise Refused("SHA256", RULES["OTHER_CONTENT"]) from None
    request = pb.ApproveLegalBasisRequest(
        request_id=look.field("request_id"),
        claim=KEEPING,
        basis_id=basis_id,
        basis_version=_number(number),
        sha256=shown,
    )
    try:
        answer = await look.ask(request, pb.ApproveLegalBasisResponse)
    except AnswerRefused as refused:
        return await _not_done(look, basis_id, number, refused)
    way = (
        later("Goedgekeurd. Met u keurden twee personen goed: deze versie staat nu in het register")
        if answer.enabled
        else later("Goedgekeurd. Er is nog één persoon nodig: tot dan opent deze versie niets")
    )
    return look.page("receipt.html", receipt=answer.receipt, way=way, back=_path(basis_id, number))


async def disable(look: Look) -> Response:
    """End a version, or take a proposal back."""
    basis_id, number, reason = look.field("grondslag"), look.field("versie"), look.field("reden").strip()
    if not reason:
        wrong = {"reden": later("Schrijf op waarom. Wie het register leest, ziet dat.")}
        return await _page(look, basis_id, number, HTTPStatus.BAD_REQUEST, wrong=wrong)
    request = pb.DisableLegalBasisRequest(
        request_id=look.field("request_id"),
        claim=KEEPING,
        basis_id=basis_id,
        basis_version=_number(number),
        reason=reason,
    )
    try:
        answer = await look.ask(request, pb.DisableLegalBasisResponse)
    except AnswerRefused as refused:
        return await _not_done(look, basis_id, number, refused)
    way = later("Ingetrokken. Vanaf nu gaat er op deze versie niets meer weg")
    return look.page("receipt.html", receipt=answer.receipt, way=way, back=_path(basis_id, number))


async def _not_done(look: Look, basis_id: str, number: str, refused: AnswerRefused) -> Response:
    """Show the version as it now stands, with what the register said of the decision."""
    said = RULES.get(refused.metadata.get("rule", ""))
    if said is None:
        raise refused
    return await _page(look, basis_id, number, refused.status, refused_as=said)


async def _page(
    look: Look,
    basis_id: str,
    number: str,
    status: HTTPStatus = HTTPStatus.OK,
    **told: Any,  # noqa: ANN401 -- whatever the template shows
) -> Response:
    wanted, known, today = _number(number), await entries(look), look.now.astimezone(HERE).date()
    one = next(
        (row for row in known if (row.told.basis_id, row.told.basis_version) == (basis_id, wanted)), None
    )
    if one is None:
        raise Refused("NO_VERSION", RULES["VERSION_UNKNOWN"], HTTPStatus.NOT_FOUND)
    former, role = former_of(one, known), look.session.role
    waits = one.told.state == pb.LEGAL_BASIS_STATE_PROPOSED
    ended = one.told.state == pb.LEGAL_BASIS_STATE_DISABLED
    around = {"wrong": {}, "refused_as": ""}
    return look.page(
        "version.html",
        status,
        **(around | told),
        one=one,
        stands=state_of(one, today),
        former=former,
        openings=openings(one, former, known, today) if waits else (),
        changes=changes(one, former),
        waits=waits,
        needed=APPROVERS_NEEDED - len(one.told.approvers),
        approves=waits and role is APPROVER,
        disables=not ended and role in (AUTHOR, APPROVER),
        previews=waits and role is OFFICER,
        ids=(look.fresh_id(), look.fresh_id()),
        since=today.replace(day=1).isoformat(),
    )


def _path(basis_id: str, number: str) -> str:
    return f"{PATH}/{basis_id}/{number}"


def _number(told: str) -> int:
    if not (told.isascii() and told.isdecimal() and len(told) <= NUMBER_CHARS_MAX):
        raise Refused("NO_VERSION", RULES["VERSION_UNKNOWN"], HTTPStatus.NOT_FOUND)
    return int(told)


ROUTES: Final = (
    Page(f"{PATH}/goedkeuren", approve, (APPROVER,), methods=("POST",)),
    Page(f"{PATH}/intrekken", disable, (AUTHOR, APPROVER), methods=("POST",)),
    Page(f"{PATH}/{{basis_id}}/{{number}}", show, READERS),
)
