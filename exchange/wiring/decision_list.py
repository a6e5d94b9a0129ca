"""Decisions of a filter from the store's files, with or without a running service.

Promises: opens nothing that is sealed, makes nothing that is not there and asks no read model: every decision
is looked at. Whoever can read the folder reads it unrecorded, as he reads the store; the rpc is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain.disclosure import DisclosureDecided
from exchange.projections.decisions import filed_of
from exchange.projections.kinds import basis_of
from exchange.projections.obligations import moment
from exchange.store.ports import look
from exchange.wiring.decision_log import open_log_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exchange.projections.facets import Wanted
    from exchange.settings import Settings

ROWS_PER_PAGE: Final = 500


def decisions_of(settings: Settings, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield decisions of a filter, oldest first. Raises SettingsInvalid where no service ran."""
    with open_log_files(settings) as files:
        after, (head, _) = 0, files.reader.head()
        # What is written meanwhile is for the next time: this one ends.
        while after < head:
            rows, after = look(files.reader, after, head, ROWS_PER_PAGE, (DisclosureDecided.TOPIC,))
            for row in rows:
                one = filed_of(row, files.codec, files.log_pseudonym)
                if wanted.holds(one):
                    place = {"stream": row.stream, "topic": row.topic}
                    clear, _, _ = files.codec.decode_clear(row.state, **place)
                    yield {
                        "position": one.position,
                        "decide_time": moment(one.at).isoformat(),
                        "decision_id": clear["decision_id"],
                        "resident_pseudonym": one.resident.hex(),
                        "professional": clear["professional"],
                        **_of_kind(one.kind._asdict() | {"legal_basis": basis_of(one.kind)}),
                        "action": clear["action"],
                        "obligations": list(clear["obligations"]),
                        "leaf_index": one.position - 1,
                    }


def _of_kind(kind: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a decision has in common with others, by the names of the contract."""
    names = ("organisation", "task", "purpose", "legal_basis", "outcome")
    return {name: kind[name] for name in names} | {
        "emergency": bool(kind["glass"]),
        "categories": kind["categories"].split(),
        "rules": kind["rules"].split(),
    }
