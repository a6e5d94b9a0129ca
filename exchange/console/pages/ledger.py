"""The ledger: its newest signed state, who is missing under it, and the proof of a leaf.

Promises: no entry of the ledger is fetched here: it is personal data, and who has one shows it himself.
Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof@v1; RFC 9162 section 2.1.
"""

from __future__ import annotations

from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from exchange.console.language import later
from exchange.console.ledger_state import ledger_state
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.roles import APPROVER, AUTHOR, OFFICER
from exchange.v1 import ledger_service_pb2 as pb

if TYPE_CHECKING:
    from exchange.console.page import Look

NUMBER_CHARS_MAX: Final = 15
ENTRY_CHARS_MAX: Final = 4_096
READERS: Final = (OFFICER, AUTHOR, APPROVER)


async def show(look: Look) -> Response:
    """Show the newest state, and the proof since an earlier one where it is asked."""
    since, hashes = look.query.get("vanaf", ""), None
    if since:
        request = pb.GetConsistencyProofRequest(from_size=_number(since))
        answer = await look.ask(request, pb.GetConsistencyProofResponse)
        hashes = [b64encode(one).decode() for one in answer.hashes]
    return look.page(
        "ledger.html",
        ledger=await ledger_state(look),
        since=since,
        hashes=hashes,
        erased=look.session.role is OFFICER,
    )


async def save_state(look: Look) -> Response:
    """Give the newest checkpoint as a file."""
    state = await ledger_state(look)
    if state.trouble:
        raise Refused(state.trouble, later("Het grootboek gaf geen stand."), HTTPStatus.SERVICE_UNAVAILABLE)
    return _file(state.note, "checkpoint")


async def prove(look: Look) -> Response:
    """Show the proof of one leaf; a form may bring the entry along, so that it stands in no address."""
    asked = look.field("leaf") or look.query.get("blad", "")
    leaf = _number(asked)
    answer = await look.ask(pb.GetReceiptRequest(leaf_index=leaf), pb.GetReceiptResponse)
    return look.page(
        "proof.html",
        leaf=leaf,
        proof=answer.tlog_proof,
        entry=look.field("entry")[:ENTRY_CHARS_MAX],
        key=log_key_of(answer.tlog_proof, look.shown.log_keys()),
        missing=list(answer.missing_witnesses),
        quorum=answer.quorum,
    )


async def save_proof(look: Look) -> Response:
    """Give the proof of one leaf as a file."""
    leaf = _number(look.request.path_params["leaf"])
    answer = await look.ask(pb.GetReceiptRequest(leaf_index=leaf), pb.GetReceiptResponse)
    return _file(answer.tlog_proof, f"leaf-{leaf}.tlog-proof")


def _number(told: str) -> int:
    if not (told.isascii() and told.isdecimal() and len(told) <= NUMBER_CHARS_MAX):
        raise Refused("NUMBER", later("Vul een getal in."))
    return int(told)


def log_key_of(proof: str, keys: tuple[str, ...]) -> str:
    """Return the key of the log whose checkpoint stands in a proof; "" where this console knows none."""
    origin = proof.partition("\n\n")[2].partition("\n")[0]
    return next((key for key in keys if key.partition("+")[0] == origin), "")


def _file(text: str, name: str) -> Response:
    disposition = f'attachment; filename="{name}"'
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": disposition}
    return Response(text, headers=headers)


ROUTES: Final = (
    Page("/grootboek", show, READERS, menu=later("Grootboek"), place=70),
    Page("/grootboek/stand", save_state, READERS),
    Page("/grootboek/bewijs", prove, READERS, methods=("GET", "POST")),
    Page("/grootboek/bewijs/{leaf}", save_proof, READERS),
)
