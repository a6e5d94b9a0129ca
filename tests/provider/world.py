"""A small exchange in one file, the two organisations around it, and their adapters.

It refuses as the service does: by relation, by version, by rule, by a request id used before; a refused
command repeats its refusal. Everything it holds is in the file, so that a process may be killed at any
moment.
"""

from __future__ import annotations

import dataclasses
import pickle
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from adapters.provider.exchange_port import ExchangePort
from adapters.provider.plan_seen import (
    Agreement,
    AssignOrder,
    CaseFound,
    Entry,
    Happening,
    PlanSeen,
    Stage,
    Support,
)
from adapters.provider.records import Product
from adapters.sdk.errors import (
    Conflict,
    Denied,
    ExchangeRefused,
    Refusal,
    RequestIdReused,
    RuleBroken,
    Unreachable,
)
from tests.provider.builders import BSN
from tests.provider.told import Purges, Rectifications, Restrictions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from adapters.kit.rectifications import RectifiedTold
    from adapters.kit.restrictions import RestrictionTold
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.purges import PurgeAsked

MUNICIPALITY_OIN = "00000001003214345000"
PROVIDER_OIN = "00000003271543200000"
OTHER_OIN = "00000009999999999000"
OTHER_BSN = "111222333"
PLAN = "plan-1"
SUPPORT = "support-1"
START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
TODAY = START.date()


JOINED = "case.professional_joined"
CARE_KINDS = frozenset({"plan.support_started", "plan.support_stopped"})


@dataclass
class Plan:
    version: int = 1
    supports: dict[str, Support] = field(default_factory=dict)
    agreement: Agreement | None = None
    agreed_version: int = 0
    requested: dict[str, int] = field(default_factory=dict)
    related: set[str] = field(default_factory=set)


@dataclass
class Held:
    """What the exchange holds; pickled whole at each change."""

    plans: dict[str, Plan] = field(default_factory=dict)
    plan_of: dict[str, str] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    answers: dict[str, tuple[AssignOrder, type[ExchangeRefused] | None, str]] = field(default_factory=dict)
    assigned: list[AssignOrder] = field(default_factory=list)
    purges: list[PurgeAsked] = field(default_factory=list)
    purged: dict[str, bool] = field(default_factory=dict)
    rectifications: list[RectifiedTold] = field(default_factory=list)
    rectified: dict[str, bool] = field(default_factory=dict)
    restrictions: list[RestrictionTold] = field(default_factory=list)
    restricted: dict[tuple[str, bool], bool] = field(default_factory=dict)
    # Who was let in, by the position of that: told to nobody else.
    joined: dict[int, str] = field(default_factory=dict)


class World:
    """The exchange, in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.exists():
            self.save(Held())
        self._one_at_a_time = threading.Lock()
        self.away = False
        self.calls: list[str] = []
        # Called before an assignment is judged: somebody else may be first.
        self.before_assign: Callable[[], None] = lambda: None

    def held(self) -> Held:
        found: Held = pickle.loads(self._file.read_bytes())  # noqa: S301 -- our own file of a moment ago
        return found

    def save(self, held: Held) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(held))
        draft.replace(self._file)

    # --- what people do -----------------------------------------------------------------------------------

    def open_plan(self, plan_id: str = PLAN, bsn: str = BSN) -> None:
        held = self.held()
        held.plans[plan_id] = Plan(related={MUNICIPALITY_OIN, PROVIDER_OIN})
        for oin in (MUNICIPALITY_OIN, PROVIDER_OIN):
            held.plan_of[pseudonym(oin, bsn).hex()] = plan_id
        self.save(held)

    def change(self, kind: str, support_id: str, *, plan_id: str = PLAN, **changes: Any) -> None:  # noqa: ANN401 -- the fields of the record
        """Change a support, or make it."""
        held = self.held()
        plan = held.plans[plan_id]
        plan.version += 1
        if support_id in plan.supports:
            plan.supports[support_id] = dataclasses.replace(plan.supports[support_id], **changes)
        else:
            plan.supports[support_id] = dataclasses.replace(support(), support_id=support_id, **changes)
            plan.requested[support_id] = plan.version
        self._happen(held, plan_id, kind, support_id)
        self.save(held)

    def request(self, support_id: str = SUPPORT, **changes: Any) -> None:  # noqa: ANN401 -- the fields of the record
        self.change("plan.support_requested", support_id, **changes)

    def say(self, *, agreed: bool, plan_id: str = PLAN) -> None:
        held = self.held()
        plan = held.plans[plan_id]
        plan.agreement = Agreement(agreed, plan.version)
        plan.agreed_version = plan.version if agreed else 0
        plan.version += 1
        self._happen(held, plan_id, "plan.agreed" if agreed else "plan.disagreed", None)
        self.save(held)

    def start(self, day: date = TODAY, support_id: str = SUPPORT) -> None:
        started: dict[str, Any] = {
            "stage": Stage.STARTED,
            "care_starts_on": day,
            "care_ends_on": None,
            "stop_reason": 0,
        }
        self.change("plan.support_started", support_id, **started)

    def stop(self, day: date = TODAY, support_id: str = SUPPORT, reason: int = 1) -> None:
        self.change(
            "plan.support_stopped", support_id, stage=Stage.STOPPED, care_ends_on=day, stop_reason=reason
        )

    def bump(self, plan_id: str = PLAN) -> None:
        """Let somebody else change the plan."""
        held = self.held()
        held.plans[plan_id].version += 1
        self.save(held)

    def change_terms(self, support_id: str = SUPPORT, **changes: Any) -> None:  # noqa: ANN401 -- the fields of the record
        """Let the college change what runs."""
        self.change("plan.support_changed", support_id, **changes)
        held = self.held()
        held.plans[PLAN].requested[support_id] = held.plans[PLAN].version
        self.save(held)

    def join(self, oin: str, plan_id: str = PLAN) -> None:
        """Let an organisation in to a case."""
        held = self.held()
        held.plans[plan_id].related.add(oin)
        told = Happening(len(held.happenings) + 1, JOINED, plan_id, f"case of {plan_id}", 0)
        held.happenings.append(told)
        held.joined[told.position] = oin
        self.save(held)

    def part(self, oin: str, plan_id: str = PLAN) -> None:
        """End an organisation's relation with a case."""
        held = self.held()
        held.plans[plan_id].related.discard(oin)
        self.save(held)

    def _happen(self, held: Held, plan_id: str, kind: str, support_id: str | None) -> None:
        plan = held.plans[plan_id]
        told = Happening(
            position=len(held.happenings) + 1,
            kind=kind,
            plan_id=plan_id,
            case_id=f"case of {plan_id}",
            plan_version=plan.version,
            support=None if support_id is None else plan.supports[support_id],
            agreement=plan.agreement if support_id is None else None,
        )
        held.happenings.append(told)

    @property
    def assigned(self) -> list[AssignOrder]:
        return self.held().assigned

    def support(self, support_id: str = SUPPORT, plan_id: str = PLAN) -> Support:
        return self.held().plans[plan_id].supports[support_id]

    # --- what the door does -------------------------------------------------------------------------------

    def enter(self, name: str) -> Held:
        self.calls.append(name)
        if self.away:
            raise Unreachable(Refusal("", "nobody is there"))
        return self.held()

    def command(self, order: AssignOrder, oin: str) -> None:
        with self._one_at_a_time:
            self._command(order, oin)

    def _command(self, order: AssignOrder, oin: str) -> None:
        self.before_assign()
        held = self.enter("assign")
        known = held.answers.get(order.request_id)
        if known is None:
            refused, reason = _judge(held, order, oin)
            held.answers[order.request_id] = (order, refused, reason)
            if refused is None:
                self._assign(held, order)
            self.save(held)
        elif known[0] != order:
            raise RequestIdReused(Refusal("REQUEST_ID_REUSED", "other content"))
        else:
            _, refused, reason = known
        if refused is not None:
            raise refused(Refusal(reason, "refused", rules=("R03",) if refused is Denied else ()))

    def _assign(self, held: Held, order: AssignOrder) -> None:
        plan = held.plans[order.plan_id]
        plan.version += 1
        plan.supports[order.support_id] = dataclasses.replace(
            plan.supports[order.support_id], stage=Stage.ASSIGNED, assignment_number=order.assignment_number
        )
        held.assigned.append(order)
        self._happen(held, order.plan_id, "plan.support_assigned", order.support_id)


def _judge(held: Held, order: AssignOrder, oin: str) -> tuple[type[ExchangeRefused] | None, str]:
    plan = held.plans.get(order.plan_id)
    if plan is None or oin not in plan.related:
        return Denied, "ACCESS_DENIED"
    if order.expected_version != plan.version:
        return Conflict, "VERSION_CONFLICT"
    found = plan.supports.get(order.support_id)
    if found is None or found.stage is not Stage.REQUESTED or found.provider_oin != oin:
        return RuleBroken, "RULE_BROKEN"
    if plan.agreed_version < plan.requested[order.support_id]:
        return RuleBroken, "RULE_BROKEN"
    return None, ""


class Port(ExchangePort):
    """One organisation's way into the world."""

    def __init__(self, world: World, oin: str) -> None:
        self._world = world
        self._oin = oin

    @property
    def own_oin(self) -> str:
        return self._oin

    def renew(self) -> bool:
        return False

    @property
    def at_once(self) -> int:
        return 4

    def pseudonym(self, bsn: Bsn) -> bytes:
        (found,) = self.pseudonyms([bsn])
        return found

    def pseudonyms(self, bsns: Sequence[Bsn]) -> list[bytes]:
        self._world.enter("pseudonym")
        return [pseudonym(self._oin, bsn.reveal()) for bsn in bsns]

    def find_case(self, pseudonym: bytes) -> CaseFound:
        held = self._world.enter("find_case")
        plan_id = held.plan_of.get(pseudonym.hex(), "")
        if not plan_id or self._oin not in held.plans[plan_id].related:
            raise Denied(Refusal("ACCESS_DENIED", "refused", rules=("R03",), decision_id="0" * 32))
        return CaseFound(f"case of {plan_id}", plan_id)

    def look(self, plan_id: str, *, with_care: bool = True) -> PlanSeen:
        held = self._world.enter("look")
        plan = held.plans.get(plan_id)
        if plan is None or self._oin not in plan.related:
            raise Denied(Refusal("ACCESS_DENIED", "refused", rules=("R03",), decision_id="0" * 32))
        agreement = plan.agreement if self._oin == MUNICIPALITY_OIN else None
        shown = [one if with_care else _without_care(one) for one in plan.supports.values()]
        return PlanSeen(plan.version, tuple(shown), agreement)

    def look_back(self, plan_id: str) -> tuple[Entry, ...]:
        held = self._world.enter("look_back")
        if self._oin not in held.plans[plan_id].related:
            raise Denied(Refusal("ACCESS_DENIED", "refused", rules=("R03",), decision_id="0" * 32))
        return tuple(
            Entry(
                told.kind,
                "" if told.support is None else told.support.support_id,
                said=told.agreement is not None,
            )
            for told in held.happenings
            if told.plan_id == plan_id and told.position not in held.joined
        )

    def assign(self, order: AssignOrder) -> None:
        self._world.command(order, self._oin)

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        assert until_caught_up, "this exchange has no live stream"
        held = self._world.enter("follow")
        for told in held.happenings:
            plan = held.plans[told.plan_id]
            if told.position <= cursor or self._oin not in plan.related:
                continue
            if held.joined.get(told.position, self._oin) != self._oin:
                continue
            now = None if told.support is None else plan.supports[told.support.support_id]
            yield dataclasses.replace(told, support=_as_it_was(now, told))
        keep_cursor(len(held.happenings))

    def stop_following(self) -> None:
        """Nothing runs here."""

    @property
    def purges(self) -> Purges:
        return Purges(self._world)

    @property
    def rectifications(self) -> Rectifications:
        return Rectifications(self._world)

    @property
    def restrictions(self) -> Restrictions:
        return Restrictions(self._world)


def _without_care(one: Support) -> Support:
    return dataclasses.replace(one, care_starts_on=None, care_ends_on=None, stop_reason=0)


def _as_it_was(now: Support | None, told: Happening) -> Support | None:
    """Return the support as it is now; of care that started or stopped, the days as they were then."""
    if now is None or told.support is None or told.kind not in CARE_KINDS:
        return now
    then = told.support
    return dataclasses.replace(
        now,
        stage=then.stage,
        care_starts_on=then.care_starts_on,
        care_ends_on=then.care_ends_on,
        stop_reason=then.stop_reason,
    )


def pseudonym(oin: str, bsn: str) -> bytes:
    return sha256(f"{oin}/{bsn}".encode()).digest()


def support(**changes: Any) -> Support:  # noqa: ANN401 -- the fields of the record
    whole = Support(
        support_id=SUPPORT,
        stage=Stage.REQUESTED,
        custom=True,
        provider_oin=PROVIDER_OIN,
        product=Product("02", "02A03"),
        starts_on=TODAY,
        ends_on=TODAY + timedelta(days=364),
        volume=3,
        unit="04",
        frequency="2",
    )
    return dataclasses.replace(whole, **changes)
