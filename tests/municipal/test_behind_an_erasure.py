"""Nobody comes back behind an erasure, over a real exchange and real HTTP: late answers, cases, commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.kit.receipts import ReceiptsKept
from adapters.municipal.errors import ErasedMeanwhile
from adapters.municipal.exchange_port import Happening
from adapters.sdk.bsn import Bsn
from adapters.sdk.errors import Refusal, Unreachable
from tests.municipal.around import Adapter, Reported, plan_of
from tests.server.story import Story
from tests.server.test_erasure import Erasure
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from adapters.municipal.exchange_port import CaseFound, ReportOrder
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange


def look(adapter: Adapter) -> None:
    """Let an hour pass and look."""
    adapter.clock.pass_by(hours=1)
    adapter.service._limits.work()


def traces(adapter: Adapter, *secrets: str) -> list[str]:
    """Return the tables of the journal that hold one of these texts."""
    names = adapter.journal.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    found = []
    for (name,) in names.fetchall():
        rows = adapter.journal.connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 -- our own words
        if any(one in str(rows) for one in secrets):
            found.append(name)
    return found


def reported(exchange: Exchange, adapter: Adapter, town: Town) -> Reported:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    return Reported(exchange, bsn, plan_of(zaak))


def test_the_answer_to_a_report_that_comes_behind_the_erasure_links_nobody(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsn = town.person(next(exchange.bsns))
    town.case(bsn)
    report = adapter.exchange.report
    answered: list[CaseFound] = []

    def lost(order: ReportOrder) -> CaseFound:
        answered.append(report(order))
        raise Unreachable(Refusal("", "nobody is there"))

    monkeypatch.setattr(type(adapter.exchange), "report", lambda _self, order: lost(order))
    adapter.work()
    (found,) = answered
    story = Reported(exchange, bsn, found.plan_id)
    assert traces(adapter, bsn) == ["people"]
    Erasure(exchange, story).executed()
    look(adapter)
    # The exchange says again what it said, as to any command that is repeated.
    monkeypatch.setattr(type(adapter.exchange), "report", lambda _self, _order: found)
    adapter.clock.pass_by(minutes=5)
    adapter.work()
    assert adapter.parked() == ["plan_erased"]
    assert traces(adapter, bsn, story.pseudonym.hex(), found.plan_id, found.case_id) == []
    # Told of again, the case is not reported again.
    adapter.service._next_sweep_ms = 0
    adapter.work()
    assert adapter.parked() == ["plan_erased"]
    assert len(answered) == 1


def test_who_is_registered_while_an_erasure_is_followed_does_not_come_back(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = reported(exchange, adapter, town)
    find, erasure = adapter.exchange.find_case, Erasure(exchange, story)

    def found(pseudonym: bytes) -> CaseFound:
        told = find(pseudonym)
        erasure.executed()
        look(adapter)
        return told

    monkeypatch.setattr(type(adapter.exchange), "find_case", lambda _self, name: found(name))
    with pytest.raises(ErasedMeanwhile) as refused:
        adapter.service.intake.keep_person(Bsn(story.bsn))
    assert story.bsn not in f"{refused.value} {refused.value.remedy}"
    assert traces(adapter, story.bsn, story.plan_id) == []
    monkeypatch.undo()
    # Whoever comes back has another plan, and a case of it.
    assert not adapter.service.intake.keep_person(Bsn(story.bsn))
    again = Story(exchange, story.bsn)
    assert again.plan_id != story.plan_id
    again.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=again.case_id,
        oin=adapter.exchange.own_oin,  # type: ignore[attr-defined] # the real port
        task="college:WMO",
        professional="zaaksysteem-1",
        role="adapter",
    )
    assert adapter.service.intake.keep_person(Bsn(story.bsn))
    adapter.clock.pass_by(hours=1)
    adapter.work()
    assert adapter.service.desk.links.of_plan(again.plan_id) is not None


def test_what_happened_on_a_plan_and_a_case_that_names_it_are_of_nobody(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    story = reported(exchange, adapter, town)
    Erasure(exchange, story).executed()
    look(adapter)
    assert traces(adapter, story.plan_id) == []
    cursor = adapter.service.cursor
    adapter.service.take(Happening(cursor + 1, story.plan_id))
    assert (adapter.service.cursor, adapter.journal.waiting()) == (cursor + 1, ())
    # Somebody copies the case, with the plan it names.
    (zaak,) = town.cases()
    other = town.case(story.bsn, kenmerken=zaak["kenmerken"])
    adapter.service.desk.ask("zaak", other["url"])
    adapter.work()
    assert adapter.parked() == ["plan_erased"]
    assert traces(adapter, story.plan_id, story.bsn) == []


def test_a_command_that_is_repeated_behind_the_erasure_leaves_no_receipt(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = adapter.exchange.report
    sent: list[ReportOrder] = []

    def noted(order: ReportOrder) -> CaseFound:
        sent.append(order)
        return report(order)

    monkeypatch.setattr(type(adapter.exchange), "report", lambda _self, order: noted(order))
    story = reported(exchange, adapter, town)
    book = ReceiptsKept(adapter.config.state, make=False)
    assert len(list(book.listed(story.plan_id))) == 1
    Erasure(exchange, story).executed()
    look(adapter)
    (order,) = sent
    again = report(order)
    assert (again.plan_id, list(book.listed(story.plan_id))) == (story.plan_id, [])
    # What it answered with is a receipt of before; of a command about no plan one goes with its age.
    rpcs = [one.rpc.rpartition("/")[2] for one in book.listed()]
    assert rpcs == ["RegisterResident", "ConfirmPurge"]
    book.close()
