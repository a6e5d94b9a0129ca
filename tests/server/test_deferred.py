"""A deferred notice is open until somebody was told, and reaches who is to be told, over mutual TLS.

Source: Wmo 2015 5.2.6, 5.3.1-5.3.3; GDPR 12(1), 14; the gate's design sections 5 and 6.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.family import Family
from tests.server.test_duties import NOTICE_FIELDS, duties_at, emergency, end, helper, of_decision
from tests.server.test_untold import SAFE, SAFETY, refused, told
from tests.server.town import ACCESS, AUDIT, INVESTIGATE, Town

OTHERS = ("00000005003214345011", "00000005003214345012")
DEFER = "DEFER-NOTICE-4W"
WEEKS = timedelta(weeks=4)
MARGIN = timedelta(minutes=10)
OVERDUE: dict[str, Any] = {"state": audit_pb.OBLIGATION_STATE_OVERDUE, "duties": [DEFER]}
WEIGH = claim(pb.PURPOSE_WMO_ONDERZOEK, "WEIGH-24", "nodig om te wegen")


def investigated(town: Town, family: Family, oin: str = SAFE) -> str:
    """Let Veilig Thuis read the goals; return the decision."""
    credentials = town.join(oin, "veilig-thuis")
    family.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=family.case_id,
        oin=oin,
        task="veilig-thuis",
        professional="vt-1",
        role="begeleider",
    )
    with ExchangeClient(
        town.target,
        credentials,
        Person("vt-1", "veilig-thuis", "onderzoeker"),
        clock=lambda: town.now().timestamp(),
    ) as safe:
        return safe.plan.get_plan(
            claim=SAFETY, plan_id=family.plan_id, fields=["goals.own_words"]
        ).decision_id


def clear(
    family: Family,
    representative_id: str,
    purpose: pb.Purpose.ValueType = pb.PURPOSE_VT_ONDERZOEK,
    *,
    contrary: bool = False,
) -> None:
    family.wmo.rights.record_determination(
        claim=WEIGH,
        case_id=family.case_id,
        kind=rights_pb.DETERMINATION_KIND_CONTRARY_TO_CHILD_INTEREST,
        holds=contrary,
        determined_purpose=purpose,
        representative_id=representative_id,
        reason="Het vermoeden gaat over de andere ouder.",
    )


def notices(client: ExchangeClient, family: Family) -> list[Any]:
    answer = client.disclosure.list_notices(claim=ACCESS, case_id=family.case_id, fields=NOTICE_FIELDS)
    return list(answer.notices)


def test_it_is_open_until_the_resident_was_told_and_overdue_before_that(aging_town: Town) -> None:
    town = aging_town
    family = Family(town, 40)
    decision_id = investigated(town, family)
    open_one = of_decision(town, decision_id)[DEFER]
    decided = open_one.decide_time.ToDatetime(UTC)
    assert open_one.due_time.ToDatetime(UTC) == decided + WEEKS
    town.skew = WEEKS - MARGIN
    assert notices(family.own(), family) == []
    assert not of_officer(town, decision_id).HasField("execute_time")
    assert of_officer(town, decision_id, **OVERDUE) is None
    town.skew = WEEKS + MARGIN
    assert not of_officer(town, decision_id, **OVERDUE).HasField("execute_time"), "the clock tells nobody"
    (notice,) = notices(family.own(), family)
    assert (notice.decision_id, notice.duty) == (decision_id, DEFER)
    assert not notice.HasField("told_time")
    for words in ("Het gaat om: uw doelen.", "U leest dit nu pas.", "vier weken"):
        assert words in notice.explanation
    found = of_officer(town, decision_id)
    assert (found.outcome, found.how) == (audit_pb.DUTY_OUTCOME_EXECUTED, "fetched")
    assert of_officer(town, decision_id, **OVERDUE) is None
    (again,) = notices(family.own(), family)
    assert again.told_time == found.execute_time


def of_officer(town: Town, decision_id: str, **asked: Any) -> Any:  # noqa: ANN401 -- fields of the request
    """Return the duty as an officer sees it now, None where it is not listed."""
    skew = town.skew
    try:
        return duties_at(town, decision_id, skew, **asked).get(DEFER)
    finally:
        town.skew = skew


def test_an_officer_may_end_it_by_letter_and_says_why_it_is_not_needed(town: Town) -> None:
    family = Family(town, 40)
    decision_id = investigated(town, family, OTHERS[0])
    with pytest.raises(errors.Invalid) as silent:
        end(town, decision_id, DEFER, audit_pb.DUTY_OUTCOME_NOT_NEEDED)
    assert set(silent.value.field_violations) == {"remark"}
    with pytest.raises(errors.RuleBroken) as refused:
        end(town, decision_id, DEFER, audit_pb.DUTY_OUTCOME_JUSTIFIED, remark="Zomaar.")
    assert refused.value.rule == "OUTCOME_NOT_OF_THIS_DUTY"
    end(town, decision_id, DEFER, audit_pb.DUTY_OUTCOME_EXECUTED)
    assert of_decision(town, decision_id)[DEFER].how == "desk"


# --- who is told in the place of whom ---------------------------------------------------------------------


@pytest.mark.parametrize(("age", "capable"), [(8, True), (14, False)])
def test_who_represents_a_child_is_told_once_it_was_found_that_it_is_not_about_him(
    aging_town: Town, age: int, *, capable: bool
) -> None:
    town = aging_town
    family = Family(town, age, capable=capable)
    names = {person: family.record(person) for person in ("ouder-1", "ouder-2")}
    clear(family, names["ouder-1"])
    decision_id = investigated(town, family)
    town.skew = WEEKS + MARGIN
    both = [family.representative(person) for person in names]
    # What was found before this investigation says nothing of it.
    assert [told(client, family.case_id)[1] for client in both] == [[], []]
    assert of_officer(town, decision_id, **OVERDUE) is not None
    clear(family, names["ouder-1"])
    clear(family, names["ouder-2"], contrary=True)
    log, listed = told(both[0], family.case_id)
    assert listed == [(decision_id, DEFER)]
    assert decision_id in log
    assert of_officer(town, decision_id).outcome == audit_pb.DUTY_OUTCOME_EXECUTED
    log, listed = told(both[1], family.case_id)
    assert (decision_id in log, listed) == (False, []), "it may be about him"
    clear(family, names["ouder-1"], contrary=True)
    assert told(both[0], family.case_id)[1] == [], "what is found later counts from then"


def test_before_the_weeks_are_over_and_where_the_child_reads_himself_no_representative_is_told(
    aging_town: Town,
) -> None:
    town = aging_town
    young, older = Family(town, 8), Family(town, 14)
    decided = {}
    for family, oin in zip((young, older), OTHERS, strict=True):
        representative_id = family.record()
        decided[family.case_id] = investigated(town, family, oin)
        town.skew += timedelta(minutes=1)
        clear(family, representative_id)
    town.skew = WEEKS - MARGIN
    assert told(young.representative(), young.case_id)[1] == []
    town.skew = WEEKS + MARGIN
    assert told(young.representative(), young.case_id)[1] == [(decided[young.case_id], DEFER)]
    assert told(older.representative(), older.case_id)[1] == []
    assert told(older.own(), older.case_id)[1] == [(decided[older.case_id], DEFER)]


# --- who may be the danger --------------------------------------------------------------------------------


def in_danger(town: Town, family: Family) -> tuple[str, str]:
    """Break the glass for a child in danger, once for a reason that is too short; return both."""
    asked: dict[str, Any] = {"plan_id": family.plan_id, "fields": ["goals.own_words"]}
    glass = emergency(code="ACUUT-GEVAAR-KIND")
    opened = helper(town).plan.get_plan(claim=glass, **asked).decision_id
    short = emergency(code="ACUUT-GEVAAR-KIND", reason="Gevaar thuis.")
    return opened, refused(lambda: helper(town).plan.get_plan(claim=short, **asked)).decision_id


def log_leaf(town: Town, decision_id: str) -> int:
    """Return the leaf of a decision, as the officer reads it."""
    found = town.worker("fg", "fg-1").audit.get_decision(
        claim=AUDIT, of_decision_id=decision_id, fields=["decision.disclosure.leaf_index"]
    )
    return int(found.decision.disclosure.leaf_index)


def test_who_represents_a_child_is_not_told_of_its_danger_before_it_was_found_that_he_is_none(
    aging_town: Town,
) -> None:
    town = aging_town
    family = Family(town, 8)
    names = {person: family.record(person) for person in ("ouder-1", "ouder-2")}
    clear(family, names["ouder-1"], pb.PURPOSE_ACUTE_NOOD)
    opened, tried = in_danger(town, family)
    both = [family.representative(person) for person in names]
    for client in both:
        log, listed = told(client, family.case_id)
        assert (not {opened, tried} & set(log), listed) == (True, [])
        answer = client.rights.get_access_answer(
            claim=ACCESS, case_id=family.case_id, fields=["processings.purpose", "covered.leaf_indexes"]
        )
        assert pb.PURPOSE_ACUTE_NOOD not in [one.purpose for one in answer.processings]
        assert not {log_leaf(town, one) for one in (opened, tried)} & set(answer.covered.leaf_indexes)
        assert answer.covered.leaf_indexes
    waiting = of_decision(town, opened)["NOTIFY-SUBJECT"]
    assert not waiting.HasField("execute_time"), "an officer has to see to it"
    # What is found of an investigation says nothing of an emergency, nor the other way around.
    clear(family, names["ouder-1"])
    assert told(both[0], family.case_id)[1] == []
    investigation = investigated(town, family)
    town.skew = WEEKS + MARGIN
    clear(family, names["ouder-1"], pb.PURPOSE_ACUTE_NOOD)
    log, listed = told(both[0], family.case_id)
    assert {opened, tried} <= set(log)
    assert listed == [(opened, "NOTIFY-SUBJECT")]
    assert investigation not in log
    assert not {opened, tried} & set(told(both[1], family.case_id)[0])


def test_a_resident_is_told_of_an_emergency_at_once_and_who_represents_him_is_not(town: Town) -> None:
    family = Family(town, 14)
    family.record()
    opened, tried = in_danger(town, family)
    log, listed = told(family.own(), family.case_id)
    assert {opened, tried} <= set(log)
    assert listed == [(opened, "NOTIFY-SUBJECT")]
    assert told(family.representative(), family.case_id)[1] == []
