"""Requests of the AuthZEN Authorization API as values, read from JSON strictly where it matters.

Promises: fields nobody knows are ignored; every missing or misshapen field is named at once; texts are
bounded and no fault repeats a value.
Source: AuthZEN Authorization API 1.0, sections 5 to 8 (information model, evaluation, evaluations, search).
"""

from __future__ import annotations

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
_MISSING: Final = "is missing"
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
    return body


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
