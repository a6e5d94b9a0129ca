"""Every call of the exchange as one line of a table, typed by its own request and response.

`client.plan.set_goal(claim=…, plan_id=…, own_words=…)` takes the fields of SetGoalRequest and gives a
SetGoalResponse, or a coroutine of one with the asyncio client. Promises: a command without `request_id` gets
one, drawn once and kept over all its attempts; who must survive a restart draws it and passes it in.
Source: protos/exchange/v1; AIP-155 (request ids).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Protocol, TypeVar, cast, overload
from uuid import uuid4

from exchange.v1 import case_service_pb2 as case
from exchange.v1 import consent_service_pb2 as consent
from exchange.v1 import handover_service_pb2 as handover
from exchange.v1 import history_service_pb2 as history
from exchange.v1 import household_service_pb2 as household
from exchange.v1 import identity_service_pb2 as identity
from exchange.v1 import insight_service_pb2 as insight
from exchange.v1 import ledger_service_pb2 as ledger
from exchange.v1 import legal_basis_service_pb2 as legal_basis
from exchange.v1 import matching_service_pb2 as matching
from exchange.v1 import organisation_service_pb2 as organisation
from exchange.v1 import plan_service_pb2 as plan
from exchange.v1 import representation_service_pb2 as representation
from exchange.v1 import resident_rights_service_pb2 as rights
from exchange.v1 import subscription_service_pb2 as subscription
from exchange.v1.common_pb2 import BreakGlass, Claim, Necessity, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.message import Message

    from adapters.sdk.batches import Collected

_Fields = ParamSpec("_Fields")
_Answer = TypeVar("_Answer", bound="Message")
_Mode = TypeVar("_Mode")

# Public by the contract: the exchange asks for the certificate only.
_NO_SIDE_EFFECTS: Final = 1


class Blocking:
    """Mark of calls that give the answer itself."""


class Awaiting:
    """Mark of calls that give a coroutine of the answer."""


class Collecting:
    """Mark of calls that are collected, and sent together."""


class Sender(Protocol):
    """Sends a request, with retries; gives the answer or a coroutine of it."""

    def __call__(self, rpc: Rpc[Any, Any], request: Message) -> object:
        """Send."""


class Calls(Generic[_Mode]):
    """The calls of one service, bound to one client."""

    def __init__(self, send: Sender) -> None:
        self._send: Final = send


class Rpc(Generic[_Fields, _Answer]):
    """One call: the request's own constructor gives its parameters, the contract gives its path."""

    def __init__(
        self, request: Callable[_Fields, Message], answer: type[_Answer], *, may_write_nothing: bool = False
    ) -> None:
        self._request: Final = request
        # Then its answer has a receipt only where something was written.
        self.may_write_nothing: Final = may_write_nothing
        self.answer: Final = answer
        method = _method_of(cast("type[Message]", request), answer)
        self.path: Final = f"/{method.containing_service.full_name}/{method.name}"
        self.name = ""
        # A command is what answers with a receipt.
        self.is_command: Final = "receipt" in method.output_type.fields_by_name
        self.needs_person: Final = method.GetOptions().idempotency_level != _NO_SIDE_EFFECTS

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name it has in the table."""
        self.name = name

    @overload
    def __get__(self, calls: Calls[Blocking], owner: type) -> Callable[_Fields, _Answer]: ...
    @overload
    def __get__(
        self, calls: Calls[Awaiting], owner: type
    ) -> Callable[_Fields, Coroutine[Any, Any, _Answer]]: ...
    @overload
    def __get__(self, calls: Calls[Collecting], owner: type) -> Callable[_Fields, Collected[_Answer]]: ...
    def __get__(self, calls: Calls[Any], owner: type) -> Callable[_Fields, object]:
        """Return the call, bound to a client."""

        def call(*none: _Fields.args, **fields: _Fields.kwargs) -> object:
            return calls._send(self, self._request(*none, **fields))  # noqa: SLF001 -- the other half of Rpc

        return call


def _method_of(request: type[Message], answer: type[Message]) -> MethodDescriptor:
    """Return the one method that takes `request`: in this contract each has messages of its own."""
    described = cast("Descriptor", request.DESCRIPTOR)
    services = described.file.services_by_name.values()
    (method,) = (
        method for service in services for method in service.methods if method.input_type is described
    )
    assert method.output_type is answer.DESCRIPTOR, method.full_name
    return method


def draw_request_id(request: Message) -> str:
    """Return the request's id, drawn now where a command has none; empty for a question, which has no id."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return ""
    command = cast("Any", request)
    if not command.request_id:
        command.request_id = str(uuid4())
    return str(command.request_id)


def claim(
    purpose: Purpose.ValueType,
    legal_basis: str,
    necessity: str = "",
    *,
    proportionality: str = "",
    subsidiarity: str = "",
    break_glass: BreakGlass | None = None,
) -> Claim:
    """Return the claim of a call: one purpose, one entry of the register of legal bases, why it is needed."""
    reasons = {"text": necessity, "proportionality": proportionality, "subsidiarity": subsidiarity}
    stated = Necessity(**reasons) if any(reasons.values()) else None
    return Claim(purpose=purpose, legal_basis=legal_basis, necessity=stated, break_glass=break_glass)


class OrganisationCalls(Calls[_Mode]):
    """Joining, certificates and tasks, for the operator's administration; envelope keys."""

    join_organisation = Rpc(organisation.JoinOrganisationRequest, organisation.JoinOrganisationResponse)
    add_certificate = Rpc(organisation.AddCertificateRequest, organisation.AddCertificateResponse)
    revoke_certificate = Rpc(organisation.RevokeCertificateRequest, organisation.RevokeCertificateResponse)
    grant_task = Rpc(organisation.GrantTaskRequest, organisation.GrantTaskResponse)
    end_task = Rpc(organisation.EndTaskRequest, organisation.EndTaskResponse)
    leave_organisation = Rpc(organisation.LeaveOrganisationRequest, organisation.LeaveOrganisationResponse)
    set_envelope_key = Rpc(organisation.SetEnvelopeKeyRequest, organisation.SetEnvelopeKeyResponse)
    get_envelope_key = Rpc(organisation.GetEnvelopeKeyRequest, organisation.GetEnvelopeKeyResponse)


class LegalBasisCalls(Calls[_Mode]):
    """The register of legal bases: for all to read, for the operator's people to change."""

    propose_legal_basis = Rpc(legal_basis.ProposeLegalBasisRequest, legal_basis.ProposeLegalBasisResponse)
    approve_legal_basis = Rpc(legal_basis.ApproveLegalBasisRequest, legal_basis.ApproveLegalBasisResponse)
    disable_legal_basis = Rpc(legal_basis.DisableLegalBasisRequest, legal_basis.DisableLegalBasisResponse)
    list_legal_bases = Rpc(legal_basis.ListLegalBasesRequest, legal_basis.ListLegalBasesResponse)
    list_processing_activities = Rpc(
        legal_basis.ListProcessingActivitiesRequest, legal_basis.ListProcessingActivitiesResponse
    )


class IdentityCalls(Calls[_Mode]):
    """Pseudonyms and registration; `residents.py` does the blinding, `envelopes.py` seals and opens."""

    evaluate_blinded = Rpc(identity.EvaluateBlindedRequest, identity.EvaluateBlindedResponse)
    register_resident = Rpc(identity.RegisterResidentRequest, identity.RegisterResidentResponse)
    send_identity = Rpc(identity.SendIdentityRequest, identity.SendIdentityResponse)
    get_identity = Rpc(identity.GetIdentityRequest, identity.GetIdentityResponse)


class CaseCalls(Calls[_Mode]):
    """Reports, and who works on a case."""

    receive_report = Rpc(case.ReceiveReportRequest, case.ReceiveReportResponse)
    receive_signal = Rpc(case.ReceiveSignalRequest, case.ReceiveSignalResponse)
    join_professional = Rpc(case.JoinProfessionalRequest, case.JoinProfessionalResponse)
    leave_case = Rpc(case.LeaveCaseRequest, case.LeaveCaseResponse)
    find_case = Rpc(case.FindCaseRequest, case.FindCaseResponse)


class ConsentCalls(Calls[_Mode]):
    """Consents of a resident; a yes or a no takes the version that was seen, withdrawing takes none."""

    register_notice = Rpc(consent.RegisterNoticeRequest, consent.RegisterNoticeResponse)
    request_consent = Rpc(consent.RequestConsentRequest, consent.RequestConsentResponse)
    give_consent = Rpc(consent.GiveConsentRequest, consent.GiveConsentResponse)
    refuse_consent = Rpc(consent.RefuseConsentRequest, consent.RefuseConsentResponse)
    withdraw_consent = Rpc(consent.WithdrawConsentRequest, consent.WithdrawConsentResponse)
    list_consents = Rpc(consent.ListConsentsRequest, consent.ListConsentsResponse)
    get_consent_receipt = Rpc(consent.GetConsentReceiptRequest, consent.GetConsentReceiptResponse)


class RepresentationCalls(Calls[_Mode]):
    """Who decides for a resident."""

    record_representative = Rpc(
        representation.RecordRepresentativeRequest, representation.RecordRepresentativeResponse
    )
    end_representative = Rpc(
        representation.EndRepresentativeRequest, representation.EndRepresentativeResponse
    )
    judge_capacity = Rpc(representation.JudgeCapacityRequest, representation.JudgeCapacityResponse)
    list_representatives = Rpc(
        representation.ListRepresentativesRequest, representation.ListRepresentativesResponse
    )
    get_authority = Rpc(representation.GetAuthorityRequest, representation.GetAuthorityResponse)
    decide_dispute = Rpc(representation.DecideDisputeRequest, representation.DecideDisputeResponse)


class PlanCalls(Calls[_Mode]):
    """The integral support plan."""

    record_conversation = Rpc(plan.RecordConversationRequest, plan.RecordConversationResponse)
    describe_situation = Rpc(plan.DescribeSituationRequest, plan.DescribeSituationResponse)
    set_goal = Rpc(plan.SetGoalRequest, plan.SetGoalResponse)
    assess_lens = Rpc(plan.AssessLensRequest, plan.AssessLensResponse)
    record_rule_conflict = Rpc(plan.RecordRuleConflictRequest, plan.RecordRuleConflictResponse)
    resolve_rule_conflict = Rpc(plan.ResolveRuleConflictRequest, plan.ResolveRuleConflictResponse)
    request_support = Rpc(plan.RequestSupportRequest, plan.RequestSupportResponse)
    agree_to_plan = Rpc(plan.AgreeToPlanRequest, plan.AgreeToPlanResponse)
    assign_support = Rpc(plan.AssignSupportRequest, plan.AssignSupportResponse)
    start_support = Rpc(plan.StartSupportRequest, plan.StartSupportResponse)
    stop_support = Rpc(plan.StopSupportRequest, plan.StopSupportResponse)
    refuse_support = Rpc(plan.RefuseSupportRequest, plan.RefuseSupportResponse)
    change_support = Rpc(plan.ChangeSupportRequest, plan.ChangeSupportResponse)
    set_funding = Rpc(plan.SetFundingRequest, plan.SetFundingResponse)
    mark_goal = Rpc(plan.MarkGoalRequest, plan.MarkGoalResponse)
    plan_evaluation = Rpc(plan.PlanEvaluationRequest, plan.PlanEvaluationResponse)
    hold_evaluation = Rpc(plan.HoldEvaluationRequest, plan.HoldEvaluationResponse)
    start_trajectory = Rpc(plan.StartTrajectoryRequest, plan.StartTrajectoryResponse)
    move_trajectory = Rpc(plan.MoveTrajectoryRequest, plan.MoveTrajectoryResponse)
    answer_agreement = Rpc(plan.AnswerAgreementRequest, plan.AnswerAgreementResponse)
    prefer_provider = Rpc(plan.PreferProviderRequest, plan.PreferProviderResponse)
    invite_provider = Rpc(plan.InviteProviderRequest, plan.InviteProviderResponse)
    get_plan = Rpc(plan.GetPlanRequest, plan.GetPlanResponse)
    get_practice_check = Rpc(plan.GetPracticeCheckRequest, plan.GetPracticeCheckResponse)


class MatchingCalls(Calls[_Mode]):
    """What residents offer and ask one another."""

    offer_contribution = Rpc(matching.OfferContributionRequest, matching.OfferContributionResponse)
    withdraw_contribution = Rpc(matching.WithdrawContributionRequest, matching.WithdrawContributionResponse)
    open_wish = Rpc(matching.OpenWishRequest, matching.OpenWishResponse)
    close_wish = Rpc(matching.CloseWishRequest, matching.CloseWishResponse)
    propose_match = Rpc(matching.ProposeMatchRequest, matching.ProposeMatchResponse)
    answer_match = Rpc(matching.AnswerMatchRequest, matching.AnswerMatchResponse)
    end_match = Rpc(matching.EndMatchRequest, matching.EndMatchResponse)
    get_match = Rpc(matching.GetMatchRequest, matching.GetMatchResponse)


class HistoryCalls(Calls[_Mode]):
    """A plan through the years."""

    get_plan_as_of = Rpc(history.GetPlanAsOfRequest, history.GetPlanAsOfResponse)
    list_timeline = Rpc(history.ListTimelineRequest, history.ListTimelineResponse)
    get_plan_difference = Rpc(history.GetPlanDifferenceRequest, history.GetPlanDifferenceResponse)


class HandoverCalls(Calls[_Mode]):
    """A plan that goes along to another municipality; `handover.py` drives it from end to end."""

    offer_handover = Rpc(handover.OfferHandoverRequest, handover.OfferHandoverResponse)
    accept_handover = Rpc(handover.AcceptHandoverRequest, handover.AcceptHandoverResponse)
    get_handover = Rpc(handover.GetHandoverRequest, handover.GetHandoverResponse)
    get_handover_part = Rpc(handover.GetHandoverPartRequest, handover.GetHandoverPartResponse)
    confirm_part = Rpc(handover.ConfirmPartRequest, handover.ConfirmPartResponse)
    complete_handover = Rpc(handover.CompleteHandoverRequest, handover.CompleteHandoverResponse)
    take_up_handover = Rpc(handover.TakeUpHandoverRequest, handover.TakeUpHandoverResponse)
    receive_part = Rpc(handover.ReceivePartRequest, handover.ReceivePartResponse)
    finish_handover = Rpc(handover.FinishHandoverRequest, handover.FinishHandoverResponse)
    keep_receipt = Rpc(handover.KeepReceiptRequest, handover.KeepReceiptResponse)
    cancel_handover = Rpc(handover.CancelHandoverRequest, handover.CancelHandoverResponse)


class HouseholdCalls(Calls[_Mode]):
    """The households of a plan's resident: members, director, goals."""

    open_household = Rpc(household.OpenHouseholdRequest, household.OpenHouseholdResponse)
    join_household = Rpc(household.JoinHouseholdRequest, household.JoinHouseholdResponse)
    leave_household = Rpc(household.LeaveHouseholdRequest, household.LeaveHouseholdResponse)
    name_director = Rpc(household.NameDirectorRequest, household.NameDirectorResponse)
    answer_director = Rpc(household.AnswerDirectorRequest, household.AnswerDirectorResponse)
    name_in_goal = Rpc(household.NameInGoalRequest, household.NameInGoalResponse)
    answer_goal = Rpc(household.AnswerGoalRequest, household.AnswerGoalResponse)
    get_household = Rpc(household.GetHouseholdRequest, household.GetHouseholdResponse)


class InsightCalls(Calls[_Mode]):
    """Published tables of what moved which scores, and the privacy they spend."""

    publish_table = Rpc(insight.PublishTableRequest, insight.PublishTableResponse)
    list_tables = Rpc(insight.ListTablesRequest, insight.ListTablesResponse)
    propose_budget = Rpc(insight.ProposeBudgetRequest, insight.ProposeBudgetResponse)
    approve_budget = Rpc(insight.ApproveBudgetRequest, insight.ApproveBudgetResponse)


class RightsCalls(Calls[_Mode]):
    """Limits on what may be done with a resident's data, who keeps away or stands in, and erasure."""

    seal_compartment = Rpc(rights.SealCompartmentRequest, rights.SealCompartmentResponse)
    lift_seal = Rpc(rights.LiftSealRequest, rights.LiftSealResponse)
    confirm_seal = Rpc(rights.ConfirmSealRequest, rights.ConfirmSealResponse)
    restrict = Rpc(rights.RestrictRequest, rights.RestrictResponse)
    announce_lifting = Rpc(rights.AnnounceLiftingRequest, rights.AnnounceLiftingResponse)
    lift_restriction = Rpc(rights.LiftRestrictionRequest, rights.LiftRestrictionResponse)
    object = Rpc(rights.ObjectRequest, rights.ObjectResponse)
    decide_objection = Rpc(rights.DecideObjectionRequest, rights.DecideObjectionResponse)
    withdraw_objection = Rpc(rights.WithdrawObjectionRequest, rights.WithdrawObjectionResponse)
    receive_rights_request = Rpc(rights.ReceiveRightsRequestRequest, rights.ReceiveRightsRequestResponse)
    extend_rights_request = Rpc(rights.ExtendRightsRequestRequest, rights.ExtendRightsRequestResponse)
    decide_rights_request = Rpc(rights.DecideRightsRequestRequest, rights.DecideRightsRequestResponse)
    execute_rights_request = Rpc(rights.ExecuteRightsRequestRequest, rights.ExecuteRightsRequestResponse)
    rectify_plan = Rpc(rights.RectifyPlanRequest, rights.RectifyPlanResponse)
    add_statement = Rpc(rights.AddStatementRequest, rights.AddStatementResponse)
    list_restrictions = Rpc(rights.ListRestrictionsRequest, rights.ListRestrictionsResponse)
    confirm_restriction = Rpc(rights.ConfirmRestrictionRequest, rights.ConfirmRestrictionResponse)
    list_told_recipients = Rpc(rights.ListToldRecipientsRequest, rights.ListToldRecipientsResponse)
    list_rectifications = Rpc(rights.ListRectificationsRequest, rights.ListRectificationsResponse)
    confirm_rectification = Rpc(rights.ConfirmRectificationRequest, rights.ConfirmRectificationResponse)
    list_rights_requests = Rpc(rights.ListRightsRequestsRequest, rights.ListRightsRequestsResponse)
    get_access_answer = Rpc(rights.GetAccessAnswerRequest, rights.GetAccessAnswerResponse)
    get_portable_copy = Rpc(rights.GetPortableCopyRequest, rights.GetPortableCopyResponse)
    record_determination = Rpc(rights.RecordDeterminationRequest, rights.RecordDeterminationResponse)
    record_conflict = Rpc(rights.RecordConflictRequest, rights.RecordConflictResponse)
    end_conflict = Rpc(rights.EndConflictRequest, rights.EndConflictResponse)
    appoint_stand_in = Rpc(rights.AppointStandInRequest, rights.AppointStandInResponse)
    place_hold = Rpc(rights.PlaceHoldRequest, rights.PlaceHoldResponse)
    lift_hold = Rpc(rights.LiftHoldRequest, rights.LiftHoldResponse)
    propose_erasure = Rpc(rights.ProposeErasureRequest, rights.ProposeErasureResponse)
    approve_erasure = Rpc(rights.ApproveErasureRequest, rights.ApproveErasureResponse)
    refuse_erasure = Rpc(rights.RefuseErasureRequest, rights.RefuseErasureResponse)
    get_erasure_certificate = Rpc(rights.GetErasureCertificateRequest, rights.GetErasureCertificateResponse)
    list_erasures = Rpc(rights.ListErasuresRequest, rights.ListErasuresResponse)
    list_purge_requests = Rpc(rights.ListPurgeRequestsRequest, rights.ListPurgeRequestsResponse)
    confirm_purge = Rpc(rights.ConfirmPurgeRequest, rights.ConfirmPurgeResponse)


class SubscriptionCalls(Calls[_Mode]):
    """Named subscriptions: where they are, what failed and what is parked. Streams: `subscription.py`."""

    create_subscription = Rpc(subscription.CreateSubscriptionRequest, subscription.CreateSubscriptionResponse)
    list_subscriptions = Rpc(subscription.ListSubscriptionsRequest, subscription.ListSubscriptionsResponse)
    acknowledge_events = Rpc(
        subscription.AcknowledgeEventsRequest, subscription.AcknowledgeEventsResponse, may_write_nothing=True
    )
    report_failed_event = Rpc(subscription.ReportFailedEventRequest, subscription.ReportFailedEventResponse)
    get_parked_event = Rpc(subscription.GetParkedEventRequest, subscription.GetParkedEventResponse)
    cancel_subscription = Rpc(subscription.CancelSubscriptionRequest, subscription.CancelSubscriptionResponse)


class LedgerCalls(Calls[_Mode]):
    """Checkpoints and proofs; a certificate suffices, no person is asked."""

    get_checkpoint = Rpc(ledger.GetCheckpointRequest, ledger.GetCheckpointResponse)
    get_receipt = Rpc(ledger.GetReceiptRequest, ledger.GetReceiptResponse)
    get_consistency_proof = Rpc(ledger.GetConsistencyProofRequest, ledger.GetConsistencyProofResponse)
    list_checkpoints = Rpc(ledger.ListCheckpointsRequest, ledger.ListCheckpointsResponse)


SUBSCRIBE: Final = Rpc(subscription.SubscribeRequest, subscription.SubscribeResponse)
