"""Law P12 at the door: what one organisation is answered holds no BSN and no pseudonym of another's."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1 import common_pb2 as pb
from tests.server.story import Story
from tests.server.town import ACCESS, AUDIT, CARE, DELIVER, INVESTIGATE, WORD, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

PROVIDE = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")


def shapes(pseudonym: bytes) -> list[bytes]:
    """Return how bytes can stand in a message: raw, in hexadecimal, in base64 of either alphabet."""
    return [
        pseudonym,
        pseudonym.hex().encode(),
        base64.b64encode(pseudonym).rstrip(b"="),
        base64.urlsafe_b64encode(pseudonym).rstrip(b"="),
    ]


def answers(town: Town, story: Story, own: bytes) -> Iterator[Message]:
    """Yield what the care provider, the desk, the resident and the officer are answered about one person."""
    carer = town.client(Person("z-12", "wmo-aanbieder", "begeleider"), town.care())
    plan: dict[str, Any] = {
        "plan_id": story.plan_id,
        "fields": sorted(PLAN_LABELS),
        "allow_partial": True,
    }
    yield carer.plan.get_plan(claim=DELIVER, **plan)
    yield carer.case.find_case(claim=PROVIDE, resident=own, fields=["case_id", "plan_id"])
    yield story.wmo.plan.get_plan(claim=INVESTIGATE, **plan)
    yield story.wmo.case.find_case(claim=INVESTIGATE, resident=story.pseudonym, fields=["case_id", "plan_id"])
    yield story.resident().disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=["disclosures.explanation", "disclosures.task"],
        allow_partial=True,
    )
    yield story.wmo.identity.send_identity(
        claim=INVESTIGATE,
        case_id=story.case_id,
        resident=story.pseudonym,
        recipient_oin=CARE,
        recipient_task="wmo-aanbieder",
    )
    yield carer.identity.get_identity(
        claim=DELIVER, case_id=story.case_id, fields=["sender_oin", "sender_task", "purpose", "send_time"]
    )
    yield town.worker("fg", "fg-1").audit.list_decisions(
        claim=AUDIT,
        fields=["decisions.resident_pseudonym", "decisions.officer_explanation"],
    )


def refusals(town: Town, story: Story, own: bytes) -> Iterator[Callable[[], Any]]:
    stranger = town.client(Person("z-13", "wmo-aanbieder", "begeleider"), town.care())
    fields = ["goals.own_words"]
    yield lambda: stranger.plan.get_plan(claim=DELIVER, plan_id=story.plan_id, fields=fields)
    yield lambda: stranger.case.find_case(claim=PROVIDE, resident=story.pseudonym, fields=["case_id"])
    yield lambda: stranger.case.find_case(claim=PROVIDE, resident=own, fields=["case_id"])
    yield lambda: stranger.consent.withdraw_consent(claim=WORD, consent_id=story.case_id)


def test_p12_no_answer_and_no_error_holds_a_bsn_or_a_pseudonym_of_another_organisation(town: Town) -> None:
    bsn = next(town.bsns)
    story = Story(town, bsn)
    story.goal()
    carer = town.client(Person("z-12", "wmo-aanbieder", "begeleider"), town.care())
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-12",
        role="begeleider",
    )
    own = town.pseudonym(carer, bsn, PROVIDE)
    assert own != story.pseudonym
    hidden = [bsn.encode(), *shapes(story.pseudonym), *shapes(own)]
    told = list(answers(town, story, own))
    assert [one.ByteSize() > 0 for one in told] == [True] * 8
    for answer in told:
        # Not even one's own: whom an answer is about is what was asked, and not said again.
        assert [secret for secret in hidden if secret in answer.SerializeToString()] == []
    for refused in refusals(town, story, own):
        with pytest.raises(errors.SdkError) as error:
            refused()
        said = f"{error.value!r} {error.value} {vars(error.value)}".encode()
        assert [secret for secret in hidden if secret in said] == []
