"""A named subscription asked by hand, over mutual TLS: what the tests of deliveries share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from exchange.v1 import subscription_service_pb2 as sub
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story

KEEP = claim(pb.PURPOSE_BEHEER, "DELIVERY-24")
FIELDS = ("goals.own_words", "goals.goal_id")
DELIVERIES = (
    "delivery.subscribed.v1",
    "delivery.acknowledged.v1",
    "delivery.failed.v1",
    "delivery.parked.v1",
)


class Named:
    """One subscription of one professional, asked by hand."""

    def __init__(self, client: ExchangeClient, name: str = "ecd", why: pb.Claim = INVESTIGATE) -> None:
        self.client, self.name, self.why = client, name, why
        self.calls = client.subscription

    def create(self, **changes: Any) -> sub.CreateSubscriptionResponse:  # noqa: ANN401 -- any field of the request
        asked: dict[str, Any] = {
            "claim": KEEP,
            "subscription_id": self.name,
            "subscribed_purpose": self.why.purpose,
            "subscribed_legal_basis": self.why.legal_basis,
            "paths": FIELDS,
        }
        return self.calls.create_subscription(**(asked | changes))

    def stream(self, **changes: Any) -> Any:  # noqa: ANN401 -- any field of the request; a stream of answers
        asked: dict[str, Any] = {
            "claim": self.why,
            "fields": FIELDS,
            "subscription_id": self.name,
            "heartbeat_seconds": 1,
        }
        return self.client.open_stream(sub.SubscribeRequest(**(asked | changes)))

    def told(self, **changes: Any) -> tuple[list[sub.PublishedEvent], sub.SubscribeResponse]:  # noqa: ANN401 -- as above
        """Return the events up to the first beat, and that beat."""
        stream, found = self.stream(**changes), list[sub.PublishedEvent]()
        for answer in stream:
            found += answer.events
            if not answer.events:
                stream.cancel()
                return found, answer
        raise AssertionError("a stream ends with a status, not without one")

    def goal_told(self) -> tuple[sub.PublishedEvent, sub.SubscribeResponse]:
        events, beat = self.told()
        return next(event for event in events if event.kind == "plan.goal_set"), beat

    def acknowledge(self, cursor: int, token: str, *settled: str) -> sub.AcknowledgeEventsResponse:
        return self.calls.acknowledge_events(
            claim=KEEP,
            subscription_id=self.name,
            cursor=cursor,
            told_token=token,
            settled_event_ids=settled,
        )

    def report(
        self, event: sub.PublishedEvent, token: str, *, park: bool = False
    ) -> sub.ReportFailedEventResponse:
        return self.calls.report_failed_event(
            claim=KEEP,
            subscription_id=self.name,
            event_id=event.event_id,
            position=event.position,
            told_token=token,
            reason=sub.FAILURE_REASON_NOT_UNDERSTOOD,
            park=park,
        )

    def fetch(self, event_id: str, **changes: Any) -> sub.GetParkedEventResponse:  # noqa: ANN401 -- any field of the request
        asked: dict[str, Any] = {
            "claim": self.why,
            "fields": FIELDS,
            "subscription_id": self.name,
            "event_id": event_id,
        }
        return self.calls.get_parked_event(**(asked | changes))

    def listed(self) -> sub.Subscription | None:
        answer = self.calls.list_subscriptions(claim=KEEP)
        return next((one for one in answer.subscriptions if one.subscription_id == self.name), None)

    def parked_goal(self) -> sub.PublishedEvent:
        """Park the goal of the story; return the event."""
        event, beat = self.goal_told()
        assert self.report(event, beat.told_token, park=True).parked
        return event


def set_up(story: Story) -> Named:
    story.goal()
    one = Named(story.wmo, f"ecd-{story.bsn[-5:]}")
    one.create()
    return one
