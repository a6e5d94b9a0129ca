"""An open stream and the five ends of a right: nothing that was judged after the end ever leaves.

Each stream is in the middle of a long history when the end comes, so that what is still to be sent is judged
before or after it, never on the ground of a moment ago. Source: GDPR 7(3), 18, 21, 32; ARCHITECTURE's walk.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from adapters.sdk.batches import Batch
from adapters.sdk.calls import claim
from exchange.store.reader import SQLiteReader
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse
from tests.e2e.service import ALIGN, CITY, INVESTIGATE, WORD, WORK, Case
from tests.e2e.test_withdrawal import NOTED_LATE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient
    from tests.e2e.service import Service

# So many that the end comes in the middle of them also where a machine was busy; a plan holds a thousand.
EVENTS = 900
WAIT_S = 60.0
SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
LIMIT = claim(pb.PURPOSE_WMO_ONDERZOEK, "LIMIT-18")
OBJECT = claim(pb.PURPOSE_KLACHT_BEZWAAR, "OBJECT-21-RESIDENT")


class Came(NamedTuple):
    """One message of the stream, and when."""

    at: float
    answer: SubscribeResponse


class Reader(threading.Thread):
    """Reads a stream to its end, on a connection of its own."""

    def __init__(self, service: Service, professional: str, asked: pb.Claim, fields: list[str]) -> None:
        super().__init__()
        self._client = service.worker("college:WMO", professional)
        request = SubscribeRequest(claim=asked, fields=fields, heartbeat_seconds=1)
        self._stream = self._client.open_stream(request)
        self.came: list[Came] = []
        self._news = threading.Condition()

    def run(self) -> None:
        try:
            for answer in self._stream:
                with self._news:
                    self.came.append(Came(time.monotonic(), answer))
                    self._news.notify_all()
        except Exception:  # noqa: BLE001 -- cancelled by the test, which looks at what came
            return

    def wait(self, until: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(until, WAIT_S)

    def events(self) -> list[Any]:
        return [event for one in list(self.came) for event in one.answer.events]

    def close(self) -> None:
        self._stream.cancel()
        self.join(WAIT_S)
        assert not self.is_alive()


def positions(service: Service, decision_ids: set[str]) -> dict[str, int]:
    """Return where each decision stands in the order of commits."""
    reader, found, after = SQLiteReader(service.data / "events.db"), {}, 0
    while rows := reader.page(after, 2_000, ["disclosure.decided.v1"]):
        after = rows[-1].position
        for row in rows:
            name = row.state.partition(b'"decision_id":"')[2][:32].decode()
            if name in decision_ids:
                found[name] = row.position
    reader.close()
    return found


def set_many(case: Case, client: ExchangeClient, asked: pb.Claim, domain: pb.LifeDomain.ValueType) -> None:
    """Set goals in a few messages, each on the version that the one before it leaves."""
    batch = Batch()
    found = [
        batch.plan.set_goal(
            claim=asked,
            plan_id=case.plan_id,
            expected_version=case.version + number,
            own_words=f"Doel {number}.",
            desired_effect="rust",
            life_domain=domain,
            target_date="2027-06-01",
        )
        for number in range(EVENTS)
    ]
    client.with_timeout(WAIT_S).send_batch(batch)
    case.version = found[-1].answer().version


def goals(case: Case) -> tuple[pb.Claim, list[str]]:
    case.let_join(CITY, "college:WMO", f"r-{case.bsn[-5:]}", "consulent")
    set_many(case, case.wmo, INVESTIGATE, pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    return INVESTIGATE, ["goals.own_words"]


def goals_of_work(case: Case) -> tuple[pb.Claim, list[str]]:
    """What Werk & Inkomen wrote and the neighbourhood team uses by consent only."""
    case.let_join(CITY, "college:WMO", f"r-{case.bsn[-5:]}", "consulent")
    case.let_join(CITY, "college:PW", f"p-{case.bsn[-5:]}", "consulent")
    work = case.service.worker("college:PW", f"p-{case.bsn[-5:]}")
    set_many(case, work, WORK, pb.LIFE_DOMAIN_WORK_AND_EDUCATION)
    return ALIGN, ["goals.own_words"]


def withdrawal(case: Case) -> Callable[[], Any]:
    consent_id, resident = case.give_consent(), case.resident()
    return lambda: resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)


def seal(case: Case) -> Callable[[], Any]:
    second = f"s-{case.bsn[-5:]}"
    case.let_join(CITY, "college:WMO", second, "consulent")
    proposed = case.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=case.case_id,
        paths=["goals"],
        readers=[f"{CITY}/college:WMO/{second}"],
        reason="Adres van de opvang.",
    )
    other = case.service.worker("college:WMO", second)
    return lambda: other.rights.confirm_seal(
        claim=SEAL, case_id=case.case_id, proposal_id=proposed.proposal_id
    )


def restriction(case: Case) -> Callable[[], Any]:
    return lambda: case.wmo.rights.restrict(claim=LIMIT, case_id=case.case_id, reason="Juistheid betwist.")


def objection(case: Case) -> Callable[[], Any]:
    resident = case.resident()
    return lambda: resident.rights.object(claim=OBJECT, case_id=case.case_id, reason="Dit gaat te ver.")


def leaving(case: Case) -> Callable[[], Any]:
    return lambda: case.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=case.case_id,
        oin=CITY,
        task="college:WMO",
        professional=f"r-{case.bsn[-5:]}",
    )


@pytest.mark.parametrize(
    ("history", "end_of"),
    [
        (goals_of_work, withdrawal),
        (goals, seal),
        pytest.param(goals, restriction, marks=pytest.mark.slow),
        pytest.param(goals, objection, marks=pytest.mark.slow),
        (goals, leaving),
    ],
    ids=["withdrawal", "seal", "restriction", "objection", "leaving"],
)
def test_nothing_judged_after_the_end_leaves_an_open_stream(
    service: Service,
    history: Callable[[Case], tuple[pb.Claim, list[str]]],
    end_of: Callable[[Case], Callable[[], Any]],
) -> None:
    case = Case(service)
    asked, fields = history(case)
    end = end_of(case)
    reader = Reader(service, f"r-{case.bsn[-5:]}", asked, fields)
    reader.start()
    reader.wait(lambda: len(reader.events()) > 0)
    ended = end().receipt
    acknowledged = time.monotonic()
    head = service.position()
    # What is still in the history is looked at to its end: a heartbeat behind it says so.
    reader.wait(lambda: silent(reader, acknowledged))
    reader.close()
    events = reader.events()
    assert 0 < len(events) < EVENTS, "the end came in the middle"
    placed = positions(service, {event.decision_id for event in events})
    assert len(placed) == len(events)
    assert max(placed.values()) < ended.position <= head
    late = [one for one in reader.came if one.answer.events and one.at > acknowledged + NOTED_LATE_S]
    assert late == []


def silent(reader: Reader, since: float) -> bool:
    """Tell whether a heartbeat came after the end: the history was read to its end without a message."""
    return any(not one.answer.events and one.at > since for one in reader.came)
