"""The services of the exchange on a client: `client.plan`, `client.rights`, each with its calls.

Promises: each gives the calls of one service of the contract, sent as the client sends.
Source: protos/exchange/v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from adapters.sdk.audit_calls import AuditCalls, DisclosureCalls, LookupCalls
from adapters.sdk.calls import (
    CaseCalls,
    ConsentCalls,
    HandoverCalls,
    HistoryCalls,
    HouseholdCalls,
    IdentityCalls,
    InsightCalls,
    LedgerCalls,
    LegalBasisCalls,
    MatchingCalls,
    OrganisationCalls,
    PlanCalls,
    RepresentationCalls,
    RightsCalls,
    SubscriptionCalls,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from adapters.sdk.calls import Rpc

_Mode = TypeVar("_Mode")


class Services(Generic[_Mode]):
    """Every service, bound to one client."""

    def _send(self, rpc: Rpc[Any, Any], request: Message) -> object:
        raise NotImplementedError

    @property
    def organisation(self) -> OrganisationCalls[_Mode]:
        """Return the calls on organisations."""
        return OrganisationCalls(self._send)

    @property
    def legal_basis(self) -> LegalBasisCalls[_Mode]:
        """Return the calls on the register of legal bases."""
        return LegalBasisCalls(self._send)

    @property
    def identity(self) -> IdentityCalls[_Mode]:
        """Return the calls on identity."""
        return IdentityCalls(self._send)

    @property
    def case(self) -> CaseCalls[_Mode]:
        """Return the calls on cases."""
        return CaseCalls(self._send)

    @property
    def consent(self) -> ConsentCalls[_Mode]:
        """Return the calls on consents."""
        return ConsentCalls(self._send)

    @property
    def representation(self) -> RepresentationCalls[_Mode]:
        """Return the calls on who decides for a resident."""
        return RepresentationCalls(self._send)

    @property
    def plan(self) -> PlanCalls[_Mode]:
        """Return the calls on plans."""
        return PlanCalls(self._send)

    @property
    def matching(self) -> MatchingCalls[_Mode]:
        """Return the calls on what residents offer and ask one another."""
        return MatchingCalls(self._send)

    @property
    def history(self) -> HistoryCalls[_Mode]:
        """Return the calls on plans through the years."""
        return HistoryCalls(self._send)

    @property
    def handover(self) -> HandoverCalls[_Mode]:
        """Return the calls on handovers."""
        return HandoverCalls(self._send)

    @property
    def household(self) -> HouseholdCalls[_Mode]:
        """Return the calls on households."""
        return HouseholdCalls(self._send)

    @property
    def insight(self) -> InsightCalls[_Mode]:
        """Return the calls on published tables."""
        return InsightCalls(self._send)

    @property
    def lookups(self) -> LookupCalls[_Mode]:
        """Return the calls on the review of lookups."""
        return LookupCalls(self._send)

    @property
    def disclosure(self) -> DisclosureCalls[_Mode]:
        """Return the calls on disclosures."""
        return DisclosureCalls(self._send)

    @property
    def audit(self) -> AuditCalls[_Mode]:
        """Return the calls for the privacy officer."""
        return AuditCalls(self._send)

    @property
    def rights(self) -> RightsCalls[_Mode]:
        """Return the calls on limits."""
        return RightsCalls(self._send)

    @property
    def subscription(self) -> SubscriptionCalls[_Mode]:
        """Return the calls on named subscriptions."""
        return SubscriptionCalls(self._send)

    @property
    def ledger(self) -> LedgerCalls[_Mode]:
        """Return the calls on proofs."""
        return LedgerCalls(self._send)
