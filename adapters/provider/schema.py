"""Our own description of the messages: which elements, in which order, how often, holding what.

Promises: both laws come from the same four tables in `data/`; what differs is a row. A message that this
description accepts, the official XSD accepts, and the other way round, but for dates before year 1 or after
year 9999, 24:00:00 as a time, and `xsi:type`, which we refuse.
Source: element tables of iWmo 3.2 and iJw 3.2 (Zorginstituut Nederland). Retours (302, 306, 308, 316, 318,
320) follow from the message they answer by the fixed rule that the official iJw schemas show; 325 has rows of
its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

UNBOUNDED: Final = 1_000_000
RETURN_CODES: Final = "RetourCodes"


class Law(Enum):
    """The two laws whose messages share one form; the value is the prefix of their message names."""

    WMO = "wmo"
    JW = "jw"

    @property
    def standard(self) -> str:
        """Return the name of the standard in namespaces: iwmo or ijw."""
        return f"i{self.value}"

    @property
    def basis_namespace(self) -> str:
        """Return the namespace of the types all messages share."""
        return f"http://www.istandaarden.nl/{self.standard}/3_2/basisschema/schema"


@dataclass(frozen=True, slots=True)
class TextPattern:
    """A facet `pattern`: as the XSD writes it, and as an expression that takes linear time here."""

    official: str
    expression: re.Pattern[str]


# XSD's dot leaves out both line ends and its \s is ASCII; the comment pattern, taken literally, takes
# exponential time, and means no more than "not only blanks".
PATTERNS: Final[Mapping[str, TextPattern]] = MappingProxyType(
    {
        "line": TextPattern(r".*[^\s].*", re.compile(r"[ \t]*[^\s][^\n\r]*", re.ASCII)),
        "comment": TextPattern(r"([.\s]*\S+[.\s]*)+", re.compile(r"\s*\S.*", re.ASCII | re.DOTALL)),
        "digits": TextPattern("[0-9]*", re.compile("[0-9]*")),
        "digits4": TextPattern("[0-9]{4}", re.compile("[0-9]{4}")),
        "digits8": TextPattern("[0-9]{8}", re.compile("[0-9]{8}")),
        "digits9": TextPattern("[0-9]{9}", re.compile("[0-9]{9}")),
        "alphanumeric": TextPattern("([a-zA-Z0-9])+", re.compile("[a-zA-Z0-9]+")),
        "letters": TextPattern("([a-zA-ZÀ-ỳ])+", re.compile("[a-zA-ZÀ-ỳ]+")),
        "version": TextPattern(
            r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)",
            re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"),
        ),
        "date": TextPattern("[^:Z]*", re.compile("[^:Z]*")),
        "time": TextPattern("[^Z+-]+", re.compile("[^Z+-]+")),
    }
)


@dataclass(frozen=True, slots=True)
class SimpleType:
    """A kind of text. `low` and `high` bound the length of a string and the value of an integer."""

    name: str
    base: str
    low: int | None
    high: int | None
    pattern: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ElementRule:
    """One element of a class: its kind, how often it stands there, in which namespace it is.

    `fixed` is the one text it may hold; `pattern` narrows its kind, by a name in PATTERNS.
    """

    name: str
    kind: str
    least: int
    most: int
    in_basis: bool
    fixed: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class MessageSchema:
    """Everything there is to know of one message of one law."""

    law: Law
    number: str
    code: str
    answers: str
    basis_xsd: str
    message_xsd: str
    simple: Mapping[str, SimpleType]
    classes: Mapping[str, tuple[ElementRule, ...]]
    # The tags of the elements of each class, with their namespace: made once, for every element asks.
    tags: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the tags."""
        tags = {name: tuple(map(self.tag_of, rules)) for name, rules in self.classes.items()}
        object.__setattr__(self, "tags", MappingProxyType(tags))

    @property
    def namespace(self) -> str:
        """Return the namespace of the message's own classes."""
        return f"http://www.istandaarden.nl/{self.law.standard}/3_2/{self.prefix}/schema"

    @property
    def prefix(self) -> str:
        """Return the prefix that the standard gives the message's own namespace, such as wmo301."""
        return f"{self.law.value}{self.number}"

    def tag_of(self, rule: ElementRule) -> str:
        """Return the name of an element with the namespace in which it stands, as `{namespace}name`."""
        return f"{{{self.law.basis_namespace if rule.in_basis else self.namespace}}}{rule.name}"


@cache
def table(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of `data/NAME.tsv`, each by the names in its first line."""
    text = files("adapters.provider.data").joinpath(f"{name}.tsv").read_text(encoding="utf-8")
    head, *rows = text.removesuffix("\n").split("\n")
    names = head.split("\t")
    return tuple(MappingProxyType(dict(zip(names, row.split("\t"), strict=True))) for row in rows)


@cache
def schema_of(law: Law, number: str) -> MessageSchema:
    """Return the description of one message. Raises KeyError for one that this adapter does not speak."""
    for row in table("messages"):
        if (row["law"], row["message"]) == (law.value, number):
            return MessageSchema(
                law=law,
                number=number,
                code=row["code"],
                answers=row["answers"],
                basis_xsd=row["basis_xsd"],
                message_xsd=row["message_xsd"],
                simple=MappingProxyType(_simple_types(law)),
                classes=MappingProxyType(_classes(law, number, row["answers"], row["code"])),
            )
    raise KeyError(f"{law.value}{number}")


@cache
def all_schemas() -> Mapping[str, MessageSchema]:
    """Return every message this adapter speaks, by its namespace."""
    schemas = (schema_of(Law(row["law"]), row["message"]) for row in table("messages"))
    return MappingProxyType({schema.namespace: schema for schema in schemas})


@cache
def answer_number(number: str) -> str:
    """Return the number of the retour to a message: 302 for 301."""
    return next(row["message"] for row in table("messages") if row["answers"] == number)


def _simple_types(law: Law) -> dict[str, SimpleType]:
    return {
        row["type"]: SimpleType(
            name=row["type"],
            base=row["base"],
            low=int(row["low"]) if row["low"] else None,
            high=int(row["high"]) if row["high"] else None,
            pattern=row["pattern"],
            values=tuple(row["values"].split()),
        )
        for row in table("types")
        if row["law"] in {"*", law.value}
    }


def is_of(law: Law, number: str, messages: str) -> bool:
    """Tell whether a row of a table is of a message: `301,305` of both laws, `jw:315` of one."""
    named = messages.split(",")
    return number in named or f"{law.value}:{number}" in named


def _classes(law: Law, number: str, answers: str, code: str) -> dict[str, tuple[ElementRule, ...]]:
    """Collect the classes of a message; those of most answers follow from the message they answer."""
    own = any(is_of(law, number, row["messages"]) for row in table("classes"))
    source = number if own else answers
    fixed = {"BerichtCode": code, "BerichtVersie": "3", "BerichtSubversie": "2"}
    classes: dict[str, tuple[ElementRule, ...]] = {}
    for row in table("classes"):
        in_basis = row["messages"] == "basis"
        if not in_basis and not is_of(law, source, row["messages"]):
            continue
        rule = ElementRule(
            name=row["element"],
            kind=row["type"],
            least=int(row["min"]),
            most=UNBOUNDED if row["max"] == "*" else int(row["max"]),
            in_basis=in_basis,
            fixed=fixed.get(row["element"], "") if row["class"] == "Header" else "",
            pattern=row["pattern"],
        )
        classes[row["class"]] = (*classes.get(row["class"], ()), rule)
    return classes if own else _as_answer(classes)


def _as_answer(classes: dict[str, tuple[ElementRule, ...]]) -> dict[str, tuple[ElementRule, ...]]:
    """Turn a message into its retour: longer header, body optional, RetourCodes last in every class."""

    def own(name: str, kind: str, least: int = 1, most: int = 1) -> ElementRule:
        return ElementRule(name=name, kind=kind, least=least, most=most, in_basis=False)

    head, body = classes["Bericht"]
    answer = dict(classes)
    answer["Bericht"] = (head, own(body.name, body.kind, least=0))
    answer["Header"] = (
        *classes["Header"],
        own("IdentificatieRetour", "LDT_IdentificatieBericht"),
        own("DagtekeningRetour", "LDT_Datum"),
        own("XsltVersie", "LDT_Versie", least=0),
        own("XsdVersieRetour", "CDT_XsdVersie"),
        own(RETURN_CODES, RETURN_CODES, least=0),
    )
    for name in message_classes(classes):
        if not is_container(classes[name]):
            answer[name] = (*classes[name], own(RETURN_CODES, RETURN_CODES))
    answer[RETURN_CODES] = (own("RetourCode", "LDT_RetourCode", most=UNBOUNDED),)
    return answer


def message_classes(classes: Mapping[str, tuple[ElementRule, ...]]) -> tuple[str, ...]:
    """Return the names of the classes below the header: not those of the basis, not the root."""
    return tuple(
        name for name in classes if not name.startswith("CDT_") and name not in {"Bericht", "Header"}
    )


def is_container(rules: tuple[ElementRule, ...]) -> bool:
    """Tell whether a class only holds the repetitions of one other class."""
    return len(rules) == 1 and rules[0].most == UNBOUNDED
