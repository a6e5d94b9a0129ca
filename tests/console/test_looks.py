"""Who looked, when that is a long list: a line for each organisation and day, that opens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.console.pages.my_looks import Looked, by_day
from tests.console.house import RESIDENT, House, Visitor
from tests.console.resident_life import live
from tests.console.resident_reads import words_of

if TYPE_CHECKING:
    from tests.server.story import Story


@pytest.fixture
def me(house: House, story: Story) -> Visitor:
    live(story)
    return house.as_(RESIDENT)


def test_a_long_list_of_who_looked_is_a_line_for_each_organisation_and_day(me: Visitor) -> None:
    for _ in range(12):
        me.get("/mijn/1")
    page = me.get("/mijn/2?wie=1").text
    one_day = re.compile(
        r'<details class="day">\s*<summary>(.*?)</summary>(.*?)</details>\s*'
        r'(?=<details class="day">|<section|<p><a)',
        re.DOTALL,
    )
    days = one_day.findall(page)
    assert len(days) >= 2
    summaries = [re.sub(r"<[^>]+>|\s+", " ", summary) for summary, _ in days]
    assert len(set(summaries)) == len(summaries)
    counted = [re.search(r"([0-9]+) keer", one) for one in summaries]
    pieces = [inside.count('<article class="piece">') for _, inside in days]
    assert [int(one[1]) for one in counted if one] == pieces
    assert sum(pieces) == page.count('<article class="piece">') > 25
    # What was refused, or was an emergency, is seen without opening anything.
    assert any("geweigerd" in one for one in summaries)
    assert any("noodtoegang" in one for one in summaries)
    me.get("/taal/en")
    assert re.search(r"[0-9]+ times", words_of(me.get("/mijn/2?wie=1").text))
    me.get("/taal/nl")


def test_what_is_asked_after_midnight_is_of_the_next_day() -> None:
    def at(moment: datetime, who: str, *, refused: bool = False) -> Looked:
        shown = {"partly": False, "emergency": False, "arrived": True, "explanation": ""}
        return Looked(moment, who, "", "", "", "", refused, **shown)  # type: ignore[arg-type] # its own fields

    late = datetime(2026, 7, 1, 21, 59, tzinfo=UTC)
    rows = [at(late + timedelta(minutes=2), "a"), at(late, "b", refused=True), at(late, "a"), at(late, "b")]
    found = [(one.who, len(one.rows), one.refused, one.emergencies) for one in by_day(rows)]
    assert found == [("a", 1, 0, 0), ("b", 2, 1, 0), ("a", 1, 0, 0)]
