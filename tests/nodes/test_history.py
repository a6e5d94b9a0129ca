"""Three nodes on one shard that moves each second, its holder stopped and killed: one order explains it all.

The load and the checker are those of `tests/history`; what each check means stands in its README.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.history.clustered import MORE, beside, is_answered, under_load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes.cluster import Cluster

MOVES = 120
MOVE_EVERY_S = 1.0
RESUMED_LEAST = 4
PLANS = 32  # so many that people still write at the end where a machine is fast


def move_each_second(cluster: Cluster) -> None:
    """Let the shard move so many times, at its moments: those who work meanwhile are not waited for."""
    began = time.monotonic()
    for number in range(1, MOVES + 1):
        cluster.move()
        time.sleep(max(0.0, began + number * MOVE_EVERY_S - time.monotonic()))


@pytest.mark.slow
def test_the_shard_moves_each_second_for_two_minutes_and_its_holder_hangs_and_dies(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = beside(cluster.shared, cluster.nodes[0].data)
    credentials = cluster.nodes[0].credentials()

    def stop_past_the_lease() -> None:
        holder = cluster.held()
        holder.pause()
        try:
            cluster.held(but=holder.address)
            under.load.until(MORE, done=is_answered)
        finally:
            holder.resume()

    def kill_the_holder() -> None:
        holder = cluster.held()
        holder.kill()
        cluster.held(but=holder.address)
        holder.start()

    def targets() -> list[str]:
        return [one.target for one in cluster.nodes]

    with under_load(targets, credentials, tmp_path, settings, plans=PLANS) as under:
        term = cluster.tenure().term
        under.fault(f"{MOVES} moves of the lease, one each second", lambda: move_each_second(cluster))
        assert cluster.tenure().term >= term + MOVES
        under.fault("SIGSTOP of the holder past its lease", stop_past_the_lease)
        under.fault("kill -9 of the holder", kill_the_holder)
        under.end()
    # Through whichever node they came: the streams that were sent on ended with each move, and went on.
    assert under.resumed() > RESUMED_LEAST
    under.lines.append(f"  streams         {under.resumed()} opened again at their cursor")
    with capsys.disabled():
        under.tell()
    cluster.verified()
