"""The document of a decision in the Documenten API, linked to its case and its decision.

Promises: a document is one by its identification; what is larger than INLINE_BYTES_MAX goes in parts, each
sent once; one whose parts cannot be finished is taken away and made anew; links go before the document goes.
Source: Documenten API 1.4.2 (large files: bestandsdelen, lock, unlock); Zaken API 1.5.1 and Besluiten API
1.1.0 (informatieobjecten); RFC 7578.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from adapters.kit.outward import Refused, Unexpected

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.kit.outward import Outward

# Below this a document goes as one message; above it the other side says how large each part is.
INLINE_BYTES_MAX: Final = 64 * 1024
FORMAT: Final = "text/plain"
LANGUAGE: Final = "nld"
_GONE: Final = (404, 410)
_DOCUMENTS: Final = "/enkelvoudiginformatieobjecten"


@dataclass(frozen=True, slots=True)
class Paper:
    """A document to keep. `kind` is the url of its type, `day` that of its making, in ISO 8601."""

    identification: str
    title: str
    author: str
    day: str
    kind: str
    confidentiality: str
    content: bytes = field(repr=False)


class Documents:
    """Of one organisation. Raises NotNow, Refused, Unexpected."""

    def __init__(self, documenten: Outward, zaken: Outward, besluiten: Outward, rsin: str) -> None:
        self._documenten: Final = documenten
        self._links: Final = ((zaken, "zaak"), (besluiten, "besluit"))
        self._rsin: Final = rsin

    def keep(self, paper: Paper, lock: str, keep_lock: Callable[[str], None]) -> str:
        """Keep a document; return its url. `lock` is what `keep_lock` was given last for it, else empty."""
        held = self._find(paper.identification)
        if held is not None and not held.get("bestandsdelen"):
            return _text(held, "url")
        if held is not None:
            mark, _, known = lock.partition(" ")
            if mark == _mark(paper.content):
                self._send(held, known, paper.content)
                return _text(held, "url")
            # Begun with a lock whose answer was lost, or with words that changed since.
            self._documenten.ask("DELETE", _text(held, "url"))
        return self._create(paper, keep_lock)

    def _find(self, identification: str) -> dict[str, Any] | None:
        query = urlencode({"identificatie": identification, "bronorganisatie": self._rsin})
        content = self._documenten.ask("GET", f"{_DOCUMENTS}?{query}").content
        found = content.get("results") if isinstance(content, dict) else None
        if not isinstance(found, list):
            raise Unexpected("documenten", "page_without_results")
        return found[0] if found else None

    def _create(self, paper: Paper, keep_lock: Callable[[str], None]) -> str:
        inline = len(paper.content) <= INLINE_BYTES_MAX
        told = {
            "identificatie": paper.identification,
            "bronorganisatie": self._rsin,
            "creatiedatum": paper.day,
            "titel": paper.title,
            "auteur": paper.author,
            "taal": LANGUAGE,
            "formaat": FORMAT,
            "status": "definitief",
            "bestandsnaam": f"{paper.identification}.txt",
            "bestandsomvang": len(paper.content),
            "inhoud": base64.b64encode(paper.content).decode() if inline else None,
            "vertrouwelijkheidaanduiding": paper.confidentiality,
            "informatieobjecttype": paper.kind,
            "indicatieGebruiksrecht": False,
        }
        made = self._documenten.ask("POST", _DOCUMENTS, told).content
        if not inline:
            lock = _text(made, "lock")
            keep_lock(f"{_mark(paper.content)} {lock}")
            self._send(made, lock, paper.content)
        return _text(made, "url")

    def _send(self, held: dict[str, Any], lock: str, content: bytes) -> None:
        """Send the parts that are not there yet, in the sizes that were asked, and then unlock."""
        start = 0
        for part in sorted(held["bestandsdelen"], key=lambda one: int(one["volgnummer"])):
            piece = content[start : start + int(part["omvang"])]
            start += len(piece)
            if not part["voltooid"]:
                kind, body = _form(lock, piece)
                self._documenten.ask("PUT", _text(part, "url"), body=body, headers={"Content-Type": kind})
        self._documenten.ask("POST", f"{_text(held, 'url')}/unlock", {"lock": lock})

    # --- links ----------------------------------------------------------------------------------------------

    def link(self, document: str, zaak: str, besluit: str) -> None:
        """Link a document to its case and its decision, once each."""
        query = urlencode({"informatieobject": document})
        for (api, name), of in zip(self._links, (zaak, besluit), strict=True):
            where = f"/{name}informatieobjecten"
            # By the document alone: the published file takes no url of a case here, whatever it says of it.
            if all(_text(one, name) != of for one in _rows(api.ask("GET", f"{where}?{query}").content)):
                api.ask("POST", where, {name: of, "informatieobject": document})

    def forget(self, identification: str) -> bool:
        """Take a document away with its links; tell whether there was one."""
        held = self._find(identification)
        if held is None:
            return False
        url = _text(held, "url")
        for api, name in self._links:
            query = urlencode({"informatieobject": url})
            for one in _rows(api.ask("GET", f"/{name}informatieobjecten?{query}").content):
                _take_away(api, _text(one, "url"))
        _take_away(self._documenten, url)
        return True


def _take_away(api: Outward, url: str) -> None:
    try:
        api.ask("DELETE", url)
    except Refused as refused:
        if refused.status not in _GONE:
            raise


def _mark(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


def _form(lock: str, piece: bytes) -> tuple[str, bytes]:
    """Return the media type and the bytes of a form with a lock and a part of a file."""
    # A hash of what lies between does not stand in it.
    boundary = sha256(lock.encode() + piece).hexdigest()
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="lock"\r\n\r\n{lock}\r\n'
    file = 'Content-Disposition: form-data; name="inhoud"; filename="inhoud"\r\n'
    kind = "Content-Type: application/octet-stream\r\n\r\n"
    body = f"{head}--{boundary}\r\n{file}{kind}".encode() + piece + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _rows(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise Unexpected("case_system", "no_list")
    return content


def _text(told: object, name: str) -> str:
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, str):
        raise Unexpected("documenten", f"no_{name}")
    return value
