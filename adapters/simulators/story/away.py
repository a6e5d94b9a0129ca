"""Following by a name: the exchange keeps how far everything was taken, and judges anew what was set apart.

What a system could not take is fetched later, and given only as far as it may be given then.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapters.sdk.delivery import NamedFollower
from adapters.sdk.named import CannotTakeError, Named
from adapters.simulators.story import systems
from adapters.simulators.story.stage import HERGEBRUIK, WERK, StoryBroken
from exchange.v1.common_pb2 import Law
from exchange.v1.plan_pb2 import LensFinding
from exchange.v1.subscription_service_pb2 import FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling
    from exchange.v1.subscription_service_pb2 import PublishedEvent

OVERVIEW: Final = "overzicht"


@dataclass(slots=True)
class Taken:
    """What a system took, in order; an event that is told again is known by its id."""

    by_event: dict[str, PublishedEvent] = field(default_factory=dict)
    again: int = 0

    def take(self, event: PublishedEvent) -> None:
        """Take an event."""
        self.again += event.event_id in self.by_event
        self.by_event[event.event_id] = event


@dataclass(slots=True)
class SetApart:
    """A change that the neighbourhood team's system could not take: the exchange keeps where it is."""

    follower: NamedFollower
    taken: Taken


def a_change_is_set_apart(told: Telling, plan: Plan) -> SetApart:
    """Let a system fail on a change it may have now."""
    team, taken = plan.wijkteam(), Taken()
    named = Named(OVERVIEW, HERGEBRUIK, ("lens_assessments.reason",))

    def fail(_event: PublishedEvent) -> None:
        raise CannotTakeError(FailureReason.FAILURE_REASON_DEFECT, park=True)

    apart = SetApart(NamedFollower(team, named, taken.take), taken)
    with following(team, named, fail, begins_now=True):
        plan.look()
        again = plan.consulent().plan.assess_lens(
            claim=WERK,
            plan_id=plan.plan_id,
            expected_version=plan.version,
            law=Law.LAW_PARTICIPATIEWET,
            finding=LensFinding.LENS_FINDING_FITS,
            reason="Kan meer uren aan dan gedacht.",
        )
        plan.version = again.version
        systems.wait_for(lambda: any(apart.follower.parked()), "a change that failed was not set apart")
    told.step(
        "set-apart",
        "The team's own system follows along, and breaks on a change. The exchange sets it apart: where it "
        "is, and nothing of what it says.",
        "PERMIT",
    )
    return apart


def nothing_to_fetch(told: Telling, apart: SetApart) -> None:
    """Fetch it after the withdrawal: judged now, there is nothing to give."""
    settled = apart.follower.take_parked()
    if apart.taken.by_event or settled != 1:
        raise StoryBroken("what was set apart was given after the withdrawal")
    told.step(
        "set-apart-fetched",
        "The team's system is mended, and fetches what was set apart. That is judged now and not then, so "
        f"that it gets nothing: {len(apart.taken.by_event)} changes.",
        "TOLD",
    )


@contextmanager
def following(
    client: ExchangeClient, named: Named, take: Callable[[PublishedEvent], None], *, begins_now: bool = False
) -> Iterator[None]:
    """Follow in a thread until the block ends; raises what ended it before."""
    follower = NamedFollower(client, named, take, heartbeat_s=1, acknowledge_every_s=0.0)
    if begins_now:
        follower.create(begins_now=True)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            follower.run()
        except BaseException as error:
            ended.append(error)
            raise

    thread = threading.Thread(target=run, name="follower")
    thread.start()
    try:
        yield
    finally:
        follower.close()
        thread.join(systems.WAIT_S)
    if ended:
        raise StoryBroken("a system that follows by name was cut off") from ended[0]
