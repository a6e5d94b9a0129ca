"""Nobody who looks back reads what was corrected: he is told that it was, and what is right; or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from adapters.sdk.tokens import Person
from exchange.domain.plan import SupportStarted, SupportStopped
from exchange.server.contract.changed import CHANGED, changed_element
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.domain.test_corrections import SUPPORT, order, plan
from tests.domain.test_rectified import lived
from tests.server.test_correction import RIGHT, WORD, correct
from tests.server.test_history import as_of, colleague_of, describe, difference, timeline
from tests.server.test_sealed_pages import SEAL, now_there, streamed
from tests.server.town import ACCESS, CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest
    from google.protobuf.timestamp_pb2 import Timestamp

    from tests.server.story import Story
    from tests.server.town import Town

WRONG = "Weer zelf koken."
EFFECT = ["goals.desired_effect", "goals.goal_id", "goals.own_words", "goals.statement"]


def marks(told: Iterable[Any]) -> list[tuple[str, int, int]]:
    """Return what was corrected later: the leaf, of which element, and when."""
    return [(one.path, one.element, one.correct_time.ToNanoseconds()) for one in told]


def corrected(story: Story, goal_id: str, words: str = RIGHT, **said: Any) -> Timestamp:  # noqa: ANN401 -- as `correct`
    recorded: Timestamp = correct(story, story.wmo, goal_id, words, **said).receipt.record_time
    return recorded


def test_as_of_then_what_is_right_is_told_and_that_something_else_stood_there(story: Story) -> None:
    first, second = story.goal(), story.goal()
    then = describe(story, 2)
    assert not as_of(story.wmo, story, then).corrected_later
    corrected(story, second, "Zelf kopen.")
    between = describe(story, 3)
    at = corrected(story, second)
    now = describe(story, 4)
    for client, why in ((story.wmo, INVESTIGATE), (story.resident(), ACCESS)):
        for moment, expected in ((then, True), (between, True), (now, False)):
            told = as_of(client, story, moment, claim=why)
            assert [one.own_words for one in told.plan.goals] == [WRONG, RIGHT]
            assert marks(told.corrected_later) == (
                [("goals.own_words", 1, at.ToNanoseconds())] if expected else []
            )
        # Of the leaf alone: who is given another one is not told of it.
        other = as_of(client, story, then, claim=why, fields=["goals.goal_id", "situations.score"])
        assert [one.goal_id for one in other.plan.goals] == [first, second]
        assert not other.corrected_later


def test_what_the_resident_said_beside_it_stands_there_for_then_too(story: Story) -> None:
    goal_id = story.goal()
    then = describe(story, 2)
    spoken = story.resident().rights.add_statement(
        claim=WORD,
        plan_id=story.plan_id,
        expected_version=story.version,
        element=rights_pb.PlanElement(collection="goals", name=goal_id, task="college:WMO", oin=CITY),
        statement="Zo heb ik het niet gezegd.",
    )
    told = as_of(story.wmo, story, then, fields=EFFECT)
    assert told.plan.goals[0].statement == "Zo heb ik het niet gezegd."
    assert marks(told.corrected_later) == [("goals.statement", 0, spoken.receipt.record_time.ToNanoseconds())]


def test_each_entry_of_a_timeline_says_what_is_right(story: Story) -> None:
    goal_id = story.goal()
    corrected(story, goal_id, "Zelf kopen.")
    at = corrected(story, goal_id).ToNanoseconds()
    mark = [("goals.own_words", 0, at)]
    for size in (1, 200):
        told = timeline(story.wmo, story, fields=["goals.own_words"], page_size=size)
        assert [(one.kind, one.change.goals[0].own_words, marks(one.corrected_later)) for one in told] == [
            ("plan.goal_set", RIGHT, mark),
            ("plan.corrected", RIGHT, mark),
            ("plan.corrected", RIGHT, []),
        ]
    # A correction is of its leaf: to who asks another one nothing happened.
    kinds = [one.kind for one in timeline(story.wmo, story, fields=["goals.desired_effect"])]
    assert kinds == ["plan.goal_set"]


def test_a_correction_between_two_moments_differs_and_tells_no_wrong_word(story: Story) -> None:
    goal_id = story.goal()
    first = describe(story, 2)
    at = corrected(story, goal_id)
    second = describe(story, 2)
    told = difference(story.wmo, story, first, second)
    assert [[one.own_words for one in side.goals] for side in (told.before, told.after)] == [[RIGHT]] * 2
    assert marks(told.before_corrected_later) == [("goals.own_words", 0, at.ToNanoseconds())]
    assert not told.after_corrected_later
    # Corrected after both, it says the same on both sides: that it differed then is told all the same.
    last = corrected(story, goal_id, "Samen eten.")
    third = describe(story, 2)
    told = difference(story.wmo, story, first, second)
    assert [[one.own_words for one in side.goals] for side in (told.before, told.after)] == [
        ["Samen eten."]
    ] * 2
    mark = [("goals.own_words", 0, last.ToNanoseconds())]
    assert [marks(told.before_corrected_later), marks(told.after_corrected_later)] == [mark, mark]
    # What is corrected after both and was the same at both did not differ.
    corrected(story, goal_id, "Thuis eten.")
    told = difference(story.wmo, story, third, third)
    assert not [*told.before.goals, *told.after.goals, *told.before_corrected_later]


def test_what_is_corrected_while_the_past_is_looked_up_is_told_right(
    story: Story, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal_id = story.goal()
    then = describe(story, 2)
    past = type(town.server._parts.past)
    right = past.as_of

    def corrected_meanwhile(self: Any, stream: str, moment: Any) -> Any:  # noqa: ANN401 -- as the method
        found = right(self, stream, moment)
        monkeypatch.undo()
        corrected(story, goal_id)
        return found

    monkeypatch.setattr(past, "as_of", corrected_meanwhile)
    told = as_of(story.wmo, story, then)
    assert [one.own_words for one in told.plan.goals] == [RIGHT]
    assert len(told.corrected_later) == 1


def test_a_correction_of_what_is_sealed_did_not_happen(town: Town, story: Story) -> None:
    goal_id = story.goal()
    first = describe(story, 2)
    corrected(story, goal_id)
    second = describe(story, 2)
    colleague = colleague_of(town, story)
    fields = [one for one in EFFECT if one != "goals.statement"]
    kinds = [one.kind for one in timeline(colleague, story, fields=fields)]
    assert kinds == ["plan.goal_set", "plan.corrected"]
    assert [one.kind for one in streamed(colleague, story, INVESTIGATE, 0, *fields)] == kinds
    seal: dict[str, Any] = {"claim": SEAL, "case_id": story.case_id}
    on_case, other = (
        now_there(town, Person(name, "college:WMO", "regisseur"))
        for name in (f"w-{story.bsn[-5:]}", "w-second")
    )
    proposed = on_case.rights.seal_compartment(
        paths=["goals.own_words"],
        readers=[f"{CITY}/college:WMO/w-reader"],
        reason="Adres van de opvang.",
        **seal,
    )
    other.rights.confirm_seal(proposal_id=proposed.proposal_id, **seal)
    told = as_of(colleague, story, first, fields=fields)
    assert [(one.goal_id, one.own_words) for one in told.plan.goals] == [(goal_id, "")]
    assert not told.corrected_later
    assert [one.kind for one in timeline(colleague, story, fields=fields)] == ["plan.goal_set"]
    apart = colleague.history.get_plan_difference(
        claim=INVESTIGATE, plan_id=story.plan_id, from_time=first, to_time=second, fields=fields
    )
    assert not apart.before.goals
    assert not apart.after.goals
    assert not apart.before_corrected_later
    assert [one.kind for one in streamed(colleague, story, INVESTIGATE, 0, *fields)] == ["plan.goal_set"]


def test_an_event_of_care_is_streamed_by_what_was_corrected_since() -> None:
    start = plan("plan.support_requested", "plan.support_assigned", "plan.support_started")
    (support,) = start.supports
    wrong = support.care_start_date
    assert wrong is not None
    right, last_day = wrong + timedelta(days=1), wrong + timedelta(days=5)
    head: dict[str, Any] = {
        "resident": start.resident,
        "plan_id": start.plan_id,
        "organisation": CITY,
        "task": "college:WMO",
        "support_id": support.support_id,
    }
    started = SupportStarted(**head, care_start_date=wrong)
    stopped = SupportStopped(**head, care_end_date=last_day + timedelta(days=1), stop_reason="temporary")
    *_, now = lived(
        start,
        order(str(right), element=SUPPORT, field="care_start_date"),
        stopped,
        order(str(last_day), element=SUPPORT, field="care_end_date"),
        order("by_resident", element=SUPPORT, field="stop_reason"),
        SupportStarted(**head, care_start_date=last_day + timedelta(days=9)),
    )
    told = changed_element(CHANGED["plan.support_started"], started, start.version, now)
    assert (told.state, told.care_start_date, told.care_end_date) == ("started", right, None)
    told = changed_element(CHANGED["plan.support_stopped"], stopped, start.version + 2, now)
    assert (told.care_start_date, told.care_end_date, told.stop_reason) == (right, last_day, "by_resident")
