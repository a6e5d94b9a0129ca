"""Residents who offer and ask one another something, and the desk they chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import matching_service_pb2 as matching_pb
from exchange.v1 import plan_pb2
from tests.server.town import ACCESS, WORD
from tests.stories.people import Desks

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

MARKE = "00000004009876543000"
TASK = "vrijwilligersorganisatie"
MATCHED_BY = (MARKE, TASK)
SAYS = claim(pb.PURPOSE_VRAAG_EN_AANBOD, "RESIDENT-OFFER")
MATCH = claim(pb.PURPOSE_VRAAG_EN_AANBOD, "MATCH-6.1.a", "om buren bij elkaar te brengen")
READ = claim(pb.PURPOSE_VRAAG_EN_AANBOD, "MATCH-READ-6.1.a", "om buren bij elkaar te brengen")
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

    def second_wish(self) -> str:
        """Let who asks ask something that nobody offers; return the wish."""
        where = GROCERIES | {"neighbourhood": "BU99999998"}
        wish_id: str = self.asks.says("open_wish", **where).wish_id
        return wish_id

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
