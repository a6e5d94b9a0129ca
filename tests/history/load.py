"""A load with a record: many clients on a handful of plans, over gRPC and mutual TLS, through faults.

`python -m tests.history.load --target HOST:PORT … --credentials DIR --out HISTORY` runs it by itself.
Promises: what was cut off is asked again under its request id, elsewhere where there are several endpoints,
until it is answered; ends by itself; the same seed draws the same moves for each client.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from adapters.sdk.credentials import Credentials
from tests.e2e.service import CITY, WORK, Case
from tests.history.callers import Caller, Scene
from tests.history.doors import Doors
from tests.history.followers import Follower
from tests.history.plans import FOLLOWER, Ground
from tests.history.record import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.service import Service
    from tests.history.record import Operation

WAIT_S = 120.0


class Load:
    """Opens its cases when it is made; `start`, then `finish`, once each."""

    def __init__(
        self, doors: Doors, *, seed: int = 1, callers: int = 6, plans: int = 3, run: str = "run"
    ) -> None:
        self._doors = doors
        self._recorder = Recorder()
        self._enough = threading.Event()
        self._grounds = [self._open(number) for number in range(plans)]
        self._scene = Scene(doors, self._grounds, self._recorder, self._enough)
        self._callers = [
            Caller(number, self._scene, random.Random(f"{seed}/{number}"), run)  # noqa: S311 -- moves, not secrets
            for number in range(callers)
        ]
        self._followers = [
            Follower(doors, self._grounds, self._recorder, on_consent=one) for one in (False, True)
        ]

    def _open(self, number: int) -> Ground:
        case = Case(cast("Service", self._doors), f"Eerste melding van plan {number}.")
        work = f"p-{case.bsn[-5:]}"
        case.let_join(CITY, "college:PW", work, "consulent")
        case.let_join(CITY, "college:WMO", FOLLOWER, "consulent")
        # Where there is no goal yet, no consent is needed to read of none.
        answer = self._doors.worker("college:PW", work).plan.set_goal(
            claim=WORK,
            plan_id=case.plan_id,
            expected_version=case.version,
            own_words=f"Eerste doel van plan {number}.",
            **Ground.GOAL,
        )
        ground = Ground(case, work)
        ground.saw(answer.version)
        ground.prepare()
        return ground

    # --- its life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let everybody begin."""
        for thread in (*self._followers, *self._callers):
            thread.start()

    def until(
        self, more: int, *, done: Callable[[Operation], bool] = lambda one: one.outcome == "ok"
    ) -> None:
        """Wait until so many more operations ended well."""
        began = len(self.operations)
        ends_at = time.monotonic() + WAIT_S
        while sum(map(done, self.operations[began:])) < more:
            assert time.monotonic() < ends_at, f"the load stands still: {self.operations[-3:]}"
            self.raise_defects()
            time.sleep(0.01)

    def finish(self) -> list[Operation]:
        """Let all end what they began; return every operation. Raises what went wrong in any of them."""
        self._enough.set()
        for caller in self._callers:
            caller.join(WAIT_S)
            assert not caller.is_alive(), "a client found no end"
        self.raise_defects()
        last = self._last_words()
        for follower in self._followers:
            follower.stay(last)
        self.raise_defects()
        self._doors.close()
        return self.operations

    def stop(self) -> None:
        """End whatever still runs, also after a failure."""
        self._enough.set()
        for follower in self._followers:
            follower.close()
        for caller in self._callers:
            caller.give_up()
        for thread in (*self._callers, *self._followers):
            if thread.ident is not None:
                thread.join(WAIT_S)
        self._doors.close()

    def _last_words(self) -> int:
        """Set a last goal and report on each plan, with a consent that stands; return the last position."""
        chance = random.Random("last words")  # noqa: S311 -- as above
        closing = Caller(len(self._callers), self._scene, chance, "last")
        return closing.last_words()

    def raise_defects(self) -> None:
        """Raise what a client did not expect."""
        for defect in [one.defect for one in self._callers] + [one.defect for one in self._followers]:
            if defect is not None:
                raise defect

    @property
    def operations(self) -> list[Operation]:
        """Everything that is recorded by now."""
        return self._recorder.operations()

    def write(self, file: Path) -> None:
        """Write the history."""
        self._recorder.write(file)


def main(words: list[str] | None = None) -> None:
    """Run a load for a number of operations or of seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, action="append", help="again for each node")
    parser.add_argument("--credentials", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--callers", type=int, default=6)
    parser.add_argument("--plans", type=int, default=3)
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--operations", type=int)
    limit.add_argument("--seconds", type=float)
    asked: Any = parser.parse_args(words)
    doors = Doors(lambda: asked.target, Credentials.load(asked.credentials), asked.out.parent)
    load = Load(doors, seed=asked.seed, callers=asked.callers, plans=asked.plans)
    try:
        load.start()
        if asked.operations:
            load.until(asked.operations)
        else:
            time.sleep(asked.seconds)
        load.finish()
    finally:
        load.stop()
        load.write(asked.out)
    sys.stdout.write(f"{len(load.operations)} operations\n")


if __name__ == "__main__":
    main()
