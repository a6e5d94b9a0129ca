"""P11, what a resident notices: several organisations write in one plan at once, and no work is lost.

Source: the domain's design section 2; exchange/decisions/0080-versions-by-part.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.looking import Look, decide, look
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import ACCESS, CARE, CITY, DELIVER, INVESTIGATE, WORD, WORK
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

PROVIDE = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")
SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
GLASS = pb.BreakGlass(code="ACUUT-GEVAAR-KIND", reason="Het kind is in gevaar, nu ingrijpen is nodig.")
GOALS = ("goals.goal_id", "goals.own_words", "goals.state", "goals.state_date", "goals.carried_by")
SITUATIONS = ("situations.life_domain", "situations.description", "situations.score")
SUPPORTS = tuple(
    f"supports.{leaf}" for leaf in ("support_id", "state", "care_start_date", "care_end_date", "stop_reason")
)
GOAL = {
    "own_words": "Weer zelf koken.",
    "desired_effect": "eten",
    "life_domain": pb.LIFE_DOMAIN_HOUSING,
    "target_date": "2027-06-01",
}


def seen(desks: Desks, client: ExchangeClient, why: pb.Claim, *fields: str, **said: Any) -> Look:  # noqa: ANN401 -- as `look` takes
    return look(client, why, desks.story.plan_id, fields, **said)


def writes(desks: Desks, client: ExchangeClient, command: str, rests_on: Look, **fields: Any) -> Any:  # noqa: ANN401 -- fields and answer of any command
    said: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": desks.story.plan_id, "seen": rests_on.seen}
    answer = getattr(client.plan, command)(**(said | fields))
    desks.story.version = desks.town.state("plan", desks.story.plan_id).version
    return answer


def conflict(act: Callable[[], object]) -> errors.Conflict:
    with pytest.raises(errors.Conflict) as refused:
        act()
    assert refused.value.reason == "VERSION_CONFLICT"
    return refused.value


def reads(desks: Desks) -> int:
    """Return how many reads are on record, as the resident reads them."""
    log = desks.resident.disclosure.list_disclosures(
        claim=ACCESS, case_id=desks.story.case_id, fields=["disclosures.action"], page_size=200
    )
    return sum(one.action == "READ" for one in log.disclosures)


def test_what_another_writes_elsewhere_is_no_conflict(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    carer = desks.carer()
    support_id = desks.choose(goal_id)
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.agree()
    desks.assign(support_id)
    # All three look, then each writes: none of them read what the others wrote.
    of_team = seen(desks, desks.team, INVESTIGATE, *GOALS)
    of_carer = seen(desks, carer, DELIVER, *SUPPORTS, only_named=True)
    of_work = seen(desks, desks.work, WORK, *SITUATIONS)
    said = {"goal_id": goal_id, "state": plan_pb2.GOAL_STATE_ACTIVE, "state_date": A_DAY}
    told = writes(desks, desks.team, "mark_goal", of_team, **said, carried_by=plan_pb2.GOAL_CARRIER_RESIDENT)
    start = {"support_id": support_id, "care_start_date": "2027-01-04"}
    started = writes(desks, carer, "start_support", of_carer, claim=PROVIDE, **start)
    domain = {"life_domain": pb.LIFE_DOMAIN_WORK_AND_EDUCATION, "score": 3, "judge_date": A_DAY}
    writes(desks, desks.work, "describe_situation", of_work, claim=WORK, description="Was kok.", **domain)
    plan = desks.plan(desks.resident, "goals.carried_by", "supports.state", "situations.description")
    assert [one.carried_by for one in plan.goals] == [plan_pb2.GOAL_CARRIER_RESIDENT]
    assert [one.state for one in plan.supports] == [plan_pb2.SUPPORT_STATE_STARTED]
    assert {one.description for one in plan.situations} == {"Het lukt thuis niet meer.", "Was kok."}
    # Who says what he saw is told no number that counts what others wrote.
    assert (told.version, started.version, len(started.part_versions)) == (0, 0, 0)
    # And goes on from the answer without another look.
    again = of_team._replace(
        seen=type(of_team.seen)(claim=INVESTIGATE, fields=GOALS, part_versions=told.part_versions)
    )
    writes(desks, desks.team, "set_goal", again, **GOAL)


def test_in_the_same_part_the_second_is_told_what_the_first_changed(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    carer = desks.carer()
    of_team = seen(desks, desks.team, INVESTIGATE, *GOALS)
    withdraw = {"goal_id": goal_id, "state": plan_pb2.GOAL_STATE_WITHDRAWN, "state_date": A_DAY}
    desks.does(desks.resident, "mark_goal", **withdraw)
    on_record = reads(desks)

    def set_goal(of: Look) -> Any:  # noqa: ANN401 -- the answer of a command
        return writes(desks, desks.team, "set_goal", of, **GOAL)

    refused = conflict(lambda: set_goal(of_team))
    changed = refused.changed
    assert changed is not None
    (one,) = changed.changes
    assert (one.part, one.element_id, one.added) == ("goals", goal_id, False)
    assert set(one.fields) == {"goals.state", "goals.state_date"}
    assert (one.oin, one.task, changed.left_out) == (CITY, "betrokkene", 0)
    # What one is told of somebody's plan is a look at it, and he finds it in his log.
    assert reads(desks) == on_record + 1
    # Nothing was written, and the version that came along is that of what stands now.
    assert len(desks.plan(desks.team, "goals.goal_id").goals) == 1
    assert list(changed.part_versions) == list(
        seen(desks, desks.team, INVESTIGATE, *GOALS).seen.part_versions
    )
    assert list(changed.part_versions) != list(of_team.seen.part_versions)
    # The system asks its person again, with what stands now.
    looks: list[Look] = []

    def look_or_what_was() -> Look:
        return seen(desks, desks.team, INVESTIGATE, *GOALS) if looks else of_team

    def decides(of: Look) -> Any:  # noqa: ANN401 -- the answer of a command
        looks.append(of)
        return set_goal(of)

    assert decide(look_or_what_was, decides).goal_id
    assert [of.changed is None for of in looks] == [True, False]
    assert [goal.state for goal in looks[-1].plan.goals] == [plan_pb2.GOAL_STATE_WITHDRAWN]
    assert carer is not desks.team


def test_a_provider_and_a_desk_stop_the_same_support(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    carer = desks.carer()
    support_id, other_id = desks.choose(goal_id), desks.choose(goal_id)
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.agree()
    desks.assign(support_id)
    desks.does(carer, "start_support", claim=PROVIDE, support_id=support_id, care_start_date="2027-01-04")
    stop = {
        "support_id": support_id,
        "care_end_date": "2027-02-01",
        "reason": plan_pb2.STOP_REASON_BY_PROVIDER,
    }
    of_carer = seen(desks, carer, DELIVER, *SUPPORTS, only_named=True)
    # Another support of the same part is another matter.
    desks.does(
        desks.team,
        "assign_support",
        support_id=other_id,
        assignment_number="654321",
        assign_date="2026-12-01",
    )
    whole = of_carer._replace(seen=type(of_carer.seen)())
    whole.seen.CopyFrom(of_carer.seen)
    whole.seen.only_named = False
    told = conflict(lambda: writes(desks, carer, "stop_support", whole, claim=PROVIDE, **stop)).changed
    assert told is not None
    assert [(one.element_id, list(one.fields), one.oin) for one in told.changes] == [
        (other_id, ["supports.state"], CITY)
    ]
    desks.does(desks.team, "stop_support", **(stop | {"reason": plan_pb2.STOP_REASON_BY_RESIDENT}))
    told = conflict(lambda: writes(desks, carer, "stop_support", of_carer, claim=PROVIDE, **stop)).changed
    assert told is not None
    (one,) = told.changes
    assert (one.element_id, one.oin, one.task) == (support_id, CITY, "college:WMO")
    assert set(one.fields) == {"supports.state", "supports.care_end_date", "supports.stop_reason"}
    assert CARE not in str(told)


def test_what_somebody_may_not_read_is_no_conflict_and_moves_no_version(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    desks.join(CITY, Person("w-parts", "college:WMO", "consulent"))
    colleague = town.worker("college:WMO", "w-parts")
    asked = desks.team.rights.seal_compartment(
        claim=SEAL,
        case_id=desks.story.case_id,
        paths=["goals", "situations.description"],
        readers=[f"{CITY}/college:WMO/w-{desks.story.bsn[-5:]}"],
        reason="Adres van de opvang.",
    )
    colleague.rights.confirm_seal(claim=SEAL, case_id=desks.story.case_id, proposal_id=asked.proposal_id)
    desks.describe(pb.LIFE_DOMAIN_HOUSING)
    before = seen(desks, colleague, INVESTIGATE, *GOALS, *SITUATIONS)
    assert not before.plan.goals
    # A sealed part, and what another desk writes under another law, which this ground does not open.
    said = {"goal_id": goal_id, "state": plan_pb2.GOAL_STATE_REACHED, "state_date": A_DAY}
    desks.does(desks.team, "mark_goal", **said)
    desks.does(desks.team, "set_goal", **GOAL)
    housing = {"life_domain": pb.LIFE_DOMAIN_HOUSING, "score": 3, "judge_date": A_DAY}
    desks.does(desks.work, "describe_situation", description="Kan niet verhuizen.", **housing)
    after = seen(desks, colleague, INVESTIGATE, *GOALS, *SITUATIONS)
    assert after == before
    on_record = reads(desks)
    told = writes(desks, colleague, "set_goal", before, **GOAL)
    assert told.version == 0
    # Nothing was told, so nothing was read.
    assert reads(desks) == on_record
    # What he may read of the same part is told, and of that alone.
    desks.describe(pb.LIFE_DOMAIN_HOUSING, score=4)
    shown = {"life_domain": pb.LIFE_DOMAIN_FINANCE, "description": "x", "score": 3, "judge_date": A_DAY}
    changed = conflict(lambda: writes(desks, colleague, "describe_situation", before, **shown)).changed
    assert changed is not None
    assert [(one.part, one.added) for one in changed.changes] == [("situations", True)]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"seen": None}, "expected_version"),
        ({"expected_version": 3}, "expected_version"),
        ({"fields": ["goals.goal_id"]}, "seen.part_versions[0]"),
        ({"claim": WORD}, "seen.part_versions[0]"),
        ({"part_versions": ["goals:AAAA"]}, "seen.part_versions[0]"),
        ({"part_versions": ["nonsense:AAAA"]}, "seen.part_versions"),
        ({"fields": [*GOALS, "goals.nonsense"]}, "seen.fields[5]"),
        ({"fields": [*GOALS, "situations.score"]}, "seen.fields[5]"),
        ({"fields": [*GOALS, "version"]}, "seen.fields[5]"),
        ({"only_named": True}, "seen.only_named"),
        ({"claim": claim(INVESTIGATE.purpose, "WMO-2.3.2", break_glass=GLASS)}, "seen.claim.break_glass"),
    ],
)
def test_what_was_seen_has_to_fit(town: Town, one: Desks, change: dict[str, Any], path: str) -> None:
    looked = seen(one, one.team, INVESTIGATE, *GOALS)
    said: dict[str, Any] = {"claim": INVESTIGATE, "plan_id": one.story.plan_id, **GOAL}
    in_seen = {name: value for name, value in change.items() if name in looked.seen.DESCRIPTOR.fields_by_name}
    kept: dict[str, Any] = {
        "claim": looked.seen.claim,
        "fields": looked.seen.fields,
        "part_versions": looked.seen.part_versions,
    }
    said |= {"seen": type(looked.seen)(**(kept | in_seen))}
    said |= {name: value for name, value in change.items() if name not in in_seen}
    with pytest.raises(errors.Invalid) as refused:
        one.team.plan.set_goal(**said)
    assert path in refused.value.field_violations
    assert town.state("plan", one.story.plan_id).version == one.story.version


@pytest.fixture(scope="module")
def one(town: Town) -> Desks:
    desks = Desks(town)
    desks.story.goal()
    return desks
