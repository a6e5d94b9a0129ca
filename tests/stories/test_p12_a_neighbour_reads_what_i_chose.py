"""P12, what a resident notices: a neighbour helps along, reads what he chose, and no more than that.

Source: Thuis in Dalfsen; Sociale Marke Dwingeloo; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.server.town import INVESTIGATE, WORD
from tests.stories.people import Desks

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

NEIGHBOURS = "00000004001234567000"
HELP = claim(pb.PURPOSE_INFORMELE_HULP, "AVG-6.1.a", "om te weten waarmee ik help")
A_DAY_S = 86_400


def neighbour(desks: Desks) -> ExchangeClient:
    """Let a volunteer join, asked by a network broker of the neighbourhood team: no reason is named."""
    town = desks.town
    folder = f"of-{NEIGHBOURS}"
    if (town.settings.data / folder).exists():
        credentials = town.credentials(folder)
    else:
        credentials = town.join(NEIGHBOURS, "vrijwilligersorganisatie")
    broker = Person(f"m-{desks.story.bsn[-5:]}", "college:WMO", "netwerkmakelaar")
    who = Person(f"v-{desks.story.bsn[-5:]}", "vrijwilligersorganisatie", "vrijwilliger")
    desks.join("00000001003214345000", broker)
    town.client(broker).case.join_professional(
        claim=INVESTIGATE,
        case_id=desks.story.case_id,
        oin=NEIGHBOURS,
        task=who.task,
        professional=who.professional,
        role=who.role,
    )
    return town.client(who, credentials)


def chosen(desks: Desks, *categories: str) -> str:
    """Let the resident choose what the volunteers may read; return the consent."""
    start, end = Timestamp(), Timestamp()
    start.seconds = int(desks.town.now().timestamp()) - 60
    end.seconds = start.seconds + 30 * A_DAY_S
    asked = desks.team.consent.request_consent(
        claim=INVESTIGATE,
        case_id=desks.story.case_id,
        kind=consent_pb.CONSENT_KIND_GDPR,
        consent_purpose=pb.PURPOSE_INFORMELE_HULP,
        recipients=[f"{NEIGHBOURS}/vrijwilligersorganisatie"],
        categories=list(categories),
        start_time=start,
        end_time=end,
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    desks.resident.consent.give_consent(
        claim=WORD,
        consent_id=asked.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        freely_given=consent_pb.FreelyGiven(alternatives=True, no_detriment=True),
        method="portal",
        expected_version=asked.version,
    )
    consent_id: str = asked.consent_id
    return consent_id


def rules_of(desks: Desks, client: ExchangeClient, *fields: str) -> tuple[str, ...]:
    with pytest.raises(errors.Denied) as refused:
        desks.plan(client, *fields, claim=HELP)
    return refused.value.rules


def test_a_neighbour_reads_what_i_chose_until_i_say_no(town: Town) -> None:
    desks = Desks(town)
    desks.story.goal()
    desks.describe(pb.LIFE_DOMAIN_SOCIAL_NETWORK)
    helper = neighbour(desks)
    assert "R15" in rules_of(desks, helper, "goals.desired_effect")
    consent_id = chosen(desks, "WMO-PLAN")
    (goal,) = desks.plan(helper, "goals.desired_effect", claim=HELP).goals
    assert goal.desired_effect == "zelfstandig eten"
    # Not what he did not choose, and never what is about health.
    assert rules_of(desks, helper, "situations.score")
    desks.resident.consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    assert "R19" in rules_of(desks, helper, "goals.desired_effect")


def test_a_neighbour_writes_nothing_in_my_plan(town: Town) -> None:
    desks = Desks(town)
    helper = neighbour(desks)
    chosen(desks, "WMO-PLAN")
    goal: dict[str, Any] = {
        "own_words": "Samen wandelen.",
        "desired_effect": "buiten komen",
        "life_domain": pb.LIFE_DOMAIN_SOCIAL_NETWORK,
        "target_date": "2027-06-01",
    }
    with pytest.raises(errors.Denied):
        desks.does(helper, "set_goal", claim=HELP, **goal)
