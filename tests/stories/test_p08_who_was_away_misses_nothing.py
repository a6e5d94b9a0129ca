"""P8, what an administration notices that was away: all it missed is told, and nothing as something new.

Subscribers are away for 10, 60, 300 and 600 seconds, over a restart of the service too. The clock is
shortened: the town's goes on by the periods, the test does not wait for them.
Source: Passend Werk (administrations join up); the outage test that Open Zaak is held to (ten minutes away).
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from adapters.sdk.client import ExchangeClient
from adapters.sdk.delivery import NamedFollower
from adapters.sdk.named import Named
from adapters.sdk.patience import Patience
from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.v1 import common_pb2 as pb
from tests.server.story import Story
from tests.server.town import CARE, DELIVER, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.v1.subscription_service_pb2 import PublishedEvent

AWAY_S = (10, 60, 300, 600)
TICK_S = 10
RESTART_AT_S = 200
WAIT_S = 30
SOON = Patience(attempts_max=2**31, wait_first_s=0.01, wait_max_s=0.1)


class Administration:
    """One carer's administration: what it took is in its own books; where it was stands at the exchange."""

    def __init__(self, away_s: int) -> None:
        self.away_s = away_s
        self.person = Person(f"z-{away_s}", "wmo-aanbieder", "begeleider")
        self.taken: dict[str, str] = {}
        self.again = 0
        self.error: BaseException | None = None
        self._news = threading.Condition()
        self._follower: NamedFollower | None = None
        self._client: ExchangeClient | None = None
        self._thread: threading.Thread | None = None

    @property
    def follows(self) -> bool:
        return self._follower is not None

    def follow(self, client: ExchangeClient) -> None:
        """Come back, knowing nothing but its own books."""
        named = Named(f"ecd-{self.away_s}", DELIVER, ("goals.own_words",))
        self._client = client
        self._follower = NamedFollower(
            client, named, self._take, heartbeat_s=1, patience=SOON, acknowledge_every_s=0.0
        )
        self._follower.create()
        self._thread = threading.Thread(target=self._run, args=(self._follower,))
        self._thread.start()

    def _run(self, follower: NamedFollower) -> None:
        try:
            follower.run()
        except BaseException as error:
            self.error = error
            raise

    def _take(self, event: PublishedEvent) -> None:
        with self._news:
            if event.event_id in self.taken:
                self.again += 1
            else:
                self.taken[event.event_id] = event.change.goals[0].own_words
            self._news.notify_all()

    def wait_for(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.taken) >= count, WAIT_S), self.error

    def go_away(self) -> None:
        if self._follower is None or self._client is None or self._thread is None:
            return
        self._follower.close()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        self._client.close()
        self._follower = None


class Outage:
    """A town whose clock the story moves, and which is started anew on the same store."""

    def __init__(self, data: Path, store: dict[str, str]) -> None:
        self._data, self._store = data, store
        self._lines = (data / "log").open("w", encoding="utf-8")
        self.passed_s = 0
        self.administrations = [Administration(away_s) for away_s in AWAY_S]
        self.goals: list[str] = []
        self.town = self._started()
        try:
            story = Story(self.town, next(self.town.bsns))
            self.town.care()
            for one in self.administrations:
                who = one.person
                story.wmo.case.join_professional(
                    claim=INVESTIGATE,
                    case_id=story.case_id,
                    oin=CARE,
                    task=who.task,
                    professional=who.professional,
                    role=who.role,
                )
        except BaseException:
            self.end()
            raise
        self._desk = Person(f"w-{story.bsn[-5:]}", "college:WMO", "regisseur")
        self._plan_id, self._version = story.plan_id, story.version

    def _started(self) -> Town:
        town = Town(self._data, open_log(stream=self._lines), self._store)
        town.start()
        town.skew = timedelta(seconds=self.passed_s)
        return town

    def client(self, person: Person, folder: str = "operator") -> ExchangeClient:
        """Return a connection of somebody whose clock is the town's."""
        town = self.town
        return ExchangeClient(
            town.target, town.credentials(folder), person, patience=SOON, clock=lambda: town.now().timestamp()
        )

    def comes_back(self, one: Administration) -> None:
        one.follow(self.client(one.person, f"of-{CARE}"))

    def goal(self) -> None:
        """Let the desk set one more goal."""
        words = f"Doel na {self.passed_s} seconden."
        with self.client(self._desk) as desk:
            self._version = desk.plan.set_goal(
                claim=INVESTIGATE,
                plan_id=self._plan_id,
                expected_version=self._version,
                own_words=words,
                desired_effect="rust",
                life_domain=pb.LIFE_DOMAIN_HOUSING,
                target_date="2027-06-01",
            ).version
        self.goals.append(words)

    def passes(self, seconds: int) -> None:
        self.passed_s += seconds
        self.town.skew = timedelta(seconds=self.passed_s)

    def starts_anew(self) -> None:
        """Stop the service and start it on what it stored; who followed connects to the new one."""
        followed = [one for one in self.administrations if one.follows]
        self.close()
        self.town = self._started()
        for one in followed:
            self.comes_back(one)

    def close(self) -> None:
        for one in self.administrations:
            one.go_away()
        self.town.close()

    def end(self) -> None:
        try:
            self.close()
        finally:
            self._lines.close()


def test_who_was_away_for_ten_minutes_misses_nothing_also_over_a_restart(
    tmp_path: Path, fresh_store: Callable[[], dict[str, str]]
) -> None:
    outage = Outage(tmp_path, fresh_store())
    try:
        for one in outage.administrations:
            outage.comes_back(one)
        outage.goal()
        for one in outage.administrations:
            one.wait_for(1)
            one.go_away()
        while outage.passed_s < AWAY_S[-1]:
            outage.passes(TICK_S)
            outage.goal()
            if outage.passed_s == RESTART_AT_S:
                outage.starts_anew()
            for one in outage.administrations:
                if one.away_s == outage.passed_s:
                    outage.comes_back(one)
        for one in outage.administrations:
            one.wait_for(len(outage.goals))
    finally:
        outage.end()
    for one in outage.administrations:
        # In order, each once, and no event under two ids; what was told again was known by its id.
        assert list(one.taken.values()) == outage.goals, one.away_s
        # And it went on where it was acknowledged: from the beginning it would be all of before the restart.
        assert one.again < RESTART_AT_S // TICK_S
        assert one.error is None
