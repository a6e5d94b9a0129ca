"""Streams beside each other: an event is opened once for all of them, and judged for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.logs import open_log
from exchange.store.codec import Codec
from tests.server.test_streams import Follower, open_plan, set_goal
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
