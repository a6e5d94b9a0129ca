"""Published tables: what is asked, what one resident adds, what is shown, and what a year may spend."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from exchange.domain.insight import (
    INSIGHT,
    ApproveBudget,
    BudgetApproved,
    BudgetProposed,
    Change,
    ProposeBudget,
    PublishTable,
    Question,
    Row,
    TablePublished,
    cell_of,
    changes_of,
)
from exchange.domain.insight import decide as rules
from exchange.domain.insight.cells import (
    RESIDENTS_MIN,
    SHOWN_BY_CHANCE_MAX,
    Noised,
    Scales,
    exceeds_by_chance,
    published_cells,
    shown_from,
    told_cell,
)
from exchange.domain.insight.changes import AFTER_DAYS_MAX, BEFORE_DAYS_MAX, CHANGE_MAX
from exchange.domain.insight.question import DOMAINS, ROWS_MAX, question_faults
from exchange.domain.plan.events import SituationDescribed, SupportRequested, SupportStarted, SupportStopped
from exchange.domain.values import Author, LifeDomain
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import LATER, MUNICIPALITY, NOON, fold, given

if TYPE_CHECKING:
    from exchange.domain.plan.events import PlanEvent

YEAR = NOON.year
START = date(YEAR, 3, 1)
HELP = Row("general_service", "07")
QUESTION = Question.asked(YEAR, [HELP, Row("custom", "01")], ["housing", "social_network"])
POLICY = Author(MUNICIPALITY, "beleid", "beleid-1", operator=True)
OTHER = replace(POLICY, professional="beleid-2")
OFFICER = Author(MUNICIPALITY, "fg", "fg-1", operator=True)

OF_PLAN: dict[str, Any] = {
    "resident": "r-1",
    "plan_id": "p-1",
    "organisation": MUNICIPALITY,
    "task": "college:WMO",
}


def score(points: int, day: date, life_domain: str = "housing") -> SituationDescribed:
    return SituationDescribed(
        **OF_PLAN,
        life_domain=life_domain,
        description="x",
        strengths="",
        score=points,
        judge_date=day,
        source="",
        own_network="",
        beside=False,
    )


def support(**changes: Any) -> SupportRequested:  # noqa: ANN401 -- any field of the event
    facts: dict[str, Any] = {
        "support_id": "s-1",
        "kind": "general_service",
        "provider_oin": "",
        "product_category": "07",
        "product_code": "",
        "start_date": START,
        "end_date": None,
        "volume": 0,
        "unit": "",
        "frequency": "",
        "goal_ids": ("g-1",),
    }
    return SupportRequested(**OF_PLAN, **(facts | changes))


def steps(*events: PlanEvent, year: int = YEAR) -> list[int]:
    return [one.steps for one in changes_of(events, year)]


# --- the question ---------------------------------------------------------------------------------------


def test_two_spellings_of_a_question_are_one() -> None:
    again = Question.asked(YEAR, [Row("custom", "01"), HELP, HELP], ["social_network", "housing"])
    assert again == QUESTION
    assert QUESTION.name == "custom/01,general_service/07;housing,social_network"
    assert len(QUESTION.cells()) == 4


@pytest.mark.parametrize("name", ["custom/01", "own_network", "general_service/07"])
def test_a_row_is_named_and_read_back(name: str) -> None:
    assert Row.named(name).name == name


def faults(**changes: Any) -> set[str]:  # noqa: ANN401 -- any field of a question
    found = question_faults(replace(QUESTION, **changes), YEAR)
    return {name for name, fault in found.items() if fault}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, set()),
        ({"year": YEAR + 1}, {"year"}),
        ({"year": 1899}, {"year"}),
        ({"rows": ()}, {"rows"}),
        ({"rows": (Row("custom"),)}, {"rows"}),
        ({"rows": (Row("gift"),)}, {"rows"}),
        ({"rows": (Row.named("own_network/"),)}, {"rows"}),
        ({"rows": (Row("custom", "1"),)}, {"rows"}),
        ({"rows": tuple(Row("custom", f"{n:02}") for n in range(ROWS_MAX))}, set()),
        ({"rows": tuple(Row("custom", f"{n:02}") for n in range(ROWS_MAX + 1))}, {"rows"}),
        ({"life_domains": ()}, {"life_domains"}),
        ({"life_domains": ("luck",)}, {"life_domains"}),
        ({"life_domains": ("justice",)}, {"life_domains"}),
        ({"life_domains": DOMAINS}, set()),
    ],
)
def test_a_question_has_its_shape(changes: dict[str, Any], named: set[str]) -> None:
    assert faults(**changes) == named


def test_every_life_domain_but_justice_can_be_asked() -> None:
    assert set(LifeDomain) - set(DOMAINS) == {LifeDomain.JUSTICE}


# --- what changed ------------------------------------------------------------------------------------------


def test_a_change_is_from_the_last_score_before_to_the_last_one_of_the_year() -> None:
    days = (START - timedelta(40), START, START + timedelta(1), START + timedelta(90))
    scored = [score(points, day) for points, day in zip((1, 2, 3, 4), days, strict=True)]
    assert steps(support(), *scored) == [2]
    # As recorded, in whatever order: it is the days that count.
    assert steps(*reversed(scored), support()) == [2]


def test_without_a_score_before_or_after_nothing_changed() -> None:
    before, after = score(2, START), score(4, START + timedelta(1))
    assert steps(support(), before) == []
    assert steps(support(), after) == []
    assert steps(before, after) == []
    assert steps(support(), before, score(4, START + timedelta(1), "social_network")) == []


def test_a_score_says_how_it_was_for_so_long_only() -> None:
    after = score(4, START + timedelta(30))
    oldest = START - timedelta(BEFORE_DAYS_MAX)
    assert steps(support(), score(1, oldest), after) == [3]
    assert steps(support(), score(1, oldest - timedelta(1)), after) == []
    ended = support(start_date=START - timedelta(60), end_date=START)
    before, newest = score(1, START - timedelta(60)), START + timedelta(AFTER_DAYS_MAX)
    assert steps(ended, before, score(3, newest)) == [2]
    assert steps(ended, before, score(3, newest + timedelta(1))) == []


def test_a_change_belongs_to_the_year_of_the_later_score() -> None:
    last_year = support(start_date=date(YEAR - 1, 12, 1))
    scores = (score(2, date(YEAR - 1, 11, 1)), score(3, date(YEAR - 1, 12, 31)), score(5, date(YEAR, 1, 1)))
    assert steps(last_year, *scores, year=YEAR - 1) == [1]
    assert steps(last_year, *scores) == [3]
    assert steps(last_year, *scores, year=YEAR + 1) == []


def test_custom_support_counts_from_the_day_care_started() -> None:
    custom = support(kind="custom", product_category="01", start_date=START - timedelta(30))
    scores = (score(2, START), score(4, START + timedelta(10)))
    assert steps(custom, *scores) == []
    started = SupportStarted(**OF_PLAN, support_id="s-1", care_start_date=START)
    (found,) = changes_of((custom, started, *scores), YEAR)
    assert (found.row, found.steps) == (Row("custom", "01"), 2)
    # After a stop for a while it goes on from its first day.
    stopped = SupportStopped(
        **OF_PLAN, support_id="s-1", care_end_date=START - timedelta(200), stop_reason="temporary"
    )
    early = replace(started, care_start_date=START - timedelta(300))
    assert steps(custom, early, stopped, score(1, START - timedelta(300)), *scores) == []
    assert steps(custom, early, stopped, started, score(1, START - timedelta(300)), *scores) == [3]
    assert steps(started, *scores) == [], "of a support nobody requested nothing is known"


# --- what one resident adds --------------------------------------------------------------------------------


@for_all(
    drawn=st.lists(
        st.tuples(st.sampled_from(QUESTION.cells()), st.integers(-4, 4), st.integers(0, 300)),
        max_size=12,
    )
)
def test_a_resident_is_in_one_cell_by_two_steps_at_most(drawn: list[Any]) -> None:
    changes = [Change(row, domain, START + timedelta(day), by) for (row, domain), by, day in drawn]
    cell = cell_of("r-1", changes, QUESTION)
    assert (cell is None) == (not changes)
    if cell is not None:
        assert (cell.row, cell.life_domain) in QUESTION.cells()
        assert abs(cell.steps) <= CHANGE_MAX
        assert cell_of("r-1", changes[::-1], QUESTION) == cell or len({one[:3] for one in changes}) < len(
            changes
        )


def test_of_changes_of_one_day_the_resident_draws_his_own_lot() -> None:
    changes = [Change(row, domain, START, 1) for row, domain in QUESTION.cells()]
    drawn = {cell_of(f"r-{number}", changes, QUESTION) for number in range(60)}
    assert len(drawn) == len(QUESTION.cells()), "no cell is always the one"
    earlier = Change(HELP, "housing", START - timedelta(1), 5)
    found = cell_of("r-1", [*changes, earlier], QUESTION)
    assert found is not None
    assert (found.row, found.life_domain, found.steps) == (HELP, "housing", CHANGE_MAX)


def test_what_the_question_does_not_ask_adds_nothing() -> None:
    assert cell_of("r-1", [Change(Row("custom", "99"), "housing", START, 1)], QUESTION) is None
    assert cell_of("r-1", [Change(HELP, "finance", START, 1)], QUESTION) is None


# --- what is shown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spend", [50, 333, 1_000, 4_000])
def test_a_cell_of_less_than_ten_is_shown_by_chance_only(spend: int) -> None:
    scale, least = Scales.of(spend).residents, shown_from(spend)
    q = math.exp(-1 / scale)

    def reached(number: int) -> float:
        return q**number / (1 + q)

    margin = least - (RESIDENTS_MIN - 1)
    assert reached(margin) <= SHOWN_BY_CHANCE_MAX < reached(margin - 1)
    assert margin == exceeds_by_chance(scale, SHOWN_BY_CHANCE_MAX)


def test_small_cells_lose_their_numbers_and_others_are_read_back() -> None:
    least = shown_from(1_000)
    noised = Noised((least, least - 1, -3, 100), (-9, 50, 7, 500))
    told = [told_cell(one) for one in published_cells(QUESTION, noised, 1_000)]
    assert [(one.row, one.life_domain) for one in told] == list(QUESTION.cells())
    assert [one.residents for one in told] == [least, None, None, 100]
    assert [one.mean for one in told] == [-9 / least, None, None, float(CHANGE_MAX)]


# --- what may be spent --------------------------------------------------------------------------------------
CELLS = published_cells(QUESTION, Noised((0,) * 4, (0,) * 4), 400)
PUBLISH = PublishTable(
    now=NOON,
    author=POLICY,
    table_id="t-1",
    question=QUESTION,
    cells=CELLS,
    spend_thousandths=400,
    total_thousandths=1_000,
    as_of=7,
)
PUBLISHED = TablePublished(
    year=YEAR,
    table_id=PUBLISH.table_id,
    question=QUESTION.name,
    handed_over=PUBLISH.handed_over,
    cells=CELLS,
    spent_thousandths=400,
    total_thousandths=1_000,
    as_of=7,
    organisation=MUNICIPALITY,
    task="beleid",
    professional="beleid-1",
    at=NOON,
)
OTHER_QUESTION = Question.asked(YEAR, [HELP, Row("custom", "02")], ["housing", "social_network"])
PROPOSE = ProposeBudget(
    now=NOON, author=POLICY, year=YEAR, total_thousandths=2_000, reason="Een jaar met veel vragen."
)
PROPOSED = BudgetProposed(
    year=YEAR,
    total_thousandths=2_000,
    reason=PROPOSE.reason,
    organisation=MUNICIPALITY,
    task="beleid",
    professional="beleid-1",
    at=NOON,
)
APPROVE = ApproveBudget(now=LATER, author=OTHER, year=YEAR, total_thousandths=2_000)
APPROVED = BudgetApproved(
    year=YEAR,
    total_thousandths=2_000,
    organisation=MUNICIPALITY,
    task="beleid",
    professional="beleid-2",
    at=LATER,
)


def test_a_table_is_published_once() -> None:
    given(INSIGHT).when(PUBLISH).then(PUBLISHED)
    given(INSIGHT, PUBLISHED).when(replace(PUBLISH, table_id="t-2", spend_thousandths=600)).then()
    # Asked again it spends nothing, so it is answered also when nothing is left.
    spent = replace(PUBLISHED, spent_thousandths=1_000)
    given(INSIGHT, spent).when(PUBLISH).then()


@pytest.mark.parametrize(("spend", "fits"), [(600, True), (601, False)])
def test_a_year_spends_its_total_and_no_more(spend: int, fits: bool) -> None:  # noqa: FBT001 -- a case of the table
    order = replace(PUBLISH, question=OTHER_QUESTION, table_id="t-2", spend_thousandths=spend)
    asked = given(INSIGHT, PUBLISHED).when(order)
    if fits:
        asked.then(replace(PUBLISHED, question=OTHER_QUESTION.name, table_id="t-2", spent_thousandths=spend))
    else:
        refused = pytest.raises(RuleBroken)
        with refused as told:
            INSIGHT.decide(order, fold(INSIGHT, PUBLISHED))
        assert told.value.metadata == {"rule": "BUDGET_EXHAUSTED", "left_thousandths": "600"}


def test_settings_that_change_later_change_no_year_that_began() -> None:
    order = replace(
        PUBLISH, question=OTHER_QUESTION, table_id="t-2", spend_thousandths=700, total_thousandths=4_000
    )
    with pytest.raises(RuleBroken) as refused:
        INSIGHT.decide(order, fold(INSIGHT, PUBLISHED))
    assert refused.value.metadata["rule"] == "BUDGET_EXHAUSTED"


def test_two_persons_change_a_total() -> None:
    given(INSIGHT).when(PROPOSE).then(PROPOSED)
    given(INSIGHT, PROPOSED).when(APPROVE).then(APPROVED)
    state = fold(INSIGHT, PUBLISHED, PROPOSED)
    assert (state.total_thousandths, state.proposal.total_thousandths) == (1_000, 2_000)
    state = fold(INSIGHT, PUBLISHED, PROPOSED, APPROVED)
    assert (state.total_thousandths, state.proposal, state.spent_thousandths) == (2_000, None, 400)
    # The officer may be the second person; he never asks.
    INSIGHT.decide(replace(APPROVE, author=OFFICER), fold(INSIGHT, PROPOSED))


REFUSED = [
    ((), replace(PUBLISH, author=OFFICER), "NOT_TO_PUBLISH"),
    ((), replace(PUBLISH, author=replace(POLICY, operator=False)), "NOT_THE_OPERATOR"),
    ((), replace(PROPOSE, author=OFFICER), "NOT_TO_PUBLISH"),
    ((), APPROVE, "NO_SUCH_BUDGET"),
    ((PROPOSED,), replace(APPROVE, total_thousandths=1_999), "NO_SUCH_BUDGET"),
    ((PROPOSED,), replace(APPROVE, author=POLICY), "SAME_PERSON"),
    ((PROPOSED,), replace(APPROVE, author=replace(POLICY, professional="BELEID-1")), "SAME_PERSON"),
    (
        (PROPOSED,),
        replace(APPROVE, author=Author(MUNICIPALITY, "beheer", "b-1", operator=True)),
        "NOT_TO_PUBLISH",
    ),
    ((PROPOSED, APPROVED), APPROVE, "NO_SUCH_BUDGET"),
    ((PUBLISHED,), replace(PROPOSE, total_thousandths=399), "BUDGET_SPENT"),
    (
        (replace(PROPOSED, total_thousandths=399), PUBLISHED),
        replace(APPROVE, total_thousandths=399),
        "BUDGET_SPENT",
    ),
]


@pytest.mark.parametrize(
    ("before", "order", "rule"), REFUSED, ids=lambda one: one if isinstance(one, str) else ""
)
def test_what_may_not_be(before: tuple[Any, ...], order: Any, rule: str) -> None:  # noqa: ANN401 -- any order
    with pytest.raises(RuleBroken) as refused:
        INSIGHT.decide(order, fold(INSIGHT, *before) if before else None)
    assert refused.value.metadata["rule"] == rule


@pytest.mark.parametrize("total", [49, 4_001])
def test_a_total_has_its_bounds(total: int) -> None:
    with pytest.raises(RequestInvalid) as refused:
        INSIGHT.decide(replace(PROPOSE, total_thousandths=total), None)
    assert set(refused.value.fields) == {"total_thousandths"}
    with pytest.raises(RequestInvalid) as refused:
        INSIGHT.decide(replace(PUBLISH, spend_thousandths=total), None)
    assert set(refused.value.fields) == {"spend_thousandths"}


def test_a_year_has_the_most_tables_it_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "TABLES_MAX", 1)
    with pytest.raises(RuleBroken) as refused:
        INSIGHT.decide(replace(PUBLISH, question=OTHER_QUESTION), fold(INSIGHT, PUBLISHED))
    assert refused.value.metadata["rule"] == "TABLES_FULL"
