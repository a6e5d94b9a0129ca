"""The one table from the exchange's errors to gRPC: code, reason, and a Dutch sentence for the screen.

Promises: every error has a row; the answer always is a `google.rpc.Status` with `ErrorInfo`; `RetryInfo`
stands only where trying again can help; nothing of an unforeseen error's text leaves.
Source: AIP-193 (errors), google/rpc/error_details.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status

from exchange.errors import AccessDenied, ExchangeError, RequestInvalid, VersionConflict
from exchange.server.parts import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

LOCALE: Final = "nl-NL"
DETAILS_KEY: Final = "grpc-status-details-bin"
VIOLATIONS_MAX: Final = 40
TEXT_CHARS_MAX: Final = 1_200
# gRPC clients take 8 KiB of metadata by default; the status travels in it, in base64.
STATUS_BYTES_MAX: Final = 5_000


class Row(NamedTuple):
    """How one reason is answered."""

    code: grpc.StatusCode
    dutch: str


_C: Final = grpc.StatusCode
_LATER: Final = "De dienst is even niet bereikbaar. Er is niets vastgelegd. Probeer het zo opnieuw."
_DEFECT: Final = "Er ging iets mis in de dienst. Geef het meldnummer door aan de beheerder."
_DAMAGED: Final = "De dienst kan deze gegevens niet betrouwbaar lezen. Waarschuw de beheerder."
_SETTINGS: Final = "De dienst is niet goed ingesteld. Waarschuw de beheerder."

TABLE: Final[dict[str, Row]] = {
    "INTERNAL": Row(_C.INTERNAL, _DEFECT),
    "REQUEST_INVALID": Row(_C.INVALID_ARGUMENT, "De vraag klopt niet. Verbeter de genoemde velden."),
    "REQUEST_TOO_LARGE": Row(_C.INVALID_ARGUMENT, "De vraag is te groot. Splits de vraag."),
    "BSN_REFUSED": Row(_C.INVALID_ARGUMENT, "Er staat een burgerservicenummer in de tekst. Haal het weg."),
    "GROUP_ELEMENT_INVALID": Row(
        _C.INVALID_ARGUMENT, "De versleutelde aanduiding van de inwoner is niet geldig."
    ),
    "PSEUDONYM_OUTDATED": Row(
        _C.INVALID_ARGUMENT, "De aanduiding van de inwoner is verouderd. Laat uw systeem die vernieuwen."
    ),
    "REQUEST_ID_REUSED": Row(_C.ALREADY_EXISTS, "Dit verzoeknummer is al gebruikt voor iets anders."),
    "VERSION_CONFLICT": Row(
        _C.ABORTED, "Iemand anders was eerder. Bekijk de nieuwste versie en kies opnieuw."
    ),
    "RULE_BROKEN": Row(_C.FAILED_PRECONDITION, "Dit kan nu niet volgens de regels van het plan."),
    "CALLER_UNKNOWN": Row(
        _C.UNAUTHENTICATED, "Het certificaat van uw organisatie is niet bekend of niet meer geldig."
    ),
    "PERSON_TOKEN_INVALID": Row(
        _C.UNAUTHENTICATED, "Uw aanmelding is niet geldig of verlopen. Meld u opnieuw aan."
    ),
    "SIGNATURE_INVALID": Row(
        _C.UNAUTHENTICATED, "De handtekening van uw organisatie onder deze opdracht klopt niet."
    ),
    "ACCESS_DENIED": Row(_C.PERMISSION_DENIED, "Dit is niet toegestaan."),
    "UNAVAILABLE": Row(_C.UNAVAILABLE, _LATER),
    "SECOND_PARTY_UNAVAILABLE": Row(_C.UNAVAILABLE, _LATER),
    "SECOND_PARTY_REFUSED": Row(_C.UNAVAILABLE, _SETTINGS),
    "STORE_UNAVAILABLE": Row(_C.UNAVAILABLE, _LATER),
    "OUTCOME_OPEN": Row(
        _C.UNAVAILABLE,
        "De dienst is even niet bereikbaar. Of dit is vastgelegd, is nog onbekend. Probeer het zo opnieuw.",
    ),
    "STORE_FULL": Row(_C.UNAVAILABLE, "De opslag van de dienst is vol. Er is niets vastgelegd."),
    "HEAD_MOVED": Row(_C.UNAVAILABLE, _LATER),
    "TAKEN": Row(_C.UNAVAILABLE, _LATER),
    "OVERLOADED": Row(_C.RESOURCE_EXHAUSTED, "Het is te druk. Probeer het zo opnieuw."),
    "QUOTA_EXCEEDED": Row(_C.RESOURCE_EXHAUSTED, "Uw organisatie vraagt nu te veel. Probeer het zo opnieuw."),
    "ANSWER_TOO_LARGE": Row(
        _C.RESOURCE_EXHAUSTED, "Het antwoord is te groot. Vraag minder gegevens tegelijk."
    ),
    "STREAM_NOT_READ": Row(
        _C.RESOURCE_EXHAUSTED, "Uw systeem leest de gebeurtenissen niet. Ga verder waar het gebleven was."
    ),
    "DRAINING": Row(_C.UNAVAILABLE, "De dienst stopt. Probeer het zo opnieuw."),
    "HOLDER_AWAY": Row(_C.UNAVAILABLE, _LATER),
    "HOLDER_OLDER": Row(
        _C.UNIMPLEMENTED, "De dienst wordt vernieuwd en kan dit nog niet. Er is niets vastgelegd."
    ),
    "OUTCOME_UNKNOWN": Row(
        _C.UNAVAILABLE, "De verbinding viel weg. Vraag met hetzelfde verzoeknummer wat er is vastgelegd."
    ),
    "DEADLINE_EXCEEDED": Row(
        _C.DEADLINE_EXCEEDED, "Het duurde te lang. Vraag met hetzelfde verzoeknummer wat er is vastgelegd."
    ),
    "HISTORY_UNREADABLE": Row(_C.DATA_LOSS, _DAMAGED),
    "STORE_OUTDATED": Row(_C.UNAVAILABLE, _LATER),
    "KEY_UNAVAILABLE": Row(_C.UNAVAILABLE, _LATER),
    "KEY_MADE_ELSEWHERE": Row(_C.UNAVAILABLE, _LATER),
    "KEYS_BEHIND_EVENTS": Row(_C.UNAVAILABLE, _LATER),
    "ERASURE_LIST_BROKEN": Row(_C.DATA_LOSS, _DAMAGED),
    "KEY_DESTROYED": Row(_C.FAILED_PRECONDITION, "Deze gegevens zijn gewist."),
    "SEAL_BROKEN": Row(_C.DATA_LOSS, _DAMAGED),
    "PROOF_INVALID": Row(_C.DATA_LOSS, "Het bewijs klopt niet. Vertrouw er niet op en bewaar het."),
    "FORK_REFUSED": Row(_C.DATA_LOSS, _DAMAGED),
    "WITNESS_OBJECTS": Row(_C.INTERNAL, _DAMAGED),
    "WITNESSES_MISSING": Row(_C.UNAVAILABLE, _LATER),
    "LEDGER_DIFFERS": Row(_C.DATA_LOSS, _DAMAGED),
    "SETTINGS_INVALID": Row(_C.INTERNAL, _SETTINGS),
    "DOCUMENT_NOT_SET": Row(_C.INTERNAL, "Dit document kon niet worden gemaakt. Vraag een andere vorm."),
    "DATA_FOLDER_IN_USE": Row(_C.INTERNAL, _SETTINGS),
    "REGISTER_INVALID": Row(_C.INTERNAL, _SETTINGS),
    "SHARD_MAP_INVALID": Row(_C.INTERNAL, _SETTINGS),
    "CASE_FILE_INVALID": Row(_C.INTERNAL, _SETTINGS),
    "LOG_KEY_UNKNOWN": Row(_C.INTERNAL, _DEFECT),
}


def code_of(error: ExchangeError) -> grpc.StatusCode:
    """Return the gRPC code of an error."""
    return TABLE[error.code].code


def status_of(error: ExchangeError, incident: str = "") -> Status:
    """Return the whole answer to an error. `incident` is the number under which it stands in the log."""
    status = Status(code=code_of(error).value[0], message=_short(error.message))
    for detail in _details(error, incident):
        packed = AnyMessage()
        packed.Pack(detail)
        # The first detail, the reason, always fits; what comes after may be too much for one header.
        if status.ByteSize() + packed.ByteSize() <= STATUS_BYTES_MAX:
            status.details.append(packed)
    return status


def _details(error: ExchangeError, incident: str) -> Iterator[Message]:
    metadata = {name: _short(value) for name, value in error.metadata.items() if value}
    metadata["remedy"] = error.remedy
    if isinstance(error, AccessDenied):
        if error.remedies:
            metadata["remedies"] = _short("\n".join(error.remedies))
        if error.obligations:
            metadata["obligations"] = ",".join(error.obligations)
    if incident:
        metadata["incident"] = incident
    yield ErrorInfo(reason=error.code, domain=DOMAIN, metadata=metadata)
    if error.retry_after_ms is not None:
        yield RetryInfo(retry_delay=_duration(error.retry_after_ms))
    explanation = error.explanation if isinstance(error, AccessDenied) else ""
    yield LocalizedMessage(locale=LOCALE, message=_short(explanation or TABLE[error.code].dutch))
    if isinstance(error, VersionConflict) and error.detail is not None:
        yield error.detail
    if isinstance(error, RequestInvalid) and error.fields:
        named = list(error.fields.items())[:VIOLATIONS_MAX]
        yield BadRequest(
            field_violations=[
                BadRequest.FieldViolation(field=_short(path), description=_short(why)) for path, why in named
            ]
        )


def _duration(milliseconds: int) -> Duration:
    return Duration(seconds=milliseconds // 1_000, nanos=milliseconds % 1_000 * 1_000_000)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"
