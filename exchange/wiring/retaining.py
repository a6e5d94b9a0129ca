"""Destroys what is past its term, with the service stopped: each resident by an erasure of its own.

Promises: what is destroyed is what `retention due` lists at that moment, and each of it is proposed by one
and approved by two other persons through the same gate as over the wire: an event, a certificate, requests
to its recipients. One that a hold, an open request or a duty forbids is told and left, and holds up no other.
Begun again it goes on with what is left.
Source: GDPR 5(1)(e), 5(2), 17(3), 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.errors import RuleBroken
from exchange.wiring.core import utc_now
from exchange.wiring.retention import ended_in
from exchange.wiring.shredding import Wanted, alone, decided_by, people_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.settings import Settings

ARTICLE: Final = "retention_end"
REASON: Final = "term_ended"
# Of a part the rest stays because its own term runs.
KEPT: Final = ("retention_term",)
# Whose last record was that he was registered has no case: an erasure is proposed on one.
NO_CASE: Final = "NO_CASE"
HELD: Final = "HELD"


class Executed(NamedTuple):
    """What became of one: the erasure and how many recipients are asked, or the rule that keeps it."""

    cases: tuple[str, ...]
    categories: tuple[str, ...]
    erasure_id: str = ""
    leaf_index: int = -1
    recipients: int = 0
    kept_by: str = ""


def execute(settings: Settings, credentials: Path, tokens_of: Sequence[str]) -> list[Executed]:
    """Destroy what is past its term now. Raises ExchangeError; DataFolderInUse beside a running service."""
    done: list[Executed] = []
    with alone(settings) as core:
        people = people_at(core, credentials, tokens_of)
        for one in ended_in(core.reader, core.codec, core.keys, utc_now()):
            left = Executed(one.cases, one.categories)
            if one.held or not one.cases:
                done.append(left._replace(kept_by=HELD if one.held else NO_CASE))
                continue
            kept = KEPT if one.categories else ()
            wanted = Wanted(one.cases[0], ARTICLE, REASON, one.categories, kept)
            try:
                erased = decided_by(core, people, wanted)
            except RuleBroken as refused:
                done.append(left._replace(kept_by=refused.metadata["rule"]))
            else:
                done.append(left._replace(**erased._asdict()))
        core.integrator.integrate()
    return done
