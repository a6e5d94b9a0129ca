"""The calls of who looks back: the officer's, on decisions and lookups, and a resident's on who looked.

Source: protos/exchange/v1.
"""

from __future__ import annotations

from typing import TypeVar

from adapters.sdk.calls import Calls, Rpc
from exchange.v1 import audit_service_pb2 as audit
from exchange.v1 import disclosure_service_pb2 as disclosure
from exchange.v1 import lookup_review_service_pb2 as lookups

_Mode = TypeVar("_Mode")


class LookupCalls(Calls[_Mode]):
    """Lookups that nothing explains: counts, names by two persons, and a sample that nobody steers."""

    list_lookup_cells = Rpc(lookups.ListLookupCellsRequest, lookups.ListLookupCellsResponse)
    request_names = Rpc(lookups.RequestNamesRequest, lookups.RequestNamesResponse)
    list_names_requests = Rpc(lookups.ListNamesRequestsRequest, lookups.ListNamesRequestsResponse)
    approve_names = Rpc(lookups.ApproveNamesRequest, lookups.ApproveNamesResponse)
    list_unexplained = Rpc(lookups.ListUnexplainedRequest, lookups.ListUnexplainedResponse)
    draw_sample = Rpc(lookups.DrawSampleRequest, lookups.DrawSampleResponse)
    get_sample = Rpc(lookups.GetSampleRequest, lookups.GetSampleResponse)
    record_review = Rpc(lookups.RecordReviewRequest, lookups.RecordReviewResponse)


class DisclosureCalls(Calls[_Mode]):
    """Who asked what of a resident's data."""

    list_disclosures = Rpc(disclosure.ListDisclosuresRequest, disclosure.ListDisclosuresResponse)
    list_notices = Rpc(disclosure.ListNoticesRequest, disclosure.ListNoticesResponse)


class AuditCalls(Calls[_Mode]):
    """Decisions over all residents and what they ask to be done, for the privacy officer."""

    list_decisions = Rpc(audit.ListDecisionsRequest, audit.ListDecisionsResponse)
    facet_decisions = Rpc(audit.FacetDecisionsRequest, audit.FacetDecisionsResponse)
    get_decision = Rpc(audit.GetDecisionRequest, audit.GetDecisionResponse)
    find_log_pseudonym = Rpc(audit.FindLogPseudonymRequest, audit.FindLogPseudonymResponse)
    replay_decisions = Rpc(audit.ReplayDecisionsRequest, audit.ReplayDecisionsResponse)
    preview_register = Rpc(audit.PreviewRegisterRequest, audit.PreviewRegisterResponse)
    summarise_month = Rpc(audit.SummariseMonthRequest, audit.SummariseMonthResponse)
    list_deliveries = Rpc(audit.ListDeliveriesRequest, audit.ListDeliveriesResponse)
    list_obligations = Rpc(audit.ListObligationsRequest, audit.ListObligationsResponse)
    execute_obligation = Rpc(audit.ExecuteObligationRequest, audit.ExecuteObligationResponse)
