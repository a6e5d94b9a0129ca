"""Asking somebody for a yes, in words that were registered, and his own answer at the portal."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from adapters.simulators.story.stage import BEWONER, WIJKTEAM
from adapters.simulators.years.family import stamp
from exchange.v1.consent_service_pb2 import ConsentKind, FreelyGiven

if TYPE_CHECKING:
    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.family import Family, Member

NOTICE_ID: Final = "samen-1"
NOTICE: Final = b"Wij vragen wie mag zien wat er over u is opgeschreven. U mag nee zeggen, en later ook."


def register_notice(told: Telling, family: Family) -> None:
    """Register what is read to everybody who is asked, for the years of the story."""
    now = family.clock.now()
    registered = family.team().consent.register_notice(
        claim=WIJKTEAM,
        notice_id=NOTICE_ID,
        version=1,
        sha256=sha256(NOTICE).digest(),
        language="nl",
        level="B1",
        withdrawal_channels=["https://mijn.voorbeeldstad.example/toestemming"],
        start_time=stamp(now - timedelta(days=1)),
        end_time=stamp(now + timedelta(days=1500)),
    )
    told.keep(family.municipality, registered)


def asked_and_given(
    told: Telling,
    family: Family,
    member: Member,
    lasts: timedelta,
    **asked: Any,  # noqa: ANN401 -- any field of the request
) -> str:
    """Ask a member for a statutory consent, and let him give it himself; return its id."""
    now = family.clock.now()
    requested = family.team().consent.request_consent(
        claim=WIJKTEAM,
        case_id=member.case_id,
        kind=ConsentKind.CONSENT_KIND_STATUTORY,
        start_time=stamp(now - timedelta(minutes=1)),
        end_time=stamp(now + lasts),
        notice_id=NOTICE_ID,
        notice_sha256=sha256(NOTICE).digest(),
        **asked,
    )
    given = family.portal(member).consent.give_consent(
        claim=BEWONER,
        consent_id=requested.consent_id,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        freely_given=FreelyGiven(alternatives=True, no_detriment=True),
        method="portal",
        expected_version=requested.version,
    )
    told.keep(family.municipality, given)
    consent_id: str = requested.consent_id
    return consent_id
