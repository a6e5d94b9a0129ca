"""Runs of one shard, each in a child whose system calls fail or kill: `-m tests.wiring.failing`.

A line in: {"folder", "plan", "how", "step", "name", "turn"}. Lines out: what the child told (acknowledged
leaves, signed notes, receipts), then {"ended": its exit status}. Must run under `failing_calls.c`, preloaded.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import ExchangeError
from exchange.ledger.receipt import make_receipt
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.pipeline.walk import Walk

HOW: Final = ("count", "lost", "kept", "killed")
GROUPS: Final = 2
NEXT_YEAR: Final = datetime(2027, 1, 1, tzinfo=UTC)
TRIES_MAX: Final = 4


def tell(**said: Any) -> None:  # noqa: ANN401 -- anything JSON can say
    """Write one line at once: what was told stays told when the process is killed after it."""
    os.write(1, f"{json.dumps(said)}\n".encode())


def patiently(shard: Shard, walks: list[Walk]) -> None:
    """Run a group until each walk was answered, as who has request ids does; tell what was acknowledged."""
    left = walks
    for _ in range(TRIES_MAX):
        outcomes = shard.run(*left)
        for one in outcomes:
            if isinstance(one, CommandOutcome):
                tell(leaf=one.leaf_index, entry=one.leaf_entry.decode())
        pairs = zip(left, outcomes, strict=True)
        left = [walk for walk, one in pairs if not isinstance(one, CommandOutcome | ReadOutcome)]
        if not left:
            return
        tell(failed="append", by=[one.code for one in outcomes if isinstance(one, ExchangeError)])
    raise AssertionError("the shard never took these again")


def published(shard: Shard) -> SignedCheckpoint:
    """Integrate until it succeeds, as the publisher does after an interval; tell what was signed."""
    for _ in range(TRIES_MAX):
        try:
            signed = shard.core.integrator.integrate()
        except ExchangeError as error:
            tell(failed="publish", by=[error.code])
            continue
        assert signed is not None
        tell(note=signed.note.decode())
        return signed
    raise AssertionError("the shard never published again")


def opened(folder: str) -> Shard:
    """Open the shard until it succeeds, as whatever starts a service does."""
    for _ in range(TRIES_MAX):
        try:
            return Shard(Path(folder))
        except (ExchangeError, OSError) as error:
            tell(failed="start", by=[type(error).__name__])
    raise AssertionError("the shard never started again")


def work(shard: Shard, plan: str, *, turn: bool) -> None:
    """Append, integrate, sign, publish and give a receipt, twice; then close. Without a plan: append one.

    Where the year turns, the second time is of the next one: its log is opened, and the former closed.
    """
    for group in range(GROUPS):
        walks: list[Walk] = [shard.registration(f"new-{group}")]
        walks += [shard.goal(plan), shard.question(plan)] if plan else []
        patiently(shard, [replace(one, now=NEXT_YEAR) for one in walks] if turn and group else walks)
        signed = published(shard)
        log = shard.core.ledger.logs.newest
        index = signed.checkpoint.size - 1
        read_hash = log.tiles.hash_reader(signed.checkpoint.size)
        (entry,) = shard.core.reader.leaf_entries(log.first + index, log.first + index + 1)
        tell(receipt=make_receipt(index, signed, read_hash, entry).decode())
    shard.close()


def child(folder: str, plan: str, how: str, step: int, name: str, *, turn: bool) -> None:
    """Do the work with one call failing, from the first start where there is no plan.

    With a name, steps are the calls of that name. Tells how many there were, and where none fails which.
    """
    calls = ctypes.CDLL(None)
    shard = opened(folder) if plan else None
    names, into = os.pipe()
    telling = into if how == "count" else -1
    only = f"{name}\n".encode() if name else b""
    calls.arm(f"{folder}/".encode(), ctypes.c_long(step), HOW.index(how), telling, only)
    work(shard or opened(folder), plan, turn=turn)
    taken = calls.disarm()
    os.close(into)
    with os.fdopen(names, encoding="utf-8") as told:
        tell(taken=taken, calls=told.read().splitlines())


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if not process:
            try:
                child(**order)
            except BaseException:  # noqa: BLE001 -- the child must never go on as its parent
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        tell(ended=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
