"""A sealed link and no link: two towns, in one of which a shelter works on the case behind a seal.

What everybody else is told is compared whole; only ids that are drawn, moments and the positions of leaves
are not asked. Source: GDPR 32; the gate's design section 5 (that there is a link with a shelter is sealed).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.server.contract.labels import labels_of
from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1 import common_pb2 as pb
from exchange.v1 import disclosure_service_pb2 as disclosure_pb
from exchange.v1 import plan_pb2
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.family import Family
from tests.server.town import ACCESS, CITY, DELIVER, INVESTIGATE, Town, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    from adapters.sdk.client import ExchangeClient

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
AUDIT = claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39")
GLASS = pb.BreakGlass(code="ACUUT-GEVAAR-KIND", reason="Het kind is in gevaar, nu ingrijpen is nodig.")
EMERGENCY = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", break_glass=GLASS)
RECORD = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")
SHELTER = "00000004000000000000"
TASK = "wmo-aanbieder"
LINK = f"link:{SHELTER}/{TASK}"
READER = f"{CITY}/college:WMO/w-reader"
# The name of staff is not for the resident's side (R31).
DRAWN = {"professional", "decision_id", "decide_time", "told_time", "leaf_index"}


def told_leaves(descriptor: Any) -> list[str]:  # noqa: ANN401 -- a message's descriptor
    return [path for path in labels_of(descriptor) if path.rpartition(".")[2] not in DRAWN]


class Side:
    """One town with a child, a parent, two colleagues; and perhaps a shelter."""

    def __init__(self, town: Town, *, sheltered: bool) -> None:
        self.town = town
        self.shelter = town.join(SHELTER, TASK)
        self.family = Family(town, 10)
        self.family.record()
        for professional in ("w-second", "w-reader"):
            self.join(CITY, "college:WMO", professional)
        recipients = [f"{CITY}/college:WMO"]
        if sheltered:
            self.join(SHELTER, TASK, "opvang-1")
            self.family.ask(recipients=[f"{SHELTER}/{TASK}"], consent_purpose=pb.PURPOSE_WMO_LEVERING)
            self.let_in()
            recipients.insert(0, f"{SHELTER}/{TASK}")
        self.family.ask(recipients=recipients)
        self.goal(self.family.wmo, INVESTIGATE, "Weer samen wonen.")
        # What is read before the seal names in its record who brought it.
        plan(self, self.family.representative(), ACCESS)
        plan(self, self.colleague("w-second"), INVESTIGATE)
        if sheltered:
            self.seal()

    def join(self, oin: str, task: str, professional: str) -> None:
        self.family.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.family.case_id,
            oin=oin,
            task=task,
            professional=professional,
            role="begeleider",
        )

    def staff(self, professional: str = "opvang-1") -> ExchangeClient:
        person = Person(professional, TASK, "begeleider", authenticated_at=int(time.time()))
        return self.town.client(person, self.shelter)

    def let_in(self) -> None:
        """Let the shelter read, be refused, break the glass, and be chosen to deliver."""
        plan_id = self.family.plan_id
        self.staff().plan.get_plan(claim=DELIVER, plan_id=plan_id, fields=["version"])
        with pytest.raises(errors.Denied):
            self.staff("opvang-9").plan.get_plan(claim=DELIVER, plan_id=plan_id, fields=["version"])
        self.staff("opvang-9").plan.get_plan(claim=EMERGENCY, plan_id=plan_id, fields=["reports.own_words"])
        self.goal(self.staff(), RECORD, "Veilig slapen.")
        self.family.wmo.plan.request_support(
            claim=INVESTIGATE,
            plan_id=plan_id,
            expected_version=self.town.state("plan", plan_id).version,
            kind=plan_pb2.SUPPORT_KIND_CUSTOM,
            provider_oin=SHELTER,
            product_category="02",
            product_code="02A05",
            start_date="2027-01-01",
            volume=2,
            unit="04",
            frequency="2",
            goal_ids=[self.town.state("plan", plan_id).goals[0].goal_id],
        )

    def goal(self, client: ExchangeClient, why: pb.Claim, words: str) -> None:
        client.plan.set_goal(
            claim=why,
            plan_id=self.family.plan_id,
            expected_version=self.town.state("plan", self.family.plan_id).version,
            own_words=words,
            desired_effect="rust",
            life_domain=pb.LIFE_DOMAIN_HOUSING,
            target_date="2027-06-01",
        )

    def seal(self, *words: str, readers: tuple[str, ...] = (READER,)) -> str:
        case: dict[str, Any] = {"claim": SEAL, "case_id": self.family.case_id}
        proposed = self.family.wmo.rights.seal_compartment(
            **case, paths=words or (LINK,), readers=readers, reason="Vrouwenopvang."
        )
        self.colleague("w-second").rights.confirm_seal(**case, proposal_id=proposed.proposal_id)
        return proposed.proposal_id

    def colleague(self, professional: str) -> ExchangeClient:
        return self.town.signed_in(Person(professional, "college:WMO", "consulent"))


def opened(data: Path, lines: TextIO, bsn: str = "") -> Town:
    town = Town(data, open_log(stream=lines))
    town.bsns = iter([bsn or next(town.bsns)])
    town.start()
    town.register_notice("folder-1", b"\1" * 32)
    town.open_to_representatives()
    return town


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Yield a town with a shelter and one without: for what is asked of both alike, in the same order."""
    with (tmp_path_factory.mktemp("log") / "log").open("w", encoding="utf-8") as lines:
        bsn = next(made_up_bsns())
        towns = [opened(tmp_path_factory.mktemp(name), lines, bsn) for name in ("sealed", "absent")]
        yield Side(towns[0], sheltered=True), Side(towns[1], sheltered=False)
        for town in towns:
            town.close()


@pytest.fixture(scope="module")
def sheltered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with (tmp_path_factory.mktemp("log") / "log").open("w", encoding="utf-8") as lines:
        town = opened(tmp_path_factory.mktemp("sheltered"), lines)
        yield Side(town, sheltered=True)
        town.close()


def consents(side: Side, client: ExchangeClient, why: pb.Claim) -> list[str]:
    """Return every consent as it is told, page by page, with whether another page is told of."""
    found, token = [], ""
    while True:
        answer = client.consent.list_consents(
            claim=why,
            case_id=side.family.case_id,
            fields=["consents.recipients", "consents.purpose", "consents.state", "consents.categories"],
            page_size=1,
            page_token=token,
        )
        found += [str(one) for one in answer.consents]
        token = answer.next_page_token
        found.append(f"{len(answer.consents)} {bool(token)}")
        if not token:
            return found


def disclosures(side: Side, client: ExchangeClient) -> list[str]:
    answer = client.disclosure.list_disclosures(
        claim=ACCESS,
        case_id=side.family.case_id,
        fields=told_leaves(disclosure_pb.ListDisclosuresResponse.DESCRIPTOR),
        page_size=200,
    )
    assert not answer.next_page_token
    return [str(one) for one in answer.disclosures]


def notices(side: Side, client: ExchangeClient) -> list[str]:
    fields = told_leaves(disclosure_pb.ListNoticesResponse.DESCRIPTOR)
    answer = client.disclosure.list_notices(claim=ACCESS, case_id=side.family.case_id, fields=fields)
    return [*map(str, answer.notices), str(bool(answer.next_page_token))]


def plan(side: Side, client: ExchangeClient, why: pb.Claim) -> str:
    drawn = ("plan_id", "case_id", ".goal_id", ".report_id", ".receive_time", ".goal_ids", "version")
    fields = [path for path in PLAN_LABELS if not path.endswith(drawn)]
    return str(
        client.plan.get_plan(claim=why, plan_id=side.family.plan_id, fields=fields, allow_partial=True).plan
    )


def streamed(side: Side, client: ExchangeClient) -> list[tuple[str, str]]:
    request = SubscribeRequest(
        claim=INVESTIGATE, fields=["supports.provider_oin", "goals.own_words"], heartbeat_seconds=1
    )
    stream: Any = client.open_stream(request)
    found: list[tuple[str, str]] = []
    for answer in stream:
        found += [(event.kind, str(event.change)) for event in answer.events]
        if not answer.events:
            break
    stream.cancel()
    return found


def parent(side: Side) -> ExchangeClient:
    return side.family.representative()


def second(side: Side) -> ExchangeClient:
    return side.colleague("w-second")


ASKED: dict[str, Callable[[Side], Any]] = {
    "consents, to the parent": lambda side: consents(side, parent(side), ACCESS),
    "consents, to a colleague": lambda side: consents(side, second(side), INVESTIGATE),
    "disclosures": lambda side: disclosures(side, parent(side)),
    "notices": lambda side: notices(side, parent(side)),
    "plan, to the parent": lambda side: plan(side, parent(side), ACCESS),
    "plan, to a colleague": lambda side: plan(side, second(side), INVESTIGATE),
    "events": lambda side: streamed(side, second(side)),
}


def test_a_sealed_link_and_none_are_told_alike(sides: tuple[Side, Side]) -> None:
    # Every question is a disclosure afterwards: both towns are asked the same, in the same order.
    told = [{name: ask(side) for name, ask in ASKED.items()} for side in sides]
    for name in ASKED:
        assert told[0][name] == told[1][name], name
        assert told[0][name], name
    assert SHELTER not in str(told[0])


def test_whoever_is_named_the_shelter_itself_and_the_officer_see_it(sheltered: Side) -> None:
    sealed = sheltered
    reader = sealed.colleague("w-reader")
    assert SHELTER in str(consents(sealed, reader, INVESTIGATE))
    assert SHELTER in plan(sealed, reader, INVESTIGATE)
    assert "plan.support_requested" in {kind for kind, _ in streamed(sealed, reader)}
    mine = sealed.staff().plan.get_plan(
        claim=DELIVER, plan_id=sealed.family.plan_id, fields=["supports.support_id"]
    )
    assert len(mine.plan.supports) == 1
    found, token = set(), ""
    while True:
        answer = sealed.town.worker("fg", "fg-1").audit.list_decisions(
            claim=AUDIT, fields=["decisions.disclosure.organisation"], page_size=200, page_token=token
        )
        found |= {one.disclosure.organisation for one in answer.decisions}
        token = answer.next_page_token
        if not token:
            break
    assert SHELTER in found


# --- commands ---------------------------------------------------------------------------------------------


def test_commands_find_nobody_behind_a_sealed_link(sheltered: Side) -> None:
    colleague, case_id = second(sheltered), sheltered.family.case_id
    told = []
    for oin in (SHELTER, "00000004000000000099"):
        with pytest.raises(errors.RuleBroken) as refused:
            colleague.identity.send_identity(
                claim=INVESTIGATE,
                case_id=case_id,
                resident=sheltered.family.pseudonym,
                recipient_oin=oin,
                recipient_task=TASK,
            )
        told.append((refused.value.rule, refused.value.message))
        # Nobody to take off: answered alike, and the shelter works on.
        colleague.case.leave_case(
            claim=INVESTIGATE, case_id=case_id, oin=oin, task=TASK, professional="opvang-1"
        )
    assert told[0] == told[1]
    assert told[0][0] == "RECIPIENT_NOT_ON_CASE"
    sheltered.staff().plan.get_plan(claim=DELIVER, plan_id=sheltered.family.plan_id, fields=["version"])


def test_a_consent_behind_a_sealed_link_is_nobodys_but_can_be_taken_back(sheltered: Side) -> None:
    side = sheltered
    consent_id = side.family.ask(recipients=[f"{SHELTER}/{TASK}"], consent_purpose=pb.PURPOSE_WMO_LEVERING)
    told = []
    for key in (consent_id, "5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"):
        with pytest.raises(errors.Denied) as refused:
            parent(side).consent.get_consent_receipt(claim=ACCESS, consent_id=key, fields=["json_ld"])
        told.append((refused.value.rules, refused.value.localized))
    assert told[0] == told[1]
    # Who was told its id before it was sealed can always say no (GDPR 7(3)).
    parent(side).consent.refuse_consent(
        claim=claim(pb.PURPOSE_WMO_ONDERZOEK, "RESIDENT-WORD"), consent_id=consent_id, expected_version=1
    )
    assert side.town.state("consent", consent_id).state == "refused"


def test_a_receipt_and_an_answer_on_access_leave_out_who_is_behind_a_link(sheltered: Side) -> None:
    side = sheltered
    both = [f"{SHELTER}/{TASK}", f"{CITY}/college:WMO"]
    consent_id = side.family.ask(recipients=both, consent_purpose=pb.PURPOSE_WMO_LEVERING)
    told = parent(side).consent.get_consent_receipt(claim=ACCESS, consent_id=consent_id, fields=["json_ld"])
    assert f"urn:oin:{CITY}#college:WMO" in told.json_ld
    assert SHELTER not in told.json_ld
    assert '"exchange:name": "recipients"' not in told.json_ld
    parent(side).rights.restrict(
        claim=claim(pb.PURPOSE_CORRECTIE, "LIMIT-18-RESIDENT"),
        case_id=side.family.case_id,
        restricted_purpose=pb.PURPOSE_STATISTIEK,
        recipient=both[0],
        reason="Klopt niet.",
    )
    answer = parent(side).rights.get_access_answer(
        claim=ACCESS, case_id=side.family.case_id, fields=["limits.recipient", "limits.state"]
    )
    # Whom it is sealed to could guess it, and is told no more than before he guessed.
    assert list(answer.limits) == []
    assert SHELTER not in str(answer)


@pytest.mark.parametrize(
    "word",
    [
        f"link:{CITY}/college:WMO",
        f"link:{CITY}/betrokkene",
        f"link:{CITY}/fg",
        "link:1/school",
        "link:",
        f"link:{SHELTER}",
    ],
)
def test_who_decides_or_watches_over_is_never_behind_a_link(sheltered: Side, word: str) -> None:
    with pytest.raises(errors.ExchangeRefused) as refused:
        sheltered.seal(word)
    assert refused.value.reason == "REQUEST_INVALID"
    assert set(refused.value.field_violations) == {"paths"}


def test_a_lifted_seal_shows_the_link_again(sheltered: Side) -> None:
    other = "veilig-thuis"
    word, named = f"link:{SHELTER}/{other}", f"{SHELTER}/{other}"
    sheltered.family.ask(recipients=[named])
    seen = [named in str(consents(sheltered, second(sheltered), INVESTIGATE))]
    seal_id = sheltered.seal(word)
    seen.append(named in str(consents(sheltered, second(sheltered), INVESTIGATE)))
    case: dict[str, Any] = {"claim": SEAL, "case_id": sheltered.family.case_id}
    lifting = sheltered.family.wmo.rights.lift_seal(**case, seal_id=seal_id, reason="Niet meer nodig.")
    second(sheltered).rights.confirm_seal(**case, proposal_id=lifting.proposal_id)
    seen.append(named in str(consents(sheltered, second(sheltered), INVESTIGATE)))
    assert seen == [True, False, True]
