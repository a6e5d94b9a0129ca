"""The list of duties is a fold of the events: rebuilt equals followed, whatever happened to who followed."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.disclosure import DisclosureDecided, ObligationExecuted
from exchange.domain.obligations import Due, Duty, DutyOutcome, dues_of, outcomes_of
from exchange.errors import StoreUnavailable
from exchange.gate import vocabulary as words
from exchange.pipeline.registers import FollowedEntries
from exchange.pipeline.walk import Claim, Steps
from exchange.projections.follower import Follower, catch_up
from exchange.projections.obligations import ObligationList, Wanted, microseconds, moment
from exchange.projections.workdays import end_of_next_workday
from exchange.store.errors import HeadMoved
from tests.e2e.service import REPOSITORY, environment
from tests.pipeline.shard import NOW, Shard
from tests.pipeline.test_evaluation import asking, with_consent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.errors import ExchangeError

GLASS = Claim("acute-nood", "AVG-6.1.d", "nodig", ("LEVENSGEVAAR", "De buurvrouw hoort al dagen niets meer"))
AT = NOW + timedelta(hours=1)
WAIT_S = 20.0


@pytest.fixture
def listed(shard: Shard) -> Iterator[ObligationList]:
    made = listing(shard, shard.settings.data / "list")
    yield made
    made.database.close()


def listing(shard: Shard, folder: Path) -> ObligationList:
    return ObligationList(folder, FollowedEntries(shard.core.reader, shard.core.codec))


def follow(shard: Shard, made: ObligationList) -> int:
    return catch_up(made, shard.core.reader, shard.core.codec)


def open_duties(made: ObligationList, now: datetime = AT, **wanted: Any) -> list[tuple[str, str]]:  # noqa: ANN401 -- fields of Wanted
    return [
        (one.decision_id, one.duty) for one in made.page(Wanted(only_open=True, **wanted), (0, ""), 500, now)
    ]


def break_glass(shard: Shard, plan_id: str) -> str:
    caller = shard.caller(professional="prof-9", authenticated_at=int(AT.timestamp()))
    outcome = shard.done(shard.question(plan_id, claim=GLASS, caller=caller, now=AT, bulk=False))
    return str(outcome.decision_id)


def execute(shard: Shard, ref: str, decision_id: str, duty: str, outcome: str = "executed") -> None:
    event = ObligationExecuted(
        resident=ref,
        decision_id=decision_id,
        obligation=duty,
        outcome=outcome,
        how="desk",
        remark="",
        by=f"{shard.oin}/fg-1",
        at=AT + timedelta(minutes=5),
    )
    claim = Claim("audit", "FG-WATCH-39")
    walk = shard.walk(
        lambda _: Steps([(f"disclosure-{ref}", [event])]),
        claim=claim,
        caller=shard.caller("fg", "fg-1"),
        relation=False,
        fields=(),
    )
    shard.done(walk)


def test_a_question_about_a_right_brings_an_alarm_about_who_asked_and_nothing_else(
    shard: Shard, listed: ObligationList
) -> None:
    ref, case_id, plan_id = shard.plan()
    curious = shard.caller(professional="prof-9")
    asked = (
        asking(shard, plan_id, asker=curious, caller=curious),
        with_consent(shard, plan_id, delivered_later=True),
    )
    shard.done(shard.withdrawal(shard.consent(ref, case_id)))
    first, second = shard.run(*asked)
    follow(shard, listed)
    assert open_duties(listed) == [(first.decision_id, "ALERT-SNOOP")]
    assert listed.of_decision(second.decision_id) == []
    recorded = shard.core.reader.page(shard.head - 1, 1)[0]
    brought = shard.core.codec.decode(
        recorded.state, stream=recorded.stream, version=recorded.version, topic=recorded.topic
    ).event
    assert isinstance(brought, DisclosureDecided)
    assert set(brought.obligations) >= {"STOP-FEED", "ABORT-DELIVERY"}


# --- what the domain says of duties -----------------------------------------------------------------------


def test_every_duty_of_the_gate_is_tracked() -> None:
    of_gate = {
        words.RETRY,
        words.STOP_FEED,
        words.ALERT_SNOOP,
        words.INFORM_RESIDENT,
        words.TREAT_AS_OBJECTION,
        words.ABORT_DELIVERY,
        words.NOTIFY_FG,
        words.ALERT_BREAK_GLASS_REFUSED,
        *words.BREAK_GLASS_DUTIES,
        *words.PERMIT_DUTIES,
    }
    assert {str(duty) for duty in Duty} == of_gate


@pytest.mark.parametrize(
    ("duty", "after"),
    [
        ("STOP-FEED", timedelta(0)),
        ("ABORT-DELIVERY", timedelta(0)),
        ("NO-NOTICE-TO-SUSPECT", timedelta(0)),
        ("RETRY", timedelta(0)),
        ("TTL-60M", timedelta(minutes=60)),
    ],
)
def test_what_the_system_executes_says_when(duty: str, after: timedelta) -> None:
    assert dues_of(("LOG", duty), NOW, end_of_next_workday) == (Due(duty, NOW + after, NOW + after),)
    assert outcomes_of(duty) == frozenset()


def test_all_else_is_open_until_somebody_acts() -> None:
    for duty in (*Duty, "NEW-DUTY"):
        (due,) = dues_of((duty,), NOW, end_of_next_workday)
        if outcomes_of(duty) and duty != Duty.DEFER_NOTICE_4W:
            assert due == Due(duty, datetime(2026, 3, 3, 23, tzinfo=UTC), None)


def test_a_review_is_a_verdict_and_a_task_is_an_answer() -> None:
    assert outcomes_of("REVIEW-1-WORKDAY") == {DutyOutcome.JUSTIFIED, DutyOutcome.NOT_JUSTIFIED}
    assert outcomes_of("TREAT-AS-OBJECTION") == {
        DutyOutcome.OBJECTION_RECORDED,
        DutyOutcome.NOT_AN_OBJECTION,
    }


# --- following ------------------------------------------------------------------------------------------


def test_duties_open_with_the_decision_and_end_with_an_event(shard: Shard, listed: ObligationList) -> None:
    ref, _, plan_id = shard.plan()
    decision_id = break_glass(shard, plan_id)
    follow(shard, listed)
    everything = {"NOTIFY-FG", "NOTIFY-SUBJECT", "REVIEW-1-WORKDAY", "TTL-60M"}
    assert {duty for _, duty in open_duties(listed)} == everything
    execute(shard, ref, decision_id, "NOTIFY-FG")
    execute(shard, ref, decision_id, "NOTIFY-FG", "not_needed")
    follow(shard, listed)
    assert {duty for _, duty in open_duties(listed)} == everything - {"NOTIFY-FG"}
    (told,) = [one for one in listed.of_decision(decision_id) if one.duty == "NOTIFY-FG"]
    assert (told.outcome, told.how, told.executed_by) == ("executed", "desk", f"{shard.oin}/fg-1")


def test_the_clock_executes_exactly_at_the_hour(shard: Shard, listed: ObligationList) -> None:
    _, _, plan_id = shard.plan()
    break_glass(shard, plan_id)
    follow(shard, listed)
    hour, moment_before = AT + timedelta(minutes=60), timedelta(microseconds=1)
    assert len(open_duties(listed, hour - moment_before, duties=("TTL-60M",))) == 1
    assert open_duties(listed, hour, duties=("TTL-60M",)) == []
    due = end_of_next_workday(AT)
    overdue = Wanted(only_overdue=True, duties=("REVIEW-1-WORKDAY",))
    assert listed.page(overdue, (0, ""), 5, due - moment_before) == []
    assert len(listed.page(overdue, (0, ""), 5, due)) == 1


def test_what_could_not_be_judged_waits_for_nobody_and_stays_in_the_list(
    shard: Shard, listed: ObligationList
) -> None:
    # About nobody the facts are not there to judge somebody else's access: R01, and try again.
    asked = shard.question("0" * 8, claim=Claim("inzage", "SUBJECT-15"), caller=shard.caller("fg"))
    (outcome,) = shard.run(asked)
    follow(shard, listed)
    assert open_duties(listed) == []
    (kept,) = listed.page(Wanted(), (0, ""), 5, AT)
    assert (kept.decision_id, kept.duty) == (outcome.decision_id, "RETRY")
    assert kept.executed_by_now(moment(kept.decided_at)) == moment(kept.decided_at)


def test_a_page_goes_on_behind_its_key(shard: Shard, listed: ObligationList) -> None:
    _, _, plan_id = shard.plan()
    for _ in range(3):
        break_glass(shard, plan_id)
    follow(shard, listed)
    whole = listed.page(Wanted(), (0, ""), 100, AT)
    found, after = [], (0, "")
    while page := listed.page(Wanted(), after, 5, AT):
        found += page
        after = (page[-1].position, page[-1].duty)
    assert found == whole
    assert len(whole) == 12
    assert listed.page(Wanted(organisation="0" * 20), (0, ""), 100, AT) == []


def test_rebuilt_equals_followed_byte_for_byte(shard: Shard, listed: ObligationList) -> None:
    ref, _, plan_id = shard.plan()
    follow(shard, listed)
    for number in range(4):
        decision_id = break_glass(shard, plan_id)
        if number % 2:
            follow(shard, listed)
            execute(shard, ref, decision_id, "REVIEW-1-WORKDAY", "justified")
    assert follow(shard, listed) == shard.head
    followed = listed.database.dump()
    listed.database.forget()
    assert listed.database.position() == 0
    follow(shard, listed)
    assert listed.database.dump() == followed


def test_what_fails_in_the_middle_leaves_rows_and_position_as_they_were(
    shard: Shard, listed: ObligationList, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    break_glass(shard, plan_id)
    before = listed.database.dump()
    real = shard.core.codec.decode_clear
    calls: list[int] = []

    def fails_at_the_last(*state: Any, **place: Any) -> Any:  # noqa: ANN401 -- the codec's own arguments
        calls.append(1)
        if place["topic"] == DisclosureDecided.TOPIC and len(calls) == total:
            raise StoreUnavailable("lost")
        return real(*state, **place)

    total = len(shard.core.reader.page(0, 1_000, listed.topics))
    monkeypatch.setattr(shard.core.codec, "decode_clear", fails_at_the_last)
    with pytest.raises(StoreUnavailable):
        follow(shard, listed)
    assert listed.database.dump() == before
    monkeypatch.undo()
    follow(shard, listed)
    assert len(open_duties(listed)) == 4


@pytest.mark.parametrize("spoilt", [b"", b"no database at all, but long enough to be looked at" * 40])
def test_a_file_that_cannot_be_read_is_made_anew(shard: Shard, tmp_path: Path, spoilt: bytes) -> None:
    _, _, plan_id = shard.plan()
    break_glass(shard, plan_id)
    folder = tmp_path / "spoilt"
    folder.mkdir()
    (folder / "obligations.db").write_bytes(spoilt)
    made = listing(shard, folder)
    follow(shard, made)
    assert len(open_duties(made)) == 4
    made.database.close()


def test_who_follows_while_it_is_rebuilt_loses_and_doubles_nothing(
    shard: Shard, listed: ObligationList
) -> None:
    _, _, plan_id = shard.plan()
    for _ in range(3):
        break_glass(shard, plan_id)
    follow(shard, listed)
    expected = listed.database.dump()
    break_glass(shard, plan_id)
    rows = shard.core.reader.page(0, 1_000, listed.topics)
    after, position = listed.database.position(), shard.head
    listed.database.forget()
    with pytest.raises(HeadMoved):
        listed.apply(rows[-1:], after, position, shard.core.codec)
    assert listed.database.position() == 0
    follow(shard, listed)
    assert len(open_duties(listed)) == 16
    assert listed.database.dump() != expected


def test_times_are_kept_to_the_microsecond() -> None:
    for at in (NOW, NOW + timedelta(microseconds=1), datetime(1970, 1, 1, tzinfo=UTC)):
        assert moment(microseconds(at)) == at


# --- in a thread, and through a kill --------------------------------------------------------------------


def test_a_follower_catches_up_is_woken_and_is_waited_for(shard: Shard, listed: ObligationList) -> None:
    errors: list[ExchangeError] = []
    _, _, plan_id = shard.plan()
    follower = Follower([listed], shard.core.reader, shard.core.codec, errors.append)
    follower.start()
    assert follower.wait_for(shard.head, WAIT_S)
    break_glass(shard, plan_id)
    follower.wake()
    assert follower.wait_for(shard.head, WAIT_S)
    assert len(open_duties(listed)) == 4
    assert not follower.wait_for(shard.head + 1, 0.01)
    follower.stop()
    assert errors == []


CHILD = """
import sys
from pathlib import Path
from exchange.pipeline.registers import FollowedEntries
from exchange.projections.follower import catch_up
from exchange.projections.obligations import ObligationList
from exchange.settings import Settings
from exchange.wiring.core import open_core
core = open_core(Settings(data=Path(sys.argv[1])))
made = ObligationList(Path(sys.argv[2]), FollowedEntries(core.reader, core.codec))
while True:
    made.database.forget()
    for position in range(0, core.reader.head()[0], 7):
        after = made.database.position()
        rows = core.reader.page(after, 7, made.topics)
        if not rows:
            break
        made.apply(rows, after, rows[-1].position, core.codec)
        print(rows[-1].position, flush=True)
"""


def test_killed_at_any_moment_it_follows_on_to_the_same_list(shard: Shard, tmp_path: Path) -> None:
    _, _, plan_id = shard.plan()
    for _ in range(12):
        break_glass(shard, plan_id)
    straight = listing(shard, tmp_path / "straight")
    follow(shard, straight)
    for lines in (1, 4):
        folder = tmp_path / f"killed-{lines}"
        child = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-c", CHILD, str(shard.settings.data), str(folder)],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=environment(),
        )
        assert child.stdout is not None
        for _ in range(lines):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed = listing(shard, folder)
        assert killed.database.position() <= shard.head
        follow(shard, killed)
        assert killed.database.dump() == straight.database.dump()
        killed.database.close()
    straight.database.close()


@pytest.mark.parametrize(
    ("obligations", "deferred"),
    [
        (("DEFER-NOTICE-4W", "INFORM-RESIDENT", "LOG"), True),
        (("INFORM-RESIDENT", "LOG"), True),
        (("INFORM-RESIDENT", "LOG"), False),
        (("NOTIFY-FG",), True),
    ],
)
def test_what_nobody_may_be_told_yet_is_due_when_its_weeks_are_over_and_ended_by_no_clock(
    obligations: tuple[str, ...], *, deferred: bool
) -> None:
    found = dues_of(obligations, NOW, end_of_next_workday, deferred=deferred)
    later, soon = NOW + timedelta(weeks=4), end_of_next_workday(NOW)
    kept = {"DEFER-NOTICE-4W"} | ({"INFORM-RESIDENT"} if deferred else set())
    assert {(one.due_at, one.executes_at) for one in found if one.duty in kept} <= {(later, None)}
    assert {(one.due_at, one.executes_at) for one in found if one.duty not in kept} <= {(soon, None)}
    assert [one.duty for one in found] == [name for name in obligations if name != "LOG"]
    assert outcomes_of("DEFER-NOTICE-4W") == {DutyOutcome.EXECUTED, DutyOutcome.NOT_NEEDED}
