"""What a table is made of: everybody who was helped and scored, and nobody who is not to be counted."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case_events import CaseHandedOver
from exchange.domain.handover.events import HandoverOffered
from exchange.domain.insight import Question
from exchange.domain.insight.cells import Noised, told_cell
from exchange.domain.limits.objections import DecideObjection, Object
from exchange.domain.limits.restrictions import Restrict
from exchange.domain.plan import RectifyPlan
from exchange.domain.plan.corrections import ElementName
from exchange.domain.values import origin_of
from exchange.pipeline.tabulating import Asking, Tabulator
from exchange.pipeline.walk import Steps
from exchange.projections.follower import catch_up
from tests.pipeline.erasing import erased
from tests.pipeline.insights import QUESTION, ROW, START, YEAR, counted, handed_over, helped, scored, support
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.pipeline.shard import Shard

BOTH = Question.asked(YEAR, [ROW], ["housing", "social_network"])


def limited(shard: Shard, ref: str, order: Any) -> None:  # noqa: ANN401 -- any order on a resident
    shard.done(
        shard.command(order, "resident", ref, anchor=f"resident-{ref}", relation=False, category="CONTACT")
    )


def test_who_was_helped_is_in_one_cell(shard: Shard) -> None:
    helped(shard, 2, 4)
    helped(shard, 3, 2)
    helped(shard, 3)
    ref, plan_id = helped(shard, 1, 2)
    assert counted(shard) == ([3], [2])
    # A second plan, another domain, one more support: the same resident stays in one cell.
    _, _, second = shard.plan(ref)
    for points, days in ((1, 0), (5, 20)):
        scored(shard, second, points, START + timedelta(days=days), "social_network")
    support(shard, plan_id)
    residents, steps = counted(shard, BOTH)
    assert sum(residents) == 3
    assert abs(sum(steps)) <= 2 * 3


def test_another_year_and_another_support_are_other_cells(shard: Shard) -> None:
    helped(shard, 2, 4)
    assert counted(shard, Question.asked(YEAR - 1, [ROW], ["housing"])) == ([0], [0])
    other = ROW._replace(product_category="08")
    assert counted(shard, Question.asked(YEAR, [other, ROW], ["housing"])) == ([1, 0], [2, 0])


def test_who_restricted_or_objected_is_in_no_table(shard: Shard) -> None:
    said: dict[str, Any] = {"now": NOW, "author": shard.author(), "reason": "liever niet"}
    limits = (
        Restrict(**said, restriction_id="1"),
        Restrict(**said, restriction_id="1", purpose="statistiek"),
        Object(**said, objection_id="1", purpose="statistiek"),
        Object(**said, objection_id="1", recipient=f"{shard.oin}/beleid"),
    )
    for order in limits:
        ref, _ = helped(shard, 2, 4)
        limited(shard, ref, order)
    assert counted(shard) == ([0], [0])
    ref, _ = helped(shard, 2, 4)
    limited(shard, ref, Object(**said, objection_id="1", purpose="wmo-levering"))
    assert counted(shard) == ([1], [2]), "a limit about something else keeps nobody out"
    limited(shard, ref, Object(**said, objection_id="2", purpose="statistiek"))
    assert counted(shard) == ([0], [0])
    limited(shard, ref, DecideObjection(**said, objection_id="2", outcome="REJECTED"))
    assert counted(shard) == ([1], [2])


def test_who_has_a_seal_is_in_no_table(shard: Shard) -> None:
    ref, _ = helped(shard, 2, 4)
    shard.seal(ref, str(uuid.uuid4()), ("goals.own_words",))
    assert counted(shard) == ([0], [0])


def test_who_was_erased_is_in_no_table_at_once(shard: Shard) -> None:
    ref, _ = helped(shard, 2, 4)
    helped(shard, 3, 4)
    assert counted(shard) == ([2], [3])
    asking = Asking(f"{shard.oin}/beleid", NOW)
    erased(shard, ref)
    # The read model does not know yet: his keys are gone all the same.
    assert shard.core.tables.counted(QUESTION, asking)[:2] == ([1], [1])
    assert counted(shard) == ([1], [1])


def test_what_was_erased_in_part_is_in_no_table(shard: Shard) -> None:
    ref, _ = helped(shard, 2, 4)
    counted(shard)
    erased(shard, ref, categories=("WONEN",), kept=("legal_claim",))
    asking = Asking(f"{shard.oin}/beleid", NOW)
    assert shard.core.tables.counted(QUESTION, asking)[:2] == ([0], [0])
    assert counted(shard) == ([0], [0])


def test_what_is_past_its_term_is_in_no_table(shard: Shard) -> None:
    helped(shard, 2, 4)
    counted(shard)
    for years, found in ((15, ([0], [0])), (14, ([1], [2]))):
        asking = Asking(f"{shard.oin}/beleid", NOW.replace(year=NOW.year + years))
        assert shard.core.tables.counted(QUESTION, asking)[:2] == found


def rectified(shard: Shard, plan_id: str, field: str, says: str) -> None:
    """Correct the newest score of housing."""
    origin = origin_of(shard.author().task, shard.author().oin)
    order = RectifyPlan(
        now=NOW,
        author=shard.author(),
        element=ElementName("situations", "housing", origin),
        field=field,
        values=(says,),
    )
    shard.done(shard.command(order, "plan", plan_id, anchor=f"plan-{plan_id}", category="WONEN"))


def test_what_was_corrected_counts_as_it_was_corrected(shard: Shard) -> None:
    _, plan_id = helped(shard, 2, 4)
    assert counted(shard) == ([1], [2])
    rectified(shard, plan_id, "score", "3")
    assert counted(shard) == ([1], [1])
    rectified(shard, plan_id, "description", "anders")
    assert counted(shard) == ([1], [1])
    # Moved to before the help began it is no score of after it; moved back, from another year, it is.
    day = START + timedelta(days=10)
    rectified(shard, plan_id, "judge_date", day.replace(year=YEAR - 1).isoformat())
    assert counted(shard) == ([0], [0])
    rectified(shard, plan_id, "judge_date", day.isoformat())
    assert counted(shard) == ([1], [1])


def test_a_score_that_is_moved_into_a_year_counts_there(shard: Shard) -> None:
    _, plan_id = helped(shard, 2)
    scored(shard, plan_id, 4, START.replace(year=YEAR + 1))
    later = Question.asked(YEAR + 2, [ROW], ["housing"])
    assert counted(shard, later) == ([0], [0])
    rectified(shard, plan_id, "judge_date", START.replace(year=YEAR + 2).isoformat())
    assert counted(shard, later) == ([1], [2])


def test_a_correction_of_what_was_erased_corrects_nothing(shard: Shard) -> None:
    ref, plan_id = helped(shard, 2, 4)
    rectified(shard, plan_id, "score", "3")
    erased(shard, ref, categories=("WONEN",), kept=("legal_claim",))
    assert counted(shard) == ([0], [0])


def test_nothing_leaves_without_noise(shard: Shard) -> None:
    helped(shard, 2, 4)
    catch_up(shard.core.insight, shard.core.reader, shard.core.codec)
    given: list[Any] = []

    def noise(residents: Sequence[int], steps: Sequence[int], spend_thousandths: int) -> Noised:
        given.append((list(residents), list(steps), spend_thousandths))
        return Noised([40, 60], [-40])

    core = shard.core
    maker = Tabulator(core.insight, core.reader, core.codec, core.loader, noise)
    made = maker.make(QUESTION, 500, Asking(f"{shard.oin}/beleid", NOW))
    assert given == [([1, 0], [2], 500)]
    assert made.as_of == shard.head
    (cell,) = map(told_cell, made.cells)
    assert (cell.residents, cell.mean) == (40, -1.0)
    assert made.handed_over == "60"


def went_along(shard: Shard, ref: str, case_id: str, plan_id: str, *, done: bool = True) -> None:
    """Let a plan be offered to another municipality, and go along."""
    name = str(uuid.uuid4())
    offered = HandoverOffered(
        resident=ref,
        handover_id=name,
        case_id=case_id,
        plan_id=plan_id,
        organisation=shard.oin,
        task="college:WMO",
        recipient_oin="00000001003214345001",
        recipient_task="college-andere-gemeente:WMO",
        consent_id="c",
        purpose="wmo-onderzoek",
        envelope="dicht",
        at=NOW,
    )
    gone = CaseHandedOver(resident=ref, case_id=case_id, handover_id=name, at=NOW)
    steps: list[Any] = [(f"handover-{name}", (offered,))]
    if done:
        steps.append((f"case-{case_id}", (gone,)))
    shard.done(shard.walk(lambda _: Steps(steps), anchor=f"plan-{plan_id}"))


def test_who_was_handed_over_is_told_apart_and_in_no_cell(shard: Shard) -> None:
    helped(shard, 3, 4)
    ref, plan_id = helped(shard, 2, 4)
    case_id = shard.core.loader.load(f"plan-{plan_id}").state.case_id
    went_along(shard, ref, case_id, plan_id, done=False)
    assert counted(shard) == ([2], [3])
    assert handed_over(shard) == 0
    went_along(shard, ref, case_id, plan_id)
    assert counted(shard) == ([1], [1]), "what another municipality has is its own to count"
    assert handed_over(shard) == 1
    # Who came back has a plan of this municipality: in its cell, and no longer among those who left.
    _, _, second = shard.plan(ref)
    support(shard, second)
    for points, days in ((1, 0), (2, 20)):
        scored(shard, second, points, START + timedelta(days=days))
    assert counted(shard) == ([2], [2])
    assert handed_over(shard) == 0


def test_who_was_handed_over_and_erased_is_in_no_number(shard: Shard) -> None:
    ref, plan_id = helped(shard, 2, 4)
    went_along(shard, ref, shard.core.loader.load(f"plan-{plan_id}").state.case_id, plan_id)
    assert handed_over(shard) == 1
    erased(shard, ref)
    assert handed_over(shard) == 0
    followed = shard.core.insight.database.dump()
    shard.core.insight.database.forget()
    assert handed_over(shard) == 0
    assert shard.core.insight.database.dump() == followed


@pytest.mark.parametrize("spend", [50, 1_000])
def test_a_table_of_the_shard_itself_is_made_with_noise(shard: Shard, spend: int) -> None:
    catch_up(shard.core.insight, shard.core.reader, shard.core.codec)
    made = shard.core.tables.make(BOTH, spend, Asking(f"{shard.oin}/beleid", NOW))
    assert len(made.cells) == 2
