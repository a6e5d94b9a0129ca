"""Several professionals at work at once, each on a case of its own, keeping what the exchange told them.

A worker stops at the first call that is cut off, and knows which command it does not know the outcome of.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from adapters.sdk.errors import Unavailable
from tests.e2e.service import INVESTIGATE, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.v1.case_service_pb2 import ReceiveReportResponse
    from exchange.v1.common_pb2 import Receipt
    from exchange.v1.plan_service_pb2 import SetGoalResponse
    from tests.e2e.service import Service

COMMANDS_PER_READ = 4


@dataclass
class Command:
    """One command with an id of its own, and the answer once it came."""

    kind: str  # "report" or "goal"
    words: str
    version: int  # that the plan had when it was sent
    request_id: str = field(default_factory=lambda: str(uuid4()))
    answer: ReceiveReportResponse | SetGoalResponse | None = None

    @property
    def receipt(self) -> Receipt:
        """The receipt of an acknowledged command."""
        assert self.answer is not None
        return self.answer.receipt


class Worker:
    """One professional, one case, one command after another."""

    def __init__(self, service: Service, number: int) -> None:
        self.case = Case(service, f"Eerste melding van {number}.")
        self._service = service
        self._number = number
        self._lives = 0
        self.sent: list[Command] = []
        self.commands = self._commands()

    def work(self, enough: threading.Event) -> None:
        """Send commands, and read now and then, until a call is cut off or it is enough."""
        client = self._service.worker("college:WMO", f"w-{self.case.bsn[-5:]}")
        self.case.wmo = client
        try:
            while not enough.is_set():
                command = next(self.commands)
                self.sent.append(command)
                self.send(command)
                if len(self.sent) % COMMANDS_PER_READ == 0:
                    client.plan.get_plan(claim=INVESTIGATE, plan_id=self.case.plan_id, fields=["version"])
        except Unavailable:
            return

    def send(self, command: Command) -> ReceiveReportResponse | SetGoalResponse:
        """Send a command, for the first time or again; keep and return its answer."""
        self.case.version = command.version
        if command.kind == "report":
            answer = self.case.report(command.words, request_id=command.request_id)
        else:
            answer = self.case.goal(command.words, request_id=command.request_id)
        self.case.version = answer.version
        if command.answer is None:
            command.answer = answer
        told: ReceiveReportResponse | SetGoalResponse = answer
        return told

    def _commands(self) -> Iterator[Command]:
        number = 0
        while True:
            number += 1
            kind = "goal" if number % 2 else "report"
            yield Command(kind, f"Wens {number} van {self._number}.", self.case.version)

    def words_of_plan(self) -> list[str]:
        """Return what stands in the plan, in order: goals, then reports but the first."""
        answer = self.case.wmo.plan.get_plan(
            claim=INVESTIGATE, plan_id=self.case.plan_id, fields=["goals.own_words", "reports.own_words"]
        )
        plan = answer.plan
        return [one.own_words for one in plan.goals] + [one.own_words for one in plan.reports[1:]]


def let_work(workers: list[Worker], until: Callable[[], None]) -> None:
    """Let all work at once until `until` returned and every one has stopped."""
    enough = threading.Event()
    threads = [threading.Thread(target=worker.work, args=(enough,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        until()
    finally:
        enough.set()
        for thread in threads:
            thread.join()
