"""P13, what a resident notices: he offers his neighbours something, and the desk of his choice knows no more.

Source: Aalten (two birds with one stone); the domain's design sections 2 and 3; Participatiewet 9(1)(c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import matching_service_pb2 as matching_pb
from tests.server.test_erasure import Erasure
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD, WORK
from tests.stories.neighbours import (
    FIELDS,
    FOLLOWED_WITHIN_S,
    GROCERIES,
    MARKE,
    MATCH,
    NO,
    NOT_MADE,
    REACH,
    READ,
    SAYS,
    YES,
    Pair,
    Resident,
    marke,
)

if TYPE_CHECKING:
    from tests.server.town import Town

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "nodig voor de veiligheid")


def test_two_neighbours_find_each_other_and_neither_sees_the_others_file(town: Town) -> None:
    pair = Pair.of(town, "BU01970101")
    match_id = pair.proposes()
    (mine,), (theirs,) = pair.asks.matches(), pair.offers.matches()
    assert (mine.match_id, mine.about_id, theirs.about_id) == (match_id, pair.wish_id, pair.contribution_id)
    assert theirs.match_id != match_id, "each side knows the match by an id of its own"
    # One yes is told to nobody, and opens nothing.
    assert pair.told(match_id) == NOT_MADE
    pair.asks.answers(YES, REACH["asks"])
    assert pair.told(match_id) == NOT_MADE
    pair.offers.answers(YES, REACH["offers"])
    assert pair.told(match_id) == matching_pb.MatchForDesk(
        made=True, contact_of_wish=REACH["asks"], contact_of_offer=REACH["offers"]
    )
    # To each other they are nobody: of the other side there is nothing in what either can ask for.
    for one, other in ((pair.asks, pair.offers), (pair.offers, pair.asks)):
        with pytest.raises(errors.Denied):
            one.desks.resident.plan.get_plan(
                claim=ACCESS, plan_id=other.plan_id, fields=["contributions.kind", "wishes.kind"]
            )
        seen = str(one.desks.plan(one.desks.resident, "matches.contact", "matches.match_id"))
        assert other.plan_id not in seen
        assert other.matches()[0].match_id not in seen
    # What the desk did is on the record of both.
    for one in (pair.asks, pair.offers):
        fields = [f"disclosures.{leaf}" for leaf in ("organisation", "purpose")]
        shown = one.desks.resident.disclosure.list_disclosures(
            claim=ACCESS, case_id=one.desks.story.case_id, fields=fields
        ).disclosures
        assert (MARKE, pb.PURPOSE_VRAAG_EN_AANBOD) in {(each.organisation, each.purpose) for each in shown}


def test_no_college_sees_what_i_offer_so_nothing_of_my_benefit_hangs_on_it(town: Town) -> None:
    pair = Pair.of(town, "BU01970102")
    desks = pair.offers.desks
    for desk, why in ((desks.team, INVESTIGATE), (desks.work, WORK)):
        with pytest.raises(errors.Denied) as refused:
            desk.plan.get_plan(claim=why, plan_id=pair.offers.plan_id, fields=["contributions.kind"])
        assert "R10" in refused.value.rules
        with pytest.raises(errors.Denied):
            desk.matching.propose_match(claim=MATCH, plan_id=pair.asks.plan_id, wish_id=pair.wish_id)
        # Nor does a desk offer anything in the resident's place.
        with pytest.raises(errors.Denied):
            desk.matching.offer_contribution(
                claim=SAYS, plan_id=pair.offers.plan_id, expected_version=desks.version, **GROCERIES
            )


WAYS = ("the offer withdrawn", "the consent withdrawn", "restricted", "sealed", "erased", "ended")


def is_gone(pair: Pair, way: str) -> None:
    """Let the resident who offers be there no more, in one of these ways."""
    offers, story = pair.offers, pair.offers.desks.story
    resident = offers.desks.resident
    on_case: dict[str, Any] = {"case_id": story.case_id}
    if way == "the offer withdrawn":
        offers.says("withdraw_contribution", contribution_id=pair.contribution_id)
    elif way == "the consent withdrawn":
        resident.consent.withdraw_consent(claim=WORD, consent_id=pair.consent_id)
    elif way == "restricted":
        why = claim(pb.PURPOSE_KLACHT_BEZWAAR, "LIMIT-18-RESIDENT")
        resident.rights.restrict(claim=why, reason="Eerst uitzoeken wat klopt.", **on_case)
    elif way == "sealed":
        proposed = story.wmo.rights.seal_compartment(
            claim=SEAL,
            paths=["contributions", "matches"],
            readers=[f"{CITY}/betrokkene"],
            reason="Voor de veiligheid.",
            **on_case,
        )
        second = Person("w-second", "college:WMO", "consulent")
        offers.desks.join(CITY, second)
        offers.town.client(second).rights.confirm_seal(
            claim=SEAL, proposal_id=proposed.proposal_id, **on_case
        )
    elif way == "erased":
        assert Erasure(offers.town, story).executed()
    else:
        offers.says("end_match", match_id=offers.matches()[-1].match_id)


def test_who_is_not_there_any_more_looks_as_who_never_was(town: Town) -> None:
    nobody = Resident(town)
    nobody.chooses_the_desk()
    wish = nobody.says("open_wish", **(GROCERIES | {"neighbourhood": "BU99999999"}))
    answers = []
    for number, way in enumerate(WAYS[:-1]):
        pair = Pair.of(town, f"BU0197020{number}")
        is_gone(pair, way)
        answers.append((way, *alone_with(pair)))
    ones = Pair(nobody, nobody, marke(town), "", wish.wish_id, "")
    answers.append(("never there", *alone_with(ones)))
    assert {told[1:] for told in answers} == {answers[-1][1:]}, answers


def alone_with(pair: Pair) -> tuple[object, ...]:
    """Return all that a desk and who asks can tell of a proposal, ids and moments apart."""
    town = pair.asks.town
    head = town.core.reader.head()[0]
    answer = pair.desk.matching.propose_match(claim=MATCH, plan_id=pair.asks.plan_id, wish_id=pair.wish_id)
    pair.asks.answers(YES, REACH["asks"])
    (mine,) = pair.asks.matches()
    told = pair.desk.matching.get_match(
        claim=READ, plan_id=pair.asks.plan_id, match_id=answer.match_id, fields=FIELDS
    )
    assert told.match == NOT_MADE
    return (
        answer.receipt.position - head,
        answer.receipt.leaves,
        len(answer.SerializeToString()) - len(answer.receipt.SerializeToString()),
        len(told.SerializeToString()),
        (mine.said, mine.contact, mine.ended),
    )


def test_a_match_that_was_made_ends_when_what_it_rests_on_is_taken_back(town: Town) -> None:
    for number, way in enumerate(WAYS):
        pair = Pair.of(town, f"BU0197030{number}")
        match_id = pair.made()
        is_gone(pair, way)
        assert pair.told(match_id) == NOT_MADE, way


def test_a_no_is_told_to_nobody_and_not_asked_again(town: Town) -> None:
    pair = Pair.of(town, "BU01970401")
    match_id = pair.proposes()
    pair.asks.answers(YES, REACH["asks"])
    pair.offers.answers(NO)
    assert pair.told(match_id) == NOT_MADE
    with pytest.raises(errors.RuleBroken) as again:
        pair.offers.answers(YES, REACH["offers"])
    assert again.value.rule == "MATCH_ANSWERED"
    with pytest.raises(errors.RuleBroken) as waits:
        pair.proposes()
    assert waits.value.rule == "MATCH_WAITS"
    # The one who asks ends it and is asked anew; the one who said no is left in peace.
    pair.asks.says("end_match", match_id=match_id)
    pair.proposes()
    assert len(pair.offers.matches()) == 1


def test_i_asked_before_anybody_offered_and_am_found_when_it_is_asked_anew(town: Town) -> None:
    pair = Pair.of(town, "BU01970402")
    where = GROCERIES | {"neighbourhood": "BU01970402"}
    pair.offers.says("withdraw_contribution", contribution_id=pair.contribution_id)
    waiting = pair.proposes()
    offered = pair.offers.says("offer_contribution", **where, own_words="Ik haal graag iets mee.")
    assert town.following.followed(offered.receipt.position, FOLLOWED_WITHIN_S)
    # That nobody was found is told to nobody: it waits as any other, until the one who asks ends it.
    with pytest.raises(errors.RuleBroken) as waits:
        pair.proposes()
    assert waits.value.rule == "MATCH_WAITS"
    pair.asks.says("end_match", match_id=waiting)
    match_id = pair.proposes()
    pair.asks.answers(YES, REACH["asks"])
    pair.offers.answers(YES, REACH["offers"])
    assert pair.told(match_id).made


def test_what_is_no_offer_is_refused_by_its_field(town: Town) -> None:
    resident = Resident(town)

    def at_fault(command: str, **said: Any) -> set[str]:  # noqa: ANN401 -- fields of any command
        with pytest.raises(errors.Invalid) as refused:
            resident.says(command, **said)
        return set(refused.value.field_violations)

    for command in ("offer_contribution", "open_wish"):
        assert at_fault(command, **(GROCERIES | {"kind": 0})) == {"kind"}
        for place in ("Dorpsstraat 4", "BU0197010", "bu01970101", ""):
            assert at_fault(command, **(GROCERIES | {"neighbourhood": place})) == {"neighbourhood"}
        for hours in (0, 41):
            assert at_fault(command, **(GROCERIES | {"hours_a_week": hours})) == {"hours_a_week"}
        assert at_fault(command, **GROCERIES, end_date="2025-12-31") == {"end_date"}
        bsn = resident.desks.story.bsn
        assert at_fault(command, **GROCERIES, own_words=f"Mijn nummer is {bsn}.") == {"own_words"}
    contribution_id = resident.says("offer_contribution", **GROCERIES, end_date="2026-01-01").contribution_id
    resident.says("withdraw_contribution", contribution_id=contribution_id)
    with pytest.raises(errors.RuleBroken) as twice:
        resident.says("withdraw_contribution", contribution_id=contribution_id)
    assert twice.value.rule == "CONTRIBUTION_UNKNOWN"
