"""What follows a correction, and what stands among earlier values, is right for then; offers have a past."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exchange.domain.plan import LensAssessed
from exchange.domain.plan.corrections import ElementName
from exchange.server.contract.changed import CHANGED, changed_element
from exchange.v1 import common_pb2 as pb
from tests.domain.test_corrections import GOAL, order, plan
from tests.domain.test_rectified import lived
from tests.golden.write_missing import sample
from tests.server.test_correction import correct
from tests.server.test_history import as_of, describe, timeline
from tests.server.test_rectified_past import marks
from tests.server.test_sealed_pages import streamed
from tests.server.town import ACCESS, CITY, INVESTIGATE
from tests.stories.neighbours import Pair
from tests.stories.test_p06_the_money_never_decides_the_support import decided

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town

LENS = ElementName("lens_assessments", "law-1", GOAL.origin)
SCORES = ["situations.score", "situations.earlier_scores"]
MONEY = ["funding.amounts_cents", "funding.cost_cents", "funding.sources"]


def test_an_earlier_score_that_was_wrong_is_right_while_it_was_the_newest(story: Story) -> None:
    first, second, third = (describe(story, score, pb.LIFE_DOMAIN_INSTRUMENTAL_ADL) for score in (2, 4, 3))
    done = correct(
        story,
        story.wmo,
        "LIFE_DOMAIN_INSTRUMENTAL_ADL",
        "1",
        "4",
        collection="situations",
        field="earlier_scores",
    )
    at = done.receipt.record_time.ToNanoseconds()
    for moment, score, earlier, marked in (
        (first, 1, [], "situations.score"),
        (second, 4, [1], "situations.earlier_scores"),
        (third, 3, [1, 4], "situations.earlier_scores"),
    ):
        told = as_of(story.wmo, story, moment, fields=SCORES)
        (one,) = told.plan.situations
        assert (one.score, list(one.earlier_scores)) == (score, earlier)
        assert marks(told.corrected_later) == [(marked, 0, at)]


def test_what_follows_a_correction_is_corrected_with_it_wherever_it_is_told(town: Town) -> None:
    desks, split = decided(town)
    story, team = desks.story, desks.team
    set_at = desks.does(team, "set_funding", **split)
    done = correct(
        story, team, set_at.funding_id, "500000", "400001", collection="funding", field="amounts_cents"
    )
    at = done.receipt.record_time.ToNanoseconds()
    told = as_of(team, story, set_at.receipt.record_time, fields=MONEY)
    (one,) = told.plan.funding
    assert (list(one.amounts_cents), one.cost_cents) == ([500_000, 400_001], 900_001)
    assert sorted(marks(told.corrected_later)) == [(path, 0, at) for path in MONEY[:2]]
    # It is an entry, and an event, of the cost as well; to who asks where it comes from nothing happened.
    for path, kinds in (
        ("funding.cost_cents", ["plan.funding_set", "plan.corrected"]),
        ("funding.amounts_cents", ["plan.funding_set", "plan.corrected"]),
        ("funding.sources", ["plan.funding_set"]),
    ):
        assert [entry.kind for entry in timeline(team, story, fields=[path])] == kinds
        events = streamed(team, story, INVESTIGATE, 0, path)
        assert [event.kind for event in events] == kinds
        assert {event.change.funding[0].cost_cents for event in events} <= {900_001, 0}


def test_what_a_resident_offers_has_its_place_in_his_timeline(town: Town) -> None:
    offers = Pair.of(town, "BU02007001").offers
    asked: dict[str, Any] = {"claim": ACCESS, "plan_id": offers.plan_id, "fields": ["contributions.kind"]}
    (entry,) = offers.desks.resident.history.list_timeline(**asked).entries
    assert entry.kind == "plan.contribution_offered"
    assert len(entry.change.contributions) == 1
    assert not entry.corrected_later


def test_an_assessment_that_was_corrected_is_streamed_as_the_one_it_is() -> None:
    first = plan("plan.lens_assessed")
    assessed: Any = sample(LensAssessed)
    event = replace(assessed, task="college:WMO", organisation=CITY)
    again, now = lived(first, event, order("Anders.", element=LENS._replace(before=1), field="reason"))[1:]
    told = [changed_element(CHANGED["plan.lens_assessed"], event, was.version, now) for was in (first, again)]
    assert [one.reason for one in told] == ["Anders.", event.reason]
