"""What the bench found of planted snooping, as a table.

Promises: says beside each share how many were planted and how many lawful accesses were named with them.
"""

from __future__ import annotations

from typing import Any

from rich.table import Table


def lookups_table(found: dict[str, Any]) -> Table:
    """Return recall and precision of each kind, for each way to name an access."""
    seconds = found["seconds"]
    table = Table(
        title=(
            f"{found['accesses']:,} lookups of {found['residents']:,} residents by "
            f"{found['professionals']} professionals, judged in {seconds['judge']} s "
            f"({seconds['judge_cpu']} s of a processor)"
        )
    )
    for column in ("named are those", "planted as", "planted", "named", "recall", "precision"):
        table.add_column(column)
    for way, kinds in found["ways"].items():
        for kind, score in kinds.items():
            table.add_row(way, kind, *_shown(score))
        table.add_section()
    for name, score in found["indicators"].items():
        table.add_row(name, "in all", *_shown(score))
    return table


def _shown(score: dict[str, Any]) -> list[str]:
    ratios = ("-" if score[name] is None else f"{score[name]:.2%}" for name in ("recall", "precision"))
    wrong = f"{score['named']:,} and {score['named_wrongly']:,} others"
    return [f"{score['planted']:,}", wrong, *ratios]
