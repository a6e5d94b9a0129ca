"""What a seal on one leaf covers beside it: what was there before, what serves it, and what it costs."""

from __future__ import annotations

from dataclasses import fields

import pytest

from exchange.domain.limits.compartments import LEAVES_OF, Kept, sealed_with
from exchange.domain.limits.links import NO_LINKS
from exchange.domain.limits.seals import Seal
from exchange.domain.plan import PLAN, Funding, as_seen
from tests.domain.builders import PROVIDER, fold
from tests.domain.plan_builders import DECIDED, FUNDING_SET

READER = "00000001003214345000/college:WMO/w-2"


def sealed(*paths: str) -> frozenset[str]:
    return Kept.of((Seal("s-1", paths, (), (READER,)),), NO_LINKS).paths


def test_what_is_kept_now_is_kept_of_before_and_of_its_money() -> None:
    assert "situations.earlier_scores" in sealed("situations.score")
    assert "trajectories.earlier_steps" in sealed("trajectories.step")
    assert sealed("goals.goal_id") >= {"evaluations.scores", "supports.goal_ids"}
    of_support = Kept.of((Seal("s-1", ("supports.support_id",), (), (READER,)),), NO_LINKS)
    assert of_support.collections == {"funding"}
    # A word that waits is a yes; why a child's is enough is what the answer says.
    said = {"agreements.outcome", "agreements.waits", "answers.without_parents"}
    assert sealed("agreements.outcome") == sealed("agreements.waits") == said
    assert sealed("answers.answer") == {"answers.answer", "answers.without_parents"}
    # And nothing more than that.
    assert sealed("situations.description") == {"situations.description", "situations.statement"}


@pytest.mark.parametrize(
    "name", ["conversations", "situations", "goals", "supports", "agreements", "answers"]
)
def test_a_seal_of_before_a_leaf_was_there_covers_it_where_it_covered_all_there_was(name: str) -> None:
    since = {
        "conversations": {"present", "statement"},
        "situations": {"earlier_scores", "earlier_judge_dates", "source", "own_network", "statement"},
        "goals": {"state", "state_date", "carried_by", "statement"},
        "agreements": {"spoken_by", "waits"},
        "answers": {"without_parents"},
        "supports": {"refuse_reason"},
    }[name]
    before = tuple(sorted(LEAVES_OF[name] - {f"{name}.{leaf}" for leaf in since}))
    whole = Kept.of((Seal("s-1", before, (), (READER,)),), NO_LINKS)
    assert whole.paths >= LEAVES_OF[name]
    assert name in whole.collections
    part = Kept.of((Seal("s-1", before[1:], (), (READER,)),), NO_LINKS)
    assert name not in part.collections


def test_every_leaf_that_is_named_is_one_of_the_plan() -> None:
    leaves = frozenset().union(*LEAVES_OF.values())
    assert leaves >= {path for leaf in leaves for path in sealed_with(leaf)}


def test_who_may_not_know_of_a_provider_does_not_see_what_it_is_paid() -> None:
    plan = fold(PLAN, *DECIDED, FUNDING_SET)
    (split,) = plan.funding
    assert split.of_provider == PROVIDER
    assert "of_provider" in {one.name for one in fields(Funding)}
    seen = as_seen(plan, (), frozenset(), frozenset({f"{PROVIDER}/wmo-aanbieder"}))
    assert (seen.supports, seen.funding) == ((), ())
    other = as_seen(plan, (), frozenset(), frozenset({"00000004001234567000/wmo-aanbieder"}))
    assert other.funding == plan.funding
