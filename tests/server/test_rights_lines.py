"""Every right and its term over mutual TLS: on both sides of the line, and on it."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.domain.days import day_of
from exchange.domain.rights.words import Right
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_rights_requests import ANSWER, ask, burger, clock, duties, listed, professional_of
from tests.server.town import ACCESS

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town

__all__ = ["clock"]
MOMENT = timedelta(microseconds=1)
OF_A_SECTOR = frozenset({Right.DESTRUCTION_WMO, Right.DESTRUCTION_JEUGDWET})


@pytest.mark.parametrize("right", Right)
def test_each_right_is_overdue_from_its_line_on_and_extended_before_it_only(
    right: Right, town: Town, story: Story
) -> None:
    number = rights_pb.Right.Value(f"RIGHT_{right.upper()}")
    said: dict[str, Any] = {"statement": "Dit klopt niet."} if right == Right.RECTIFICATION else {}
    asker, came_in = burger(town, story), day_of(town.now())
    if right in OF_A_SECTOR:
        # A letter of a month ago: certificates here hold for ninety days, the term is longer.
        asker, came_in = story.wmo, came_in - timedelta(days=31)
        said |= {"claim": ANSWER, "received_date": came_in.isoformat()}
    names = [ask(asker, story, number, **said) for _ in range(2)]
    due = listed(burger(town, story), story, ACCESS).requests[0].due_time.ToDatetime(UTC)
    months = 3 if right in OF_A_SECTOR else 1
    # At least the shortest months there are, at most the longest and a week of holidays.
    assert timedelta(days=28 * months) < due.date() - came_in + timedelta(days=1)
    assert due.date() - came_in <= timedelta(days=31 * months + 8)
    desk = town.signed_in(Person(professional_of(story), "college:WMO", "regisseur"))

    def extend(name: str) -> Any:  # noqa: ANN401 -- ExtendRightsRequestResponse
        return desk.rights.extend_rights_request(
            claim=ANSWER, rights_request_id=name, reason="Twaalf dossiers.", how="letter"
        )

    town.stands_at = due - MOMENT
    overdue = audit_pb.OBLIGATION_STATE_OVERDUE
    assert duties(town, overdue, names[0]) == []
    if right in OF_A_SECTOR:
        with pytest.raises(errors.RuleBroken, match="three months at once"):
            extend(names[0])
    else:
        extend(names[0])
    town.stands_at = due
    assert len(duties(town, overdue, names[1])) == 1
    # What was extended in time is not late yet.
    assert len(duties(town, overdue, names[0])) == (1 if right in OF_A_SECTOR else 0)
    with pytest.raises(errors.RuleBroken):
        extend(names[1])
