"""What a subscriber parked: where it stands and nothing of it, and judged when it is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.v1 import subscription_service_pb2 as sub
from tests.server.subscribed import DELIVERIES, Named, set_up
from tests.server.test_erasure import Erasure
from tests.server.test_sealed_pages import let_in_second, seal_goals
from tests.server.test_withdrawal import REUSE, case_with_goal_of_work, consent_for_reuse
from tests.server.town import CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from tests.server.story import Story
    from tests.server.town import Town


@pytest.fixture
def named(story: Story) -> Named:
    """Return a subscription of the story's own professional, with a goal to be told."""
    return set_up(story)


def test_what_fails_is_parked_in_the_end_and_read_anew(town: Town, named: Named) -> None:
    event, beat = named.goal_told()
    answers = [named.report(event, beat.told_token) for _ in range(5)]
    assert [(one.attempts, one.parked) for one in answers] == [
        *((attempt, False) for attempt in range(1, 5)),
        (5, True),
    ]
    again = named.fetch(event.event_id).event
    assert (again.event_id, again.change) == (event.event_id, event.change)
    assert again.decision_id != event.decision_id, "judged anew"
    # Nothing of what happened lies in the subscription: only where, and why it could not be taken.
    rows = town.core.reader.page(0, 100_000, DELIVERIES)
    mine = b"".join(row.state for row in rows if row.stream.endswith(named.name))
    assert event.event_id.encode() in mine
    assert b"zelf koken" not in mine
    assert b"plan-" not in mine
    settled = named.acknowledge(0, "", event.event_id)
    assert settled.HasField("receipt")
    with pytest.raises(errors.RuleBroken) as refused:
        named.fetch(event.event_id)
    assert refused.value.rule == "NOT_PARKED"


def test_what_was_never_there_is_fetched_as_what_is_there_no_more(town: Town, named: Named) -> None:
    event, beat = named.goal_told()
    made_up = sub.PublishedEvent(event_id="0f" * 16, position=1)
    assert named.report(made_up, beat.told_token, park=True).parked
    other = sub.PublishedEvent(event_id="0e" * 16, position=event.position)
    assert named.report(other, beat.told_token, park=True).parked
    decisions = count_decisions(town)
    assert named.fetch(made_up.event_id) == named.fetch(other.event_id) == sub.GetParkedEventResponse()
    assert count_decisions(town) == decisions + 2, "each question is one walk, and recorded"


def count_decisions(town: Town) -> int:
    return len(town.core.reader.page(0, 100_000, ("disclosure.decided.v1",)))


def leaves(_town: Town, story: Story) -> None:
    me = f"w-{story.bsn[-5:]}"
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-other",
        role="consulent",
    )
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CITY, task="college:WMO", professional=me
    )


def is_sealed(town: Town, story: Story) -> None:
    let_in_second(story)
    seal_goals(town, story)


def is_erased(town: Town, story: Story) -> None:
    Erasure(town, story).executed()


@pytest.mark.parametrize("happens", [leaves, is_sealed, is_erased])
def test_what_is_parked_is_harmless_whatever_happens_since(
    town: Town,
    story: Story,
    named: Named,
    happens: Any,  # noqa: ANN401 -- what happens
) -> None:
    event = named.parked_goal()
    before = named.listed()
    assert named.fetch(event.event_id).HasField("event")
    happens(town, story)
    decisions = count_decisions(town)
    answer = named.fetch(event.event_id)
    assert answer.SerializeToString() == b"", "one and the same empty answer"
    assert count_decisions(town) == decisions + 1
    # It is found where it was put, and its subscriber is told no more than he said himself.
    after = named.listed()
    assert before is not None
    assert after is not None
    assert after.parked == before.parked
    assert [one.event_id for one in after.parked] == [event.event_id]


def test_p09_what_is_parked_gives_nothing_after_a_withdrawal(town: Town) -> None:
    town.register_notice("folder-1", b"\1" * 32)
    wmo, work = town.worker("college:WMO", "w-1"), town.worker("college:PW", "p-1")
    pseudonym, case_id, _ = case_with_goal_of_work(town, wmo, work)
    resident = town.client(Person("burger-1", "betrokkene", "inwoner", resident=pseudonym))
    consent_id = consent_for_reuse(wmo, resident, case_id)
    named = Named(wmo, "hergebruik", REUSE)
    named.create()
    event = named.parked_goal()
    assert named.fetch(event.event_id).event.change.goals
    resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert named.fetch(event.event_id).SerializeToString() == b""
