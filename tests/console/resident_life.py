"""A resident with a plan that has something of everything, and people who asked about it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.server.town import CARE, CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from tests.server.story import Story

NOTICE = "Uw buurtteam wil weten hoe het thuis gaat.\n\nU mag nee zeggen. Dan krijgt u dezelfde hulp.\n"
NOTICE_SHA256 = sha256(NOTICE.encode()).digest()
# What these are called where they work: none of it may be on a page of the resident.
STAFF = ("w-vreemd", "w-wacht", "z-begeleider")
GOAL = "Weer zelf koken."
SITUATION = "De was blijft liggen. <script>alert(1)</script>"


def live(story: Story) -> str:
    """Fill the plan, ask a consent, look into it and be refused; return the consent's id."""
    town = story.town
    goal_id = story.goal()
    for day, score in (("2026-03-01", 2), ("2026-11-01", 3)):
        _does(
            story,
            "describe_situation",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            description=SITUATION,
            strengths="Zij kookt graag.",
            score=score,
            judge_date=day,
        )
    town.care()
    _does(
        story,
        "request_support",
        kind=plan_pb2.SUPPORT_KIND_CUSTOM,
        provider_oin=CARE,
        product_category="02",
        product_code="02A05",
        start_date="2027-01-01",
        volume=3,
        unit="04",
        frequency="2",
        goal_ids=[goal_id],
    )
    _look_in(story)
    return ask_consent(story)


def _look_in(story: Story) -> None:
    """Let a carer read, somebody who has nothing to do with it be refused, and somebody break the glass."""
    town, credentials = story.town, story.town.care()
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CARE,
        task="wmo-aanbieder",
        professional="z-begeleider",
        role="begeleider",
    )
    town.client(Person("z-begeleider", "wmo-aanbieder", "begeleider"), credentials).plan.get_plan(
        claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"]
    )
    with pytest.raises(errors.Denied):
        town.worker("college:PW", "w-vreemd").plan.get_plan(
            claim=DELIVER, plan_id=story.plan_id, fields=["goals.own_words"]
        )
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al twee dagen niets meer.")
    town.client(
        Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    ).plan.get_plan(
        claim=claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass),
        plan_id=story.plan_id,
        fields=["goals.own_words"],
    )


def ask_consent(
    story: Story,
    sha256_of_notice: bytes = NOTICE_SHA256,
    kind: consent_pb.ConsentKind.ValueType = consent_pb.CONSENT_KIND_STATUTORY,
) -> str:
    """Put a question to the resident; return its id."""
    story.town.register_notice(f"folder-{sha256_of_notice.hex()[:8]}", sha256_of_notice)
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(datetime.now(UTC) - timedelta(minutes=1))
    end.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    answer = story.wmo.consent.request_consent(
        claim=INVESTIGATE,
        case_id=story.case_id,
        kind=kind,
        consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
        recipients=[f"{CARE}/wmo-aanbieder", f"{CITY}/college:PW"],
        categories=["WMO-PLAN", "WONEN"],
        start_time=start,
        end_time=end,
        notice_id=f"folder-{sha256_of_notice.hex()[:8]}",
        notice_sha256=sha256_of_notice,
    )
    return str(answer.consent_id)


def _does(story: Story, command: str, **fields: Any) -> None:  # noqa: ANN401 -- fields of any command
    answer = getattr(story.wmo.plan, command)(
        claim=INVESTIGATE, plan_id=story.plan_id, expected_version=story.version, **fields
    )
    story.version = answer.version
