"""Who is told of a restriction and of its lifting, once each, and what counts of what they answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.domain.rights.restricting import (
    RESTRICTION,
    ConfirmRestriction,
    Reached,
    RestrictionConfirmed,
    RestrictionRecipientTold,
    RestrictionTold,
    TellLifted,
    TellRestricted,
)
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken

if TYPE_CHECKING:
    from exchange.domain.kernel import Command

NOW = datetime(2026, 3, 5, 10, 0, tzinfo=UTC)
COLLEGE = Author("00000001003214345000", "college:WMO", "w-1")
CARE = Author("00000003271543200000", "wmo-aanbieder", "z-1")
GOT = Reached(CARE.oin, CARE.task, ("p-1",), ("wmo-levering",))
SAFE = Reached("00000005003214345000", "veilig-thuis", ("p-1",), ("vt-onderzoek",), apart=True)
TELL = TellRestricted(now=NOW, author=COLLEGE, restriction_id="x-1", resident="r-1", recipients=(GOT, SAFE))
LIFT = TellLifted(now=NOW + timedelta(days=3), author=COLLEGE)
SAID = ConfirmRestriction(now=NOW, author=CARE, change="restricted", outcome="applied")


def after(*commands: Command) -> RestrictionTold:
    state = None
    for command in commands:
        for event in RESTRICTION.decide(command, state):
            state = RESTRICTION.evolve(state, event)
    assert isinstance(state, RestrictionTold)
    return state


def test_each_is_told_of_its_own_and_of_no_other() -> None:
    told, safe = RESTRICTION.decide(TELL, None)
    assert told == RestrictionRecipientTold(
        resident="r-1",
        restriction_id="x-1",
        organisation=CARE.oin,
        task=CARE.task,
        plan_ids=("p-1",),
        purposes=("wmo-levering",),
        change="restricted",
        apart=False,
        due_at=NOW + timedelta(days=7),
        at=NOW,
    )
    assert isinstance(safe, RestrictionRecipientTold)
    assert safe.apart
    assert set(told.sealed_fields()) == {"purposes"}


def test_told_again_is_only_who_was_not_and_of_what_is_new() -> None:
    state = after(TELL)
    assert RESTRICTION.decide(TELL, state) == ()
    late = replace(GOT, organisation="00000009000000000000")
    (told,) = RESTRICTION.decide(replace(TELL, recipients=(GOT, late)), state)
    assert isinstance(told, RestrictionRecipientTold)
    assert told.organisation == late.organisation
    more = replace(TELL, recipients=(replace(GOT, plan_ids=("p-1", "p-2")),))
    (told,) = RESTRICTION.decide(more, state)
    assert isinstance(told, RestrictionRecipientTold)
    assert told.plan_ids == ("p-2",)


def test_who_is_told_of_more_answers_anew() -> None:
    more = replace(TELL, recipients=(replace(GOT, plan_ids=("p-1", "p-2"), purposes=("wmo-onderzoek",)),))
    state = after(TELL, SAID, more)
    found = state.known(CARE.oin, CARE.task, "restricted")
    assert found is not None
    assert (found.who.plan_ids, found.outcome) == (("p-1", "p-2"), "")
    assert found.who.purposes == ("wmo-levering", "wmo-onderzoek")
    assert len(RESTRICTION.decide(SAID, state)) == 1


def test_of_the_lifting_is_told_who_was_told_of_the_restriction_and_nobody_else() -> None:
    assert RESTRICTION.decide(LIFT, None) == ()
    told = RESTRICTION.decide(LIFT, after(TELL))
    assert [(one.organisation, one.change, one.apart) for one in told] == [  # type: ignore[attr-defined] # their own fields
        (CARE.oin, "lifted", False),
        (SAFE.organisation, "lifted", True),
    ]
    assert RESTRICTION.decide(LIFT, after(TELL, LIFT)) == ()


def test_each_of_the_two_is_answered_once() -> None:
    state = after(TELL, LIFT)
    (said,) = RESTRICTION.decide(SAID, state)
    assert said == RestrictionConfirmed(
        resident="r-1",
        restriction_id="x-1",
        organisation=CARE.oin,
        task=CARE.task,
        professional="z-1",
        change="restricted",
        outcome="applied",
        apart=False,
        at=NOW,
    )
    answered = after(TELL, LIFT, SAID)
    assert RESTRICTION.decide(replace(SAID, outcome="nothing_kept"), answered) == ()
    assert len(RESTRICTION.decide(replace(SAID, change="lifted"), answered)) == 1


@pytest.mark.parametrize("field", ["change", "outcome"])
def test_a_word_that_is_none_is_refused_and_named(field: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        RESTRICTION.decide(replace(SAID, **{field: "perhaps"}), after(TELL))  # type: ignore[arg-type] # one of two
    assert set(refused.value.fields) == {field}


def test_who_was_not_told_answers_nothing() -> None:
    other_task = replace(SAID, author=replace(CARE, task="jeugdhulpaanbieder"))
    not_yet = replace(SAID, change="lifted")
    for command, state in ((SAID, None), (other_task, after(TELL)), (not_yet, after(TELL))):
        with pytest.raises(RuleBroken) as refused:
            RESTRICTION.decide(command, state)
        assert refused.value.metadata["rule"] == "NO_SUCH_RESTRICTION"
