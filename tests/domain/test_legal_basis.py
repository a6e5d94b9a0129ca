"""Legal bases: four eyes over one text, numbers used once, and an end that takes one person."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from exchange.domain.legal_basis import (
    ENTRY_CHARS_MAX,
    LEGAL_BASIS,
    VERSIONS_MAX,
    AdoptLegalBasis,
    ApproveLegalBasis,
    DisableLegalBasis,
    LegalBasisAdopted,
    LegalBasisApproved,
    LegalBasisDisabled,
    LegalBasisProposed,
    LegalBasisState,
    ProposeLegalBasis,
    hash_of,
)
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import LATER, MUNICIPALITY, NOON, OTHER_HASH, fold, given

if TYPE_CHECKING:
    from exchange.domain import Event

ADMINISTRATOR = Author(MUNICIPALITY, "beheer", "b-1")
SECOND = Author(MUNICIPALITY, "beheer", "b-2")
OFFICER = Author(MUNICIPALITY, "fg", "fg-1")
BASIS = "WMO-5.2.3"
TEXT = 'id = "WMO-5.2.3"\nversion = 1\n'
BEGIN, LATER_DAY = date(2027, 1, 1), date(2028, 1, 1)

PROPOSE = ProposeLegalBasis(
    now=NOON, author=ADMINISTRATOR, basis_id=BASIS, version=1, text=TEXT, valid_from=BEGIN, valid_to=None
)
PROPOSED = LegalBasisProposed(
    basis_id=BASIS,
    version=1,
    text=TEXT,
    sha256=hash_of(TEXT),
    valid_from=BEGIN,
    valid_to=None,
    succeeds=0,
    organisation=MUNICIPALITY,
    task="beheer",
    professional="b-1",
    at=NOON,
)
APPROVE = ApproveLegalBasis(now=LATER, author=SECOND, version=1, sha256=hash_of(TEXT))
BY_SECOND = LegalBasisApproved(
    basis_id=BASIS,
    version=1,
    sha256=hash_of(TEXT),
    organisation=MUNICIPALITY,
    task="beheer",
    professional="b-2",
    enables=False,
    at=LATER,
)
BY_OFFICER = replace(BY_SECOND, task="fg", professional="fg-1", enables=True)
DISABLE = DisableLegalBasis(now=LATER, author=OFFICER, version=1, reason="het artikel is vervallen")
DISABLED = LegalBasisDisabled(
    basis_id=BASIS,
    version=1,
    reason="het artikel is vervallen",
    organisation=MUNICIPALITY,
    task="fg",
    professional="fg-1",
    at=LATER,
)
ADOPTED = LegalBasisAdopted(
    basis_id=BASIS,
    version=1,
    text=TEXT,
    sha256=hash_of(TEXT),
    valid_from=date(2015, 1, 1),
    valid_to=None,
    succeeds=0,
    approved_by=("een", "twee"),
    at=NOON,
)
SECOND_TEXT = TEXT.replace("version = 1", "version = 2")
PROPOSE_2 = replace(PROPOSE, version=2, text=SECOND_TEXT)
PROPOSED_2 = replace(PROPOSED, version=2, text=SECOND_TEXT, sha256=hash_of(SECOND_TEXT))


def test_proposing_opens_nothing() -> None:
    given(LEGAL_BASIS).when(PROPOSE).then(PROPOSED)
    state = fold(LEGAL_BASIS, PROPOSED)
    assert not state.version(1).stands


def test_the_second_of_two_persons_brings_it_into_force() -> None:
    given(LEGAL_BASIS, PROPOSED).when(APPROVE).then(BY_SECOND)
    assert not fold(LEGAL_BASIS, PROPOSED, BY_SECOND).version(1).stands
    given(LEGAL_BASIS, PROPOSED, BY_SECOND).when(replace(APPROVE, author=OFFICER)).then(BY_OFFICER)
    version = fold(LEGAL_BASIS, PROPOSED, BY_SECOND, BY_OFFICER).version(1)
    assert (version.stands, version.approvers, version.enabled_at) == (True, ("b-2", "fg-1"), LATER)


def test_the_privacy_officer_does_not_propose() -> None:
    given(LEGAL_BASIS).when(replace(PROPOSE, author=OFFICER)).refused("NOT_TO_PROPOSE")


@pytest.mark.parametrize("task", ["college:WMO", "betrokkene", "wmo-aanbieder"])
def test_nobody_else_decides(task: str) -> None:
    author = Author(MUNICIPALITY, task, "x-1")
    given(LEGAL_BASIS).when(replace(PROPOSE, author=author)).refused("NOT_TO_PROPOSE")
    given(LEGAL_BASIS, PROPOSED).when(replace(APPROVE, author=author)).refused("NOT_TO_DECIDE")
    given(LEGAL_BASIS, PROPOSED).when(replace(DISABLE, author=author)).refused("NOT_TO_DECIDE")


@pytest.mark.parametrize("task", ["beheer", "fg"])
def test_who_proposed_never_approves_in_whatever_task(task: str) -> None:
    author = Author(MUNICIPALITY, task, "b-1")
    given(LEGAL_BASIS, PROPOSED).when(replace(APPROVE, author=author)).refused("PROPOSER_APPROVES")
    given(LEGAL_BASIS, PROPOSED, BY_SECOND).when(replace(APPROVE, author=author)).refused("PROPOSER_APPROVES")


@pytest.mark.parametrize("task", ["beheer", "fg"])
def test_one_person_counts_once_in_whatever_task(task: str) -> None:
    again = replace(APPROVE, author=Author(MUNICIPALITY, task, "b-2"))
    given(LEGAL_BASIS, PROPOSED, BY_SECOND).when(again).refused("APPROVED_TWICE")


@pytest.mark.parametrize("spelling", ["B-{}", "b-{}\u200b", "\uff42-{}", " b-{} "])
def test_another_spelling_makes_nobody_another_person(spelling: str) -> None:
    def by(number: int) -> ApproveLegalBasis:
        return replace(APPROVE, author=Author(MUNICIPALITY, "beheer", spelling.format(number)))

    given(LEGAL_BASIS, PROPOSED).when(by(1)).refused("PROPOSER_APPROVES")
    given(LEGAL_BASIS, PROPOSED, BY_SECOND).when(by(2)).refused("APPROVED_TWICE")


def test_another_text_than_the_one_proposed_is_not_approved() -> None:
    given(LEGAL_BASIS, PROPOSED).when(replace(APPROVE, sha256=OTHER_HASH)).refused("OTHER_CONTENT")
    given(LEGAL_BASIS, PROPOSED).when(replace(APPROVE, sha256="x")).invalid("sha256")


def test_approving_what_is_in_force_or_not_there_is_refused() -> None:
    third = replace(APPROVE, author=Author(MUNICIPALITY, "beheer", "b-3"))
    given(LEGAL_BASIS, PROPOSED, BY_SECOND, BY_OFFICER).when(third).refused("APPROVED_ALREADY")
    given(LEGAL_BASIS, ADOPTED).when(third).refused("APPROVED_ALREADY")
    given(LEGAL_BASIS).when(APPROVE).refused("VERSION_UNKNOWN")
    given(LEGAL_BASIS, PROPOSED).when(replace(APPROVE, version=2)).refused("VERSION_UNKNOWN")


def test_disabling_takes_one_person_and_counts_at_once() -> None:
    given(LEGAL_BASIS, ADOPTED).when(DISABLE).then(DISABLED)
    assert not fold(LEGAL_BASIS, ADOPTED, DISABLED).version(1).stands
    given(LEGAL_BASIS, PROPOSED).when(replace(DISABLE, author=ADMINISTRATOR)).then(
        replace(DISABLED, task="beheer", professional="b-1")
    )


def test_disabling_twice_changes_nothing_and_without_a_reason_is_refused() -> None:
    given(LEGAL_BASIS, ADOPTED, DISABLED).when(DISABLE).then()
    given(LEGAL_BASIS, ADOPTED).when(replace(DISABLE, reason=" ")).invalid("reason")
    given(LEGAL_BASIS).when(DISABLE).refused("VERSION_UNKNOWN")


def test_what_was_disabled_comes_back_only_as_a_new_version() -> None:
    given(LEGAL_BASIS, PROPOSED, DISABLED).when(APPROVE).refused("VERSION_DISABLED")
    given(LEGAL_BASIS, PROPOSED, BY_SECOND, BY_OFFICER, DISABLED).when(APPROVE).refused("VERSION_DISABLED")
    given(LEGAL_BASIS, ADOPTED, DISABLED).when(PROPOSE_2).then(PROPOSED_2)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_number_is_used_once_also_by_what_was_disabled(number: int) -> None:
    used = replace(ADOPTED, version=3)
    again = replace(PROPOSE, version=number)
    given(LEGAL_BASIS, used).when(again).refused("VERSION_USED")
    given(LEGAL_BASIS, used, replace(DISABLED, version=3)).when(again).refused("VERSION_USED")


def test_the_next_number_is_free() -> None:
    used = replace(ADOPTED, version=3, valid_to=BEGIN)
    given(LEGAL_BASIS, used).when(replace(PROPOSE_2, version=4)).then(replace(PROPOSED_2, version=4))


def test_two_versions_never_stand_on_one_day() -> None:
    open_ended = ADOPTED
    given(LEGAL_BASIS, open_ended).when(PROPOSE_2).refused("VALIDITY_OVERLAPS")
    ends_before = replace(ADOPTED, valid_to=BEGIN)
    given(LEGAL_BASIS, ends_before).when(PROPOSE_2).then(PROPOSED_2)
    a_day_too_long = replace(ADOPTED, valid_to=BEGIN + timedelta(days=1))
    given(LEGAL_BASIS, a_day_too_long).when(PROPOSE_2).refused("VALIDITY_OVERLAPS")
    starts_after = replace(ADOPTED, valid_from=LATER_DAY)
    given(LEGAL_BASIS, starts_after).when(replace(PROPOSE_2, valid_to=LATER_DAY)).then(
        replace(PROPOSED_2, valid_to=LATER_DAY)
    )
    given(LEGAL_BASIS, starts_after).when(replace(PROPOSE_2, valid_to=LATER_DAY + timedelta(days=1))).refused(
        "VALIDITY_OVERLAPS"
    )
    # An open proposal counts as well: disable it first.
    given(LEGAL_BASIS, PROPOSED).when(PROPOSE_2).refused("VALIDITY_OVERLAPS")


def test_a_successor_ends_what_it_succeeds_when_it_comes_into_force() -> None:
    succeeds = replace(PROPOSE_2, succeeds=1)
    proposed = replace(PROPOSED_2, succeeds=1)
    given(LEGAL_BASIS, ADOPTED).when(succeeds).then(proposed)
    first, second = (
        replace(approved, version=2, sha256=proposed.sha256) for approved in (BY_SECOND, BY_OFFICER)
    )
    assert fold(LEGAL_BASIS, ADOPTED, proposed, first).version(1).end is None
    state = fold(LEGAL_BASIS, ADOPTED, proposed, first, second)
    assert (state.version(1).end, state.version(2).stands) == (BEGIN, True)
    # Disabling the successor brings nothing back.
    after = fold(LEGAL_BASIS, ADOPTED, proposed, first, second, replace(DISABLED, version=2))
    assert after.version(1).end == BEGIN


def test_a_later_successor_gives_no_day_back() -> None:
    second, third = replace(PROPOSED_2, succeeds=1), replace(PROPOSED_2, version=3, succeeds=1)
    third = replace(third, valid_from=LATER_DAY)
    history: list[Event] = [ADOPTED]
    for proposed in (second, third):
        history += [
            proposed,
            replace(BY_SECOND, version=proposed.version, sha256=proposed.sha256),
            replace(BY_OFFICER, version=proposed.version, sha256=proposed.sha256),
            replace(DISABLED, version=proposed.version),
        ]
    assert fold(LEGAL_BASIS, *history).version(1).end == BEGIN


def test_a_successor_begins_after_what_it_succeeds_and_names_what_is_there() -> None:
    late = replace(ADOPTED, valid_from=BEGIN)
    given(LEGAL_BASIS, late).when(replace(PROPOSE_2, succeeds=1)).refused("VALIDITY_OVERLAPS")
    given(LEGAL_BASIS).when(replace(PROPOSE_2, succeeds=1)).refused("VERSION_UNKNOWN")
    given(LEGAL_BASIS, replace(ADOPTED, version=2)).when(replace(PROPOSE_2, version=3, succeeds=1)).refused(
        "VERSION_UNKNOWN"
    )
    given(LEGAL_BASIS, ADOPTED).when(replace(PROPOSE_2, succeeds=2)).invalid("succeeds")


def test_of_two_successors_only_one_comes_into_force() -> None:
    ends = replace(ADOPTED, valid_to=BEGIN)
    third = replace(PROPOSED_2, version=3)
    # Both proposed while neither stood, as an older version of the rules may have let happen.
    history = (ends, PROPOSED_2, third)
    in_force = tuple(
        replace(approved, version=2, sha256=PROPOSED_2.sha256) for approved in (BY_SECOND, BY_OFFICER)
    )
    once = replace(BY_SECOND, version=3, sha256=third.sha256)
    last = replace(APPROVE, author=OFFICER, version=3, sha256=third.sha256)
    given(LEGAL_BASIS, *history, *in_force, once).when(last).refused("VALIDITY_OVERLAPS")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(PROPOSE, basis_id=""), "basis_id"),
        (replace(PROPOSE, version=0), "version"),
        (replace(PROPOSE, version=1_000_001), "version"),
        (replace(PROPOSE, text=""), "text"),
        (replace(PROPOSE, text="x" * (ENTRY_CHARS_MAX + 1)), "text"),
        (replace(PROPOSE, valid_from=date(1899, 12, 31)), "valid_from"),
        (replace(PROPOSE, valid_to=BEGIN), "valid_to"),
        (replace(PROPOSE, valid_to=date(2101, 1, 1)), "valid_to"),
        (replace(PROPOSE, succeeds=-1), "succeeds"),
    ],
)
def test_a_shapeless_proposal_is_refused(command: ProposeLegalBasis, path: str) -> None:
    given(LEGAL_BASIS).when(command).invalid(path)


def test_the_bounds_themselves_are_let_be() -> None:
    edge = replace(PROPOSE, version=1_000_000, text="x" * ENTRY_CHARS_MAX, valid_to=BEGIN + timedelta(days=1))
    (event,) = LEGAL_BASIS.decide(edge, None)
    assert isinstance(event, LegalBasisProposed)
    assert event.version == 1_000_000


def test_a_basis_has_its_most_versions() -> None:
    day = timedelta(days=1)
    history = [
        replace(ADOPTED, version=number, valid_from=BEGIN + number * day, valid_to=BEGIN + (number + 1) * day)
        for number in range(1, VERSIONS_MAX + 1)
    ]
    one_more = replace(PROPOSE, version=VERSIONS_MAX + 1, valid_from=date(2099, 1, 1))
    given(LEGAL_BASIS, *history).when(one_more).refused("VERSIONS_FULL")
    given(LEGAL_BASIS, *history[:-1]).when(replace(one_more, version=VERSIONS_MAX)).then(
        replace(PROPOSED, version=VERSIONS_MAX, valid_from=date(2099, 1, 1))
    )


def test_adopting_says_who_the_file_named() -> None:
    adopt = AdoptLegalBasis(
        now=NOON,
        basis_id=BASIS,
        version=1,
        text=TEXT,
        valid_from=date(2015, 1, 1),
        valid_to=None,
        succeeds=0,
        approved_by=("een", "twee"),
    )
    given(LEGAL_BASIS).when(adopt).then(ADOPTED)
    given(LEGAL_BASIS, ADOPTED).when(adopt).refused("VERSION_USED")


PEOPLE = st.sampled_from([ADMINISTRATOR, SECOND, OFFICER, Author(MUNICIPALITY, "fg", "b-1")])
COMMANDS = st.one_of(
    st.builds(
        lambda number, succeeds, who, start, days: ProposeLegalBasis(
            now=NOON,
            author=who,
            basis_id=BASIS,
            version=number,
            text=f"version = {number}",
            valid_from=BEGIN + timedelta(days=start),
            valid_to=None if days is None else BEGIN + timedelta(days=start + days),
            succeeds=succeeds,
        ),
        st.integers(1, 6),
        st.integers(0, 3),
        PEOPLE,
        st.integers(0, 5),
        st.none() | st.integers(1, 4),
    ),
    st.builds(
        lambda number, who: ApproveLegalBasis(
            now=LATER, author=who, version=number, sha256=hash_of(f"version = {number}")
        ),
        st.integers(1, 6),
        PEOPLE,
    ),
    st.builds(
        lambda number, who: DisableLegalBasis(now=LATER, author=who, version=number, reason="r"),
        st.integers(1, 6),
        PEOPLE,
    ),
)


def register_holds(state: LegalBasisState) -> None:
    for version in state.versions:
        if version.enabled_at is not None:
            assert len(set(version.approvers)) >= 2
            assert version.proposer not in version.approvers
    standing = [version for version in state.versions if version.stands]
    for one in standing:
        for other in standing:
            if one is not other:
                assert (one.end is not None and one.end <= other.valid_from) or (
                    other.end is not None and other.end <= one.valid_from
                )


@for_all(commands=st.lists(COMMANDS, max_size=30))
def test_whatever_is_ordered_two_persons_stand_behind_every_day(commands: list[Any]) -> None:
    state = None
    for command in commands:
        try:
            events = LEGAL_BASIS.decide(command, state)
        except (RuleBroken, RequestInvalid):
            continue
        for event in events:
            state = LEGAL_BASIS.evolve(state, event)
        if state is not None:
            register_holds(state)
