"""Rows kept apart: judged and recorded as all are; to who may not see them they are not there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import AccessDenied
from exchange.gate.model import Field
from exchange.pipeline.elements import Asker, Label, held_as, of_rows
from exchange.pipeline.walk import Claim, Group
from tests.pipeline.shard import NECESSITY, NOW, Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import ReadWalk, View

PATH = "consents.state"
OTHER_DESK = "college:PW@00000001003214345000"
LABELS = {PATH: Label("WMO-PLAN")}


def rows(shard: Shard, *origins: str, basis: str = "WMO-2.3.2") -> Sequence[Group]:
    asker = Asker(shard.caller(), basis, NOW)
    view: Any = None
    return of_rows(LABELS, lambda _: origins, asker, shard.core.registers)(view, (PATH,))


def question(shard: Shard, plan_id: str, *origins: str, **changes: Any) -> ReadWalk:  # noqa: ANN401 -- any field of a walk
    """A question after rows of these origins, asked by the desk of the Wmo."""

    def groups(_view: View, _paths: tuple[str, ...]) -> Sequence[Group]:
        return rows(shard, *origins)

    return shard.question(plan_id, PATH, groups=groups, **changes)


def test_the_callers_own_rows_come_first_also_where_there_are_none(shard: Shard) -> None:
    own = f"college:WMO@{shard.oin}"
    for origins in ((), (own,), (OTHER_DESK, own), (OTHER_DESK, OTHER_DESK)):
        first, *others = rows(shard, *origins)
        assert (first.fact.name, first.origin, first.apart) == (PATH, own, False)
        assert [(one.origin, one.apart) for one in others] == [(OTHER_DESK, True)] * (OTHER_DESK in origins)
        assert all((one.fact.provider, one.fact.acquired_for) == ("college:PW", "pw") for one in others)


def test_rows_of_another_organisation_of_the_same_task_are_of_another_provider(shard: Shard) -> None:
    _, other = rows(shard, "college:WMO@" + "9" * 20)
    assert other.fact.provider == "andere-organisatie:college:WMO"


def test_what_may_not_be_seen_makes_nothing_partial_and_is_recorded(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    outcome = shard.done(question(shard, plan_id, OTHER_DESK))
    assert outcome.released == {PATH}
    assert outcome.rules == ("P-WMO-2.3.2",)
    assert outcome.withheld_paths == ()
    (row,) = shard.core.reader.page(head, 10)
    event: Any = shard.core.codec.decode(
        row.state, stream=row.stream, version=row.version, topic=row.topic
    ).event
    assert (event.outcome, event.rules) == ("PARTIAL", ("R07", "R09"))
    assert event.withheld == (f"{PATH}[WMO-PLAN|{OTHER_DESK}]",)


@pytest.mark.parametrize("allow_partial", [True, False])
def test_a_refusal_is_the_one_without_them(shard: Shard, *, allow_partial: bool) -> None:
    _, _, plan_id = shard.plan()
    wrong = {"claim": Claim("pw-recht-vaststellen", "WMO-2.3.2", NECESSITY), "allow_partial": allow_partial}
    alone, beside = shard.run(
        question(shard, plan_id, **wrong), question(shard, plan_id, OTHER_DESK, **wrong)
    )
    assert isinstance(alone, AccessDenied)
    assert alone.rules == beside.rules == ("R06",)
    assert alone.explanation == beside.explanation


def test_own_rows_withheld_refuse_the_whole_as_ever(shard: Shard) -> None:
    _, _, plan_id = shard.plan()

    def groups(_view: View, _paths: tuple[str, ...]) -> Sequence[Group]:
        own = Group(PATH, Field(PATH, "STRAFRECHT", provider="college:WMO", acquired_for="wmo"))
        return [own, replace(own, fact=Field("other", "WMO-PLAN", provider="college:WMO"), apart=True)]

    (refused,) = shard.run(shard.question(plan_id, PATH, groups=groups))
    assert isinstance(refused, AccessDenied)
    assert "R10" in refused.rules
    part = shard.done(shard.question(plan_id, PATH, groups=groups, allow_partial=True))
    assert part.released == {"other"}


def test_a_consent_is_held_by_who_asked_it_and_by_whom_it_names(shard: Shard) -> None:
    ref, case_id, _ = shard.plan()
    consent = shard.core.loader.load(f"consent-{shard.consent(ref, case_id)}").state
    asked_by = f"college:WMO@{shard.oin}"
    assert held_as(consent, shard.caller("college:PW")) == asked_by
    named = replace(consent, recipients=(f"{shard.oin}/college:PW",))
    assert held_as(named, shard.caller("college:PW")) == f"college:PW@{shard.oin}"
    assert held_as(named, shard.caller("college:JW")) == asked_by
