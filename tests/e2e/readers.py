"""Many readers of one plan at once, each asking again until it is refused; also as a process of its own.

`python -m tests.e2e.readers` reads questions from standard input, a line each; says "reading" once every
reader had an answer, then, when all were refused, one line with every answer.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import Denied, NotAuthenticated
from adapters.sdk.tokens import Person
from tests.e2e.service import ALIGN, DELIVER, INVESTIGATE, REPOSITORY, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

CLAIMS = {"align": ALIGN, "deliver": DELIVER, "find": INVESTIGATE}
FIELDS = {"align": "lens_assessments.reason", "deliver": "goals.own_words", "find": "case_id"}


@dataclass(frozen=True)
class Question:
    """What every reader asks: where, as whom, for what."""

    target: str
    folder: str
    plan_id: str
    professional: str
    task: str
    claim: str  # a name of CLAIMS
    resident: str = ""  # pseudonym in hexadecimal, for "find"

    def client(self, timeout_s: float = 90.0) -> AsyncExchangeClient:
        """Return a client on a connection of its own."""
        credentials = Credentials.load(Path(self.folder))
        person = Person(self.professional, self.task, "regisseur")
        return AsyncExchangeClient(self.target, credentials, person, timeout_s=timeout_s)


@dataclass(frozen=True)
class Answer:
    """One answer. Times are of the machine's monotonic clock, the same in every process."""

    asked_at: float
    came_at: float
    held: bool  # whether it holds what the readers may lose
    decision_id: str
    rules: Sequence[str]


@dataclass
class Book:
    """Every answer, in the order in which they came."""

    answers: list[Answer] = field(default_factory=list)
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Note an answer and wake whoever waits for so many."""
        self.answers.append(answer)
        for count, event in self._waiting:
            if len(self.answers) >= count:
                event.set()

    async def until(self, count: int) -> None:
        """Wait until so many answers came."""
        event = asyncio.Event()
        self._waiting.append((count, event))
        if len(self.answers) < count:
            await event.wait()

    @property
    def held(self) -> list[Answer]:
        """Answers that hold data."""
        return [answer for answer in self.answers if answer.held]

    @property
    def refused(self) -> list[Answer]:
        """Answers that hold nothing."""
        return [answer for answer in self.answers if not answer.held]


async def ask_until_refused(client: AsyncExchangeClient, question: Question, book: Book) -> None:
    """Ask, again and again."""
    while True:
        asked_at = time.monotonic()
        held, decision_id, rules = await ask(client, question)
        book.add(Answer(asked_at, time.monotonic(), held, decision_id, rules))
        if not held:
            return


async def ask(client: AsyncExchangeClient, question: Question) -> tuple[bool, str, tuple[str, ...]]:
    """Ask once; return whether data came, the decision and its rules."""
    claim, fields = CLAIMS[question.claim], [FIELDS[question.claim]]
    try:
        if question.resident:
            resident = bytes.fromhex(question.resident)
            found = await client.case.find_case(claim=claim, resident=resident, fields=fields)
            return bool(found.case_id), found.decision_id, ()
        answer = await client.plan.get_plan(claim=claim, plan_id=question.plan_id, fields=fields)
    except Denied as denied:
        return False, denied.decision_id, denied.rules
    except NotAuthenticated as refused:
        return False, "", (refused.reason,)
    held = any(one.reason for one in answer.plan.lens_assessments)
    return held or any(one.own_words for one in answer.plan.goals), answer.decision_id, tuple(answer.rules)


def start_readers(
    clients: Sequence[AsyncExchangeClient], question: Question, readers: int, book: Book
) -> list[asyncio.Task[None]]:
    """Let so many readers begin, spread over the connections."""
    loop = asyncio.get_running_loop()
    return [
        loop.create_task(ask_until_refused(clients[number % len(clients)], question, book))
        for number in range(readers)
    ]


async def read_along(question: Question, readers: int, connections: int) -> list[Answer]:
    """Read until refused; say when every reader had an answer."""
    clients = [question.client() for _ in range(connections)]
    book = Book()
    tasks = start_readers(clients, question, readers, book)
    await book.until(readers)
    say("reading")
    await asyncio.gather(*tasks)
    for client in clients:
        await client.close()
    return book.answers


def say(line: str) -> None:
    """Tell the process that asked."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Elsewhere:
    """A process of its own that reads along."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.readers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=environment(),
        )

    async def start(self, question: Question, readers: int, connections: int) -> None:
        """Let so many readers begin; return when each had an answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([asdict(question), readers, connections]) + "\n")
        self._process.stdin.flush()
        assert await self._line() == "reading\n"

    async def answers(self) -> list[Answer]:
        """Wait until all were refused; return every answer."""
        return [Answer(**told) for told in json.loads(await self._line())]

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return await asyncio.to_thread(self._process.stdout.readline)


def main() -> None:
    """Answer one question after another."""
    for line in sys.stdin:
        asked, readers, connections = json.loads(line)
        answers = asyncio.run(read_along(Question(**asked), readers, connections))
        say(json.dumps([asdict(answer) for answer in answers]))


if __name__ == "__main__":
    main()
