"""After an upheld objection, over mutual TLS: what lets data be used again, and what never does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_replay import replayed
from tests.server.test_rights import DECIDE, LIMIT, OBJECT
from tests.server.test_withdrawal import REUSE, WORDS, case_with_goal_of_work, stamp
from tests.server.town import CITY, INVESTIGATE, WORD, WORK, Town

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient

STATUTORY, SECRECY = consent_pb.CONSENT_KIND_STATUTORY, consent_pb.CONSENT_KIND_SECRECY
UPHELD = rights_pb.OBJECTION_OUTCOME_UPHELD


class Objected:
    """A resident who objected to everything, upheld; the Wmo desk would use what the desk of work wrote."""

    def __init__(self, town: Town) -> None:
        self.wmo, self.work = town.worker("college:WMO", "w-1"), town.worker("college:PW", "p-1")
        pseudonym, self.case_id, self.plan_id = case_with_goal_of_work(town, self.wmo, self.work)
        self.resident = town.client(Person("burger-1", "betrokkene", "inwoner", resident=pseudonym))
        self.objection_id = self.resident.rights.object(claim=OBJECT, case_id=self.case_id).objection_id
        self.wmo.rights.decide_objection(
            claim=DECIDE, case_id=self.case_id, objection_id=self.objection_id, outcome=UPHELD
        )

    def ask(self, client: ExchangeClient | None = None, **changes: Any) -> str:  # noqa: ANN401 -- any field
        now = datetime.now(UTC)
        asked: dict[str, Any] = {
            "claim": INVESTIGATE,
            "case_id": self.case_id,
            "kind": STATUTORY,
            "consent_purpose": pb.PURPOSE_WMO_AFSTEMMING,
            "recipients": [f"{CITY}/college:WMO"],
            "categories": ["WMO-PLAN", "ARBEID"],
            "start_time": stamp(now - timedelta(minutes=1)),
            "end_time": stamp(now + timedelta(days=30)),
            "notice_id": "folder-1",
            "notice_sha256": b"\1" * 32,
        }
        answer = (client or self.wmo).consent.request_consent(**(asked | changes))
        return str(answer.consent_id)

    def noted(self, consent_id: str, method: str) -> None:
        """Let the desk of work, which gains nothing by it, write down a yes."""
        self.give(self.work, WORK, consent_id, method)

    def said(self, consent_id: str) -> None:
        """Let the resident say yes himself."""
        self.give(self.resident, WORD, consent_id, "portal")

    def give(self, client: ExchangeClient, ground: pb.Claim, consent_id: str, method: str) -> None:
        client.consent.give_consent(
            claim=ground,
            consent_id=consent_id,
            given_by=["self"],
            explicit=True,
            free_assessed=True,
            method=method,
            expected_version=1,
        )

    def uses(self) -> list[str]:
        answer = self.wmo.plan.get_plan(
            claim=REUSE, plan_id=self.plan_id, fields=["goals.own_words"], allow_partial=True
        )
        return [goal.own_words for goal in answer.plan.goals]


@pytest.fixture
def objected(town: Town) -> Objected:
    return Objected(town)


def refused(call: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(errors.Denied) as denied:
        call()
    return denied.value.rules


@pytest.mark.parametrize("method", ["spoken", "phone", "signed", "letter", "portal"])
def test_what_a_desk_noted_of_a_conversation_undoes_no_decision(objected: Objected, method: str) -> None:
    assert "R25" in refused(objected.uses)
    consent_id = objected.ask()
    if method == "portal":
        objected.said(consent_id)
    else:
        objected.noted(consent_id, method)
    if method in {"spoken", "phone"}:
        assert refused(objected.uses) == ("R25",)
    else:
        assert objected.uses() == [WORDS]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"kind": SECRECY}, {"R15", "R25"}),
        ({"consent_purpose": pb.PURPOSE_WMO_ONDERZOEK}, {"R17", "R25"}),
        ({"recipients": [f"{CITY}/college:JW"]}, {"R17", "R25"}),
        ({"categories": ["WONEN"]}, {"R17", "R25"}),
    ],
)
def test_it_yields_to_this_purpose_recipient_and_category_of_the_kind_that_is_asked(
    objected: Objected, changes: dict[str, Any], rules: set[str]
) -> None:
    objected.said(objected.ask(**changes))
    assert set(refused(objected.uses)) == rules


def test_a_yes_of_before_the_decision_was_weighed_in_it(objected: Objected) -> None:
    """It waits again once taken back and said anew: then the older yes goes before it, until it is upheld."""
    objected.said(objected.ask())
    assert objected.uses() == [WORDS]
    on_case: dict[str, Any] = {"case_id": objected.case_id}
    again: dict[str, Any] = on_case | {"objected_purpose": pb.PURPOSE_WMO_AFSTEMMING}
    second = objected.resident.rights.object(claim=OBJECT, **again).objection_id
    assert objected.uses() == [WORDS]
    objected.work.rights.decide_objection(
        claim=claim(pb.PURPOSE_PW_ARBEIDSINSCHAKELING, "OBJECT-21"),
        objection_id=second,
        outcome=UPHELD,
        **on_case,
    )
    assert refused(objected.uses) == ("R25",)


def test_the_resident_takes_his_objection_back_and_nobody_does_it_for_him(
    objected: Objected, town: Town
) -> None:
    consent_id = objected.ask()
    objected.noted(consent_id, "spoken")
    back: dict[str, Any] = {"case_id": objected.case_id, "objection_id": objected.objection_id}
    for client, ground in (
        (objected.wmo, DECIDE),
        (objected.work, claim(pb.PURPOSE_PW_ARBEIDSINSCHAKELING, "OBJECT-21")),
    ):
        with pytest.raises(errors.RuleBroken) as broken:
            client.rights.withdraw_objection(claim=ground, **back)
        assert broken.value.rule == "NOT_TO_WITHDRAW"
    other = Objected(town)
    assert refused(partial(other.resident.rights.withdraw_objection, claim=OBJECT, **back)) == ("R21",)
    assert refused(objected.uses) == ("R25",)
    objected.resident.rights.withdraw_objection(claim=OBJECT, **back)
    assert objected.uses() == [WORDS]
    with pytest.raises(errors.RuleBroken) as gone:
        objected.resident.rights.withdraw_objection(claim=OBJECT, **back)
    assert gone.value.rule == "NO_SUCH_OBJECTION"
    assert "R25" in refused(other.uses)


def test_under_a_limit_a_desk_asks_and_notes_and_does_nothing_else(objected: Objected, town: Town) -> None:
    goal = partial(
        objected.wmo.plan.set_goal,
        claim=INVESTIGATE,
        plan_id=objected.plan_id,
        expected_version=1,
        own_words="Toch door.",
        desired_effect="rust",
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        target_date="2027-06-01",
    )
    assert refused(goal) == ("R25",)
    objected.wmo.rights.restrict(claim=LIMIT, case_id=objected.case_id, reason="Juistheid betwist.")
    assert refused(goal) == ("R24", "R25")
    given, turned_down = objected.ask(), objected.ask()
    objected.noted(given, "signed")
    objected.work.consent.refuse_consent(claim=WORK, consent_id=turned_down, expected_version=1)
    # Withdrawing never fails, whoever writes it down (GDPR 7(3)).
    objected.work.consent.withdraw_consent(claim=WORK, consent_id=given)
    stranger = town.worker("college:WMO", "stranger")
    assert refused(partial(objected.ask, stranger)) == ("R03",)
    # Why each was permitted is found again from the streams.
    officer = town.worker("fg", "fg-1")
    assert sum(page.counts.differs for page in replayed(officer)) == 0
    assert [one for page in replayed(officer) for one in page.differences] == []
