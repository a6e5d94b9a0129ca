"""The ledger: its signed states, who is missing under the newest, proofs, and the whole as an audit pack.

Promises: no page shows an entry of the ledger: it is personal data, and who has one shows it himself; the
pack, which holds them all, is the officer's, and one recorded decision.
Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof@v1; RFC 9162 section 2.1.
"""

from __future__ import annotations

from base64 import b64encode
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import Response

from exchange.console.downloads import passed_on
from exchange.console.language import later
from exchange.console.ledger_state import ledger_state
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.roles import APPROVER, AUTHOR, OFFICER
from exchange.console.templating import as_datetime
from exchange.v1 import audit_service_pb2 as audit
from exchange.v1 import ledger_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_AUDIT, Claim

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from exchange.console.page import Look

NUMBER_CHARS_MAX: Final = 15
ENTRY_CHARS_MAX: Final = 4_096
READERS: Final = (OFFICER, AUTHOR, APPROVER)
PAGE_ROWS: Final = 10
PACK: Final = "audit-pack.zip"
AUDIT: Final = Claim(purpose=PURPOSE_AUDIT, legal_basis="FG-AUDIT-39")


class Past(NamedTuple):
    """The checkpoints of a page, the largest first; `since` is when the newest state was claimed."""

    rows: Sequence[pb.PastCheckpoint] = ()
    below: int = 0  # of the next page, 0 where there is none
    first: bool = True  # whether the newest is on it


class Proven(NamedTuple):
    """The proof from an earlier state to the newest: both notes and what lies between them.

    `earlier` is "" where the log signed no state of that size.
    """

    since: int
    earlier: str
    newest: str
    hashes: tuple[str, ...]
    key: str


async def show(look: Look) -> Response:
    """Show the newest state, the states before it, and the proof since an earlier one."""
    asked, below = look.query.get("vanaf", ""), look.query.get("onder", "")
    since = _number(asked) if asked else 0
    if asked and not since:
        raise Refused("NUMBER", later("Vul een getal in."))
    state = await ledger_state(look)
    past = Past() if state.trouble else await _past(look, _number(below) if below else 0)
    if not since and past.first and len(past.rows) > 1:
        # What nobody asked: whether it only grew since the state before.
        since = past.rows[1].size
    claimed = next((one.claim_time for one in past.rows if one.size == state.size), None)
    return look.page(
        "ledger.html",
        ledger=state,
        claimed=claimed,
        late=state.late(None if claimed is None else as_datetime(claimed), look.now),
        past=past,
        proven=await _proven(look, since) if since else None,
        officer=look.session.role is OFFICER,
    )


async def _past(look: Look, below: int) -> Past:
    request = pb.ListCheckpointsRequest(below_size=below, page_size=PAGE_ROWS)
    answer = await look.ask(request, pb.ListCheckpointsResponse)
    rows = answer.checkpoints
    return Past(rows, rows[-1].size if answer.more else 0, first=not below)


async def _proven(look: Look, since: int) -> Proven:
    proof = await look.ask(pb.GetConsistencyProofRequest(from_size=since), pb.GetConsistencyProofResponse)
    request = pb.ListCheckpointsRequest(below_size=since + 1, page_size=1)
    signed = (await look.ask(request, pb.ListCheckpointsResponse)).checkpoints
    earlier = next((one.checkpoint for one in signed if one.size == since), "")
    hashes = tuple(b64encode(one).decode() for one in proof.hashes)
    return Proven(since, earlier, proof.checkpoint, hashes, _key_of(proof.checkpoint, look.shown.log_keys()))


async def save_pack(look: Look) -> Response:
    """Give the audit pack of the newest log as a file."""
    told = look.query.get("vanaf", "")
    request = audit.StreamPackRequest(
        claim=AUDIT, fields=["content"], since_size=_number(told) if told else 0
    )
    return await passed_on(_pack(look, request), PACK, "application/zip")


async def _pack(look: Look, request: audit.StreamPackRequest) -> AsyncGenerator[bytes, None]:
    async with aclosing(look.stream(request, audit.StreamPackResponse)) as parts:
        async for part in parts:
            if part.content:
                yield part.content


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
    return _key_of(proof.partition("\n\n")[2], keys)


def _key_of(note: str, keys: tuple[str, ...]) -> str:
    origin = note.partition("\n")[0]
    return next((key for key in keys if key.partition("+")[0] == origin), "")


def _file(text: str, name: str) -> Response:
    disposition = f'attachment; filename="{name}"'
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": disposition}
    return Response(text, headers=headers)


ROUTES: Final = (
    Page("/grootboek", show, READERS, menu=later("Grootboek"), place=70),
    Page("/grootboek/stand", save_state, READERS),
    Page("/grootboek/pak", save_pack, (OFFICER,)),
    Page("/grootboek/bewijs", prove, READERS, methods=("GET", "POST")),
    Page("/grootboek/bewijs/{leaf}", save_proof, READERS),
)
