"""A small exchange and a small Suwinet in one file, and one adapter between them.

The exchange refuses as the service does: by purpose, by relation, by version, by a request id used before.
Everything is in the file, so that a process may be killed at any moment.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from adapters.kit.rates import Pace, Rate
from adapters.kit.rectifications import RectificationPort, RectifiedTold
from adapters.kit.restrictions import RestrictionPort, RestrictionTold
from adapters.sdk.errors import Conflict, Denied, Refusal, RequestIdReused, Unreachable
from adapters.sdk.logs import AdapterLog
from adapters.sdk.purge_port import PurgePort
from adapters.sdk.purges import PurgeAsked
from adapters.sdk.tokens import Person
from adapters.simulators.suwinet import people
from adapters.work_income.config import Config
from adapters.work_income.exchange_port import ExchangePort, FillIn, Permit, Standing
from adapters.work_income.journal import Journal
from adapters.work_income.sealing import Seal
from adapters.work_income.service import Others, Service, Surroundings
from adapters.work_income.services import SERVICES_OF
from adapters.work_income.services import Service as Source
from adapters.work_income.suwinet_port import SuwinetPort
from adapters.work_income.xml import Node, read_node
from exchange.v1.plan_service_pb2 import Seen
from tests.work_income.papers import BSN, SUWI_OIN

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from adapters.sdk.bsn import Bsn
    from adapters.work_income.orders import Order
    from adapters.work_income.records import Domain
    from adapters.work_income.soap import Period

PLAN = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001"
START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
WORK, RIGHT = "pw-arbeidsinschakeling", "pw-recht-vaststellen"


@dataclass
class Situation:
    description: str = ""
    source: str = ""
    score: int = 0
    judged_on: str = ""
    version: int = 0


@dataclass
class Held:
    """What the exchange and Suwinet hold; pickled whole at each change."""

    plan_of: dict[str, str] = field(default_factory=dict)
    situations: dict[tuple[str, str], Situation] = field(default_factory=dict)
    answers: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    commands: int = 0
    permits: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    periods: list[Period | None] = field(default_factory=list)
    purges: list[PurgeAsked] = field(default_factory=list)
    purged: dict[str, bool] = field(default_factory=dict)
    restricted: set[str] = field(default_factory=set)  # plans about which every question is refused
    restrictions: list[RestrictionTold] = field(default_factory=list)
    applied: dict[tuple[str, bool], bool] = field(default_factory=dict)
    rectifications: list[RectifiedTold] = field(default_factory=list)
    corrected: dict[str, bool] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # commands: refused again, as the exchange does


class World:
    """Both, in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.exists():
            self.save(Held(plan_of={BSN: PLAN}))
        self.away = False
        # One answer each for the next questions: an error to raise, or None for what is known.
        self.faults: list[Exception | None] = []
        # What the sources know now.
        self.known = dict(people.ANSWERS)
        # Called before a command is judged: somebody else may be first.
        self.before_fill_in: Callable[[], None] = lambda: None

    def held(self) -> Held:
        found: Held = pickle.loads(self._file.read_bytes())  # noqa: S301 -- our own file of a moment ago
        return found

    def save(self, held: Held) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(held))
        draft.replace(self._file)

    def enter(self) -> Held:
        if self.away:
            raise Unreachable(Refusal("", "nobody is there"))
        return self.held()

    def describe(self, domain: str, description: str, source: str = "") -> None:
        """Let a person write."""
        held = self.held()
        before = held.situations.get((PLAN, domain), Situation())
        held.situations[PLAN, domain] = Situation(description, source, 3, "2026-05-01", before.version + 1)
        self.save(held)

    def situation(self, domain: str) -> Situation:
        return self.held().situations.get((PLAN, domain), Situation())


def tell(world: World, *told: RestrictionTold | RectifiedTold | PurgeAsked) -> None:
    """Let the exchange tell of these, after what it told before."""
    held = world.held()
    for one in told:
        match one:
            case RestrictionTold():
                held.restrictions.append(one)
            case RectifiedTold():
                held.rectifications.append(one)
            case _:
                held.purges.append(one)
    world.save(held)


def erasure_of(erasure_id: str, *plans: str) -> PurgeAsked:
    """All about these plans is to be erased."""
    return PurgeAsked(erasure_id, plans)


class Port(ExchangePort, PurgePort):
    """The adapter's way into the exchange."""

    def __init__(self, world: World) -> None:
        self._world = world

    def renew(self) -> bool:
        return False

    def permit(self, bsn: Bsn, purpose: str, necessity: str) -> Permit:
        assert necessity
        held = self._world.enter()
        held.permits.append(purpose)
        self._world.save(held)
        plan_id = held.plan_of.get(bsn.reveal())
        if purpose not in SERVICES_OF or plan_id is None:
            rules = ("R06",) if purpose not in SERVICES_OF else ("R03",)
            raise Denied(Refusal("ACCESS_DENIED", "refused", rules=rules, remedies=("Noem het doel.",)))
        self._refuse_restricted(held, plan_id)
        return Permit(purpose, plan_id, "0" * 32)

    @staticmethod
    def _refuse_restricted(held: Held, plan_id: str) -> None:
        if plan_id in held.restricted:
            raise Denied(Refusal("ACCESS_DENIED", "refused", rules=("R24",)))

    def standing(self, plan_id: str, purpose: str, domain: Domain) -> Standing:
        assert purpose in SERVICES_OF
        held = self._world.enter()
        self._refuse_restricted(held, plan_id)
        found = held.situations.get((plan_id, domain.value), Situation())
        seen = Seen(part_versions=[f"situations:{found.version}"])
        return Standing(found.description, found.source, found.score, found.judged_on, seen)

    def fill_in(self, order: FillIn) -> None:
        self._world.before_fill_in()
        held = self._world.enter()
        if order.plan_id in held.restricted:
            held.refused.add(order.request_id)
            self._world.save(held)
        if order.request_id in held.refused:
            raise Denied(Refusal("ACCESS_DENIED", "refused", rules=("R24",)))
        content = (*dataclasses.astuple(order.prefill), order.score, *order.seen.part_versions)
        if order.request_id in held.answers:
            if held.answers[order.request_id] != content:
                raise RequestIdReused(Refusal("REQUEST_ID_REUSED", "other content"))
            return
        key = (order.plan_id, order.prefill.domain.value)
        before = held.situations.get(key, Situation())
        if [f"situations:{before.version}"] != list(order.seen.part_versions):
            raise Conflict(Refusal("VERSION_CONFLICT", "another was first"))
        held.answers[order.request_id] = content
        held.commands += 1
        prefill = order.prefill
        held.situations[key] = Situation(
            prefill.description, prefill.source, order.score, order.judged_on, before.version + 1
        )
        self._world.save(held)

    @property
    def purges(self) -> PurgePort:
        return self

    @property
    def restrictions(self) -> RestrictionPort:
        return Restrictions(self._world)

    @property
    def rectifications(self) -> RectificationPort:
        return Rectifications(self._world)

    def asked(self) -> tuple[PurgeAsked, ...]:
        held = self._world.enter()
        return tuple(one for one in held.purges if one.erasure_id not in held.purged)

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        held = self._world.enter()
        held.purged.setdefault(erasure_id, erased)
        self._world.save(held)


class Restrictions(RestrictionPort):
    """What the exchange tells of restrictions."""

    def __init__(self, world: World) -> None:
        self._world = world

    def told(self) -> tuple[RestrictionTold, ...]:
        held = self._world.enter()
        return tuple(one for one in held.restrictions if (one.restriction_id, one.lifted) not in held.applied)

    def answer(self, told: RestrictionTold, *, kept: bool) -> None:
        held = self._world.enter()
        held.applied.setdefault((told.restriction_id, told.lifted), kept)
        self._world.save(held)


class Rectifications(RectificationPort):
    """What the exchange tells was rectified."""

    def __init__(self, world: World) -> None:
        self._world = world

    def told(self) -> tuple[RectifiedTold, ...]:
        held = self._world.enter()
        return tuple(one for one in held.rectifications if one.rights_request_id not in held.corrected)

    def answer(self, rights_request_id: str, *, rectified: bool) -> None:
        held = self._world.enter()
        held.corrected.setdefault(rights_request_id, rectified)
        self._world.save(held)


class Sources(SuwinetPort):
    """The adapter's way to Suwinet."""

    def renew(self) -> bool:
        return False

    def __init__(self, world: World) -> None:
        self._world = world

    def ask(self, service: Source, bsn: Bsn, period: Period | None = None) -> Node:
        held = self._world.held()
        held.asked.append(service.name)
        held.periods.append(period)
        self._world.save(held)
        fault = self._world.faults.pop(0) if self._world.faults else None
        if fault is not None:
            raise fault
        known = self._world.known.get(service.name) if bsn.reveal() == BSN else None
        root = people.nothing(service.name) if known is None else people.answer(service.name, BSN, known)
        return read_node(root)


class Clock:
    """Time that passes when told; chance that is always the same."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now
        self._named = 0
        self.set_back = 0.0

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)

    def surroundings(self) -> Surroundings:
        return Surroundings(
            lambda: self.now, lambda bound: bound // 2, self._fresh, Pace(self.steady, self._pause)
        )

    def steady(self) -> float:
        return (self.now - START).total_seconds() + self.set_back

    def set_to(self, now: datetime) -> None:
        """Set the clock of the day; no time passes by that."""
        self.set_back += (self.now - now).total_seconds()
        self.now = now

    def _pause(self, _event: threading.Event, seconds: float) -> None:
        self.pass_by(seconds=seconds)

    def _fresh(self) -> str:
        self._named += 1
        return f"{int(self.now.timestamp())}-{self._named}"


def config(root: Path, **changes: Any) -> Config:  # noqa: ANN401 -- the fields of the record
    whole = Config(
        target="localhost:1",
        credentials=root / "credentials",
        inbox=root / "inbox",
        drafts=root / "drafts",
        rejected=root / "rejected",
        state=root / "state",
        poll_ms=100,
        refresh_days=0,
        draft_days=30,
        rejected_days=30,
        answers="adapter",
        rate=Rate(6_000, 100),
        person=Person("suwinet", "college:PW", "adapter"),
        suwinet_credentials=root / "suwinet",
        suwinet_oin=SUWI_OIN,
        timeout_s=5,
        endpoints={},
    )
    return dataclasses.replace(whole, **changes)


class Adapter:
    """One adapter, its folders and its log."""

    def __init__(
        self,
        root: Path,
        world: World,
        clock: Clock,
        suwinet: SuwinetPort | None = None,
        **changes: Any,  # noqa: ANN401 -- the settings
    ) -> None:
        self.config = config(root, **changes)
        self.clock = clock
        self.journal = Journal(self.config.journal, Seal.at(self.config.seal_key))
        self.out = io.StringIO()
        self.service = Service(
            self.config,
            Others(Port(world), suwinet or Sources(world)),
            self.journal,
            AdapterLog(self.out),
            clock.surroundings(),
        )

    def order(self, order: Order, name: str = "order.json") -> None:
        """Put an order in the inbox, as a desk's own system does."""
        draft = self.config.inbox / f".{name}"
        draft.write_bytes(order.packed())
        draft.rename(self.config.inbox / name)

    def work(self, passes: int = 1, **span: float) -> None:
        for _ in range(passes):
            self.service.work()
            self.clock.pass_by(**(span or {"minutes": 2}))

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in getattr(self.config, folder).iterdir())

    def events(self) -> list[str]:
        return [line.split('"event": "')[1].split('"')[0] for line in self.out.getvalue().splitlines()]

    def close(self) -> None:
        self.journal.close()
