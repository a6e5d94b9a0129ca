"""What decisions ask to be done, in words: of which kind a duty is, what it is called, how it may end.

Source: GDPR 12(3), 14, 38-39; the gate's duties as AuditService lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.language import later
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

REVIEW: Final = "REVIEW-1-WORKDAY"
RIGHTS: Final = ("ANSWER-RIGHTS-REQUEST", "TREAT-AS-OBJECTION")
RETRY: Final = "RETRY"
TOLD_ON: Final = ("CONFIRM-RECTIFICATION", "CONFIRM-RESTRICTION")
ALARMS: Final = ("NOTIFY-FG", "ALERT-SNOOP", "ALERT-BREAK-GLASS-REFUSED")
# These end where the request, the rectification or the restriction is worked on, or by the service itself.
ENDS_ELSEWHERE: Final = frozenset(
    {*RIGHTS[:1], *TOLD_ON, "STOP-FEED", "ABORT-DELIVERY", "NO-NOTICE-TO-SUSPECT", RETRY, "TTL-60M"}
)


class Way(NamedTuple):
    """One way in which a duty ends; `why` where a reason is asked."""

    outcome: pb.DutyOutcome.ValueType
    says: str
    why: bool


NAMES: Final[Mapping[str, str]] = {
    REVIEW: later("Noodtoegang beoordelen"),
    "ANSWER-RIGHTS-REQUEST": later("Verzoek van een inwoner beantwoorden"),
    "TREAT-AS-OBJECTION": later("Weigering van een inwoner als bezwaar behandelen"),
    "CONFIRM-RECTIFICATION": later("Ontvanger moet een verbetering bevestigen"),
    "CONFIRM-RESTRICTION": later("Ontvanger moet een beperking bevestigen"),
    "NOTIFY-FG": later("Melding: beroep op noodtoegang"),
    "ALERT-SNOOP": later("Melding: vraag zonder band met de inwoner"),
    "ALERT-BREAK-GLASS-REFUSED": later("Melding: noodtoegang geweigerd"),
    "NOTIFY-SUBJECT": later("Inwoner informeren over noodtoegang"),
    "INFORM-RESIDENT": later("Inwoner informeren"),
    "INFORM-14": later("Inwoner informeren binnen een maand"),
    "DEFER-NOTICE-4W": later("Inwoner later informeren"),
    RETRY: later("Opnieuw proberen"),
    "STOP-FEED": later("Levering stoppen"),
    "ABORT-DELIVERY": later("Levering afbreken"),
    "TTL-60M": later("Noodtoegang eindigt vanzelf"),
    "NO-NOTICE-TO-SUSPECT": later("Niet melden aan wie verdacht wordt"),
}
# What an officer does about it, where the name and the form do not say so.
HELP: Final[Mapping[str, str]] = {
    "ANSWER-RIGHTS-REQUEST": later(
        "De gemeente antwoordt in haar eigen systeem. Daarmee eindigt dit. Let op de termijn."
    ),
    "CONFIRM-RECTIFICATION": later(
        "Eindigt als de ontvanger in zijn eigen systeem bevestigt. Blijft dat uit? Vraag ernaar."
    ),
    "CONFIRM-RESTRICTION": later(
        "Eindigt als de ontvanger in zijn eigen systeem bevestigt. Blijft dat uit? Vraag ernaar."
    ),
    "NOTIFY-SUBJECT": later(
        "Leest de inwoner het zelf bij Wie keek, dan eindigt dit vanzelf. Een ouder of andere "
        "vertegenwoordiger ziet het daar pas nadat het college vaststelde dat dit niet in strijd is met het "
        "belang van het kind, voor het doel acute-nood: hij kan zelf het gevaar zijn. Vraag het college dat "
        "na te gaan, of spreek af wie het vertelt, en leg vast wat is gedaan."
    ),
    "TTL-60M": later("Eindigt vanzelf. U hoeft niets te doen."),
}
_OTHERS: Final = (
    Way(pb.DUTY_OUTCOME_EXECUTED, later("Gedaan"), why=False),
    Way(pb.DUTY_OUTCOME_NOT_NEEDED, later("Niet nodig"), why=True),
)
WAYS: Final[Mapping[str, tuple[Way, ...]]] = {
    REVIEW: (
        Way(pb.DUTY_OUTCOME_JUSTIFIED, later("De noodtoegang was terecht"), why=True),
        Way(pb.DUTY_OUTCOME_NOT_JUSTIFIED, later("De noodtoegang was niet terecht"), why=True),
    ),
    "TREAT-AS-OBJECTION": (Way(pb.DUTY_OUTCOME_NOT_AN_OBJECTION, later("Het was geen bezwaar"), why=True),),
}


def ways_of(duty: str) -> tuple[Way, ...]:
    """Return how an officer may end a duty here; none for one that ends elsewhere."""
    return () if duty in ENDS_ELSEWHERE else WAYS.get(duty, _OTHERS)
