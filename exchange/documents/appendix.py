"""The appendix of an answer on access: the numbers and moments that its words stand for, and the proof.

Promises: whoever has something checked finds here the number of each thing he read of, in the same order.
Source: GDPR 15(1); RFC 6962 (leaves of a log).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from exchange.documents.blocks import Block, Facts, Heading, Listing, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exchange.documents.elements import Told
    from exchange.documents.gathered import Gathered
    from exchange.documents.words import Words

# More rows than these make a document nobody reads and a machine nobody has; the file for computers has all.
ROWS_MAX: Final = 5_000


def appendix(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    """Yield it; `told` has met every element and organisation by then."""
    yield Heading(1, words.text("appendix"))
    yield Text(words.text("appendix_intro"))
    names = ("plan_id", "version")
    plan = tuple((words.field(name), str(found.plan[name])) for name in names if name in found.plan)
    if plan:
        yield Facts(((words.text("made_on"), words.moment(found.gathered_at)), *plan))
    covered = found.answer.covered
    if covered.log_size:
        yield Heading(2, words.text("covered"))
        yield Text(words.text("covered_text", count=len(covered.leaf_indexes), size=covered.log_size))
        yield Text(words.text("covered_leaves", leaves=spans(covered.leaf_indexes)))
    yield from _organisations(found, told, words)
    yield from _bases(found, words)
    yield from _numbers(found, told, words)
    yield from _looks(found, words)


def _organisations(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    rows = [(found.organisations.get(oin, words.text("not_recorded")), oin) for oin in told.met]
    if rows:
        yield Heading(2, words.text("organisations"))
        yield listing(words, "organisations_table", ("column_who", "column_organisation"), (6, 5), rows)


def _bases(found: Gathered, words: Words) -> Iterator[Block]:
    every = (
        *((one.legal_basis, one.activity_uri) for one in found.answer.processings),
        *((one.legal_basis, "") for one in found.disclosures),
    )
    kept: dict[str, str] = {}
    for basis, uri in every:
        kept[basis] = kept.get(basis) or uri
    rows = [
        (found.article(basis) or words.text("not_recorded"), f"{basis}\n{uri}".strip())
        for basis, uri in sorted(kept.items())
        if basis
    ]
    if rows:
        yield Heading(2, words.text("bases"))
        yield listing(words, "bases_table", ("column_law", "column_register"), (5, 6), rows)


def _numbers(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    limits = [
        (words.text("limit"), words.field("limit_id"), one.limit_id)
        for one in found.answer.limits
        if one.limit_id
    ]
    rows = [*map(tuple, told.numbers), *limits]
    if rows:
        yield Heading(2, words.text("numbers"))
        names = ("column_of", "column_what", "column_number")
        yield listing(words, "numbers_table", names, (4, 4, 6), rows)


def _looks(found: Gathered, words: Words) -> Iterator[Block]:
    rows = [
        (str(number), one.legal_basis, one.decision_id, str(one.leaf_index))
        for number, one in enumerate(found.disclosures[:ROWS_MAX], start=1)
    ]
    if rows:
        yield Heading(2, words.text("looks_numbers"))
        names = ("column_row", "column_register", "column_decision", "column_leaf")
        yield listing(words, "looks_numbers_table", names, (1, 3, 6, 2), rows)


def listing(
    words: Words,
    caption: str,
    names: tuple[str, ...],
    widths: tuple[int, ...],
    rows: Sequence[tuple[str, ...]],
) -> Block:
    """Return a table, or that there is nothing."""
    if not rows:
        return Text(words.text("none"))
    return Listing(words.text(caption), tuple(map(words.text, names)), widths, tuple(rows))


def spans(numbers: Sequence[int]) -> str:
    """Return numbers with those that follow each other as one: "1-3, 7"."""
    some = sorted(numbers)
    breaks = [at for at, (low, high) in enumerate(pairwise(some), start=1) if high > low + 1]
    parts = (some[begin:end] for begin, end in pairwise([0, *breaks, len(some)]))
    return ", ".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in parts if one)
