"""A stream that asks for it tells a professional that he was let in to a case; nobody else hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.tokens import Person
from exchange.v1 import subscription_service_pb2 as sub
from tests.server.subscribed import Named
from tests.server.town import CARE, DELIVER, INVESTIGATE, details_of

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from exchange.v1 import common_pb2 as pb
    from tests.server.story import Story
    from tests.server.town import Town

JOINED = "case.professional_joined"


def told(client: ExchangeClient, why: pb.Claim, *, with_joins: bool = True) -> list[sub.PublishedEvent]:
    """Return what a stream tells up to its first beat."""
    asked = sub.SubscribeRequest(
        claim=why, fields=["supports.support_id"], with_joins=with_joins, heartbeat_seconds=1
    )
    stream, found = client.open_stream(asked), list[sub.PublishedEvent]()
    for answer in stream:
        found += answer.events
        if not answer.events:
            stream.cancel()
            break
    return found


def join(story: Story, oin: str, task: str, professional: str) -> None:
    who: dict[str, Any] = {"oin": oin, "task": task, "professional": professional, "role": "begeleider"}
    story.wmo.case.join_professional(claim=INVESTIGATE, case_id=story.case_id, **who)


def test_who_is_let_in_late_is_told_so_and_nobody_else(town: Town, story: Story) -> None:
    carer = town.client(Person("z-late", "wmo-aanbieder", "begeleider"), town.care())
    other = town.client(Person("z-other", "wmo-aanbieder", "begeleider"), town.care())
    assert told(carer, DELIVER) == []
    join(story, CARE, "wmo-aanbieder", "z-late")
    join(story, CARE, "wmo-aanbieder", "z-other")
    (event,) = told(carer, DELIVER)
    assert (event.kind, event.plan_id, event.case_id) == (JOINED, story.plan_id, story.case_id)
    assert (event.plan_version, event.change.version) == (0, 0)
    assert event.decision_id
    assert [one.position for one in told(other, DELIVER)] > [event.position]
    # Who does not ask for it is not told, and who has left hears nothing of it.
    assert told(carer, DELIVER, with_joins=False) == []
    story.wmo.case.leave_case(
        claim=INVESTIGATE, case_id=story.case_id, oin=CARE, task="wmo-aanbieder", professional="z-late"
    )
    assert told(carer, DELIVER) == []


def test_a_named_subscription_tells_of_no_joins(story: Story) -> None:
    named = Named(story.wmo, "joins")
    named.create()
    with pytest.raises(grpc.RpcError) as refused:
        next(named.stream(with_joins=True))
    (fault,) = details_of(refused.value)["BadRequest"].field_violations
    assert fault.field == "with_joins"
