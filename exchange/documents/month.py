"""The officer's report of one month: counts of decisions and duties, and how the ledger stands; no people.

Promises: every number is one of the summary it is made of, or a sum of them; the same summary gives the same
file in every form. A summary of one organisation says so.
Source: GDPR 5(2), 12(3), 24, 39(1)(b); protos/exchange/v1/audit_service.proto (GetMonthSummary).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations
from typing import TYPE_CHECKING, Final

import msgspec

from exchange.documents.blocks import Block, Document, Facts, Heading, Listing, Text
from exchange.documents.gathered import read_strictly
from exchange.documents.tables import csv_of
from exchange.documents.words import ZONE, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exchange.documents.words import Words

REVIEW: Final = "REVIEW-1-WORKDAY"
RIGHTS: Final = "ANSWER-RIGHTS-REQUEST"
EMERGENCY_REFUSED: Final = "ALERT-BREAK-GLASS-REFUSED"
EMERGENCIES: Final = frozenset({"PERMIT_BREAK_GLASS", "PARTIAL_BREAK_GLASS"})
DENY: Final = "DENY"
# One row for each number, so that a spreadsheet sums them as it likes.
COLUMNS: Final = ("part", "organisation", "legal_basis", "action", "outcome", "duty", "measure", "count")
DUTY_MEASURES: Final = (
    "arisen",
    "ended_in_time",
    "ended_late",
    "open",
    "overdue",
    "justified",
    "not_justified",
)


class Decisions(msgspec.Struct, frozen=True):
    """How many decisions of one kind."""

    organisation: str = ""
    legal_basis: str = ""
    action: str = ""
    outcome: str = ""
    count: int = 0


class Duties(msgspec.Struct, frozen=True):
    """What became of the duties of one kind. `overdue` are those of `open` whose time has passed."""

    duty: str = ""
    arisen: int = 0
    ended_in_time: int = 0
    ended_late: int = 0
    open: int = 0
    overdue: int = 0
    justified: int = 0
    not_justified: int = 0


class Ledger(msgspec.Struct, frozen=True):
    """How the ledger stood at the answer. `signed_leaves` are those the newest checkpoint covers.

    `quorum` is None where nobody looked which witnesses signed.
    """

    origin: str = ""
    leaves: int = 0
    signed_leaves: int = 0
    quorum: bool | None = None
    missing_witnesses: tuple[str, ...] = ()


class Scope(msgspec.Struct, frozen=True):
    """What was counted; `organisation` is empty where it is of all of them."""

    start_time: datetime
    end_time: datetime
    answer_time: datetime
    organisation: str = ""


class Summary(msgspec.Struct, frozen=True):
    """The month, as the exchange answered it: the decisions of all pages."""

    scope: Scope
    author: str = ""
    decisions: tuple[Decisions, ...] = ()
    duties: tuple[Duties, ...] = ()
    ledger: Ledger = Ledger()

    def duty(self, name: str) -> Duties:
        """Return what became of one kind of duty; zeros where there was none."""
        return next((one for one in self.duties if one.duty == name), Duties(name))


def read_summary(data: bytes) -> Summary:
    """Return what a file holds. Raises RequestInvalid that names the place of a fault."""
    return read_strictly(data, Summary)


def month_csv(found: Summary) -> bytes:
    """Return one row for each number."""
    return csv_of(COLUMNS, _numbers(found))


def _numbers(found: Summary) -> Iterator[tuple[str, ...]]:
    for one in found.decisions:
        who = (one.organisation, one.legal_basis, one.action, one.outcome)
        yield ("decisions", *who, "", "decisions", str(one.count))
    for duty in found.duties:
        for measure in DUTY_MEASURES:
            yield ("duties", "", "", "", "", duty.duty, measure, str(getattr(duty, measure)))
    ledger = found.ledger
    for name in ("leaves", "signed_leaves"):
        yield ("ledger", "", "", "", "", "", name, str(getattr(ledger, name)))
    yield ("ledger", "", "", "", "", "", "missing_witnesses", str(len(ledger.missing_witnesses)))


def month_document(found: Summary, language: str) -> Document:
    """Return the document. Raises RequestInvalid for a language there is not."""
    words = words_of(language)
    begins = found.scope.start_time.astimezone(ZONE)
    return Document(
        title=words.text("month_title", month=words.month(begins.year, begins.month)),
        about=words.text("month_about"),
        author=found.author,
        language=language,
        made=found.scope.answer_time,
        blocks=tuple(_blocks(found, words)),
    )


def _blocks(found: Summary, words: Words) -> Iterator[Block]:
    scope = found.scope
    own = words.text("scope_own", oin=scope.organisation)
    period = words.text("period_text", start=words.moment(scope.start_time), end=words.moment(scope.end_time))
    yield Facts(
        (
            (words.text("scope"), own if scope.organisation else words.text("scope_all")),
            (words.text("period"), period),
            (words.text("made_on"), words.moment(scope.answer_time)),
        )
    )
    yield Text(words.text("month_intro"))
    if scope.answer_time < scope.end_time:
        yield Text(words.text("month_running"))
    yield from _decisions(found, words)
    yield from _emergency(found, words)
    yield from _rights(found, words)
    yield from _duties(found, words)
    yield from _ledger(found.ledger, words)


def _decisions(found: Summary, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("in_short"))
    total = sum(one.count for one in found.decisions)
    yield Facts(((words.text("total"), str(total)),))
    if not total:
        yield Text(words.text("month_empty"))
        return
    outcomes = Counter[str]()
    for one in found.decisions:
        outcomes[one.outcome] += one.count
    names = ("column_outcome", "column_count")
    rows = [(words.outcome(name), str(count)) for name, count in _greatest(outcomes)]
    yield Heading(1, words.text("by_outcome"))
    yield _listing(words, "by_outcome", names, (8, 2), rows)
    for heading, column, key in (
        ("by_organisation", "column_oin", _organisation),
        ("by_basis", "column_basis", _basis),
    ):
        yield Heading(1, words.text(heading))
        three = (column, "column_count", "column_refused")
        yield _listing(words, heading, three, (8, 2, 2), _with_refused(found, key))


def _organisation(one: Decisions) -> str:
    return one.organisation


def _basis(one: Decisions) -> str:
    return one.legal_basis


def _with_refused(found: Summary, key: Callable[[Decisions], str]) -> list[tuple[str, ...]]:
    whole, refused = Counter[str](), Counter[str]()
    for one in found.decisions:
        whole[key(one)] += one.count
        refused[key(one)] += one.count if one.outcome == DENY else 0
    return [(name, str(count), str(refused[name])) for name, count in _greatest(whole)]


def _greatest(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _emergency(found: Summary, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("emergency"))
    given = sum(one.count for one in found.decisions if one.outcome in EMERGENCIES)
    review = found.duty(REVIEW)
    numbers = (
        ("emergency_given", given),
        ("emergency_refused", found.duty(EMERGENCY_REFUSED).arisen),
        ("reviews", review.arisen),
        ("reviewed_in_time", review.ended_in_time),
        ("reviewed_late", review.ended_late),
        ("justified", review.justified),
        ("not_justified", review.not_justified),
        ("still_open", review.open),
        ("of_which_overdue", review.overdue),
    )
    yield Facts(tuple((words.text(name), str(number)) for name, number in numbers))


def _rights(found: Summary, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("rights_requests"))
    asked = found.duty(RIGHTS)
    numbers = (
        ("received", asked.arisen),
        ("answered_in_time", asked.ended_in_time),
        ("answered_late", asked.ended_late),
        ("still_open", asked.open),
        ("of_which_overdue", asked.overdue),
    )
    yield Facts(tuple((words.text(name), str(number)) for name, number in numbers))


def _duties(found: Summary, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("duties"))
    rows = [
        (words.value(one.duty), *(str(getattr(one, name)) for name in DUTY_MEASURES[:5]))
        for one in found.duties
    ]
    names = ("column_duty", "column_arisen", "column_in_time", "column_late", "column_open", "column_overdue")
    yield _listing(words, "duties_table", names, (7, 2, 2, 2, 2, 2), rows)


def _ledger(found: Ledger, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("ledger"))
    missing = ", ".join(found.missing_witnesses) or words.text("ledger_nobody")
    quorum = {None: "not_recorded", True: "yes", False: "no"}[found.quorum]
    yield Facts(
        (
            (words.text("ledger_origin"), found.origin or words.text("ledger_unsigned")),
            (words.text("ledger_size"), str(found.leaves)),
            (words.text("ledger_signed"), str(found.signed_leaves)),
            (words.text("ledger_quorum"), words.text(quorum)),
            (words.text("ledger_missing"), words.text(quorum) if found.quorum is None else missing),
        )
    )


def _listing(
    words: Words,
    caption: str,
    names: tuple[str, ...],
    widths: tuple[int, ...],
    rows: Sequence[tuple[str, ...]],
) -> Block:
    if not rows:
        return Text(words.text("none"))
    columns = tuple(map(words.text, names))
    return Listing(words.text(caption), columns, widths, tuple(rows), tuple(range(1, len(names))))
