"""An answer that did not arrive is told as such, to the resident in plain Dutch, over mutual TLS.

Source: GDPR 5(1)(d), 15(1)(c); the gate's design section 2 (what became of a decision).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.logs import open_log
from exchange.server import interceptor
from exchange.v1 import plan_service_pb2 as plan_pb
from tests.server.story import Story
from tests.server.test_door import token
from tests.server.test_duties import emergency, helper, of_decision, officer
from tests.server.test_streams import Follower
from tests.server.town import ACCESS, AUDIT, INVESTIGATE, Town
from tests.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.pipeline.walked import Walked

ABORTED = "disclosure.delivery_aborted.v2"
LOOKS_MAX = 200
NOTICED_S = 30
LOOK_EVERY_S = 0.02
GET_PLAN = "/exchange.v1.PlanService/GetPlan"
# A caller in a process of its own, so that it can be killed; says nothing and never comes back by itself.
CALLER = """
import json, sys, grpc
told = json.load(sys.stdin)
pem = {name: text.encode() for name, text in told["pem"].items()}
channel = grpc.secure_channel(
    told["target"], grpc.ssl_channel_credentials(pem["root"], pem["key"], pem["certificate"])
)
ask = channel.unary_unary(told["method"])
ask(bytes.fromhex(told["request"]), timeout=60, metadata=tuple(map(tuple, told["metadata"])))
"""


@pytest.fixture
def own_town(tmp_path: Path) -> Iterator[Town]:
    """Yield a town of one's own: its writer is held."""
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        yield town
        town.close()


@contextmanager
def held(town: Town, after: int = 0) -> Iterator[threading.Event]:
    """Let all commits but the first ones wait until the end; yield what is set once one waits."""
    writer, entered, go = town.core.writer, threading.Event(), threading.Event()
    commit, passed = writer.commit, iter(range(after))

    def waiting(walked: Walked) -> None:
        if next(passed, None) is None:
            entered.set()
            assert go.wait(30)
        commit(walked)

    writer.commit = waiting  # type: ignore[method-assign] # until the end
    try:
        yield entered
    finally:
        del writer.commit  # the class has its own
        go.set()


def until_noticed(town: Town) -> None:
    """Wait until the door knows that a caller hung up: an answer of before left, as far as it knows."""
    log, until = town.settings.data / "log", time.monotonic() + NOTICED_S
    while '"CANCELLED"' not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < until, "the door never noticed that its caller is gone"
        time.sleep(LOOK_EVERY_S)  # the log tells nobody


def losses(town: Town) -> list[tuple[str, str]]:
    """Return what was recorded as lost: decision and reason."""
    found = []
    for row in town.core.reader.page(0, 10_000, [ABORTED]):
        clear, _, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        found.append((clear["decision_id"], clear["reason"]))
    return found


def told(story: Story) -> dict[str, Any]:
    """Return the resident's own list, by decision."""
    listed = story.resident().disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=["disclosures.decision_id", "disclosures.explanation", "disclosures.abort_time"],
        page_size=200,
    )
    return {one.decision_id: one for one in listed.disclosures}


def until_lost(town: Town, story: Story) -> tuple[str, str]:
    """Return the loss, once it is recorded: each look is a call, and so a commit later."""
    for _ in range(LOOKS_MAX):
        if found := losses(town):
            (loss,) = found
            return loss
        told(story)
    raise AssertionError("no loss was recorded")


def test_an_answer_that_arrived_is_told_as_given(town: Town, story: Story) -> None:
    story.goal()
    before = losses(town)
    asked: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": story.plan_id, "fields": ["goals.own_words"]}
    decision_id = story.wmo.plan.get_plan(**asked).decision_id
    for _ in range(3):
        assert not told(story)[decision_id].HasField("abort_time")
    assert losses(town) == before


def test_the_answer_to_a_caller_that_died_is_told_as_not_arrived(own_town: Town) -> None:
    town = own_town
    story = Story(town, next(town.bsns))
    story.goal()
    request = plan_pb.GetPlanRequest(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    raw, mine = request.SerializeToString(), town.credentials()
    metadata = signed_headers(mine, GET_PLAN, raw, token(mine, sub=f"w-{story.bsn[-5:]}"))
    said = {
        "target": town.target,
        "pem": {
            "root": mine.root_pem.decode(),
            "key": mine.key_pem.decode(),
            "certificate": mine.certificate_pem.decode(),
        },
        "method": GET_PLAN,
        "request": raw.hex(),
        "metadata": metadata,
    }
    with (
        held(town) as entered,
        subprocess.Popen([sys.executable, "-c", CALLER], stdin=subprocess.PIPE) as dead,  # noqa: S603 -- our own words
    ):
        assert dead.stdin is not None
        dead.stdin.write(json.dumps(said).encode())
        dead.stdin.close()
        assert entered.wait(30)
        dead.kill()
        assert dead.wait(30)
        until_noticed(town)
    decision_id, reason = until_lost(town, story)
    assert reason == "caller_gone"
    row = told(story)[decision_id]
    assert row.HasField("abort_time")
    assert "Het antwoord kwam niet aan, voor zover wij weten" in row.explanation
    assert "Misschien is toch een deel gezien." in row.explanation
    listed = officer(town).audit.list_decisions(
        claim=AUDIT,
        fields=["decisions.disclosure.decision_id", "decisions.disclosure.abort_time"],
        page_size=200,
    )
    seen = {one.disclosure.decision_id: one.disclosure for one in listed.decisions}
    assert seen[decision_id].abort_time == row.abort_time


def test_an_answer_that_could_not_be_sent_is_told_as_not_sent(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(own_town, next(own_town.bsns))
    story.goal()
    with monkeypatch.context() as small:
        small.setattr(interceptor, "ANSWER_BYTES_MAX", 0)
        with pytest.raises(errors.ExchangeRefused):
            story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    decision_id, reason = until_lost(own_town, story)
    assert reason == "answer_refused"
    assert "Het antwoord is niet verstuurd." in told(story)[decision_id].explanation


def test_an_event_on_a_stream_that_was_cut_is_told_as_not_arrived(own_town: Town) -> None:
    story = Story(own_town, next(own_town.bsns))
    follower = Follower(story.wmo, heartbeat_seconds=60)
    follower.wait(lambda: follower.events)
    story.goal()
    follower.wait(lambda: any(event.change.goals for event in follower.events))
    arrived = {event.decision_id for event in follower.events}
    assert losses(own_town) == []
    with held(own_town, after=1) as entered:
        story.goal()
        # What the stream asks because of it: the caller is gone before it is answered.
        assert entered.wait(30)
        follower.close()
        until_noticed(own_town)
    decision_id, reason = until_lost(own_town, story)
    assert reason == "caller_gone"
    assert decision_id not in arrived
    listed = told(story)
    assert listed[decision_id].HasField("abort_time")
    assert not any(listed[name].HasField("abort_time") for name in arrived)


def test_a_notice_that_was_on_a_page_that_did_not_arrive_was_not_told(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(own_town, next(own_town.bsns))
    story.goal()
    glass = helper(own_town).plan.get_plan(
        claim=emergency(), plan_id=story.plan_id, fields=["goals.own_words"]
    )
    asked: dict[str, Any] = {
        "claim": ACCESS,
        "case_id": story.case_id,
        "fields": ["notices.decision_id", "notices.told_time"],
    }
    with monkeypatch.context() as small:
        small.setattr(interceptor, "ANSWER_BYTES_MAX", 0)
        with pytest.raises(errors.ExchangeRefused):
            story.resident().disclosure.list_notices(**asked)
    until_lost(own_town, story)
    assert not of_decision(own_town, glass.decision_id)["NOTIFY-SUBJECT"].HasField("execute_time")
    (notice,) = story.resident().disclosure.list_notices(**asked).notices
    assert not notice.HasField("told_time"), "this page is the first to tell it"
    assert of_decision(own_town, glass.decision_id)["NOTIFY-SUBJECT"].how == "fetched"
