"""A published file as the judge of a simulator: what it serves is asked in every way, right and wrong.

Schemathesis makes the questions and looks at the answers: status, media type, headers and body as published,
what breaks the file refused, what wants a key refused without one. What it cannot guess is filled in here:
the urls of things that are there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from tests.municipal.judge import heeded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from schemathesis import APIOperation, Case

EXAMPLES = 15
METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})
# A url that is well formed may still name nothing here: then it is refused, as the files say.
NOT_LOOKED_AT = ("positive_data_acceptance",)
# Beside what schemathesis takes as refused: what the files publish for a wrong Content-Crs.
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "410", "412", "413", "415", "429"]


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def published(file: Path, root: str, served: Collection[tuple[str, str]]) -> schemathesis.BaseSchema:
    """Return a published file as far as it is served; `served` are (path, method)."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told: dict[str, Any] = yaml.load(file.read_bytes(), loader)  # noqa: S506 -- a safe loader
    told["servers"] = [{"url": root}]
    paths: dict[str, Any] = told["paths"]
    known = {(shape(path), method) for path, item in paths.items() for method in item}
    assert set(served) <= known, set(served) - known
    for path, item in list(paths.items()):
        kept = {name: one for name, one in item.items() if (shape(path), name) in served}
        rest = {name: one for name, one in item.items() if name not in METHODS}
        paths[path] = rest | kept
        if not kept:
            del paths[path]
        for one in kept.values():
            heeded(one)
    for one in told["components"]["schemas"].values():
        told_apart(one)
    config = schemathesis.Config.from_dict(
        {"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}}
    )
    return schemathesis.openapi.from_dict(told, config=config)


def told_apart(one: dict[str, Any]) -> None:
    """Let a discriminator say which of its kinds it is: to JSON Schema alone one thing may be all of them."""
    if "oneOf" not in one or "mapping" not in one.get("discriminator", {}):
        return
    name, mapping = one["discriminator"]["propertyName"], one["discriminator"]["mapping"]
    one["oneOf"] = [
        {
            "allOf": [
                {"$ref": ref},
                {"type": "object", "properties": {name: {"enum": [word]}}, "required": [name]},
            ]
        }
        for word, ref in mapping.items()
    ]
    del one["discriminator"]


@dataclass
class Judged:
    """What was asked and what came of it: statuses by operation, and what broke the file."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    violations: set[str] = field(default_factory=set)

    @property
    def asked(self) -> int:
        return sum(sum(one.values()) for one in self.statuses.values())

    def without_success(self) -> list[str]:
        """Return the operations that never answered well: of them too little was seen."""
        return sorted(name for name, one in self.statuses.items() if not any(status < 300 for status in one))


def judge(
    schema: schemathesis.BaseSchema,
    base: str,
    headers: Mapping[str, str],
    fill: Callable[[Case[Any]], None],
    most: int,
) -> Judged:
    """Ask so many operations: as the file says, the same of things that are there, and against the file."""
    load_all_checks()
    judged = Judged()
    for found in islice(schema.get_all_operations(), most):
        operation: APIOperation[Any, Any, Any, Any] = found.ok()  # type: ignore[union-attr] # else it raises
        for mode, filled in (
            (GenerationMode.POSITIVE, None),
            (GenerationMode.POSITIVE, fill),
            (GenerationMode.NEGATIVE, None),
        ):
            _ask(operation, mode, filled, judged, base, headers)
    return judged


def _ask(  # noqa: PLR0917 -- one question, with all that is around it
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    fill: Callable[[Case[Any]], None] | None,
    judged: Judged,
    base: str,
    headers: Mapping[str, str],
) -> None:
    unlooked: list[Any] = [CHECKS.get_one(name) for name in NOT_LOOKED_AT]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        if fill is not None:
            fill(case)
        answer = case.call(base_url=base, headers=dict(headers))
        judged.statuses.setdefault(operation.label, Counter())[answer.status_code] += 1
        try:
            case.validate_response(answer, excluded_checks=unlooked, headers=dict(headers))
        except FailureGroup as failures:
            for one in failures.exceptions:
                what = f"{operation.label} {mode.name} {answer.status_code}"
                judged.violations.add(f"{what}: {one.title}: {one.message[:300]}")

    ask()
