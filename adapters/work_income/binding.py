"""Our own description of the four services, and the judge of what fits it.

Promises: what a service's schema refuses is refused here, with the element and the rule named, whether or not
the official schema is at hand; an element the schema does not know is never passed over. Our tables say the
same as the official ones: the tests hold both against the same messages.
Source: SuwiML, Basisschema v0801, FWI v0205 and the four services' BodyAction and BodyReaction; XML Schema.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

from adapters.work_income.errors import AnswerRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from adapters.work_income.services import Service
    from adapters.work_income.xml import Node

Message = Literal["question", "answer"]
_MANY: Final = 2**31
_BLANKS: Final = " \t\n\r"
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class ValueType:
    """What a text may be; a bound that is None is not there."""

    name: str
    number: bool
    length: int | None
    max_length: int | None
    least: int | None
    most: int | None
    digits: int | None
    pattern: re.Pattern[str] | None
    listed: frozenset[str]

    def broken(self, text: str) -> str:
        """Return the rule a text breaks; empty where it breaks none."""
        if self.number:
            return self._broken_number(text)
        if self.length is not None and len(text) != self.length:
            return "length"
        if self.max_length is not None and len(text) > self.max_length:
            return "maxLength"
        if self.pattern is not None and self.pattern.fullmatch(text) is None:
            return "pattern"
        return "enumeration" if self.listed and text not in self.listed else ""

    def _broken_number(self, text: str) -> str:
        text = text.strip(_BLANKS)
        if _NUMBER.fullmatch(text) is None or len(text) > len("-") + 18:
            return "number"
        value = int(text)
        if self.least is not None and value < self.least:
            return "minInclusive"
        if self.most is not None and value > self.most:
            return "maxInclusive"
        return "totalDigits" if self.digits is not None and len(str(abs(value))) > self.digits else ""


@dataclass(frozen=True, slots=True)
class Particle:
    """One line of a schema: an element, or a sequence or a choice of what stands below it."""

    kind: str
    name: str
    least: int
    most: int
    value: ValueType | None
    parts: tuple[Particle, ...]


# A Melding: who says what. Two elements of the FWI namespace are empty or free of order; they are few enough
# to be written here.
_TEXT: Final = ValueType("string", False, None, None, None, None, None, None, frozenset())  # noqa: FBT003 -- one row of a table


def _element(name: str, *parts: Particle, least: int = 1, most: int = 1) -> Particle:
    inside = (Particle("sequence", "", 1, 1, None, parts),) if parts else ()
    return Particle("element", name, least, most, None if parts else _TEXT, inside)


_NOTICE_PARTS: Final = (
    _element("Code"),
    _element("Tekst"),
    _element("Detail", least=0, most=_MANY),
    _element("Bron", _element("DN")),
)
_FWI: Final = Particle(
    "sequence",
    "",
    1,
    1,
    None,
    (
        Particle(
            "choice",
            "",
            1,
            _MANY,
            None,
            tuple(_element(name, *_NOTICE_PARTS) for name in ("Fout", "Waarschuwing", "Informatie")),
        ),
    ),
)
FAULT: Final = _element("Fout", *_NOTICE_PARTS)


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("adapters.work_income.data").joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)


def _number(text: str) -> int | None:
    return int(text) if text else None


@cache
def _types() -> Mapping[str, ValueType]:
    return {
        row["type"]: ValueType(
            name=row["type"],
            number=row["base"] != "string",
            length=_number(row["length"]),
            max_length=_number(row["maxLength"]),
            least=0 if row["base"] == "nonNegativeInteger" else _number(row["minInclusive"]),
            most=_number(row["maxInclusive"]),
            digits=_number(row["totalDigits"]),
            pattern=re.compile(row["pattern"]) if row["pattern"] else None,
            listed=frozenset(row["enumeration"].split()),
        )
        for row in _rows("types.tsv")
    }


@cache
def schema_of(service: Service, message: Message) -> Particle:
    """Return the description of a message of a service."""
    rows = [
        row for row in _rows("particles.tsv") if (row["service"], row["message"]) == (service.name, message)
    ]
    whole, after = _read(rows, 0)
    if after != len(rows):
        raise ValueError(f"the table of {service.name} has more than one root for {message}")
    return whole


def _read(rows: Sequence[Mapping[str, str]], begin: int) -> tuple[Particle, int]:
    row = rows[begin]
    depth, parts, after = int(row["depth"]), [], begin + 1
    while after < len(rows) and int(rows[after]["depth"]) > depth:
        part, after = _read(rows, after)
        parts.append(part)
    return (
        Particle(
            kind=row["kind"],
            name=row["name"],
            least=int(row["min"]),
            most=_MANY if row["max"] == "*" else int(row["max"]),
            value=_types()[row["type"]] if row["type"] else None,
            parts=tuple(parts),
        ),
        after,
    )


def judge(root: Node, schema: Particle) -> None:
    """Raise AnswerRefused for the first element that does not fit."""
    if root.name != schema.name or root.fault_word:
        raise AnswerRefused("root", "/")
    _inside(root, schema, f"/{root.name}")


def judge_fault(fault: Node) -> None:
    """Raise AnswerRefused where a fault of FWI is not one."""
    if fault.name != FAULT.name or not fault.fault_word:
        raise AnswerRefused("root", "/")
    _inside(fault, FAULT, f"/{fault.name}")


def _inside(node: Node, particle: Particle, path: str) -> None:
    """Judge what an element holds."""
    content = particle.parts
    if particle.kind == "fwi" and particle.name == "FWI":
        # NietsGevonden has no type and says all with its name: what it holds is refused below.
        content = (_FWI,)
    if particle.value is not None:
        if node.children:
            raise AnswerRefused("no elements here", path)
        broken = particle.value.broken(node.text)
        if broken:
            raise AnswerRefused(broken, path)
        return
    if node.text.strip(_BLANKS):
        raise AnswerRefused("no text here", path)
    at = 0
    for part in content:
        at = _match(part, node.children, at, path)
    if at < len(node.children):
        raise AnswerRefused("not here, or not once more", _place(path, node.children, at))


def _match(particle: Particle, children: Sequence[Node], at: int, path: str) -> int:
    """Match a particle from a child on; return the child after it. The schemas are deterministic."""
    times = 0
    while times < particle.most and at < len(children) and _begins(particle, children[at]):
        if particle.kind in {"element", "fwi"}:
            _inside(children[at], particle, _place(path, children, at))
            after = at + 1
        elif particle.kind == "choice":
            chosen = next(part for part in particle.parts if _begins(part, children[at]))
            after = _match(chosen, children, at, path)
        else:
            after = at
            for part in particle.parts:
                after = _match(part, children, after, path)
        times, at = times + 1, after
    if times < particle.least and not _may_be_empty(particle):
        raise AnswerRefused("missing", f"{path}/{_first_name(particle)}")
    return at


def _begins(particle: Particle, child: Node) -> bool:
    """Tell whether a child can be the first of a particle."""
    if particle.kind in {"element", "fwi"}:
        return child.name == particle.name and child.fault_word == (particle.kind == "fwi")
    if particle.kind == "choice":
        return any(_begins(part, child) for part in particle.parts)
    for part in particle.parts:
        if _begins(part, child):
            return True
        if part.least and not _may_be_empty(part):
            return False
    return False


def _may_be_empty(particle: Particle) -> bool:
    if particle.kind in {"element", "fwi"}:
        return particle.least == 0
    few = any if particle.kind == "choice" else all
    return particle.least == 0 or few(_may_be_empty(part) for part in particle.parts)


def _first_name(particle: Particle) -> str:
    return particle.name or next(
        (_first_name(part) for part in particle.parts if not _may_be_empty(part)),
        _first_name(particle.parts[0]),
    )


def _place(path: str, children: Sequence[Node], at: int) -> str:
    """Return where a child stands: its name, numbered where it is not the first of that name.

    A name the standard does not know is the sender's: it is not repeated.
    """
    name = children[at].name
    known = name if name in _names() else "?"
    before = sum(1 for child in children[:at] if child.name == name)
    return f"{path}/{known}[{before + 1}]" if before else f"{path}/{known}"


@cache
def _names() -> frozenset[str]:
    ours = {row["name"] for row in _rows("particles.tsv")}
    return frozenset(ours | {"Fout", "Waarschuwing", "Informatie", "Code", "Tekst", "Detail", "Bron", "DN"})
