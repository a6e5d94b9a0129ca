"""Searches: candidates evaluated one after another until a page is full.

Promises: a result is named only after the gate permitted its evaluation; a search looks at no more than a
bounded number of candidates and then gives a token to go on with, bound to this very question and who asks.
Source: AuthZEN Authorization API 1.0, section 8 (search, pagination).
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from exchange.server.contract.pages import question_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from exchange.server.authzen.desk import Candidate, Desk
    from exchange.server.authzen.messages import Evaluation, Search
    from exchange.server.house import Call

CANDIDATES_MAX: Final = 200
TOKEN_FIELD: Final = "page.token"  # noqa: S105 -- the name of a field


async def find(call: Call, desk: Desk, search: Search, gap: str) -> dict[str, Any]:
    """Return a page of results. Raises ExchangeError."""
    question = question_of(call.rpc, call.caller, search.said)
    pages = call.house.pages
    start = pages.open(search.token, question, TOKEN_FIELD) if search.token else 0
    results: list[dict[str, Any]] = []
    place, looked_at = start, 0
    async with aclosing(_candidates(desk, gap)(call, search.asked, start)) as candidates:
        async for candidate in candidates:
            if len(results) == search.limit or looked_at == CANDIDATES_MAX:
                return _page(results, pages.seal(place, question))
            looked_at += 1
            place = candidate.after
            asked = candidate.evaluation
            if asked is None:
                continue
            # Each evaluation is a walk: it counts like a call.
            call.house.calls.take(call.caller.organisation)
            if (await desk.evaluate(call, asked)).decision:
                results.append(_RESULTS[gap](asked))
    return _page(results, "")


def _page(results: list[dict[str, Any]], token: str) -> dict[str, Any]:
    return {"page": {"next_token": token, "count": len(results)}, "results": results}


def _candidates(desk: Desk, gap: str) -> Callable[[Call, Evaluation, int], AsyncGenerator[Candidate, None]]:
    return {"subject": desk.subjects, "resource": desk.resources, "action": desk.actions}[gap]


def _subject(found: Evaluation) -> dict[str, Any]:
    told: dict[str, Any] = {"type": found.subject.type, "id": found.subject.id}
    return told | ({"properties": dict(found.subject.properties)} if found.subject.properties else {})


def _resource(found: Evaluation) -> dict[str, Any]:
    return {"type": found.resource.type, "id": found.resource.id}


def _action(found: Evaluation) -> dict[str, Any]:
    return {"name": found.action.name}


_RESULTS: Final[dict[str, Callable[[Evaluation], dict[str, Any]]]] = {
    "subject": _subject,
    "resource": _resource,
    "action": _action,
}
