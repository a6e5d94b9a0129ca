"""A consent told back to whom it is about: a consent receipt as JSON-LD, made from the consent's own events.

Promises: what is in it was recorded, with the ledger's leaf index of each event, so that all of it can be
proven, and with the salt of each field that leaf commits to, so that one can be shown without the others;
its context is inside, nothing is fetched to read it; the resident's reference here is not in it.
Source: ISO/IEC TS 27560 (consent records and receipts), Data Privacy Vocabulary 2 (DPV), GDPR 7(1), 7(3), 13.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.consent_events import ConsentGiven, ConsentRefused, ConsentRequested, ConsentWithdrawn
from exchange.domain.representation.words import SELF
from exchange.domain.values import SPECIAL_CATEGORIES, ConsentKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.store.shown import Committed

_IRI: Final = {"@type": "@id"}
_TIME: Final = {"@type": "xsd:dateTime"}
CONTEXT: Final[dict[str, object]] = {
    "@version": 1.1,
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "legal-eu": "https://w3id.org/dpv/legal/eu#",
    "dpv-27560": "https://w3id.org/dpv/schema/dpv-27560#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    # Our own few terms: where the ledger has it, and the notice word for word.
    "exchange": "urn:exchange:terms#",
    "exchange:leafIndex": {"@type": "xsd:integer"},
    "exchange:value": {"@type": "@json"},
    **dict.fromkeys(("dct:created", "dpv:isIndicatedAtTime"), _TIME),
    **dict.fromkeys(
        (
            "dct:conformsTo",
            "dct:publisher",
            "skos:broader",
            "dpv:hasRecordOfActivity",
            "dpv:hasDataSubject",
            "dpv:hasDataController",
            "dpv:hasRecipient",
            "dpv:hasPurpose",
            "dpv:hasPersonalData",
            "dpv:hasLegalBasis",
            "dpv:hasJurisdiction",
            "dpv:hasApplicableLaw",
            "dpv:hasProcess",
            "dpv:hasNotice",
            "dpv:hasConsentStatus",
            "dpv:hasConsentControl",
            "dpv:hasRight",
            "dpv:hasStorageCondition",
            "dpv:hasDuration",
            "dpv:hasLocation",
            "dpv:isExercisedAt",
            "dpv:isIndicatedBy",
        ),
        _IRI,
    ),
}
# Where a consent is withdrawn if its notice, of before notices were registered, names no place.
WITHDRAW_RPC: Final = "urn:exchange:rpc:exchange.v1.ConsentService/WithdrawConsent"
_AUTHORITY: Final = "https://autoriteitpersoonsgegevens.nl"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of a consent, when it was recorded, the index of its leaf, and what that leaf commits to."""

    event: Event
    at: datetime
    leaf_index: int
    committed: tuple[Committed, ...] = ()
    entry: bytes = b""  # the leaf itself, given where it commits to something


@dataclass(frozen=True, slots=True)
class Telling:
    """What surrounds the events: id and time of this receipt, and the controller's own name."""

    receipt_id: str
    created: datetime
    controller_name: str


def receipt_text(history: Sequence[Recorded], telling: Telling) -> str:
    """Return the receipt. The first event is the question; those that are no consent's are left out."""
    asked = history[0].event
    assert isinstance(asked, ConsentRequested)
    controller = f"urn:oin:{asked.organisation}"
    receipt = {
        "@context": CONTEXT,
        "@id": f"urn:uuid:{telling.receipt_id}",
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": telling.receipt_id,
        "dct:conformsTo": "dpv-27560:receipt-eu-gdpr",
        "dct:created": _time(telling.created),
        "dct:publisher": controller,
        "dpv:hasRecordOfActivity": {
            "@id": f"urn:uuid:{asked.consent_id}",
            "@type": "dpv:ConsentRecord",
            "dct:identifier": asked.consent_id,
            "dct:conformsTo": "dpv-27560:record-eu-gdpr",
            "dpv:hasDataSubject": {
                "@id": f"urn:uuid:{asked.consent_id}#resident",
                "@type": "dpv:DataSubject",
            },
            "dpv:hasDataController": {
                "@id": controller,
                "@type": "dpv:DataController",
                "dpv:hasName": telling.controller_name,
            },
            "dpv:hasJurisdiction": "loc:NL",
            "dpv:hasApplicableLaw": "legal-eu:law-GDPR",
            "dpv:hasLegalBasis": _legal_basis(asked),
            "exchange:consentKind": asked.kind,
            **_scope(asked),
            "dpv:hasProcess": _process(asked),
            "dpv:hasNotice": _notice(asked),
            **_rights(asked),
            "dpv:hasConsentStatus": [told for one in history if (told := _told(one, asked))],
        },
    }
    return json.dumps(receipt, ensure_ascii=False)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _legal_basis(asked: ConsentRequested) -> list[str]:
    # Only one kind is the basis itself; the others are conditions beside a public task (recital 43).
    return ["eu-gdpr:A6-1-a" if asked.kind == ConsentKind.GDPR else "eu-gdpr:A6-1-e"]


def _process(asked: ConsentRequested) -> dict[str, object]:
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@id": f"urn:exchange:purpose:{asked.purpose}",
            "@type": "dpv:Purpose",
            "dct:title": asked.purpose,
            "skos:broader": "dpv:ServiceProvision",
        },
        "dpv:hasPersonalData": [
            {
                "@id": f"urn:exchange:category:{category}",
                "skos:broader": "dpv:SpecialCategoryPersonalData"
                if category in SPECIAL_CATEGORIES
                else "dpv:PersonalData",
            }
            for category in asked.categories
        ],
        "dpv:hasRecipient": [f"urn:oin:{one.replace('/', '#', 1)}" for one in asked.recipients],
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageDuration", "dpv:hasDuration": _until(asked)},
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": ["loc:NL"]},
        ],
    }


def _scope(asked: ConsentRequested) -> dict[str, object]:
    """Return the law it was asked under and whose data it is about, where that was said."""
    said = {"exchange:regime": asked.regime, "exchange:sources": list(asked.sources)}
    return {name: value for name, value in said.items() if value}


def _until(asked: ConsentRequested) -> dict[str, str]:
    return {"@type": "dpv:UntilTimeDuration", "rdf:value": _time(asked.end_time)}


def _notice(asked: ConsentRequested) -> dict[str, object]:
    return {
        "@id": f"urn:exchange:notice:{asked.organisation}:{asked.notice_id}:v{asked.notice_version}",
        "@type": "dpv:ConsentNotice",
        # Notices of before they were registered were Dutch too; "und" says that nobody recorded it.
        "dct:language": asked.notice_language or "und",
        "exchange:level": asked.notice_level,
        "exchange:sha256": asked.notice_sha256,
    }


def _rights(asked: ConsentRequested) -> dict[str, object]:
    channels = list(asked.withdrawal_channels) or [WITHDRAW_RPC]
    return {
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": channels},
        "dpv:hasRight": [
            {"@type": ["dpv:DataSubjectRight", "eu-gdpr:A7-3"], "dpv:isExercisedAt": channels},
            {"@type": ["dpv:DataSubjectRight", "eu-gdpr:A77"], "dpv:isExercisedAt": _AUTHORITY},
        ],
    }


def _told(recorded: Recorded, asked: ConsentRequested) -> dict[str, object]:
    said = _status(recorded.event, asked)
    if not said:
        return {}
    return {
        "dpv:isIndicatedAtTime": _time(recorded.at),
        "exchange:leafIndex": str(recorded.leaf_index),
        **said,
        **_committed(recorded),
    }


def _committed(recorded: Recorded) -> dict[str, object]:
    """Return what shows one field to somebody else: its salt, to be given with the leaf and its proof."""
    told = [
        {"exchange:name": one.name, "exchange:value": one.value, "exchange:salt": one.salt.hex()}
        for one in recorded.committed
    ]
    if not told:
        return {}
    return {"exchange:leafEntry": b64encode(recorded.entry).decode("ascii"), "exchange:committed": told}


@singledispatch
def _status(_event: Event, _asked: ConsentRequested) -> dict[str, Any]:
    return {}


@_status.register
def _of_question(event: ConsentRequested, _asked: ConsentRequested) -> dict[str, Any]:
    return {"@type": "dpv:ConsentRequested", "dpv:isIndicatedBy": f"urn:oin:{event.organisation}"}


@_status.register
def _of_yes(event: ConsentGiven, asked: ConsentRequested) -> dict[str, Any]:
    types = ["dpv:ConsentGiven", *(["dpv:ExplicitlyExpressedConsent"] if event.explicit else [])]
    return {
        "@type": types,
        "dpv:isIndicatedBy": [_speaker(word) for word in event.given_by],
        "dpv:hasIndicationMethod": event.method,
        "dpv:hasDuration": _until(asked),
    }


@_status.register
def _of_no(event: ConsentRefused, _asked: ConsentRequested) -> dict[str, Any]:
    return {"@type": "dpv:ConsentRefused", "dpv:isIndicatedBy": _speaker(event.said_by)}


@_status.register
def _of_withdrawal(event: ConsentWithdrawn, _asked: ConsentRequested) -> dict[str, Any]:
    return {"@type": "dpv:ConsentWithdrawn", "dpv:isIndicatedBy": _speaker(event.said_by)}


def _speaker(word: str) -> str:
    if word == SELF:
        return "dpv:DataSubject"
    return f"urn:exchange:speaker:{word or 'unrecorded'}"
