"""The whole answer on access, gathered over the line for one answer, and what may be taken along.

Promises: every labelled field of every part is asked, each a judged and recorded question of the resident;
what was not given is named, and nothing is kept here. A copy to take along is whole, or is not given.
Source: GDPR 15(1), 15(3), 20(1); protos/exchange/v1.
"""

from __future__ import annotations

import json
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from exchange.console.language import later
from exchange.console.refusals import Refused
from exchange.console.resident.asking import ACCESS, labelled, pages, read_plan, told
from exchange.console.resident.known import known_of
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import disclosure_service_pb2 as disclosure_pb
from exchange.v1 import representation_service_pb2 as representation_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from exchange.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from exchange.console.page import Look
    from exchange.console.resident.asking import Case

TRIES_MAX: Final = 3
PARTS: Final[tuple[tuple[str, Any, type[Message], bool], ...]] = (
    ("consents", consent_pb.ListConsentsRequest, consent_pb.ListConsentsResponse, True),
    (
        "representatives",
        representation_pb.ListRepresentativesRequest,
        representation_pb.ListRepresentativesResponse,
        True,
    ),
    ("disclosures", disclosure_pb.ListDisclosuresRequest, disclosure_pb.ListDisclosuresResponse, True),
    ("requests", rights_pb.ListRightsRequestsRequest, rights_pb.ListRightsRequestsResponse, False),
)


async def gather(look: Look, case: Case) -> bytes:
    """Return the file of who is signed in, as `exchange export` reads it."""
    answer = await _answer(look, case.case_id)
    plan = await read_plan(look, case.plan_id, labelled(Plan.DESCRIPTOR))
    whole: dict[str, Any] = {
        "gathered_at": look.now.isoformat(),
        "author": look.shown.line.organisation.name,
        "answer": told(answer),
        "plan": plan.plan,
    }
    withheld: dict[str, list[str]] = {"plan": list(plan.withheld)}
    for name, request, kind, partial in PARTS:
        asked = request(claim=ACCESS, case_id=case.case_id, fields=labelled(kind.DESCRIPTOR))  # type: ignore[arg-type] # either of two descriptors
        if partial:
            asked.allow_partial = True
        rows: list[dict[str, Any]] = []
        page: Any
        async for page in pages(look, asked, kind):
            rows += map(told, getattr(page, name))
            withheld[name] = list(getattr(page, "withheld_fields", ()))
        whole[name] = rows
    whole["receipts"] = [json.loads(await _receipt(look, one["consent_id"])) for one in whole["consents"]]
    known = await known_of(look)
    # What the paper calls an organisation and a law; it is about nobody.
    whole |= {"organisations": dict(known.names), "articles": dict(known.articles)}
    whole["withheld"] = withheld
    return json.dumps(whole, ensure_ascii=False).encode()


async def take_along(look: Look, plan_id: str) -> bytes:
    """Return the copy to take along. Raises Refused where the plan never held still."""
    for _ in range(TRIES_MAX):
        request = rights_pb.GetPortableCopyRequest(
            claim=ACCESS, plan_id=plan_id, fields=labelled(Plan.DESCRIPTOR)
        )
        parts, named = list[bytes](), set[bytes]()
        async for part in pages(look, request, rights_pb.GetPortableCopyResponse):
            parts.append(part.part)
            named.add(part.sha256)
            if len(named) > 1:
                break
        document = b"".join(parts)
        if named == {sha256(document).digest()}:
            return document
    raise Refused(
        "PLAN_MOVES",
        later("Uw plan veranderde terwijl het werd opgehaald. Probeer het zo opnieuw."),
        HTTPStatus.CONFLICT,
    )


async def _answer(look: Look, case_id: str) -> rights_pb.GetAccessAnswerResponse:
    request = rights_pb.GetAccessAnswerRequest(
        claim=ACCESS, case_id=case_id, fields=labelled(rights_pb.GetAccessAnswerResponse.DESCRIPTOR)
    )
    first: rights_pb.GetAccessAnswerResponse | None = None
    async for page in pages(look, request, rights_pb.GetAccessAnswerResponse):
        if first is None:
            first = page
        else:
            first.covered.leaf_indexes.extend(page.covered.leaf_indexes)
    assert first is not None, "a list has a first page"
    return first


async def _receipt(look: Look, consent_id: str) -> str:
    request = consent_pb.GetConsentReceiptRequest(claim=ACCESS, consent_id=consent_id, fields=["json_ld"])
    return (await look.ask(request, consent_pb.GetConsentReceiptResponse)).json_ld
