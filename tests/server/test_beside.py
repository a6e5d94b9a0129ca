"""What is counted of a process beside the service: how its answers ended, and nothing of who asked."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import generate_latest

from exchange.errors import SettingsInvalid
from exchange.server.beside import CLASSES, CONSOLE, Beside, counted

SCOPE = {"type": "http", "path": "/inwoner/123456782"}


def app_that_says(status: int | None) -> Any:  # noqa: ANN401 -- an application
    """Return an application that answers so, or fails before it answers."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 -- as ASGI has it
        if status is None:
            raise RuntimeError("a defect")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(("status", "ended"), [(200, "2xx"), (303, "3xx"), (404, "4xx"), (503, "5xx")])
async def test_an_answer_is_counted_by_the_class_of_its_status(status: int, ended: str) -> None:
    told: list[str] = []
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await counted(app_that_says(status), told.append)(SCOPE, None, send)
    assert (told, [one["type"] for one in sent]) == ([ended], ["http.response.start", "http.response.body"])


async def test_a_page_that_fails_is_counted_as_a_fault_and_fails_as_it_did() -> None:
    told: list[str] = []
    with pytest.raises(RuntimeError, match="a defect"):
        await counted(app_that_says(None), told.append)(SCOPE, None, None)
    assert told == ["5xx"]


def test_an_outcome_that_nobody_named_is_no_label() -> None:
    beside = Beside(CONSOLE, CLASSES)
    with pytest.raises(KeyError):
        beside.count("/inwoner/123456782")
    assert "123456782" not in generate_latest(beside._metrics.registry).decode()


def test_a_port_that_is_taken_is_told_and_none_is_none() -> None:
    first, second = Beside(CONSOLE, CLASSES), Beside(CONSOLE, CLASSES)
    port = first.serve(0)
    with pytest.raises(SettingsInvalid, match="metrics cannot be opened"):
        second.serve(port)
    assert second.serve(None) == 0
    first.close()
    second.close()
