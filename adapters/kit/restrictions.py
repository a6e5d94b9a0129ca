"""What the exchange tells this organisation of restrictions of what it got, and of their lifting.

Promises: asked for this organisation and task only, on the basis of its own; what is told names plans and
purposes, and nothing of anybody.
Source: GDPR 18, 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from adapters.sdk.calls import claim
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient

READING: Final = claim(Purpose.PURPOSE_CORRECTIE, "RESTRICTED-12")
ANSWERING: Final = claim(Purpose.PURPOSE_CORRECTIE, "RESTRICTED-19")
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class RestrictionTold:
    """One restriction, or its lifting: of which plans; `ours` where it is of what this adapter reads for.

    `purposes` are all those for which organisation and task got it; empty once the resident was erased.
    """

    restriction_id: str
    plan_ids: tuple[str, ...]
    lifted: bool
    ours: bool
    purposes: frozenset[Purpose.ValueType] = field(default_factory=frozenset)


class RestrictionPort(Protocol):
    """Every method raises the SDK's errors."""

    def told(self) -> tuple[RestrictionTold, ...]:
        """Return what waits for an answer of ours, oldest first."""

    def answer(self, told: RestrictionTold, *, kept: bool) -> None:
        """Tell that we did with what we hold as we were told, or that we hold nothing of it."""


class SdkRestrictions:
    """The exchange over mutual TLS; `purposes` are what this adapter reads plans for."""

    def __init__(self, client: ExchangeClient, *purposes: Purpose.ValueType) -> None:
        self._client = client
        self._purposes = frozenset(purposes)

    def told(self) -> tuple[RestrictionTold, ...]:
        """Ask for every page of what waits."""
        found: list[RestrictionTold] = []
        token = ""
        while True:
            page = self._client.rights.list_restrictions(
                claim=READING, only_open=True, page_size=_PAGE, page_token=token
            )
            found += [
                RestrictionTold(
                    one.restriction_id,
                    tuple(one.plan_ids),
                    lifted=one.change == pb.RESTRICTION_CHANGE_LIFTED,
                    ours=not self._purposes.isdisjoint(one.purposes),
                    purposes=frozenset(one.purposes),
                )
                for one in page.restrictions
            ]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def answer(self, told: RestrictionTold, *, kept: bool) -> None:
        """Record our answer."""
        change = pb.RESTRICTION_CHANGE_LIFTED if told.lifted else pb.RESTRICTION_CHANGE_RESTRICTED
        outcome = pb.RESTRICTION_OUTCOME_APPLIED if kept else pb.RESTRICTION_OUTCOME_NOTHING_KEPT
        self._client.rights.confirm_restriction(
            claim=ANSWERING, restriction_id=told.restriction_id, change=change, outcome=outcome
        )
