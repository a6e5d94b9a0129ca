"""Named subscriptions: where they go on, what was told, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest

from adapters.sdk import errors
from adapters.sdk.client import refused_by
from adapters.sdk.tokens import Person
from exchange.domain.delivery import WRITTEN_AFTER, WRITTEN_POSITIONS
from exchange.server.services import delivery
from exchange.v1 import subscription_service_pb2 as sub
from tests.server.story import Story
from tests.server.subscribed import DELIVERIES, KEEP, Named, set_up
from tests.server.town import DELIVER

if TYPE_CHECKING:
    from tests.server.town import Town


@pytest.fixture
def named(story: Story) -> Named:
    """Return a subscription of the story's own professional, with a goal to be told."""
    return set_up(story)


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


def test_what_an_ended_subscription_was_told_says_nothing_of_the_next_of_its_name(named: Named) -> None:
    event, beat = named.goal_told()
    named.calls.cancel_subscription(claim=KEEP, subscription_id=named.name)
    named.create(paths=["goals.state"])
    with pytest.raises(errors.Invalid) as refused:
        named.acknowledge(beat.cursor, beat.told_token)
    assert list(refused.value.field_violations) == ["told_token"]
    with pytest.raises(errors.Invalid):
        named.report(event, beat.told_token, park=True)
    told = named.listed()
    assert told is not None
    assert (told.cursor, list(told.parked)) == (0, [])


def test_a_cursor_beyond_the_newest_event_is_refused_wherever_it_is_said(town: Town, named: Named) -> None:
    head = town.core.reader.head()[0]
    fresh = Named(named.client, f"vooruit-{named.name}")
    for ask, path in (
        (lambda: next(iter(named.stream(cursor=head + 1_000))), "cursor"),
        (lambda: next(iter(named.stream(cursor=head + 1_000, subscription_id=""))), "cursor"),
        (lambda: fresh.create(begin_cursor=head + 1_000), "begin_cursor"),
        (lambda: named.acknowledge(head + 1_000, ""), "cursor"),
        (lambda: named.report(sub.PublishedEvent(event_id="0f" * 16, position=head + 1_000), ""), "position"),
    ):
        with pytest.raises((grpc.RpcError, errors.Invalid)) as refused:
            ask()
        error = refused_by(refused.value) if isinstance(refused.value, grpc.RpcError) else refused.value
        assert isinstance(error, errors.Invalid)
        assert list(error.field_violations) == [path]
    # A node that heard of it later than another asks the store: there it is not beyond.
    hot = town.core.hot
    with pytest.MonkeyPatch.context() as behind:
        behind.setattr(hot, "as_of", 0)
        fresh.create(begin_cursor=1)
    # On the newest it is not: what comes next is told.
    fresh = Named(named.client, f"nieuwst-{named.name}")
    fresh.create(begin_cursor=town.core.reader.head()[0])
    assert fresh.told(cursor=town.core.reader.head()[0])[0] == []


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


def test_a_name_holds_no_burgerservicenummer(story: Story) -> None:
    # It stands in the clear for ever, in the name of a stream.
    with pytest.raises(errors.Invalid) as refused:
        Named(story.wmo, f"zaak-{story.bsn}").create()
    assert story.bsn not in str(refused.value)


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
    for name in (named.name, "no-such-name"):
        with pytest.raises(errors.RuleBroken) as acknowledged:
            Named(strangers[0], name).acknowledge(1, beat.told_token)
        assert acknowledged.value.message == "you have no subscription of this name"


def test_names_are_bounded(town: Town, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = town.core.reader.page(0, 100_000, (*DELIVERIES[:1], "delivery.cancelled.v1"))
    standing = set[str]()
    for row in rows:
        (standing.add if row.topic == DELIVERIES[0] else standing.discard)(row.stream)
    monkeypatch.setattr(delivery, "SUBSCRIPTIONS_MAX", len(standing) + 1)
    last = Named(story.wmo, f"laatste-{story.bsn[-5:]}")
    request_id = str(uuid4())
    made = last.create(request_id=request_id)
    last.create()
    with pytest.raises(errors.RuleBroken) as refused:
        Named(story.wmo, f"te-veel-{story.bsn[-5:]}").create()
    assert rule_of(refused) == "SUBSCRIPTIONS_FULL"
    # One that ended makes room: a name for each start does not shut everybody out for good.
    last.calls.cancel_subscription(claim=KEEP, subscription_id=last.name)
    Named(story.wmo, f"te-veel-{story.bsn[-5:]}").create()
    with pytest.raises(errors.RuleBroken):
        last.create()
    # Who lost the answer to the first one has it, whatever there is room for now.
    assert last.create(request_id=request_id).receipt == made.receipt


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


def test_a_stream_does_not_go_on_as_the_next_of_its_name(named: Named) -> None:
    stream = named.stream()
    next(iter(stream))
    named.calls.cancel_subscription(claim=KEEP, subscription_id=named.name)
    named.create()
    with pytest.raises(grpc.RpcError) as ended:
        for _ in stream:
            pass
    assert refused_by(ended.value).message == "you have no subscription of this name"


def test_a_page_is_bounded_in_bytes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAGE_BYTES_MAX", 1)
    client = town.worker("college:WMO", "w-long")
    for number in range(3):
        Named(client, f"lang-{number}").create()
    answer = client.subscription.list_subscriptions(claim=KEEP)
    assert [one.subscription_id for one in answer.subscriptions] == ["lang-0"]
    rest = client.subscription.list_subscriptions(claim=KEEP, page_token=answer.next_page_token)
    assert [one.subscription_id for one in rest.subscriptions] == ["lang-1"]


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
