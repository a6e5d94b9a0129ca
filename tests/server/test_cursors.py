"""What a stream's cursor and beat tell: of what was told, and of nothing else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from exchange.server.house import LOOKED_KEPT_MAX, Looked
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.story import Story
from tests.server.test_sealed_pages import let_in_second, seal_goals
from tests.server.town import CITY, INVESTIGATE

if TYPE_CHECKING:
    from tests.server.town import Town

DECIDED = ("disclosure.decided.v1",)
BEATS = 3
PAUSE_S = 0.05  # so that a plan is not full before they came


def beats(client: Any, fields: list[str], cursor: int = 0) -> list[Any]:  # noqa: ANN401 -- a client and its stream
    """Return a stream after its first beat."""
    request = SubscribeRequest(claim=INVESTIGATE, fields=fields, cursor=cursor, heartbeat_seconds=1)
    stream = client.open_stream(request)
    while next(stream).events:
        pass
    return stream  # type: ignore[no-any-return] # an iterator of answers


def test_neither_cursor_nor_beat_moves_with_what_is_not_told(town: Town, story: Story) -> None:
    story.goal()
    let_in_second(story)
    second = town.worker("college:WMO", "w-second")
    own = f"w-{story.bsn[-5:]}"
    seal_goals(town, story, f"{CITY}/college:WMO/{own}")
    stream: Any = beats(second, ["goals.own_words"])
    before = next(stream)
    # What is sealed to him, and what is of others, many in each beat: one that waited for a pause never came.
    other, enough = Story(town, next(town.bsns)), threading.Event()

    def write() -> None:
        while not enough.wait(PAUSE_S):
            story.goal()
            other.goal()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            after = [next(stream) for _ in range(BEATS)]
        finally:
            enough.set()
        writing.result()
    stream.cancel()
    assert {one.cursor for one in after} == {before.cursor}
    assert not any(one.events for one in after)


def test_a_cursor_is_the_position_of_the_last_event_that_was_told(town: Town, story: Story) -> None:
    story.goal()
    request = SubscribeRequest(claim=INVESTIGATE, fields=["goals.own_words"], heartbeat_seconds=1)
    stream: Any = story.wmo.open_stream(request)
    told = next(stream)
    Story(town, next(town.bsns))
    beat = next(stream)
    stream.cancel()
    assert told.cursor == beat.cursor == told.events[-1].position


def test_going_on_at_a_cursor_judges_nothing_twice(town: Town, story: Story) -> None:
    let_in_second(story)
    second = town.worker("college:WMO", "w-second")
    # Asked of a part that this basis does not open: judged, refused, recorded, not told.
    beats(second, ["supports.state"]).cancel()  # type: ignore[attr-defined] # as above
    story.goal()
    beats(second, ["goals.own_words"]).cancel()  # type: ignore[attr-defined] # as above
    decisions = len(town.core.reader.page(0, 100_000, DECIDED))
    cursor = town.core.reader.page_of_stream(f"plan-{story.plan_id}", 2**62, 1)[0].position
    beats(second, ["goals.own_words"], cursor).cancel()  # type: ignore[attr-defined] # as above
    assert len(town.core.reader.page(0, 100_000, DECIDED)) == decisions


def test_what_was_looked_at_is_remembered_by_question_and_cursor_and_bounded() -> None:
    looked = Looked()
    assert looked.beyond(b"q", 5) == 5
    looked.keep(b"q", 5, 90)
    assert (looked.beyond(b"q", 5), looked.beyond(b"q", 6), looked.beyond(b"r", 5)) == (90, 6, 5)
    for number in range(LOOKED_KEPT_MAX - 1):
        looked.keep(b"r", number, number)
    assert looked.beyond(b"q", 5) == 90
    looked.keep(b"s", 1, 2)
    assert looked.beyond(b"q", 5) == 5, "what is forgotten is looked at anew"
