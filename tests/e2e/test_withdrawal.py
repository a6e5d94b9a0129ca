"""A withdrawal and a thousand concurrent reads: nothing that was withdrawn arrives after its acknowledgement.

Source: GDPR 7(3); the promise of WithdrawConsent in protos/exchange/v1/consent_service.proto.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.tokens import Person
from exchange.store.reader import SQLiteReader
from tests.e2e.readers import Answer, Book, Elsewhere, Question, start_readers
from tests.e2e.service import ADMIN, CARE, CITY, INVESTIGATE, WORD, Case

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.e2e.service import Service

READERS = 1_000
FEWER = 200
CONNECTIONS = 6
ELSEWHERE_CONNECTIONS = 2
# Another process notes an answer when the machine lets it run, not when the answer came. What was asked later
# is told from what came earlier without it.
NOTED_LATE_S = 5.0


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    process = Elsewhere()
    yield process
    process.close()


class Ended(NamedTuple):
    """What a race left: the end's receipt, when its acknowledgement came, and every answer."""

    receipt: Any
    came_at: float
    here: Book
    elsewhere: list[Answer]

    @property
    def answers(self) -> list[Answer]:
        """Every answer, wherever it came."""
        return self.here.answers + self.elsewhere


async def race(
    elsewhere: Elsewhere, question: Question, end: Callable[[], Awaitable[Any]], readers: int = READERS
) -> Ended:
    """Let so many read, a tenth of them elsewhere; end their right; wait until each was refused."""
    await elsewhere.start(question, readers // 10, ELSEWHERE_CONNECTIONS)
    clients = [question.client() for _ in range(CONNECTIONS)]
    book = Book()
    tasks = start_readers(clients, question, readers - readers // 10, book)
    # Some have asked again by now and all others wait for their first answer.
    await book.until(readers // 4)
    answer = await end()
    came_at = time.monotonic()
    await asyncio.gather(*tasks)
    for client in clients:
        await client.close()
    ended = Ended(answer.receipt, came_at, book, await elsewhere.answers())
    assert_nothing_came_late(ended, readers)
    return ended


def assert_nothing_came_late(ended: Ended, readers: int) -> None:
    """By the clock: what was asked, or came, after the acknowledgement holds nothing.

    The answers were sent before it on other connections, which one busy process reads in no order: those it
    noted a moment later were there before. tests/server/test_withdrawal.py holds that none is sent later.
    """
    assert len(ended.here.held) > readers // 4
    assert len(ended.here.refused) == readers - readers // 10
    assert [one for one in ended.here.held if one.asked_at >= ended.came_at] == []
    assert [one for one in ended.here.held if one.came_at >= ended.came_at + NOTED_LATE_S] == []
    held = [one for one in ended.elsewhere if one.held]
    assert len(held) >= len(ended.elsewhere) - len(held) == readers // 10
    assert [one for one in held if one.asked_at >= ended.came_at] == []
    assert [one for one in held if one.came_at >= ended.came_at + NOTED_LATE_S] == []


def decisions_around(service: Service, ended: Ended) -> dict[str, tuple[int, str, tuple[str, ...]]]:
    """Return place, outcome and rules of every decision recorded for the readers, as the store holds them."""
    reader = SQLiteReader(service.data / "events.db")
    asked = {one.decision_id for one in ended.answers}
    found = {}
    after = 0
    while rows := reader.page(after, 2_000, ["disclosure.decided.v1"]):
        after = rows[-1].position
        for row in rows:
            told = json.loads(row.state)["d"]
            if told["decision_id"] in asked:
                found[told["decision_id"]] = (row.position, told["outcome"], tuple(told["rules"]))
    reader.close()
    return found


def assert_order_of_the_ledger(service: Service, ended: Ended, *rules: str) -> None:
    """By the ledger: each answer has its decision, every permit before the end, every refusal after it."""
    recorded = decisions_around(service, ended)
    assert len(recorded) == len(ended.answers)
    for answer in ended.answers:
        position, outcome, found = recorded[answer.decision_id]
        assert answer.held == (position < ended.receipt.position)
        assert outcome == ("PERMIT" if answer.held else "DENY")
        assert answer.held or (found == rules == tuple(answer.rules))


def ends_as(service: Service, person: Person) -> AsyncExchangeClient:
    """Return a client on a connection of its own for the one who ends it."""
    return AsyncExchangeClient(service.target, service.credentials(), person)


def reuse(service: Service, case: Case) -> Question:
    """The question that needs the resident's consent."""
    professional = f"w-{case.bsn[-5:]}"
    folder = str(service.data / "operator")
    return Question(service.target, folder, case.plan_id, professional, "college:WMO", "align")


@pytest.mark.parametrize("turn", [1, *(pytest.param(more, marks=pytest.mark.slow) for more in (2, 3))])
async def test_nothing_withdrawn_arrives_after_the_withdrawal(
    service: Service, elsewhere: Elsewhere, turn: int
) -> None:
    case = Case(service, f"Melding nummer {turn}.")
    case.look_through_work()
    consent_id = case.give_consent()
    resident = ends_as(service, Person("portaal", "betrokkene", "inwoner", resident=case.pseudonym))
    ended = await race(
        elsewhere,
        reuse(service, case),
        lambda: resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id),
    )
    await resident.close()
    assert_order_of_the_ledger(service, ended, "R19")


async def test_a_no_to_a_second_question_ends_the_first_yes(service: Service, elsewhere: Elsewhere) -> None:
    case = Case(service)
    case.look_through_work()
    case.give_consent()
    asked = case.ask_consent()
    resident = ends_as(service, Person("portaal", "betrokkene", "inwoner", resident=case.pseudonym))
    ended = await race(
        elsewhere,
        reuse(service, case),
        lambda: resident.consent.refuse_consent(
            claim=WORD, consent_id=asked.consent_id, expected_version=asked.version
        ),
        FEWER,
    )
    await resident.close()
    assert_order_of_the_ledger(service, ended, "R15")


def delivery(service: Service, case: Case, oin: str) -> Question:
    """The question of a provider's professional on the case."""
    case.goal()
    case.let_join(oin, "wmo-aanbieder", "z-1")
    path = str(service.data / f"of-{oin}")
    return Question(service.target, path, case.plan_id, "z-1", "wmo-aanbieder", "deliver")


async def test_who_left_the_case_gets_nothing_more(service: Service, elsewhere: Elsewhere) -> None:
    case = Case(service)
    question = delivery(service, case, CARE)
    wmo = ends_as(service, Person(f"w-{case.bsn[-5:]}", "college:WMO", "regisseur"))
    ended = await race(
        elsewhere,
        question,
        lambda: wmo.case.leave_case(
            claim=INVESTIGATE, case_id=case.case_id, oin=CARE, task="wmo-aanbieder", professional="z-1"
        ),
        FEWER,
    )
    await wmo.close()
    assert_order_of_the_ledger(service, ended, "R03")


async def test_who_left_finds_the_case_no_more(service: Service, elsewhere: Elsewhere) -> None:
    # Finding takes a step more before it is judged: whoever asks just before the end may be judged after it.
    case = Case(service)
    case.let_join(CITY, "college:WMO", "w-leaves", "consulent")
    folder = str(service.data / "operator")
    question = Question(
        service.target, folder, case.plan_id, "w-leaves", "college:WMO", "find", case.pseudonym.hex()
    )
    wmo = ends_as(service, Person(f"w-{case.bsn[-5:]}", "college:WMO", "regisseur"))
    ended = await race(
        elsewhere,
        question,
        lambda: wmo.case.leave_case(
            claim=INVESTIGATE,
            case_id=case.case_id,
            oin=CITY,
            task="college:WMO",
            professional="w-leaves",
        ),
        FEWER,
    )
    await wmo.close()
    assert_order_of_the_ledger(service, ended, "R03")


async def test_a_revoked_certificate_gets_nothing_more(service: Service, elsewhere: Elsewhere) -> None:
    oin = "00000008000000088000"
    provider = service.join(oin, "wmo-aanbieder")
    case = Case(service)
    question = delivery(service, case, oin)
    operator = ends_as(service, Person("beheerder-1", "beheer", "beheerder"))
    ended = await race(
        elsewhere,
        question,
        lambda: operator.organisation.revoke_certificate(
            claim=ADMIN, oin=oin, certificate_thumbprint=provider.thumbprint
        ),
        FEWER,
    )
    await operator.close()
    assert {tuple(one.rules) for one in ended.answers if not one.held} == {("CALLER_UNKNOWN",)}
    recorded = decisions_around(service, ended)
    # Who is not let in is not judged either: permits only, and none after the end.
    assert recorded.keys() == {one.decision_id for one in ended.answers if one.held}
    assert all(position < ended.receipt.position for position, _, _ in recorded.values())
