"""Faults on order: late, refused, cut off, answered though the answer is lost.

Promises: a fault hits the requests it was ordered for, in the order they come, and no other; what it does to
the effect of a request stands beside its name.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from adapters.simulators.open_zaak.answers import Problem, brp_problem, zgw_problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Kind(Enum):
    """What happens to a request."""

    REFUSE = "refuse"  # answered with a status, without effect
    CUT = "cut"  # cut off within the answer, without effect
    LOSE = "lose"  # done; the answer is cut off
    DELAY = "delay"  # done at once; the answer comes `delay_s` later


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault for requests of `method` (any where empty) whose path holds `path`; `times` of them."""

    kind: Kind
    path: str = ""
    method: str = ""
    status: int = 500
    code: str = "error"
    retry_after_s: int = 0
    delay_s: float = 0.0
    times: int = 1


class Faults:
    """The orders. May be used by any thread."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._orders: list[list[Any]] = []  # [fault, times left]

    def order(self, fault: Fault) -> None:
        """Order a fault; earlier orders come first."""
        with self._lock:
            self._orders.append([fault, fault.times])

    def clear(self) -> None:
        """Take every order back."""
        with self._lock:
            self._orders.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, and count it."""
        with self._lock:
            for order in self._orders:
                fault: Fault = order[0]
                if fault.method in ("", method) and fault.path in path:
                    order[1] -= 1
                    if not order[1]:
                        self._orders.remove(order)
                    return fault
        return None


class Faulty:
    """An application with its faults in front of it."""

    def __init__(self, app: App, faults: Faults) -> None:
        self._app: Final = app
        self._faults: Final = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or do to it what was ordered."""
        fault = None
        if scope["type"] == "http":
            fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind is Kind.REFUSE:
            await _read(receive)
            problem = Problem(fault.status, fault.code, retry_after_s=fault.retry_after_s)
            made = brp_problem if "/brp" in scope["path"] else zgw_problem
            await made(problem)(scope, receive, send)
        elif fault.kind is Kind.CUT:
            await _read(receive)
            await _cut(send)
        else:
            await self._do_it(fault, scope, receive, send)

    async def _do_it(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        await self._app(scope, receive, keep)
        if fault.kind is Kind.LOSE:
            await _cut(send)
            return
        await asyncio.sleep(fault.delay_s)
        for message in kept:
            await send(message)


async def _read(receive: Receive) -> None:
    """Take the whole request, as whoever refuses it afterwards does."""
    while (await receive()).get("more_body"):
        continue


async def _cut(send: Send) -> None:
    """Begin an answer that promises more than comes; the server then hangs up."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"results": [', "more_body": False})
