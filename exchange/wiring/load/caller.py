"""Who calls: `-m exchange.wiring.load.caller`, a process of its own on grpc.aio and uvloop.

An order is one line of JSON, and so is its answer. Promises: calls are made and signed before the stopwatch
runs, and sent by the same loop to a service and to an echo; a call that fails ends the order, so that no
figure is of refusals; at a rate, a call counts from when it was due, also where it had to wait to be sent.
Source: coordinated omission, as Tene named it: who waits for an answer before asking measures too little.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import uvloop

from exchange.v1.plan_service_pb2 import DescribeSituationResponse, GetPlanResponse
from exchange.v1.subscription_service_pb2 import SubscribeResponse
from exchange.wiring.collecting import quiet_collector
from exchange.wiring.load import echo
from exchange.wiring.load.calls import BATCH, READ, WRITE, Call, Organisation, batch, refuse_refusals
from exchange.wiring.load.figures import percentile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

START_S: Final = 0.02  # before the first call at a rate is due
STREAM_MAX_S: Final = 300.0  # an event that is not told would be waited for as long as a stream is open
ECHOED: Final = {READ: echo.READ, WRITE: echo.WRITE}
CHANNEL: Final = (("grpc.max_receive_message_length", -1),)


class Line:
    """One connection to one door, and the versions of the plans behind it."""

    def __init__(self, target: str, folder: Path, plans: Sequence[tuple[str, int]]) -> None:
        names = ("ca.pem", "client.key", "client.pem")
        ca, key, certificate = ((folder / name).read_bytes() for name in names)
        self.channel = grpc.aio.secure_channel(
            target, grpc.ssl_channel_credentials(ca, key, certificate), CHANNEL
        )
        self._folder = folder
        self._versions = dict(plans)
        self._stubs: dict[str, Any] = {}

    def stub(self, path: str) -> Any:  # noqa: ANN401 -- gRPC's call object has no public type
        """Return what sends bytes to an rpc and returns those of the answer."""
        if path not in self._stubs:
            self._stubs[path] = self.channel.unary_unary(path)
        return self._stubs[path]

    def organisation(self) -> Organisation:
        """Return who makes calls, with a new person token."""
        return Organisation(self._folder)

    def calls(self, kind: str, count: int, *, echoed: bool = False) -> list[Call]:
        """Return calls on all plans in turn; commands count on, each from the version before it.

        What is `echoed` changes no plan.
        """
        made, plans, versions = self.organisation(), list(self._versions), dict(self._versions)
        found = []
        for number in range(count):
            plan = plans[number % len(plans)]
            if kind == "read":
                found.append(made.read(plan))
            else:
                found.append(made.write(plan, versions[plan]))
                versions[plan] += 1
        if not echoed:
            self._versions = versions
        return found


class Caller:
    """Obeys orders. Owned by one event loop."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._orders: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
            "open": self._open,
            "sizes": self._sizes,
            "closed": self._closed,
            "batched": self._batched,
            "rate": self._rate,
            "follow": self._follow,
            "stream": self._stream,
        }

    async def obey(self, order: dict[str, Any]) -> Any:  # noqa: ANN401 -- anything JSON can say
        """Do what an order says; return its answer."""
        return await self._orders[order.pop("do")](**order)

    async def _open(self, line: str, target: str, folder: str, plans: list[list[Any]]) -> bool:
        self._lines[line] = Line(target, Path(folder), [(name, version) for name, version in plans])
        return True

    async def _sizes(self, line: str) -> list[int]:
        """Return how many bytes the answers to a read and to a command have; look whether they are whole."""
        found = []
        for kind in ("read", "write"):
            (call,) = self._lines[line].calls(kind, 1)
            raw: bytes = await self._lines[line].stub(call.path)(call.raw, metadata=call.headers)
            found.append(len(raw))
            if kind == "read" and not GetPlanResponse.FromString(raw).plan.situations:
                raise ValueError("the plan that was read shows nothing")
        return found

    # --- as fast as answers come -----------------------------------------------------------------------

    async def _closed(
        self, lines: list[str], kind: str, count: int, in_flight: int, echo_line: str = ""
    ) -> dict[str, Any]:
        """Keep so many calls under way, shared over the lines; each works through plans of its own."""
        share = in_flight // len(lines)
        hands: list[list[tuple[Any, Call]]] = []
        for name in lines:
            calls = self._lines[name].calls(kind, count // len(lines), echoed=bool(echo_line))
            sent = [(self._stub(name, call.path, echo_line), call) for call in calls]
            # All calls of one plan are in one hand: its commands follow each other.
            plans = list(dict.fromkeys(call.plan for call in calls))
            place = {plan: number % share for number, plan in enumerate(plans)}
            hands += [[pair for pair in sent if place[pair[1].plan] == hand] for hand in range(share)]
        took: list[float] = []
        quiet_collector()
        started = time.perf_counter()
        await asyncio.gather(*(_work(hand, took, bare=bool(echo_line)) for hand in hands))
        return _told(took, time.perf_counter() - started)

    async def _batched(self, line: str, count: int, size: int, in_flight: int) -> dict[str, Any]:
        """Send commands so many in a message, and keep so many messages under way."""
        here = self._lines[line]
        calls = here.calls("write", count)
        batches = [batch(calls[at : at + size]) for at in range(0, count, size)]
        # Those in which a plan comes again are in one hand, as its commands follow each other.
        stub, hands = here.stub(BATCH), [batches[hand::in_flight] for hand in range(in_flight)]
        took: list[float] = []
        quiet_collector()
        started = time.perf_counter()
        await asyncio.gather(*(_work_batches(stub, hand, took) for hand in hands))
        return _told(took, time.perf_counter() - started) | {"per_s": count / (time.perf_counter() - started)}

    def _stub(self, line: str, path: str, echo_line: str) -> Any:  # noqa: ANN401 -- as above
        return self._lines[echo_line].stub(ECHOED[path]) if echo_line else self._lines[line].stub(path)

    # --- at a rate ---------------------------------------------------------------------------------------

    async def _rate(
        self, line: str, kind: str, count: int, per_s: float, echo_line: str = ""
    ) -> dict[str, Any]:
        """Send calls when they are due, whatever became of those before; each counts from then."""
        calls = self._lines[line].calls(kind, count, echoed=bool(echo_line))
        stubs = [self._stub(line, call.path, echo_line) for call in calls]
        before: dict[str, asyncio.Task[None]] = {}
        took: list[float] = []
        loop = asyncio.get_running_loop()
        quiet_collector()
        started = time.perf_counter() + START_S
        for number, (call, stub) in enumerate(zip(calls, stubs, strict=True)):
            due = started + number / per_s
            # Also where it is late: those made before it are sent meanwhile.
            await asyncio.sleep(max(0, due - time.perf_counter()))
            sent = _late(stub, call, due, took, before.get(call.plan), bare=bool(echo_line))
            before[call.plan] = loop.create_task(sent)
        await asyncio.gather(*before.values())
        return _told(took, time.perf_counter() - started)

    # --- streams -----------------------------------------------------------------------------------------

    async def _follow(
        self, line: str, events: int, subscribers: int, in_flight: int, keep: str
    ) -> dict[str, Any]:
        """Write so many commands, then let subscribers read all their events at once; keep the messages."""
        here = self._lines[line]
        (first,) = here.calls("write", 1)
        raw: bytes = await here.stub(first.path)(first.raw, metadata=first.headers)
        cursor = DescribeSituationResponse.FromString(raw).receipt.leaf_index + 1
        await self._closed([line], "write", events, in_flight)
        call = here.organisation().follow(cursor)
        opened: Any = here.channel.unary_stream(call.path)
        kept: list[list[bytes]] = [[] for _ in range(subscribers)]
        quiet_collector()
        started = time.perf_counter()
        streams = [opened(call.raw, metadata=call.headers) for _ in range(subscribers)]
        async with asyncio.timeout(STREAM_MAX_S):
            read = await asyncio.gather(
                *(_read(stream, mine, events) for stream, mine in zip(streams, kept, strict=True))
            )
        took = time.perf_counter() - started
        echo.write_messages(Path(keep), kept[0])
        return {"per_s": sum(read) / took, "events": sum(read), "messages": len(kept[0])}

    async def _stream(self, line: str, subscribers: int, times: int, kept: str) -> dict[str, Any]:
        """Let subscribers read kept messages, so many times over, from an echo."""
        opened: Any = self._lines[line].channel.unary_stream(echo.STREAM)
        quiet_collector()
        started = time.perf_counter()
        streams = [opened(f"{times} {kept}".encode()) for _ in range(subscribers)]
        read = await asyncio.gather(*(_read(stream, [], 0) for stream in streams))
        return {"per_s": sum(read) / (time.perf_counter() - started), "events": sum(read)}


async def _work(hand: Sequence[tuple[Any, Call]], took: list[float], *, bare: bool) -> None:
    for stub, call in hand:
        started = time.perf_counter()
        await stub(call.raw, metadata=None if bare else call.headers)
        took.append(time.perf_counter() - started)


async def _work_batches(stub: Any, hand: Sequence[Call], took: list[float]) -> None:  # noqa: ANN401 -- as above
    for call in hand:
        started = time.perf_counter()
        raw: bytes = await stub(call.raw, metadata=call.headers)
        took.append(time.perf_counter() - started)
        refuse_refusals(raw)


async def _late(
    stub: Any,  # noqa: ANN401 -- as above
    call: Call,
    due: float,
    took: list[float],
    before: asyncio.Task[None] | None,
    *,
    bare: bool,
) -> None:
    if before is not None:
        # The command before it on the same plan: this one stands on its version.
        await before
    await stub(call.raw, metadata=None if bare else call.headers)
    took.append(time.perf_counter() - due)


async def _read(stream: Any, kept: list[bytes], enough: int) -> int:  # noqa: ANN401 -- as above
    """Read until there were enough events, or to the end where that is 0; return how many there were."""
    count = 0
    async for raw in stream:
        count += len(SubscribeResponse.FromString(raw).events)
        if enough:
            kept.append(raw)
            if count >= enough:
                stream.cancel()
                break
    return count


def _told(took: Sequence[float], seconds: float) -> dict[str, Any]:
    return {
        "per_s": len(took) / seconds,
        "p50_ms": percentile(took, 0.5) * 1e3,
        "p99_ms": percentile(took, 0.99) * 1e3,
    }


def main() -> None:
    """Obey until the input ends."""
    caller = Caller()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            try:
                answer = {"answer": runner.run(caller.obey(json.loads(line)))}
            except grpc.aio.AioRpcError as error:
                # Words of a status are ours, and hold nothing of anybody.
                answer = {"error": f"{error.code().name}: {error.details()}"}
            except (ValueError, OSError) as error:
                answer = {"error": str(error) or type(error).__name__}
            sys.stdout.write(f"{json.dumps(answer)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
