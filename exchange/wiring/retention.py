"""What is past its term: residents of whom nothing is within one any more, and categories of the others.

Promises: looks at every event, opens nothing that is sealed and destroys nothing: destroying takes persons,
and is an event with a certificate (`retaining`). A term is that of the law something was recorded under, or
longer where its entry of the register says so; the last of all records of a category counts. Who is held, or
waits for an answer, is told as such. Nobody is told who was erased.
Source: GDPR 5(1)(e), 17(3)(e); Wmo 2015 5.3.4; Jeugdwet 7.3.8; `exchange.gate.retention`.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.erasure.words import ERASABLE_APART
from exchange.domain.limits.holds import HoldLifted, HoldPlaced
from exchange.domain.rights.request import RightsRequestDecided, RightsRequestReceived
from exchange.domain.rights.words import RightsOutcome
from exchange.gate.retention import record_end
from exchange.keys.keystore import KeyStore
from exchange.pipeline.erasure import DECISIONS, OF_RIGHTS, rules_of
from exchange.pipeline.facts import CASE_PREFIX, law_of
from exchange.pipeline.hot import DISCLOSURE_PREFIX
from exchange.pipeline.registers import Registers
from exchange.store.codec import Codec
from exchange.wiring.core import refuse_no_service
from exchange.wiring.kek import open_kek
from exchange.wiring.places import key_place
from exchange.wiring.stores import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from exchange.settings import Settings
    from exchange.store.batch import Row
    from exchange.store.ports import EventReader

ROWS_PER_PAGE: Final = 2_000
PLAN_LAW: Final = "wmo"
# That it was asked for is no recording of it, and does not make it last.
_NO_RECORDING: Final = (DISCLOSURE_PREFIX, *OF_RIGHTS)
_OBJECTED: Final = "resident.objected"
_OBJECTION_DECIDED: Final = "resident.objection_decided"
_EXECUTED: Final = "rights_request.executed"


class Ended(NamedTuple):
    """A resident, known by the cases; `categories` are those past their term, empty for all there is.

    `at` is when the last term of what is named ended, `laws` when that of each law did; `held` tells that a
    hold stands, or that an answer to a request or objection is still to be given.
    """

    cases: tuple[str, ...]
    at: datetime
    laws: tuple[tuple[str, datetime], ...]
    categories: tuple[str, ...] = ()
    held: bool = False


@dataclass(slots=True)
class _Held:
    cases: set[str] = field(default_factory=set)
    latest: dict[str, datetime] = field(default_factory=dict)
    by_category: dict[str, datetime] = field(default_factory=dict)
    waits: set[str] = field(default_factory=set)


def ended_by(settings: Settings, until: datetime) -> Iterator[Ended]:
    """Yield what has nothing within its term then, the longest over first. Raises SettingsInvalid."""
    refuse_no_service(settings)
    with ExitStack() as opened:
        keys = opened.enter_context(closing(KeyStore(key_place(settings), open_kek(settings))))
        reader = opened.enter_context(closing(open_reader(settings)))
        yield from ended_in(reader, Codec(keys), keys, until)


def ended_in(reader: EventReader, codec: Codec, keys: KeyStore, until: datetime) -> list[Ended]:
    """Return the same of a store that is open."""
    held = _holdings(reader, codec)
    found = (_ended(one, until) for ref, one in held.items() if not keys.is_destroyed(ref))
    return sorted((one for one in found if one is not None), key=lambda one: (one.at, one.cases))


def _holdings(reader: EventReader, codec: Codec) -> dict[str, _Held]:
    """Return what was recorded of each resident: the cases, and when the last term of each kind ends."""
    rules = rules_of(Registers.load(reader, codec).now)
    held: dict[str, _Held] = {}
    after = 0
    while rows := reader.page(after, ROWS_PER_PAGE):
        after = rows[-1].position
        for row in rows:
            clear, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if "resident" not in clear:
                continue
            one = held.setdefault(clear["resident"], _Held())
            _note_waiting(one, row.topic, clear)
            if not row.stream.startswith(_NO_RECORDING) and not row.topic.startswith(DECISIONS):
                outline = codec.outline(row.state, stream=row.stream, topic=row.topic)
                stand = codec.standing(outline)
                # An event of which every part is erased is kept for the log alone.
                if stand or not outline.parts:
                    _note(one, row, meta, stand, rules)
    return held


def _note(held: _Held, row: Row, meta: Any, categories: frozenset[str], rules: Mapping[str, str]) -> None:  # noqa: ANN401 -- the codec's Meta
    law = law_of(meta.task) or PLAN_LAW
    end = record_end(meta.at, law, rules.get(meta.legal_basis, ""))
    held.latest[law] = max(held.latest.get(law, end), end)
    for category in categories & ERASABLE_APART:
        held.by_category[category] = max(held.by_category.get(category, end), end)
    if row.stream.startswith(CASE_PREFIX):
        held.cases.add(row.stream.removeprefix(CASE_PREFIX))


def _note_waiting(held: _Held, topic: str, clear: Mapping[str, Any]) -> None:
    """Note what has to be answered or lifted first; it is known without opening anything."""
    name = str(clear.get("rights_request_id", clear.get("hold_id", clear.get("objection_id", ""))))
    begins = topic in {RightsRequestReceived.TOPIC, HoldPlaced.TOPIC} or topic.startswith(_OBJECTED)
    refused = topic == RightsRequestDecided.TOPIC and clear["outcome"] == RightsOutcome.REFUSED
    ends = topic == HoldLifted.TOPIC or topic.startswith((_OBJECTION_DECIDED, _EXECUTED))
    if begins:
        held.waits.add(name)
    elif refused or ends:
        held.waits.discard(name)


def _ended(held: _Held, until: datetime) -> Ended | None:
    if not held.latest:
        return None
    cases, laws, waits = tuple(sorted(held.cases)), tuple(sorted(held.latest.items())), bool(held.waits)
    at = max(held.latest.values())
    if at <= until:
        return Ended(cases, at, laws, held=waits)
    over = {category: end for category, end in held.by_category.items() if end <= until}
    if not over:
        return None
    return Ended(cases, max(over.values()), laws, tuple(sorted(over)), held=waits)
