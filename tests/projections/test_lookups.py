"""The read model of lookups: a fold of the events without a word, with every tie and what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import CloseCase, JoinProfessional, LeaveCase
from exchange.domain.relations import AppointStandIn
from exchange.errors import AccessDenied, StoreUnavailable
from exchange.projections.follower import catch_up
from exchange.projections.lookups import kept
from exchange.projections.lookups.index import LookupIndex
from exchange.projections.lookups.kept import FILE
from exchange.projections.lookups.months import month_of
from exchange.projections.lookups.rules import BREAK_GLASS, CASE, STAND_IN
from exchange.projections.obligations import microseconds
from tests.pipeline.erasing import erased
from tests.pipeline.shard import NOW, Shard
from tests.projections.test_obligations import break_glass, execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONTH = month_of(microseconds(NOW))


@pytest.fixture
def followed(shard: Shard) -> Iterator[LookupIndex]:
    made = LookupIndex(shard.settings.data / "followed")
    yield made
    made.database.close()


def follow(shard: Shard, model: LookupIndex) -> str:
    catch_up(model, shard.core.reader, shard.core.codec)
    return model.database.dump()


def reasons(shard: Shard, model: LookupIndex) -> list[tuple[str, str]]:
    follow(shard, model)
    return [(one.access.professional, one.explanation) for one in model.judged(MONTH)]


def of_case(shard: Shard, order: Any, case_id: str) -> None:  # noqa: ANN401 -- any command of a case
    shard.done(shard.command(order, "case", case_id, anchor=f"case-{case_id}"))


def let_in(shard: Shard, case_id: str, professional: str = "prof-2") -> None:
    who: dict[str, Any] = {"oin": shard.oin, "task": "college:WMO", "professional": professional}
    of_case(shard, JoinProfessional(now=NOW, author=shard.author(), role="consulent", **who), case_id)


def stand_in(shard: Shard, case_id: str) -> None:
    who: dict[str, Any] = {"oin": shard.oin, "task": "college:WMO", "professional": "prof-3"}
    days: dict[str, Any] = {"start_time": NOW, "end_time": NOW + timedelta(days=7)}
    order = AppointStandIn(
        now=NOW, author=shard.author(), stand_in_for="prof-2", mandate="m-1", **who, **days
    )
    of_case(shard, order, case_id)


def looked(shard: Shard, plan_id: str, professional: str = "prof-1", hours: int = 1) -> str:
    caller = shard.caller(professional=professional)
    walk = shard.question(plan_id, caller=caller, now=NOW + timedelta(hours=hours))
    return str(shard.done(walk).decision_id)


def test_who_let_himself_in_has_no_reason_until_he_works(shard: Shard, followed: LookupIndex) -> None:
    _, _, plan_id = shard.plan()
    looked(shard, plan_id)
    assert reasons(shard, followed) == [("prof-1", "")]
    shard.done(shard.goal(plan_id))
    assert reasons(shard, followed) == [("prof-1", CASE)]


def test_who_was_let_in_stands_in_or_left_has_what_he_had(shard: Shard, followed: LookupIndex) -> None:
    _, case_id, plan_id = shard.plan()
    let_in(shard, case_id)
    looked(shard, plan_id, "prof-2")
    stand_in(shard, case_id)
    looked(shard, plan_id, "prof-3")
    assert reasons(shard, followed) == [("prof-2", CASE), ("prof-3", STAND_IN)]
    who: dict[str, Any] = {"oin": shard.oin, "task": "college:WMO", "professional": "prof-2"}
    of_case(shard, LeaveCase(now=NOW + timedelta(hours=2), author=shard.author(), **who), case_id)
    told = follow(shard, followed)
    assert told.count(str(microseconds(NOW + timedelta(hours=2)))) == 1
    of_case(shard, CloseCase(now=NOW + timedelta(hours=3), author=shard.author()), case_id)
    # The stand-in's and the own part end with the case; what had ended stays ended.
    assert follow(shard, followed).count(str(microseconds(NOW + timedelta(hours=3)))) == 2


def test_what_is_refused_is_no_access(shard: Shard, followed: LookupIndex) -> None:
    _, _, plan_id = shard.plan()
    (refused,) = shard.run(shard.question(plan_id, caller=shard.caller(professional="prof-9")))
    assert isinstance(refused, AccessDenied)
    assert reasons(shard, followed) == []
    # It is a decision, and the month has begun.
    assert followed.first_after(MONTH) == 0
    before = month_of(microseconds(NOW - timedelta(days=31)))
    assert followed.first_after(before) == shard.head


def test_an_emergency_is_explained_once_it_was_found_justified(shard: Shard, followed: LookupIndex) -> None:
    ref, _, plan_id = shard.plan()
    good, bad = break_glass(shard, plan_id), break_glass(shard, plan_id)
    assert reasons(shard, followed) == [("prof-9", ""), ("prof-9", "")]
    execute(shard, ref, good, "REVIEW-1-WORKDAY", "justified")
    execute(shard, ref, bad, "REVIEW-1-WORKDAY", "not_justified")
    execute(shard, ref, bad, "NOTIFY-FG")
    assert reasons(shard, followed) == [("prof-9", BREAK_GLASS), ("prof-9", "")]


def test_it_holds_no_word_of_anybody_and_an_erasure_leaves_who_looked(
    shard: Shard, followed: LookupIndex, tmp_path: Path
) -> None:
    ref, case_id, plan_id = shard.plan()
    let_in(shard, case_id)
    shard.done(shard.goal(plan_id, "geheime woorden"))
    decisions = [looked(shard, plan_id), looked(shard, plan_id, "prof-2")]
    before = reasons(shard, followed)
    assert before == [("prof-1", CASE), ("prof-2", CASE)]
    told = follow(shard, followed)
    for word in ("geheime woorden", "ik kom niet meer buiten", "goals.own_words", "wijkteam-oost"):
        assert word not in told
    erased(shard, ref)
    assert reasons(shard, followed) == before
    assert followed.decision_ids(shard.oin, MONTH) == decisions
    assert followed.decision_ids("00000004000000077000", MONTH) == []
    at_once = LookupIndex(tmp_path / "at-once")
    try:
        assert follow(shard, at_once) == follow(shard, followed)
    finally:
        at_once.database.close()


def test_a_month_that_is_asked_again_is_judged_anew_when_something_came(
    shard: Shard, followed: LookupIndex
) -> None:
    _, _, plan_id = shard.plan()
    looked(shard, plan_id)
    follow(shard, followed)
    once = followed.cells(MONTH)
    assert followed.cells(MONTH) is once
    # What changes nothing here, such as the page of an officer, lets it stand.
    shard.run(shard.question(plan_id, caller=shard.caller(professional="prof-9")))
    position = followed.database.position()
    follow(shard, followed)
    assert followed.database.position() > position
    assert followed.cells(MONTH) is once
    looked(shard, plan_id)
    assert len(reasons(shard, followed)) == 2
    assert followed.cells(MONTH.next) == ()


def test_a_page_of_a_cell_is_what_nothing_explains_by_position(shard: Shard, followed: LookupIndex) -> None:
    _, case_id, plan_id = shard.plan()
    let_in(shard, case_id)
    decisions = [looked(shard, plan_id, who) for who in ("prof-1", "prof-2", "prof-1", "prof-1")]
    follow(shard, followed)
    every = [one for one in followed.judged(MONTH) if not one.explained]
    assert [one.access.decision_id for one in every] == [decisions[0], *decisions[2:]]
    cell = (shard.oin, "college:WMO")
    page = followed.unexplained(MONTH, cell, 0, 2, only_indicated=False)
    assert page == every[:2]
    assert followed.unexplained(MONTH, cell, page[-1].access.position, 2, only_indicated=False) == every[2:]
    met = [one for one in every if one.indicators]
    assert followed.unexplained(MONTH, cell, 0, 9, only_indicated=True) == met
    assert followed.unexplained(MONTH, (shard.oin, "college:PW"), 0, 9, only_indicated=False) == []
    found = followed.of_decisions(MONTH, [*decisions[:2], "another"])
    assert [found[name].explanation for name in decisions[:2]] == ["", CASE]
    assert followed.of_decisions(MONTH.next, decisions) == {}


def test_a_judged_month_leaves_no_file_and_a_failed_one_is_not_told(
    shard: Shard, followed: LookupIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    looked(shard, plan_id)
    follow(shard, followed)
    folder = shard.settings.data / "followed"
    (folder / FILE).write_bytes(b"left by somebody who was ended")
    assert len(followed.cells(MONTH)) == 1
    assert not (folder / FILE).exists()
    looked(shard, plan_id)
    follow(shard, followed)
    with monkeypatch.context() as patched:
        patched.setattr(kept, "_INSERT", "INSERT INTO nowhere VALUES (?, ?, ?, ?)")
        with pytest.raises(StoreUnavailable):
            followed.cells(MONTH)
    (cell,) = followed.cells(MONTH)
    assert cell.accesses == 2
