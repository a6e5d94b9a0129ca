"""What a proposed register would open and close: of what was decided, and without a trace."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.errors import RegisterInvalid
from exchange.gate.canonical import entries_of_text
from exchange.gate.model import Field
from exchange.pipeline import steps
from exchange.pipeline.preview import RECORDING, Effect, Preview, first_since
from exchange.pipeline.proposed import proposed_over
from exchange.pipeline.walk import Group
from tests.pipeline.legal_bases import (
    NEW_BASIS,
    UNDER_NEW,
    approving,
    disabling,
    enabled,
    entry_text,
    proposal,
    successor,
    under_new,
)
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from exchange.pipeline.registers import Known
    from tests.pipeline.shard import Shard

LATER = NOW + timedelta(hours=1)
WMO, PLAN = "college:WMO", "WMO-PLAN"
DAY = datetime(2026, 3, 2, tzinfo=UTC)


def previewed(
    shard: Shard, text: str, *, since: datetime = DAY, whole: bool = False, organisation: str = ""
) -> Effect:
    effect = Effect()
    two = proposed_over(known(shard), entries_of_text(text), NOW, whole=whole)
    rows = shard.core.reader.page(first_since(shard.core.reader, shard.core.codec, since), 10_000)
    Preview(shard.core.reader, shard.core.codec, *two).run(
        rows, effect, since=since, organisation=organisation
    )
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
    effect = previewed(shard, successor())
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


def test_a_category_taken_away_closes_it_for_reading_and_recording(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id), shard.goal(plan_id))
    narrower = re.sub(r'"WMO-PLAN", |, "WMO-PLAN"', "", successor())
    effect = previewed(shard, narrower)
    # The question, the report and the goal; that somebody was registered is of another category.
    assert (dict(effect.opens), dict(effect.closes)) == ({}, {(WMO, PLAN): 3})
    assert {one.rules_proposed for one in effect.changes} == {("R10",)}
    assert {one.rules_now for one in effect.changes} == {("P-WMO-2.3.2",)}


def test_purpose_recipient_and_provider_count_for_commands_too(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    for changes, rule in (
        ({"purposes": '["wmo-levering"]'}, "R06"),
        ({"recipients": '["school"]'}, "R08"),
        ({"providers": '["svb"]'}, "R09"),
    ):
        effect = previewed(shard, successor(2, **changes))
        assert effect.closes[WMO, PLAN] == 2, changes
        assert {rule in one.rules_proposed for one in effect.changes} == {True}, effect.changes


def test_a_command_that_is_refused_today_would_be_permitted_again(shard: Shard) -> None:
    enabled(shard, entry_text(direction='"OBTAIN"'))
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id, claim=UNDER_NEW))
    shard.done(disabling(shard, NEW_BASIS))
    effect = previewed(shard, entry_text(NEW_BASIS, 2, direction='"OBTAIN"'))
    assert (dict(effect.opens), dict(effect.closes)) == ({(WMO, PLAN): 1}, {})


def test_a_command_of_before_is_told_by_its_basis_alone(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "asked_of", lambda *_: None)
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    narrower = re.sub(r'"WMO-PLAN", |, "WMO-PLAN"', "", successor())
    assert previewed(shard, narrower).changes == []
    assert dict(previewed(shard, successor(enabled="false")).closes) == {(WMO, RECORDING): 3}


def test_a_basis_that_ends_closes_reads_and_recording(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id), shard.goal(plan_id))
    effect = previewed(shard, successor(enabled="false"))
    # The question, the report, the goal; and the resident's registration.
    assert dict(effect.closes) == {(WMO, PLAN): 3, (WMO, "CONTACT"): 1}
    assert effect.commands == 3


def test_what_the_whole_register_leaves_out_ends(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    other = entry_text("WGS-3", like="WGS-3")
    assert previewed(shard, other).closes[WMO, PLAN] == 0
    assert previewed(shard, other, whole=True).closes[WMO, PLAN] == 2


def test_who_was_refused_the_whole_for_a_part_is_given_all_or_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    crime(shard, plan_id, allow_partial=False)
    wider = successor(criminal_allowed="true")
    with_crime = wider.replace('categories = ["', 'categories = ["STRAFRECHT", "')
    effect = previewed(shard, with_crime)
    assert dict(effect.opens) == {(WMO, PLAN): 1, (WMO, "STRAFRECHT"): 1}
    # A change that still leaves a part withheld gives nothing of the whole.
    assert previewed(shard, successor(title='"anders"')).changes == []


def test_a_part_that_opens_is_told_by_its_category(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    crime(shard, plan_id, allow_partial=True)
    wider = successor(criminal_allowed="true").replace('categories = ["', 'categories = ["STRAFRECHT", "')
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
    # The decision, and the report whose resident is found by opening it.
    assert (effect.decisions, effect.words_erased, effect.changes) == (1, 2, [])


def test_one_organisation_sees_what_it_asked(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    assert previewed(shard, entry_text(), organisation="00000009999999999000").decisions == 0
    assert previewed(shard, entry_text(), organisation=shard.oin).decisions == 1


def together(*texts: str) -> str:
    return "".join(f"[[basis]]\n{text}\n" for text in texts)


def test_the_highest_version_of_a_file_counts_and_a_number_stands_once(shard: Shard) -> None:
    first, second = successor(), successor(3, enabled="false")
    _, proposed = proposed_over(known(shard), entries_of_text(together(second, first)), NOW)
    basis = proposed.find("WMO-2.3.2", NOW)
    assert basis is not None
    assert (basis.version, basis.enabled) == (3, False)
    with pytest.raises(RegisterInvalid) as refused:
        entries_of_text(together(first, first))
    assert refused.value.metadata["key"] == "version"


# --- what the register would refuse ----------------------------------------------------------------------


def known(shard: Shard) -> Known:
    return shard.core.registers.known_at(shard.head)


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        (entry_text("WMO-2.3.2", 2), "valid_from", "succeeds"),
        (successor(succeeds="0"), "valid_from", "valid on one day"),
        (entry_text("WMO-2.3.2", 2, valid_from="2014-01-01"), "valid_from", "valid on one day"),
        (successor(valid_from="2015-01-01"), "valid_from", "valid on one day"),
        (entry_text("WMO-2.3.2", 1, title='"anders"'), "version", "higher one"),
        (successor(3), "succeeds", "not there"),
        (entry_text(version=2, succeeds="1"), "succeeds", "not there"),
        (together(successor(), entry_text("WMO-2.3.2", 3)), "valid_from", "valid on one day"),
        (
            entry_text(
                title=f'"{"x" * 999}"',
                citation=f'{{ law = "{"x" * 15_500}", article = "1", wording = "2015" }}',
            ),
            "text",
            "characters",
        ),
    ],
)
def test_what_the_register_would_refuse_is_refused_with_its_place(
    shard: Shard, text: str, key: str, word: str
) -> None:
    entries = entries_of_text(text)
    with pytest.raises(RegisterInvalid) as refused:
        proposed_over(known(shard), entries, NOW)
    assert refused.value.metadata["key"] == key
    assert refused.value.metadata["entry"] == entries[0].id
    assert word in refused.value.message


def test_a_version_that_begins_where_the_other_ends_is_looked_at(shard: Shard) -> None:
    first = entry_text(valid_from="2020-01-01", valid_to="2026-01-01")
    on_the_line = entry_text(version=2, valid_from="2026-01-01")
    assert len(proposed_over(known(shard), entries_of_text(together(first, on_the_line)), NOW)) == 2
    a_day_early = entry_text(version=2, valid_from="2025-12-31")
    with pytest.raises(RegisterInvalid):
        proposed_over(known(shard), entries_of_text(together(first, a_day_early)), NOW)


@pytest.mark.parametrize(
    ("approvers", "why"),
    [
        ('["b-2"]', "two approvers"),
        ('["b-2", "b-2"]', "said once"),
        ('["b-2", "B-2 "]', "twice"),
        ('[""]', "each item"),
        ('"b-2"', "a list"),
        ("7", "a list"),
    ],
)
def test_approvers_a_register_file_could_not_name_are_refused(approvers: str, why: str) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        entries_of_text(f"{successor()}approved_by = {approvers}\n")
    assert (refused.value.metadata["key"], refused.value.metadata["entry"]) == ("approved_by", "WMO-2.3.2")
    assert why in refused.value.message


@pytest.mark.parametrize("approvers", ["", "approved_by = []\n", 'approved_by = ["b-2", "fg-1"]\n'])
def test_a_proposal_and_a_file_of_two_approvers_are_looked_at(approvers: str) -> None:
    (entry,) = entries_of_text(successor() + approvers)
    assert (entry.version, entry.approved_by) == (2, ())


def test_what_is_proposed_already_is_looked_at_and_so_is_what_stands(shard: Shard) -> None:
    text = successor()
    shard.done(proposal(shard, text))
    once = proposed_over(known(shard), entries_of_text(text), NOW)[1].find("WMO-2.3.2", NOW)
    shard.done(approving(shard, text, "b-2"))
    twice = proposed_over(known(shard), entries_of_text(text), NOW)[1].find("WMO-2.3.2", NOW)
    shard.done(approving(shard, text, "fg-1", "fg"))
    stands = proposed_over(known(shard), entries_of_text(text), NOW)[1].find("WMO-2.3.2", NOW)
    for found in (once, twice, stands):
        assert found is not None
        assert (found.version, found.enabled) == (2, True)
    shard.done(disabling(shard, "WMO-2.3.2", 2))
    with pytest.raises(RegisterInvalid) as refused:
        proposed_over(known(shard), entries_of_text(text), NOW)
    assert refused.value.metadata["key"] == "version"


def test_a_proposal_of_somebody_else_in_the_same_days_is_in_the_way(shard: Shard) -> None:
    shard.done(proposal(shard, entry_text()))
    with pytest.raises(RegisterInvalid) as refused:
        proposed_over(known(shard), entries_of_text(entry_text(version=2)), NOW)
    assert refused.value.metadata["key"] == "valid_from"


def test_the_claim_itself_is_what_is_judged(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(under_new(shard, plan_id))
    closed_by_purpose = entry_text(purposes='["statistiek"]')
    assert UNDER_NEW.purpose == "wmo-onderzoek"
    assert previewed(shard, closed_by_purpose).changes == []
