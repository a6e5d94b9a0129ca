"""One subscriber of a load: goes on at its cursor whenever its stream ends, and records what came."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import grpc

from adapters.sdk.client import refused_by
from adapters.sdk.errors import NotAuthenticated, Unavailable
from adapters.sdk.tokens import Person
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.e2e.service import ALIGN, INVESTIGATE
from tests.history.plans import FOLLOWER
from tests.history.record import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.v1.subscription_service_pb2 import SubscribeResponse
    from tests.history.doors import Doors
    from tests.history.plans import Ground
    from tests.history.record import Recorder

WAIT_S = 0.05
STAYS_AT_MOST_S = 120.0
HEARTBEAT_S = 1
SILENT_S = 10.0


class Follower(threading.Thread):
    """Owned by a load. `on_consent` follows the goals, which only a consent opens; else the reports."""

    def __init__(
        self, doors: Doors, grounds: Sequence[Ground], recorder: Recorder, *, on_consent: bool
    ) -> None:
        self._elements = "goals" if on_consent else "reports"
        super().__init__(name=f"follower-{self._elements}", daemon=True)
        self._doors, self._grounds, self._recorder, self._on_consent = doors, grounds, recorder, on_consent
        self._closed = threading.Event()
        self._news = threading.Condition()
        self._cursor, self._connection = 0, 0
        self._stream: Any = None
        self.defect: Exception | None = None

    def run(self) -> None:
        """Follow until it is closed."""
        try:
            while not self._closed.is_set():
                self._follow()
                self._closed.wait(WAIT_S)
        except Exception as error:  # noqa: BLE001 -- raised again by the load
            self.defect = error

    def stay(self, position: int) -> None:
        """Wait until everything up to a position that is for it came; then end, and say so."""
        ends_at = time.monotonic() + STAYS_AT_MOST_S
        due = self._last_due(position)
        with self._news:
            while self._cursor < due and self.defect is None:
                left_s = ends_at - time.monotonic()
                if left_s <= 0 or not self._news.wait(left_s):
                    break
        self._recorder.add(
            Operation(
                client=self.name,
                op="stayed",
                stream=self.name,
                plans=tuple(ground.plan for ground in self._grounds),
                elements=self._elements,
                on_consent=self._on_consent,
                position=position,
            )
        )
        self.close()
        self.join(STAYS_AT_MOST_S)

    def _last_due(self, position: int) -> int:
        """Return where the last words of its elements stand: of each plan the last, up to a position."""
        done = [
            one.position
            for one in self._recorder.operations()
            if one.op == "command" and one.client.startswith("last-") and one.position <= position
        ]
        # The last words are goal, report, goal, report; each has its place among them.
        return max(done) if not self._on_consent else max(one for one in done if one != max(done))

    def close(self) -> None:
        """End it, from any thread."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def _follow(self) -> None:
        client = self._doors.connect(Person(FOLLOWER, "college:WMO", "consulent"))
        self._connection += 1
        request = SubscribeRequest(
            claim=ALIGN if self._on_consent else INVESTIGATE,
            fields=[f"{self._elements}.own_words"],
            cursor=self._cursor,
            heartbeat_seconds=HEARTBEAT_S,
        )
        self._recorder.add(self._told("opened", cursor=self._cursor, sent_ns=time.monotonic_ns()))
        try:
            self._stream = client.open_stream(request)
            for answer in self._stream:
                self._take(answer)
                if self._closed.is_set():
                    return
        except grpc.RpcError as error:
            refused = refused_by(error)
            # A clock that was moved ends tokens; whoever follows comes back with a new one.
            if not isinstance(refused, Unavailable | NotAuthenticated):
                raise refused from error
        finally:
            client.close()

    def _take(self, answer: SubscribeResponse) -> None:
        now = time.monotonic_ns()
        for event in answer.events:
            self._recorder.add(
                self._told(
                    "event",
                    position=event.position,
                    event=event.event_id,
                    decision=event.decision_id,
                    plan=event.plan_id,
                    on_consent=self._on_consent,
                    answered_ns=now,
                )
            )
        with self._news:
            self._cursor = max(self._cursor, answer.cursor)
            self._news.notify_all()

    def _told(self, op: str, **said: Any) -> Operation:  # noqa: ANN401 -- fields of an operation
        return Operation(
            client=self.name,
            op=op,
            stream=self.name,
            connection=self._connection,
            elements=self._elements,
            **said,
        )
