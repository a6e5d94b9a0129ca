"""A history that is right, made by chance from a seed, and the log that explains it; to plant faults in.

Promises: the same seed, the same history; no service takes part.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tests.history.entries import Entry, asked, given, withdrawn
from tests.history.model import chain_of, chained
from tests.history.record import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_NS: Final = 1_000_000
AWAY_NS: Final = 12 * STEP_NS
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
FIELD: Final = {"goals": "goals.own_words", "reports": "reports.own_words"}


class Plan:
    """One plan as it stands."""

    def __init__(self, number: int) -> None:
        self.id, self.case = f"plan{number}", f"case{number}"
        self.version = 0
        self.chains = {"goals": chain_of(()), "reports": chain_of(())}
        self.consent = ""  # that stands
        self.consents = 0


class Made:
    """Entries and operations of a number of moves on a handful of plans."""

    def __init__(self, seed: int, moves: int, plans: int = 3, clients: int = 6) -> None:
        self._chance = random.Random(seed)  # noqa: S311 -- a history, not a secret
        self.entries: list[Entry] = []
        self.operations: list[Operation] = []
        self._clients = clients
        self._plans = [Plan(number) for number in range(plans)]
        self._number = 0
        for plan in self._plans:
            self._log(kind="plan.opened", case=plan.case, plan=plan.id, version=self._next(plan))
            self._open(plan)
        doings: list[Callable[[Plan], None]] = [self._command, self._command, self._read, self._read]
        doings += [self._repeated, self._lost, self._refused, self._conflict, self._consent]
        for _ in range(moves):
            self._chance.choice(doings)(self._chance.choice(self._plans))
        for plan in self._plans:
            self._stay(plan)

    # --- the log ----------------------------------------------------------------------------------------

    def _log(self, *, kind: str, decision: str = "", plan: str = "", **told: object) -> Entry:
        position = len(self.entries) + 1
        entry = Entry(
            position=position,
            kind=kind,
            at=BEGAN + timedelta(milliseconds=position),
            decision=decision or f"d{position}",
            event=f"e{position}",
            leaf=f"leaf{position}",
            plan=plan,
            **told,  # type: ignore[arg-type] # fields of an entry
        )
        self.entries.append(entry)
        return entry

    def _next(self, plan: Plan) -> int:
        plan.version += 1
        return plan.version

    # --- what clients see -------------------------------------------------------------------------------

    def _told(self, op: str, entry: Entry | None = None, **said: object) -> Operation:
        now = len(self.entries) * STEP_NS
        one = Operation(
            client=f"c{self._chance.randrange(self._clients)}",
            op=op,
            sent_ns=now - self._chance.randrange(AWAY_NS) + AWAY_NS,
            answered_ns=now + self._chance.randrange(AWAY_NS) + AWAY_NS,
            **said,  # type: ignore[arg-type] # fields of an operation
        )
        if entry is not None:
            one.position, one.leaves, one.leaf = entry.position, 1, entry.leaf
            one.decision, one.answer = entry.decision, f"answer{entry.position}"
        self.operations.append(one)
        return one

    def _words(self) -> tuple[str, str]:
        self._number += 1
        return f"made-{self._number}", f"r{self._number}"

    def _write(self, plan: Plan, mark: str) -> Entry:
        elements = self._chance.choice(("goals", "reports"))
        kind = "plan.goal_set" if elements == "goals" else "plan.report_received"
        entry = self._log(kind=kind, plan=plan.id, version=self._next(plan), mark=mark)
        plan.chains[elements] = chained(plan.chains[elements], mark)
        return entry

    def _command(self, plan: Plan) -> None:
        mark, request_id = self._words()
        entry = self._write(plan, mark)
        self._told("command", entry, request_id=request_id, mark=mark, plan=plan.id)
        elements = "goals" if entry.kind == "plan.goal_set" else "reports"
        if elements == "reports" or plan.consent:
            self._deliver(plan, entry, elements)

    def _deliver(self, plan: Plan, entry: Entry, elements: str) -> None:
        judged = self._log(kind="disclosure.decided", outcome="PERMIT", released=(FIELD[elements],))
        self._told(
            "event",
            stream=f"{plan.id} {elements}",
            connection=1,
            plan=plan.id,
            position=entry.position,
            event=entry.event,
            decision=judged.decision,
            on_consent=elements == "goals",
        )

    def _repeated(self, plan: Plan) -> None:
        """Cut off, asked again, and once more."""
        mark, request_id = self._words()
        first = self._told("command", request_id=request_id, mark=mark, outcome="unknown")
        first.answered_ns = 0
        entry = self._write(plan, mark)
        if entry.kind == "plan.report_received" or plan.consent:
            self._deliver(plan, entry, "goals" if entry.kind == "plan.goal_set" else "reports")
        for _ in range(2):
            self._told("command", entry, request_id=request_id, mark=mark)

    def _lost(self, plan: Plan) -> None:
        """Cut off and never asked again: there, or not."""
        mark, request_id = self._words()
        if self._chance.random() < 0.5:
            self._log(kind="case.noted", plan="", mark=mark)
        told = self._told("command", request_id=request_id, mark=mark, outcome="unknown", plan=plan.id)
        told.answered_ns = 0

    def _refused(self, plan: Plan) -> None:
        judged = self._log(kind="disclosure.decided", outcome="DENY", plan=plan.id)
        mark, request_id = self._words()
        told = self._told("command", request_id=request_id, mark=mark, outcome="refused")
        told.decision, told.reason = judged.decision, "ACCESS_DENIED"

    def _conflict(self, plan: Plan) -> None:
        mark, request_id = self._words()
        told = self._told("command", request_id=request_id, mark=mark, outcome="refused", plan=plan.id)
        told.reason = "VERSION_CONFLICT"

    def _read(self, plan: Plan) -> None:
        elements = self._chance.choice(("goals", "reports"))
        gives = elements == "reports" or bool(plan.consent)
        fields = (FIELD[elements], "version")
        outcome, released = ("PERMIT", fields) if gives else ("DENY", ())
        judged = self._log(kind="disclosure.decided", outcome=outcome, released=released, action="READ")
        told = self._told("read", plan=plan.id, elements=elements, on_consent=elements == "goals")
        told.decision, told.fields = judged.decision, fields
        if gives:
            told.version, told.chain = plan.version, plan.chains[elements]
        else:
            told.outcome, told.reason = "refused", "ACCESS_DENIED"

    def _consent(self, plan: Plan) -> None:
        if not plan.consent:
            plan.consents += 1
            plan.consent = f"{plan.id}-yes{plan.consents}"
            start, end = BEGAN - timedelta(days=1), BEGAN + timedelta(days=30)
            for kind, mark in (("requested", asked(plan.consent)), ("given", given(plan.consent))):
                entry = self._log(
                    kind=f"consent.{kind}",
                    consent=plan.consent,
                    case=plan.case,
                    start=start,
                    end=end,
                    mark=mark,
                )
                self._told("consent", entry, request_id=self._words()[1], mark=mark, plan=plan.id)
            return
        mark = withdrawn(plan.consent)
        entry = self._log(kind="consent.withdrawn", consent=plan.consent, mark=mark)
        self._told("withdrawal", entry, request_id=self._words()[1], mark=mark, plan=plan.id)
        plan.consent = ""

    # --- streams ----------------------------------------------------------------------------------------

    def _open(self, plan: Plan) -> None:
        for elements in FIELD:
            self._told("opened", stream=f"{plan.id} {elements}", connection=1, plan=plan.id)

    def _stay(self, plan: Plan) -> None:
        for elements in FIELD:
            self._told(
                "stayed",
                stream=f"{plan.id} {elements}",
                plans=(plan.id,),
                elements=elements,
                on_consent=elements == "goals",
                position=len(self.entries),
            )
