"""A restriction and its lifting reach everybody who got what it reaches, and nobody else, until all answer.

Source: GDPR 18, 19; Wmo 2015 5.2.6 and 5.3.1.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.kit.restrictions import RestrictionTold, SdkRestrictions
from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.purge_port import SdkPurges
from adapters.sdk.tokens import Person
from exchange.v1 import audit_service_pb2 as audit_pb
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.pipeline.faults import FaultyRecorder
from tests.server.family import Family
from tests.server.test_deferred import OTHERS, investigated
from tests.server.test_erasure import Erasure
from tests.server.test_rectification import granted, provider, rectify
from tests.server.test_rights import LIMIT
from tests.server.test_untold import SAFE, WEEKS
from tests.server.town import AUDIT, CARE, CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

TOLD = claim(pb.PURPOSE_CORRECTIE, "RESTRICTED-12")
DONE = claim(pb.PURPOSE_CORRECTIE, "RESTRICTED-19")
OWN = claim(pb.PURPOSE_KLACHT_BEZWAAR, "LIMIT-18-RESIDENT")
WHO = claim(pb.PURPOSE_INZAGE, "TOLD-19")
WEEK = timedelta(days=7)
WHO_FIELDS = [f"recipients.{one.name}" for one in rights_pb.ToldRecipient.DESCRIPTOR.fields]


def got(town: Town, story: Story) -> ExchangeClient:
    """Return a provider that got a goal."""
    town.care()
    story.goal()
    care = provider(town, story)
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"])
    return care


def restrict(story: Story, **changes: Any) -> rights_pb.RestrictResponse:  # noqa: ANN401 -- any field of the request
    asked: dict[str, Any] = {"claim": LIMIT, "case_id": story.case_id, "reason": "Juistheid betwist."}
    return story.wmo.rights.restrict(**(asked | changes))


def lift(story: Story, restriction_id: str) -> None:
    one: dict[str, Any] = {"claim": LIMIT, "case_id": story.case_id, "restriction_id": restriction_id}
    story.wmo.rights.announce_lifting(how="letter", **one)
    story.wmo.rights.lift_restriction(reason="Nagegaan.", **one)


def told(client: ExchangeClient, plan_id: str, **said: Any) -> list[Any]:  # noqa: ANN401 -- rows of the list
    answer = client.rights.list_restrictions(claim=TOLD, page_size=200, **said)
    return [one for one in answer.restrictions if plan_id in one.plan_ids]


def who(client: ExchangeClient, case_id: str, **said: Any) -> list[tuple[str, int, int]]:  # noqa: ANN401 -- of the request
    answer = client.rights.list_told_recipients(claim=WHO, case_id=case_id, fields=WHO_FIELDS, **said)
    return [(one.organisation, one.change, one.answer) for one in answer.recipients]


def overdue(town: Town, *, due_at: bool = True) -> list[audit_pb.Obligation]:
    """Return what was told of restrictions and not answered: in time, or all."""
    state = audit_pb.OBLIGATION_STATE_OVERDUE if due_at else audit_pb.OBLIGATION_STATE_OPEN
    fields = ["obligations.organisation", "obligations.due_time"]
    answer = town.signed_in(Person("fg-1", "fg", "fg")).audit.list_obligations(
        claim=AUDIT, duties=["CONFIRM-RESTRICTION"], state=state, fields=fields
    )
    return list(answer.obligations)


@contextmanager
def failing(town: Town, *faults: str) -> Iterator[FaultyRecorder]:
    """Let the next commits of this town fail."""
    writer = town.core.writer
    recorder = FaultyRecorder(town.core.recorder)
    recorder.faults = [*faults]
    writer._recorder = recorder  # type: ignore[assignment] # a fake with the one call the writer uses
    try:
        yield recorder
    finally:
        writer._recorder = town.core.recorder


def test_who_got_it_is_told_of_the_restriction_and_of_its_lifting_and_tracked(
    town: Town, story: Story
) -> None:
    care = got(town, story)
    restriction_id = restrict(story).restriction_id
    (row,) = told(care, story.plan_id)
    assert (row.change, list(row.plan_ids)) == (rights_pb.RESTRICTION_CHANGE_RESTRICTED, [story.plan_id])
    # For which of its own purposes: never how far it reaches beyond them, or why.
    assert list(row.purposes) == [pb.PURPOSE_WMO_LEVERING]
    assert row.due_time.ToDatetime(UTC) - row.tell_time.ToDatetime(UTC) == WEEK
    officer = town.worker("fg", "fg-1")

    def tracked(state: audit_pb.ObligationState.ValueType) -> list[tuple[str, str]]:
        answer = officer.audit.list_obligations(
            claim=AUDIT,
            duties=["CONFIRM-RESTRICTION"],
            state=state,
            fields=["obligations.decision_id", "obligations.organisation", "obligations.how"],
            page_size=200,
        )
        mine = [one for one in answer.obligations if one.decision_id.startswith(restriction_id)]
        return [(one.organisation, one.how) for one in mine]

    assert tracked(audit_pb.OBLIGATION_STATE_OPEN) == [(CARE, "")]
    said: dict[str, Any] = {"claim": DONE, "restriction_id": restriction_id, "change": row.change}
    care.rights.confirm_restriction(outcome=rights_pb.RESTRICTION_OUTCOME_APPLIED, **said)
    # The first answer counts.
    care.rights.confirm_restriction(outcome=rights_pb.RESTRICTION_OUTCOME_NOTHING_KEPT, **said)
    assert tracked(audit_pb.OBLIGATION_STATE_OPEN) == []
    lift(story, restriction_id)
    assert tracked(audit_pb.OBLIGATION_STATE_UNSPECIFIED) == [(CARE, "applied"), (CARE, "")]
    (open_one,) = told(care, story.plan_id, only_open=True)
    assert open_one.change == rights_pb.RESTRICTION_CHANGE_LIFTED
    both = told(care, story.plan_id)
    assert [one.outcome for one in both] == [rights_pb.RESTRICTION_OUTCOME_APPLIED, 0]
    assert [one.HasField("confirm_time") for one in both] == [True, False]
    assert who(story.resident(), story.case_id) == [
        (CARE, rights_pb.TOLD_CHANGE_LIFTED, rights_pb.TOLD_ANSWER_UNSPECIFIED),
        (CARE, rights_pb.TOLD_CHANGE_RESTRICTED, rights_pb.TOLD_ANSWER_DONE),
    ]


def test_it_reaches_what_was_given_for_its_purpose_to_its_recipient(town: Town, story: Story) -> None:
    care = got(town, story)
    for scope in (
        {"restricted_purpose": pb.PURPOSE_STATISTIEK},
        {"recipient": f"{CARE}/jeugdhulpaanbieder"},
        {"restricted_purpose": pb.PURPOSE_STATISTIEK, "recipient": f"{CARE}/wmo-aanbieder"},
    ):
        restrict(story, **scope)
        assert told(care, story.plan_id) == []
    restrict(story, restricted_purpose=pb.PURPOSE_WMO_LEVERING, recipient=f"{CARE}/wmo-aanbieder")
    assert len(told(care, story.plan_id)) == 1
    # Who recorded it knows; nobody else got anything for that.
    assert told(story.wmo, story.plan_id) == []


def test_who_recorded_it_is_told_where_the_resident_restricts(town: Town, story: Story) -> None:
    got(town, story)
    story.wmo.plan.get_plan(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        fields=["goals.own_words"],
    )
    story.resident().rights.restrict(claim=OWN, case_id=story.case_id, reason="Klopt niet.")
    assert {organisation for organisation, *_ in who(story.resident(), story.case_id)} == {
        CARE,
        CITY,
    }


def test_who_was_not_told_cannot_answer(town: Town, story: Story) -> None:
    care = got(town, story)
    name = restrict(story, restricted_purpose=pb.PURPOSE_STATISTIEK).restriction_id
    for restriction_id in (name, str(uuid4())):
        with pytest.raises(errors.ExchangeRefused) as refused:
            care.rights.confirm_restriction(
                claim=DONE,
                restriction_id=restriction_id,
                change=rights_pb.RESTRICTION_CHANGE_RESTRICTED,
                outcome=rights_pb.RESTRICTION_OUTCOME_APPLIED,
            )
        assert refused.value.reason == "RULE_BROKEN"
        assert refused.value.message == "this recipient was not told of such a restriction"


def test_the_providers_adapter_is_told_what_is_its_own_and_answers(town: Town, story: Story) -> None:
    care = got(town, story)
    name = restrict(story).restriction_id
    for purpose, ours in ((pb.PURPOSE_WMO_LEVERING, True), (pb.PURPOSE_JEUGDHULP_VERLENEN, False)):
        port = SdkRestrictions(care, purpose)
        (row,) = (one for one in port.told() if one.restriction_id == name)
        got_for = frozenset({pb.PURPOSE_WMO_LEVERING})
        assert row == RestrictionTold(name, (story.plan_id,), lifted=False, ours=ours, purposes=got_for)
    port.answer(row, kept=True)
    (row,) = told(care, story.plan_id)
    assert row.outcome == rights_pb.RESTRICTION_OUTCOME_APPLIED


def test_the_list_comes_in_pages_oldest_first(town: Town, story: Story) -> None:
    care = got(town, story)
    scopes = (pb.PURPOSE_UNSPECIFIED, pb.PURPOSE_WMO_LEVERING)
    names = [restrict(story, restricted_purpose=one).restriction_id for one in scopes]
    seen, token = [], ""
    while True:
        page = care.rights.list_restrictions(claim=TOLD, page_size=1, page_token=token)
        seen += [(one.restriction_id, one.change) for one in page.restrictions]
        token = page.next_page_token
        if not token:
            break
    assert [name for name, _ in seen if name in names] == names
    assert len(seen) == len(set(seen))
    # The resident's own list too, newest first.
    resident, pages = story.resident(), []
    for _ in scopes:
        answer = resident.rights.list_told_recipients(
            claim=WHO, case_id=story.case_id, fields=WHO_FIELDS, page_size=1, page_token=token
        )
        pages += [one.change_id for one in answer.recipients]
        token = answer.next_page_token
    assert (pages, token) == (names[::-1], "")


def test_the_resident_asks_of_every_kind_of_change_and_nobody_else_does(town: Town, story: Story) -> None:
    care = got(town, story)
    rectify(story, granted(story))
    story.wmo.plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        description="Huurt.",
        score=4,
        judge_date="2026-03-02",
    )
    care.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=["situations.score"])
    part: dict[str, Any] = {"categories": ["WONEN"], "kept": [rights_pb.KEEPING_REASON_RETENTION_TERM]}
    erasure = Erasure(town, story, **part)
    erasure.executed()
    SdkPurges(care).answer(erasure.erasure_id, erased=True)
    assert [one[1:] for one in who(story.resident(), story.case_id) if one[0] == CARE] == [
        (rights_pb.TOLD_CHANGE_ERASED, rights_pb.TOLD_ANSWER_DONE),
        (rights_pb.TOLD_CHANGE_RECTIFIED, rights_pb.TOLD_ANSWER_UNSPECIFIED),
    ]
    for client in (story.wmo, care):
        with pytest.raises(errors.Denied):
            who(client, story.case_id)


def test_a_commit_that_is_lost_leaves_neither_the_restriction_nor_word_of_it(
    town: Town, story: Story
) -> None:
    care, act = got(town, story), partial(restrict, story, request_id=str(uuid4()))
    with failing(town, "lost"), pytest.raises(errors.Unavailable):
        act()
    assert town.state("resident", town.resident_of(story.pseudonym)).restrictions == ()
    assert told(care, story.plan_id) == []
    name = act().restriction_id
    assert [one.restriction_id for one in told(care, story.plan_id)] == [name]


def test_a_commit_that_was_kept_is_answered_once_and_told_once(town: Town, story: Story) -> None:
    care, act = got(town, story), partial(restrict, story, request_id=str(uuid4()))
    with failing(town, "kept"):
        name = act().restriction_id
    assert act().restriction_id == name
    assert [one.restriction_id for one in told(care, story.plan_id)] == [name]
    one: dict[str, Any] = {"claim": LIMIT, "case_id": story.case_id, "restriction_id": name}
    story.wmo.rights.announce_lifting(how="letter", **one)
    end = partial(story.wmo.rights.lift_restriction, reason="Nagegaan.", request_id=str(uuid4()), **one)
    with failing(town, "kept"):
        end()
    end()
    assert len(told(care, story.plan_id)) == 2


def test_of_an_investigation_the_residents_side_is_told_when_the_law_tells_him(aging_town: Town) -> None:
    town = aging_town
    family, child = Family(town, 40), Family(town, 10)
    child.record()
    own, parent = family.own(), child.representative()
    investigated(town, child, OTHERS[0])
    parent.rights.restrict(claim=OWN, case_id=child.case_id, reason="Klopt niet.")
    investigated(town, family)
    receipt = own.rights.restrict(
        claim=OWN,
        case_id=family.case_id,
        restricted_purpose=pb.PURPOSE_VT_ONDERZOEK,
        reason="Klopt niet.",
    ).receipt
    # Only the restriction itself, as far as he is answered; and the desk's own report is none of it.
    assert receipt.leaves == 1
    assert who(own, family.case_id) == []
    # It is told all the same, and its answer is overdue from the end of its term on.
    due = max(one.due_time.ToDatetime(UTC) for one in overdue(town, due_at=False))
    town.stands_at = due - timedelta(microseconds=1)
    assert SAFE not in [one.organisation for one in overdue(town)]
    town.stands_at = due
    assert {SAFE, OTHERS[0]} <= {one.organisation for one in overdue(town)}
    town.stands_at = None
    town.skew = WEEKS + timedelta(minutes=10)
    assert who(family.own(), family.case_id) == [
        (SAFE, rights_pb.TOLD_CHANGE_RESTRICTED, rights_pb.TOLD_ANSWER_UNSPECIFIED)
    ]
    # Whoever speaks for another may be the one it is about: he is not told (Wmo 2015 5.2.6).
    assert OTHERS[0] not in str(who(child.representative(), child.case_id))
