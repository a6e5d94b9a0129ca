"""Verdicts of commands, judged once for each combination of what the gate looks at.

Promises: the gate is a pure function of facts and register; a verdict is remembered only where nothing in its
facts depends on the moment but the validity of the basis, which is in whole UTC days, and who speaks for the
resident, which is in whole days here; both days are part of what is remembered. Consents and break-glass are
judged each time. Bounded; owned by the writer thread.
Source: the gate's promise (same facts, same policy hash, same verdict).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.domain.days import day_of
from exchange.gate.judge import judge
from exchange.gate.model import Outcome
from exchange.pipeline.facts import command_facts
from exchange.pipeline.standings import Standings

if TYPE_CHECKING:
    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register
    from exchange.pipeline.facts import Standing
    from exchange.pipeline.walk import CommandWalk

REMEMBERED_MAX: Final = 4_096
ONLY_RECORDED: Final = ("LOG",)


class Verdicts:
    """One memory for one register: another register is another policy."""

    def __init__(self, register: Register) -> None:
        self.register: Final = register
        self.standings: Final = Standings()
        self._permits: dict[object, Verdict] = {}

    def of_command(self, walk: CommandWalk, standing: Standing) -> tuple[Verdict, Facts | None]:
        """Return the verdict, and the facts unless it is a permit remembered from alike facts."""
        if standing.consents or walk.claim.break_glass is not None:
            return self.judged(walk, standing)
        name = _name(walk, standing)
        known = self._permits.get(name)
        if known is not None:
            return known, None
        verdict, facts = self.judged(walk, standing)
        # A permit that brings more than its own recording is recorded with its facts, each time.
        if verdict.outcome is Outcome.PERMIT and verdict.obligations == ONLY_RECORDED:
            if len(self._permits) >= REMEMBERED_MAX:
                self._permits.clear()
            self._permits[name] = verdict
        return verdict, facts

    def judged(self, walk: CommandWalk, standing: Standing) -> tuple[Verdict, Facts]:
        """Return the verdict with its facts, judged now."""
        facts = command_facts(walk, standing, self.register)
        return judge(facts, self.register), facts


def _name(walk: CommandWalk, standing: Standing) -> object:
    """Return everything the gate looks at; a recipient's id counts for consents only, and there are none."""
    caller, claim = walk.caller, walk.claim
    return (
        claim.legal_basis,
        claim.purpose,
        not claim.necessity.strip(),
        caller.task,
        caller.two_factor,
        caller.mutual_tls,
        walk.fields,
        standing,
        walk.now.toordinal(),
        day_of(walk.now),
        walk.takes_back,
        walk.about_consent,
    )
