"""Words of the later parts of a plan: who is there and speaks, money, goals, trajectories, signals, offers.

Promises: a member's value is the contract's enum name without its prefix, in lower case; it is stored and
therefore permanent.
Source: protos/exchange/v1/plan.proto; the municipal data model's participation ladder (steps).
"""

from enum import StrEnum
from typing import Final


class Attendee(StrEnum):
    """Who can be at a conversation, beside the desk that records it."""

    RESIDENT = "resident"
    REPRESENTATIVE = "representative"
    INFORMAL_SUPPORTER = "informal_supporter"
    OWN_NETWORK = "own_network"
    INDEPENDENT_SUPPORTER = "independent_supporter"
    PROVIDER = "provider"
    PROFESSIONAL_OF_OTHER_DESK = "professional_of_other_desk"
    INTERPRETER = "interpreter"


class AgreementSpeaker(StrEnum):
    """Who speaks of a plan for the resident's side."""

    RESIDENT = "resident"
    REPRESENTATIVE = "representative"


class WithoutParents(StrEnum):
    """Why a child's yes counts without its parents' (Jeugdwet 7.3.4(2))."""

    SERIOUS_DISADVANTAGE = "serious_disadvantage"  # it is needed to prevent that
    CHILD_PERSISTS = "child_persists"  # after the refusal the child still wants it, on careful thought


class RefuseReason(StrEnum):
    """Why a support is refused before care starts; money is no reason."""

    BY_RESIDENT = "by_resident"
    NO_ROOM = "no_room"
    NOT_FITTING = "not_fitting"
    NO_CONTRACT = "no_contract"
    OTHER_MUNICIPALITY = "other_municipality"
    OTHER_SUPPORT = "other_support"


class FundingSource(StrEnum):
    """Laws money comes from; the source never decides the support."""

    WMO_2015 = "wmo_2015"
    JEUGDWET = "jeugdwet"
    PARTICIPATIEWET = "participatiewet"
    WGS = "wgs"
    OTHER = "other"


class GoalState(StrEnum):
    """Where a goal stands."""

    ACTIVE = "active"
    REACHED = "reached"
    WITHDRAWN = "withdrawn"


class GoalCarrier(StrEnum):
    """Who works on a goal first of all."""

    RESIDENT = "resident"
    OWN_NETWORK = "own_network"
    ORGANISATION = "organisation"


class TrajectoryState(StrEnum):
    """Where a trajectory stands."""

    STARTED = "started"
    PAUSED = "paused"
    STOPPED = "stopped"


class SignalPartner(StrEnum):
    """Kinds of partners that tell of arrears (the decree under Wgs 3)."""

    LANDLORD = "landlord"
    ENERGY = "energy"
    WATER = "water"
    HEALTH_INSURER = "health_insurer"


class OfferKind(StrEnum):
    """What residents do for one another: the same words for who offers and who asks."""

    GROCERIES = "groceries"
    COMPANY = "company"
    TRANSPORT = "transport"
    GARDENING = "gardening"
    ODD_JOBS = "odd_jobs"
    COOKING = "cooking"
    LANGUAGE = "language"
    PAPERWORK = "paperwork"
    WALKING = "walking"


class MatchAnswer(StrEnum):
    """What one side of a match says."""

    YES = "yes"
    NO = "no"


# The participation ladder: 1 isolated, 6 paid work.
STEP_MIN: Final = 1
STEP_MAX: Final = 6
# How far a goal is reached when looking back: 1 not at all, 5 reached.
GOAL_SCORE_MIN: Final = 1
GOAL_SCORE_MAX: Final = 5
# Of what is kept beside the newest, the oldest goes first.
EARLIER_MAX: Final = 100
