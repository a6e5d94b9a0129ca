"""From an order to a plan: asked once, on a yes of the gate; written once; nothing lost, nothing doubled."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.bsn import Bsn
from adapters.sdk.purges import PurgeAsked
from adapters.simulators.suwinet import people
from adapters.work_income.errors import (
    AnswerRefused,
    ConfigInvalid,
    FaultAnswered,
    SignatureRefused,
    SuwinetUnavailable,
)
from adapters.work_income.journal import DONE, DUE, PARKED
from adapters.work_income.limits import LOOK_EVERY_MS
from adapters.work_income.orders import Order
from adapters.work_income.records import Domain
from adapters.work_income.services import ASSISTANCE, INCOME, REINTEGRATION, WORK_COMPANY
from adapters.work_income.soap import Period
from tests.work_income.papers import BSN, OTHER_BSN
from tests.work_income.world import PLAN, RIGHT, WORK, Adapter, Clock, Sources, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCORES = {Domain.FINANCE: 2, Domain.WORK_AND_EDUCATION: 3}
FOR_RIGHT = Order(Bsn(BSN), RIGHT, "Nodig om het recht op bijstand vast te stellen", SCORES)
FOR_WORK = Order(Bsn(BSN), WORK, "Nodig voor het plan van aanpak", SCORES)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture
def adapter(tmp_path: Path, world: World) -> Iterator[Adapter]:
    made = Adapter(tmp_path, world, Clock())
    yield made
    made.close()
    assert_nobody_is_named(made)


def refreshing(tmp_path: Path, world: World) -> Adapter:
    return Adapter(tmp_path, world, Clock(), refresh_days=30)


def assert_nobody_is_named(adapter: Adapter) -> None:
    """No BSN in a log, in a name of a file, or in the clear in the journal or a reason."""
    root = adapter.config.state.parent
    logged = adapter.out.getvalue()
    for bsn in (BSN, OTHER_BSN):
        assert bsn not in logged
        for path in root.rglob("*"):
            assert bsn not in path.name
            if path.is_file() and path.name != "world" and path.parent.name != "inbox":
                assert bsn.encode() not in path.read_bytes(), path.name


def test_what_two_services_know_becomes_one_situation(adapter: Adapter, world: World) -> None:
    adapter.order(FOR_RIGHT)
    adapter.work()
    held = world.held()
    assert held.asked == [ASSISTANCE.name, INCOME.name]
    assert (held.permits, held.commands) == ([RIGHT], 1)
    found = world.situation("finance")
    assert "Uitkering PW, vanaf 2025-07-01, € 1345,00" in found.description
    assert "Uitzendbureau De Brug" in found.description
    assert (found.source, found.score, found.judged_on) == (
        "suwinet:gsd-bijstand+uwv-inkomsten",
        2,
        "2026-06-01",
    )
    # Nothing stays behind but the plan: no order, no number, no draft.
    assert adapter.names("inbox") == adapter.names("drafts") == adapter.names("rejected") == []
    assert sum(adapter.journal.counts().values()) == 0


def test_goals_and_trajectories_are_drafts_for_a_person(adapter: Adapter, world: World) -> None:
    adapter.order(FOR_WORK)
    adapter.work()
    assert world.held().asked == [WORK_COMPANY.name, REINTEGRATION.name]
    (name,) = adapter.names("drafts")
    assert name == f"{PLAN}-{WORK}.json"
    draft = json.loads((adapter.config.drafts / name).read_text())
    assert draft["goals"][0]["actions"] == ["Fietsregeling aanvragen"]
    assert draft["trajectories"][0]["start_day"] == "2026-02-01"
    assert (draft["situations"], draft["plan_id"]) == ([], PLAN)


@pytest.mark.parametrize("purpose", ["wmo-onderzoek", "wmo-levering", "jeugd-toegang", "jeugdhulp-verlenen"])
def test_another_purpose_is_refused_before_any_question(adapter: Adapter, world: World, purpose: str) -> None:
    adapter.order(dataclasses.replace(FOR_RIGHT, purpose=purpose))
    adapter.work(3)
    held = world.held()
    assert (held.permits, held.asked, held.commands) == ([purpose], [], 0)
    (reason,) = adapter.names("rejected")
    assert "R06" in (adapter.config.rejected / reason).read_text()
    assert "pull_refused" in adapter.events()
    assert sum(adapter.journal.counts().values()) == 0


def test_a_gate_that_says_yes_to_the_wrong_purpose_opens_nothing(
    adapter: Adapter, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A register somebody changed: the adapter's own lock stands behind it.
    everything = {"wmo-onderzoek": (), RIGHT: ()}
    monkeypatch.setattr("tests.work_income.world.SERVICES_OF", everything)
    adapter.order(dataclasses.replace(FOR_RIGHT, purpose="wmo-onderzoek"))
    adapter.work(2)
    assert world.held().asked == []
    (reason,) = adapter.names("rejected")
    assert "PURPOSE_REFUSED" in (adapter.config.rejected / reason).read_text()


def test_a_resident_of_others_is_refused_before_any_question(adapter: Adapter, world: World) -> None:
    adapter.order(dataclasses.replace(FOR_RIGHT, bsn=Bsn(OTHER_BSN)))
    adapter.work()
    assert world.held().asked == []
    assert "pull_refused" in adapter.events()


# --- what a person wrote ------------------------------------------------------------------------------------


def test_what_a_person_wrote_is_not_replaced(adapter: Adapter, world: World) -> None:
    world.describe("finance", "Heeft schulden bij de woningbouw.")
    adapter.order(FOR_RIGHT)
    adapter.work()
    assert world.situation("finance").description == "Heeft schulden bij de woningbouw."
    (name,) = adapter.names("drafts")
    draft = json.loads((adapter.config.drafts / name).read_text())
    assert "Uitkering PW" in draft["situations"][0]["description"]


def test_without_a_score_of_a_person_nothing_is_filled_in(adapter: Adapter, world: World) -> None:
    adapter.order(dataclasses.replace(FOR_RIGHT, scores={}))
    adapter.work()
    assert world.held().commands == 0
    assert adapter.names("drafts") == [f"{PLAN}-{RIGHT}.json"]


def test_who_writes_at_the_same_moment_is_not_overwritten(adapter: Adapter, world: World) -> None:
    def first() -> None:
        world.before_fill_in = lambda: None
        world.describe("finance", "Iemand was eerder.")

    world.before_fill_in = first
    adapter.order(FOR_RIGHT)
    adapter.work(3)
    assert world.situation("finance").description == "Iemand was eerder."
    assert adapter.names("drafts") == [f"{PLAN}-{RIGHT}.json"]


# --- asking again -------------------------------------------------------------------------------------------


def test_the_same_order_twice_changes_nothing(adapter: Adapter, world: World) -> None:
    for name in ("a.json", "b.json"):
        adapter.order(FOR_RIGHT, name)
    adapter.work()
    assert (len(world.held().asked), world.held().commands) == (2, 1)
    adapter.order(FOR_RIGHT)
    adapter.work()
    assert (len(world.held().asked), world.held().commands) == (4, 1)


def test_a_refresh_writes_what_changed_and_nothing_else(tmp_path: Path, world: World) -> None:
    adapter = refreshing(tmp_path, world)
    adapter.order(FOR_RIGHT)
    adapter.work()
    assert adapter.journal.counts()[DONE] == 1
    adapter.work(days=29)
    assert len(world.held().asked) == 2
    adapter.work(days=2)
    assert (len(world.held().asked), world.held().commands) == (2, 1)
    adapter.work(days=31)
    # Asked anew, on a yes anew; it was the same, so nothing was written.
    assert (len(world.held().asked), world.held().commands, len(world.held().permits)) == (4, 1, 2)
    world.known = {**people.ANSWERS, INCOME.name: [*people.ANSWERS[INCOME.name] * 2]}
    adapter.work(days=31)
    assert world.held().commands == 2
    assert world.situation("finance").description.count("De Brug") == 2
    # The relation ends: nothing is asked any more.
    held = world.held()
    held.plan_of.clear()
    world.save(held)
    adapter.work(3, days=31)
    assert len(world.held().asked) == 6
    assert sum(adapter.journal.counts().values()) == 0
    adapter.close()
    assert_nobody_is_named(adapter)


def test_the_period_of_an_order_is_asked_of_the_one_service_that_takes_it(
    adapter: Adapter, world: World
) -> None:
    period = Period("20260101", "20260531")
    adapter.order(dataclasses.replace(FOR_RIGHT, period=period))
    adapter.work()
    assert world.held().periods == [None, period]


def test_nothing_found_is_an_answer(adapter: Adapter, world: World) -> None:
    world.known = {}
    adapter.order(FOR_RIGHT)
    adapter.work()
    assert (world.held().commands, adapter.names("drafts")) == (0, [])
    assert adapter.events()[-1] == "pull_done"


# --- when it does not work ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [10, 60, 300, 600])
def test_after_an_outage_everything_is_there_once(adapter: Adapter, world: World, seconds: int) -> None:
    world.faults = [SuwinetUnavailable("connection")] * 1_000
    adapter.order(FOR_RIGHT)
    adapter.work(seconds // 5, seconds=5)
    tried = len(world.held().asked)
    # It waits longer and longer, and keeps trying.
    assert 1 < tried <= seconds // 5
    world.faults = []
    adapter.work(40, minutes=5)
    assert (world.held().commands, len(world.held().asked)) == (1, tried + 2)


def test_an_exchange_that_is_away_loses_nothing(adapter: Adapter, world: World) -> None:
    world.away = True
    adapter.order(FOR_RIGHT)
    adapter.work(30, minutes=1)
    assert (world.held().asked, adapter.names("inbox")) == ([], [])
    assert adapter.journal.counts()[DUE] == 1
    world.away = False
    adapter.work(40, minutes=5)
    assert world.held().commands == 1


@pytest.mark.parametrize(
    "fault",
    [
        FaultAnswered("F0017"),
        SignatureRefused("signature", "Security/Signature"),
        AnswerRefused("pattern", "/X/Burgerservicenr"),
    ],
)
def test_what_never_gets_better_is_parked_with_an_alarm(
    adapter: Adapter, world: World, fault: Exception
) -> None:
    world.faults = [fault] * 1_000
    adapter.order(FOR_RIGHT)
    adapter.work(60, minutes=30)
    assert adapter.journal.counts()[PARKED] == 1
    assert adapter.events().count("pull_parked") == 1
    assert world.held().commands == 0
    (waits,) = adapter.journal.parked()
    assert ASSISTANCE.name in waits
    # The same order makes it go on.
    world.faults = []
    adapter.order(FOR_RIGHT)
    adapter.work(2)
    assert world.held().commands == 1


def test_one_service_that_fails_is_not_asked_of_the_other_again(adapter: Adapter, world: World) -> None:
    world.faults = [None, SuwinetUnavailable("timeout"), SuwinetUnavailable("timeout")]
    adapter.order(FOR_RIGHT)
    adapter.work(5)
    assert world.held().asked == [ASSISTANCE.name, INCOME.name, INCOME.name, INCOME.name]
    assert world.held().commands == 1


def test_a_file_that_is_no_order_is_kept_with_its_reason_and_the_rest_goes_on(
    adapter: Adapter, world: World
) -> None:
    (adapter.config.inbox / f"{BSN}.json").write_text(json.dumps({"bsn": "123456789"}))
    adapter.order(FOR_RIGHT)
    adapter.work()
    assert world.held().commands == 1
    kept, reason = adapter.names("rejected")
    assert (reason, BSN in kept) == (f"{kept}.reason.txt", False)
    assert "purpose: " in (adapter.config.rejected / reason).read_text()


def test_credentials_that_cannot_be_used_are_told_and_stop_nothing(
    adapter: Adapter, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Iterator[ConfigInvalid | bool] = iter([ConfigInvalid("half"), True, False])

    def renew(_self: Sources) -> bool:
        said = next(found)
        if isinstance(said, ConfigInvalid):
            raise said
        return said

    monkeypatch.setattr(Sources, "renew", renew)
    adapter.order(FOR_RIGHT)
    adapter.work(3)
    assert world.held().commands == 1
    renewing = [event for event in adapter.events() if event.startswith("credentials")]
    assert renewing == ["credentials_invalid", "credentials_renewed"]


# --- forgetting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("categories", "plan", "erased"),
    [
        (frozenset[str](), PLAN, True),
        (frozenset({"SCHULDEN"}), PLAN, True),
        (frozenset({"GEZONDHEID-DIAGNOSE"}), PLAN, False),
        (frozenset[str](), "another-plan", False),
    ],
)
def test_an_erasure_is_done_and_then_confirmed(
    tmp_path: Path,
    world: World,
    categories: frozenset[str],
    plan: str,
    *,
    erased: bool,
) -> None:
    adapter = refreshing(tmp_path, world)
    adapter.order(FOR_RIGHT, "a.json")
    adapter.order(FOR_WORK, "b.json")
    adapter.work()
    assert (adapter.journal.counts()[DONE], len(adapter.names("drafts"))) == (2, 1)
    # One that was being written when the power went.
    (adapter.config.drafts / f".{PLAN}-{WORK}.json").write_text("{")
    held = world.held()
    held.purges.append(PurgeAsked("e-1", (plan,), categories))
    world.save(held)
    adapter.work(2, milliseconds=LOOK_EVERY_MS)
    assert world.held().purged == {"e-1": erased}
    left = (adapter.journal.counts()[DONE], len(adapter.names("drafts")))
    assert left == ((0, 0) if erased else (2, 2))
    asked = len(world.held().asked)
    adapter.work(2, days=31)
    assert len(world.held().asked) == (asked if erased else asked + 4)
    adapter.close()


def test_a_file_that_cannot_be_put_aside_does_not_hold_up_the_next(
    adapter: Adapter, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (adapter.config.inbox / "a.json").write_text("{")
    adapter.order(FOR_RIGHT, "b.json")

    def full(*_told: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("adapters.kit.put_aside.put_whole", full)
        adapter.work()
    assert "inbox_failed" in adapter.events()
    assert world.held().asked == [ASSISTANCE.name, INCOME.name]
    assert (adapter.names("inbox"), adapter.names("rejected")) == (["a.json"], [])
