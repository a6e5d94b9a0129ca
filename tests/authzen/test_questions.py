"""Questions about rights in a real town: judged on the streams, recorded, and telling a stranger nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk.calls import claim
from exchange.pipeline.evaluation import NOT_TOLD
from exchange.server.contract.decisions import ONLY_ASKED
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.authzen.web import EVALUATION, EVALUATIONS, SEARCH
from tests.server.town import ACCESS, CARE, CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.v1 import disclosure_service_pb2 as disclosure_pb
    from tests.authzen.web import Reply, Web
    from tests.server.story import Story
    from tests.server.town import Town

    Open = Callable[..., Web]

OBJECT = claim(pb.PURPOSE_KLACHT_BEZWAAR, "OBJECT-21-RESIDENT")
SEALING = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
FIELDS = ["goals.own_words", "version"]
INVESTIGATING = {
    "purpose": "wmo-onderzoek",
    "legal_basis": "WMO-2.3.2",
    "necessity": "nodig voor het onderzoek",
}


def question(story: Story, professional: str = "", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any part
    asked: dict[str, Any] = {
        "subject": {"type": "professional", "id": professional or worker(story)},
        "action": {"name": "READ"},
        "resource": {"type": "plan", "id": story.plan_id, "properties": {"fields": FIELDS}},
        "context": INVESTIGATING,
    }
    return asked | changes


def worker(story: Story) -> str:
    name: str = story.town.state("case", story.case_id).professionals[0].professional
    return name


def let_join(story: Story, professional: str, oin: str = CITY, task: str = "college:WMO") -> None:
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=oin,
        task=task,
        professional=professional,
        role="regisseur",
    )


def without_id(reply: Reply) -> tuple[int, Any]:
    body = dict(reply.body)
    context = {name: value for name, value in body["context"].items() if name != "id"}
    return reply.status, body | {"context": context}


# --- whose right ------------------------------------------------------------------------------------------


def test_who_works_on_the_case_may_and_a_stranger_may_not(web: Open, story: Story) -> None:
    mine = web(worker(story)).post(EVALUATION, question(story))
    assert (mine.status, mine.body["decision"]) == (200, True)
    assert mine.body["context"]["reason_admin"]["nl"].startswith("Toegestaan op grondslag WMO-2.3.2")
    stranger = web("stranger").post(EVALUATION, question(story, "stranger"))
    assert (stranger.status, stranger.body["decision"]) == (200, False)
    assert stranger.body["context"]["rules"] == ["R03"]
    assert "casus" in stranger.body["context"]["reason_user"]["nl-403"]


def test_the_answer_is_that_of_the_read_it_asks_about(web: Open, story: Story) -> None:
    context = {"purpose": "wmo-onderzoek", "legal_basis": "WMO-5.1.1-4", "necessity": "nodig"}
    told = web(worker(story)).post(EVALUATION, question(story, context=context)).body
    assert (told["decision"], told["context"]["rules"]) == (False, ["R09", "R15"])
    assert "R15" in told["context"]["reason_admin"]["nl"]


def test_a_question_for_a_consent_is_no_use_of_what_is_restricted(web: Open, story: Story) -> None:
    story.resident().rights.object(claim=OBJECT, case_id=story.case_id)
    case = {"type": "case", "id": story.case_id, "properties": {"fields": []}}
    asking = question(story, resource=case, action={"name": "COMMAND", "properties": {"asks_consent": True}})
    other = question(story, resource=case, action={"name": "COMMAND"})
    asked, refused = (web(worker(story)).post(EVALUATION, one).body for one in (asking, other))
    assert (asked["decision"], refused["decision"]) == (True, False)
    assert refused["context"]["rules"] == ["R24"]


@pytest.mark.parametrize("other", ["an unknown plan", "a plan of others"])
def test_what_does_not_exist_and_what_is_not_ones_own_are_answered_alike(
    web: Open, story: Story, other: str
) -> None:
    stranger = web("stranger")
    resource = {"type": "plan", "id": str(uuid4()), "properties": {"fields": FIELDS}}
    unknown = without_id(stranger.post(EVALUATION, question(story, "stranger", resource=resource)))
    assert unknown == without_id(stranger.post(EVALUATION, question(story, "stranger")))
    # The same of a colleague who does work on it: his right must not show the case.
    asked = question(story) | ({"resource": resource} if other == "an unknown plan" else {})
    told = without_id(stranger.post(EVALUATION, asked))
    assert told[1]["decision"] is False
    assert told[1]["context"]["reason_admin"] == {"nl": NOT_TOLD}


def test_a_colleague_on_the_case_is_told_and_the_officer_is_too(web: Open, story: Story) -> None:
    let_join(story, "w-colleague")
    assert web("w-colleague").post(EVALUATION, question(story)).body["decision"] is True
    subject = {"type": "professional", "id": worker(story), "properties": {"task": "college:WMO"}}
    officer = web("fg-1", "fg").post(EVALUATION, question(story, subject=subject))
    assert officer.body["decision"] is True


def test_an_organisation_asks_about_its_own_people_only(web: Open, town: Town, story: Story) -> None:
    town.care()
    let_join(story, "z-9", CARE, "wmo-aanbieder")
    properties = {"organisation": CARE, "task": "wmo-aanbieder"}
    context = {"purpose": "wmo-levering", "legal_basis": "WMO-5.2.1-2a", "necessity": "nodig om te leveren"}
    asked = question(
        story, subject={"type": "professional", "id": "z-9", "properties": properties}, context=context
    )
    mine = web("z-9", "wmo-aanbieder", f"of-{CARE}").post(EVALUATION, asked)
    assert mine.body["decision"] is True
    others = web(worker(story)).post(EVALUATION, asked)
    assert (others.body["decision"], others.body["context"]["reason_admin"]["nl"]) == (False, NOT_TOLD)
    assert web("fg-1", "fg").post(EVALUATION, asked).body["decision"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {"type": "robot", "id": "w-1"}},
        {"subject": {"type": "professional", "id": "two words"}},
        {"subject": {"type": "professional", "id": "w-1", "properties": {"task": "uwv"}}},
        {"subject": {"type": "professional", "id": "w-1", "properties": {"organisation": "elsewhere"}}},
        {"action": {"name": "BURN"}},
        {"resource": {"type": "house", "id": "1"}},
        {"resource": {"type": "plan", "id": "not a uuid"}},
        {"resource": {"type": "resident", "id": "short"}},
    ],
    ids=repr,
)
def test_what_the_exchange_has_no_word_for_is_one_and_the_same_no(
    web: Open, story: Story, changes: dict[str, Any]
) -> None:
    told = without_id(web(worker(story)).post(EVALUATION, question(story, **changes)))
    stranger = without_id(web("stranger").post(EVALUATION, question(story)))
    assert told == stranger


def test_one_factor_is_not_enough(web: Open, story: Story) -> None:
    told = web(worker(story), two_factor=False).post(EVALUATION, question(story)).body
    assert (told["decision"], told["context"]["rules"]) == (False, ["R02"])


# --- what is asked ----------------------------------------------------------------------------------------


def test_a_resident_asks_by_himself_and_a_case_by_the_organisations_own_pseudonym(
    web: Open, story: Story
) -> None:
    key = base64.urlsafe_b64encode(story.pseudonym).decode().rstrip("=")
    resource = {"type": "resident", "id": key, "properties": {"fields": ["case_id"]}}
    assert web(worker(story)).post(EVALUATION, question(story, resource=resource)).body["decision"] is True
    burger = web("burger-1", "betrokkene", resident=story.pseudonym)
    context = {"purpose": "inzage", "legal_basis": ACCESS.legal_basis}
    asked = question(story, "burger-1", context=context)
    assert burger.post(EVALUATION, asked).body["decision"] is True


@pytest.mark.parametrize("kind", ["case", "consent"])
def test_every_kind_of_resource_is_judged(web: Open, story: Story, kind: str) -> None:
    key = story.case_id if kind == "case" else str(uuid4())
    told = web(worker(story)).post(EVALUATION, question(story, resource={"type": kind, "id": key}))
    assert told.body["decision"] is (kind == "case")


def test_an_emergency_is_not_judged_beforehand(web: Open, story: Story) -> None:
    context = {
        "purpose": "acute-nood",
        "legal_basis": "AVG-6.1.d",
        "necessity": "nodig",
        "break_glass": {"code": "LEVENSGEVAAR", "reason": "x" * 40},
    }
    told = web(worker(story)).post(EVALUATION, question(story, context=context)).body
    assert told["decision"] is False
    assert "R28" in told["context"]["rules"]


def test_a_part_is_a_no_unless_a_part_is_welcome(web: Open, story: Story) -> None:
    resource = {"type": "plan", "id": story.plan_id, "properties": {"fields": [*FIELDS, "no.such_field"]}}
    mine = web(worker(story))
    whole = mine.post(EVALUATION, question(story, resource=resource)).body
    assert (whole["decision"], whole["context"]["withheld_fields"]) == (False, ["no.such_field"])
    part = mine.post(
        EVALUATION, question(story, resource=resource, context=INVESTIGATING | {"allow_partial": True})
    )
    assert (part.body["decision"], part.body["context"]["withheld_fields"]) == (True, ["no.such_field"])


@pytest.mark.parametrize(("life_domain", "decision"), [("housing", True), ("justice", False), ("", False)])
def test_a_command_is_judged_as_one(web: Open, story: Story, life_domain: str, *, decision: bool) -> None:
    action = {"name": "COMMAND", "properties": {"life_domain": life_domain}}
    resource = {"type": "plan", "id": story.plan_id, "properties": {"fields": ["situations.description"]}}
    asked = question(story, action=action, resource=resource)
    assert web(worker(story)).post(EVALUATION, asked).body["decision"] is decision


def test_a_basis_for_looking_is_none_for_recording(web: Open, town: Town, story: Story) -> None:
    town.care()
    let_join(story, "z-8", CARE, "wmo-aanbieder")
    mine = web("z-8", "wmo-aanbieder", f"of-{CARE}")
    context = {"purpose": "wmo-levering", "legal_basis": "WMO-5.2.1-2a", "necessity": "nodig om te leveren"}
    subject = {"type": "professional", "id": "z-8"}
    read = mine.post(EVALUATION, question(story, subject=subject, context=context))
    command = mine.post(
        EVALUATION, question(story, subject=subject, context=context, action={"name": "COMMAND"})
    )
    assert (read.body["decision"], command.body["decision"]) == (True, False)
    assert "R06" in command.body["context"]["rules"]


def seal(town: Town, story: Story, *paths: str) -> None:
    """Let two persons seal paths for everybody on the case."""
    first, second = (town.worker(professional=name) for name in (worker(story), "w-second"))
    let_join(story, "w-second")
    ask: dict[str, Any] = {"claim": SEALING, "case_id": story.case_id}
    proposed = first.rights.seal_compartment(
        **ask, paths=paths, readers=[f"{CITY}/veilig-thuis"], reason="Adres van de opvang."
    )
    second.rights.confirm_seal(**ask, proposal_id=proposed.proposal_id)


def test_sealed_and_absent_are_answered_alike(web: Open, town: Town, story: Story) -> None:
    mine = web(worker(story))
    before = mine.post(EVALUATION, question(story))
    seal(town, story, *FIELDS)
    after = mine.post(EVALUATION, question(story))
    assert without_id(after) == without_id(before)
    # Nor does the resident's own log tell one from the other.
    told = {row.decision_id: row for row in log_of_the_resident(story)}
    first, second = (told[one.body["context"]["id"]] for one in (before, after))
    second.decision_id = first.decision_id
    assert first == second


# --- what is recorded -------------------------------------------------------------------------------------


def log_of_the_resident(story: Story) -> list[disclosure_pb.Disclosure]:
    names = ("decision_id", "action", "outcome", "rules", "released_fields", "withheld_fields", "explanation")
    fields = [f"disclosures.{name}" for name in names]
    resident = story.resident()
    rows = resident.disclosure.list_disclosures(claim=ACCESS, case_id=story.case_id, fields=fields)
    return list(rows.disclosures)


async def marks(town: Town) -> int:
    """Return how many answers a withdrawal would wait for."""
    return len(town.pipeline._leaving.about(""))


def test_the_question_is_recorded_told_to_the_resident_and_gave_nothing(
    web: Open, town: Town, story: Story
) -> None:
    told = web(worker(story)).post(EVALUATION, question(story)).body
    stranger = web("stranger").post(EVALUATION, question(story)).body
    assert town.run(lambda: marks(town)) == 0
    found = {row.decision_id: row for row in log_of_the_resident(story)}
    mine, other = found[told["context"]["id"]], found[stranger["context"]["id"]]
    assert (mine.action, mine.outcome, list(mine.released_fields)) == ("EVALUATE", "PERMIT", [])
    assert (other.action, other.outcome, list(other.released_fields)) == ("EVALUATE", "DENY", [])
    assert mine.explanation == other.explanation == ONLY_ASKED


def test_a_list_of_questions_is_a_list_of_decisions(web: Open, town: Town, story: Story) -> None:
    before = town.core.reader.head()[0]
    asked = question(story)
    listed = [
        {},
        {"action": {"name": "EXPORT"}},
        {"subject": 7},
        {"resource": {"type": "plan", "id": str(uuid4())}},
    ]
    told = web(worker(story)).post(EVALUATIONS, asked | {"evaluations": listed})
    assert [one["decision"] for one in told.body["evaluations"]] == [True, True, False, False]
    assert told.body["evaluations"][2]["context"]["error"]["fields"] == {"subject": "must be an object"}
    assert town.core.reader.head()[0] - before == 3


# --- whose right it is not to tell of ---------------------------------------------------------------------


SAFETY = {"purpose": "vt-onderzoek", "legal_basis": "WMO-5.2.6", "necessity": "nodig voor het onderzoek"}


def of_safety(story: Story, professional: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any part
    properties = {"organisation": CITY, "task": "veilig-thuis"}
    subject = {"type": "professional", "id": professional, "properties": properties}
    return question(story, subject=subject, context=SAFETY, **changes)


@pytest.fixture
def beside_safety(town: Town, story: Story) -> Story:
    """Return a case on which a desk of the same organisation works whose part is not for its other desks."""
    town.worker("beheer", "beheerder-1").organisation.grant_task(
        claim=claim(pb.PURPOSE_BEHEER, "ORG-ADMIN-24"), oin=CITY, task="veilig-thuis"
    )
    let_join(story, "vt-1", CITY, "veilig-thuis")
    let_join(story, "vt-2", CITY, "veilig-thuis")
    return story


def test_another_desk_of_the_same_organisation_is_asked_about_in_vain(
    web: Open, beside_safety: Story
) -> None:
    story = beside_safety
    other_desk = web(worker(story))
    told = [without_id(other_desk.post(EVALUATION, of_safety(story, who))) for who in ("vt-1", "vt-nobody")]
    assert told[0] == told[1]
    assert (told[0][1]["decision"], told[0][1]["context"]["reason_admin"]) == (False, {"nl": NOT_TOLD})
    # The desk itself, its colleague there, and the officer are told.
    for who, task in (("vt-1", "veilig-thuis"), ("vt-2", "veilig-thuis"), ("fg-1", "fg")):
        assert web(who, task).post(EVALUATION, of_safety(story, "vt-1")).body["decision"] is True


def test_a_search_finds_nobody_of_another_desk(web: Open, beside_safety: Story) -> None:
    story = beside_safety
    asked = of_safety(story, "") | {"subject": {"type": "professional"}}
    assert web(worker(story)).post(SEARCH + "subject", asked).body["results"] == []
    found = web("vt-2", "veilig-thuis").post(SEARCH + "subject", asked).body["results"]
    assert [one["id"] for one in found] == ["vt-1", "vt-2"]
    officers = web("fg-1", "fg").post(SEARCH + "subject", asked).body["results"]
    assert [one["id"] for one in officers] == ["vt-1", "vt-2"]


def test_a_search_for_what_another_desk_works_on_looks_at_nothing(web: Open, beside_safety: Story) -> None:
    story = beside_safety
    resource = {"type": "plan", "properties": {"fields": FIELDS}}
    plans = of_safety(story, "vt-1", resource=resource)
    before = story.town.core.reader.head()[0]
    answers = [
        web(worker(story)).post(SEARCH + "resource", of_safety(story, who, resource=resource)).body
        for who in ("vt-1", "vt-nobody")
    ]
    assert answers[0] == answers[1]
    assert story.town.core.reader.head()[0] == before, "no right was judged, so nothing tells by its count"
    for who, task in (("vt-1", "veilig-thuis"), ("vt-2", "veilig-thuis"), ("fg-1", "fg")):
        found = web(who, task).post(SEARCH + "resource", plans).body["results"]
        assert story.plan_id in [one["id"] for one in found]


def test_that_a_colleague_is_family_is_told_to_nobody_but_himself_and_the_officer(
    web: Open, story: Story
) -> None:
    let_join(story, "w-family")
    story.wmo.rights.record_conflict(
        claim=claim(pb.PURPOSE_WMO_ONDERZOEK, "CONFLICT-5"),
        case_id=story.case_id,
        oin=CITY,
        professional="w-family",
        kind=rights_pb.CONFLICT_KIND_RELATIVE,
        reason="broer",
    )
    colleague = web(worker(story))
    family, nobody = (
        without_id(colleague.post(EVALUATION, question(story, who))) for who in ("w-family", "w-nobody")
    )
    assert family == nobody
    assert family[1]["context"]["rules"] == ["R03"]
    himself = web("w-family").post(EVALUATION, question(story, "w-family")).body
    subject = {"type": "professional", "id": "w-family", "properties": {"task": "college:WMO"}}
    officer = web("fg-1", "fg").post(EVALUATION, question(story, subject=subject)).body
    for told in (himself, officer):
        assert (told["decision"], told["context"]["rules"]) == (False, ["R32"])
