"""Named subscriptions: where they go on, whose they are, and what is parked and read anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import refused_by
from adapters.sdk.tokens import Person
from exchange.domain.delivery import WRITTEN_AFTER, WRITTEN_POSITIONS
from exchange.server.services import delivery
from exchange.v1 import common_pb2 as pb
from exchange.v1 import subscription_service_pb2 as sub
from tests.server.story import Story
from tests.server.test_erasure import Erasure
from tests.server.test_sealed_pages import let_in_second, seal_goals
from tests.server.test_withdrawal import REUSE, case_with_goal_of_work, consent_for_reuse
from tests.server.town import CITY, DELIVER, INVESTIGATE, WORD

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

KEEP = claim(pb.PURPOSE_BEHEER, "DELIVERY-24")
FIELDS = ("goals.own_words", "goals.goal_id")
DELIVERIES = (
    "delivery.subscribed.v1",
    "delivery.acknowledged.v1",
    "delivery.failed.v1",
    "delivery.parked.v1",
)


class Named:
    """One subscription of one professional, asked by hand."""

    def __init__(self, client: ExchangeClient, name: str = "ecd", why: pb.Claim = INVESTIGATE) -> None:
        self.client, self.name, self.why = client, name, why
        self.calls = client.subscription

    def create(self, **changes: Any) -> sub.CreateSubscriptionResponse:  # noqa: ANN401 -- any field of the request
        asked: dict[str, Any] = {
            "claim": KEEP,
            "subscription_id": self.name,
            "subscribed_purpose": self.why.purpose,
            "subscribed_legal_basis": self.why.legal_basis,
            "paths": FIELDS,
        }
        return self.calls.create_subscription(**(asked | changes))

    def stream(self, **changes: Any) -> Any:  # noqa: ANN401 -- any field of the request; a stream of answers
        asked: dict[str, Any] = {
            "claim": self.why,
            "fields": FIELDS,
            "subscription_id": self.name,
            "heartbeat_seconds": 1,
        }
        return self.client.open_stream(sub.SubscribeRequest(**(asked | changes)))

    def told(self, **changes: Any) -> tuple[list[sub.PublishedEvent], sub.SubscribeResponse]:  # noqa: ANN401 -- as above
        """Return the events up to the first beat, and that beat."""
        stream, found = self.stream(**changes), list[sub.PublishedEvent]()
        for answer in stream:
            found += answer.events
            if not answer.events:
                stream.cancel()
                return found, answer
        raise AssertionError("a stream ends with a status, not without one")

    def goal_told(self) -> tuple[sub.PublishedEvent, sub.SubscribeResponse]:
        events, beat = self.told()
        return next(event for event in events if event.kind == "plan.goal_set"), beat

    def acknowledge(self, cursor: int, token: str, *settled: str) -> sub.AcknowledgeEventsResponse:
        return self.calls.acknowledge_events(
            claim=KEEP,
            subscription_id=self.name,
            cursor=cursor,
            told_token=token,
            settled_event_ids=settled,
        )

    def report(
        self, event: sub.PublishedEvent, token: str, *, park: bool = False
    ) -> sub.ReportFailedEventResponse:
        return self.calls.report_failed_event(
            claim=KEEP,
            subscription_id=self.name,
            event_id=event.event_id,
            position=event.position,
            told_token=token,
            reason=sub.FAILURE_REASON_NOT_UNDERSTOOD,
            park=park,
        )

    def fetch(self, event_id: str, **changes: Any) -> sub.GetParkedEventResponse:  # noqa: ANN401 -- any field of the request
        asked: dict[str, Any] = {
            "claim": self.why,
            "fields": FIELDS,
            "subscription_id": self.name,
            "event_id": event_id,
        }
        return self.calls.get_parked_event(**(asked | changes))

    def listed(self) -> sub.Subscription | None:
        answer = self.calls.list_subscriptions(claim=KEEP)
        return next((one for one in answer.subscriptions if one.subscription_id == self.name), None)

    def parked_goal(self) -> sub.PublishedEvent:
        """Park the goal of the story; return the event."""
        event, beat = self.goal_told()
        assert self.report(event, beat.told_token, park=True).parked
        return event


@pytest.fixture
def named(story: Story) -> Named:
    """Return a subscription of the story's own professional, with a goal to be told."""
    return set_up(story)


def set_up(story: Story) -> Named:
    story.goal()
    one = Named(story.wmo, f"ecd-{story.bsn[-5:]}")
    one.create()
    return one


def rule_of(refused: pytest.ExceptionInfo[errors.RuleBroken]) -> str:
    return str(refused.value.rule)


# --- where it goes on ---------------------------------------------------------------------------------


def test_a_subscription_goes_on_where_it_was_acknowledged(aging_town: Town) -> None:
    town = aging_town
    story = Story(town, next(town.bsns))
    named = set_up(story)
    events, beat = named.told()
    assert [event.kind for event in events] == ["plan.goal_set"]
    position = events[-1].position
    # Too little to be worth an event: then it is told again.
    assert named.acknowledge(position, beat.told_token).cursor == 0
    assert [event.event_id for event in named.told()[0]] == [events[0].event_id]
    town.skew += WRITTEN_AFTER
    answer = named.acknowledge(position, beat.told_token)
    assert (answer.cursor, answer.HasField("receipt")) == (position, True)
    story.goal()
    ((later,), _) = named.told()
    assert later.event_id != events[0].event_id
    told = named.listed()
    assert told is not None
    assert told.cursor == position
    # It counts positions of the shard, whoever they are about.
    assert 0 < told.behind <= town.core.reader.head()[0] - position
    # Who got further himself says so, and is told from there on.
    assert named.told(cursor=later.position)[0] == []


def test_a_burst_of_acknowledgements_writes_one_event_now_and_then(town: Town, named: Named) -> None:
    _, beat = named.told()
    head = town.core.reader.head()[0]
    for cursor in range(beat.cursor - 5, beat.cursor + 1):
        assert not named.acknowledge(cursor, beat.told_token).HasField("receipt")
    assert town.core.reader.head()[0] == head, "what is not worth an event is no walk either"
    assert WRITTEN_POSITIONS > 1


def test_a_beginning_may_be_now(town: Town, story: Story) -> None:
    story.goal()
    fresh = Named(story.wmo, f"nu-{story.bsn[-5:]}")
    fresh.create(begins_now=True)
    assert fresh.told()[0] == []
    story.goal()
    assert len(fresh.told()[0]) == 1


# --- what was told is shown ---------------------------------------------------------------------------


def test_nothing_is_acknowledged_that_was_not_told(named: Named) -> None:
    _, beat = named.told()
    with pytest.raises(errors.RuleBroken) as refused:
        named.acknowledge(beat.cursor + 1, beat.told_token)
    assert rule_of(refused) == "NOT_TOLD"
    with pytest.raises(errors.RuleBroken) as refused:
        named.acknowledge(1, "")
    assert rule_of(refused) == "NOT_TOLD"


def test_a_token_of_another_subscription_shows_nothing(story: Story, named: Named) -> None:
    other = Named(story.wmo, f"ander-{story.bsn[-5:]}")
    other.create()
    _, beat = other.told()
    for token in (beat.told_token, beat.told_token[:-2], "AAAA", "é".encode().hex()):
        with pytest.raises(errors.Invalid) as refused:
            named.acknowledge(beat.cursor, token)
        assert list(refused.value.field_violations) == ["told_token"]


# --- whose it is --------------------------------------------------------------------------------------


def test_a_name_stands_for_one_question(story: Story, named: Named) -> None:
    named.create()  # as it is: nothing changes
    with pytest.raises(errors.RuleBroken) as refused:
        named.create(paths=["goals.own_words"])
    assert rule_of(refused) == "SUBSCRIPTION_KNOWN"
    for other in ({"fields": ["goals.own_words"]}, {"claim": DELIVER}, {"household_plan_id": story.plan_id}):
        with pytest.raises(grpc.RpcError) as ended:
            next(iter(named.stream(**other)))
        assert refused_by(ended.value).message == "this is not the question this subscription is for"


def test_a_path_without_a_label_is_refused_when_it_is_named(story: Story) -> None:
    with pytest.raises(errors.Invalid):
        Named(story.wmo, "onbekend").create(paths=["goals"])


def test_another_is_told_what_he_is_told_of_a_name_that_nobody_gave(town: Town, named: Named) -> None:
    event, beat = named.goal_told()
    town.care()
    strangers = (
        town.worker("college:WMO", "w-stranger"),
        town.worker("college:PW", "p-1"),
        town.client(Person("z-1", "wmo-aanbieder", "begeleider"), town.care()),
    )
    for client in strangers:
        assert Named(client, named.name).listed() is None
        told = set[str]()
        for name in (named.name, "no-such-name"):
            theirs = Named(client, name)
            with pytest.raises(grpc.RpcError) as ended:
                next(iter(theirs.stream()))
            told.add(refused_by(ended.value).message)
            with pytest.raises(errors.RuleBroken) as fetched:
                theirs.fetch(event.event_id)
            with pytest.raises(errors.RuleBroken) as reported:
                theirs.report(event, "", park=True)
            told |= {fetched.value.message, reported.value.message}
        assert told == {"you have no subscription of this name"}
    with pytest.raises(errors.Invalid):
        Named(strangers[0], named.name).acknowledge(1, beat.told_token)


def test_names_are_bounded(town: Town, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    known = len(town.core.reader.page(0, 10_000, DELIVERIES[:1]))
    monkeypatch.setattr(delivery, "SUBSCRIPTIONS_MAX", known + 1)
    last = Named(story.wmo, f"laatste-{story.bsn[-5:]}")
    last.create()
    last.create()
    with pytest.raises(errors.RuleBroken) as refused:
        Named(story.wmo, f"te-veel-{story.bsn[-5:]}").create()
    assert rule_of(refused) == "SUBSCRIPTIONS_FULL"


def test_cancelling_ends_the_stream_and_what_is_parked(named: Named) -> None:
    event = named.parked_goal()
    stream = named.stream()
    next(iter(stream))
    told = named.listed()
    assert told is not None
    assert told.followed
    named.calls.cancel_subscription(claim=KEEP, subscription_id=named.name)
    with pytest.raises(grpc.RpcError) as ended:
        for _ in stream:
            pass
    assert refused_by(ended.value).message == "you have no subscription of this name"
    assert named.listed() is None
    with pytest.raises(errors.RuleBroken):
        named.fetch(event.event_id)
    # The name begins anew, and knows nothing of what was.
    named.create()
    told = named.listed()
    assert told is not None
    assert (told.cursor, list(told.parked)) == (0, [])


# --- what is parked -----------------------------------------------------------------------------------


def test_what_fails_is_parked_in_the_end_and_read_anew(town: Town, named: Named) -> None:
    event, beat = named.goal_told()
    answers = [named.report(event, beat.told_token) for _ in range(5)]
    assert [(one.attempts, one.parked) for one in answers] == [
        *((attempt, False) for attempt in range(1, 5)),
        (5, True),
    ]
    again = named.fetch(event.event_id).event
    assert (again.event_id, again.change) == (event.event_id, event.change)
    assert again.decision_id != event.decision_id, "judged anew"
    # Nothing of what happened lies in the subscription: only where, and why it could not be taken.
    rows = town.core.reader.page(0, 100_000, DELIVERIES)
    mine = b"".join(row.state for row in rows if row.stream.endswith(named.name))
    assert event.event_id.encode() in mine
    assert b"zelf koken" not in mine
    assert b"plan-" not in mine
    settled = named.acknowledge(0, "", event.event_id)
    assert settled.HasField("receipt")
    with pytest.raises(errors.RuleBroken) as refused:
        named.fetch(event.event_id)
    assert rule_of(refused) == "NOT_PARKED"


def test_what_was_never_there_is_fetched_as_what_is_there_no_more(town: Town, named: Named) -> None:
    event, beat = named.goal_told()
    made_up = sub.PublishedEvent(event_id="0f" * 16, position=1)
    assert named.report(made_up, beat.told_token, park=True).parked
    other = sub.PublishedEvent(event_id="0e" * 16, position=event.position)
    assert named.report(other, beat.told_token, park=True).parked
    decisions = count_decisions(town)
    assert named.fetch(made_up.event_id) == named.fetch(other.event_id) == sub.GetParkedEventResponse()
    assert count_decisions(town) == decisions + 2, "each question is one walk, and recorded"


def count_decisions(town: Town) -> int:
    return len(town.core.reader.page(0, 100_000, ("disclosure.decided.v1",)))


def leaves(_town: Town, story: Story) -> None:
    me = f"w-{story.bsn[-5:]}"
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-other",
        role="consulent",
    )
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, task="college:WMO", professional=me
    )


def is_sealed(town: Town, story: Story) -> None:
    let_in_second(story)
    seal_goals(town, story)


def is_erased(town: Town, story: Story) -> None:
    Erasure(town, story).executed()


@pytest.mark.parametrize("happens", [leaves, is_sealed, is_erased])
def test_what_is_parked_is_harmless_whatever_happens_since(
    town: Town,
    story: Story,
    named: Named,
    happens: Any,  # noqa: ANN401 -- what happens
) -> None:
    event = named.parked_goal()
    before = named.listed()
    assert named.fetch(event.event_id).HasField("event")
    happens(town, story)
    decisions = count_decisions(town)
    answer = named.fetch(event.event_id)
    assert answer.SerializeToString() == b"", "one and the same empty answer"
    assert count_decisions(town) == decisions + 1
    # It is found where it was put, and its subscriber is told no more than he said himself.
    after = named.listed()
    assert before is not None
    assert after is not None
    assert after.parked == before.parked
    assert [one.event_id for one in after.parked] == [event.event_id]


def test_p09_what_is_parked_gives_nothing_after_a_withdrawal(town: Town) -> None:
    town.register_notice("folder-1", b"\1" * 32)
    wmo, work = town.worker("college:WMO", "w-1"), town.worker("college:PW", "p-1")
    pseudonym, case_id, _ = case_with_goal_of_work(town, wmo, work)
    resident = town.client(Person("burger-1", "betrokkene", "inwoner", resident=pseudonym))
    consent_id = consent_for_reuse(wmo, resident, case_id)
    named = Named(wmo, "hergebruik", REUSE)
    named.create()
    event = named.parked_goal()
    assert named.fetch(event.event_id).event.change.goals
    resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert named.fetch(event.event_id).SerializeToString() == b""


def test_pages_of_ones_own_subscriptions(town: Town) -> None:
    client = town.worker("college:WMO", "w-many")
    names = [f"blad-{number}" for number in range(5)]
    for name in names:
        Named(client, name).create()
    found, token = list[str](), ""
    while True:
        answer = client.subscription.list_subscriptions(claim=KEEP, page_size=2, page_token=token)
        found += [one.subscription_id for one in answer.subscriptions]
        token = answer.next_page_token
        if not token:
            break
    assert found == names


def test_a_claim_on_another_ground_keeps_nothing(story: Story) -> None:
    with pytest.raises(errors.Denied) as refused:
        Named(story.wmo, "grond").create(claim=DELIVER)
    assert refused.value.rules
