"""The answer to an access request, for a resident: why, who, how long; then his data; then who looked.

Promises: in the order a resident asks it; his own words exactly as they were recorded; no name, id or number
of any member of staff, and no key. What is not known is said to be so, and what was withheld is named.
Source: GDPR 12(1), 15(1)(a)-(h), 15(3); Wmo 2015 5.3.1; Jeugdwet 7.3.10.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from exchange.documents.blocks import Block, Bullets, Document, Facts, Heading, Listing, Quote, Text
from exchange.documents.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exchange.documents.gathered import Gathered, Looked
    from exchange.documents.words import Words

# More rows than these make a document nobody reads and a machine nobody has; the file for computers has all.
ROWS_MAX: Final = 5_000
# The language of what the gate explains to residents, and where it lists fields.
EXPLAINED_IN: Final = "nl"
_FIELDS: Final = re.compile(r"(Gegeven, als het er is|Niet gegeven): (.+?)\.(?= |$)")
# What a person said himself, word for word.
OWN_WORDS: Final = frozenset({"own_words", "statement", "remarks"})


def access_document(found: Gathered, language: str) -> Document:
    """Return the document. Raises RequestInvalid for a language there is not."""
    words = words_of(language)
    return Document(
        title=words.text("access_title"),
        about=words.text("access_about"),
        author=found.author,
        language=language,
        made=found.gathered_at,
        blocks=tuple(_blocks(found, words)),
    )


def _blocks(found: Gathered, words: Words) -> Iterator[Block]:
    made = [(words.text("made_on"), words.moment(found.gathered_at))]
    author = [(words.text("controller"), found.author)] if found.author else []
    plan = [(words.text("plan"), str(found.plan["plan_id"]))] if "plan_id" in found.plan else []
    yield Facts((*author, *made, *plan))
    if found.empty:
        yield Text(words.text("access_nothing"))
        yield from _rights(found, words)
        return
    yield Text(words.text("access_intro"))
    yield from _why(found, words)
    yield from _recipients(found, words)
    yield from _terms(found, words)
    yield from _rights(found, words)
    yield from _limits(found, words)
    yield from _elements(words.text("requests"), found.requests, words)
    yield Heading(1, words.text("data"))
    yield Text(words.text("data_intro"))
    yield from _plan(found.plan, words)
    yield from _elements(words.text("consents"), found.consents, words)
    yield from _elements(words.text("representatives"), found.representatives, words)
    yield from _looked(found.disclosures, words)
    yield from _whole(found, words)


def _why(found: Gathered, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("why"))
    rows = [
        (
            f"{one.title or one.legal_basis}\n{words.purpose(one.purpose)}",
            f"{one.citation}\n{one.legal_basis}".strip(),
            ", ".join(words.category(name) for name in one.categories),
            words.retention(one.retention_rule),
        )
        for one in found.answer.processings
    ]
    names = ("column_purpose", "column_law", "column_data", "column_kept")
    yield _listing(words, "why_table", names, (5, 4, 4, 4), rows)


def _recipients(found: Gathered, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("recipients"))
    rows = [
        (words.task(one.task), one.organisation, words.moment(one.last_time) if one.last_time else "")
        for one in found.answer.recipients
    ]
    names = ("column_who", "column_organisation", "column_last")
    yield _listing(words, "recipients_table", names, (5, 5, 4), rows)


def _terms(found: Gathered, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("terms"))
    rows = [
        (
            words.task(one.task),
            one.organisation or words.text("not_recorded"),
            words.text("years", count=one.retention_years),
            one.retention_citation,
        )
        for one in found.answer.sources
    ]
    names = ("column_from", "column_organisation", "column_term", "column_law")
    yield _listing(words, "terms_table", names, (4, 5, 2, 5), rows)


def _rights(found: Gathered, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("rights"))
    yield Text(words.text("rights_intro"))
    items = tuple(words.right(one.article) for one in found.answer.rights)
    yield Bullets(items) if items else Text(words.text("none"))


def _limits(found: Gathered, words: Words) -> Iterator[Block]:
    if not found.answer.limits:
        return
    yield Heading(1, words.text("limits"))
    rows = [
        (
            words.value(one.state),
            words.purpose(one.limited_purpose) if one.limited_purpose else words.text("every_purpose"),
            one.recipient or words.text("everyone"),
        )
        for one in found.answer.limits
    ]
    yield _listing(words, "limits_table", ("column_state", "column_purpose", "column_who"), (4, 4, 4), rows)


def _plan(plan: Mapping[str, Any], words: Words) -> Iterator[Block]:
    some = False
    for name, elements in plan.items():
        if isinstance(elements, list) and elements:
            some = True
            yield Heading(2, words.field(name))
            yield from _each(elements, 3, words.field(name), words)
    if not some:
        yield Text(words.text("none"))


def _elements(heading: str, elements: Sequence[Mapping[str, Any]], words: Words) -> Iterator[Block]:
    if elements:
        yield Heading(1, heading)
        yield from _each(elements, 2, heading, words)


def _each(elements: Sequence[Mapping[str, Any]], level: int, name: str, words: Words) -> Iterator[Block]:
    for number, element in enumerate(elements, start=1):
        yield Heading(level, f"{name} {number}")
        for own in (key for key in element if key in OWN_WORDS and element[key]):
            yield Text(f"{words.field(own)}:")
            yield Quote(str(element[own]))
        rows = tuple(
            (words.field(key), _shown(key, value, words))
            for key, value in element.items()
            if key not in OWN_WORDS
        )
        if rows:
            yield Facts(rows)


def _shown(key: str, value: object, words: Words) -> str:
    if isinstance(value, bool):
        return words.text("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(_shown(key, one, words) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{words.field(name)}: {_shown(name, one, words)}" for name, one in value.items())
    text = str(value)
    if key == "purpose":
        return words.purpose(text)
    if key == "categories":
        return words.category(text)
    return words.told(text)


def _looked(disclosures: Sequence[Looked], words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("looked"))
    yield Text(words.text("looked_intro"))
    if len(disclosures) > ROWS_MAX:
        yield Text(words.text("more_rows", shown=ROWS_MAX, all=len(disclosures)))
    rows = [
        (
            words.moment(one.decide_time) if one.decide_time else "",
            f"{words.task(one.task)}\n{one.organisation}",
            words.purpose(one.purpose),
            one.legal_basis,
            _happened(one, words),
        )
        for one in disclosures[:ROWS_MAX]
    ]
    names = ("column_when", "column_who", "column_purpose", "column_ground", "column_told")
    yield _listing(words, "looked_table", names, (3, 4, 4, 3, 5), rows)


def _happened(one: Looked, words: Words) -> str:
    told = in_words(one.explanation, words) if words.language == EXPLAINED_IN else ""
    told = told or words.outcome(one.outcome)
    return f"{told} {words.text('not_arrived')}" if one.abort_time is not None else told


def in_words(explanation: str, words: Words) -> str:
    """Return an explanation with the collections it names by their own words, each once.

    A question for everything names hundreds of fields: the file for computers has them one by one.
    """

    def named(found: re.Match[str]) -> str:
        begin, paths = found.groups()
        parts = (path.partition("[")[0].partition(".")[0] for path in paths.split(", "))
        return f"{begin}: {', '.join(dict.fromkeys(map(words.field, parts)))}."

    return _FIELDS.sub(named, explanation)


def _whole(found: Gathered, words: Words) -> Iterator[Block]:
    covered = found.answer.covered
    if covered.log_size:
        yield Heading(1, words.text("covered"))
        yield Text(words.text("covered_text", count=len(covered.leaf_indexes), size=covered.log_size))
    paths = sorted({path for some in found.withheld.values() for path in some})
    if paths:
        yield Heading(1, words.text("withheld"))
        yield Text(words.text("withheld_text"))
        yield Bullets(tuple(_path(path, words) for path in paths))


def _path(path: str, words: Words) -> str:
    named = path.partition("[")[0]
    return ": ".join(words.field(part) for part in named.split("."))


def _listing(
    words: Words,
    caption: str,
    names: tuple[str, ...],
    widths: tuple[int, ...],
    rows: Sequence[tuple[str, ...]],
) -> Block:
    if not rows:
        return Text(words.text("none"))
    return Listing(words.text(caption), tuple(map(words.text, names)), widths, tuple(rows))
