"""What the exchange tells this organisation of fields it got that were rectified.

Promises: asked for this organisation and task only, on the basis of its own; what is told names plans and
fields, and nothing of what they say.
Source: GDPR 16, 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from adapters.sdk.calls import claim
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient

READING: Final = claim(Purpose.PURPOSE_CORRECTIE, "RECTIFIED-12")
ANSWERING: Final = claim(Purpose.PURPOSE_CORRECTIE, "RECTIFIED-19")
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class RectifiedTold:
    """One rectification: of which plans, and which fields, such as "supports.care_start_date"."""

    rights_request_id: str
    plan_ids: tuple[str, ...]
    paths: tuple[str, ...]


class RectificationPort(Protocol):
    """Every method raises the SDK's errors."""

    def told(self) -> tuple[RectifiedTold, ...]:
        """Return what waits for an answer of ours, oldest first."""

    def answer(self, rights_request_id: str, *, rectified: bool) -> None:
        """Tell that we rectified what we hold, or that we hold nothing of it."""


class SdkRectifications:
    """The exchange over mutual TLS."""

    def __init__(self, client: ExchangeClient) -> None:
        self._client = client

    def told(self) -> tuple[RectifiedTold, ...]:
        """Ask for every page of what waits."""
        found: list[RectifiedTold] = []
        token = ""
        while True:
            page = self._client.rights.list_rectifications(
                claim=READING, only_open=True, page_size=_PAGE, page_token=token
            )
            found += [
                RectifiedTold(one.rights_request_id, tuple(one.plan_ids), tuple(one.paths))
                for one in page.rectifications
            ]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def answer(self, rights_request_id: str, *, rectified: bool) -> None:
        """Record our answer."""
        outcome = pb.RECTIFICATION_OUTCOME_RECTIFIED if rectified else pb.RECTIFICATION_OUTCOME_NOTHING_KEPT
        self._client.rights.confirm_rectification(
            claim=ANSWERING, rights_request_id=rights_request_id, outcome=outcome
        )
