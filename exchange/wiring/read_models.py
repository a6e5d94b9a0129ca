"""Opens what follows the events of a shard.

Promises: what was opened is closed again when a later one cannot be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exchange.projections.decisions import DecisionList
from exchange.projections.erasures import ErasureRecords
from exchange.projections.insight import InsightIndex
from exchange.projections.lookups.index import LookupIndex
from exchange.projections.matching import OfferIndex
from exchange.projections.obligations import ObligationList

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from exchange.pipeline.registers import FollowedEntries


class ReadModels(NamedTuple):
    """What follows the events, by the names of `Core`."""

    obligations: ObligationList
    records: ErasureRecords
    insight: InsightIndex
    offers: OfferIndex
    lookups: LookupIndex
    decisions: DecisionList


def open_read_models(
    folder: Path, entries: FollowedEntries, pseudonym: Callable[[str], str], opened: ExitStack
) -> ReadModels:
    """Open every read model, or none."""
    obligations = ObligationList(folder, entries)
    opened.callback(obligations.database.close)
    records = ErasureRecords(folder)
    opened.callback(records.database.close)
    insight = InsightIndex(folder)
    opened.callback(insight.database.close)
    offers = OfferIndex(folder)
    opened.callback(offers.database.close)
    lookups = LookupIndex(folder)
    opened.callback(lookups.database.close)
    decisions = DecisionList(folder, pseudonym)
    opened.callback(decisions.database.close)
    return ReadModels(obligations, records, insight, offers, lookups, decisions)
