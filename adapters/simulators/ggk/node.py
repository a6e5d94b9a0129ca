"""The node: takes what organisations post, confirms it, and posts it on to whom it is for.

Promises: what was confirmed is delivered, in the order it came unless a fault was ordered, again and again
until its door takes it; what a door will not take is told to its sender as Fo01; nothing is kept on disk.
Faults: those of `Kind` for what is posted here; `duplicate` and `hold` for what is passed on.
Source: GGk koppelvlak 2.1.04; the chain municipality, GGk, VECOZO, provider taken together as one node.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from adapters.kit.outward import NotNow, Outward, OutwardError, Refused
from adapters.kit.serving import Serving
from adapters.simulators.ggk import envelope
from adapters.simulators.open_zaak.faults import Faults, Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from adapters.simulators.ggk.envelope import Envelope
    from adapters.simulators.open_zaak.faults import Fault

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH: Final = "/ggk"
NODE: Final = "GGk"
RETRY_S: Final = 0.2
TIMEOUT_S: Final = 30.0
_SOAP: Final = {"Content-Type": "text/xml; charset=utf-8"}


class Node:
    """One node on a port of this machine; `doors` are the urls of organisations, by their code."""

    def __init__(self, doors: Mapping[str, str], port: int = 0) -> None:
        self.faults: Final = Faults()
        self.passed: Final[list[tuple[str, str]]] = []  # function and receiver, in the order delivered
        self._doors: Final = dict(doors)
        self._taken: Final[dict[str, bytes]] = {}  # reference to the hash of what came under it
        self._waiting: Final[deque[Envelope]] = deque()
        self._held: Final[list[Envelope]] = []
        self._changed: Final = threading.Condition()
        self._duplicates = self._holds = 0
        self._closed = False
        self._serving: Final = Serving(self._answer, port)
        self._thread: Final = threading.Thread(target=self._deliver_all, name="ggk", daemon=True)
        self.url: Final = f"{self._serving.url}{PATH}"

    def start(self) -> Node:
        """Begin."""
        self._serving.start()
        self._thread.start()
        return self

    def close(self) -> None:
        """End; what waits is gone."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._serving.close()
        self._thread.join(TIMEOUT_S)

    def connect(self, organisation: str, door: str) -> None:
        """Tell where an organisation takes its messages."""
        with self._changed:
            self._doors[organisation] = door

    def duplicate(self, count: int = 1) -> None:
        """Deliver the next ones twice."""
        self._duplicates += count

    def hold(self, count: int = 1) -> None:
        """Deliver the next ones after those that come behind them."""
        self._holds += count

    @property
    def idle(self) -> bool:
        """Tell whether nothing waits."""
        with self._changed:
            return not self._waiting and not self._held

    # --- in -----------------------------------------------------------------------------------------------

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        raw = b""
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            raw += event.get("body", b"")
            if not event.get("more_body"):
                break
        if scope["method"] != "POST" or scope["path"] != PATH:
            await _say(send, 404)
            return
        await self._take(raw, self.faults.take("POST", PATH), send)

    async def _take(self, raw: bytes, fault: Fault | None, send: Send) -> None:
        if fault is not None and fault.kind is Kind.REFUSE:
            await _say(send, fault.status, headers=_retry_after(fault.retry_after_s))
            return
        if fault is not None and fault.kind is Kind.CUT:
            await _cut(send)
            return
        status, body = self._judge(raw)
        if fault is not None and fault.kind is Kind.LOSE:
            await _cut(send)
            return
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
        await _say(send, status, body)

    def _judge(self, raw: bytes) -> tuple[int, bytes]:
        try:
            came = envelope.read(raw)
        except envelope.Refused as refused:
            return 500, envelope.refusal(NODE, "", "", str(refused))
        code = self._keep(came)
        if code:
            return 500, envelope.refusal(NODE, came.sender, came.reference, code)
        return 200, envelope.confirmation(NODE, came.sender, came.reference)

    def _keep(self, came: Envelope) -> str:
        """Keep what came to pass it on; return the code it is refused with, or nothing."""
        digest = sha256(came.raw).digest()
        with self._changed:
            if came.sender not in self._doors:
                return "IB002"
            if came.receiver not in self._doors:
                return "IB005" if len(came.receiver) == 4 else "IB010"  # noqa: PLR2004 -- a municipality's code
            known = self._taken.setdefault(came.reference, digest)
            if known != digest:
                return "IB016"
            self._pass_on(came)
            self._changed.notify_all()
        return ""

    def _pass_on(self, came: Envelope) -> None:
        if self._holds:
            self._holds -= 1
            self._held.append(came)
            return
        self._waiting.append(came)
        if self._duplicates:
            self._duplicates -= 1
            self._waiting.append(came)
        self._waiting.extend(self._held)
        self._held.clear()

    # --- out ----------------------------------------------------------------------------------------------

    def _deliver_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
                one = self._waiting[0]
                door = self._doors[one.receiver]
            if self._deliver(one, door):
                with self._changed:
                    self._waiting.popleft()
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, timeout=RETRY_S)

    def _deliver(self, one: Envelope, door: str) -> bool:
        outward = Outward(one.receiver, door, dict, timeout_s=TIMEOUT_S)
        try:
            outward.post("", [one.raw], _SOAP)
        except (NotNow, Refused) as error:
            code = _code_in(error.raw)
            if not code:
                return False
            self._complain(one, code)
        except OutwardError:
            return False
        self.passed.append((one.function or one.code, one.receiver))
        return True

    def _complain(self, one: Envelope, code: str) -> None:
        """Tell a sender that the door of its receiver refused what was passed on."""
        if one.code == "Fo01":
            return
        raw = envelope.fault(one.receiver, one.sender, one.reference, code)
        with self._changed:
            self._waiting.append(envelope.read(raw))


def wait_until_idle(node: Node, seconds: float) -> None:
    """Wait until nothing waits. Raises TimeoutError."""
    ends = time.monotonic() + seconds
    while not node.idle:
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.01)


def _code_in(raw: bytes) -> str:
    """Return the code of a Fo03, or nothing."""
    try:
        root = etree.fromstring(raw)
    except (etree.XMLSyntaxError, ValueError):
        return ""
    return str(root.findtext(f".//{envelope.STUF}Fo03Bericht/{envelope.STUF}body/{envelope.STUF}code") or "")


def _retry_after(seconds: int) -> list[tuple[bytes, bytes]]:
    return [(b"retry-after", str(seconds).encode())] if seconds else []


async def _say(
    send: Send, status: int, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    told = [(b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})


async def _cut(send: Send) -> None:
    """Begin an answer that promises more than comes; the server then hangs up."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"<", "more_body": False})
