"""A copy to take along: JSON-LD of what is portable, and why the rest is not; the same plan, the same bytes.

Promises: made of leaves that were released, and of nothing else; what is not portable is counted by
collection and reason, and says nothing more; sorted and without spaces, so that its SHA-256 is its name.
Source: GDPR 20(1); JSON-LD 1.1; adapters/sdk/portable-copy.schema.json.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.protobuf.json_format import MessageToDict

from exchange.domain.kernel import with_changes
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.rights.portability import why_not
from exchange.domain.values import origin_of, task_of
from exchange.server.contract.plans import build_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exchange.gate.register import Register
    from exchange.pipeline.walk import Group
    from exchange.server.house import Call
    from exchange.store.codec import Meta

CONTEXT: Final = {
    "@vocab": "https://exchange.example/ns/plan#",
    "article": "https://exchange.example/ns/plan#article",
}
FORM: Final = "portable-copy-1"
ARTICLES: Final = {"recorded_by_others": "AVG 20(1)", "public_task": "AVG 20(1)(a), 20(3)"}

Element = tuple["datetime", str]  # when it was recorded, and the origin: what tells elements apart


class Known(NamedTuple):
    """What was released of a plan as it is seen, with the basis of each of its elements."""

    state: Any  # PlanState, or None
    groups: Sequence[Group]
    released: frozenset[str]
    bases: Mapping[Element, str]


def bases_of(call: Call, stream: str) -> dict[Element, str]:
    """Return on which entry each element was recorded; opens nothing."""
    parts = call.house.parts
    found: dict[Element, str] = {}
    for row in parts.reader.tail(stream).rows:
        meta: Meta = parts.codec.decode_clear(row.state, stream=stream, topic=row.topic)[1]
        # What came later of an element, such as its correction, is recorded at another moment.
        found.setdefault((meta.at, origin_of(meta.task, meta.organisation)), meta.legal_basis)
    return found


def document_of(known: Known, register: Register) -> bytes:
    """Return the whole copy."""
    entries = {f"{one.id}@{one.version}": (one.gdpr6, tuple(one.gdpr9)) for one in register.entries()}
    portable: dict[str, list[Any]] = {}
    others: dict[tuple[str, str, str], list[Any]] = {}
    for name in COLLECTIONS if known.state is not None else ():
        for element in getattr(known.state, name):
            basis = known.bases.get((element.recorded, element.origin), "")
            why = why_not(task_of(element.origin), *entries.get(basis, ("", ())))
            if why is None:
                portable.setdefault(name, []).append(element)
            else:
                others.setdefault((name, str(why), basis), []).append(element)
    told = {
        "@context": CONTEXT,
        "@type": "PortableCopy",
        "article": "AVG 20",
        "form": FORM,
        "plan": _shown(known, portable),
        "not_portable": [
            {
                "collection": name,
                "reason": why,
                "article": ARTICLES[why],
                "legal_basis": basis,
                "elements": count,
            }
            for (name, why, basis), elements in sorted(others.items())
            # Of which nothing is shown to who asks there is nothing to say.
            if (count := len(_shown(known, {name: elements}).get(name, ())))
        ],
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _shown(known: Known, elements: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    if known.state is None:
        return {}
    only = {name: tuple(elements.get(name, ())) for name in COLLECTIONS}
    plan = build_plan(with_changes(known.state, **only), known.groups, known.released)
    found: dict[str, Any] = MessageToDict(plan, preserving_proto_field_name=True)
    # The version would make every copy another one.
    return {name: value for name, value in found.items() if name in only}
