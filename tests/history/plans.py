"""One plan under load: who works on it, and what the clients know of it together."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.e2e.service import CITY, INVESTIGATE, Case

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLLOWER = "volger"
NOTICE = b"\1" * 32


def moment(at: datetime) -> Timestamp:
    """Return a moment as the contract has it."""
    told = Timestamp()
    told.FromDatetime(at)
    return told


class Ground:
    """A plan whose goals are all of Werk & Inkomen: the Wmo reads them on the resident's consent alone."""

    GOAL: ClassVar[Mapping[str, Any]] = {
        "desired_effect": "aan het werk",
        "life_domain": pb.LIFE_DOMAIN_WORK_AND_EDUCATION,
        "target_date": "2027-06-01",
    }

    def __init__(self, case: Case, work: str) -> None:
        self.plan, self.case_id, self.pseudonym = case.plan_id, case.case_id, case.pseudonym
        self._case = case
        self._lock = threading.Lock()
        self._version = case.version
        self.consent = ""  # that stands, known to the one client that turns it
        self.wmo = Person(f"w-{case.bsn[-5:]}", "college:WMO", "regisseur")
        self.pw = Person(work, "college:PW", "regisseur")
        self.resident = Person("portaal", "betrokkene", "inwoner", resident=case.pseudonym)
        # Well beyond what a clock that is stepped can leave.
        now = datetime.now(UTC)
        self._start, self._end = moment(now - timedelta(days=2)), moment(now + timedelta(days=30))

    def prepare(self) -> None:
        """Register what the resident is told, once for all questions."""
        self._case.wmo.consent.register_notice(
            claim=INVESTIGATE,
            notice_id="folder-1",
            version=1,
            sha256=NOTICE,
            language="nl",
            level="B1",
            withdrawal_channels=["https://mijn.voorbeeld.nl/toestemming"],
            start_time=moment(datetime(2020, 1, 1, tzinfo=UTC)),
            end_time=moment(datetime(2099, 1, 1, tzinfo=UTC)),
        )

    def question(self) -> dict[str, Any]:
        """Return what the resident is asked: may the Wmo use what Werk & Inkomen wrote?"""
        return {
            "claim": INVESTIGATE,
            "case_id": self.case_id,
            "kind": consent_pb.CONSENT_KIND_STATUTORY,
            "consent_purpose": pb.PURPOSE_WMO_AFSTEMMING,
            "recipients": [f"{CITY}/college:WMO"],
            "categories": ["WMO-PLAN", "ARBEID"],
            "start_time": self._start,
            "end_time": self._end,
            "notice_id": "folder-1",
            "notice_sha256": NOTICE,
        }

    @property
    def version(self) -> int:
        """The newest version any client saw."""
        with self._lock:
            version: int = self._version
        return version

    def saw(self, version: int) -> None:
        """Take a version that was answered."""
        with self._lock:
            self._version = max(self._version, version)
