"""Two towns with one resident each and the same history, but for what is hidden in the first of them.

Answers are compared byte for byte, in shape and size, with only the ids of decisions (drawn at random), page
tokens and the moment an emergency ends made equal. Source: GDPR 32; the gate's design section 5 (uniform
absence).
"""

from __future__ import annotations

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import grpc

from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.server.contract.labels import labels_of
from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from exchange.v1 import plan_service_pb2 as plan_pb
from exchange.v1.case_service_pb2 import FindCaseRequest, FindCaseResponse
from exchange.v1.consent_service_pb2 import ListConsentsRequest, ListConsentsResponse
from exchange.wiring.core import utc_now
from tests.server.family import stamp
from tests.server.story import Story
from tests.server.town import ACCESS, CITY, DELIVER, INVESTIGATE, WORK, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from google.protobuf.message import Message

QUESTIONS = 1_000
SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
GLASS = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al dagen niets meer.")
CLAIMS = (
    INVESTIGATE,
    WORK,
    ACCESS,
    DELIVER,
    claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", break_glass=GLASS),
    claim(pb.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", "nodig voor afstemming"),
    claim(pb.PURPOSE_VT_ONDERZOEK, "WMO-5.2.6", "nodig voor veiligheid"),
    claim(pb.PURPOSE_WMO_ONDERZOEK, "NO-SUCH-BASIS", "nodig"),
)
# The version counts what was written on the plan, seen or not: it is a position, and is not compared.
PATHS = tuple(sorted(set(PLAN_LABELS) - {"version"}))
CONSENT_PATHS = tuple(sorted(labels_of(ListConsentsResponse.DESCRIPTOR)))
DECISION = re.compile(rb"[0-9a-f]{32}")
METHODS: dict[type[Message], tuple[str, type[Message]]] = {
    plan_pb.GetPlanRequest: ("/exchange.v1.PlanService/GetPlan", plan_pb.GetPlanResponse),
    FindCaseRequest: ("/exchange.v1.CaseService/FindCase", FindCaseResponse),
    ListConsentsRequest: ("/exchange.v1.ConsentService/ListConsents", ListConsentsResponse),
}
SHELTER = "00000004000000000000"
LINK = f"{SHELTER}/wmo-aanbieder"
READER = f"{CITY}/college:WMO/w-reader"
NOTICE = b"\1" * 32


class Twin:
    """A town with one resident; ids are counted, so that both towns draw the same."""

    def __init__(self, town: Town, bsn: str, at: datetime) -> None:
        self.town = town
        numbers = count(1)
        town.fresh_uuid = lambda: str(UUID(int=next(numbers), version=4))
        town.start()
        # The same history at the same moment; afterwards time goes on for both.
        town.stands_at = at
        self.story = Story(town, bsn)
        self.story.goal()
        town.register_notice("folder-1", NOTICE)
        self.at = at
        self.ask_consent(f"{CITY}/college:WMO")
        town.stands_at = None
        self.shelter = town.join(SHELTER, "wmo-aanbieder")
        for professional in ("w-second", "w-reader"):
            self.story.wmo.case.join_professional(
                claim=INVESTIGATE,
                case_id=self.story.case_id,
                oin=CITY,
                task="college:WMO",
                professional=professional,
                role="consulent",
            )
        shown = int(time.time())
        on_case = f"w-{bsn[-5:]}"
        self.persons = (
            Person(on_case, "college:WMO", "regisseur", authenticated_at=shown),
            Person("w-second", "college:WMO", "sealed-reader", authenticated_at=shown),
            Person("stranger", "college:WMO", "regisseur", authenticated_at=shown),
            Person("stranger", "college:PW", "regisseur", authenticated_at=shown),
            Person("burger-1", "betrokkene", "inwoner", resident=self.story.pseudonym),
        )
        credentials = town.credentials()
        secrets = grpc.ssl_channel_credentials(
            credentials.root_pem, credentials.key_pem, credentials.certificate_pem
        )
        self.channel = grpc.secure_channel(town.target, secrets)
        self.clients = [town.client(person) for person in self.persons]

    def hide_a_shelter(self) -> None:
        """Describe where the resident hides, and let two persons seal it from all but one reader."""
        wmo = self.story.wmo
        wmo.plan.describe_situation(
            claim=INVESTIGATE,
            plan_id=self.story.plan_id,
            expected_version=self.story.version,
            life_domain=pb.LIFE_DOMAIN_FINANCE,
            description="De opvang aan de haven betaalt de leefkosten.",
            strengths="Wil terug naar een eigen huis.",
            score=1,
            judge_date="2026-03-02",
        )
        self._seal("situations")

    def let_a_shelter_work(self) -> None:
        """Let a shelter work on the case with a consent, a goal and a support; two persons seal its link."""
        wmo = self.story.wmo
        wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.story.case_id,
            oin=SHELTER,
            task="wmo-aanbieder",
            professional="opvang-1",
            role="begeleider",
        )
        self.ask_consent(LINK)
        staff = self.town.client(Person("opvang-1", "wmo-aanbieder", "begeleider"), self.shelter)
        staff.plan.get_plan(claim=DELIVER, plan_id=self.story.plan_id, fields=["goals.own_words"])
        goal = staff.plan.set_goal(
            claim=claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven"),
            plan_id=self.story.plan_id,
            expected_version=self.story.version,
            own_words="Veilig slapen.",
            desired_effect="rust",
            life_domain=pb.LIFE_DOMAIN_HOUSING,
            target_date="2027-06-01",
        )
        wmo.plan.request_support(
            claim=INVESTIGATE,
            plan_id=self.story.plan_id,
            expected_version=goal.version,
            kind=plan_pb2.SUPPORT_KIND_CUSTOM,
            provider_oin=SHELTER,
            product_category="02",
            product_code="02A05",
            start_date="2027-01-01",
            volume=2,
            unit="04",
            frequency="2",
            goal_ids=[goal.goal_id],
        )
        self._seal(f"link:{LINK}")

    def ask_consent(self, recipient: str) -> None:
        """Put a question to the resident, of the same moment in both towns."""
        self.story.wmo.consent.request_consent(
            claim=INVESTIGATE,
            case_id=self.story.case_id,
            kind=consent_pb.CONSENT_KIND_STATUTORY,
            consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
            recipients=[recipient],
            categories=["WMO-PLAN"],
            start_time=stamp(self.at),
            end_time=stamp(self.at + timedelta(days=30)),
            notice_id="folder-1",
            notice_sha256=NOTICE,
        )

    def _seal(self, path: str) -> None:
        proposed = self.story.wmo.rights.seal_compartment(
            claim=SEAL,
            case_id=self.story.case_id,
            paths=[path],
            readers=[READER],
            reason="Adres van de opvang.",
        )
        self.town.worker("college:WMO", "w-second").rights.confirm_seal(
            claim=SEAL, case_id=self.story.case_id, proposal_id=proposed.proposal_id
        )

    def answer(self, asked: Asked) -> tuple[str, bytes]:
        """Return code and bytes, decisions and moments made equal."""
        client = self.clients[asked.person]
        line, _ = client._connection.current
        metadata = (("x-exchange-person", line._tokens.token_for(self.persons[asked.person])),)
        method, answers = METHODS[type(asked.request)]
        call: Any = self.channel.unary_unary(method)
        try:
            raw = call(asked.request.SerializeToString(), metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            told: Any = error
            details = dict(told.trailing_metadata() or ())["grpc-status-details-bin"]
            return told.code().name, DECISION.sub(b"0" * 32, details)
        answer: Any = answers.FromString(raw)
        size = len(raw)
        # Which place a token hides is nobody's to read: that there is one is compared, and its length.
        if getattr(answer, "next_page_token", ""):
            answer.next_page_token = "0" * len(answer.next_page_token)
        if "expire_time" in answer.DESCRIPTOR.fields_by_name and answer.HasField("expire_time"):
            size -= answer.expire_time.ByteSize()
            answer.expire_time.seconds, answer.expire_time.nanos = 1, 1
        raw = answer.SerializeToString(deterministic=True) + size.to_bytes(4, "big")
        return "OK", DECISION.sub(b"0" * 32, raw)


class Asked(NamedTuple):
    """Who asks what."""

    person: int
    request: Any


def opened(folders: Sequence[Path], hide: Callable[[Twin], None]) -> Iterator[tuple[Twin, Twin]]:
    """Yield two towns with the same history; in the first of them something is hidden afterwards."""
    with (folders[0] / "log").open("w", encoding="utf-8") as lines:
        towns = [Town(folder / "town", open_log(stream=lines)) for folder in folders]
        bsn = next(towns[0].bsns)
        at = utc_now()
        sealed, absent = (Twin(town, bsn, at) for town in towns)
        hide(sealed)
        assert (sealed.story.case_id, sealed.story.plan_id) == (absent.story.case_id, absent.story.plan_id)
        yield sealed, absent
        for twin in (sealed, absent):
            twin.channel.close()
            twin.town.close()


def question(chance: random.Random, twin: Twin, sealed: tuple[str, ...]) -> Asked:
    """Draw one question; most of them ask for what is sealed in one of the towns."""
    person = chance.randrange(len(twin.persons))
    kind = chance.random()
    if kind < 0.2:
        fields = chance.sample(CONSENT_PATHS, chance.randint(1, len(CONSENT_PATHS)))
        return Asked(
            person,
            ListConsentsRequest(
                claim=chance.choice(CLAIMS),
                case_id=twin.story.case_id,
                fields=fields,
                allow_partial=chance.random() < 0.5,
                page_size=chance.choice((0, 1)),
            ),
        )
    if kind < 0.3:
        fields = chance.choice((["case_id"], ["plan_id"], ["case_id", "plan_id"]))
        return Asked(
            person,
            FindCaseRequest(claim=chance.choice(CLAIMS), resident=twin.story.pseudonym, fields=fields),
        )
    of_sealed = [path for path in PATHS if path.startswith(sealed)]
    fields = chance.sample(of_sealed, chance.randint(0, len(of_sealed)))
    fields += chance.sample(PATHS, chance.randint(1, 6))
    chance.shuffle(fields)
    return Asked(
        person,
        plan_pb.GetPlanRequest(
            claim=chance.choice(CLAIMS),
            plan_id=twin.story.plan_id,
            fields=fields,
            allow_partial=chance.random() < 0.5,
        ),
    )


def refuse_differences(twins: tuple[Twin, Twin], of_sealed: tuple[str, ...]) -> None:
    """Ask a thousand questions of both, most for leaves that begin with one of these; compare bytes."""
    sealed, absent = twins
    chance = random.Random(20260302)  # noqa: S311 -- a reproducible mixture of questions, no secret
    asked = [question(chance, sealed, of_sealed) for _ in range(QUESTIONS)]
    # The towns have residents of their own: the same person, under the pseudonym of each.
    theirs = [
        one
        if not isinstance(one.request, FindCaseRequest)
        else Asked(
            one.person,
            FindCaseRequest(
                claim=one.request.claim, resident=absent.story.pseudonym, fields=one.request.fields
            ),
        )
        for one in asked
    ]
    with ThreadPoolExecutor(8) as pool:
        ours = list(pool.map(sealed.answer, asked))
        others = list(pool.map(absent.answer, theirs))
    differ = [
        (asked[number], ours[number], others[number])
        for number in range(QUESTIONS)
        if ours[number] != others[number]
    ]
    assert differ == []
    codes = [code for code, _ in ours]
    assert min(codes.count("OK"), codes.count("PERMISSION_DENIED")) > QUESTIONS // 20
    assert len({answer for _, answer in ours}) > QUESTIONS // 20, "the questions are not all one"
