"""A town in a process of its own: what dies here dies as in a power cut."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from tests.e2e.service import INVESTIGATE, Service, made_up_bsns

if TYPE_CHECKING:
    from pathlib import Path


class ServedTown(Service):
    """A service with what the people of a town are asked for."""

    def __init__(self, data: Path, **settings: str) -> None:
        super().__init__(data, **settings)
        self.bsns = made_up_bsns()

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def register_notice(self) -> None:
        """Register what residents are told."""
        start, end = Timestamp(), Timestamp()
        start.FromDatetime(datetime(2020, 1, 1, tzinfo=UTC))
        end.FromDatetime(datetime(2099, 1, 1, tzinfo=UTC))
        self.worker().consent.register_notice(
            claim=INVESTIGATE,
            notice_id="folder-1",
            version=1,
            sha256=b"\1" * 32,
            language="nl",
            level="B1",
            withdrawal_channels=["https://mijn.voorbeeld.nl/toestemming"],
            start_time=start,
            end_time=end,
        )
