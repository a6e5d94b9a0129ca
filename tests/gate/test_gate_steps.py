"""The gate takes the same steps for what is sealed as for what is not there: counted, not timed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.gate.judge import judge_and_tell, owing
from exchange.gate.model import Outcome
from tests.gate.test_gate_laws import REGISTER, bent_facts
from tests.gate.test_gate_lines import BREAKS, READS
from tests.instructions import instructions, unlike

if TYPE_CHECKING:
    from exchange.gate.model import Facts, Verdict


def sealing(facts: Facts, which: list[bool]) -> Facts:
    """Return the facts of a stranger to the seal, with these fields sealed."""
    fields = zip(facts.fields or (), which, strict=False)
    return replace(facts, roles=frozenset(), fields=tuple(replace(one, sealed=on) for one, on in fields))


def recorded(facts: Facts) -> Verdict:
    return owing(*judge_and_tell(facts, REGISTER))


def refuse_other_steps(facts: Facts, which: list[bool]) -> list[Outcome]:
    """Compare none sealed, some, all; return the three outcomes."""
    three = [sealing(facts, marks) for marks in ([False] * len(which), which, [True] * len(which))]
    # First once without looking: what is the same for everybody is worked out once.
    outcomes = [recorded(one).outcome for one in three]
    steps, *others = [instructions(partial(recorded, one)) for one in three]
    assert steps.total() > 0
    assert [unlike(steps, other) for other in others] == [{}, {}]
    return outcomes


@settings(max_examples=100, deadline=None)
@given(bent_facts(), st.lists(st.booleans(), min_size=9, max_size=9))
def test_p10_sealed_and_absent_take_the_same_steps(facts: Facts, which: list[bool]) -> None:
    refuse_other_steps(facts, which)


@pytest.mark.parametrize(
    ("facts", "outcomes"),
    [
        (READS, [Outcome.PERMIT, Outcome.PARTIAL, Outcome.DENY]),
        (BREAKS, [Outcome.PERMIT_BREAK_GLASS, Outcome.PARTIAL_BREAK_GLASS, Outcome.DENY]),
    ],
    ids=["ordinary", "emergency"],
)
def test_so_do_the_whole_a_part_and_a_refusal_that_only_a_seal_makes(
    facts: Facts, outcomes: list[Outcome]
) -> None:
    assert refuse_other_steps(facts, [True, False]) == outcomes
