"""What documents are made of in these tests, and what a reader's software finds in the PDF."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pikepdf

from exchange.documents.gathered import read_gathered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.documents.blocks import Document
    from exchange.documents.gathered import Gathered

NOON = "2026-11-26T12:00:00+00:00"
OIN = "00000001003214345000"
PLAN = "5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"
STAFF = "w-4711-geheim"
ANSWER: dict[str, Any] = {
    "processings": [
        {
            "purpose": "PURPOSE_WMO_ONDERZOEK",
            "legal_basis": "WMO-2.3.2@1",
            "title": "Onderzoek naar wat nodig is",
            "citation": "Wmo 2015 art. 2.3.2, lid 4",
            "categories": ["WMO-PLAN", "CONTACT"],
            "retention_rule": "P15Y, Wmo 2015 5.3.4(1)",
        }
    ],
    "recipients": [{"organisation": OIN, "task": "college:WMO", "last_time": NOON}],
    "sources": [
        {
            "organisation": OIN,
            "task": "college:WMO",
            "retention_years": 15,
            "retention_citation": "Wmo 2015 art. 5.3.4 lid 1",
        }
    ],
    "rights": [{"article": "AVG 16"}, {"article": "AVG 77"}],
    "limits": [{"state": "RESTRICTION"}],
    "covered": {"log_size": "812", "leaf_indexes": ["1", "5"], "scanning_keys": ["c2xldXRlbA=="]},
}
LOOKED: dict[str, Any] = {
    "decision_id": "d-1",
    "decide_time": NOON,
    "organisation": OIN,
    "task": "college:WMO",
    "professional": STAFF,
    "purpose": "PURPOSE_WMO_ONDERZOEK",
    "legal_basis": "WMO-2.3.2@1",
    "action": "READ",
    "outcome": "PERMIT",
    "rules": ["P-WMO-2.3.2"],
    "released_fields": ["goals.own_words", "goals.state"],
    "explanation": "De gemeente (Wmo) keek in uw plan.",
    "leaf_index": "41",
}
WHOLE: dict[str, Any] = {
    "gathered_at": NOON,
    "author": "Gemeente Voorbeeld",
    "answer": ANSWER,
    "plan": {"plan_id": PLAN, "version": 3},
    "disclosures": [LOOKED],
    "consents": [{"consent_id": "c-1", "kind": "CONSENT_KIND_GDPR", "state": "CONSENT_STATE_GIVEN"}],
    "withheld": {"plan": ["goals.carried_by"]},
}


def gathered(**changes: Any) -> Gathered:  # noqa: ANN401 -- any part of a file
    return read_gathered(json.dumps(WHOLE | changes).encode())


def said(words: str, **more: Any) -> Gathered:  # noqa: ANN401 -- any part of a file
    goals = [{"goal_id": "g-1", "own_words": words, "state": "GOAL_STATE_ACTIVE"}]
    return gathered(plan={"plan_id": PLAN, "version": 3, "goals": goals}, **more)


def body_and_appendix(document: Document) -> tuple[str, str]:
    """Return what a document says before its appendix, and in it; as what it is made of."""
    starts = tuple(f"Heading(level=1, text='{one}" for one in ("Bijlage", "Appendix"))
    told = [repr(one) for one in document.blocks]
    at = next(at for at, one in enumerate(told) if one.startswith(starts))
    return "\n".join(told[:at]), "\n".join(told[at:])


def opened(made: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(made))


def elements(pdf: pikepdf.Pdf) -> Iterator[tuple[str, Any]]:
    """Yield every structure element with its standard type, in the order they are read."""
    roles = {str(key): str(value) for key, value in (pdf.Root.StructTreeRoot.get("/RoleMap") or {}).items()}
    yield from _below(pdf.Root.StructTreeRoot, roles)


def _below(node: Any, roles: dict[str, str]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- any PDF object
    kids = node.get("/K")
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            kind = str(kid.S)
            yield roles.get(kind, kind), kid
            yield from _below(kid, roles)


def attribute(element: Any, name: str) -> Any:  # noqa: ANN401 -- any PDF object
    """Return an attribute of a structure element, None where it has none."""
    held = element.get("/A")
    some = held if isinstance(held, pikepdf.Array) else [held]
    return next((one[name] for one in some if isinstance(one, pikepdf.Dictionary) and name in one), None)


def accessible_faults(made: bytes, language: str, title: str) -> list[str]:
    """Return what a reader by ear would miss: the points of PDF/UA-1 that can be seen in the file."""
    with opened(made) as pdf:
        found = list(elements(pdf))
        return [*_of_file(pdf, language, title), *_of_headings(found), *_of_elements(found)]


def _of_file(pdf: pikepdf.Pdf, language: str, title: str) -> Iterator[str]:
    root, metadata = pdf.Root, bytes(pdf.Root.Metadata.read_bytes()).decode()
    if not (root.MarkInfo.Marked and not root.MarkInfo.get("/Suspects", False)):
        yield "not marked, or suspect"
    if str(root.Lang) != language:
        yield f"language {root.Lang}"
    if not root.ViewerPreferences.DisplayDocTitle or f">{title}<" not in metadata:
        yield "title not shown"
    if "<pdfuaid:part>1</pdfuaid:part>" not in metadata:
        yield "does not say that it is PDF/UA-1"
    if any("/FontFile2" not in one and "/FontFile3" not in one for one in _descriptors(pdf)):
        yield "a font is not embedded"


def _of_headings(found: list[tuple[str, Any]]) -> Iterator[str]:
    levels = [int(kind[2:]) for kind, _ in found if re.fullmatch("/H[1-6]", kind)]
    if not levels or levels[0] != 1:
        yield f"headings begin at {levels[:1]}"
    yield from (f"heading {low} to {high}" for low, high in pairwise(levels) if high > low + 1)


def _of_elements(found: list[tuple[str, Any]]) -> Iterator[str]:
    kinds = [kind for kind, _ in found]
    if kinds.count("/Table") != kinds.count("/THead"):
        yield f"{kinds.count('/Table')} tables, {kinds.count('/THead')} with a header"
    for kind, one in found:
        if kind == "/TH" and str(attribute(one, "/Scope")) not in {"/Column", "/Row"}:
            yield "a header cell without scope"
        if kind == "/Figure" and "/Alt" not in one:
            yield "a figure without words"


def _descriptors(pdf: pikepdf.Pdf) -> Iterator[Any]:
    for one in pdf.objects:
        if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == pikepdf.Name.FontDescriptor:
            yield one


def text_of(made: bytes) -> str:
    """Return the words of a PDF, by the letters its fonts say they show; marks of a break are left out."""
    words = []
    with opened(made) as pdf:
        for page in pdf.pages:
            letters = {name: _letters(font) for name, font in page.Resources.get("/Font", {}).items()}
            words.append("".join(_shown(page, letters)))
    return "".join(words).replace("\u200b", "")


def _letters(font: Any) -> dict[int, str]:  # noqa: ANN401 -- any PDF object
    table = bytes(font.ToUnicode.read_bytes()).decode("ascii")
    found: dict[int, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        for code, text in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[int(code, 16)] = bytes.fromhex(text).decode("utf-16-be")
    for block in re.findall(r"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for low, high, text in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            first = int(text, 16)
            for at in range(int(low, 16), int(high, 16) + 1):
                found[at] = chr(first + at - int(low, 16))
    return found


def _shown(page: Any, letters: dict[str, dict[int, str]]) -> Iterator[str]:  # noqa: ANN401 -- any PDF object
    table: dict[int, str] = {}
    replaced: list[bool] = []  # of each marked stretch: whether words of its own stand for what is drawn
    for drawn in pikepdf.parse_content_stream(page):
        operands, operator = drawn.operands, drawn.operator
        name = str(operator)
        if name == "Tf":
            table = letters[str(operands[0])]
        elif name in {"BDC", "BMC"}:
            properties = operands[1] if name == "BDC" else None
            words = properties.get("/ActualText") if isinstance(properties, pikepdf.Dictionary) else None
            replaced.append(words is not None)
            yield "" if words is None else str(words)
        elif name == "EMC":
            replaced.pop()
        elif name in {"Tj", "TJ"} and not any(replaced):
            yield _decoded(operands[0] if name == "TJ" else operands, table)


def _decoded(some: Any, table: dict[int, str]) -> str:  # noqa: ANN401 -- any PDF object
    raw = b"".join(bytes(one) for one in some if isinstance(one, pikepdf.String))
    codes = (int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
    return "".join(table.get(code, "") for code in codes)
