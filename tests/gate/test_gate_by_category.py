"""Consents by category, of one purpose and recipient: what one of them says leaves the others as they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.gate.consents import select_consent, select_leave
from exchange.gate.judge import judge
from exchange.gate.model import Field, Outcome
from tests.gate.test_gate_consents import REGISTER, REQUEST, bend, consent, days

if TYPE_CHECKING:
    from exchange.gate.model import Consent, Facts, Verdict

INCOME, WORK, HEALTH = (
    frozenset({"INKOMEN"}),
    frozenset({"ARBEID"}),
    frozenset({"GEZONDHEID-FUNCTIONEEL"}),
)
KIND = "STATUTORY"
A = consent("a", categories=INCOME, kind=KIND)
B = consent("b", categories=WORK, kind=KIND, spoken_at=days(-5))


def asking(*categories: str, **changes: object) -> Facts:
    fields = tuple(Field(category.lower(), category) for category in categories)
    asked: Facts = bend(REQUEST, fields=fields, **changes)
    return asked


def chosen(facts: Facts, *consents: Consent, kind: str = KIND) -> Consent | None:
    """Return the one that is chosen, in whatever order they come."""
    (found,) = {select_consent(one, facts, kind) for one in permutations(consents)}
    return found


def judged(facts: Facts, *consents: Consent) -> Verdict:
    return judge(replace(facts, consent=chosen(facts, *consents)), REGISTER)


def released(facts: Facts, *consents: Consent) -> list[str]:
    verdict = judged(facts, *consents)
    return sorted(name for name, field in verdict.fields.items() if field.release)


NO: dict[str, dict[str, object]] = {
    "withdrawn": {"state": "WITHDRAWN", "withdrawn_at": days(-1)},
    "withdrawn at that very moment": {"withdrawn_at": REQUEST.now},
    "refused": {"state": "REFUSED", "spoken_at": days(-1)},
}


@pytest.mark.parametrize("how", NO)
def test_a_no_about_one_leaves_the_other(how: str) -> None:
    no = bend(B, **NO[how])
    assert judged(asking("INKOMEN"), A, no).outcome is Outcome.PERMIT
    refused = judged(asking("ARBEID"), A, no)
    assert refused.outcome is Outcome.DENY
    assert refused.rules == (("R15",) if how == "refused" else ("R19",))
    assert ("STOP-FEED" in refused.obligations) is (how != "refused")
    both = judged(asking("INKOMEN", "ARBEID"), A, no)
    assert (both.outcome, both.rules, both.obligations) == (Outcome.PARTIAL, ("R17",), ("LOG",))
    assert released(asking("INKOMEN", "ARBEID"), A, no) == ["inkomen"]


@pytest.mark.parametrize("how", NO)
def test_a_no_about_what_is_not_asked_is_no_word_at_all(how: str) -> None:
    no = bend(B, **NO[how])
    verdict = judged(asking("INKOMEN"), no)
    assert (verdict.rules, verdict.obligations) == (("R15",), ("LOG",))
    assert chosen(asking("INKOMEN"), no, kind="") is None
    assert chosen(asking("ARBEID", "INKOMEN"), no, kind="") == no
    # What asks for no data is judged by the last word about the purpose.
    assert chosen(asking(), no) == no


def test_two_that_were_given_open_what_both_cover() -> None:
    both = asking("INKOMEN", "ARBEID")
    verdict = judged(both, A, B)
    assert (verdict.outcome, verdict.rules) == (Outcome.PERMIT, ("P-WMO-5.1.1-4",))
    # It names the newest of two that cover as much.
    assert (verdict.consent_id, verdict.consent_version) == ("b", 1)
    assert released(asking("INKOMEN", "ARBEID", "SCHULDEN"), A, B) == ["arbeid", "inkomen"]
    wide = consent("c", categories=INCOME | {"SCHULDEN"}, kind=KIND)
    assert judged(asking("INKOMEN", "ARBEID", "SCHULDEN"), wide, B).consent_id == "c"


@pytest.mark.parametrize("other", ["INKOMEN", "ARBEID"])
def test_asking_more_changes_nothing_of_another_field(other: str) -> None:
    for consents in ([A, B], [A, bend(B, **NO["withdrawn"])], [A, bend(B, **NO["refused"])]):
        alone = released(asking(other), *consents)
        assert [
            one for one in released(asking("INKOMEN", "ARBEID"), *consents) if one == other.lower()
        ] == alone


def test_giving_anew_opens_what_was_withdrawn_and_nothing_else() -> None:
    withdrawn = bend(B, **NO["withdrawn"])
    anew = consent("c", categories=WORK, kind=KIND, spoken_at=days(0))
    assert released(asking("INKOMEN", "ARBEID"), A, withdrawn, anew) == ["arbeid", "inkomen"]
    at_once = replace(anew, spoken_at=days(-1))
    # On a tie the no wins.
    assert released(asking("INKOMEN", "ARBEID"), A, withdrawn, at_once) == ["inkomen"]


def test_a_narrow_withdrawal_takes_its_category_from_a_wider_consent() -> None:
    wide = consent("wide", categories=INCOME | WORK, kind=KIND)
    no = bend(B, **NO["withdrawn"])
    assert released(asking("INKOMEN", "ARBEID"), wide, no) == ["inkomen"]
    assert judged(asking("ARBEID"), wide, no).rules == ("R19",)
    later = replace(wide, spoken_at=days(0))
    assert released(asking("INKOMEN", "ARBEID"), later, no) == ["arbeid", "inkomen"]


# --- a question that was refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked_for", "runs"),
    [
        (INCOME, False),
        (INCOME | WORK, True),
        (INCOME | {"SCHULDEN"}, True),
        (WORK, True),
    ],
)
def test_a_refused_question_ends_a_consent_only_where_it_asked_for_nothing_more(
    asked_for: frozenset[str], *, runs: bool
) -> None:
    no = consent("no", categories=asked_for, kind=KIND, state="REFUSED", spoken_at=days(-1))
    assert judged(asking("INKOMEN"), A, no).permitted is runs
    # A withdrawal ends what it covers, however wide it is.
    ended = replace(no, state="WITHDRAWN", withdrawn_at=days(-1))
    assert judged(asking("INKOMEN"), A, ended).permitted is ("INKOMEN" not in asked_for)


def test_a_question_about_all_that_runs_asks_for_nothing_more() -> None:
    no = consent("no", categories=INCOME | WORK, kind=KIND, state="REFUSED", spoken_at=days(-1))
    assert released(asking("INKOMEN", "ARBEID"), A, B, no) == []
    # What was given later was not there to be refused.
    later = replace(B, spoken_at=days(0))
    assert released(asking("INKOMEN", "ARBEID"), A, later, no) == ["arbeid", "inkomen"]


def test_where_no_consent_is_asked_a_refusal_is_heard_beside_a_yes() -> None:
    no = bend(B, **NO["refused"])
    assert chosen(asking("INKOMEN", "ARBEID"), A, no, kind="") == no
    assert chosen(asking("INKOMEN"), A, no, kind="") == A


# --- what is not as good lends nothing ----------------------------------------------------------------------


def test_what_was_implied_lends_no_special_data_to_what_was_said_expressly() -> None:
    implied = replace(B, categories=WORK | HEALTH, explicit=False)
    facts = asking("INKOMEN", "ARBEID", "GEZONDHEID-FUNCTIONEEL")
    assert released(facts, A, implied) == ["arbeid", "inkomen"]
    assert released(facts, A, replace(implied, explicit=True)) == [
        "arbeid",
        "gezondheid-functioneel",
        "inkomen",
    ]
    assert released(facts, replace(A, categories=HEALTH), implied) == ["arbeid", "gezondheid-functioneel"]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"given_by": ("partner",)}, {"given_by": ("self",)}),
        ({"free_assessed": False}, {"free_assessed": True}),
    ],
)
def test_what_its_rules_refuse_neither_lends_nor_goes_first(
    worse: dict[str, object], better: dict[str, object]
) -> None:
    facts = asking(
        "INKOMEN",
        "ARBEID",
        legal_basis="AVG-6.1.a",
        purpose="informele-hulp",
        provider="betrokkene",
        recipient="vrijwilligersorganisatie",
    )
    told: dict[str, object] = {
        "kind": "GDPR",
        "free_assessed": True,
        "purposes": frozenset({"informele-hulp"}),
    }
    good: Consent = bend(A, **told | better)
    bad: Consent = bend(B, **told | worse, categories=INCOME | WORK)
    found = chosen(facts, good, bad, kind="GDPR")
    assert found == good
    assert chosen(facts, good, bend(bad, **better), kind="GDPR") is not None
    joined = chosen(facts, good, replace(good, consent_id="b", categories=WORK), kind="GDPR")
    assert joined is not None
    assert joined.categories == INCOME | WORK


def test_a_bewindvoerder_lends_what_is_about_money() -> None:
    incapable = asking("INKOMEN", "ARBEID", "WONEN", capable=False)
    full = replace(A, kind="GDPR", free_assessed=True, given_by=("mentor",), categories=WORK)
    money = replace(full, consent_id="m", given_by=("bewindvoerder",), categories=INCOME | {"WONEN"})
    found = chosen(incapable, full, money, kind="GDPR")
    assert found is not None
    assert (found.consent_id, found.categories) == ("a", WORK | INCOME)


def test_while_holders_disagree_only_the_own_word_lends() -> None:
    child = asking("INKOMEN", "ARBEID", age=11, authority_disputed=True)
    first, second = replace(A, given_by=("parent",)), replace(B, given_by=("parent",))
    found = chosen(child, first, second)
    assert found is not None
    assert found.categories != INCOME | WORK
    found = chosen(replace(child, authority_disputed=False), first, second)
    assert found is not None
    assert found.categories == INCOME | WORK


def test_what_had_to_be_written_takes_nothing_from_what_was_not() -> None:
    facts = asking("INKOMEN", "ARBEID")
    written, spoken = replace(A, kind="NO_OBJECTION"), replace(B, kind="NO_OBJECTION", explicit=False)
    assert chosen(facts, written, spoken, kind="NO_OBJECTION") == written


def test_kinds_lend_each_other_nothing() -> None:
    facts = asking("INKOMEN", "ARBEID")
    found = chosen(facts, A, replace(B, kind="SECRECY"), kind="")
    assert found is not None
    assert found.categories == WORK


# --- the leave of a youth ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["GIVEN", "REFUSED", "WITHDRAWN"])
@pytest.mark.parametrize("kind", ["ASSENT", "CARE", "SECRECY", "NO_OBJECTION"])
def test_what_is_no_leave_gives_none_and_takes_none(kind: str, state: str) -> None:
    facts = asking("INKOMEN")
    other = replace(A, consent_id="o", kind=kind, state=state, spoken_at=days(-1))
    assert select_leave([other], facts) is None
    for leave in (replace(A, kind="GDPR"), A, replace(A, kind="")):
        assert select_leave([leave, other], facts) == select_leave([other, leave], facts) == leave
    assert select_leave([A], replace(facts, now=None)) is None


def test_leave_by_category_is_chosen_as_consent_is() -> None:
    facts = asking("INKOMEN", "ARBEID")
    found = select_leave([A, B], facts)
    assert found is not None
    assert found.categories == INCOME | WORK
    assert select_leave([A, bend(B, **NO["refused"])], facts) == A


# --- on the line of the choice ---------------------------------------------------------------------------


def test_agreement_to_care_is_heard_where_it_is_the_condition() -> None:
    care = replace(A, kind="CARE")
    assert chosen(asking("INKOMEN"), care, kind="CARE") == care
    assert chosen(asking("INKOMEN"), care) is None


def test_what_asks_for_no_data_is_judged_by_what_is_left() -> None:
    assert chosen(asking(), A, bend(B, **NO["withdrawn"])) == A


def test_a_refusal_of_more_is_no_refusal_of_what_is_asked() -> None:
    more = consent("no", categories=INCOME | WORK, kind=KIND, state="REFUSED", spoken_at=days(-1))
    assert chosen(asking("INKOMEN"), A, more, kind="") == A


def test_of_what_is_not_in_force_a_word_about_what_is_asked_is_told() -> None:
    over = replace(A, end=days(-1))
    waiting = replace(B, state="REQUESTED")
    assert chosen(asking("INKOMEN"), over, waiting) == over
    assert chosen(asking("SCHULDEN"), over, waiting) == waiting


def test_a_withdrawal_to_come_changes_nothing_yet() -> None:
    to_come = replace(A, withdrawn_at=days(1))
    no = replace(to_come, consent_id="no", state="REFUSED", spoken_at=days(-1))
    assert chosen(asking("INKOMEN"), to_come, no) == no


@pytest.mark.parametrize(("kind", "asked_kind"), [("GDPR", "GDPR"), ("", "GDPR"), ("GDPR", "")])
def test_how_far_a_word_reaches_is_told_by_its_kind_or_by_the_asked_one(kind: str, asked_kind: str) -> None:
    incapable = asking("INKOMEN", "ARBEID", "WONEN", capable=False)
    full = replace(A, kind=kind, free_assessed=True, given_by=("mentor",), categories=WORK)
    money = replace(full, consent_id="m", given_by=("bewindvoerder",), categories=INCOME | {"WONEN"})
    found = chosen(incapable, full, money, kind=asked_kind)
    assert found is not None
    assert (found.consent_id, found.categories) == ("a", WORK | INCOME)


def test_what_passes_goes_first_and_then_what_reaches_far() -> None:
    incapable = asking("INKOMEN", capable=False)
    not_free = replace(A, kind="GDPR", given_by=("mentor",))
    nobodys = replace(not_free, consent_id="n", given_by=("partner",), free_assessed=True)
    money = replace(nobodys, consent_id="m", given_by=("bewindvoerder",))
    assert chosen(incapable, not_free, nobodys, kind="GDPR") == not_free
    assert chosen(incapable, not_free, money, kind="GDPR") == money


def test_what_was_said_expressly_lends_special_data() -> None:
    facts = asking("INKOMEN", "ARBEID", "GEZONDHEID-FUNCTIONEEL")
    wide, health = replace(A, categories=INCOME | WORK), replace(B, categories=HEALTH)
    assert released(facts, wide, health) == ["arbeid", "gezondheid-functioneel", "inkomen"]


@pytest.mark.parametrize("unknown", [{"age": None}, {"capable": None}])
def test_while_it_is_not_known_who_decides_nothing_is_lent(unknown: dict[str, None]) -> None:
    assert chosen(asking("INKOMEN", "ARBEID", **unknown), A, B) == B
    untold = replace(B, given_by=None)
    assert chosen(asking("INKOMEN", "ARBEID"), A, untold) == A


# --- laws -----------------------------------------------------------------------------------------------

CATEGORIES = ("INKOMEN", "ARBEID", "GEZONDHEID-FUNCTIONEEL")
SAID = st.builds(
    consent,
    st.sampled_from("abcdef"),
    kind=st.just(KIND),
    state=st.sampled_from(["GIVEN", "GIVEN", "GIVEN", "REFUSED", "WITHDRAWN", "EXPIRED", "REQUESTED"]),
    withdrawn_at=st.sampled_from([None, None, None, days(-2), days(-1)]),
    spoken_at=st.sampled_from([None, days(-3), days(-2), days(-1), days(0)]),
    end=st.sampled_from([days(300), days(300), days(-1)]),
    categories=st.sets(st.sampled_from(CATEGORIES), min_size=1).map(frozenset),
    explicit=st.booleans(),
    given_by=st.sampled_from([("self",), ("self",), ("partner",), ("self", "partner")]),
)


def opened(consents: list[Consent], *categories: str) -> set[str]:
    facts = asking(*categories)
    verdict = judge(replace(facts, consent=select_consent(consents, facts, KIND)), REGISTER)
    return {name for name, field in verdict.fields.items() if field.release}


@settings(max_examples=200, deadline=None)
@given(st.lists(SAID, max_size=4))
def test_p03_of_any_consents_asking_more_changes_nothing_of_another_field(consents: list[Consent]) -> None:
    together = opened(consents, *CATEGORIES)
    assert together == set().union(*(opened(consents, one) for one in CATEGORIES))


@settings(max_examples=200, deadline=None)
@given(st.lists(SAID, max_size=4), SAID, st.sampled_from(["REFUSED", "WITHDRAWN"]))
def test_p02_no_added_no_opens_anything(consents: list[Consent], word: Consent, state: str) -> None:
    no: Consent = bend(word, state=state)
    before = opened(consents, *CATEGORIES)
    assert opened([*consents, no], *CATEGORIES) <= before
    if state == "WITHDRAWN" and word.spoken_at == days(0):
        assert {one.lower() for one in no.categories}.isdisjoint(opened([*consents, no], *CATEGORIES))
