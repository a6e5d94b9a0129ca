"""Subscriptions: each event judged when read, thinned when a relation ends, ended with token and drain."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.pipeline.hot import HotStates
from exchange.server import app, interceptor
from exchange.server.hub import TOPICS
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest, SubscribeResponse
from tests.server.test_withdrawal import REUSE, WORDS, case_with_goal_of_work, consent_for_reuse
from tests.server.town import ADMIN, CARE, DELIVER, INVESTIGATE, WORD, WORK, Town, details_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.client import ExchangeClient

FIELDS = ["goals.own_words", "goals.goal_id", "version"]
WAIT_S = 60


@pytest.fixture
def own_town(tmp_path: Any) -> Iterator[Town]:  # noqa: ANN401 -- a path
    """Yield a town of one's own, that may be drained: two streams for each organisation."""
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines), streams_per_organisation_max=2)
        town.start()
        yield town
        town.close()


class Follower:
    """One open stream, read by a thread of its own."""

    def __init__(
        self,
        client: ExchangeClient,
        cursor: int = 0,
        heartbeat_seconds: int = 1,
        claim: pb.Claim | None = None,
    ) -> None:
        delivers = client._person is not None and client._person.task == "wmo-aanbieder"
        claim = claim or (DELIVER if delivers else INVESTIGATE)
        self._stream = client.open_stream(
            SubscribeRequest(claim=claim, fields=FIELDS, cursor=cursor, heartbeat_seconds=heartbeat_seconds)
        )
        self.answers: list[SubscribeResponse] = []
        self.error: Any = None
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for answer in self._stream:
                with self._news:
                    self.answers.append(answer)
                    self._news.notify_all()
        except grpc.RpcError as error:
            with self._news:
                self.error = error
                self._news.notify_all()

    @property
    def events(self) -> list[Any]:
        return [event for answer in list(self.answers) for event in answer.events]

    def wait(self, until: Any) -> None:  # noqa: ANN401 -- a question about this follower
        with self._news:
            assert self._news.wait_for(until, WAIT_S)

    def close(self) -> None:
        self._stream.cancel()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def open_plan(town: Town, client: ExchangeClient | None = None) -> tuple[ExchangeClient, Any]:
    client = client or town.worker("college:WMO", "w-1")
    pseudonym = town.pseudonym(client, next(town.bsns))
    client.identity.register_resident(
        claim=INVESTIGATE, resident=pseudonym, birth_date="1970-01-01", capable=True
    )
    opened = client.case.receive_report(
        claim=INVESTIGATE,
        resident=pseudonym,
        life_domains=[pb.LIFE_DOMAIN_HOUSING],
        own_words="Hulp bij wonen.",
        desk="balie",
    )
    return client, opened


def set_goal(
    client: ExchangeClient, plan_id: str, version: int, words: str, claim: pb.Claim = INVESTIGATE
) -> int:
    answer = client.plan.set_goal(
        claim=claim,
        plan_id=plan_id,
        expected_version=version,
        own_words=words,
        desired_effect="rust",
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        target_date="2027-06-01",
    )
    return answer.version


def test_events_come_in_order_with_permitted_leaves_and_a_decision_each(own_town: Town) -> None:
    client, opened = open_plan(own_town)
    follower = Follower(client)
    version = set_goal(client, opened.plan_id, opened.version, "Eerste.")
    set_goal(client, opened.plan_id, version, "Tweede.")
    follower.wait(lambda: len(follower.events) >= 3)
    follower.close()
    events = follower.events
    kinds = [event.kind for event in events]
    assert kinds == ["plan.opened", "plan.goal_set", "plan.goal_set"]
    assert [event.position for event in events] == sorted(event.position for event in events)
    assert [goal.own_words for event in events for goal in event.change.goals] == ["Eerste.", "Tweede."]
    assert not any(goal.desired_effect for event in events for goal in event.change.goals)
    assert len({event.decision_id for event in events}) == len(events)
    assert len({event.event_id for event in events}) == len(events)
    assert events[-1].plan_version == version + 1


def test_a_stream_is_told_by_the_commit_and_waits_for_no_look(
    tmp_path: Any,  # noqa: ANN401 -- a path
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "LOOK_AGAIN_S", 3600.0)
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        try:
            client, opened = open_plan(town)
            follower = Follower(client, heartbeat_seconds=60)
            follower.wait(lambda: follower.events)
            version = opened.version
            for count in range(2, 5):
                version = set_goal(client, opened.plan_id, version, "Gezegd.")
                follower.wait(lambda count=count: len(follower.events) >= count)
            follower.close()
        finally:
            town.close()


def test_an_event_in_the_store_waits_for_the_states_to_know_of_it(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, opened = open_plan(own_town)
    follower = Follower(client)
    follower.wait(lambda: len(follower.events) >= 1)
    apply, committed, go = HotStates.apply, threading.Event(), threading.Event()

    def late(hot: HotStates, changes: Any, as_of: int) -> None:  # noqa: ANN401 -- as `apply`
        committed.set()
        assert go.wait(WAIT_S)
        apply(hot, changes, as_of)

    monkeypatch.setattr(HotStates, "apply", late)
    setting = threading.Thread(target=set_goal, args=(client, opened.plan_id, opened.version, "Laat bekend."))
    setting.start()
    assert committed.wait(WAIT_S)
    # At each beat the stream looks again: the row is there, what it changed is not known yet.
    beats = len(follower.answers)
    follower.wait(lambda: len(follower.answers) >= beats + 2)
    assert len(follower.events) == 1
    go.set()
    setting.join(WAIT_S)
    follower.wait(lambda: len(follower.events) >= 2)
    follower.close()
    assert [goal.own_words for event in follower.events for goal in event.change.goals] == ["Laat bekend."]


def test_a_cursor_goes_on_where_it_was(own_town: Town) -> None:
    client, opened = open_plan(own_town)
    version = set_goal(client, opened.plan_id, opened.version, "Eerste.")
    first = Follower(client)
    first.wait(lambda: len(first.events) >= 2)
    first.close()
    set_goal(client, opened.plan_id, version, "Tweede.")
    second = Follower(client, cursor=first.answers[-1].cursor)
    second.wait(lambda: second.events)
    second.close()
    assert [goal.own_words for event in second.events for goal in event.change.goals] == ["Tweede."]


def test_a_heartbeat_comes_when_nothing_else_did(own_town: Town) -> None:
    follower = Follower(own_town.worker())
    follower.wait(lambda: follower.answers)
    follower.close()
    assert not follower.events


def test_who_does_not_work_on_the_plan_sees_nothing_and_who_leaves_sees_no_more(own_town: Town) -> None:
    client, opened = open_plan(own_town)
    carer = own_town.client(Person("z-1", "wmo-aanbieder", "begeleider"), own_town.care())
    follower = Follower(carer)
    version = set_goal(client, opened.plan_id, opened.version, "Voor de hulp er is.")
    follower.wait(lambda: follower.answers)
    assert not follower.events
    case: dict[str, Any] = {"claim": INVESTIGATE, "case_id": opened.case_id, "oin": CARE}
    person: dict[str, Any] = {"task": "wmo-aanbieder", "professional": "z-1"}
    client.case.join_professional(**case, **person, role="begeleider")
    version = set_goal(client, opened.plan_id, version, "Terwijl de hulp er is.")
    follower.wait(lambda: follower.events)
    client.case.leave_case(**case, **person)
    position = set_goal(client, opened.plan_id, version, "Na de hulp.")
    assert position > version
    count = len(follower.answers)
    follower.wait(lambda: len(follower.answers) > count)
    follower.close()
    words = [goal.own_words for event in follower.events for goal in event.change.goals]
    assert words == ["Terwijl de hulp er is."]


def test_p09_an_open_stream_gives_nothing_more_of_what_was_withdrawn(own_town: Town) -> None:
    own_town.register_notice("folder-1", b"\1" * 32)
    wmo, work = own_town.worker("college:WMO", "w-1"), own_town.worker("college:PW", "p-1")
    pseudonym, case_id, plan_id = case_with_goal_of_work(own_town, wmo, work)
    resident = own_town.client(Person("burger-1", "betrokkene", "inwoner", resident=pseudonym))
    consent_id = consent_for_reuse(wmo, resident, case_id)
    follower = Follower(wmo, claim=REUSE)
    follower.wait(lambda: any(event.change.goals for event in follower.events))
    version = follower.events[-1].plan_version
    resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    set_goal(work, plan_id, version, "Na de intrekking.", WORK)
    count = len(follower.answers)
    follower.wait(lambda: len(follower.answers) > count + 1)
    follower.close()
    words = [goal.own_words for event in follower.events for goal in event.change.goals]
    assert words == [WORDS]
    # Nor does a stream that begins again at the beginning: what was given before is not given twice.
    again = Follower(wmo, claim=REUSE)
    again.wait(lambda: again.answers)
    again.close()
    assert not again.events


def test_each_delivery_is_a_recorded_decision_of_a_subscription(own_town: Town) -> None:
    client, opened = open_plan(own_town)
    set_goal(client, opened.plan_id, opened.version, "Eerste.")
    follower = Follower(client)
    follower.wait(lambda: len(follower.events) >= 2)
    follower.close()
    rows = own_town.core.reader.page(0, 1_000, ("disclosure.decided.v1",))
    told = [
        own_town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)[0] for row in rows
    ]
    found = {one["decision_id"] for one in told if one["action"] == "SUBSCRIBE"}
    assert found == {event.decision_id for event in follower.events}


def test_streams_are_bounded_for_each_organisation(own_town: Town) -> None:
    client = own_town.worker()
    followers = [Follower(client), Follower(client)]
    for follower in followers:
        follower.wait(lambda one=follower: one.answers)
    third = Follower(client)
    third.wait(lambda: third.error)
    assert details_of(third.error)["ErrorInfo"].reason == "QUOTA_EXCEEDED"
    for follower in (*followers, third):
        follower.close()


def test_a_stream_ends_with_the_persons_token(own_town: Town) -> None:
    follower = Follower(own_town.worker())
    follower.wait(lambda: follower.answers)
    own_town.skew = timedelta(minutes=16)
    follower.wait(lambda: follower.error)
    follower.close()
    assert follower.error.code() is grpc.StatusCode.UNAVAILABLE
    assert "RetryInfo" in details_of(follower.error)


def test_a_clock_that_was_set_back_hides_no_event(own_town: Town) -> None:
    """Who was let in by the clock of before is on the case, whatever the clock says since."""
    own_town.skew = timedelta(hours=2)
    client = own_town.signed_in(Person("w-1", "college:WMO", "regisseur"))
    open_plan(own_town, client)
    own_town.skew = timedelta(hours=1)
    follower = Follower(client)
    follower.wait(lambda: follower.events)
    follower.close()
    assert [event.kind for event in follower.events] == ["plan.opened"]


def test_a_stream_ends_with_the_certificate_before_the_token_does(own_town: Town) -> None:
    soon = own_town.issue(CARE, f"of-{CARE}", valid_for=timedelta(seconds=120))
    own_town.worker("beheer", "beheerder-1").organisation.join_organisation(
        claim=ADMIN,
        oin=CARE,
        name="Zorg Voorbeeld",
        tasks=["wmo-aanbieder"],
        certificate_thumbprint=soon.thumbprint,
        signing_key=soon.signing_key.public_key().public_bytes_raw(),
    )
    follower = Follower(own_town.client(Person("z-1", "wmo-aanbieder", "begeleider"), soon))
    follower.wait(lambda: bool(follower.answers))
    own_town.stands_at = soon.valid_until
    seen = len(follower.answers)
    follower.wait(lambda: len(follower.answers) > seen)
    own_town.stands_at = soon.valid_until + timedelta(microseconds=1)
    follower.wait(lambda: follower.error is not None)
    follower.close()
    assert follower.error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert details_of(follower.error)["ErrorInfo"].reason == "CALLER_UNKNOWN"


def test_a_stream_ends_when_the_service_drains(own_town: Town) -> None:
    client, _ = open_plan(own_town)
    follower = Follower(client, heartbeat_seconds=60)
    # Open for sure: an event came over it.
    follower.wait(lambda: follower.events)
    own_town.run(lambda: own_town.server.drain(1.0))
    follower.wait(lambda: follower.error)
    follower.close()
    assert follower.error.code() is grpc.StatusCode.UNAVAILABLE
    assert details_of(follower.error)["ErrorInfo"].reason == "DRAINING"


def test_a_stream_ends_at_an_answer_over_its_limit(own_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = open_plan(own_town)
    monkeypatch.setattr(interceptor, "ANSWER_BYTES_MAX", 0)
    follower = Follower(client)
    follower.wait(lambda: follower.error)
    follower.close()
    assert not follower.answers
    assert follower.error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details_of(follower.error)["ErrorInfo"].reason == "ANSWER_TOO_LARGE"


def test_events_of_every_version_are_streamed() -> None:
    assert {"plan.support_started.v1", "plan.support_started.v2", "plan.opened.v1"} <= set(TOPICS)
    assert {topic.partition(".")[0] for topic in TOPICS} == {"plan"}
