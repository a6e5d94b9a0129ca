"""What the exchange asks this organisation to erase, and what it is told of it.

Promises: asked for this organisation and task only, on the basis of its own; nothing here names a person: a
purge request holds ids of plans that were given before.
Source: GDPR 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from adapters.sdk.calls import claim
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient

READING: Final = claim(Purpose.PURPOSE_BEHEER, "ERASURE-12")
ANSWERING: Final = claim(Purpose.PURPOSE_BEHEER, "PURGE-19")
_PLAN: Final = "plan-"
# All an adapter holds of a resident rests on the plan: with its category goes all of it.
_PLAN_CATEGORY: Final = "WMO-PLAN"
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class PurgeAsked:
    """One erasure; `whole` tells whether what is held here is to go, or categories never asked for here."""

    erasure_id: str
    plan_ids: tuple[str, ...]
    whole: bool


class PurgePort(Protocol):
    """Every method raises the SDK's errors."""

    def asked(self) -> tuple[PurgeAsked, ...]:
        """Return what waits for an answer of ours, oldest first."""

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        """Tell that we erased what we held, or that we held nothing; the first answer counts."""


class SdkPurges:
    """The exchange over mutual TLS."""

    def __init__(self, client: ExchangeClient) -> None:
        self._client = client

    def asked(self) -> tuple[PurgeAsked, ...]:
        """Ask for every page of what waits."""
        found: list[PurgeAsked] = []
        token = ""
        while True:
            page = self._client.rights.list_purge_requests(
                claim=READING, only_open=True, page_size=_PAGE, page_token=token
            )
            found += [
                PurgeAsked(
                    one.erasure_id,
                    tuple(name.removeprefix(_PLAN) for name in one.subjects if name.startswith(_PLAN)),
                    whole=not one.categories or _PLAN_CATEGORY in one.categories,
                )
                for one in page.purge_requests
            ]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        """Record our answer."""
        outcome = pb.PURGE_OUTCOME_ERASED if erased else pb.PURGE_OUTCOME_NOTHING_KEPT
        self._client.rights.confirm_purge(claim=ANSWERING, erasure_id=erasure_id, outcome=outcome)
