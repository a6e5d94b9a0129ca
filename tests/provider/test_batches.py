"""Many 301s at once: a batch is judged while the next is asked about, and it is as if each had come alone."""

from __future__ import annotations

import dataclasses
import errno
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider import taking
from adapters.provider.config import Side
from adapters.provider.journal import Outgoing
from adapters.provider.transport import Http
from adapters.sdk.bsn import passes_eleven_proof
from adapters.sdk.errors import Refusal, Unreachable
from tests.provider.around import ONE, Adapter, Both, Clock, answers, sent
from tests.provider.test_service_kill import Steps, in_a_process_of_its_own
from tests.provider.world import PROVIDER_OIN, START, World, pseudonym

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.provider.desk import Verdict
    from adapters.provider.folders import Incoming
    from adapters.provider.plan_seen import CaseFound
    from adapters.provider.records import Assignment
    from adapters.provider.xml import Message
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.errors import SdkError

BSNS = [bsn for bsn in map(str, range(999_900_100, 999_900_300)) if passes_eleven_proof(bsn)]
LATER = timedelta(hours=3)
# Long enough for any machine; what is waited for comes at once, or the test fails.
WAIT_S = 60.0


def plan_of(bsn: str) -> str:
    return f"plan of {bsn}"


def of_each(both: Both, count: int) -> None:
    """Let residents each ask a support and agree, and put a 301 of each in the inbox, in order."""
    for number, bsn in enumerate(BSNS[:count]):
        both.world.open_plan(plan_of(bsn), bsn)
        both.world.request(f"support-{number:02d}", plan_id=plan_of(bsn))
        both.world.say(agreed=True, plan_id=plan_of(bsn))
        put_in(both, number, bsn)


def again(both: Both, count: int) -> None:
    for number, bsn in enumerate(BSNS[:count]):
        put_in(both, number, bsn)


def put_in(both: Both, number: int, bsn: str) -> None:
    message = sent(numbered(100 + number), identification=f"A{number:02d}", bsn=bsn)
    both.provider.drop(f"{number:02d}.xml", message)


def numbered(number: int) -> Assignment:
    return dataclasses.replace(ONE, number=number)


def assert_each_once(both: Both, count: int) -> None:
    assert sorted(order.assignment_number for order in both.world.assigned) == [*range(100, 100 + count)]
    assert len(both.provider.archived) == count
    assert both.provider.names("inbox") == both.provider.names("rejected") == []
    assert answers(both) == [()] * count
    assert not [bsn for bsn in BSNS[:count] if bsn in both.log]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "BATCH_FILES", 2)


class Watched:
    """Notes whose pseudonyms are asked together, and where each case is asked for."""

    def __init__(self, both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
        self.together: list[list[str]] = []
        self.beside: dict[bytes, bool] = {}
        self.begun: Callable[[], None] = lambda: None
        self.asked: Callable[[], None] = lambda: None
        port = both.provider.port
        pseudonyms, find_case = port.pseudonyms, port.find_case

        def noting_whose(bsns: list[Bsn]) -> list[bytes]:
            if threading.current_thread() is not threading.main_thread():
                self.together.append([bsn.reveal() for bsn in bsns])
                self.begun()
            return pseudonyms(bsns)

        def noting_where(whose: bytes) -> CaseFound:
            self.beside[whose] = threading.current_thread() is not threading.main_thread()
            self.asked()
            return find_case(whose)

        monkeypatch.setattr(port, "pseudonyms", noting_whose)
        monkeypatch.setattr(port, "find_case", noting_where)

    def was_beside(self, bsn: str) -> bool:
        return self.beside[pseudonym(PROVIDER_OIN, bsn)]


@pytest.mark.usefixtures("small")
def test_the_next_batch_is_asked_about_before_the_first_is_judged(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_each(both, 6)
    watched, second, outbox = Watched(both, monkeypatch), threading.Event(), []

    def begun() -> None:
        # Behind the answers of the batch before the one before: a folder is not waited for.
        outbox.append(len(both.municipality.names("inbox")))
        if len(watched.together) == 2:
            second.set()

    def asked() -> None:
        assert second.wait(WAIT_S), "the second batch waits for the first"

    watched.begun, watched.asked = begun, asked
    both.provider.work()
    assert watched.together == [BSNS[0:2], BSNS[2:4], BSNS[4:6]]
    # Of the second one perhaps as well: what is answered goes out while the third is being asked about.
    assert outbox[:2] == [0, 0]
    assert 2 <= outbox[2] <= 4
    assert all(watched.beside.values())
    assert_each_once(both, 6)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", [1, 2, 4])
def test_who_rests_on_one_before_is_asked_about_after_that_was_judged(
    both: Both, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    of_each(both, 6)
    # The resident of the first again: in the same batch, in the next, and in the one after it.
    both.world.request("support-99", plan_id=plan_of(BSNS[0]))
    both.world.say(agreed=True, plan_id=plan_of(BSNS[0]))
    put_in(both, place, BSNS[0])
    watched = Watched(both, monkeypatch)
    both.provider.work()
    again = [bsns for bsns in watched.together if BSNS[0] in bsns]
    # Beside others only where the first was judged by then.
    assert watched.was_beside(BSNS[0]) == (place == 4)
    assert len(again) == (2 if place == 4 else 0 if place == 1 else 1)
    by_number = {order.assignment_number: order.support_id for order in both.world.assigned}
    assert (by_number[100], by_number[100 + place]) == ("support-00", "support-99")
    assert answers(both) == [()] * 6


@pytest.mark.usefixtures("small")
def test_a_number_of_somebody_else_is_not_asked_about(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    of_each(both, 2)
    both.provider.work()
    of_each(both, 4)
    # The number of the first, for the third.
    both.provider.drop("02.xml", sent(numbered(100), identification="B02", bsn=BSNS[2]))
    watched = Watched(both, monkeypatch)
    both.provider.work()
    assert pseudonym(PROVIDER_OIN, BSNS[2]) not in watched.beside
    assert watched.was_beside(BSNS[3])
    assert sorted(answers(both)) == [(), (), (), ("0200", "9332")]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("call", ["pseudonym", "find_case", "look", "assign"])
@pytest.mark.parametrize("after", [1, 3, 5])
def test_an_exchange_that_goes_away_meanwhile_doubles_and_loses_nothing(
    both: Both, monkeypatch: pytest.MonkeyPatch, call: str, after: int
) -> None:
    of_each(both, 6)
    enter, left = both.world.enter, [after]

    def leaving(name: str) -> Any:  # noqa: ANN401 -- what it holds
        if name == call:
            left[0] -= 1
            both.world.away = both.world.away or not left[0]
        return enter(name)

    monkeypatch.setattr(both.world, "enter", leaving)
    both.provider.work()
    taken = both.provider.names("archive")
    assert len(taken) == len(both.municipality.names("inbox")) < 6
    both.world.away, left[0] = False, 0
    both.clock.pass_by(minutes=5)
    both.provider.work()
    assert_each_once(both, 6)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", [1, 2, 5])
def test_none_goes_before_one_that_was_left_though_the_exchange_is_back(
    both: Both, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    of_each(both, 6)
    # The first, and its own correction: the same resident and number, another product size.
    both.provider.drop(f"{place:02d}.xml", sent(numbered(100), identification="B00", bsn=BSNS[0]))
    port, taken = both.provider.port, both.provider.service._party
    failed: list[bytes] = []
    find_case, judge = port.find_case, taken.judge
    judged: list[str] = []

    def away_once(whose: bytes) -> CaseFound:
        if whose == pseudonym(PROVIDER_OIN, BSNS[0]) and not failed:
            failed.append(whose)
            raise Unreachable(Refusal("", "away"))
        return find_case(whose)

    pausing = both.provider.service._pausing
    pause = pausing.pause

    def paused_shortly(error: SdkError) -> None:
        pause(error)
        # It is over before the next is judged.
        both.clock.pass_by(minutes=1)

    def judging(message: Message) -> Verdict:
        judged.append(message.root.children[0].required("BerichtIdentificatie/Identificatie"))
        return judge(message)

    monkeypatch.setattr(port, "find_case", away_once)
    monkeypatch.setattr(taken, "judge", judging)
    monkeypatch.setattr(pausing, "pause", paused_shortly)
    both.provider.work()
    assert failed
    both.clock.pass_by(minutes=5)
    both.provider.work()
    of_these = [one for one in judged if one in ("A00", "B00")]
    assert of_these == ["A00", "A00", "B00"]
    assert judged[1:] == sorted(judged[1:], key=lambda one: place if one == "B00" else int(one[1:]))
    assert both.provider.names("inbox") == []
    assert answers(both) == [()] * 6


@pytest.mark.usefixtures("small")
def test_where_a_folder_cannot_be_flushed_an_erasure_finds_what_was_kept_all_the_same(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_each(both, 2)
    inbox = both.provider.service._taking._inbox

    def fails() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(inbox, "settle", fails)
        both.provider.work()
    whose = pseudonym(PROVIDER_OIN, BSNS[0]).hex()
    files = both.provider.desk.register.files_of(whose)
    assert ("archive", "00.xml") in files
    assert '"inbox_failed"' in both.provider.out.getvalue()


def test_two_batches_take_no_more_memory_than_one(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    def most(batch_bytes: int) -> int:
        monkeypatch.setattr(taking, "BATCH_FILES", 3)
        monkeypatch.setattr(taking, "BATCH_BYTES", batch_bytes)
        inbox, seen, held = both.provider.service._taking._inbox, 0, [0]
        take = inbox.take

        def counted() -> Iterator[Incoming]:
            nonlocal seen
            for incoming in take():
                seen += 1
                # What was read and is not put away yet.
                held.append(seen - len(both.provider.names("archive")) + already)
                yield incoming

        already = len(both.provider.names("archive"))
        monkeypatch.setattr(inbox, "take", counted)
        both.provider.work()
        monkeypatch.setattr(inbox, "take", take)
        return max(held)

    of_each(both, 9)
    size = (both.provider.config.inbox / "00.xml").stat().st_size
    assert most(size * 6 + 1) == 6
    again(both, 9)
    # The third of the next one is not read while the first three are there.
    assert most(size * 5) == 5
    again(both, 9)
    assert most(size) == 1


def test_a_counterparty_over_http_is_not_waited_for_in_between(tmp_path: Path) -> None:
    # Nobody listens there: port 0 is nobody's.
    http = Http(deliver_to="http://127.0.0.1:0/")
    adapter = Adapter(tmp_path, Side.PROVIDER, World(tmp_path / "world"), Clock(), http=http)
    now_ms = int(START.timestamp() * 1_000)
    adapter.journal.send(Outgoing("WMO302-A.xml", "WMO302", "A", b"<a/>"), now_ms)
    adapter.service._delivering.meanwhile()
    assert [one.attempts for one in adapter.journal.due(now_ms)] == [0]
    adapter.service._delivering.work()
    assert adapter.journal.due(now_ms) == ()
    assert [one.attempts for one in adapter.journal.due(now_ms + 3_600_000)] == [1]
    adapter.close()


# --- kill -9 ------------------------------------------------------------------------------------------------

KILLED_COUNT = 5


def live(root: Path, steps: Steps, begin: timedelta) -> None:
    taking.BATCH_FILES = 2  # type: ignore[misc] # this process ends soon
    both = Both(root, Clock(START + begin))
    if not both.world.held().plans:
        of_each(both, KILLED_COUNT)
    steps.watch(both.provider)
    for _ in range(2):
        both.provider.work()
        both.clock.pass_by(minutes=2)


def kill_at_each(tmp_path: Path, first: int, every: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    _, steps = in_a_process_of_its_own(whole, 0, timedelta(), live)
    # Threads take turns as they like: another run may take a few steps fewer.
    assert steps > KILLED_COUNT * 10
    for kill_at in range(first, steps * 9 // 10, every):
        root = tmp_path / str(kill_at)
        root.mkdir()
        killed, _ = in_a_process_of_its_own(root, kill_at, timedelta(), live)
        assert killed, kill_at
        in_a_process_of_its_own(root, 0, LATER, live)
        both = Both(root, Clock(START + 2 * LATER))
        assert_each_once(both, KILLED_COUNT)
        assert both.provider.journal.due(2**60) == both.provider.journal.parked() == ()
        both.close()


def test_killed_here_and_there_with_batches_under_way_each_is_taken_once(tmp_path: Path) -> None:
    kill_at_each(tmp_path, 11, 29)


@pytest.mark.slow
@pytest.mark.parametrize("half", [1, 2])
def test_killed_at_any_step_with_batches_under_way_each_is_taken_once(tmp_path: Path, half: int) -> None:
    kill_at_each(tmp_path, half, 2)
