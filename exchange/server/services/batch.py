"""BatchService: which commands may come many at a time.

Promises: what a person says of himself, and what an officer or administrator decides, is taken one at a time;
so is a handover, whose parts fill a message each. Who speaks as a resident or for one sends no batch at all.
Source: protos/exchange/v1/batch_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.server.batched import Batched, Taken
from exchange.server.contract.commands import command_path
from exchange.server.interceptor import Unary
from exchange.server.services import (
    case,
    household,
    identity,
    matching,
    plan,
    resident_rights,
    subscription,
)
from exchange.v1 import batch_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.server.interceptor import Streaming

# A yes or a no of somebody, and what he is asked to.
SPOKEN: Final = frozenset({"AgreeToPlan", "AnswerAgreement", "AnswerMatch", "AnswerDirector", "AnswerGoal"})
# What a system says of itself to each resident it had something of.
CONFIRMED: Final = frozenset({"ConfirmRestriction", "ConfirmRectification", "ConfirmPurge"})

_WORK: Final[tuple[Mapping[str, Unary] | Mapping[str, Unary | Streaming], ...]] = (
    case.RPCS,
    household.RPCS,
    identity.RPCS,
    matching.RPCS,
    plan.RPCS,
    subscription.RPCS,
    {name: kind for name, kind in resident_rights.RPCS.items() if name in CONFIRMED},
)

TAKEN: Final[Mapping[str, Taken]] = {
    path: Taken(name, kind)
    for rpcs in _WORK
    for name, kind in rpcs.items()
    if isinstance(kind, Unary) and name not in SPOKEN and (path := command_path(kind.request))
}

RPCS: Final = {"SendCommands": Batched(pb.SendCommandsRequest, TAKEN)}
