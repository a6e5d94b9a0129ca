"""The words of representation, one for each value the contract names.

Source: Jeugdwet 7.3.15; BW 1:245, 1:253a, 7:465; BRP (gezag); representation_service.proto.
"""

from enum import StrEnum
from typing import Final


class Relation(StrEnum):
    """What somebody who speaks for a resident is to him (Jeugdwet 7.3.15, BW 7:465, BW 1:245 and after)."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    CURATOR = "curator"
    MENTOR = "mentor"
    BEWINDVOERDER = "bewindvoerder"
    PROXY = "proxy"
    PARTNER = "partner"
    FAMILY = "family"


class Gezag(StrEnum):
    """How authority over a minor stands, by the words of the BRP; the last two give nobody authority."""

    NONE = ""
    GEZAMENLIJK_OUDERLIJK = "gezamenlijk_ouderlijk"
    EENHOOFDIG_OUDERLIJK = "eenhoofdig_ouderlijk"
    GEZAMENLIJK = "gezamenlijk"
    VOOGDIJ = "voogdij"
    TIJDELIJK_GEEN = "tijdelijk_geen"
    NIET_TE_BEPALEN = "niet_te_bepalen"


class EvidenceSource(StrEnum):
    """What shows that somebody represents a resident."""

    BRP = "brp"
    COURT_ORDER = "court_order"
    WRITTEN_PROXY = "written_proxy"
    STATEMENT = "statement"


class Matter(StrEnum):
    """In what somebody is found able to weigh his interests, or not; a purpose is a matter too."""

    CONSENT = "consent"
    CARE = "care"
    ACCESS = "access"


class DisputeOutcome(StrEnum):
    """Whose word counts after two holders disagreed: the yes, or the no."""

    YES_STANDS = "yes_stands"
    NO_STANDS = "no_stands"


class Arbiter(StrEnum):
    """Who decides between two holders of authority."""

    REGISSEUR = "regisseur"
    RECHTBANK = "rechtbank"


# In whose words a consent was given: the resident's own, or those of somebody in a relation to him.
SELF: Final = "self"
SPEAKERS: Final = frozenset({SELF, *Relation})
