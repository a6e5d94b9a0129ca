"""What child processes do with a shard: die at any moment, meet a full disk, write beside each other."""

from __future__ import annotations

import random
import resource
from typing import TYPE_CHECKING

from exchange.pipeline.walk import CommandOutcome
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from exchange.pipeline.walk import CommandWalk

WALKS_PER_GROUP_MAX = 5
INTEGRATE_EVERY = 3
DISK_BYTES = 400_000
TRIES_MAX = 200
# So many that they fit nowhere, also where the log of before was copied back meanwhile and begins anew.
GROUP_TOO_LARGE = 200


def walk_until_killed(data: Path, plan_ids: tuple[str, ...], seed: int, told: Connection) -> None:
    """Run groups for ever; tell each acknowledged (request id, position) as soon as it is answered."""
    chance = random.Random(seed)  # noqa: S311 -- a reproducible mixture of walks, no secret
    shard = Shard(data)
    told.send("ready")
    group = 0
    while True:
        group += 1
        plan_id = chance.choice(plan_ids)
        goals = [shard.goal(plan_id) for _ in range(chance.randint(1, WALKS_PER_GROUP_MAX))]
        read = shard.question(plan_id)
        outcomes = shard.run(shard.registration(f"r-{seed}-{group}"), *goals, read)
        told.send(
            [(walk.request_id, one.position) for walk, one in zip(goals, outcomes[1:-1], strict=True)]
            + [(outcomes[-1].decision_id, outcomes[-1].position)]
        )
        if group % INTEGRATE_EVERY == 0:
            signed = shard.core.integrator.integrate()
            assert signed is not None


def fill_the_disk(data: Path, plan_id: str, told: Connection) -> None:
    """Write until files may not grow, then again with room; tell what each walk ended with."""
    shard = Shard(data)
    shard.done(shard.question(plan_id))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, hard))
    done, refused = [], None
    for _ in range(TRIES_MAX):
        walk = shard.goal(plan_id, "x" * 3000)
        (outcome,) = shard.run(walk)
        if not isinstance(outcome, CommandOutcome):
            refused = (walk.request_id, outcome.code)
            break
        done.append(walk.request_id)
    # More than the disk has: whether one small walk still fits is a matter of which pages it touches.
    group = [shard.goal(plan_id, "x" * 3000) for _ in range(GROUP_TOO_LARGE)]
    again = {getattr(one, "code", "") for one in shard.run(*group, shard.question(plan_id))}
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    # Refused for want of room, then asked again with the same id when there is room.
    later = shard.goal(plan_id, "x" * 3000)
    done += [walk.request_id for walk in (later,) if isinstance(shard.run(walk)[0], CommandOutcome)]
    told.send((done, refused, again))
    shard.close()


def write_beside(data: Path, plan_id: str, goals: int, told: Connection) -> None:
    """Set goals on one plan while another process does the same; the first one before both go on."""
    shard = Shard(data)
    done: list[tuple[str, int]] = []
    for number in range(goals):
        walk = shard.goal(plan_id, f"doel {number}")
        done.append((walk.request_id, _patiently(shard, walk).position))
        if number == 0:
            told.send("started")
            told.recv()
    told.send(done)
    shard.close()


def _patiently(shard: Shard, walk: CommandWalk) -> CommandOutcome:
    """Ask again for as long as the answer says that this can help."""
    for _ in range(TRIES_MAX):
        (outcome,) = shard.run(walk)
        if isinstance(outcome, CommandOutcome):
            return outcome
        assert outcome.retry_after_ms is not None, outcome
    raise AssertionError("the other writer never let this one through")
