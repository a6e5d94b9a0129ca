"""Corrections of a plan: who, of what, on which value; on both sides of each line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import evolve_at
from exchange.domain.plan import PLAN, AddStatement, PlanCorrected, RectifyPlan
from exchange.domain.plan.correctable import FIELDS
from exchange.domain.plan.corrections import ElementName
from exchange.domain.plan.rectified import NAMED_BY
from exchange.domain.plan.seen import as_seen
from exchange.domain.rights.corrections import NoteRectified
from exchange.domain.rights.recipients import ToTell
from exchange.domain.rights.request import RIGHTS_REQUEST
from exchange.domain.values import Author, origin_of
from exchange.errors import RequestInvalid, RuleBroken
from exchange.v1.plan_pb2 import Plan
from tests.golden.write_missing import sample

if TYPE_CHECKING:
    from exchange.domain.kernel import Event
    from exchange.domain.plan import PlanState

CITY, CARE = "00000001003214345000", "00000003271543200000"
DESK = Author(CITY, "college:WMO", "w-1", operator=True)
WORK = Author(CITY, "college:PW", "p-1", operator=True)
BODY = Author(CITY, "college:PW", "p-1")  # under a mandate
PROVIDER = Author(CARE, "wmo-aanbieder", "z-1")
RESIDENT = Author(CITY, "betrokkene", "b-1")
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
LATER = datetime(2026, 3, 3, 10, tzinfo=UTC)
GOAL = ElementName("goals", "goal_id-1", origin_of("college:WMO", CITY))


def plan(*topics: str, task: str = "college:WMO", organisation: str = CITY) -> PlanState:
    """Return a plan with the sample of each of these events."""
    kinds = {one.TOPIC.rpartition(".v")[0]: one for one in PLAN.events}
    state: Any = None
    for topic in ("plan.opened", *topics):
        event: Any = replace(sample(kinds[topic]), task=task, organisation=organisation)  # type: ignore[call-arg] # events of a plan have both
        state = evolve_at(PLAN, state, event, AT)
    found: PlanState = state
    return found


def folded_plan(state: PlanState, event: Event) -> PlanState:
    after: Any = evolve_at(PLAN, state, event, LATER)
    found: PlanState = after
    return found


def order(*values: str, element: ElementName = GOAL, author: Author = DESK, **said: Any) -> RectifyPlan:  # noqa: ANN401 -- any field
    given: dict[str, Any] = {"now": LATER, "author": author, "element": element, "field": "own_words"}
    return RectifyPlan(**(given | {"values": values or ("Samen koken.",)} | said))


def decided(command: RectifyPlan | AddStatement, state: PlanState) -> PlanState:
    (event,) = PLAN.decide(command, state)
    return folded_plan(state, event)


def test_one_field_of_one_element_changes_and_nothing_else() -> None:
    before = plan("plan.goal_set")
    after = decided(order(), before)
    (goal,), (was,) = after.goals, before.goals
    assert goal == replace(was, own_words="Samen koken.")
    # Its term runs from when it was recorded, not from when it was corrected.
    assert goal.recorded == AT
    # Beside it for who looks back, with none of the words that were wrong.
    (noted,) = after.corrections
    assert (noted.version, noted.field, noted.value, noted.recorded) == (
        after.version,
        "own_words",
        "Samen koken.",
        LATER,
    )
    assert was.own_words not in repr(noted)
    assert after == replace(before, goals=(goal,), version=before.version + 1, corrections=(noted,))


@pytest.mark.parametrize(
    ("author", "granted", "of", "may"),
    [
        (DESK, False, ("college:WMO", CITY), True),
        (WORK, False, ("college:WMO", CITY), False),
        (WORK, True, ("college:WMO", CITY), True),
        (BODY, True, ("college:WMO", CITY), False),
        (BODY, False, ("college:PW", CITY), True),
        (DESK, True, ("betrokkene", CITY), True),
        (DESK, False, ("betrokkene", CITY), False),
        (DESK, True, ("wmo-aanbieder", CARE), False),
        (PROVIDER, False, ("wmo-aanbieder", CARE), True),
        (PROVIDER, True, ("college:WMO", CITY), False),
        (replace(PROVIDER, oin=CITY), True, ("wmo-aanbieder", CARE), False),
    ],
)
def test_who_may_correct_what(author: Author, granted: bool, of: tuple[str, str], may: bool) -> None:  # noqa: FBT001 -- parameters of the table
    state = plan("plan.goal_set", task=of[0], organisation=of[1])
    command = order(element=replace_origin(GOAL, origin_of(*of)), author=author, granted=granted)
    if may:
        assert decided(command, state).goals[0].own_words == "Samen koken."
    else:
        with pytest.raises(RuleBroken) as refused:
            PLAN.decide(command, state)
        assert refused.value.metadata["rule"] == "NOT_TO_RECTIFY"


def replace_origin(element: ElementName, origin: str) -> ElementName:
    return element._replace(origin=origin)


def test_of_several_of_one_name_the_newest_is_meant_unless_another_is_said() -> None:
    state = plan("plan.lens_assessed")
    # The same assessment, later.
    event = replace(
        sample(next(one for one in PLAN.events if one.TOPIC == "plan.lens_assessed.v1")), reason="nieuw"
    )  # type: ignore[call-arg] # an event with a reason
    state = folded_plan(state, event)
    lens = ElementName("lens_assessments", "law-1", GOAL.origin)
    after = decided(order("beter", element=lens, field="reason"), state)
    assert [one.reason for one in after.lens_assessments] == ["reason-1", "beter"]
    after = decided(order("ouder", element=lens._replace(before=1), field="reason"), state)
    assert [one.reason for one in after.lens_assessments] == ["ouder", "nieuw"]
    for before in (-1, 2):
        with pytest.raises(RuleBroken) as refused:
            PLAN.decide(order("x", element=lens._replace(before=before), field="reason"), state)
        assert refused.value.metadata["rule"] == "ELEMENT_UNKNOWN"


def test_nobody_replaces_what_he_is_not_shown() -> None:
    state = plan("plan.goal_set")
    hidden = as_seen(state, ("goals",), frozenset())
    with pytest.raises(RuleBroken) as gone:
        PLAN.decide(order(), hidden)
    assert gone.value.metadata["rule"] == "ELEMENT_UNKNOWN"
    blank = as_seen(state, (), frozenset({"goals.own_words", "goals.target_date"}))
    for field, value in (("own_words", "x"), ("target_date", "2027-01-01")):
        with pytest.raises(RuleBroken) as refused:
            PLAN.decide(order(value, field=field), blank)
        assert refused.value.metadata["rule"] == "NOTHING_RECORDED"


@pytest.mark.parametrize(
    ("collection", "topic", "field", "good", "bad"),
    [
        (
            "situations",
            "plan.situation_described",
            "score",
            ("5",),
            (("6",), ("0",), ("",), ("3", "4"), ("x",)),
        ),
        ("situations", "plan.situation_described", "strengths", (), (("a", "b"), (" ",))),
        (
            "goals",
            "plan.goal_set",
            "target_date",
            ("2100-12-31",),
            (("2101-01-01",), ("1899-12-31",), ("2026-02-30",)),
        ),
        ("goals", "plan.goal_set", "life_domain", ("housing",), (("moon",), (), ("housing", "finance"))),
        (
            "reports",
            "plan.report_received",
            "life_domains",
            ("housing", "finance"),
            ((), ("housing", "housing")),
        ),
    ],
)
def test_values_on_both_sides_of_the_line(
    collection: str, topic: str, field: str, good: tuple[str, ...], bad: tuple[tuple[str, ...], ...]
) -> None:
    state = plan(topic)
    (one,) = getattr(state, collection)
    element = ElementName(collection, getattr(one, NAMED_BY[collection]), one.origin)
    assert PLAN.decide(replace(order(element=element, field=field), values=good), state)
    for values in bad:
        with pytest.raises(RequestInvalid) as refused:
            PLAN.decide(replace(order(element=element, field=field), values=values), state)
        assert set(refused.value.fields) == {"values"}, values


SUPPORT = ElementName("supports", "support_id-1", GOAL.origin)


def test_days_of_care_still_follow_each_other() -> None:
    state = plan(
        "plan.support_requested", "plan.support_assigned", "plan.support_started", "plan.support_stopped"
    )
    (support,) = state.supports
    assert (support.start_date, support.care_start_date, support.care_end_date) == (support.start_date,) * 3
    for field, day, fine in (
        ("care_start_date", "2026-02-27", False),
        ("care_start_date", "2026-03-01", False),
        ("care_end_date", "2026-02-27", False),
        ("care_end_date", "2026-03-01", True),
    ):
        command = order(day, element=SUPPORT, field=field)
        if fine:
            assert PLAN.decide(command, state)
        else:
            with pytest.raises(RequestInvalid):
                PLAN.decide(command, state)


def test_care_that_did_not_start_has_no_day_to_correct() -> None:
    state = plan("plan.support_requested", "plan.support_assigned")
    with pytest.raises(RuleBroken) as refused:
        PLAN.decide(order("2026-03-01", element=SUPPORT, field="care_start_date"), state)
    assert refused.value.metadata["rule"] == "NOTHING_RECORDED"


def test_every_field_that_is_corrected_is_one_the_contract_shows() -> None:
    for path in FIELDS:
        collection, _, field = path.partition(".")
        message = Plan.DESCRIPTOR.fields_by_name[collection].message_type
        assert message is not None
        assert field in message.fields_by_name
        assert NAMED_BY[collection] in message.fields_by_name
        assert field != NAMED_BY[collection], "what names an element is not corrected"


def test_only_the_residents_side_speaks_beside_and_never_of_a_support() -> None:
    state = plan("plan.goal_set", "plan.support_requested")
    said = AddStatement(now=LATER, author=RESIDENT, element=GOAL, statement="Niet zo gezegd.")
    assert decided(said, state).goals[0].statement == "Niet zo gezegd."
    with pytest.raises(RuleBroken) as refused:
        PLAN.decide(replace(said, author=DESK), state)
    assert refused.value.metadata["rule"] == "NOT_RESIDENTS_SIDE"
    with pytest.raises(RequestInvalid) as nothing:
        PLAN.decide(replace(said, element=SUPPORT), state)
    assert set(nothing.value.fields) == {"element.collection"}


def test_a_correction_of_what_is_gone_changes_the_version_alone() -> None:
    (event,) = PLAN.decide(order(), plan("plan.goal_set"))
    assert isinstance(event, PlanCorrected)
    empty = plan()
    assert PLAN.evolve(empty, event) == replace(empty, version=empty.version + 1)
    other = replace(event, field="colour")
    state = plan("plan.goal_set")
    assert PLAN.evolve(state, other) == replace(state, version=state.version + 1)


# --- what recipients are told -------------------------------------------------------------------------


def note(*recipients: ToTell, asked: bool) -> NoteRectified:
    return NoteRectified(
        now=LATER,
        author=DESK,
        rights_request_id="r-1",
        resident="r-7f3a",
        case_id="c-1",
        plan_id="p-1",
        paths=("goals.own_words",),
        recipients=recipients,
        asked=asked,
    )


def folded(*events: Event) -> Any:  # noqa: ANN401 -- RightsRequestState
    state = None
    for event in events:
        state = RIGHTS_REQUEST.evolve(state, event)
    return state


def test_unasked_and_untold_leaves_nothing_and_told_leaves_no_request() -> None:
    assert RIGHTS_REQUEST.decide(note(asked=False), None) == ()
    told = ToTell(CARE, "wmo-aanbieder", ("p-1",), ("goals.own_words",))
    state = folded(*RIGHTS_REQUEST.decide(note(told, asked=False), None))
    assert (state.unasked, state.waits, [one.organisation for one in state.told]) == (True, False, [CARE])


def test_under_a_name_that_was_not_granted_nothing_is_noted() -> None:
    with pytest.raises(RuleBroken) as refused:
        RIGHTS_REQUEST.decide(note(asked=True), None)
    assert refused.value.metadata["rule"] == "NOT_GRANTED"
