"""Subscriptions over the wire: in order, resumed at the cursor, thinned at once, ended by a drain.

Source: protos/exchange/v1/subscription_service.proto; grpc health checking protocol.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from adapters.sdk.client import refused_by
from adapters.sdk.errors import Unavailable
from adapters.sdk.subscription import Position, Subscription
from adapters.sdk.tokens import Person
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.e2e.service import CARE, DELIVER, INVESTIGATE, Case
from tests.e2e.wire import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient, Stream
    from exchange.v1.subscription_service_pb2 import PublishedEvent
    from tests.e2e.service import Service

FIELDS = ["goals.own_words", "version"]
WAIT_S = 60
DRAIN_S = 3.0
# What a busy machine needs to end a process when the drain is over.
ENDS_WITHIN_S = 20.0
HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def opened(client: ExchangeClient, cursor: int = 0, heartbeat_s: int = 1) -> Stream:
    """Open one stream, without resuming."""
    request = SubscribeRequest(claim=INVESTIGATE, fields=FIELDS, cursor=cursor, heartbeat_seconds=heartbeat_s)
    return client.open_stream(request)


def until(stream: Stream, count: int) -> tuple[list[PublishedEvent], int]:
    """Return so many events, and the cursor after them."""
    events: list[PublishedEvent] = []
    cursor = 0
    ends_at = time.monotonic() + WAIT_S
    for answer in stream:
        events += answer.events
        cursor = answer.cursor
        assert time.monotonic() < ends_at, events
        if len(events) >= count:
            break
    return events, cursor


def words(events: list[PublishedEvent]) -> list[str]:
    """Return the own words that came with the events."""
    return [goal.own_words for event in events for goal in event.change.goals]


def test_events_come_in_order_each_with_its_decision(service: Service, case: Case) -> None:
    stream = opened(case.wmo)
    said = [f"Wens {number}." for number in range(5)]
    for one in said:
        case.goal(one)
    events, cursor = until(stream, 6)
    stream.cancel()
    kinds = [event.kind for event in events]
    assert kinds == ["plan.opened", *["plan.goal_set"] * 5]
    assert words(events) == said
    positions = [event.position for event in events]
    assert positions == sorted(positions)
    assert cursor >= positions[-1]
    assert [event.plan_version for event in events] == [1, *range(3, case.version + 1)]
    assert len({event.event_id for event in events}) == len({event.decision_id for event in events}) == 6
    assert {event.plan_id for event in events} == {case.plan_id}
    # From a cursor only what comes after it.
    stream = opened(case.wmo, cursor=positions[2])
    later, _ = until(stream, 3)
    stream.cancel()
    assert [event.event_id for event in later] == [event.event_id for event in events[3:]]


def test_a_heartbeat_comes_when_nothing_else_does(case: Case) -> None:
    # From before the first of them can be on its way: two beats last two seconds, however late they are read.
    began = time.monotonic()
    stream = opened(case.wmo)
    _, cursor = until(stream, 1)
    beats = [next(stream), next(stream)]
    took_s = time.monotonic() - began
    stream.cancel()
    assert all(not beat.events and beat.cursor == cursor for beat in beats)
    assert 1.9 < took_s < WAIT_S


def test_who_left_gets_no_event_of_after_and_none_of_before(service: Service, case: Case) -> None:
    case.let_join(CARE, "wmo-aanbieder", "z-7")
    carer = service.client(Person("z-7", "wmo-aanbieder", "begeleider"), service.care())
    request = SubscribeRequest(claim=DELIVER, fields=["goals.own_words"], heartbeat_seconds=1)
    stream = carer.open_stream(request)
    case.goal("Gezien.")
    events, cursor = until(stream, 1)
    assert words(events) == ["Gezien."]
    case.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=case.case_id, oin=CARE, task="wmo-aanbieder", professional="z-7"
    )
    case.goal("Niet gezien.")
    beats = [next(stream), next(stream)]
    stream.cancel()
    assert [list(beat.events) for beat in beats] == [[], []]
    # Nor does the cursor tell that there was something.
    assert [beat.cursor for beat in beats] == [cursor, cursor]
    again = carer.open_stream(request)
    beat = next(again)
    again.cancel()
    assert not beat.events


def test_every_event_comes_once_to_every_stream_while_many_write(service: Service) -> None:
    cases = [Case(service) for _ in range(3)]
    for one in cases:
        one.let_join(CARE, "wmo-aanbieder", "z-8")
    carer = service.client(Person("z-8", "wmo-aanbieder", "begeleider"), service.care())
    request = SubscribeRequest(claim=DELIVER, fields=["goals.own_words"], heartbeat_seconds=1)
    streams = [carer.open_stream(request) for _ in range(3)]
    said = [[f"Wens {number} van {which}." for number in range(40)] for which in range(3)]
    with ThreadPoolExecutor(6) as pool:
        heard = [pool.submit(until, stream, 120) for stream in streams]
        for done in [pool.submit(set_goals, one, words) for one, words in zip(cases, said, strict=True)]:
            done.result(WAIT_S)
        for listening in heard:
            events, _ = listening.result(WAIT_S)
            assert sorted(words(events)) == sorted(word for words in said for word in words)
    for stream in streams:
        stream.cancel()


def set_goals(case: Case, said: list[str]) -> None:
    for one in said:
        case.goal(one)


def test_a_stream_of_somebody_without_cases_is_empty(service: Service, case: Case) -> None:
    stream = opened(service.worker("college:WMO", "nobody"))
    assert not next(stream).events
    stream.cancel()


def test_an_unlabelled_field_opens_no_stream(case: Case) -> None:
    stream = case.wmo.open_stream(SubscribeRequest(claim=INVESTIGATE, fields=["goals"]))
    with pytest.raises(grpc.RpcError) as raised:
        next(stream)
    assert list(refused_by(raised.value).field_violations) == ["fields[0]"]


def test_a_drain_ends_streams_and_after_the_restart_they_resume(new_service: Callable[..., Service]) -> None:
    service = new_service(drain_s=str(DRAIN_S))
    case = Case(service)
    kept: list[int] = []
    position = Position(INVESTIGATE, FIELDS, 0, kept.append, heartbeat_s=1)
    follower: Any = iter(Subscription(case.wmo, position))
    case.goal("Voor de herstart.")
    before = [next(follower) for _ in range(2)]
    follower.close()
    assert_drains(service, opened(case.wmo, heartbeat_s=60))
    service.hang_up()
    service.start()
    case.wmo = service.worker("college:WMO", f"w-{case.bsn[-5:]}")
    case.goal("Na de herstart.")
    cursor = kept[-1] if kept else 0
    resumed: Any = iter(Subscription(case.wmo, Position(INVESTIGATE, FIELDS, cursor, kept.append)))
    after: list[PublishedEvent] = []
    while words(after)[-1:] != ["Na de herstart."]:
        after.append(next(resumed))
    resumed.close()
    seen = {event.event_id: event for event in (*before, *after)}
    # At least once, nothing lost, nothing new under an old id.
    assert words(list(seen.values())) == ["Voor de herstart.", "Na de herstart."]
    assert [event.position for event in seen.values()] == sorted(event.position for event in seen.values())


def assert_drains(service: Service, stream: Stream) -> None:
    """Stop it: an open stream ends and says why, health says so, and the process exits in time."""
    until(stream, 1)
    watched = watch_health(service)
    assert service.process is not None
    assert watched.take() == health_pb2.HealthCheckResponse.SERVING
    ended: list[Unavailable] = []

    def follow() -> None:
        try:
            for _ in stream:
                pass
        except grpc.RpcError as error:
            refusal = refused_by(error)
            assert isinstance(refusal, Unavailable)
            ended.append(refusal)

    reading = threading.Thread(target=follow)
    reading.start()
    began = time.monotonic()
    assert service.stop() == 0
    took_s = time.monotonic() - began
    reading.join(WAIT_S)
    assert [(one.reason, one.retry_after_s is not None) for one in ended] == [("DRAINING", True)]
    assert watched.take() == health_pb2.HealthCheckResponse.NOT_SERVING
    assert took_s < DRAIN_S + ENDS_WITHIN_S
    assert not (service.data / "service.json").exists()
    watched.close()


class watch_health:  # noqa: N801 -- reads as what it does
    """Follows the health of the whole service."""

    def __init__(self, service: Service) -> None:
        mine = service.credentials()
        secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
        self._channel = grpc.secure_channel(service.target, secrets)
        call: Any = self._channel.unary_stream(f"{HEALTH}Watch")
        self._stream = call(health_pb2.HealthCheckRequest().SerializeToString(), timeout=WAIT_S)

    def take(self) -> int:
        """Return the next status."""
        status: int = health_pb2.HealthCheckResponse.FromString(next(self._stream)).status
        return status

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def test_health_and_reflection_answer_in_development(service: Service) -> None:
    asked = health_pb2.HealthCheckRequest(service="exchange.v1.PlanService")
    answer = health_pb2.HealthCheckResponse.FromString(service.raw_call(f"{HEALTH}Check", asked))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="exchange.v1.NoService")
    assert refused(service, f"{HEALTH}Check", unknown).code is grpc.StatusCode.NOT_FOUND
    mine = service.credentials()
    secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
    with grpc.secure_channel(service.target, secrets) as channel:
        reflect: Any = channel.stream_stream(REFLECTION)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        told = next(reflect(iter([question.SerializeToString()]), timeout=WAIT_S))
    listed = reflection_pb2.ServerReflectionResponse.FromString(told).list_services_response.service
    names = {one.name.removeprefix("exchange.v1.") for one in listed}
    assert {"PlanService", "CaseService", "ConsentService", "LedgerService", "SubscriptionService"} <= names
