"""Answers as the APIs give them: JSON, or a problem.

Promises: each error has the form its API publishes; no error repeats what was sent.
Source: ZGW `Fout` and `ValidatieFout`; BRP Personen `Foutbericht`; RFC 9457.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION: Final = {"API-version": "1.0.0"}
CRS: Final = "EPSG:4326"
_TITLES: Final = {
    400: "Invalid input.",
    401: "Authentication credentials were not provided.",
    403: "You do not have permission to perform this action.",
    404: "Not found.",
    405: "Method not allowed.",
    406: "Not acceptable.",
    409: "Conflict.",
    410: "Gone.",
    412: "Precondition failed.",
    415: "Unsupported media type.",
    429: "Too many requests.",
    500: "A server error occurred.",
}


# BRP Personen has words of its own for what is no question at all.
_BRP_CODES: Final = {
    "parse_error": "paramsValidation",
    "unsupported_media_type": "unsupportedMediaType",
    "not_found": "notFound",
    "method_not_allowed": "notAllowed",
}


class Problem(Exception):
    """A request is refused. `params` are (name, code, reason)."""

    def __init__(
        self, status: int, code: str, params: Sequence[tuple[str, str, str]] = (), retry_after_s: int = 0
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.params = tuple(params)
        self.retry_after_s = retry_after_s


def invalid(name: str, code: str, reason: str = "This value is not accepted.") -> Problem:
    """Return the refusal of one field."""
    return Problem(400, "invalid", [(name, code, reason)])


def answer(
    content: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    etag: bool = False,
    media_type: str = "application/json",
) -> Response:
    """Return JSON; with `etag` also the strong validator of its bytes."""
    body = json.dumps(content, ensure_ascii=False).encode()
    told = {**VERSION, **(headers or {})}
    if etag:
        told["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Response(body, status, {"Content-Type": media_type, **told})


def zgw_problem(problem: Problem) -> Response:
    """Return a problem in the form of the ZGW standard."""
    told: dict[str, Any] = {
        "type": "https://zaken.example/ref/fouten/",
        "code": problem.code,
        "title": _TITLES.get(problem.status, "Error."),
        "status": problem.status,
        "detail": _TITLES.get(problem.status, "Error."),
        "instance": "urn:uuid:00000000-0000-4000-8000-000000000000",
    }
    if problem.status == 400:  # noqa: PLR2004 -- the one status with invalidParams
        told["invalidParams"] = [
            {"name": name, "code": code, "reason": reason} for name, code, reason in problem.params
        ]
    return _problem(told, problem)


def brp_problem(problem: Problem) -> Response:
    """Return a problem in the form of BRP Personen."""
    told: dict[str, Any] = {
        "type": "https://brp.example/fouten",
        "title": "De vraag is geweigerd.",
        "status": problem.status,
        "detail": "De foutieve parameters staan erbij.",
        "instance": "https://brp.example/personen",
        "code": _BRP_CODES.get(problem.code, problem.code),
    }
    if problem.params:
        told["invalidParams"] = [
            {"name": name, "code": code, "reason": reason} for name, code, reason in problem.params
        ]
    return _problem(told, problem)


def _problem(told: Mapping[str, object], problem: Problem) -> Response:
    headers = dict(VERSION)
    if problem.retry_after_s:
        headers["Retry-After"] = str(problem.retry_after_s)
    return Response(json.dumps(told), problem.status, headers, media_type="application/problem+json")
