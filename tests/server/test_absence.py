"""Sealed and absent: a thousand random questions to two towns, one of which has what the other never had.

Answers are compared byte for byte, in shape and size, with only the ids of decisions (drawn at random) and
the moment an emergency ends made equal. Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import grpc
import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_service_pb2 as plan_pb
from exchange.v1.case_service_pb2 import FindCaseRequest, FindCaseResponse
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from exchange.wiring.core import utc_now
from tests.server.story import Story
from tests.server.town import ACCESS, CITY, DELIVER, INVESTIGATE, WORK, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

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
DECISION = re.compile(rb"[0-9a-f]{32}")
METHODS: dict[type[Message], str] = {
    plan_pb.GetPlanRequest: "/exchange.v1.PlanService/GetPlan",
    FindCaseRequest: "/exchange.v1.CaseService/FindCase",
}


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
        town.stands_at = None
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
        proposed = wmo.rights.seal_compartment(
            claim=SEAL,
            case_id=self.story.case_id,
            paths=["situations"],
            readers=[f"{CITY}/college:WMO/w-reader"],
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
        call: Any = self.channel.unary_unary(METHODS[type(asked.request)])
        try:
            raw = call(asked.request.SerializeToString(), metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            told: Any = error
            details = dict(told.trailing_metadata() or ())["grpc-status-details-bin"]
            return told.code().name, DECISION.sub(b"0" * 32, details)
        of_plan = isinstance(asked.request, plan_pb.GetPlanRequest)
        answer: Any = (plan_pb.GetPlanResponse if of_plan else FindCaseResponse).FromString(raw)
        if answer.HasField("expire_time"):
            size = len(raw) - answer.expire_time.ByteSize()
            answer.expire_time.seconds, answer.expire_time.nanos = 1, 1
            raw = answer.SerializeToString(deterministic=True) + size.to_bytes(4, "big")
        return "OK", DECISION.sub(b"0" * 32, raw)


class Asked(NamedTuple):
    """Who asks what."""

    person: int
    request: Any


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, Twin]]:
    with (tmp_path_factory.mktemp("log") / "log").open("w", encoding="utf-8") as lines:
        towns = [Town(tmp_path_factory.mktemp(name), open_log(stream=lines)) for name in ("sealed", "absent")]
        bsn = next(towns[0].bsns)
        at = utc_now()
        sealed, absent = (Twin(town, bsn, at) for town in towns)
        sealed.hide_a_shelter()
        assert (sealed.story.case_id, sealed.story.plan_id) == (absent.story.case_id, absent.story.plan_id)
        yield sealed, absent
        for twin in (sealed, absent):
            twin.channel.close()
            twin.town.close()


def question(chance: random.Random, twin: Twin) -> Asked:
    """Draw one question; most of them ask for what is sealed in one of the towns."""
    person = chance.randrange(len(twin.persons))
    if chance.random() < 0.1:
        fields = chance.choice((["case_id"], ["plan_id"], ["case_id", "plan_id"]))
        return Asked(
            person,
            FindCaseRequest(claim=chance.choice(CLAIMS), resident=twin.story.pseudonym, fields=fields),
        )
    of_sealed = [path for path in PATHS if path.startswith("situations.")]
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


def test_a_thousand_questions_are_answered_alike(twins: tuple[Twin, Twin]) -> None:
    sealed, absent = twins
    chance = random.Random(20260302)  # noqa: S311 -- a reproducible mixture of questions, no secret
    asked = [question(chance, sealed) for _ in range(QUESTIONS)]
    # The towns have residents of their own: the same person, under the pseudonym of each.
    theirs = [
        one
        if isinstance(one.request, plan_pb.GetPlanRequest)
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


@pytest.mark.parametrize("fields", [["plan_id"], ["plan_id", "situations.description", "goals.own_words"]])
def test_an_open_stream_tells_of_no_change_that_is_sealed(
    twins: tuple[Twin, Twin], fields: list[str]
) -> None:
    kinds = []
    for twin in twins:
        request = SubscribeRequest(claim=INVESTIGATE, fields=fields, heartbeat_seconds=1)
        stream: Any = twin.story.wmo.open_stream(request)
        kinds.append([event.kind for event in next(iter(stream)).events])
        stream.cancel()
    assert kinds[0] == kinds[1]
    # A change is told with a released part of it, or not at all.
    assert ("plan.goal_set" in kinds[0]) is ("goals.own_words" in fields)


def test_the_named_reader_sees_what_the_others_do_not_and_the_seal_is_recorded(
    twins: tuple[Twin, Twin],
) -> None:
    sealed, absent = twins
    fields = ["situations.description", "situations.life_domain"]
    for twin, found in ((sealed, 1), (absent, 0)):
        reader = twin.town.worker("college:WMO", "w-reader")
        asked: dict[str, Any] = {
            "claim": INVESTIGATE,
            "plan_id": twin.story.plan_id,
            "fields": ["situations.description"],
        }
        assert len(reader.plan.get_plan(**asked).plan.situations) == found
        answer = twin.story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=twin.story.plan_id, fields=fields)
        assert list(answer.plan.situations) == []
        listed = twin.town.worker("fg", "fg-1").audit.list_decisions(
            claim=claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39"),
            fields=["decisions.disclosure.decision_id", "decisions.disclosure.rules"],
            page_size=200,
        )
        rules = {one.disclosure.decision_id: list(one.disclosure.rules) for one in listed.decisions}
        while answer.decision_id not in rules and listed.next_page_token:
            listed = twin.town.worker("fg", "fg-1").audit.list_decisions(
                claim=claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39"),
                fields=["decisions.disclosure.decision_id", "decisions.disclosure.rules"],
                page_size=200,
                page_token=listed.next_page_token,
            )
            rules |= {one.disclosure.decision_id: list(one.disclosure.rules) for one in listed.decisions}
        assert rules[answer.decision_id] == (["R26"] if found else ["P-WMO-2.3.2"])


def test_a_seal_that_is_not_there_is_confirmed_like_one_that_is(twins: tuple[Twin, Twin]) -> None:
    told = []
    for twin in twins:
        stranger = twin.town.worker("college:WMO", "stranger")
        with pytest.raises(errors.Denied) as refused:
            stranger.rights.lift_seal(
                claim=SEAL, case_id=twin.story.case_id, seal_id=str(UUID(int=5, version=4)), reason="Zomaar."
            )
        told.append((refused.value.rules, refused.value.localized))
    assert told[0] == told[1]
