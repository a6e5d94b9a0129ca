"""A 301 within a restriction: it waits sealed and in its order, goes on by itself, and has its term."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.kit.restrictions import RestrictionTold
from adapters.provider.holding import AGAIN_MS
from adapters.provider.restricting import LOOK_EVERY_MS
from adapters.provider.running import status
from adapters.provider.xml import emit
from adapters.sdk.errors import Denied, OutcomeUnknown, Refusal, Unreachable
from adapters.sdk.purges import PurgeAsked
from tests.provider.around import ONE, Both, Clock, answers, of, sent
from tests.provider.builders import BSN
from tests.provider.test_service_kill import Steps, in_a_process_of_its_own
from tests.provider.world import OTHER_BSN, PLAN, PROVIDER_OIN, START, SUPPORT, pseudonym

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.provider.world import Port

WHOSE = pseudonym(PROVIDER_OIN, BSN)
OTHER_PLAN, OTHER_SUPPORT = "plan-2", "support-2"
MARK = "restricted"
ERASED = PurgeAsked("erasure-1", (PLAN,))


class Gate:
    """Refuses what is asked of one resident, by these rules, for as long as a file lies there.

    A command that was refused is refused again, as the exchange does.
    """

    def __init__(self, port: Port, mark: Path, *rules: str, asked: str = "look", whose: str = PLAN) -> None:
        self.mark, self.rules = mark, rules or ("R24",)
        self.asked = 0
        refused = set[str]()
        mark.touch()
        inner = getattr(port, asked)

        def gated(of: Any, **more: Any) -> Any:  # noqa: ANN401 -- whatever is asked
            if getattr(of, "plan_id", of) in {whose, WHOSE}:
                self.asked += 1
                command = getattr(of, "request_id", "")
                if mark.exists() or command in refused:
                    refused.update({command} - {""})
                    raise Denied(Refusal("ACCESS_DENIED", "no", rules=self.rules, decision_id="0" * 32))
            return inner(of, **more)

        setattr(port, asked, gated)

    def lift(self) -> None:
        self.mark.unlink()


def planned(both: Both) -> None:
    for plan_id, support_id, bsn in ((PLAN, SUPPORT, BSN), (OTHER_PLAN, OTHER_SUPPORT, OTHER_BSN)):
        both.world.open_plan(plan_id, bsn)
        both.world.request(support_id, plan_id=plan_id)
        both.world.say(agreed=True, plan_id=plan_id)


@pytest.fixture
def gate(both: Both, tmp_path: Path) -> Gate:
    planned(both)
    return Gate(both.provider.port, tmp_path / MARK)


def waiting(both: Both) -> tuple[str, ...]:
    return status(both.provider.config).messages_held


def assert_waits(both: Both, archived: Sequence[str] = ()) -> None:
    assert waiting(both) == ("WMO301 A1 until 2026-06-04",)
    for folder, names in (("inbox", ()), ("archive", archived), ("rejected", ())):
        assert both.provider.names(folder) == [*names]


def assert_nowhere(both: Both) -> None:
    for path in both.provider.config.state.iterdir():
        assert BSN.encode() not in path.read_bytes(), path.name


def two(both: Both) -> None:
    """Let the same person be sent two messages: the second is about another support of theirs."""
    both.world.request("support-9", starts_on=ONE.starts_on + timedelta(days=1))
    both.world.say(agreed=True)
    more = dataclasses.replace(ONE, number=102, starts_on=ONE.starts_on + timedelta(days=1))
    both.provider.drop("a.xml", sent())
    both.provider.drop("b.xml", sent(more, identification="A2"))


@pytest.mark.parametrize("asked", ["find_case", "look", "assign"])
def test_it_waits_sealed_with_an_alarm_and_goes_on_once_it_is_lifted(
    asked: str, both: Both, tmp_path: Path
) -> None:
    planned(both)
    gate = Gate(both.provider.port, tmp_path / MARK, asked=asked)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert_waits(both)
    assert_nowhere(both)
    assert answers(both) == []
    assert not status(both.provider.config).well
    assert '"event": "message_held"' in both.provider.out.getvalue()
    gate.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS - 1)
    both.provider.work()
    assert_waits(both)
    both.clock.pass_by(milliseconds=1)
    both.provider.work()
    assert (answers(both), waiting(both)) == ([()], ())
    assert len(both.world.assigned) == 1
    assert both.provider.archived == [sent()]


def test_a_lifting_that_is_told_lets_it_go_on_at_once(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    gate.lift()
    held = both.world.held()
    held.restrictions.append(RestrictionTold("restriction-1", (PLAN,), lifted=True, ours=True))
    both.world.save(held)
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    both.provider.work()
    assert (answers(both), waiting(both)) == ([()], ())


def test_it_is_not_asked_about_at_each_look(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    for _ in range(5):
        both.provider.work()
        both.clock.pass_by(minutes=30)
    assert gate.asked == 1
    # A clock that was set back is no reason to wait longer.
    both.clock.set_to(START - timedelta(hours=1))
    both.provider.work()
    assert gate.asked == 2


def test_on_the_last_day_of_its_term_it_is_refused(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.clock.pass_by(days=2, hours=12, minutes=59)
    both.provider.work()
    assert_waits(both)
    # Thursday, in the Netherlands.
    both.clock.pass_by(minutes=1)
    both.provider.work()
    assert (answers(both), waiting(both)) == ([("0200", "9019")], ())
    assert both.provider.names("archive") == ["a.xml"]
    assert both.world.assigned == []
    gate.lift()
    both.provider.drop("again.xml", sent())
    both.provider.work()
    assert answers(both) == [("0200", "9019")], "a message has one answer"


def test_one_that_comes_on_its_last_day_is_answered_at_once(both: Both, gate: Gate) -> None:
    both.world.away = True
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.world.away = False
    both.clock.pass_by(days=3)
    both.provider.work()
    assert answers(both) == [("0200", "9019")]
    assert gate.asked == 1


def test_what_comes_behind_it_waits_too_and_others_do_not(both: Both, gate: Gate) -> None:
    two(both)
    other = dataclasses.replace(ONE, number=201)
    both.provider.drop("c.xml", sent(other, identification="A3", bsn=OTHER_BSN))
    both.provider.work()
    assert [line.split()[1] for line in waiting(both)] == ["A1", "A2"]
    assert [one.support_id for one in both.world.assigned] == [OTHER_SUPPORT]
    gate.lift()
    both.provider.drop("d.xml", sent(dataclasses.replace(ONE, number=103), identification="A4"))
    both.provider.work()
    assert [line.split()[1] for line in waiting(both)] == ["A1", "A2", "A4"]
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert [one.support_id for one in both.world.assigned] == [OTHER_SUPPORT, SUPPORT, "support-9"]
    # Nothing of the plan is left for the last one.
    assert sorted(answers(both)) == [(), (), (), ("0200", "9019")]


def test_the_same_again_while_it_waits_is_one_message(both: Both, gate: Gate) -> None:
    for name in ("a.xml", "b.xml", "c.xml"):
        both.provider.drop(name, sent())
        both.provider.work()
    assert_waits(both)
    gate.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert (answers(both), len(both.world.assigned)) == ([()], 1)
    assert both.provider.names("archive") == ["a.xml"]


@pytest.mark.parametrize("key", ["there", "gone"])
def test_an_erasure_reaches_it_and_what_was_refused_by_its_number(key: str, both: Both, gate: Gate) -> None:
    two(both)
    both.provider.drop("bad.xml", emit(sent()).replace(b"Geslacht>2<", b"Geslacht>9<"))
    both.provider.work()
    assert both.provider.names("rejected") == ["bad.xml", "bad.xml.reason.txt"]
    if key == "gone":
        both.provider.config.seal_key.unlink()
    held = both.world.held()
    held.purges.append(ERASED)
    both.world.save(held)
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    both.provider.work()
    assert both.world.held().purged == {"erasure-1": True}
    assert waiting(both) == ()
    assert (both.provider.names("rejected") == []) is (key == "there")
    for path in both.provider.config.state.iterdir():
        assert WHOSE.hex().encode() not in path.read_bytes(), path.name
    gate.lift()
    both.clock.pass_by(days=8)
    both.provider.work()
    assert (answers(both), both.world.assigned) == ([], [])
    assert status(both.provider.config).retours_overdue == ()


def test_an_erasure_reaches_what_waits_of_a_plan_nobody_named(both: Both, tmp_path: Path) -> None:
    """The exchange refused to name the plan, too: it is asked again before the erasure is answered."""
    planned(both)
    gate = Gate(both.provider.port, tmp_path / MARK, asked="find_case", whose=WHOSE.hex())
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert_waits(both)
    # Of somebody else, while the exchange still says that this one is restricted, or not why: it waits on.
    for number, rules in enumerate((("R24",), ())):
        gate.rules = rules
        held = both.world.held()
        held.purges.append(PurgeAsked(f"erasure-{number}", ("plan-unknown",)))
        both.world.save(held)
        both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
        both.provider.work()
        assert both.world.held().purged == dict.fromkeys(map("erasure-{}".format, range(number + 1)), False)
        assert_waits(both)
    held = both.world.held()
    held.plan_of.pop(WHOSE.hex(), None)
    held.purges.append(PurgeAsked("erasure-2", (PLAN,)))
    both.world.save(held)
    gate.lift()
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    both.provider.work()
    assert both.world.held().purged == {"erasure-0": False, "erasure-1": False, "erasure-2": True}
    assert (answers(both), waiting(both)) == ([], ())
    assert_nowhere(both)
    assert status(both.provider.config).retours_overdue == ()


@pytest.mark.parametrize("rules", [("R03", "R24"), ("R24", "R25"), ("R15",)])
def test_what_no_waiting_mends_is_refused_at_once(rules: tuple[str, ...], both: Both, tmp_path: Path) -> None:
    planned(both)
    Gate(both.provider.port, tmp_path / MARK, *rules)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert (answers(both), waiting(both)) == ([("0200", "9019")], ())


def test_who_has_no_part_any_more_is_refused_when_it_is_asked_again(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.world.part(PROVIDER_OIN)
    gate.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert (answers(both), waiting(both)) == ([("0200", "9019")], ())


def test_an_exchange_that_is_away_or_whose_answer_is_lost_doubles_nothing(
    both: Both, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.world.away = True
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert_waits(both)
    both.world.away = False
    gate.lift()
    assign, faults = both.provider.port.assign, [Unreachable, OutcomeUnknown]

    def failing(order: Any) -> None:  # noqa: ANN401 -- of the port
        kind = faults.pop(0) if faults else None
        if kind is not Unreachable:
            assign(order)
        if kind is not None:
            raise kind(Refusal("", "lost"))

    monkeypatch.setattr(both.provider.port, "assign", failing)
    for passes in range(3):
        assert answers(both) == [], passes
        both.clock.pass_by(minutes=5)
        both.provider.work()
    assert (answers(both), len(both.world.assigned), waiting(both)) == ([()], 1, ())


def test_without_a_key_it_stays_where_it_lies_and_what_lies_sealed_stays_too(both: Both, gate: Gate) -> None:
    key = both.provider.config.seal_key
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert both.provider.names("inbox") == ["a.xml"]
    assert '"event": "message_not_held"' in both.provider.out.getvalue()
    key.chmod(0o600)
    both.provider.work()
    assert_waits(both)
    gate.lift()
    gone = key.rename(key.with_name("gone"))
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert_waits(both)
    assert not key.exists(), "no other key is made in its place"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    both.provider.work()
    assert_waits(both)
    gone.rename(key)
    both.provider.work()
    assert (answers(both), waiting(both)) == ([()], ())


def test_a_name_in_the_archive_that_is_taken_is_left_alone(both: Both, gate: Gate) -> None:
    both.provider.drop("a.xml", sent())
    both.provider.work()
    (both.provider.config.archive / "a.xml").write_bytes(b"another")
    gate.lift()
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()
    assert both.provider.names("archive") == ["a.2.xml", "a.xml"]


# --- kill ---------------------------------------------------------------------------------------------------


def live(root: Path, steps: Steps, begin: timedelta) -> None:
    """Let one come while it may not be acted on, and again, and let it be lifted."""
    both = Both(root, Clock(START + begin))
    mark, lifted, came = root / MARK, root / "lifted", root / "came"
    if not both.world.held().plans:
        planned(both)
    if not came.exists():
        both.provider.drop("a.xml", sent())
        came.touch()
    gate = Gate(both.provider.port, mark)
    if lifted.exists():
        gate.lift()
    steps.watch(both.provider)
    both.provider.work()
    lifted.touch()
    mark.unlink(missing_ok=True)
    both.clock.pass_by(milliseconds=AGAIN_MS)
    both.provider.work()


def assert_went_on(root: Path) -> None:
    both = Both(root, Clock(START + timedelta(days=1)))
    assert (answers(both), len(both.world.assigned)) == ([()], 1)
    assert [emit(one) for one in of(both.provider, "301")] == [emit(sent())]
    assert (both.provider.names("inbox"), waiting(both)) == ([], ())
    noted = "SELECT count(*) FROM inbox WHERE archived = 'a.xml'"
    assert both.provider.journal.connection.execute(noted).fetchone() == (1,)
    both.close()


def killed_at(tmp_path: Path, every: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    _, steps = in_a_process_of_its_own(whole, 0, timedelta(), live)
    assert_went_on(whole)
    for kill_at in range(1, steps, every):
        root = tmp_path / str(kill_at)
        root.mkdir()
        assert in_a_process_of_its_own(root, kill_at, timedelta(), live) == (True, 0)
        in_a_process_of_its_own(root, 0, timedelta(hours=5), live)
        assert_went_on(root)


def test_killed_here_and_there_it_goes_on_once(tmp_path: Path) -> None:
    killed_at(tmp_path, 29)


@pytest.mark.slow
def test_killed_at_any_kind_of_step_it_goes_on_once(tmp_path: Path) -> None:
    killed_at(tmp_path, 5)
