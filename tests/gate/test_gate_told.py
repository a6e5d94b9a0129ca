"""What the requester is told: exactly the verdict of the same facts without any seal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings

from exchange.gate import vocabulary as words
from exchange.gate.judge import judge, judge_and_tell, judge_to_record
from exchange.gate.model import Field, Outcome
from tests.gate.test_gate_laws import REGISTER, bent_facts
from tests.gate.test_gate_lines import BREAKS

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


# --- what is recorded ------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(bent_facts())
def test_the_record_is_the_verdict_with_the_duties_of_both(facts: Facts) -> None:
    judged, told = judge_and_tell(facts, REGISTER)
    recorded = judge_to_record(facts, REGISTER)
    assert replace(recorded, obligations=judged.obligations) == judged
    assert list(recorded.obligations) == sorted(set(judged.obligations) | set(told.obligations))


def test_glass_broken_for_what_is_all_sealed_owes_the_notice_that_was_told() -> None:
    """The caller reads that the resident will hear of it: left out, the silence would tell the seal."""
    facts = replace(BREAKS, roles=frozenset(), fields=(Field("verblijf", "CONTACT", sealed=True),))
    judged, told = judge_and_tell(facts, REGISTER)
    assert (judged.outcome, told.outcome) == (Outcome.DENY, Outcome.PERMIT_BREAK_GLASS)
    recorded = judge_to_record(facts, REGISTER)
    assert recorded.outcome is Outcome.DENY
    assert set(recorded.obligations) >= set(words.BREAK_GLASS_DUTIES)
    assert words.ALERT_BREAK_GLASS_REFUSED in recorded.obligations
    assert not set(judged.obligations) >= set(words.BREAK_GLASS_DUTIES)
