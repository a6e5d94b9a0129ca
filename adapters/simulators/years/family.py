"""Who the story is about and who works with them: a mother, a father, their son, and two desks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.tokens import Person
from adapters.simulators.story.stage import BEWONER, INZAGE, WERK, WIJKTEAM, Organisation, StoryBroken
from exchange.v1.representation_service_pb2 import EvidenceSource, Gezag, Relation

if TYPE_CHECKING:
    from datetime import date

    from adapters.sdk.bsn import Bsn
    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.clock import StoryClock
    from exchange.v1.common_pb2 import Claim

REGISSEUR: Final = Person("wt-014", "college:WMO", "regisseur")
CONSULENT: Final = Person("wi-027", "college:PW", "consulent")
MOTHER_ID: Final = "ouder-1"
FATHER_ID: Final = "ouder-2"
AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")


@dataclass(slots=True)
class Member:
    """One of the household: his own number, his own case, his own plan."""

    name: str
    bsn: Bsn
    birth_date: date
    resident: bytes = b""
    case_id: str = ""
    plan_id: str = ""
    goal_id: str = ""
    membership_id: str = ""
    said_yes_at: Timestamp = field(default_factory=Timestamp)


@dataclass(slots=True)
class Family:
    """All of the story: its clock, the municipality, and the household's members."""

    clock: StoryClock
    municipality: Organisation
    noor: Member
    bas: Member
    sem: Member
    trajectory_id: str = ""

    @property
    def members(self) -> tuple[Member, Member, Member]:
        """The three."""
        return self.noor, self.bas, self.sem

    def day(self, days: int = 0) -> str:
        """Return a day so many days from the story's today, ISO 8601."""
        return (self.clock.now() + timedelta(days=days)).date().isoformat()

    def sem_turns(self, age: int) -> datetime:
        """Return the moment at which the son's day of turning this age begins."""
        born = self.sem.birth_date
        return datetime(born.year + age, born.month, born.day, tzinfo=AMSTERDAM)

    def team(self) -> ExchangeClient:
        """Speak as the director, of the neighbourhood team."""
        return self._as(REGISSEUR)

    def work(self) -> ExchangeClient:
        """Speak as the professional of Werk & Inkomen."""
        return self._as(CONSULENT)

    def portal(self, member: Member) -> ExchangeClient:
        """Speak as the member himself, at the municipality's portal."""
        return self.municipality.as_(f"portaal-{member.name}", "betrokkene", "inwoner", member.resident)

    def parent_of_sem(self, person_id: str) -> ExchangeClient:
        """Speak as a parent, at the portal, for the son."""
        role = ("wettelijk-vertegenwoordiger", "vertegenwoordiger")
        return self.municipality.as_(person_id, *role, self.sem.resident)

    def _as(self, person: Person) -> ExchangeClient:
        return self.municipality.as_(person.professional, person.task, person.role)

    def version(self, member: Member) -> int:
        """Return the version of a member's plan as the neighbourhood team sees it now."""
        read = self.team().plan.get_plan(claim=WIJKTEAM, plan_id=member.plan_id, fields=["version"])
        return read.plan.version

    def change(
        self,
        told: Telling,
        member: Member,
        what: str,
        by: tuple[ExchangeClient, Claim] | None = None,
        **asked: Any,  # noqa: ANN401 -- any field of the request
    ) -> Any:  # noqa: ANN401 -- the answer of any command on a plan
        """Let a member's plan be changed, by the director where nobody is named; keep its receipt."""
        client, why = by or (self.team(), WIJKTEAM)
        answer = getattr(client.plan, what)(
            claim=why, plan_id=member.plan_id, expected_version=self.version(member), **asked
        )
        told.keep(self.municipality, answer)
        return answer

    def words(self, client: ExchangeClient, member: Member) -> list[str]:
        """Return the goals of a member as a side of his sees them."""
        read = client.plan.get_plan(claim=INZAGE, plan_id=member.plan_id, fields=["goals.own_words"])
        return [goal.own_words for goal in read.plan.goals]


def by_work(family: Family) -> tuple[ExchangeClient, Claim]:
    """Return Werk & Inkomen with its basis."""
    return family.work(), WERK


def by_member(family: Family, member: Member) -> tuple[ExchangeClient, Claim]:
    """Return a member with his basis."""
    return family.portal(member), BEWONER


def stamp(moment: datetime) -> Timestamp:
    """Return a moment as the contract has it."""
    found = Timestamp()
    found.FromDatetime(moment)
    return found


def parents_of_sem(told: Telling, family: Family) -> None:
    """Record both parents, with the authority that the register of persons shows."""
    for person_id in (MOTHER_ID, FATHER_ID):
        recorded = family.team().representation.record_representative(
            claim=WIJKTEAM,
            case_id=family.sem.case_id,
            person_oin=family.municipality.oin,
            person_id=person_id,
            relation=Relation.RELATION_PARENT,
            gezag=Gezag.GEZAG_GEZAMENLIJK_OUDERLIJK,
            evidence_source=EvidenceSource.EVIDENCE_SOURCE_BRP,
            source_reference="brp-gezag",
            source_date=family.day(),
            start_date=family.sem.birth_date.isoformat(),
        )
        told.keep(family.municipality, recorded)


def must(holds: bool, what: str) -> None:  # noqa: FBT001 -- what must hold is all there is to say
    """Stop the story where something is not as it is told."""
    if not holds:
        raise StoryBroken(what)
