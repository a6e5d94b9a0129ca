"""What the exchange asks an organisation to erase, and the answer, as a port for who answers by himself.

Promises: asked for this organisation and task only, on the basis of its own; nothing here names a person: a
purge request holds ids of what was given before.
Source: GDPR 17 and 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from adapters.sdk.purges import confirm, list_asked

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.purges import PurgeAsked


class PurgePort(Protocol):
    """Every method raises the SDK's errors."""

    def asked(self) -> tuple[PurgeAsked, ...]:
        """Return what waits for an answer of ours, oldest first."""

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        """Tell that we erased what we held, or that we held nothing; the first answer counts."""


class SdkPurges:
    """The exchange over mutual TLS."""

    def __init__(self, client: ExchangeClient) -> None:
        self._client: Final = client

    def asked(self) -> tuple[PurgeAsked, ...]:
        """Ask for every page of what waits."""
        return tuple(list_asked(self._client))

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        """Record our answer."""
        confirm(self._client, erasure_id, erased=erased)
