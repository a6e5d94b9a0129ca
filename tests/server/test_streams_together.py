"""Streams beside each other: an event is opened once for all of them, and judged for each."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.logs import open_log
from exchange.server.services import happenings
from exchange.store.codec import Codec
from tests.server.story import Story
from tests.server.test_streams import WAIT_S, Follower, open_plan, set_goal
from tests.server.test_untold import seal_goals
from tests.server.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOAL = "plan.goal_set.v1"


@pytest.fixture
def own_town(tmp_path: Path) -> Iterator[Town]:
    """Yield a town of one's own: nobody else opens anything there."""
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        yield town
        town.close()


@pytest.fixture
def opened_rows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the topics of the events that streams opened, or looked into."""
    found: list[str] = []
    decode, outline = Codec.decode, Codec.outline

    def decoding(codec: Codec, state: bytes, **place: Any) -> Any:  # noqa: ANN401 -- as the codec's own
        found.append(f"opened {place['topic']}")
        return decode(codec, state, **place)

    def outlining(state: bytes, **place: Any) -> Any:  # noqa: ANN401 -- as the codec's own
        found.append(f"looked into {place['topic']}")
        return outline(state, **place)

    monkeypatch.setattr(Codec, "decode", decoding)
    monkeypatch.setattr(Codec, "outline", staticmethod(outlining))
    return found


def test_two_streams_open_an_event_once_and_have_a_decision_each(
    own_town: Town, opened_rows: list[str]
) -> None:
    client, opened = open_plan(own_town)
    followers = [Follower(client), Follower(client)]
    for follower in followers:
        follower.wait(lambda one=follower: one.events)
    opened_rows.clear()
    version = set_goal(client, opened.plan_id, opened.version, "Eerste.")
    for follower in followers:
        follower.wait(lambda one=follower: len(one.events) == 2)
    assert opened_rows.count(f"opened {GOAL}") == 1
    # The plan changed: the events before it are not found over what it is now.
    set_goal(client, opened.plan_id, version, "Tweede.")
    for follower in followers:
        follower.wait(lambda one=follower: len(one.events) == 3)
        follower.close()
    assert opened_rows.count(f"opened {GOAL}") == 2
    first, second = (follower.events for follower in followers)
    assert [one.event_id for one in first] == [one.event_id for one in second]
    assert {one.decision_id for one in first}.isdisjoint(one.decision_id for one in second)


def test_of_a_plan_somebody_never_worked_on_no_event_is_looked_into(
    own_town: Town, opened_rows: list[str]
) -> None:
    client, opened = open_plan(own_town)
    stranger = Follower(own_town.worker("college:WMO", "w-9"))
    stranger.wait(lambda: stranger.answers)
    opened_rows.clear()
    set_goal(client, opened.plan_id, opened.version, "Eerste.")
    count = len(stranger.answers)
    stranger.wait(lambda: len(stranger.answers) > count + 1)
    stranger.close()
    assert not stranger.events
    assert [one for one in opened_rows if one.endswith(GOAL)] == []


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_what_is_judged_and_not_told_is_not_on_its_way(
    own_town: Town, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A withdrawal that waited for it would tell by its time that something is sealed."""
    own_town.register_notice("folder-1", b"\1" * 32)
    story = Story(own_town, next(own_town.bsns))
    before = own_town.core.reader.head()[0]
    story.goal()
    if when == "before":
        seal_goals(own_town, story)
    else:
        # As of a link that was sealed between the look and the walk.
        monkeypatch.setattr(happenings, "is_told", lambda *_: False)
    stands = own_town.core.reader.head()[0]
    follower = Follower(story.wmo, before, heartbeat_seconds=60)

    def judged() -> list[Any]:
        rows = own_town.core.reader.page(stands, 100)
        return [row for row in rows if row.topic == DisclosureDecided.TOPIC]

    until = time.monotonic() + WAIT_S
    while not judged():
        assert time.monotonic() < until
        time.sleep(0.02)
    # A turn of the loop later the stream has taken it.
    own_town.run(lambda: asyncio.sleep(0.05))
    assert (len(judged()), follower.events) == (1, [])
    assert own_town.pipeline._leaving.about("") == ()
    follower.close()
