"""The loop: takes orders, asks the gate, asks Suwinet, fills plans in, forgets.

Promises: nothing is asked of Suwinet before the gate's yes to this resident and this purpose, and never for a
purpose outside work and income, whatever the gate says; what was told is written once, also after a kill at
any step; what a person wrote in a plan stays; what cannot go on waits with growing pauses, and is parked with
an alarm after a day; within a restriction nothing is asked or written. No log line says of whom.
Source: Wet SUWI 62; GDPR 5(1)(b), 17, 19.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

from adapters.kit.journal import wait_before_retry_ms
from adapters.kit.outward import NotNow
from adapters.kit.rates import REAL, Limits, Pace
from adapters.kit.refusals import TOO_LONG
from adapters.sdk.errors import (
    Conflict,
    CredentialsInvalid,
    Denied,
    ExchangeRefused,
    Invalid,
    PseudonymRefused,
    ReceiptRefused,
    RuleBroken,
    ServerFault,
    Unavailable,
)
from adapters.work_income.drafts import Drafts, Told, unpack
from adapters.work_income.errors import (
    AnswerRefused,
    ConfigInvalid,
    FaultAnswered,
    OrderRefused,
    PlanErased,
    PurposeRefused,
    SuwinetUnavailable,
)
from adapters.work_income.exchange_port import FillIn
from adapters.work_income.journal import DENIED, DONE, DUE, RESTRICTED
from adapters.work_income.limits import Held, Restraints
from adapters.work_income.mapping import findings
from adapters.work_income.orders import Inbox
from adapters.work_income.rejected import Rejected
from adapters.work_income.services import INCOME, services_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.sdk.logs import AdapterLog
    from adapters.work_income.config import Config
    from adapters.work_income.exchange_port import ExchangePort, Permit, Standing
    from adapters.work_income.journal import Journal, Pull
    from adapters.work_income.orders import Order
    from adapters.work_income.records import Findings, Prefill
    from adapters.work_income.services import Service as Source
    from adapters.work_income.suwinet_port import SuwinetPort
    from adapters.work_income.xml import Node

LOCAL: Final = ZoneInfo("Europe/Amsterdam")
SUWINET: Final = "suwinet"
DAY_MS: Final = 24 * 3_600_000
PAUSE_ATTEMPTS_MAX: Final = 6  # the wait for who is away doubles from one second to 32
RESTRICTION: Final = "R24"
# What a later attempt can mend, by itself or once a person looked at it.
NOT_NOW: Final = (Unavailable, ServerFault, CredentialsInvalid, PseudonymRefused, ReceiptRefused)
_JITTER_STEPS: Final = 1_000_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The moment with its zone, chance below a bound, new names, a clock nobody sets, whose turn it is."""

    now: Callable[[], datetime] = _utc_now
    below: Callable[[int], int] = secrets.randbelow
    fresh_name: Callable[[], str] = lambda: uuid4().hex
    pace: Pace = REAL
    limits: Limits | None = None


class Others(NamedTuple):
    """Who is asked: the exchange whether and what for, Suwinet what it knows."""

    exchange: ExchangePort
    suwinet: SuwinetPort


def limits_of(
    config: Config, surroundings: Surroundings, stopped: Callable[[], bool] = lambda: False
) -> Limits:
    """Return who says when Suwinet may be asked; one for as long as the process lives."""
    return Limits(
        {SUWINET: config.rate},
        config.waits,
        surroundings.pace,
        now=lambda: surroundings.now().timestamp(),
        stopped=stopped,
    )


class _Pause:
    """How long to leave somebody in peace who did not answer, by a clock that nobody sets."""

    def __init__(self) -> None:
        self._times = 0
        self._until_ms = 0

    def begin(self, now_ms: int, jitter: float) -> int:
        self._times += 1
        wait_ms = wait_before_retry_ms(min(self._times, PAUSE_ATTEMPTS_MAX), jitter)
        self._until_ms = now_ms + wait_ms
        return wait_ms

    def end(self) -> None:
        self._times = 0

    def holds(self, now_ms: int) -> bool:
        return now_ms < self._until_ms


class Service:
    """One adapter at work. Owned by the thread that opened the journal."""

    def __init__(
        self,
        config: Config,
        others: Others,
        journal: Journal,
        log: AdapterLog,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._config: Final = config
        self._exchange: Final = others.exchange
        self._suwinet: Final = others.suwinet
        self._journal: Final = journal
        self._log: Final = log
        self._around: Final = surroundings or Surroundings()
        self._rejected: Final = Rejected(config, journal, log, lambda: self._now_ms)
        self._inbox: Final = Inbox(config.inbox, self._rejected.kept, self._around.fresh_name)
        self._drafts: Final = Drafts(config.drafts, config.aside, self._rejected.erase)
        self._limits: Final = Restraints(config, others.exchange, Held(journal, self._drafts), log)
        self._turns: Final = (self._around.limits or limits_of(config, self._around))[SUWINET]
        self._exchange_away: Final = _Pause()
        self._suwinet_away: Final = _Pause()
        # What one service told while another did not answer: not asked for twice because of that.
        self._told: Final[dict[tuple[int, str], Findings]] = {}

    def work(self) -> None:
        """Do once what can be done now: what is to be erased or left alone, orders, questions, plans."""
        self._renew()
        self._rejected.tidy()
        if self._limits.work(self._now_ms, self._steady_ms):
            self._told.clear()
        self._take_orders()
        failed: OSError | None = None
        for pull in self._journal.due(self._now_ms):
            if self._exchange_away.holds(self._steady_ms):
                break
            try:
                self._go_on(pull)
            except OSError as error:
                # A file of this one; the others have their turn, and then the loop stands still a while.
                failed = error
        if failed is not None:
            raise failed

    def _renew(self) -> None:
        """Go on with renewed certificates, of either line; with those in use where the new ones are none."""
        for renew in (self._exchange.renew, self._suwinet.renew):
            try:
                if renew():
                    self._log.info("credentials_renewed")
            except (CredentialsInvalid, ConfigInvalid) as invalid:
                self._log.error("credentials_invalid", error=type(invalid).__name__)

    @property
    def _now_ms(self) -> int:
        return int(self._around.now().timestamp() * 1_000)

    @property
    def _steady_ms(self) -> int:
        return int(self._around.pace.steady() * 1_000)

    def _jitter(self) -> float:
        return self._around.below(_JITTER_STEPS) / _JITTER_STEPS

    # --- orders -------------------------------------------------------------------------------------------

    def _take_orders(self) -> None:
        for found, file in self._inbox.take():
            try:
                self._take_order(found, file)
            except OSError as error:
                # Of this file; the rest goes on.
                self._log.error("inbox_failed", error=type(error).__name__)

    def _take_order(self, found: Order | OrderRefused, file: Path) -> None:
        if isinstance(found, OrderRefused):
            self._inbox.reject(file, found)
            self._log.error("order_rejected", reason=str(found))
            return
        # Kept before it is gone: a kill in between takes it twice, which is once.
        self._journal.take(found, self._now_ms)
        self._inbox.remove(file)
        self._log.info("order_taken", reason=found.purpose)

    # --- one order ----------------------------------------------------------------------------------------

    def _go_on(self, pull: Pull) -> None:
        if pull.state in {DONE, RESTRICTED}:
            self._journal.again(pull.number, self._now_ms)
            pull = self._journal.find(pull.number) or pull
        try:
            if pull.state == DUE:
                self._ask(pull)
            else:
                self._write(pull)
        except Denied as denied:
            self._refused(pull, denied)
        except (PlanErased, PurposeRefused) as refused:
            self._inbox.say(f"{refused.code}: {refused}\n{refused.remedy}\n")
            self._journal.forget(pull.number)
            self._forget_told(pull)
            self._log.error("pull_refused", code=refused.code)
        except (Invalid, RuleBroken) as broken:
            self._journal.park(pull, broken.refusal.reason)
            self._log.error("pull_parked", reason=broken.refusal.reason, rule=broken.refusal.rule)
        except Conflict:
            self._later(pull, "VERSION_CONFLICT")
        except NOT_NOW as error:
            wait_ms = self._exchange_away.begin(self._steady_ms, self._jitter())
            self._log.warning("exchange_not_now", error=type(error).__name__, wait_ms=wait_ms)
            self._later(pull, type(error).__name__)
        except ExchangeRefused as error:
            self._later(pull, error.refusal.reason)
        else:
            self._exchange_away.end()

    def _refused(self, pull: Pull, denied: Denied) -> None:
        """End an order the gate refused: the number is forgotten, the reason kept.

        What is known here and restricted stays, and nothing is done with it: it is asked again tomorrow.
        """
        rules = ", ".join(denied.rules)
        # Whose plan it is may have become known since this round began.
        pull = self._journal.find(pull.number) or pull
        if RESTRICTION in denied.rules and pull.plan_id:
            self._journal.restrict(pull.plan_id, pull.order.purpose, DENIED, self._now_ms + DAY_MS)
            self._drafts.set_aside(pull.plan_id, pull.order.purpose)
            self._forget_told(pull)
            self._wait_within_restriction(pull, rules)
            return
        # The reason first: an order that is gone has one.
        self._inbox.say(f"ACCESS_DENIED: {rules}\n" + "\n".join(denied.remedies) + "\n")
        self._journal.forget(pull.number)
        self._forget_told(pull)
        if pull.plan_id:
            self._drafts.erase([f"{pull.plan_id}-{pull.order.purpose}"])
        self._log.error("pull_refused", reason="ACCESS_DENIED", rule=rules)

    def _wait_within_restriction(self, pull: Pull, rules: str) -> None:
        name, now_ms = f"pull {pull.number}", self._now_ms
        self._journal.refusals.refused(name, pull.plan_id, now_ms)
        self._log.warning("restricted", rule=rules)
        if self._journal.refusals.too_long(name, now_ms):
            self._journal.park(pull, TOO_LONG)
            self._log.error("pull_parked", reason=TOO_LONG, rule=rules)

    def _later(self, pull: Pull, reason: str) -> None:
        if self._journal.later(pull, reason, self._now_ms, self._jitter()):
            self._forget_told(pull)
            self._log.error("pull_parked", reason=reason, attempt=pull.attempts + 1)
        else:
            self._log.warning("pull_waits", reason=reason, attempt=pull.attempts + 1)

    # --- asking -------------------------------------------------------------------------------------------

    def _ask(self, pull: Pull) -> None:
        # Before the gate: what cannot be asked now leaves no decision behind.
        if self._suwinet_away.holds(self._steady_ms) or not self._turns.soon:
            return
        permit = self._exchange.permit(pull.order.bsn, pull.order.purpose, pull.order.necessity)
        self._journal.refuse_erased(permit.plan_id)
        # Our own lock, behind the gate's: raises for every purpose outside work and income.
        sources = services_of(permit.purpose)
        for source in sources:
            if (pull.number, source.name) not in self._told and not self._ask_one(pull, source):
                return
        told = Told.of([self._told[pull.number, source.name] for source in sources])
        self._keep(pull, permit, told)

    def _ask_one(self, pull: Pull, source: Source) -> bool:
        """Ask one service; False where it has to wait, which is noted."""
        try:
            self._turns.turn()
        except NotNow:
            # Our own limit: no attempt of this order, which stays due.
            return False
        period = pull.order.period if source is INCOME else None
        try:
            found = _found(source, self._suwinet.ask(source, pull.order.bsn, period))
        except SuwinetUnavailable as away:
            if away.retry_after_s:
                self._turns.hold(away.retry_after_s)
            wait_ms = self._suwinet_away.begin(self._steady_ms, self._jitter())
            self._log.warning("suwinet_not_now", message_type=source.name, reason=away.why, wait_ms=wait_ms)
            self._later(pull, f"{source.name} {away.why}")
        except FaultAnswered as fault:
            self._log.warning("fault_answered", message_type=source.name, code=fault.fault)
            self._later(pull, f"{source.name} {fault.fault}")
        except AnswerRefused as refused:
            self._inbox.say(f"{refused.code}: {source.name}: {refused}\n{refused.remedy}\n")
            # Its name only: the whole path stands in rejected/, and is as long as what no log may hold.
            name = refused.element.rpartition("/")[2]
            self._log.error("answer_refused", message_type=source.name, rule=refused.rule, element=name)
            self._later(pull, f"{source.name} {refused.code}")
        else:
            self._suwinet_away.end()
            self._told[pull.number, source.name] = found
            return True
        return False

    def _keep(self, pull: Pull, permit: Permit, told: Told) -> None:
        domains = [one.domain.value for one in told.prefills]
        news = self._journal.told(pull, permit.plan_id, permit.decision_id, told.packed(), domains)
        self._forget_told(pull)
        self._log.info("suwinet_told", state="news" if news else "unchanged", decision_id=permit.decision_id)
        if (kept := self._journal.find(pull.number)) is not None:
            self._write(kept)

    def _forget_told(self, pull: Pull) -> None:
        for key in [key for key in self._told if key[0] == pull.number]:
            del self._told[key]

    # --- writing ------------------------------------------------------------------------------------------

    def _write(self, pull: Pull) -> None:
        told = unpack(pull.told)
        states = self._journal.entries(pull.number)
        for prefill in told.prefills:
            if states.get(prefill.domain.value) == "waiting":
                states[prefill.domain.value] = state = self._fill_in(pull, prefill)
                self._journal.entered(pull.number, prefill.domain.value, state)
        # Where nothing is to be entered it is what was told before, or nothing was found to enter.
        if (states or not told.prefills) and self._drafts.write(pull, told, states, self._now_ms):
            self._log.info("draft_written", reason=pull.order.purpose)
        self._drafts.bring_back(pull.plan_id, pull.order.purpose)
        self._journal.refusals.settled(f"pull {pull.number}")
        days = self._config.refresh_days
        self._journal.done(pull, self._now_ms + days * DAY_MS if days else None)
        self._log.info("pull_done", reason=pull.order.purpose)

    def _fill_in(self, pull: Pull, prefill: Prefill) -> str:
        """Fill a life domain in, or leave it to a person: who wrote there, or nobody who judged it."""
        stands = self._exchange.standing(pull.plan_id, pull.order.purpose, prefill.domain)
        domain = prefill.domain.value
        if (stands.description, stands.source) == (prefill.description, prefill.source):
            self._journal.wrote(pull.plan_id, domain, prefill.description)
            return "written"
        score, judged_on = self._judged(pull, prefill, stands)
        # What a person wrote or corrected is never replaced: only the very words that were written from here.
        unchanged = stands.from_suwinet and self._journal.is_ours(pull.plan_id, domain, stands.description)
        if not (stands.empty or unchanged) or not score:
            return "left"
        asked = (domain, prefill.description, *stands.seen.part_versions, score, judged_on)
        again = self._journal.refusals.again(f"pull {pull.number}")
        request_id = self._journal.request_id(f"{pull.number} {asked}{again}")
        self._exchange.fill_in(
            FillIn(request_id, pull.plan_id, pull.order.purpose, prefill, score, judged_on, stands.seen)
        )
        self._journal.wrote(pull.plan_id, domain, prefill.description)
        return "written"

    def _judged(self, pull: Pull, prefill: Prefill, stands: Standing) -> tuple[int, str]:
        """Return a person's score and its day: that of the order, else the one that stands; 0 for none."""
        ordered = pull.order.scores.get(prefill.domain, 0)
        if not ordered:
            return stands.score, stands.judged_on
        # Of the day the order came in, so that it is the same at each attempt.
        came = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=pull.since_ms)
        return ordered, came.astimezone(LOCAL).date().isoformat()


def _found(source: Source, answer: Node) -> Findings:
    """Return what an answer tells. Raises FaultAnswered where it tells of a fault and of nothing else."""
    found = findings(source, answer)
    if found.faults and not found.facts:
        raise FaultAnswered(found.faults[0])
    return found
