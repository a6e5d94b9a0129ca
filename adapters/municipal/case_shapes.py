"""What the ZGW APIs answer, read: a case, a page of a list, a row of it.

Promises: what is not what the standard says is `Unexpected`, with a word for it and nothing of what was said;
a row of a list that is no case is told apart by itself.
Source: Zaken API 1.5.1, Catalogi API 1.3.1; RFC 8259 (half a letter in JSON).
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from adapters.kit.outward import Unexpected, is_sound
from adapters.municipal.records import Unreadable, Zaak

if TYPE_CHECKING:
    from collections.abc import Callable

URL_MOST: Final = 1_000
_is_uuid = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def read_case(told: object, etag: str = "") -> Zaak:
    """Return a case as the Zaken API gives it. Raises Unexpected."""
    if not isinstance(told, dict):
        raise Unexpected("zaken", "case_is_no_object")
    held = list_of(told, "kenmerken")
    return Zaak(
        url=text_of(told, "url"),
        uuid=text_of(told, "uuid"),
        zaaktype=text_of(told, "zaaktype"),
        closed=told.get("einddatum") is not None,
        has_result=told.get("resultaat") is not None,
        omschrijving=str(told.get("omschrijving") or ""),
        toelichting=str(told.get("toelichting") or ""),
        kenmerken=tuple((text_of(one, "kenmerk"), text_of(one, "bron")) for one in held),
        status=str(told.get("status") or ""),
        rollen=tuple(map(str, list_of(told, "rollen"))),
        confidentiality=str(told.get("vertrouwelijkheidaanduiding") or ""),
        zaakobjecten=tuple(map(str, list_of(told, "zaakobjecten"))),
        etag=etag,
        changed=str(told.get("laatstGemuteerd") or ""),
    )


def read_row(row: object, holds: Callable[[str], bool]) -> Zaak | Unreadable:
    """Return a case of a list, or what it is known by: its url, its uuid, or a hash of it.

    `holds` tells whether a url is one of a case of this system.
    """
    code = "half_a_letter"
    if is_sound(row):
        try:
            found = read_case(row)
        except Unexpected as bad:
            code = bad.code
        else:
            if holds(found.url) and found.url.endswith(f"/{found.uuid}"):
                return found
            code = "another_id"
    told = row if isinstance(row, dict) else {}
    url, uuid = told.get("url"), told.get("uuid")
    if isinstance(url, str) and len(url) <= URL_MOST and holds(url) and _is_uuid(url.rpartition("/")[2]):
        return Unreadable(url, code)
    if isinstance(uuid, str) and _is_uuid(uuid):
        return Unreadable(f"row {uuid}", code)
    return Unreadable(f"row {sha256(json.dumps(row).encode()).hexdigest()[:12]}", code)


def rows_of(content: object) -> tuple[list[Any], str]:
    """Return what a page holds, whatever that is, and where the next one is. Raises Unexpected."""
    found = content.get("results") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(found, list):
        raise Unexpected("case_system", "page_without_results")
    return found, str(content.get("next") or "")


def results_of(content: object) -> list[dict[str, Any]]:
    """Return what a page holds, each an object. Raises Unexpected."""
    found = content.get("results") if isinstance(content, dict) else None
    if not isinstance(found, list) or any(not isinstance(one, dict) for one in found):
        raise Unexpected("case_system", "page_without_results")
    return found


def list_of(told: dict[str, Any], name: str) -> list[Any]:
    """Return a list of an object; empty where there is none. Raises Unexpected."""
    value = told.get(name)
    if value is not None and not isinstance(value, list):
        raise Unexpected("case_system", f"no_{name}")
    return value or []


def number_of(told: dict[str, Any], name: str) -> int:
    """Return a number of an object. Raises Unexpected."""
    value = told.get(name)
    if not isinstance(value, int):
        raise Unexpected("case_system", f"no_{name}")
    return value


def text_of(told: object, name: str) -> str:
    """Return a text of an object. Raises Unexpected."""
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, str):
        raise Unexpected("case_system", f"no_{name}")
    return value
