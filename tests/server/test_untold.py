"""What the resident's side is not told, or later, in its log and its notices alike, over mutual TLS.

Source: Wmo 2015 5.2.6 and 5.3.1 (Veilig Thuis), GDPR 32 (seals); the gate's design section 5.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from tests.server.family import Family
from tests.server.story import Story
from tests.server.test_duties import emergency, helper, of_decision
from tests.server.test_duty_list import refused_consent
from tests.server.test_rights import SEAL, joined
from tests.server.town import ACCESS, AUDIT, CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Callable

SAFE = "00000005003214345000"
SAFETY = claim(pb.PURPOSE_VT_ONDERZOEK, "WMO-5.2.6", "nodig voor het onderzoek")
WEEKS = timedelta(weeks=4)
MARGIN = timedelta(minutes=10)


def told(client: ExchangeClient, case_id: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the decisions of the log, and the notices as (decision, duty)."""
    asked: dict[str, Any] = {"claim": ACCESS, "case_id": case_id, "page_size": 200}
    log = client.disclosure.list_disclosures(fields=["disclosures.decision_id"], **asked).disclosures
    notices = client.disclosure.list_notices(fields=["notices.decision_id", "notices.duty"], **asked).notices
    return [one.decision_id for one in log], [(one.decision_id, one.duty) for one in notices]


def refused(act: Callable[[], object]) -> errors.Denied:
    with pytest.raises(errors.Denied) as denial:
        act()
    return denial.value


def seal_goals(town: Town, story: Story) -> None:
    seal_paths(town, story, "goals")


def seal_paths(town: Town, story: Story, *paths: str) -> None:
    second = joined(town, story, "w-second")
    proposed = story.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=story.case_id,
        paths=paths,
        readers=[f"{CITY}/college:WMO/w-reader"],
        reason="Adres van de opvang.",
    )
    second.rights.confirm_seal(claim=SEAL, case_id=story.case_id, proposal_id=proposed.proposal_id)


# --- Veilig Thuis ---------------------------------------------------------------------------------------


def test_what_veilig_thuis_asked_in_vain_or_in_an_emergency_is_kept_too(aging_town: Town) -> None:
    town = aging_town
    family = Family(town, 14)
    family.record()
    credentials = town.join(SAFE, "veilig-thuis")
    asked: dict[str, Any] = {"plan_id": family.plan_id, "fields": ["goals.own_words"]}
    with ExchangeClient(
        town.target,
        credentials,
        Person("vt-1", "veilig-thuis", "onderzoeker", authenticated_at=int(town.now().timestamp())),
        clock=lambda: town.now().timestamp(),
    ) as safe:
        kept = {
            refused(lambda: safe.plan.get_plan(claim=SAFETY, **asked)).decision_id,
            safe.plan.get_plan(claim=emergency(), **asked).decision_id,
            refused(lambda: safe.plan.get_plan(claim=emergency(code="HAAST"), **asked)).decision_id,
        }
    in_vain = refused(lambda: family.wmo.plan.get_plan(claim=SAFETY, **asked)).decision_id
    shown = refused(lambda: family.wmo.plan.get_plan(claim=INVESTIGATE, **asked)).decision_id
    (glass,) = (one for one in kept if "NOTIFY-SUBJECT" in of_decision(town, one))
    for later, own in ((timedelta(), set()), (WEEKS - MARGIN, set()), (WEEKS + MARGIN, kept)):
        town.skew = later
        log, notices = told(family.representative(), family.case_id)
        assert shown in log
        assert ((kept | {in_vain}) & set(log), notices) == (set(), []), "it may be about him"
        log, notices = told(family.own(), family.case_id)
        assert kept & set(log) == own
        assert in_vain in log, "nobody hides a look from the resident by what he claims"
        assert notices == ([(glass, "NOTIFY-SUBJECT")] if own else [])


# --- seals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [True, False])
def test_a_notice_comes_whether_what_was_asked_is_sealed_or_not(town: Town, *, sealed: bool) -> None:
    story = Story(town, next(town.bsns))
    story.goal()
    if sealed:
        seal_goals(town, story)
    refused_consent(story)
    asked: dict[str, Any] = {"plan_id": story.plan_id, "fields": ["goals.own_words"]}
    glass = helper(town).plan.get_plan(claim=emergency(), **asked)
    heard = story.wmo.plan.get_plan(claim=INVESTIGATE, **asked)
    assert [len(answer.plan.goals) for answer in (glass, heard)] == [0 if sealed else 1] * 2
    log, notices = told(story.resident(), story.case_id)
    assert {(glass.decision_id, "NOTIFY-SUBJECT"), (heard.decision_id, "INFORM-RESIDENT")} <= set(notices)
    assert {decision for decision, _ in notices} <= set(log)
    assert {"NOTIFY-SUBJECT", "REVIEW-1-WORKDAY", "TTL-60M"} <= set(of_decision(town, glass.decision_id))
    assert ("ALERT-BREAK-GLASS-REFUSED" in of_decision(town, glass.decision_id)) is sealed
    assert "TREAT-AS-OBJECTION" in of_decision(town, heard.decision_id)


def test_what_is_done_about_seals_is_told_to_the_officer_alone(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    words: dict[str, Any] = {
        "paths": ["goals"],
        "readers": [f"{CITY}/college:WMO/w-reader"],
        "reason": "Zomaar.",
    }
    unknown = claim(pb.PURPOSE_WMO_ONDERZOEK, "NO-SUCH", "nodig")
    case: dict[str, Any] = {"case_id": story.case_id}
    confirm: dict[str, Any] = case | {"proposal_id": str(uuid4())}
    lift: dict[str, Any] = case | {"seal_id": str(uuid4()), "reason": "Zomaar."}
    hidden = {
        refused(lambda: stranger.rights.seal_compartment(claim=SEAL, **case, **words)).decision_id,
        *(
            refused(partial(act, claim=other, **asked)).decision_id
            for other in (unknown, INVESTIGATE)
            for act, asked in ((stranger.rights.confirm_seal, confirm), (stranger.rights.lift_seal, lift))
        ),
        refused(lambda: story.wmo.rights.seal_compartment(claim=unknown, **case, **words)).decision_id,
        refused(
            lambda: stranger.rights.confirm_seal(claim=SEAL, **case, proposal_id=str(uuid4()))
        ).decision_id,
        refused(
            lambda: stranger.rights.lift_seal(claim=SEAL, **case, seal_id=str(uuid4()), reason="Zomaar.")
        ).decision_id,
    }
    # Reading on the ground of a seal is reading: it is told.
    shown = refused(
        lambda: stranger.plan.get_plan(claim=SEAL, plan_id=story.plan_id, fields=["goals.own_words"])
    ).decision_id
    log, _ = told(story.resident(), story.case_id)
    assert not hidden & set(log)
    assert shown in log
    assert hidden <= of_officer(town)


def of_officer(town: Town) -> set[str]:
    """Return every decision the officer reads."""
    found: set[str] = set()
    asked: dict[str, Any] = {"claim": AUDIT, "fields": ["decisions.disclosure.decision_id"], "page_size": 200}
    while True:
        page = town.worker("fg", "fg-1").audit.list_decisions(**asked)
        found |= {one.disclosure.decision_id for one in page.decisions}
        if not page.next_page_token:
            return found
        asked["page_token"] = page.next_page_token
