"""A stream that asks for it tells a professional that he was let in to a case; nobody else hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.provider.config import Side
from adapters.provider.exchange_port import AGREEMENT_FIELDS, CLAIMS, SUPPORT_FIELDS, SdkExchange
from adapters.provider.joining import JOINED_KIND as JOINED
from adapters.provider.joining import REQUESTED_KIND
from adapters.provider.plan_seen import Entry
from adapters.provider.schema import Law
from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.v1 import subscription_service_pb2 as sub
from tests.server.subscribed import Named
from tests.server.test_support import Steps
from tests.server.town import CARE, CITY, DELIVER, INVESTIGATE, details_of

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from exchange.v1 import common_pb2 as pb
    from tests.server.story import Story
    from tests.server.town import Town


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


def adapter_of(client: ExchangeClient) -> SdkExchange:
    """Return the way in of a municipality's adapter, over a client of this town."""
    unused: Any = None
    return SdkExchange(
        _client=client,
        _pseudonyms=unused,
        _claims=CLAIMS[Law.WMO, Side.MUNICIPALITY],
        _fields=(*SUPPORT_FIELDS, *AGREEMENT_FIELDS),
        own_oin=CITY,
        at_once=1,
        _with_joins=True,
        _renewal=unused,
    )


def test_a_municipalitys_adapter_that_joins_late_finds_what_was_agreed_with(town: Town, story: Story) -> None:
    steps = Steps(town, story)
    support_id = steps.request()
    steps.agree()
    before = told(story.wmo, INVESTIGATE)[-1].position + 1
    port = adapter_of(town.worker("college:WMO", "iwmo-late"))
    with pytest.raises(errors.Denied):
        port.look(story.plan_id)
    join(story, CITY, "college:WMO", "iwmo-late")
    (happening,) = port.follow(before, lambda _cursor: None, until_caught_up=True)
    assert (happening.kind, happening.plan_id, happening.support) == (JOINED, story.plan_id, None)
    seen, past = port.look(story.plan_id), port.look_back(story.plan_id)
    assert [one.support_id for one in seen.supports] == [support_id]
    requested = past.index(Entry(REQUESTED_KIND, support_id))
    assert seen.agreement is not None
    assert [one.said for one in past[requested + 1 :]] == [True]
