"""Asking somebody for a yes, in words that were registered, and his own answer at the portal."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from adapters.simulators.story.stage import BEWONER, WIJKTEAM
from adapters.simulators.years.family import stamp
from exchange.v1.consent_service_pb2 import ConsentKind, FreelyGiven

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.family import Family, Member
    from exchange.v1.common_pb2 import Claim

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
    """Let the director ask a member for a statutory consent, and let him give it; return its id."""
    by = (family.team(), WIJKTEAM)
    statutory = ConsentKind.CONSENT_KIND_STATUTORY
    return asked_and_given_by(told, family, member, lasts, by=by, kind=statutory, **asked)


def asked_and_given_by(
    told: Telling,
    family: Family,
    member: Member,
    lasts: timedelta,
    *,
    by: tuple[ExchangeClient, Claim],
    **asked: Any,  # noqa: ANN401 -- any field of the request
) -> str:
    """Put a question to a member, who answers yes himself at the portal; return the consent."""
    now, (client, why) = family.clock.now(), by
    requested = client.consent.request_consent(
        claim=why,
        case_id=member.case_id,
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
