"""Every decision of the standard's scenarios, over HTTPS, judged by the gate under a register of theirs."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.tokens import Person
from exchange.server.authzen.app import AuthzenApp
from exchange.server.authzen.door import AuthzenDoor
from tests.authzen.scenario_desk import ScenarioDesk
from tests.authzen.web import CONFIGURATION, EVALUATION, EVALUATIONS, SEARCH, Web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.town import Town

    Scenario = Callable[[str], Web]

ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
BOB_ADMIN = BOB | {"properties": {"role": "admin"}}
ACTIVE, OLD = {"type": "record", "id": "record-1"}, {"type": "record", "id": "record-2"}
MARKED_OLD = OLD | {"properties": {"status": "archived"}}
READ, WRITE = {"name": "read"}, {"name": "write"}
USER, RECORD = {"type": "user"}, {"type": "record"}


@pytest.fixture(scope="module")
def scenario(town: Town) -> Iterator[Scenario]:
    """Open a door of the town with a desk of one scenario behind it."""
    opened: dict[str, tuple[AuthzenDoor, Web]] = {}
    server = town.server

    def connect(name: str) -> Web:
        if name not in opened:
            assert server._house is not None
            app = AuthzenApp(server._house, ScenarioDesk(name), server._log, server._metrics)
            door = AuthzenDoor(app, server._config)
            port = town.run(lambda: door.start(0))
            person = Person("w-1", "college:WMO", "regisseur")
            opened[name] = door, Web(port, town.settings.data / "operator", person)
        return opened[name][1]

    yield connect
    for door, web in opened.values():
        web.close()
        town.run(partial(door.stop, 1))


def told(standards_dir: Path, file: str, part: str = "evaluation") -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((standards_dir / "authzen" / file).read_text("utf-8"))[part]
    assert cases
    return cases


# --- the published decisions and search results ---------------------------------------------------------


def test_every_published_decision_is_equal(scenario: Scenario, standards_dir: Path) -> None:
    web, different = scenario("todo"), []
    for case in told(standards_dir, "decisions-authorization-api-1_0-02.json"):
        answer = web.post(EVALUATION, case["request"])
        if (answer.status, answer.body["decision"]) != (200, case["expected"]):
            different.append(case)
    assert different == []


def test_every_published_list_of_decisions_is_equal(scenario: Scenario, standards_dir: Path) -> None:
    web, different = scenario("todo"), []
    for case in told(standards_dir, "decisions-authorization-api-1_0-02.json", "evaluations"):
        answer = web.post(EVALUATIONS, case["request"])
        found = [{"decision": one["decision"]} for one in answer.body["evaluations"]]
        if found != case["expected"]:
            different.append(case)
    assert different == []


@pytest.mark.parametrize("gap", ["subject", "resource", "action"])
def test_every_published_search_result_is_equal(scenario: Scenario, standards_dir: Path, gap: str) -> None:
    web, different = scenario("search"), []
    for case in told(standards_dir, f"search-{gap}-results.json"):
        answer = web.post(SEARCH + gap, case["request"])
        if answer.body["results"] != case["expected"]["results"] or answer.body["page"]["next_token"]:
            different.append(case)
    assert different == []


# --- the certification fixture: basic -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "action", "resource", "decision"),
    [
        (ALICE, READ, ACTIVE, True),
        (ALICE, WRITE, ACTIVE, True),
        (BOB, READ, ACTIVE, True),
        (BOB, WRITE, ACTIVE, False),
        (ALICE, WRITE, MARKED_OLD, False),
        (BOB_ADMIN, WRITE, MARKED_OLD, True),
        (ALICE, {"name": "delete", "properties": {"soft": True}}, ACTIVE, True),
        (ALICE, {"name": "delete", "properties": {"soft": False}}, ACTIVE, False),
    ],
)
def test_the_eight_decisions_hold_with_and_without_context_and_each_time(
    scenario: Scenario, subject: object, action: object, resource: object, decision: object
) -> None:
    asked = {"subject": subject, "action": action, "resource": resource}
    more = asked | {"context": {"time": "2026-06-27T18:03-07:00", "ip": "192.0.2.1"}, "foo": {"nested": True}}
    answers = [scenario("certification").post(EVALUATION, one) for one in (asked, asked, more)]
    assert [(one.status, one.body["decision"]) for one in answers] == [(200, decision)] * 3
    assert all(one.headers["content-type"] == "application/json" for one in answers)


def test_properties_nobody_asked_for_change_nothing(scenario: Scenario) -> None:
    asked = {
        "subject": ALICE | {"properties": {"department": "Sales", "role": "manager"}},
        "action": READ | {"properties": {"method": "GET"}},
        "resource": ACTIVE | {"properties": {"status": "active", "owner": "bob"}},
    }
    assert scenario("certification").post(EVALUATION, asked).body["decision"] is True


# --- the certification fixture: batch --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "decisions"),
    [
        (
            {"subject": BOB, "resource": ACTIVE, "evaluations": [{"action": READ}, {"action": WRITE}]},
            [True, False],
        ),
        (
            {
                "subject": ALICE,
                "action": WRITE,
                "evaluations": [{"resource": ACTIVE}, {"resource": MARKED_OLD}],
            },
            [True, False],
        ),
        (
            {
                "action": WRITE,
                "resource": MARKED_OLD,
                "evaluations": [{"subject": ALICE}, {"subject": BOB_ADMIN}],
            },
            [False, True],
        ),
        (
            {
                "evaluations": [
                    {"subject": ALICE, "action": READ, "resource": ACTIVE},
                    {"subject": BOB, "action": WRITE, "resource": ACTIVE},
                ]
            },
            [True, False],
        ),
        (
            {
                "subject": ALICE,
                "action": WRITE,
                "resource": ACTIVE,
                "evaluations": [{}, {"resource": MARKED_OLD}],
            },
            [True, False],
        ),
        (
            {"subject": ALICE, "action": READ, "evaluations": [{"resource": ACTIVE}, {}]},
            [True, False],
        ),
    ],
    ids=["defaults", "resources", "subjects", "no defaults", "whole default", "one without a resource"],
)
def test_a_list_is_answered_in_its_order(
    scenario: Scenario, asked: dict[str, object], decisions: list[bool]
) -> None:
    answer = scenario("certification").post(EVALUATIONS, asked)
    assert answer.status == 200
    assert [one["decision"] for one in answer.body["evaluations"]] == decisions
    assert "decision" not in answer.body


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_a_list_ends_where_its_semantic_says(
    scenario: Scenario, semantic: str, decisions: list[bool]
) -> None:
    asked = {
        "resource": ACTIVE,
        "options": {"evaluations_semantic": semantic},
        "evaluations": [
            {"subject": ALICE, "action": WRITE},
            {"subject": BOB, "action": WRITE},
            {"subject": BOB, "action": READ},
        ],
    }
    answer = scenario("certification").post(EVALUATIONS, asked)
    assert [one["decision"] for one in answer.body["evaluations"]] == decisions


@pytest.mark.parametrize("more", [{}, {"evaluations": []}], ids=["no list", "an empty list"])
def test_without_a_list_it_is_one_evaluation(scenario: Scenario, more: dict[str, object]) -> None:
    asked = {"subject": ALICE, "action": READ, "resource": ACTIVE} | more
    answer = scenario("certification").post(EVALUATIONS, asked)
    assert (answer.status, answer.body["decision"]) == (200, True)


# --- the certification fixture: search -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "asked", "expected"),
    [
        ("subject", {"subject": USER, "action": READ, "resource": ACTIVE}, [ALICE, BOB]),
        ("subject", {"subject": ALICE, "action": READ, "resource": ACTIVE}, [ALICE, BOB]),
        ("subject", {"subject": USER, "action": WRITE, "resource": MARKED_OLD}, [BOB]),
        ("resource", {"subject": ALICE, "action": READ, "resource": RECORD}, [ACTIVE, OLD]),
        ("resource", {"subject": ALICE, "action": READ, "resource": ACTIVE}, [ACTIVE, OLD]),
        ("resource", {"subject": BOB_ADMIN, "action": WRITE, "resource": RECORD}, [OLD]),
        ("action", {"subject": ALICE, "resource": ACTIVE}, [READ, WRITE]),
        ("action", {"subject": BOB_ADMIN, "resource": MARKED_OLD}, [READ, WRITE]),
        ("action", {"subject": {"type": "user", "id": "nobody"}, "resource": ACTIVE}, []),
        ("subject", {"subject": {"type": "spaceship"}, "action": READ, "resource": ACTIVE}, []),
        ("resource", {"subject": ALICE, "action": READ, "resource": {"type": "spaceship"}}, []),
    ],
)
def test_a_search_finds_what_the_fixture_asks(
    scenario: Scenario, gap: str, asked: dict[str, object], expected: list[dict[str, object]]
) -> None:
    web = scenario("certification")
    for question in (asked, asked | {"context": {"ip": "192.0.2.1"}}):
        answer = web.post(SEARCH + gap, question)
        assert (answer.status, answer.body["results"]) == (200, expected)


def test_pages_together_are_the_whole_and_a_token_is_of_its_question(scenario: Scenario) -> None:
    web = scenario("search")
    asked = {"subject": USER, "action": {"name": "view"}, "resource": {"type": "record", "id": "101"}}
    whole = web.post(SEARCH + "subject", asked).body["results"]
    found, token = [], ""
    for _ in range(len(whole)):
        page = {"limit": 1} | ({"token": token} if token else {})
        answer = web.post(SEARCH + "subject", asked | {"page": page}).body
        assert len(answer["results"]) <= 1
        found += answer["results"]
        token = answer["page"]["next_token"]
    assert found == whole
    other = asked | {"action": {"name": "edit"}}
    first = web.post(SEARCH + "subject", asked | {"page": {"limit": 1}}).body["page"]["next_token"]
    refused = web.post(SEARCH + "subject", other | {"page": {"token": first}})
    assert (refused.status, list(refused.body["fields"])) == (400, ["page.token"])


# --- discovery -------------------------------------------------------------------------------------------


def test_the_metadata_names_every_endpoint_under_the_name_that_was_used(scenario: Scenario) -> None:
    web = scenario("certification")
    answer = web.get(CONFIGURATION)
    base = f"https://localhost:{web.port}"
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
    }
