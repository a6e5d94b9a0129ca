"""Requests of the AuthZEN Authorization API as values, read from JSON strictly where it matters.

Promises: fields nobody knows are ignored; every missing or misshapen field is named at once; texts are
bounded and no fault repeats a value; a name that comes twice in one object is refused, for who reads the
first and who reads the last would see two questions.
Source: AuthZEN Authorization API 1.0, sections 5 to 8 (information model, evaluation, evaluations, search);
RFC 8259 section 4 and RFC 7493 section 2.3 (names within an object).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.errors import RequestInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVALUATIONS_MAX: Final = 50
PAGE_RESULTS_DEFAULT: Final = 50
PAGE_RESULTS_MAX: Final = 200
NAME_CHARS_MAX: Final = 200
TOKEN_CHARS_MAX: Final = 200
PLACES_MAX: Final = 20
_MISSING: Final = "is missing"
_TWICE: Final = "must be named once"
_FIELD_NAME: Final = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)
_OBJECT: Final = "must be an object"
_TEXT: Final = f"must be a text of 1 to {NAME_CHARS_MAX} characters"

_decode = msgspec.json.Decoder().decode


class Semantic(StrEnum):
    """When a list of evaluations ends."""

    ALL = "execute_all"
    FIRST_DENY = "deny_on_first_deny"
    FIRST_PERMIT = "permit_on_first_permit"


@dataclass(frozen=True, slots=True)
class Entity:
    """A subject or a resource; `id` is empty where a search looks for it."""

    type: str
    id: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """What is asked to be done; the name is empty where a search looks for it."""

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The question whether this subject may do this with this resource, in this context."""

    subject: Entity
    action: Action
    resource: Entity
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluations:
    """Several questions; one that was misshapen is its error. `single` answers as one evaluation."""

    asked: Sequence[Evaluation | RequestInvalid]
    semantic: Semantic
    single: bool


@dataclass(frozen=True, slots=True)
class Search:
    """A question with a gap, which results of it are asked, and all it says, for its page token."""

    asked: Evaluation
    limit: int
    token: str
    said: bytes


def read_body(raw: bytes) -> dict[str, Any]:
    """Parse the body of a request. Raises RequestInvalid."""
    if not raw:
        raise RequestInvalid("the request has no body", {"body": "must be a JSON object"})
    try:
        body = _decode(raw)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors too
        raise RequestInvalid("the body cannot be read", {"body": "must be JSON"}) from None
    if not isinstance(body, dict):
        raise RequestInvalid("the body cannot be read", {"body": "must be a JSON object"})
    twice = _named_twice(raw)
    if twice:
        raise RequestInvalid("names come twice in one object", dict.fromkeys(twice, _TWICE))
    return body


class _Object(list[tuple[str, Any]]):
    """A JSON object as it was written: names and values in order, a name that comes twice twice."""


def _named_twice(raw: bytes) -> list[str]:
    """Return the places of names that come twice, in the order of the text. Raises RequestInvalid."""
    try:
        # Numbers stay texts: only names matter here.
        written = json.loads(raw.decode(), object_pairs_hook=_Object, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise RequestInvalid("the body cannot be read", {"body": "must be JSON"}) from None
    found: list[str] = []
    waiting: list[tuple[str, Any]] = [("", written)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _Object):
            inside = [(f"{place}.{_shown(name)}".lstrip("."), name, one) for name, one in value]
            seen: set[str] = set()
            for where, name, _ in inside:
                if name in seen:
                    found.append(where)
                seen.add(name)
            waiting += [(where, one) for where, _, one in reversed(inside)]
        elif isinstance(value, list):
            waiting += [(f"{place}[{number}]", one) for number, one in reversed([*enumerate(value)])]
        if len(found) > PLACES_MAX:
            break
    return list(dict.fromkeys(found))[:PLACES_MAX]


def _shown(name: str) -> str:
    # A name may be anything, also what is nobody's business: only what looks like a field's is repeated.
    return name if _FIELD_NAME.fullmatch(name) else "*"


def read_evaluation(body: Mapping[str, Any]) -> Evaluation:
    """Read one question. Raises RequestInvalid naming every fault."""
    return _read(body, gap="")


def read_evaluations(body: Mapping[str, Any]) -> Evaluations:
    """Read several questions with their defaults: a part is taken over whole, or not at all.

    Raises RequestInvalid where the list itself does not do.
    """
    listed, options = body.get("evaluations"), body.get("options", {})
    semantic = _semantic(options)
    if listed is None or listed == []:
        return Evaluations((read_evaluation(body),), semantic, single=True)
    if not isinstance(listed, list):
        raise RequestInvalid("the evaluations cannot be read", {"evaluations": "must be a list"})
    if len(listed) > EVALUATIONS_MAX:
        raise RequestInvalid("too many evaluations", {"evaluations": f"must be at most {EVALUATIONS_MAX}"})
    defaults = {name: body[name] for name in ("subject", "action", "resource", "context") if name in body}
    return Evaluations([_one_of(defaults, one) for one in listed], semantic, single=False)


def read_search(body: Mapping[str, Any], gap: str) -> Search:
    """Read a search; `gap` is the part that is looked for. Raises RequestInvalid naming every fault."""
    asked = _read(body, gap=gap)
    page = body.get("page", {})
    if not isinstance(page, dict):
        raise RequestInvalid("the page cannot be read", {"page": _OBJECT})
    limit, token = page.get("limit", PAGE_RESULTS_DEFAULT), page.get("token", "")
    faults = {
        # A bool is an int to Python and never a number to anybody.
        "page.limit": "" if type(limit) is int and limit >= 1 else "must be a whole number from 1",
        "page.token": "" if isinstance(token, str) and len(token) <= TOKEN_CHARS_MAX else "must be a text",
    }
    _refuse(faults)
    question = {name: value for name, value in body.items() if name != "page"}
    said = msgspec.json.encode(question, order="deterministic")
    return Search(asked, min(limit, PAGE_RESULTS_MAX), token, said)


def _one_of(defaults: Mapping[str, Any], one: object) -> Evaluation | RequestInvalid:
    if not isinstance(one, dict):
        return RequestInvalid("an evaluation cannot be read", {"evaluation": _OBJECT})
    try:
        return read_evaluation({**defaults, **one})
    except RequestInvalid as error:
        return error


def _semantic(options: object) -> Semantic:
    if not isinstance(options, dict):
        raise RequestInvalid("the options cannot be read", {"options": _OBJECT})
    try:
        return Semantic(options.get("evaluations_semantic", Semantic.ALL))
    except ValueError:
        words = ", ".join(Semantic)
        raise RequestInvalid(
            "the options cannot be read", {"options.evaluations_semantic": f"must be one of {words}"}
        ) from None


def _read(body: Mapping[str, Any], *, gap: str) -> Evaluation:
    faults: dict[str, str] = {}
    subject = _entity(body, "subject", faults, sought=gap == "subject")
    resource = _entity(body, "resource", faults, sought=gap == "resource")
    action = Action("") if gap == "action" else _action(body, faults)
    context = body.get("context", {})
    if not isinstance(context, dict):
        faults["context"] = _OBJECT
        context = {}
    _refuse(faults)
    return Evaluation(subject, action, resource, context)


def _entity(body: Mapping[str, Any], name: str, faults: dict[str, str], *, sought: bool) -> Entity:
    part = _part(body, name, faults)
    if part is None:
        return Entity("", "")
    kind = _text(part, f"{name}.type", faults)
    # What is looked for has no id yet; one that is told all the same is ignored (sections 8.4 and 8.5).
    key = "" if sought else _text(part, f"{name}.id", faults)
    return Entity(kind, key, _properties(part, name, faults))


def _action(body: Mapping[str, Any], faults: dict[str, str]) -> Action:
    part = _part(body, "action", faults)
    if part is None:
        return Action("")
    return Action(_text(part, "action.name", faults), _properties(part, "action", faults))


def _part(body: Mapping[str, Any], name: str, faults: dict[str, str]) -> dict[str, Any] | None:
    part = body.get(name)
    if part is None:
        faults[name] = _MISSING
    elif not isinstance(part, dict):
        faults[name] = _OBJECT
    else:
        return part
    return None


def _text(part: Mapping[str, Any], path: str, faults: dict[str, str]) -> str:
    value = part.get(path.rpartition(".")[2])
    if value is None:
        faults[path] = _MISSING
    elif not isinstance(value, str) or not 1 <= len(value) <= NAME_CHARS_MAX:
        faults[path] = _TEXT
    else:
        return value
    return ""


def _properties(part: Mapping[str, Any], name: str, faults: dict[str, str]) -> Mapping[str, Any]:
    properties = part.get("properties", {})
    if isinstance(properties, dict):
        return properties
    faults[f"{name}.properties"] = _OBJECT
    return {}


def _refuse(faults: Mapping[str, str]) -> None:
    found = {path: why for path, why in faults.items() if why}
    if found:
        raise RequestInvalid("the request does not have the shape it needs", found)
