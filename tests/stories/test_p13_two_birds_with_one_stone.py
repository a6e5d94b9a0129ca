"""P13, what a resident notices: he offers his neighbours something, and the desk of his choice knows no more.

Source: Aalten (two birds with one stone); the domain's design sections 2 and 3; Participatiewet 9(1)(c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import matching_service_pb2 as matching_pb
from exchange.v1 import plan_pb2
from tests.server.test_erasure import Erasure
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORD, WORK
from tests.stories.people import Desks

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

MARKE = "00000004009876543000"
TASK = "vrijwilligersorganisatie"
SAYS = claim(pb.PURPOSE_VRAAG_EN_AANBOD, "RESIDENT-OFFER")
MATCH = claim(pb.PURPOSE_VRAAG_EN_AANBOD, "MATCH-6.1.a", "om buren bij elkaar te brengen")
READ = claim(pb.PURPOSE_VRAAG_EN_AANBOD, "MATCH-READ-6.1.a", "om buren bij elkaar te brengen")
SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "nodig voor de veiligheid")
GROCERIES: dict[str, Any] = {
    "kind": plan_pb2.OFFER_KIND_GROCERIES,
    "neighbourhood": "BU01970103",
    "hours_a_week": 2,
    "start_date": "2026-01-01",
}
A_DAY_S = 86_400
FOLLOWED_WITHIN_S = 10
YES, NO = plan_pb2.MATCH_ANSWER_YES, plan_pb2.MATCH_ANSWER_NO
FIELDS = ["made", "contact_of_wish", "contact_of_offer"]
NOT_MADE = matching_pb.MatchForDesk()
REACH = {"asks": "Bel aan op nummer 4.", "offers": "Ik ben op woensdag in het buurthuis."}


def marke(town: Town) -> ExchangeClient:
    """Return the desk of the village, a foundation of volunteers: it works on no case."""
    folder = f"of-{MARKE}"
    there = (town.settings.data / folder).exists()
    credentials = town.credentials(folder) if there else town.join(MARKE, TASK)
    return town.client(Person("makelaar-1", TASK, "netwerkmakelaar"), credentials)


class Resident:
    """A resident with a plan, who speaks for himself."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.desks = Desks(town)
        self.plan_id = self.desks.story.plan_id
        self.position = 0

    def says(self, command: str, **fields: Any) -> Any:  # noqa: ANN401 -- fields and answer of any command
        client = self.desks.resident
        seen = client.plan.get_plan(claim=ACCESS, plan_id=self.plan_id, fields=["version"]).plan
        answer = getattr(client.matching, command)(
            claim=SAYS, plan_id=self.plan_id, expected_version=seen.version, **fields
        )
        self.desks.story.version = answer.version
        self.position = answer.receipt.position
        return answer

    def chooses_the_desk(self, recipient: str = f"{MARKE}/{TASK}") -> str:
        """Let the resident consent to the desk; return the consent."""
        start, end = Timestamp(), Timestamp()
        start.seconds = int(self.town.now().timestamp()) - 60
        end.seconds = start.seconds + 90 * A_DAY_S
        asked = self.desks.resident.consent.request_consent(
            claim=WORD,
            case_id=self.desks.story.case_id,
            kind=consent_pb.CONSENT_KIND_GDPR,
            consent_purpose=pb.PURPOSE_VRAAG_EN_AANBOD,
            recipients=[recipient],
            categories=["AANBOD"],
            start_time=start,
            end_time=end,
            notice_id="folder-1",
            notice_sha256=b"\1" * 32,
        )
        self.desks.resident.consent.give_consent(
            claim=WORD,
            consent_id=asked.consent_id,
            given_by=["self"],
            explicit=True,
            free_assessed=True,
            freely_given=consent_pb.FreelyGiven(alternatives=True, no_detriment=True),
            method="portal",
            expected_version=asked.version,
        )
        consent_id: str = asked.consent_id
        return consent_id

    def matches(self) -> list[plan_pb2.Match]:
        leaves = [f"matches.{leaf}" for leaf in ("match_id", "about_id", "said", "contact", "ended")]
        return list(self.desks.plan(self.desks.resident, *leaves).matches)

    def answers(self, answer: plan_pb2.MatchAnswer.ValueType, contact: str = "") -> None:
        """Answer the newest match."""
        self.says("answer_match", match_id=self.matches()[-1].match_id, said=answer, contact=contact)


class Pair(NamedTuple):
    """Who offers, who asks, the desk both chose, and what they offer and ask."""

    offers: Resident
    asks: Resident
    desk: ExchangeClient
    contribution_id: str
    wish_id: str
    consent_id: str  # of who offers

    @classmethod
    def of(cls, town: Town, neighbourhood: str) -> Pair:
        where = GROCERIES | {"neighbourhood": neighbourhood}
        desk, offers, asks = marke(town), Resident(town), Resident(town)
        consent_id = offers.chooses_the_desk()
        asks.chooses_the_desk()
        offered = offers.says("offer_contribution", **where, own_words="Ik haal graag iets mee.")
        wish = asks.says("open_wish", **where)
        assert town.following.followed(wish.receipt.position, FOLLOWED_WITHIN_S)
        return cls(offers, asks, desk, offered.contribution_id, wish.wish_id, consent_id)

    def proposes(self) -> str:
        answer = self.desk.matching.propose_match(
            claim=MATCH, plan_id=self.asks.plan_id, wish_id=self.wish_id
        )
        match_id: str = answer.match_id
        return match_id

    def told(self, match_id: str) -> matching_pb.MatchForDesk:
        """Return what the desk is told of a match."""
        return self.desk.matching.get_match(
            claim=READ, plan_id=self.asks.plan_id, match_id=match_id, fields=FIELDS
        ).match

    def made(self) -> str:
        match_id = self.proposes()
        self.asks.answers(YES, REACH["asks"])
        self.offers.answers(YES, REACH["offers"])
        assert self.told(match_id).made
        return match_id


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
