"""Case system and BRP away, slow, refusing, cut off, or answering into the void: nothing lost or doubled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.kit.journal import PARK_AFTER_MS
from adapters.municipal.desk import open_journal
from adapters.municipal.mapping import object_uuid
from adapters.simulators.open_zaak.brp import BRP
from adapters.simulators.open_zaak.catalogi import CATALOGI
from adapters.simulators.open_zaak.faults import Fault, Kind
from adapters.simulators.open_zaak.objects import OBJECTS
from adapters.simulators.open_zaak.zaken import ROOT
from tests.municipal.around import Adapter, Reported, plan_of
from tests.server.test_support import Steps
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from adapters.simulators.open_zaak.whole import Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange

WRITES = (
    ("PATCH", "/zaken/"),
    ("POST", "/statussen"),
    ("POST", "/resultaten"),
    ("POST", "/zaakeigenschappen"),
    ("POST", "/zaakobjecten"),
    ("POST", "/objects"),
    ("POST", "/besluiten"),
    ("POST", "/enkelvoudiginformatieobjecten"),
    ("POST", "/zaakinformatieobjecten"),
    ("POST", "/besluitinformatieobjecten"),
)
READS = (("GET", "/zaken/"), ("GET", "/rollen"), ("GET", "/zaaktypen"), ("POST", "/personen"))


def decided(exchange: Exchange, adapter: Adapter, town: Town) -> tuple[dict[str, Any], str]:
    """A case that was reported and told, and a plan that went on to its end meanwhile."""
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    story = Reported(exchange, bsn, plan_of(zaak))
    steps = Steps(exchange, story)
    support_id = steps.request()
    steps.agree()
    steps.assign(support_id)
    return zaak, story.plan_id


def forget_what_was_told(adapter: Adapter) -> None:
    """As after a kill before anything was noted."""
    adapter.journal.connection.execute("DELETE FROM told")


def assert_whole(town: Town, zaak: dict[str, Any]) -> None:
    """Everything once, nothing missing."""
    plan_id = plan_of(zaak)
    assert town.statuses(zaak) == ["Melding ontvangen", "Onderzoek", "Plan akkoord", "Afgehandeld"]
    assert town.result(zaak) == "Toegekend"
    held = town.system
    zaken = held.zaken
    shelves = (zaken.resultaten, zaken.rollen, zaken.eigenschappen, zaken.zaakobjecten)
    for shelf in (*shelves, held.besluiten.besluiten):
        assert [one["zaak"] for one in shelf.by_uuid.values()].count(zaak["url"]) == 1, shelf.name
    assert object_uuid(plan_id) in held.objects.objects.by_uuid
    linked = held.documenten.of_cases.by_uuid.values()
    (document,) = [one["informatieobject"] for one in linked if one["zaak"] == zaak["url"]]
    of_decisions = held.documenten.of_decisions.by_uuid.values()
    assert [one["informatieobject"] for one in of_decisions].count(document) == 1


def go_on(adapter: Adapter, seconds: int, step_s: int = 5) -> None:
    for _ in range(0, seconds, step_s):
        adapter.clock.pass_by(seconds=step_s)
        adapter.work(1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.LOSE),
        pytest.param(Fault(Kind.CUT), marks=pytest.mark.slow),
        Fault(Kind.REFUSE, status=500),
        Fault(Kind.REFUSE, status=429, retry_after_s=7),
        Fault(Kind.REFUSE, status=401, code="not_authenticated"),
        pytest.param(Fault(Kind.REFUSE, status=403, code="permission_denied"), marks=pytest.mark.slow),
        pytest.param(Fault(Kind.REFUSE, status=409, code="conflict"), marks=pytest.mark.slow),
    ],
    ids=lambda fault: f"{fault.kind.value}-{fault.status}",
)
def test_each_call_fails_once_and_all_is_there_once(
    fault: Fault, exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    zaak, plan_id = decided(exchange, adapter, town)
    for method, path in (*READS, *WRITES):
        town.system.faults.order(replace(fault, method=method, path=path))
    adapter.service.desk.ask("plan", plan_id, plan_id)
    adapter.work()
    go_on(adapter, 900, 15)
    town.system.faults.clear()
    go_on(adapter, 60)
    assert adapter.parked() == []
    assert_whole(town, zaak)


def test_a_report_whose_answers_are_lost_is_one_report(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    for method, path in (*READS, *WRITES):
        town.system.faults.order(Fault(Kind.LOSE, path=path, method=method))
    go_on(adapter, 300)
    assert adapter.parked() == []
    story = Reported(exchange, bsn, plan_of(zaak))
    told = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.report_id"])
    assert len(told.plan.reports) == 1
    assert town.statuses(zaak) == ["Melding ontvangen"]


def test_what_was_written_but_not_noted_is_not_written_again(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    zaak, plan_id = decided(exchange, adapter, town)
    adapter.service.desk.ask("plan", plan_id, plan_id)
    forget_what_was_told(adapter)
    adapter.work()
    assert_whole(town, zaak)
    forget_what_was_told(adapter)
    adapter.service.desk.ask("plan", plan_id, plan_id)
    adapter.work()
    assert_whole(town, zaak)


@pytest.mark.parametrize(
    ("where", "seconds"),
    [
        *(("", seconds) for seconds in (10, 60, 300, 600)),
        # Each by itself, while the others answer.
        *((where, 600) for where in (ROOT, CATALOGI, BRP, OBJECTS)),
    ],
)
def test_an_outage_is_waited_out_and_doubles_nothing(
    where: str, seconds: int, exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    town.system.faults.order(Fault(Kind.CUT, where, times=10**6))
    town.system.notificaties.delivery.lost = True
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    go_on(adapter, seconds, 5)
    # The objects are needed only once there is a plan.
    assert bool(zaak["kenmerken"]) is (where == OBJECTS)
    assert town.system.objects.objects.by_uuid == {}
    town.system.faults.clear()
    # The sweep finds what nobody told of, at the latest after the longest wait.
    go_on(adapter, 120)
    story = Reported(exchange, bsn, plan_of(zaak))
    told = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.report_id"])
    assert len(told.plan.reports) == 1
    assert town.statuses(zaak) == ["Melding ontvangen"]
    assert list(town.system.objects.objects.by_uuid) == [object_uuid(story.plan_id)]
    linked = town.system.zaken.zaakobjecten.by_uuid.values()
    assert [one["zaak"] for one in linked] == [zaak["url"]]
    assert adapter.parked() == []


def test_what_waits_for_a_day_is_parked_with_an_alarm_and_goes_on_when_told_of(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    adapter.service.desk.ask("zaak", zaak["url"])
    town.system.faults.order(Fault(Kind.REFUSE, path="/rollen", times=10**6))
    adapter.work(1)
    adapter.clock.pass_by(milliseconds=PARK_AFTER_MS - 60_000)
    adapter.work(1)
    assert adapter.parked() == []
    adapter.clock.pass_by(minutes=61)
    adapter.work(1)
    assert adapter.parked() != []
    assert "errand_parked" in adapter.events
    town.system.faults.clear()
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.clock.pass_by(hours=2)
    adapter.work()
    assert plan_of(zaak)
    assert adapter.parked() == []


def test_a_wait_that_was_asked_is_kept(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen]
) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    adapter.service._next_sweep_ms = 2**62  # one errand alone is looked at here
    adapter.service.desk.ask("zaak", zaak["url"])
    town.system.faults.order(Fault(Kind.REFUSE, path="/zaken/", status=429, retry_after_s=120))
    adapter.work()
    asked = len(seen)
    adapter.clock.pass_by(seconds=110)
    adapter.work()
    assert len(seen) == asked
    adapter.clock.pass_by(seconds=11)
    adapter.work()
    assert plan_of(zaak)


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "zaken 400 error"), (406, "zaken 406 error"), (412, "zaken 412 error")]
)
def test_what_no_attempt_can_mend_is_for_a_person_at_once(
    status: int, reason: str, exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    town.system.faults.order(Fault(Kind.REFUSE, "/zaken/", "PATCH", status))
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.work()
    assert adapter.parked() == [reason]


def test_an_answer_that_comes_too_late_counts_once(exchange: Exchange, adapter: Adapter, town: Town) -> None:
    zaak, plan_id = decided(exchange, adapter, town)
    hurried = Adapter(replace(adapter.config, timeout_s=1), adapter.exchange, adapter.clock)
    town.system.faults.order(Fault(Kind.DELAY, "/statussen", "POST", delay_s=2.5))
    hurried.service.desk.ask("plan", plan_id, plan_id)
    hurried.work(1)
    assert "TimeoutError" in hurried.lines.getvalue()
    hurried.close()
    go_on(adapter, 60)
    assert_whole(town, zaak)


def test_a_case_that_was_taken_away_is_for_a_person(exchange: Exchange, adapter: Adapter, town: Town) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    adapter.work()
    plan_of(zaak)
    del town.system.zaken.zaken.by_uuid[zaak["uuid"]]
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.work()
    assert adapter.parked() == ["case_gone"]


def close_by_others(town: Town, zaak: dict[str, Any]) -> None:
    kinds = town.system.catalogue
    town.system.zaken.set_result(
        {"zaak": zaak["url"], "resultaattype": kinds.named("resultaattypen", "Afgewezen")["url"]}
    )
    town.system.zaken.set_status(
        {
            "zaak": zaak["url"],
            "statustype": kinds.named("statustypen", "Afgehandeld")["url"],
            "datumStatusGezet": "2026-11-20T12:00:00Z",
        }
    )


def take_away(town: Town, zaak: dict[str, Any]) -> None:
    del town.system.zaken.zaken.by_uuid[zaak["uuid"]]


def test_a_case_that_others_closed_is_for_a_person(exchange: Exchange, adapter: Adapter, town: Town) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    adapter.work()
    close_by_others(town, zaak)
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.work()
    assert adapter.parked() == ["case_closed_by_others"]


FOR_A_PERSON: dict[str, Callable[[Town, dict[str, Any]], None]] = {
    "case_closed_by_others": close_by_others,
    "case_gone": take_away,
}


class _Killed(BaseException):
    """Ends what is under way, as a kill does."""


@pytest.mark.parametrize("reason", sorted(FOR_A_PERSON))
def test_what_is_for_a_person_is_told_also_after_a_kill_while_it_is_written_down(
    reason: str, exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    adapter.work()
    FOR_A_PERSON[reason](town, zaak)
    adapter.service.desk.ask("zaak", zaak["url"])

    def killed(*_told: object) -> bool:
        raise _Killed

    monkeypatch.setattr(adapter.service.desk.journal, "park", killed)
    with pytest.raises(_Killed):
        adapter.work()
    monkeypatch.undo()
    adapter.work()
    assert adapter.parked() == [reason]


@pytest.mark.parametrize("reason", sorted(FOR_A_PERSON))
def test_what_is_told_of_again_while_it_is_looked_at_is_for_a_person_all_the_same(
    reason: str, exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook's thread writes down that there is something to look at, in the middle of the look."""
    zaak = town.case(town.person(next(exchange.bsns)))
    adapter.work()
    FOR_A_PERSON[reason](town, zaak)
    desk = adapter.service.desk
    desk.ask("zaak", zaak["url"])
    looks, door = desk.cases.zaak, open_journal(adapter.config.journal)

    def told_again(*asked: Any) -> Any:  # noqa: ANN401 -- as it is asked
        monkeypatch.undo()
        door.ask("zaak", zaak["url"], desk.now_ms)
        return looks(*asked)

    monkeypatch.setattr(desk.cases, "zaak", told_again)
    adapter.work()
    door.close()
    assert adapter.parked() == [reason]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"number": "123456789"}, "initiator_without_bsn"),
        ({"unknown": True}, "person_not_in_brp"),
        ({"words": ""}, "case_without_words"),
        ({"person": {"opschortingBijhouding": {"reden": {"code": "O"}}}}, "person_deceased"),
    ],
)
def test_a_case_that_cannot_be_reported_is_kept_with_its_reason(
    bad: dict[str, Any], reason: str, exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = bad.get("number") or next(exchange.bsns)
    if "unknown" not in bad:
        town.person(bsn, **bad.get("person", {}))
    zaak = town.case(bsn, words=bad.get("words", "Hulp gevraagd."), omschrijving="")
    good = town.case(town.person(next(exchange.bsns)))
    adapter.work()
    assert adapter.parked() == [reason]
    assert zaak["kenmerken"] == []
    # The rest goes on.
    assert plan_of(good)
    (kept,) = adapter.config.rejected.glob("*.reason.txt")
    assert kept.read_text().strip() == reason
    assert bsn not in adapter.lines.getvalue()
