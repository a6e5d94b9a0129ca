"""Two exchanges side by side, each of its own municipality, and a resident who moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.envelopes import Binding, recipient_key, seal_bsn
from adapters.sdk.handover import Claims, Handover, Newcomer, Shard
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from adapters.sdk.trust import trusting
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.server.story import Story
from tests.server.town import ADMIN, CITY, INVESTIGATE, WORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.envelope_keys import EnvelopeKeys
    from tests.handover.served import ServedTown
    from tests.server.town import Town

NEW_CITY = "00000001002220647000"
TASK = "college-andere-gemeente:WMO"
LEAVES = claim(pb.PURPOSE_WMO_ONDERZOEK, "AVG-6.1.a-verhuizing", "nodig om niet opnieuw te vragen")
RECORDS = claim(pb.PURPOSE_WMO_ONDERZOEK, "AVG-6.1.a-overname", "nodig om te tonen wat aankwam")
CHECKS = claim(pb.PURPOSE_WMO_ONDERZOEK, "WABB-11-verhuizing", "nodig om de inwoner te herkennen")
CAME_ALONG = claim(pb.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2-verhuisd", "nodig voor het onderzoek")
CATEGORIES = ("WMO-PLAN", "GEZONDHEID-FUNCTIONEEL", "CONTACT", "BSN")
NEWCOMER = Newcomer(
    birth_date="1980-02-29",
    capable=True,
    life_domains=(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,),
    own_words="Ik kom hier wonen en wil mijn plan meenemen.",
    desk="burgerzaken",
)


@dataclass
class Towns:
    """The old town and the new one; the new one's college is an organisation in the old."""

    old: Any  # a Town, or one in a process of its own
    new: Any
    credentials: Credentials  # of the new college, in the old town
    keys: EnvelopeKeys
    folder: Path

    def taker(self, professional: str = "n-1") -> ExchangeClient:
        """Return the new college's client of the old exchange."""
        client: ExchangeClient = self.old.client(Person(professional, TASK, "consulent"), self.credentials)
        return client

    def driver(
        self,
        bsn: str,
        step: Callable[[str], None] = lambda _name: None,
        **changes: Any,  # noqa: ANN401 -- any argument of Handover
    ) -> Handover:
        """Return what takes over; a new one knows nothing of the one before."""
        giving = Shard(self.taker(), Pseudonyms(self.folder / "pin-old"), trusting(self.old.log_vkey))
        receiving = Shard(
            self.new.client(Person(f"n-{bsn[-5:]}", "college:WMO", "regisseur")),
            Pseudonyms(self.folder / "pin-new"),
            trusting(self.new.log_vkey),
        )
        claims = Claims(leaves=LEAVES, records=RECORDS, checks=CHECKS, own=INVESTIGATE)
        return Handover(
            giving, receiving, self.credentials, claims, self.keys, task=TASK, step=step, **changes
        )


def let_join(old: Town | ServedTown, credentials: Credentials, keys: EnvelopeKeys) -> None:
    """Let the new college join the old exchange, with an envelope key."""
    admin = old.worker("beheer", "beheerder-1")
    public_key, signature = keys.make(credentials)
    admin.organisation.set_envelope_key(
        claim=ADMIN, oin=NEW_CITY, envelope_key=public_key, key_signature=signature
    )


class Mover:
    """A resident of the old town with a plan."""

    def __init__(self, towns: Towns) -> None:
        self.towns = towns
        self.story = Story(towns.old, next(towns.old.bsns))
        self.consent_id = ""

    @property
    def bsn(self) -> str:
        """The number."""
        return self.story.bsn

    def fill(self, goals: int = 1) -> None:
        """Let the plan have something to take along."""
        for _ in range(goals):
            self.story.goal()
        answer = self.story.wmo.plan.describe_situation(
            claim=INVESTIGATE,
            plan_id=self.story.plan_id,
            expected_version=self.story.version,
            life_domain=pb.LIFE_DOMAIN_PHYSICAL_HEALTH,
            description="Loopt met een stok.",
            score=3,
            judge_date="2026-11-01",
        )
        self.story.version = answer.version

    def work(self) -> None:
        """Let Werk & Inkomen look through its own lens: that stays."""
        self.story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.story.case_id,
            oin=CITY,
            task="college:PW",
            professional="p-1",
            role="consulent",
        )
        answer = self.towns.old.worker("college:PW", "p-1").plan.assess_lens(
            claim=claim(pb.PURPOSE_PW_ARBEIDSINSCHAKELING, "PW-7", "nodig voor het plan van aanpak"),
            plan_id=self.story.plan_id,
            expected_version=self.story.version,
            law=pb.LAW_PARTICIPATIEWET,
            finding=plan_pb2.LENS_FINDING_FITS,
            reason="Kan acht uur werken.",
        )
        self.story.version = answer.version

    def ask(self, **changes: Any) -> consent_pb.RequestConsentResponse:  # noqa: ANN401 -- any field of the request
        """Ask for the consent."""
        start, end = Timestamp(), Timestamp()
        now = self.towns.old.now()
        start.FromDatetime(now - timedelta(minutes=1))
        end.FromDatetime(now + timedelta(days=30))
        said: dict[str, Any] = {
            "claim": INVESTIGATE,
            "case_id": self.story.case_id,
            "kind": consent_pb.CONSENT_KIND_GDPR,
            "consent_purpose": pb.PURPOSE_WMO_ONDERZOEK,
            "recipients": [f"{NEW_CITY}/{TASK}"],
            "categories": list(CATEGORIES),
            "start_time": start,
            "end_time": end,
            "notice_id": "folder-1",
            "notice_sha256": b"\1" * 32,
        }
        return self.story.wmo.consent.request_consent(**(said | changes))

    def consent(self, **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        """Ask and let the resident say yes."""
        asked = self.ask(**changes)
        self.story.resident().consent.give_consent(
            claim=WORD,
            consent_id=asked.consent_id,
            given_by=["self"],
            explicit=True,
            free_assessed=True,
            freely_given=consent_pb.FreelyGiven(alternatives=True, no_detriment=True),
            method="portal",
            expected_version=asked.version,
        )
        self.consent_id = asked.consent_id
        return self.consent_id

    def withdraw(self) -> None:
        """Take it back."""
        self.story.resident().consent.withdraw_consent(claim=WORD, consent_id=self.consent_id)

    def offer(self, **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        """Let the old college offer the plan; return the handover's id."""
        said: dict[str, Any] = {
            "claim": INVESTIGATE,
            "plan_id": self.story.plan_id,
            "consent_id": self.consent_id,
            "recipient_oin": NEW_CITY,
            "recipient_task": TASK,
            "envelope": self.envelope(),
        }
        return self.story.wmo.handover.offer_handover(**(said | changes)).handover_id

    def envelope(self, bsn: str = "") -> bytes:
        """Seal the number to the new college."""
        pin = self.towns.folder / "pin-recipient"
        key = recipient_key(self.story.wmo.organisation, NEW_CITY, pin)
        binding = Binding(CITY, NEW_CITY, TASK, self.story.case_id, pb.PURPOSE_WMO_ONDERZOEK)
        return seal_bsn(Bsn(bsn or self.bsn), key, binding)
