"""The published OpenAPI files as the judge: of each request that was sent, and of each answer."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from adapters.simulators.open_zaak.brp import BRP
from adapters.simulators.open_zaak.catalogi import BESLUITEN, CATALOGI
from adapters.simulators.open_zaak.documenten import DOCUMENTEN
from adapters.simulators.open_zaak.zaken import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import Seen

FILES = {
    ROOT: "zgw/zaken-openapi.yaml",
    CATALOGI: "zgw/catalogi-openapi.yaml",
    BESLUITEN: "zgw/besluiten-openapi.yaml",
    DOCUMENTEN: "zgw/documenten-openapi.yaml",
    BRP: "brp-personen/openapi.yaml",
}
# RFC 9110 15.4.5: the answer to If-None-Match, which the files name as a parameter and not as an answer.
NOT_MODIFIED = 304


class Sent:
    """A request as openapi-core reads it."""

    def __init__(self, seen: Seen) -> None:
        self.host_url = "http://localhost"
        self.path = seen.path
        self.method = seen.method.lower()
        self.content_type = seen.headers.get("content-type", "")
        self.body = seen.body or None
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(seen.query)), header=Headers(seen.headers), cookie={}
        )


class Answered:
    """An answer as openapi-core reads it."""

    def __init__(self, seen: Seen) -> None:
        self.status_code = seen.status
        self.content_type = seen.answer_headers.get("content-type", "")
        self.headers = Headers(seen.answer_headers)
        self.data = seen.answer


@functools.cache
def file_of(standards: Path, root: str) -> OpenAPI:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told: dict[str, Any] = yaml.load((standards / FILES[root]).read_bytes(), loader)  # noqa: S506 -- a safe loader
    told["servers"] = [{"url": root}]
    for item in told["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                heeded(operation)
    # The files are judged by whoever published them.
    return OpenAPI.from_dict(
        told,
        config=Config(
            spec_validator_cls=None,
            extra_media_type_deserializers={"application/problem+json": json.loads},
        ),
    )


def heeded(operation: dict[str, Any]) -> None:
    """Leave out the header Content-Type where it is none of a form's: OpenAPI 3.0.3 lets it be ignored."""
    if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
        rest = [one for one in operation["parameters"] if one.get("name") != "Content-Type"]
        operation["parameters"] = rest


def faults(standards: Path, seen: Seen) -> list[str]:
    """Return what is wrong with a request and its answer: nothing, or words of the judge."""
    root = next((one for one in FILES if seen.path.startswith(f"{one}/")), None)
    if root is None:
        return []
    judge, request = file_of(standards, root), Sent(seen)
    found = [fault for fault in (fault_of(judge.validate_request, request),) if fault]
    unknown = {name for name, _ in parse_qsl(seen.query)} - known_parameters(standards, root, seen)
    found += [f"unknown parameter {name}" for name in sorted(unknown)]
    if seen.status not in (0, NOT_MODIFIED, 204):
        found += [fault for fault in (fault_of(judge.validate_response, request, Answered(seen)),) if fault]
    return [f"{seen.method} {seen.path} {seen.status}: {fault}" for fault in found]


def known_parameters(standards: Path, root: str, seen: Seen) -> set[str]:
    judge = file_of(standards, root)
    path = seen.path.removeprefix(root)
    told: Any = judge.spec.read_value()["paths"].get(path, {}).get(seen.method.lower(), {})
    return {one["name"] for one in told.get("parameters", []) if one["in"] == "query"}


def fault_of(validate: Any, *parts: object) -> str:  # noqa: ANN401 -- either side of the judge
    try:
        validate(*parts)
    except OpenAPIError as error:
        cause = error.__cause__
        more = "; ".join(str(one.message) for one in getattr(cause, "schema_errors", ()) or ())
        return f"{error} {type(error).__name__} {more}".strip()
    return ""
