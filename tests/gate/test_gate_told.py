"""What the requester is told: exactly the verdict of the same facts without any seal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings

from exchange.gate.judge import judge, judge_and_tell
from tests.gate.test_gate_laws import REGISTER, bent_facts

if TYPE_CHECKING:
    from exchange.gate.model import Facts


@settings(max_examples=300, deadline=None)
@given(bent_facts())
def test_the_telling_is_the_verdict_without_seals(facts: Facts) -> None:
    bare = replace(facts, fields=tuple(replace(field, sealed=False) for field in facts.fields or ()))
    judged, told = judge_and_tell(facts, REGISTER)
    assert judged == judge(facts, REGISTER)
    if facts.fields is not None:
        assert told == judge(bare, REGISTER)


@settings(max_examples=100, deadline=None)
@given(bent_facts())
def test_with_everything_sealed_the_telling_is_the_same_and_nothing_is_released(facts: Facts) -> None:
    hidden = replace(
        facts,
        roles=frozenset(),
        fields=tuple(replace(field, sealed=True) for field in facts.fields or ()),
    )
    bare = replace(hidden, fields=tuple(replace(field, sealed=False) for field in hidden.fields or ()))
    judged, told = judge_and_tell(hidden, REGISTER)
    assert not any(field.release for field in judged.fields.values())
    assert told == judge(bare, REGISTER)
