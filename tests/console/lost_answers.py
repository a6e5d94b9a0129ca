"""A console whose calls end as a test tells them to, and what its page then sends once more."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from exchange.console.line import Line
from exchange.server.status import code_of, status_of
from tests.console.resident_reads import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.errors import ExchangeError

    End = ExchangeError | str  # how a call ends: refused, or by what happens to its line
    Ends = dict[str, list[End]]

CASE = "FindCase"
AGAIN = re.compile(r'<form method="post">(.*?)</form>', re.DOTALL)
OPEN = "Of dit is vastgelegd, is nog niet zeker"
LOST, CUT, UNREADABLE = "the answer is lost", "the line is cut before it", "the answer is no message"


class Faulty:
    """The channel of a console, on which the next calls of a method end as they are told to."""

    def __init__(self, channel: grpc.aio.Channel, ends: Ends) -> None:
        self._channel = channel
        self._ends = ends

    def unary_unary(self, path: str, response_deserializer: Any) -> Any:  # noqa: ANN401 -- as gRPC has it
        call: Any = self._channel.unary_unary(path, response_deserializer=response_deserializer)
        ends = self._ends.get(path.rpartition("/")[2], [])

        async def asked(raw: bytes, **around: Any) -> Any:  # noqa: ANN401 -- as gRPC has it
            end = ends.pop(0) if ends else None
            if end is None:
                return await call(raw, **around)
            if end in {LOST, UNREADABLE}:
                await call(raw, **around)
            if end == UNREADABLE:
                return None
            raise refusal(end)

        return asked

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- all else is the channel's own
        return getattr(self._channel, name)


def refusal(end: End) -> grpc.aio.AioRpcError:
    if isinstance(end, str):
        nothing = grpc.aio.Metadata()
        return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "Socket closed")
    status = status_of(end)
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code_of(end), grpc.aio.Metadata(), trailing, status.message)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    """How the next calls of a method end, by its name."""
    told: Ends = {}
    opened = Line._opened
    monkeypatch.setattr(Line, "_opened", lambda line: Faulty(opened(line), told))
    yield told
    assert not any(told.values()), "what was to be lost was never asked"


def sent_again(page: str) -> dict[str, str]:
    """Return what the form of a page sends once more."""
    (form,) = AGAIN.findall(page)
    return {name: unescape(value) for name, value in HIDDEN.findall(form)}
