"""Representation and capacity: who decides for a resident, on what evidence, and their disputes.

Promises: this room only gathers; commands, events, state, rules and questions each have their own. The
aggregate is the resident's: `resident.py` hooks these tables into its own.
Source: the gate's design section 6; Jeugdwet 7.3.15; UAVG 5.
"""

from exchange.domain.representation.commands import (
    ContradictDecision,
    DecideDispute,
    DisputeAuthority,
    EndRepresentative,
    JudgeCapacity,
    RecordRepresentative,
)
from exchange.domain.representation.decide import DECISIONS
from exchange.domain.representation.events import (
    AuthorityDisputed,
    CapacityJudged,
    DecisionContradicted,
    DisputeDecided,
    RepresentativeEnded,
    RepresentativeRecorded,
)
from exchange.domain.representation.state import (
    FOLDS,
    NOBODY_RECORDED,
    Dispute,
    Judgement,
    Representation,
    Representative,
)
from exchange.domain.representation.voices import (
    Spoken,
    bound,
    capable_in,
    counts,
    given_by,
    spoken_by,
)

__all__ = [
    "DECISIONS",
    "FOLDS",
    "NOBODY_RECORDED",
    "AuthorityDisputed",
    "CapacityJudged",
    "ContradictDecision",
    "DecideDispute",
    "DecisionContradicted",
    "Dispute",
    "DisputeAuthority",
    "DisputeDecided",
    "EndRepresentative",
    "JudgeCapacity",
    "Judgement",
    "RecordRepresentative",
    "Representation",
    "Representative",
    "RepresentativeEnded",
    "RepresentativeRecorded",
    "Spoken",
    "bound",
    "capable_in",
    "counts",
    "given_by",
    "spoken_by",
]
