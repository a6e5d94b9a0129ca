"""kill -9 at every step of an erasure: after the next start it happened wholly, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.errors import KeyDestroyed
from exchange.store.verify import verify_store
from exchange.wiring.core import key_file
from tests.pipeline.erasing import proposed
from tests.pipeline.shard import Shard
from tests.wiring.dying import STEPS
from tests.wiring.test_erasing import root

if TYPE_CHECKING:
    from exchange.wiring.core import Core

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_who_dies_while_erasing_has_erased_after_the_next_start(step: str, tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    ref, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    shard.done(shard.question(plan_id))
    shard.core.links.link(root(), ref)
    shard.core.integrator.integrate()
    wrapped = _wrapped(shard.core, ref)
    assert wrapped
    erasure_id = proposed(shard, ref)
    shard.close()
    ran = subprocess.run(  # noqa: S603 -- our own module
        [sys.executable, "-m", "tests.wiring.dying", str(tmp_path / "data"), ref, erasure_id, step],
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert ran.returncode == -signal.SIGKILL
    shard = Shard(tmp_path / "data")
    core = shard.core
    try:
        decided = bool(core.reader.page(0, 10_000, (KeysDestroyed.TOPIC,)))
        assert decided == (step != "before the commit")
        assert verify_store(core.reader).problems == []
        assert core.integrator.integrate() is not None
        if decided:
            _require_nobody(core, ref, plan_id, wrapped)
        else:
            assert core.loader.load(f"plan-{plan_id}").state.goals
            assert core.links.resolve(root()) == ref
    finally:
        shard.close()


def _require_nobody(core: Core, ref: str, plan_id: str, wrapped: list[bytes]) -> None:
    with pytest.raises(KeyDestroyed):
        core.keys.open_key(ref, "WMO-PLAN", 1)
    assert core.links.resolve(root()) is None
    assert core.loader.load(f"plan-{plan_id}").state is None
    assert [one.resident for one in core.erasures.listed.entries.values()] == [ref]
    for file in key_file(core.settings).parent.glob("keys.db*"):
        content = file.read_bytes()
        assert [one for one in wrapped if one in content] == []


def _wrapped(core: Core, ref: str) -> list[bytes]:
    query = "SELECT wrapped FROM data_key WHERE resident_ref = ?"
    return [wrapped for (wrapped,) in core.keys._reader.execute(query, (ref,))]
