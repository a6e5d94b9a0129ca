"""What a proposed register would open and close: of what was decided, and without a trace."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.errors import RegisterInvalid
from exchange.gate.canonical import entries_of_text
from exchange.gate.model import Field
from exchange.gate.register import Register
from exchange.pipeline.preview import RECORDING, Effect, Preview, first_since, proposed_over
from exchange.pipeline.walk import Group
from tests.pipeline.legal_bases import NEW_BASIS, UNDER_NEW, disabling, enabled, entry_text, under_new
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard

LATER = NOW + timedelta(hours=1)
WMO, PLAN = "college:WMO", "WMO-PLAN"
DAY = datetime(2026, 3, 2, tzinfo=UTC)


def previewed(
    shard: Shard, text: str, *, since: datetime = DAY, whole: bool = False, organisation: str = ""
) -> Effect:
    effect = Effect()
    two = proposed_over(shard.core.register, entries_of_text(text), NOW, whole=whole)
    rows = shard.core.reader.page(first_since(shard.core.reader, shard.core.codec, since), 10_000)
    Preview(shard.core.codec, *two).run(rows, effect, since=since, organisation=organisation)
    return effect


def crime(shard: Shard, plan_id: str, *, allow_partial: bool) -> None:
    """Ask a goal and something of the police; WMO-2.3.2 does not cover the last."""
    goal = Field("goals.own_words", PLAN, provider=WMO, acquired_for="wmo")
    police = Field("situations.description", "STRAFRECHT", provider=WMO, acquired_for="wmo")
    shard.run(
        shard.question(
            plan_id,
            groups=lambda _, __: [Group(goal.name, goal), Group(police.name, police)],
            allow_partial=allow_partial,
        )
    )


def test_the_same_register_opens_and_closes_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    crime(shard, plan_id, allow_partial=True)
    shard.run(shard.question(plan_id), shard.goal(plan_id), under_new(shard, plan_id))
    effect = previewed(shard, entry_text("WMO-2.3.2", 2))
    assert (effect.decisions, effect.commands, effect.changes) == (3, 3, [])


def test_a_basis_that_was_not_there_opens_what_was_refused(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id), shard.question(plan_id))
    head = shard.head
    effect = previewed(shard, entry_text())
    assert (dict(effect.opens), dict(effect.closes)) == ({(WMO, PLAN): 1}, {})
    (change,) = effect.changes
    assert (change.rules_now, change.rules_proposed) == (("R04",), (f"P-{NEW_BASIS}",))
    # Nothing was written and nothing is open.
    assert shard.head == head
    assert shard.core.register.find(NEW_BASIS, NOW) is None


def test_a_version_that_begins_next_year_is_looked_at_as_if_it_stood(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    effect = previewed(shard, entry_text(valid_from="2027-01-01"))
    assert dict(effect.opens) == {(WMO, PLAN): 1}
    # One that was over before today would open nothing.
    over = entry_text(valid_from="2020-01-01", valid_to="2021-01-01")
    assert previewed(shard, over).changes == []


def test_a_category_taken_away_closes_it_and_the_commands_stay(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id), shard.goal(plan_id))
    narrower = re.sub(r'"WMO-PLAN", |, "WMO-PLAN"', "", entry_text("WMO-2.3.2", 2))
    effect = previewed(shard, narrower)
    assert (dict(effect.opens), dict(effect.closes)) == ({}, {(WMO, PLAN): 1})
    assert effect.changes[0].rules_proposed == ("R10",)


def test_a_basis_that_ends_closes_reads_and_recording(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id), shard.goal(plan_id))
    effect = previewed(shard, entry_text("WMO-2.3.2", 2, enabled="false"))
    recorded = effect.commands
    assert dict(effect.closes) == {(WMO, PLAN): 1, (WMO, RECORDING): recorded}
    assert recorded == 3  # the resident, the report, the goal


def test_what_the_whole_register_leaves_out_ends(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    other = entry_text("WGS-3", like="WGS-3")
    assert previewed(shard, other).closes[WMO, PLAN] == 0
    assert previewed(shard, other, whole=True).closes[WMO, PLAN] == 1


def test_who_was_refused_the_whole_for_a_part_is_given_all_or_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    crime(shard, plan_id, allow_partial=False)
    wider = entry_text("WMO-2.3.2", 2, criminal_allowed="true")
    with_crime = wider.replace('categories = ["', 'categories = ["STRAFRECHT", "')
    effect = previewed(shard, with_crime)
    assert dict(effect.opens) == {(WMO, PLAN): 1, (WMO, "STRAFRECHT"): 1}
    # A change that still leaves a part withheld gives nothing of the whole.
    assert previewed(shard, entry_text("WMO-2.3.2", 2, title='"anders"')).changes == []


def test_a_part_that_opens_is_told_by_its_category(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    crime(shard, plan_id, allow_partial=True)
    wider = entry_text("WMO-2.3.2", 2, criminal_allowed="true").replace(
        'categories = ["', 'categories = ["STRAFRECHT", "'
    )
    assert dict(previewed(shard, wider).opens) == {(WMO, "STRAFRECHT"): 1}


def test_what_was_disabled_since_is_measured_against_today(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    enabled(shard, entry_text())
    shard.done(under_new(shard, plan_id))
    shard.done(disabling(shard, NEW_BASIS))
    effect = previewed(shard, entry_text(NEW_BASIS, 2))
    assert dict(effect.opens) == {(WMO, PLAN): 1}
    assert effect.changes[0].rules_now == ("R05",)


@pytest.mark.parametrize(
    ("since", "counted"),
    [(LATER, 1), (LATER + timedelta(microseconds=1), 0), (DAY, 1), (NOW - timedelta(days=400), 1)],
)
def test_only_what_was_decided_since_counts(shard: Shard, since: datetime, counted: int) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    assert previewed(shard, entry_text(), since=since).decisions == counted


def test_erased_words_are_counted_and_not_judged(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    shard.core.keys.destroy(ref)
    effect = previewed(shard, entry_text())
    assert (effect.decisions, effect.words_erased, effect.changes) == (1, 1, [])


def test_one_organisation_sees_what_it_asked(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    assert previewed(shard, entry_text(), organisation="00000009999999999000").decisions == 0
    assert previewed(shard, entry_text(), organisation=shard.oin).decisions == 1


def test_the_highest_version_of_a_file_counts_and_a_number_stands_once() -> None:
    first, second = entry_text("WMO-2.3.2", 2), entry_text("WMO-2.3.2", 3, enabled="false")
    both = "".join(f"[[basis]]\n{text}\n" for text in (second, first))
    _, proposed = proposed_over(Register.load(), entries_of_text(both), NOW)
    basis = proposed.find("WMO-2.3.2", NOW)
    assert basis is not None
    assert (basis.version, basis.enabled) == (3, False)
    with pytest.raises(RegisterInvalid) as refused:
        entries_of_text(f"[[basis]]\n{first}\n[[basis]]\n{first}")
    assert refused.value.metadata["key"] == "version"


def test_the_claim_itself_is_what_is_judged(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    closed_by_purpose = entry_text(purposes='["statistiek"]')
    assert UNDER_NEW.purpose == "wmo-onderzoek"
    assert previewed(shard, closed_by_purpose).changes == []
