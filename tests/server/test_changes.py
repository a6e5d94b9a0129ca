"""What a subscription tells of a change: the part that changed, by whom it was, and else nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.town import CITY, INVESTIGATE, WORK

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from exchange.v1.subscription_service_pb2 import PublishedEvent
    from tests.server.story import Story
    from tests.server.town import Town

ANSWERS_MAX = 50
BEATS = 2
DECIDED = ("disclosure.decided.v1",)


class Desks:
    """Two desks at work on one plan, each in its own words."""

    def __init__(self, town: Town, story: Story) -> None:
        self.town, self.story = town, story
        self.work = town.worker("college:PW", f"p-{story.case_id[:8]}")
        story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=story.case_id,
            oin=CITY,
            task="college:PW",
            professional=f"p-{story.case_id[:8]}",
            role="consulent",
        )

    def does(self, client: ExchangeClient, command: str, **fields: Any) -> None:  # noqa: ANN401 -- fields of any command
        answer = getattr(client.plan, command)(
            claim=WORK if client is self.work else INVESTIGATE,
            plan_id=self.story.plan_id,
            expected_version=self.story.version,
            **fields,
        )
        self.story.version = answer.version

    def describes(self, client: ExchangeClient, words: str) -> None:
        self.does(
            client,
            "describe_situation",
            life_domain=pb.LIFE_DOMAIN_HOUSING,
            description=words,
            score=2,
            judge_date="2026-11-01",
        )

    def assesses(self, client: ExchangeClient, reason: str) -> None:
        # A lens that is waived needs no goal.
        finding = plan_pb2.LENS_FINDING_WAIVED
        self.does(client, "assess_lens", law=pb.LAW_WMO_2015, finding=finding, reason=reason)

    def told(self, client: ExchangeClient, *fields: str) -> list[PublishedEvent]:
        """Return what a subscription from the start tells of all that happened until now."""
        why = WORK if client is self.work else INVESTIGATE
        stream = client.open_stream(SubscribeRequest(claim=why, fields=fields, heartbeat_seconds=1))
        found: list[PublishedEvent] = []
        beats = 0
        for _ in range(ANSWERS_MAX):
            answer = next(stream)
            found += answer.events
            # The second beat: all that was there when the stream began has been looked at.
            beats += not answer.events
            if beats == BEATS:
                stream.cancel()
                return found
        raise AssertionError("no beat came")

    def decisions(self) -> int:
        """Return how many deliveries of a subscription were decided on about this resident."""
        rows = self.town.core.reader.page(0, 100_000, DECIDED)
        about = f"disclosure-{self.town.resident_of(self.story.pseudonym)}"
        clear = (
            self.town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)[0]
            for row in rows
            if row.stream == about
        )
        return sum(one["action"] == "SUBSCRIBE" for one in clear)


@pytest.fixture
def desks(town: Town, story: Story) -> Desks:
    return Desks(town, story)


def kinds(events: list[PublishedEvent]) -> list[str]:
    return [event.kind for event in events]


def test_what_another_desk_did_is_decided_on_and_not_even_named(desks: Desks) -> None:
    desks.describes(desks.story.wmo, "Woont boven.")
    desks.describes(desks.work, "Kan niet verhuizen.")
    desks.assesses(desks.work, "Past bij werk.")
    before = desks.decisions()
    fields = ("situations.description", "situations.judge_date", "version")
    events = desks.told(desks.story.wmo, *fields)
    assert kinds(events) == ["plan.opened", "plan.situation_described"]
    # The opening and both descriptions; of the assessment nothing was asked.
    assert desks.decisions() == before + 3
    assert kinds(desks.told(desks.work, *fields)) == ["plan.opened", "plan.situation_described"]


def test_the_plans_own_fields_make_no_event_of_a_change_of_which_nothing_is_asked(desks: Desks) -> None:
    desks.describes(desks.story.wmo, "Woont boven.")
    assert kinds(desks.told(desks.story.wmo, "version", "plan_id")) == ["plan.opened"]
    assert desks.told(desks.story.wmo, "goals.own_words") == []


def test_two_desks_on_one_life_domain_are_each_shown_their_own_words(desks: Desks) -> None:
    desks.describes(desks.story.wmo, "Woont boven.")
    desks.describes(desks.work, "Kan niet verhuizen.")
    for client, words in ((desks.story.wmo, "Woont boven."), (desks.work, "Kan niet verhuizen.")):
        events = desks.told(client, "situations.description")
        assert [one.description for event in events for one in event.change.situations] == [words]


def test_of_a_law_looked_through_more_than_once_each_event_shows_its_own_assessment(desks: Desks) -> None:
    desks.assesses(desks.story.wmo, "Past nog niet.")
    desks.assesses(desks.work, "Past bij werk.")
    desks.assesses(desks.story.wmo, "Past nu wel.")
    told = {
        client: [
            one.reason
            for event in desks.told(client, "lens_assessments.reason")
            for one in event.change.lens_assessments
        ]
        for client in (desks.story.wmo, desks.work)
    }
    assert list(told.values()) == [["Past nog niet.", "Past nu wel."], ["Past bij werk."]]
