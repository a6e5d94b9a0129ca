"""Residents of whom every term has ended: what is to be destroyed now, from the store's files.

Promises: looks at every event, opens nothing that is sealed and destroys nothing: destroying takes persons,
and is an event with a certificate. Who has anything within its term, under any law, is not told; nor who was
erased. The terms are those by which the gate stops showing an element.
Source: GDPR 5(1)(e); Wmo 2015 5.3.4; Jeugdwet 7.3.8; `exchange.gate.retention`.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.errors import SettingsInvalid
from exchange.gate.retention import retention_end
from exchange.keys.keystore import KeyStore
from exchange.pipeline.facts import CASE_PREFIX, law_of
from exchange.store.codec import Codec
from exchange.store.reader import SQLiteReader
from exchange.wiring.core import event_file, key_file
from exchange.wiring.kek import open_kek

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from exchange.settings import Settings

ROWS_PER_PAGE: Final = 2_000
PLAN_LAW: Final = "wmo"
# That it was asked for is no recording of it, and does not make it last.
_NO_RECORDING: Final = ("disclosure-", "rights_request-")


class Ended(NamedTuple):
    """A resident, known by the cases; when the last term ended, and when that of each law did."""

    cases: tuple[str, ...]
    at: datetime
    laws: tuple[tuple[str, datetime], ...]


@dataclass(slots=True)
class _Held:
    cases: set[str] = field(default_factory=set)
    latest: dict[str, datetime] = field(default_factory=dict)


def ended_by(settings: Settings, until: datetime) -> Iterator[Ended]:
    """Yield who has nothing within its term then, the longest over first. Raises SettingsInvalid."""
    for file in (event_file(settings), key_file(settings)):
        if not file.exists():
            raise SettingsInvalid("no service ran with these settings", file=file.name)
    with ExitStack() as opened:
        keys = opened.enter_context(closing(KeyStore(key_file(settings), open_kek(settings))))
        reader = opened.enter_context(closing(SQLiteReader(event_file(settings))))
        held = _holdings(reader, Codec(keys))
        found = [_ended(one) for ref, one in held.items() if not keys.is_destroyed(ref)]
    yield from sorted((one for one in found if one.at <= until), key=lambda one: (one.at, one.cases))


def _holdings(reader: SQLiteReader, codec: Codec) -> dict[str, _Held]:
    """Return what was recorded of each resident: the cases, and when last under each law."""
    held: dict[str, _Held] = {}
    after = 0
    while rows := reader.page(after, ROWS_PER_PAGE):
        after = rows[-1].position
        for row in rows:
            clear, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if "resident" in clear and not row.stream.startswith(_NO_RECORDING):
                _note(held.setdefault(clear["resident"], _Held()), row.stream, meta)
    return held


def _note(held: _Held, stream: str, meta: Any) -> None:  # noqa: ANN401 -- the codec's Meta
    law = law_of(meta.task) or PLAN_LAW
    held.latest[law] = max(held.latest.get(law, meta.at), meta.at)
    if stream.startswith(CASE_PREFIX):
        held.cases.add(stream.removeprefix(CASE_PREFIX))


def _ended(held: _Held) -> Ended:
    ends = {law: retention_end(at, law) for law, at in held.latest.items()}
    return Ended(tuple(sorted(held.cases)), max(ends.values()), tuple(sorted(ends.items())))
