"""People at work while the shard moves: each writes down every attempt, and asks again until he is answered.

Lines of JSON: {client, op, request_id, sent_ns, answered_ns, outcome, position, subject}. `outcome` is `ok`,
the reason of a refusal, or `unknown` where an attempt may have been recorded or not; `position` is that of
the command's receipt, 0 where there is none; `subject` is the consent or the plan it is about. Moments are of
one monotonic clock, so lines of all clients of one machine compare.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from adapters.sdk.errors import Denied, ExchangeRefused, Unavailable
from adapters.sdk.tokens import Person
from tests.e2e.service import ALIGN, WORD, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.nodes.cluster import Node

OK, UNKNOWN, DENIED = "ok", "unknown", "ACCESS_DENIED"
# What is sure to have recorded nothing, in the words of the exchange.
NOTHING = frozenset({"HOLDER_AWAY", "DRAINING", "STORE_UNAVAILABLE", "KEY_MADE_ELSEWHERE"})
GIVE_UP_S = 60.0
READS_AROUND = 3


@dataclass(slots=True)
class Attempt:
    """One line."""

    client: str
    op: str
    request_id: str
    sent_ns: int
    answered_ns: int
    outcome: str
    position: int
    subject: str


class Client:
    """One person with a case or some, who goes from node to node."""

    def __init__(self, nodes: Sequence[Node], number: int, cases: int = 1) -> None:
        self.name = f"client-{number}"
        self.lines: list[Attempt] = []
        self.error: BaseException | None = None
        self._turn = count(number)
        self._half: set[str] = set()  # plans of whose resident a consent may stand that nobody knows of
        self._desks = [self._desk(nodes, f"Melding van {number}.{one}.") for one in range(cases)]
        self.case, self._workers, self._portals = self._desks[0]

    @staticmethod
    def _desk(nodes: Sequence[Node], words: str) -> tuple[Case, list[Any], list[Any]]:
        """Open a case; return it with whoever works on it and the resident's portal, at each node."""
        case = Case(nodes[0], words)
        case.look_through_work()
        resident = Person("portaal", "betrokkene", "inwoner", resident=case.pseudonym)
        workers = [node.worker("college:WMO", f"w-{case.bsn[-5:]}") for node in nodes]
        return case, workers, [node.client(resident) for node in nodes]

    def work(self, enough: threading.Event) -> None:
        """Write and read, and now and then let the resident say yes and no, until it is enough."""
        try:
            for number in count(1):
                if enough.is_set():
                    return
                self.case, self._workers, self._portals = self._desks[number % len(self._desks)]
                self.goal(number)
                if number % 4 == 0 and self.case.plan_id not in self._half:
                    self.consent_round()
        except BaseException as error:  # noqa: BLE001 -- told by who waits for this thread
            self.error = error

    def goal(self, number: int) -> None:
        """Set a goal, asked again under its id until it is answered."""
        version, request_id = self.case.version, str(uuid.uuid4())

        def ask(worker: Any) -> int:  # noqa: ANN401 -- a client of the SDK
            self.case.wmo, self.case.version = worker, version
            position: int = self.case.goal(f"Wens {number}.", request_id=request_id).receipt.position
            return position

        self._answered("goal", request_id, self.case.plan_id, ask)

    def consent_round(self) -> None:
        """Let the resident agree, read on it, let him withdraw, and read again."""
        self.case.wmo = self._worker()
        try:
            consent_id = self.case.give_consent()
        except Unavailable:
            self._half.add(self.case.plan_id)
            return
        for _ in range(READS_AROUND):
            self.read(consent_id)
        request_id = str(uuid.uuid4())

        def withdraw(worker: Any) -> int:  # noqa: ANN401 -- as above
            portal = self._portals[self._workers.index(worker)]
            answer = portal.consent.withdraw_consent(claim=WORD, consent_id=consent_id, request_id=request_id)
            position: int = answer.receipt.position
            return position

        self._answered("withdraw", request_id, consent_id, withdraw)
        for _ in range(READS_AROUND):
            self.read(consent_id)

    def read(self, consent_id: str) -> None:
        """Read what a consent alone opens: once, whatever comes of it."""

        def ask(worker: Any) -> int:  # noqa: ANN401 -- as above
            worker.plan.get_plan(claim=ALIGN, plan_id=self.case.plan_id, fields=["lens_assessments.reason"])
            return 0

        self._once("read", str(uuid.uuid4()), consent_id, ask, self._worker())

    def _worker(self) -> Any:  # noqa: ANN401 -- a client of the SDK
        return self._workers[next(self._turn) % len(self._workers)]

    def _answered(self, op: str, request_id: str, subject: str, ask: Callable[[Any], int]) -> None:
        until = time.monotonic() + GIVE_UP_S
        while self._once(op, request_id, subject, ask, self._worker()) != OK:
            assert time.monotonic() < until, f"{op} is never answered: {self.lines[-1].outcome}"

    def _once(
        self,
        op: str,
        request_id: str,
        subject: str,
        ask: Callable[[Any], int],
        worker: Any,  # noqa: ANN401 -- a client of the SDK
    ) -> str:
        sent, position = time.monotonic_ns(), 0
        try:
            position = ask(worker)
            outcome = OK
        except Denied:
            outcome = DENIED
        except Unavailable as error:
            outcome = error.reason if error.reason in NOTHING else UNKNOWN
        except ExchangeRefused as error:
            # Whoever was told so waits for nothing: it is a defect, and is told with its own words.
            raise AssertionError(f"{op} at {self.lines[-3:]}: {error}") from error
        answered = time.monotonic_ns()
        self.lines.append(Attempt(self.name, op, request_id, sent, answered, outcome, position, subject))
        return outcome


def at_work(clients: Sequence[Client], until: Callable[[], None]) -> list[Attempt]:
    """Let all work at once until `until` returned; return every attempt, in order of sending."""
    enough = threading.Event()
    threads = [threading.Thread(target=client.work, args=(enough,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        until()
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    for client in clients:
        if client.error is not None:
            raise client.error
    return sorted((one for client in clients for one in client.lines), key=lambda one: one.sent_ns)


def write(file: Path, lines: Sequence[Attempt]) -> None:
    """Write the history for whoever checks it."""
    file.write_text("".join(json.dumps(asdict(one)) + "\n" for one in lines), encoding="utf-8")


def explained(lines: Sequence[Attempt], topics: Sequence[str]) -> Counter[str]:
    """Hold that one order of the log explains all answers; return how many attempts ended how.

    Every acknowledged command has one position, all its answers name it, and what was recorded is what was
    acknowledged: nobody gives up. No read was given after a withdrawal was answered, nor refused before one
    was asked.
    """
    places: dict[str, set[int]] = {}
    for one in lines:
        if one.outcome == OK and one.op != "read":
            places.setdefault(one.request_id, set()).add(one.position)
    assert all(len(found) == 1 for found in places.values())
    positions = [next(iter(found)) for found in places.values()]
    assert len(set(positions)) == len(positions)
    for op, topic in (("goal", "plan.goal_set.v1"), ("withdraw", "consent.withdrawn.v2")):
        asked = {one.request_id for one in lines if one.op == op}
        assert len([one for one in topics if one == topic]) == len(asked), op
        assert asked <= places.keys()
    withdrawals = {one.subject: one for one in lines if one.op == "withdraw" and one.outcome == OK}
    asked_at: dict[str, int] = {}
    for one in lines:
        if one.op == "withdraw":
            asked_at.setdefault(one.subject, one.sent_ns)
    for one in lines:
        if one.op == "read" and one.subject in withdrawals:
            if one.outcome == OK:
                assert one.sent_ns < withdrawals[one.subject].answered_ns
            elif one.outcome == DENIED:
                assert one.answered_ns > asked_at[one.subject]
    return Counter(f"{one.op} {one.outcome}" for one in lines)
