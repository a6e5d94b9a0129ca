"""The clock of a story that takes years: it goes forward, the service follows it, and it is nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from adapters.simulators.years.clock import ClockSetBack, StoryClock
from exchange.settings import Settings
from exchange.wiring.core import utc_now
from exchange.wiring.service import OPERATOR_FOLDER, Starter
from exchange.wiring.years import MovedClock, issue_for, set_clock, years_settings

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
A_SECOND = timedelta(seconds=1)


def test_the_service_follows_the_story_at_once(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    set_clock(file, -3 * YEAR)
    service, story = MovedClock(file, lambda: NOON), StoryClock(file)
    assert service() == NOON - 3 * YEAR
    story.forward_to(story.now() + YEAR)
    assert abs(service() - (NOON - 2 * YEAR)) <= A_SECOND
    assert abs(story.now() - (utc_now() - 2 * YEAR)) <= 2 * A_SECOND


def test_a_story_goes_forward_only(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    set_clock(file, timedelta())
    story, before = StoryClock(file), file.read_bytes()
    with pytest.raises(ClockSetBack):
        story.forward_to(story.now() - A_SECOND)
    assert file.read_bytes() == before


def test_a_clock_that_is_set_back_tells_the_last_time_until_it_is_over(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    set_clock(file, timedelta())
    machine = [NOON]
    service = MovedClock(file, lambda: machine[0])
    service()
    file.write_bytes((-3600).to_bytes(8, "little", signed=True))
    assert service() == NOON
    machine[0] = NOON + timedelta(hours=2)
    assert service() == NOON + timedelta(hours=1)


def test_credentials_hold_by_both_clocks(tmp_path: Path) -> None:
    settings, start = years_settings(tmp_path / "data", {}), utc_now() - 3 * YEAR
    issue_for(settings, start, {})
    pem = (settings.data / OPERATOR_FOLDER / "client.pem").read_bytes()
    certificate = x509.load_pem_x509_certificates(pem)[0]
    assert certificate.not_valid_before_utc < start
    assert certificate.not_valid_after_utc > utc_now() + timedelta(hours=1)


def test_no_setting_moves_the_clock_of_a_service() -> None:
    assert Starter().clock is utc_now
    assert [name for name in Settings.model_fields if "clock" in name] == []
