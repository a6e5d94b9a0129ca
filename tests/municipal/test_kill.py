"""kill -9 on the way from a case to its closing: run again, and it is as if nothing happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.municipal.around import Reported, configured, plan_of
from tests.municipal.test_faults import assert_whole
from tests.server.test_support import Steps
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from adapters.simulators.open_zaak.whole import OpenZaak
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange

PASS_MAX_S = 60
LIVES = 8


def a_pass(settings: Path, kill_at: int = 0) -> tuple[bool, int]:
    """Return whether it was killed, and how many steps it took."""
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "tests.municipal.killed", str(settings), str(kill_at)],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        text=True,
        timeout=PASS_MAX_S,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0, int(done.stdout or 0)


class Life:
    """A case, its report, and a plan that goes on to its end; an adapter's passes in between."""

    def __init__(self, exchange: Exchange, system: OpenZaak, town: Town, folder: Path) -> None:
        self._exchange, self._town = exchange, town
        credentials = str(exchange.settings.data / "operator")
        configured(folder, system, target=exchange.target, credentials=credentials, sweep_s=1)
        self._settings = folder / "adapter.toml"
        self._bsn = town.person(next(exchange.bsns))
        self._zaak: dict[str, Any] = town.case(self._bsn)

    def live(self, *kill_at: int) -> list[int]:
        """Be killed at a step of the pass that reports and of the one that closes; return their steps."""
        taken = []
        for at, then in zip(kill_at or (0, 0), (self._decide, self._look), strict=True):
            if at:
                a_pass(self._settings, at)
            killed, steps = a_pass(self._settings)
            assert not killed
            taken.append(steps)
            then()
        return taken

    def _decide(self) -> None:
        story = Reported(self._exchange, self._bsn, plan_of(self._zaak))
        told = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.report_id"])
        assert len(told.plan.reports) == 1
        steps = Steps(self._exchange, story)
        support_id = steps.request()
        steps.agree()
        steps.assign(support_id)

    def _look(self) -> None:
        assert_whole(self._town, self._zaak)


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(
    exchange: Exchange, system: OpenZaak, town: Town, tmp_path: Path
) -> None:
    report, close = Life(exchange, system, town, tmp_path / "whole").live()
    assert report > 20
    assert close > 20
    for number in range(LIVES):
        share = (number + 0.5) / LIVES
        life = Life(exchange, system, town, tmp_path / f"killed-{number}")
        life.live(max(1, round(report * share)), max(1, round(close * share)))
