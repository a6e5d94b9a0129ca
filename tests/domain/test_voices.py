"""Whose word counts: both sides of each age, of each source's age, of each rung."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from exchange.domain.representation import Judgement, Spoken, bound, capable_in, counts, spoken_by
from exchange.domain.representation.voices import SOURCE_DAYS_MAX, is_shown, stands
from exchange.domain.representation.words import EvidenceSource, Gezag, Relation
from exchange.errors import RuleBroken
from tests.domain.builders import A_DAY, CONSULENT, DAY, LATER, NOON, REPRESENTATIVE, STRANGER
from tests.domain.builders import RESIDENT as INWONER
from tests.domain.people import people, somebody

WITH_GEZAG = ["gezamenlijk_ouderlijk", "eenhoofdig_ouderlijk", "gezamenlijk"]
NEIGHBOURS = [("curator", "proxy"), ("mentor", "proxy"), ("proxy", "partner"), ("partner", "family")]


@pytest.mark.parametrize(
    ("age", "capable", "decides"),
    [
        (0, False, True),
        (11, True, True),
        (12, True, True),
        (15, True, True),
        (15, None, True),
        (16, True, False),
        (16, False, True),
        (16, None, False),
        (17, False, True),
        (17, True, False),
        (18, False, False),
        (18, True, False),
    ],
)
@pytest.mark.parametrize("relation", ["parent", "guardian"])
def test_authority_over_a_minor(relation: str, age: int, capable: bool | None, decides: bool) -> None:  # noqa: FBT001 -- parameters of the test
    record = somebody(relation)
    assert counts(record, people(record), DAY, age, capable=capable) is decides


@pytest.mark.parametrize("gezag", list(Gezag))
def test_what_the_brp_says_gives_authority_or_gives_nobody_any(gezag: str) -> None:
    record = somebody("parent", gezag=gezag)
    expected = gezag in WITH_GEZAG or gezag == "voogdij"
    assert counts(record, people(record), DAY, 10, capable=True) is expected


@pytest.mark.parametrize("relation", [one for one in Relation if one not in {"parent", "guardian"}])
@pytest.mark.parametrize(
    ("age", "capable", "decides"),
    [(17, False, False), (18, False, True), (40, False, True), (40, True, False), (40, None, False)],
)
def test_the_ladder_is_for_adults_who_cannot_decide(
    relation: str,
    age: int,
    capable: bool | None,  # noqa: FBT001 -- a parameter of the test
    decides: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    record = somebody(relation)
    assert counts(record, people(record), DAY, age, capable=capable) is decides


@pytest.mark.parametrize(("higher", "lower"), NEIGHBOURS)
def test_a_lower_rung_counts_only_where_no_higher_one_is_recorded(higher: str, lower: str) -> None:
    first, second = somebody(higher), somebody(lower)
    both = people(first, second)
    assert counts(first, both, DAY, 40, capable=False)
    assert not counts(second, both, DAY, 40, capable=False)
    assert counts(second, people(second), DAY, 40, capable=False)


@pytest.mark.parametrize(("higher", "lower"), NEIGHBOURS)
def test_a_higher_rung_with_an_old_source_goes_first_still_and_out_of_its_period_no_more(
    higher: str, lower: str
) -> None:
    old = somebody(higher, source_date=DAY - timedelta(days=SOURCE_DAYS_MAX["court_order"] + 1))
    second = somebody(lower)
    assert not counts(old, people(old, second), DAY, 40, capable=False)
    assert not counts(second, people(old, second), DAY, 40, capable=False)
    gone = somebody(higher, end_date=DAY)
    assert counts(second, people(gone, second), DAY, 40, capable=False)


def test_curator_and_mentor_share_a_rung_and_a_bewindvoerder_stands_beside_it() -> None:
    three = [somebody(one) for one in ("curator", "mentor", "bewindvoerder")]
    assert all(counts(one, people(*three), DAY, 40, capable=False) for one in three)


@pytest.mark.parametrize("source", list(EvidenceSource))
def test_a_source_counts_until_it_is_too_old(source: str) -> None:
    record = somebody("partner", evidence_source=source)
    last = DAY + timedelta(days=SOURCE_DAYS_MAX[source])
    assert is_shown(record, DAY)
    assert is_shown(record, last)
    assert not is_shown(record, last + A_DAY)
    assert not is_shown(record, DAY - A_DAY)
    assert not is_shown(replace(record, evidence_source="hearsay"), DAY)


def test_authority_of_the_brp_counts_for_a_quarter() -> None:
    record = somebody("parent", source_date=date(2026, 1, 1))
    assert counts(record, people(record), date(2026, 4, 3), 10, capable=True)
    assert not counts(record, people(record), date(2026, 4, 4), 10, capable=True)


def test_a_record_counts_from_its_first_day_until_before_its_last() -> None:
    record = somebody("parent", start_date=DAY, end_date=DAY + 2 * A_DAY)
    found = [stands(record, DAY + number * A_DAY) for number in (-1, 0, 1, 2)]
    assert found == [False, True, True, False]


# --- capacity -----------------------------------------------------------------------------------------

JUDGED = Judgement("consent", capable=False, at=NOON, until=DAY + 10 * A_DAY)


@pytest.mark.parametrize("registered", [True, False])
def test_without_a_judgement_in_this_matter_what_was_registered_counts(*, registered: bool) -> None:
    judged = people(judgements=(JUDGED,))
    assert capable_in(judged, {"care"}, DAY, registered=registered) is registered
    assert capable_in(people(), {"consent"}, DAY, registered=registered) is registered


def test_a_judgement_counts_until_its_day_and_then_nothing_is_established() -> None:
    judged = people(judgements=(JUDGED,))
    assert capable_in(judged, {"consent"}, JUDGED.until - A_DAY, registered=True) is False
    assert capable_in(judged, {"consent"}, JUDGED.until, registered=True) is None


def test_the_latest_of_the_matters_that_bear_on_a_question_counts() -> None:
    of_purpose = Judgement("wmo-afstemming", capable=True, at=LATER, until=DAY + A_DAY)
    judged = people(judgements=(of_purpose, JUDGED))
    matters = {"consent", "wmo-afstemming"}
    assert capable_in(judged, matters, DAY, registered=False) is True
    # The latest has expired: an earlier one does not come back.
    assert capable_in(judged, matters, DAY + A_DAY, registered=True) is None


# --- who signed in, and whose words a professional writes down ---------------------------------------

MOTHER = somebody("parent", representative_id="m", person="v-1")
FATHER = somebody("parent", representative_id="f", person="v-2")
OLD = DAY - timedelta(days=93)


def refused(*arguments: object) -> str:
    with pytest.raises(RuleBroken) as caught:
        spoken_by(*arguments)  # type: ignore[arg-type] # what a test names
    return caught.value.metadata["rule"]


def test_who_signed_in_is_bound_by_organisation_and_opaque_id() -> None:
    both = people(MOTHER, FATHER)
    assert bound(both, REPRESENTATIVE, DAY) == (MOTHER,)
    assert bound(both, replace(REPRESENTATIVE, oin=STRANGER), DAY) == ()
    assert bound(both, replace(REPRESENTATIVE, professional="v-3"), DAY) == ()
    old = people(replace(MOTHER, source_date=OLD))
    assert bound(old, REPRESENTATIVE, DAY) == ()
    assert len(bound(old, REPRESENTATIVE, DAY, shown=False)) == 1
    assert bound(people(replace(MOTHER, end_date=DAY)), REPRESENTATIVE, DAY, shown=False) == ()


def test_the_resident_speaks_for_himself_only() -> None:
    both = people(MOTHER, FATHER)
    assert spoken_by(both, INWONER, ("self",), (), DAY) == Spoken(("self",))
    assert refused(both, INWONER, ("parent",), (), DAY) == "GIVER_NOT_RECORDED"
    assert refused(both, INWONER, ("self", "parent"), (), DAY) == "GIVER_NOT_RECORDED"
    assert refused(both, INWONER, ("self",), ("m",), DAY) == "GIVER_NOT_RECORDED"


def test_a_representative_speaks_as_what_he_is_recorded_to_be() -> None:
    both = people(MOTHER, FATHER)
    assert spoken_by(both, REPRESENTATIVE, ("parent",), (), DAY) == Spoken(("parent",), ("m",))
    assert spoken_by(both, REPRESENTATIVE, ("parent",), ("m",), DAY) == Spoken(("parent",), ("m",))
    for words, named in [
        (("parent",), ("f",)),
        (("self",), ()),
        (("curator",), ()),
        (("self", "parent"), ()),
    ]:
        assert refused(both, REPRESENTATIVE, words, named, DAY) == "GIVER_NOT_RECORDED"
    assert refused(people(FATHER), REPRESENTATIVE, ("parent",), (), DAY) == "GIVER_NOT_RECORDED"
    assert (
        refused(people(replace(MOTHER, source_date=OLD)), REPRESENTATIVE, ("parent",), (), DAY)
        == "GIVER_NOT_RECORDED"
    )


def test_a_professional_writes_down_words_that_a_record_shows() -> None:
    both, one = people(MOTHER, FATHER), people(MOTHER)
    assert spoken_by(one, CONSULENT, ("self",), (), DAY) == Spoken(("self",))
    assert spoken_by(one, CONSULENT, ("self", "parent"), (), DAY) == Spoken(("self", "parent"), ("m",))
    assert spoken_by(both, CONSULENT, ("parent",), ("f",), DAY) == Spoken(("parent",), ("f",))
    assert refused(both, CONSULENT, ("parent",), (), DAY) == "WHICH_REPRESENTATIVE"
    assert refused(one, CONSULENT, ("curator",), (), DAY) == "GIVER_NOT_RECORDED"
    assert refused(one, CONSULENT, ("parent",), ("f",), DAY) == "GIVER_NOT_RECORDED"
    assert refused(one, CONSULENT, ("self",), ("m",), DAY) == "GIVER_NOT_RECORDED"
    assert (
        refused(people(replace(MOTHER, source_date=OLD)), CONSULENT, ("parent",), (), DAY)
        == "GIVER_NOT_RECORDED"
    )
