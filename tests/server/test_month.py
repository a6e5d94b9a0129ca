"""The month in numbers: every decision once, told to whom it may be, in no word that somebody chose."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.gathered import month_file
from adapters.sdk.tokens import Person
from exchange.documents.month import read_summary
from exchange.projections.workdays import ZONE
from exchange.server.accountability import months
from exchange.server.accountability.months import UNKNOWN_BASIS, MonthCounter, month_of
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.story import denied_read
from tests.server.test_duties import officer
from tests.server.town import AUDIT, CITY, INVESTIGATE

if TYPE_CHECKING:
    from exchange.documents.month import Summary
    from tests.server.story import Story
    from tests.server.town import Town

OTHER_OIN = "00000009998887773000"


def this_month(town: Town) -> tuple[int, int]:
    today = town.now().astimezone(ZONE)
    return today.year, today.month


def summary(town: Town, client: Any = None) -> Summary:  # noqa: ANN401 -- an ExchangeClient
    return read_summary(month_file(client or officer(town), AUDIT, *this_month(town), "Gemeente"))


def count(found: Summary, **wanted: str) -> int:
    return sum(
        one.count
        for one in found.decisions
        if all(getattr(one, name) == value for name, value in wanted.items())
    )


def test_every_decision_is_counted_once_a_refusal_and_a_command_too(town: Town, story: Story) -> None:
    before = summary(town)
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version", "goals.own_words"])
    denied_read(town, story)
    after = summary(town)
    grown = Counter({kind[:4]: kind[4] for kind in map(tuple_of, after.decisions)})
    grown.subtract({kind[:4]: kind[4] for kind in map(tuple_of, before.decisions)})
    reads = (CITY, "WMO-2.3.2@1", "READ")
    assert (grown[(*reads, "PERMIT")], grown[(*reads, "DENY")]) == (1, 1)
    assert grown[(CITY, "WMO-2.3.2@1", "COMMAND", "PERMIT")] == 1
    # The first summary is itself a decision: its own reading is in the second.
    assert grown[(CITY, "FG-AUDIT-39@1", "READ", "PERMIT")] == 1
    assert grown.total() == 4


def tuple_of(one: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- a row of a summary
    return (one.organisation, one.legal_basis, one.action, one.outcome, one.count)


def test_words_a_caller_claimed_get_into_no_report(town: Town, story: Story) -> None:
    before = count(summary(town), legal_basis=UNKNOWN_BASIS)
    claimed = claim(pb.PURPOSE_WMO_ONDERZOEK, "JAN-JANSEN-IS-HIER", "nodig")
    with pytest.raises(errors.Denied):
        story.wmo.plan.get_plan(claim=claimed, plan_id=story.plan_id, fields=["version"])
    found = summary(town)
    assert count(found, legal_basis=UNKNOWN_BASIS) == before + 1
    assert not [one for one in found.decisions if "JAN" in one.legal_basis]


def test_pages_together_count_what_one_does(
    town: Town, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.goal()
    month, head = month_of(*this_month(town)), town.core.reader.head()[0]
    counter = MonthCounter(town.core.reader, town.core.codec, town.core.registers)
    whole = counter.page(month, None, head + 1)
    assert not whole.more
    monkeypatch.setattr(months, "_ROWS_PER_LOOK", 3)
    monkeypatch.setattr(months, "EVENTS_PER_PAGE_MAX", 7)
    monkeypatch.setattr(months, "KINDS_PER_PAGE_MAX", 2)
    kinds, after, pages = Counter[months.Kind](), None, 0
    while True:
        page = counter.page(month, after, head + 1)
        kinds.update(page.kinds)
        after, pages = page.last, pages + 1
        assert len(page.kinds) <= 2
        if not page.more:
            break
    assert pages > 3
    assert kinds == whole.kinds
    # So does whoever asks over the line.
    asked: dict[str, Any] = {"claim": AUDIT, "fields": ["decisions.count", "duties.duty", "scope.end_time"]}
    year, number = this_month(town)
    first = officer(town).audit.summarise_month(**asked, year=year, month=number)
    assert first.next_page_token
    assert first.HasField("scope")
    token = first.next_page_token
    second = officer(town).audit.summarise_month(**asked, year=year, month=number, page_token=token)
    assert (second.HasField("scope"), len(second.duties)) == (False, 0)
    monkeypatch.undo()
    told = officer(town).audit.summarise_month(**asked, year=year, month=number).decisions
    assert told
    assert not any(one.legal_basis for one in told), "it was not asked"


def test_the_month_begins_and_ends_at_midnight_in_the_netherlands(town: Town, story: Story) -> None:
    year, number = this_month(town)
    month = month_of(year, number)
    assert [(at.astimezone(ZONE).day, at.astimezone(ZONE).hour) for at in month] == [(1, 0), (1, 0)]
    assert month_of(2026, 12).end == month_of(2027, 1).start
    assert (month_of(2026, 3).end - month_of(2026, 3).start) == timedelta(days=31, hours=-1)
    # Every event of this town is of this month, or of the one before if it is very young.
    counter = MonthCounter(town.core.reader, town.core.codec, town.core.registers)
    head = town.core.reader.head()[0]
    found = [counter.page(month_of(*one), None, head + 1).kinds.total() for one in _around(year, number)]
    assert found[0] + found[1] > 0
    assert found[2] == 0


def _around(year: int, number: int) -> list[tuple[int, int]]:
    before = (year, number - 1) if number > 1 else (year - 1, 12)
    after = (year, number + 1) if number < 12 else (year + 1, 1)
    return [before, (year, number), after]


def test_on_the_line_of_the_month_an_event_is_in_one_of_two(town: Town, story: Story) -> None:
    story.goal()
    head = town.core.reader.head()[0]
    counter = MonthCounter(town.core.reader, town.core.codec, town.core.registers)
    (row,) = town.core.reader.page(head - 1, 1)
    _, meta, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    day = timedelta(days=1)
    at = meta.at
    begins, ends = months.Month(at, at + day), months.Month(at - day, at)
    nearly = months.Month(at + timedelta(microseconds=1), at + day)
    found = [counter.page(one, None, head + 1).kinds.total() for one in (begins, nearly)]
    assert found == [1, 0]
    whole = counter.page(months.Month(at - day, at + day), None, head + 1).kinds.total()
    assert counter.page(ends, None, head + 1).kinds.total() + 1 == whole


def test_a_month_to_come_and_one_that_is_none_are_refused(town: Town) -> None:
    year, number = _around(*this_month(town))[2]
    for wrong in ((year, number), (year, 0), (year, 13), (1999, 12)):
        with pytest.raises(errors.Invalid):
            officer(town).audit.summarise_month(
                claim=AUDIT, fields=["decisions.count"], year=wrong[0], month=wrong[1]
            )
    empty = officer(town).audit.summarise_month(claim=AUDIT, fields=["decisions.count"], year=2020, month=1)
    assert (len(empty.decisions), empty.next_page_token) == (0, "")


def test_another_organisations_officer_gets_his_own_part_and_nobody_else_anything(
    town: Town, story: Story
) -> None:
    credentials = town.join(OTHER_OIN, "fg", "wmo-aanbieder")
    theirs = town.client(Person("fg-9", "fg", "fg"), credentials)
    denied_read(town, story)
    assert summary(town, theirs).decisions == ()
    found = summary(town, theirs)
    assert found.scope.organisation == OTHER_OIN
    assert {(one.organisation, one.legal_basis, one.count) for one in found.decisions} == {
        (OTHER_OIN, "FG-AUDIT-39@1", 1)
    }
    assert found.duties == ()
    assert summary(town).scope.organisation == ""
    with pytest.raises(errors.Denied):
        month_file(story.wmo, AUDIT, *this_month(town))


def test_duties_are_counted_by_what_became_of_them_and_the_ledger_as_it_stands(
    town: Town, story: Story
) -> None:
    before = summary(town)
    story.wmo.rights.receive_rights_request(
        claim=claim(pb.PURPOSE_CORRECTIE, "RIGHTS-12"),
        case_id=story.case_id,
        right=rights_pb.RIGHT_ACCESS,
        statement="Ik wil alles zien.",
        received_date=town.now().astimezone(ZONE).date().isoformat(),
    )
    after = summary(town)
    asked, was = (one.duty("ANSWER-RIGHTS-REQUEST") for one in (after, before))
    assert (asked.arisen - was.arisen, asked.open - was.open, asked.overdue) == (1, 1, was.overdue)
    assert after.ledger.leaves > before.ledger.leaves
    assert after.ledger.signed_leaves <= after.ledger.leaves
    assert after.ledger.quorum is True
    assert after.ledger.origin == town.core.ledger.origin


def test_reading_it_is_a_decision_and_no_person_is_in_it(town: Town, story: Story) -> None:
    answer = officer(town).audit.summarise_month(
        claim=AUDIT, fields=["decisions.count"], year=this_month(town)[0], month=this_month(town)[1]
    )
    head = town.core.reader.head()[0]
    found = [row for row in town.core.reader.page(head - 5, 5) if answer.decision_id.encode() in row.state]
    assert len(found) == 1
    whole = month_file(officer(town), AUDIT, *this_month(town))
    for person in ("w-1", "fg-1", town.resident_of(story.pseudonym), story.plan_id, story.case_id):
        assert person.encode() not in whole
    assert json.loads(whole)["decisions"]
