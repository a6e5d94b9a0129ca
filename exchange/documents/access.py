"""The answer to an access request: his plan, who looked, why and how long, his rights; then the numbers.

Promises: in the order a resident asks it; his own words exactly as they were recorded; no name, id or number
of any member of staff, and no key. Before the appendix stands no number of the register, of an organisation
or of the exchange. What is not known is said to be so, and what was withheld is named.
Source: GDPR 12(1), 15(1)(a)-(h), 15(3); Wmo 2015 5.3.1; Jeugdwet 7.3.10.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from exchange.documents.appendix import ROWS_MAX, appendix, listing
from exchange.documents.blocks import Block, Bullets, Document, Facts, Heading, Text
from exchange.documents.elements import Told
from exchange.documents.words import ZONE, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exchange.documents.gathered import Gathered, Looked, Processing
    from exchange.documents.words import Words

# The language of what the gate explains to residents, and where it lists fields.
EXPLAINED_IN: Final = "nl"
_GIVEN: Final = "Gegeven, als het er is"
_FIELDS: Final = re.compile(rf"({_GIVEN}|Niet gegeven): (.+?)\.(?= |$)")
# What a resident reads first; all else follows in the order of the contract.
FIRST: Final = ("reports", "goals", "supports", "agreements")


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
    author = [(words.text("controller"), found.author)] if found.author else []
    yield Facts((*author, (words.text("made_on"), words.day(found.gathered_at.astimezone(ZONE).date()))))
    if found.empty:
        yield Text(words.text("access_nothing"))
        yield from _rights(found, words)
        return
    told, plan = Told(words, found.organisations), _ordered(found.plan)
    others = {
        "consents": found.consents,
        "representatives": found.representatives,
        "requests": found.requests,
    }
    told.name_all({**plan, **others})
    yield Text(words.text("access_intro"))
    yield from _plan(plan, told, words)
    for name in ("consents", "representatives"):
        yield from _elements(name, others[name], told, words)
    yield from _recipients(found, told, words)
    yield from _looked(found, told, words)
    yield from _why(found, words)
    yield from _terms(found, told, words)
    yield from _rights(found, words)
    yield from _limits(found, told, words)
    yield from _elements("requests", found.requests, told, words)
    yield from _withheld(found, words)
    yield from appendix(found, told, words)


def _ordered(plan: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    some = {name: value for name, value in plan.items() if isinstance(value, list) and value}
    return {name: some[name] for name in (*(one for one in FIRST if one in some), *some)}


def _plan(plan: Mapping[str, Sequence[Mapping[str, Any]]], told: Told, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("data"))
    yield Text(words.text("data_intro" if plan else "none"))
    for name, elements in plan.items():
        yield Heading(2, words.field(name))
        yield from told.each(name, elements, 3)


def _elements(name: str, elements: Sequence[Mapping[str, Any]], told: Told, words: Words) -> Iterator[Block]:
    if elements:
        yield Heading(1, words.text(name))
        yield from told.each(name, elements, 2)


def _recipients(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("recipients"))
    rows = []
    for one in found.answer.recipients:
        who = told.who(one.organisation, one.task)
        day = words.day(one.last_time.astimezone(ZONE).date()) if one.last_time else ""
        rows.append(words.text("recipients_last", who=who, day=day) if day else f"{who}.")
    yield Bullets(tuple(rows)) if rows else Text(words.text("none"))


def _looked(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    disclosures = found.disclosures
    yield Heading(1, words.text("looked"))
    yield Text(words.text("looked_intro"))
    if len(disclosures) > ROWS_MAX:
        yield Text(words.text("more_rows", shown=ROWS_MAX, all=len(disclosures)))
    rows = [
        (
            str(number),
            words.moment(one.decide_time) if one.decide_time else "",
            told.who(one.organisation, one.task),
            _happened(found, one, words),
        )
        for number, one in enumerate(disclosures[:ROWS_MAX], start=1)
    ]
    names = ("column_row", "column_when", "column_who", "column_told")
    yield listing(words, "looked_table", names, (1, 3, 4, 9), rows)


def _happened(found: Gathered, one: Looked, words: Words) -> str:
    """Return what happened; what the gate explained says for what, and by which law."""
    told = in_words(one.explanation, words) if words.language == EXPLAINED_IN else ""
    parts = (words.purpose(one.purpose), found.article(one.legal_basis), words.outcome(one.outcome))
    told = told or "\n".join(filter(None, parts))
    return f"{told} {words.text('not_arrived')}" if one.abort_time is not None else told


def in_words(explanation: str, words: Words) -> str:
    """Return an explanation with the collections it names by their own words, each once.

    A question for everything names hundreds of fields: the file for computers has them one by one. Of what
    some was given and some was not, both lists tell a part.
    """
    of = {begin: _collections(paths) for begin, paths in _FIELDS.findall(explanation)}

    def named(found: re.Match[str]) -> str:
        begin, paths = found.groups()
        others = {one for other, parts in of.items() if other != begin for one in parts}
        a_part = words.text("a_part" if begin == _GIVEN else "another_part")
        told = (
            f"{words.field(one)} ({a_part})" if one in others else words.field(one)
            for one in _collections(paths)
        )
        return f"{begin}: {', '.join(dict.fromkeys(told))}."

    return _FIELDS.sub(named, explanation)


def _collections(paths: str) -> tuple[str, ...]:
    """Return the collections that a list of paths names, each once."""
    return tuple(dict.fromkeys(path.partition("[")[0].partition(".")[0] for path in paths.split(", ")))


def _why(found: Gathered, words: Words) -> Iterator[Block]:
    """Yield each purpose once, and below it what is done for it by which law."""
    yield Heading(1, words.text("why"))
    by_purpose: dict[str, list[Processing]] = {}
    for one in found.answer.processings:
        by_purpose.setdefault(words.purpose(one.purpose), []).append(one)
    if not by_purpose:
        yield Text(words.text("none"))
    for purpose, some in by_purpose.items():
        yield Heading(2, f"{purpose[:1].upper()}{purpose[1:]}")
        for one in some:
            if one.title:
                yield Text(f"{one.title}.")
            rows = (
                ("column_law", one.citation or words.text("not_recorded")),
                ("column_data", ", ".join(map(words.category, one.categories))),
                ("column_kept", words.retention(one.retention_rule)),
            )
            yield Facts(tuple((words.text(name), said) for name, said in rows if said))


def _terms(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("terms"))
    yield Text(words.text("terms_intro"))
    rows = tuple(
        words.text(
            "terms_each",
            who=told.who(one.organisation, one.task),
            years=words.text("years", count=one.retention_years),
            law=one.retention_citation,
        ).strip()
        for one in found.answer.sources
    )
    yield Bullets(rows) if rows else Text(words.text("none"))


def _rights(found: Gathered, words: Words) -> Iterator[Block]:
    yield Heading(1, words.text("rights"))
    yield Text(words.text("rights_intro"))
    items = tuple(words.right(one.article) for one in found.answer.rights)
    yield Bullets(items) if items else Text(words.text("none"))


def _limits(found: Gathered, told: Told, words: Words) -> Iterator[Block]:
    if not found.answer.limits:
        return
    yield Heading(1, words.text("limits"))
    rows = []
    for one in found.answer.limits:
        oin, _, task = one.recipient.partition("/")
        state = words.value(one.state)
        rows.append(
            words.text(
                "limit_of",
                state=f"{state[:1].upper()}{state[1:]}",
                purpose=words.purpose(one.limited_purpose)
                if one.limited_purpose
                else words.text("every_purpose"),
                who=told.who(oin, task) if one.recipient else words.text("everyone"),
            )
        )
    yield Bullets(tuple(rows))


def _withheld(found: Gathered, words: Words) -> Iterator[Block]:
    paths = sorted({path for some in found.withheld.values() for path in some})
    if paths:
        yield Heading(1, words.text("withheld"))
        yield Text(words.text("withheld_text"))
        yield Bullets(tuple(_path(path, words) for path in paths))


def _path(path: str, words: Words) -> str:
    named = path.partition("[")[0]
    return ": ".join(words.field(part) for part in named.split("."))
