"""What was gathered, as files that `exchange export` makes documents of: a resident's, a month, a register.

Promises: everything in a file came by calls that were judged and recorded; names are those of the contract.
A file of a resident holds his data and the keys that find his leaves: it is his, and is kept as what he got.
Source: GDPR 15, 30(1), 39(1)(b); protos/exchange/v1 (the JSON form of its messages).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.json_format import MessageToDict

from adapters.sdk.access import labelled
from exchange.v1 import audit_service_pb2 as audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from google.protobuf.message import Message

    from adapters.sdk.access import Access
    from adapters.sdk.client import ExchangeClient
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.consent_service_pb2 import Consent


class Known(NamedTuple):
    """Names of organisations by OIN, and articles by the id of a legal basis: about nobody."""

    organisations: Mapping[str, str] = {}
    articles: Mapping[str, str] = {}


NOTHING = Known()
PARTS = ("consents", "representatives", "disclosures", "requests")


def receipts_of(client: ExchangeClient, claim: Claim, consents: Iterable[Consent]) -> list[str]:
    """Return a receipt of each consent, JSON-LD; each is a question of its own."""
    return [
        client.consent.get_consent_receipt(claim=claim, consent_id=one.consent_id, fields=["json_ld"]).json_ld
        for one in consents
    ]


def known_of(client: ExchangeClient, claim: Claim) -> Known:
    """Return names and articles from the record of processing activities; an organisation may ask."""
    organisations, articles = dict[str, str](), dict[str, str]()
    for one in json.loads(activities_file(client, claim))["activities"]:
        told_as = (said.partition(" ") for said in one.get("recipient_organisations", ()))
        organisations |= {oin: name for oin, _, name in told_as}
        cited = (said.partition(": ") for said in one.get("legal_bases", ()))
        articles |= {basis.partition("@")[0]: article for basis, _, article in cited}
    return Known(organisations, articles)


def access_file(
    found: Access, receipts: Sequence[str], author: str, gathered_at: datetime, known: Known = NOTHING
) -> bytes:
    """Return the file of one resident: what `gather` gave, with the receipts of his consents.

    `known` are the names of organisations and laws, for the paper that people read.
    """
    parts = {name: [told(one) for one in getattr(found, name)] for name in PARTS}
    whole = {
        "gathered_at": gathered_at.isoformat(),
        "author": author,
        "answer": told(found.answer),
        "plan": told(found.plan),
        **parts,
        "receipts": [json.loads(one) for one in receipts],
        "withheld": {name: list(paths) for name, paths in found.withheld.items()},
        "organisations": dict(known.organisations),
        "articles": dict(known.articles),
    }
    return json.dumps(whole, ensure_ascii=False).encode()


def month_file(client: ExchangeClient, claim: Claim, year: int, month: int, author: str = "") -> bytes:
    """Return the file of a month: the decisions of all pages, and what stands on the first."""
    asked: dict[str, Any] = {"claim": claim, "year": year, "month": month}
    asked["fields"] = labelled(audit.SummariseMonthResponse.DESCRIPTOR)
    first = client.audit.summarise_month(**asked)
    counts: dict[tuple[str, ...], int] = {}
    page = first
    while True:
        for one in page.decisions:
            kind = (one.organisation, one.legal_basis, one.action, one.outcome)
            counts[kind] = counts.get(kind, 0) + one.count
        if not page.next_page_token:
            break
        page = client.audit.summarise_month(**asked, page_token=page.next_page_token)
    names = ("organisation", "legal_basis", "action", "outcome")
    whole = {
        "author": author,
        "scope": told(first.scope),
        "decisions": [
            dict(zip(names, kind, strict=True)) | {"count": counts[kind]} for kind in sorted(counts)
        ],
        "duties": [told(one) for one in first.duties],
        "ledger": told(first.ledger) | {"quorum": first.ledger.quorum},
    }
    return json.dumps(whole, ensure_ascii=False).encode()


def activities_file(client: ExchangeClient, claim: Claim) -> bytes:
    """Return the file of the record of processing activities, of all pages."""
    page = client.legal_basis.list_processing_activities(claim=claim)
    whole = told(page)
    whole["activities"] = [told(one) for one in page.activities]
    while page.next_page_token:
        page = client.legal_basis.list_processing_activities(claim=claim, page_token=page.next_page_token)
        whole["activities"] += [told(one) for one in page.activities]
    for name in ("next_page_token", "decision_id"):
        whole.pop(name, None)
    return json.dumps(whole, ensure_ascii=False).encode()


def told(message: Message) -> dict[str, Any]:
    """Return a message in the JSON form of the contract, by the names of its fields."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found
