"""Two writers on one store: neither judges by a register that the other changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.errors import AccessDenied, RuleBroken
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.legal_bases import (
    NEW_BASIS,
    approving,
    disabling,
    enabled,
    entry_text,
    proposal,
    under_new,
)
from tests.pipeline.shard import NOW, WIJKTEAM

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard

TEXT = entry_text()


def test_another_writer_finds_that_the_register_moved_before_it_permits(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    beside = shard.beside()
    try:
        assert isinstance(beside.done(beside.goal(plan_id)), CommandOutcome)
        shard.done(disabling(shard, WIJKTEAM.legal_basis))
        command, read = beside.run(beside.goal(plan_id), beside.question(plan_id))
        for refused in (command, read):
            assert isinstance(refused, AccessDenied)
            assert refused.rules == ("R05",)
        assert beside.core.register.policy_hash == shard.core.register.policy_hash
    finally:
        beside.close()
    shard.verified()


def test_another_writer_finds_what_was_enabled(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    beside = shard.beside()
    try:
        beside.run(under_new(beside, plan_id))
        enabled(shard, TEXT)
        assert isinstance(beside.done(under_new(beside, plan_id)), ReadOutcome)
    finally:
        beside.close()


def test_a_refusal_that_is_not_recorded_does_not_rest_on_an_old_register(shard: Shard) -> None:
    """The refusal of the domain writes nothing, so only the confirming look at the head can tell."""
    beside = shard.beside()
    try:
        third = approving(beside, TEXT, "b-3")
        beside.run(third)  # there is no such version yet
        enabled(shard, TEXT)
        (refused,) = beside.run(third)
        assert isinstance(refused, RuleBroken)
        assert refused.metadata["rule"] == "APPROVED_ALREADY"
        assert beside.core.register.find(NEW_BASIS, NOW) is not None
    finally:
        beside.close()


def test_two_writers_both_approve_and_one_second_approval_counts(shard: Shard) -> None:
    beside = shard.beside()
    try:
        shard.done(proposal(shard, TEXT))
        shard.done(approving(shard, TEXT, "b-2"))
        beside.done(approving(beside, TEXT, "b-3"))
        (refused,) = shard.run(approving(shard, TEXT, "fg-1", "fg"))
        assert isinstance(refused, RuleBroken)
        assert refused.metadata["rule"] == "APPROVED_ALREADY"
        basis = shard.core.register.find(NEW_BASIS, NOW)
        assert basis is not None
        assert basis.approved_by == ("b-2", "b-3")
    finally:
        beside.close()


def test_two_writers_never_build_on_a_register_the_other_changed(shard: Shard) -> None:
    """The other brought a version into force that leaves no room: found before anything is written."""
    second = entry_text(NEW_BASIS, 2, valid_from="2026-01-01", succeeds="1")
    beside = shard.beside()
    try:
        enabled(shard, TEXT)
        beside.run(beside.goal("no-such-plan"))
        shard.done(disabling(shard, NEW_BASIS))
        enabled(shard, second)
        (refused,) = beside.run(proposal(beside, entry_text(NEW_BASIS, 3, valid_from="2026-02-01")))
        assert isinstance(refused, RuleBroken)
        assert refused.metadata["rule"] == "VALIDITY_OVERLAPS"
        third = entry_text(NEW_BASIS, 3, valid_from="2026-02-01", succeeds="2")
        enabled(beside, third)
        shard.run(shard.goal("no-such-plan"))
        assert shard.core.register.policy_hash == beside.core.register.policy_hash
    finally:
        beside.close()
    shard.verified()
