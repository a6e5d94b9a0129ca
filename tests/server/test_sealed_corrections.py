"""A correction, and words beside an element, where a shelter behind a sealed link got what was wrong.

The shelter is told as every recipient; whoever does not see the link is answered as if there were none.
Source: GDPR 16, 19, 32; the gate's design section 5 (that there is a link with a shelter is sealed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_correction import correct
from tests.server.test_rectification import TOLD, provider, told
from tests.server.test_restriction_told import OWN, WHO, WHO_FIELDS
from tests.server.test_restriction_told import TOLD as RESTRICTED
from tests.server.test_rights_requests import ANSWER, ASK
from tests.server.test_sealed_links import Side, opened, parent, second
from tests.server.test_sealed_pages import let_in_second, seal_goals
from tests.server.town import ACCESS, CARE, CITY, DELIVER, INVESTIGATE, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

CORRECT = claim(pb.PURPOSE_CORRECTIE, "RECTIFY-16")
WORD = claim(pb.PURPOSE_CORRECTIE, "RESIDENT-WORD")


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Yield a town whose shelter got a report in an emergency, and one without a shelter."""
    with (tmp_path_factory.mktemp("log") / "log").open("w", encoding="utf-8") as lines:
        bsn = next(made_up_bsns())
        towns = [opened(tmp_path_factory.mktemp(name), lines, bsn) for name in ("sealed", "absent")]
        yield Side(towns[0], sheltered=True), Side(towns[1], sheltered=False)
        for town in towns:
            town.close()


def element(side: Side) -> dict[str, Any]:
    """Return how the report is named, at the plan as it is now."""
    plan = side.town.state("plan", side.family.plan_id)
    report = rights_pb.PlanElement(
        collection="reports", name=plan.reports[0].report_id, task="college:WMO", oin=CITY
    )
    return {"plan_id": side.family.plan_id, "expected_version": plan.version, "element": report}


def answered(answer: Any) -> tuple[int, int, bool]:  # noqa: ANN401 -- of one of two rpcs
    return answer.recipients, answer.receipt.leaves, bool(answer.rights_request_id)


def told_the_shelter(side: Side) -> list[Any]:
    """Return what the shelter is told, by any of its staff."""
    return list(side.staff().rights.list_rectifications(claim=TOLD, page_size=200).rectifications)


def indexes(side: Side) -> frozenset[int]:
    """Return the leaves that count as the resident's."""
    answer = parent(side).rights.get_access_answer(
        claim=ACCESS, case_id=side.family.case_id, fields=["covered.leaf_indexes"]
    )
    return frozenset(answer.covered.leaf_indexes)


def corrected(side: Side, words: str, name: str = "") -> tuple[int, int, bool]:
    return answered(
        second(side).rights.rectify_plan(
            claim=CORRECT, field="own_words", values=[words], rights_request_id=name, **element(side)
        )
    )


def test_a_correction_nobody_asked_for_counts_no_shelter(sides: tuple[Side, Side]) -> None:
    before = len(told_the_shelter(sides[0]))
    told = [corrected(side, "Naar school.") for side in sides]
    assert told[0] == told[1] == (0, 1, False)
    *_, row = told_the_shelter(sides[0])
    assert len(told_the_shelter(sides[0])) == before + 1
    assert list(row.paths) == ["reports.own_words"]
    sides[0].staff().rights.confirm_rectification(
        claim=claim(pb.PURPOSE_CORRECTIE, "RECTIFIED-19"),
        rights_request_id=row.rights_request_id,
        outcome=rights_pb.RECTIFICATION_OUTCOME_RECTIFIED,
    )
    assert told_the_shelter(sides[0])[-1].outcome == rights_pb.RECTIFICATION_OUTCOME_RECTIFIED


def test_words_of_the_parent_beside_it_count_no_shelter(sides: tuple[Side, Side]) -> None:
    before = len(told_the_shelter(sides[0]))
    told = [
        answered(
            parent(side).rights.add_statement(claim=WORD, statement="Zo zei hij het niet.", **element(side))
        )
        for side in sides
    ]
    assert told[0] == told[1]
    *_, row = told_the_shelter(sides[0])
    assert len(told_the_shelter(sides[0])) == before + 1
    assert list(row.paths) == ["reports.statement"]


def test_a_restriction_counts_no_shelter_and_the_shelter_is_told(sides: tuple[Side, Side]) -> None:
    said: dict[str, Any] = {
        "claim": OWN,
        "restricted_purpose": pb.PURPOSE_WMO_LEVERING,
        "reason": "Klopt niet.",
    }
    answers = [parent(side).rights.restrict(case_id=side.family.case_id, **said) for side in sides]
    assert answers[0].receipt.leaves == answers[1].receipt.leaves
    asked: dict[str, Any] = {"claim": WHO, "fields": WHO_FIELDS}
    listed = [
        parent(side).rights.list_told_recipients(case_id=side.family.case_id, **asked).recipients
        for side in sides
    ]
    assert [one.organisation for one in listed[0]] == [one.organisation for one in listed[1]]
    (row,) = sides[0].staff().rights.list_restrictions(claim=RESTRICTED).restrictions
    assert row.restriction_id == answers[0].restriction_id
    assert list(row.purposes) == [pb.PURPOSE_WMO_LEVERING]


def test_under_a_request_it_is_told_and_not_counted(sides: tuple[Side, Side]) -> None:
    before = len(told_the_shelter(sides[0]))
    told = []
    for side in sides:
        name = (
            parent(side)
            .rights.receive_rights_request(
                claim=ASK,
                case_id=side.family.case_id,
                right=rights_pb.RIGHT_RECTIFICATION,
                statement="Het verslag klopt niet.",
            )
            .rights_request_id
        )
        side.family.wmo.rights.decide_rights_request(
            claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
        )
        told.append(corrected(side, "Terug naar school.", name))
    assert told[0] == told[1] == (0, 2, True)
    assert len(told_the_shelter(sides[0])) == before + 1


def test_no_index_more_is_counted_for_it(sides: tuple[Side, Side]) -> None:
    more = []
    for side in sides:
        before = indexes(side)
        corrected(side, "Weer naar school.")
        more.append(len(indexes(side) - before))
    # The correction, and that the question before was answered.
    assert more[0] == more[1]
    assert more[0] > 0


def test_what_is_sealed_since_is_told_to_who_may_see_it_alone(town: Town, story: Story) -> None:
    town.care()
    goal_id = story.goal()
    care = provider(town, story)
    fields = ["goals.own_words", "reports.own_words"]
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=fields, allow_partial=True)
    let_in_second(story)
    seal_goals(town, story, f"{CARE}/wmo-aanbieder/z-{story.bsn[-5:]}")
    reader = town.worker("college:WMO", "w-reader")
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-reader",
        role="consulent",
    )
    before = [one.rights_request_id for one in told_to(care)]
    story.version = town.state("plan", story.plan_id).version
    name = correct(story, reader, goal_id, "Samen koken.").rights_request_id
    other = town.client(Person("z-other", "wmo-aanbieder", "begeleider"), town.care())
    assert [one.rights_request_id for one in told_to(care)] == [*before, name]
    # To a colleague who is no reader of the seal there is nothing, and no place for it in a page.
    assert [one.rights_request_id for one in told_to(other, page_size=1)] == before
    assert told(other, name) == []


def told_to(client: ExchangeClient, page_size: int = 200) -> list[Any]:
    """Return all rows of all pages, each page but the last of which is full."""
    found: list[Any] = []
    token = ""
    while True:
        page = client.rights.list_rectifications(claim=TOLD, page_size=page_size, page_token=token)
        found += page.rectifications
        token = page.next_page_token
        if not token:
            return found
        assert len(page.rectifications) == page_size
