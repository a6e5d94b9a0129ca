"""The floor as a whole: names that are permanent, words of the contract, shapes that can be stored."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import fields
from datetime import date, datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import pytest

from exchange.domain import AGGREGATES, TOPICS, aggregate_of, stream_of
from exchange.domain.consent import ConsentGiven, ConsentRequested
from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.kernel import Event, ResidentEvent
from exchange.domain.plan import (
    Agreement,
    AgreementAnswered,
    Answer,
    Contribution,
    ContributionOffered,
    Conversation,
    ConversationRecorded,
    Evaluation,
    Funding,
    FundingSet,
    Goal,
    GoalSet,
    LensAssessed,
    LensAssessment,
    Match,
    PlanAgreed,
    PlanAgreedOnConditions,
    PlanDisagreed,
    PlanState,
    Preference,
    ProviderPreferred,
    Report,
    ReportReceived,
    RuleConflict,
    RuleConflictRecorded,
    Signal,
    SignalReceived,
    Situation,
    SituationDescribed,
    Support,
    SupportRequested,
    Trajectory,
    TrajectoryStarted,
    Wish,
    WishOpened,
)
from exchange.domain.plan.practice import PracticeAnswer, PracticeCheck
from exchange.domain.plan.words import (
    FundingSource,
    GoalCarrier,
    GoalState,
    SignalPartner,
    TrajectoryState,
)
from exchange.domain.resident import ResidentRegistered
from exchange.domain.values import (
    CATEGORY_OF_LIFE_DOMAIN,
    LAW_OF_TASK,
    LAW_UNKNOWN,
    AgreementOutcome,
    ConsentKind,
    ConsentStatus,
    ConversationKind,
    ConversationOutcome,
    Law,
    LensFinding,
    LifeDomain,
    Purpose,
    StopReason,
    SupportKind,
    SupportStatus,
    category_of,
    law_of_task,
)
from exchange.errors import HistoryUnreadable
from exchange.v1 import (
    common_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    identity_service_pb2,
    options_pb2,
    plan_pb2,
)
from tests.domain.builders import ORGANISATION_JOINED, PLAN_OPENED, RESIDENT_REF, SET_GOAL

if TYPE_CHECKING:
    from google.protobuf.descriptor import EnumDescriptor
    from google.protobuf.message import Message

STORABLE = {str, int, bool, datetime, date, tuple[str, ...], date | None}
ELEMENTS = {
    "Report": Report,
    "Conversation": Conversation,
    "Situation": Situation,
    "Goal": Goal,
    "LensAssessment": LensAssessment,
    "RuleConflict": RuleConflict,
    "Funding": Funding,
    "Trajectory": Trajectory,
    "Evaluation": Evaluation,
    "AgreementAnswer": Answer,
    "PracticeCheck": PracticeCheck,
    "Preference": Preference,
    "Signal": Signal,
    "Contribution": Contribution,
    "Wish": Wish,
    "Match": Match,
    "Support": Support,
    "Agreement": Agreement,
    "Plan": PlanState,
}
SEALED_LIKE = [
    (ReportReceived, plan_pb2.Report),
    (ConversationRecorded, plan_pb2.Conversation),
    (SituationDescribed, plan_pb2.Situation),
    (GoalSet, plan_pb2.Goal),
    (LensAssessed, plan_pb2.LensAssessment),
    (RuleConflictRecorded, plan_pb2.RuleConflict),
    (SupportRequested, plan_pb2.Support),
    (FundingSet, plan_pb2.Funding),
    (TrajectoryStarted, plan_pb2.Trajectory),
    (PlanAgreed, plan_pb2.Agreement),
    (PlanDisagreed, plan_pb2.Agreement),
    (PlanAgreedOnConditions, plan_pb2.Agreement),
    (AgreementAnswered, plan_pb2.AgreementAnswer),
    (ProviderPreferred, plan_pb2.Preference),
    (SignalReceived, plan_pb2.Signal),
    (ContributionOffered, plan_pb2.Contribution),
    (WishOpened, plan_pb2.Wish),
    (ConsentRequested, consent_service_pb2.Consent),
    (ConsentGiven, consent_service_pb2.GiveConsentRequest),
    (ResidentRegistered, identity_service_pb2.RegisterResidentRequest),
]
# What an element of the contract says that a later event brings, or that stands in the clear.
NOT_OF_THE_EVENT: defaultdict[type, set[str]] = defaultdict(
    lambda: {"resident"},
    {
        plan_pb2.Situation: {"earlier_scores", "earlier_judge_dates"},
        plan_pb2.Support: {"refuse_reason"},
        plan_pb2.Goal: {"state", "state_date", "carried_by"},
        plan_pb2.Contribution: {"ended"},
        plan_pb2.Wish: {"ended"},
        plan_pb2.RuleConflict: {"resolution", "resolve_reason"},
        # A no waits for nobody.
        PlanDisagreed: {"waits"},
        plan_pb2.Trajectory: {"state", "since_date", "earlier_steps", "earlier_dates"},
    },
)
# That something was kept from who wrote.
TELLS_OF_A_SEAL = {"beside", "supports_unseen"}
# What the resident says beside an element comes later, by an event of its own.
SAID_BESIDE = "statement"


def test_topics_are_named_for_their_aggregate() -> None:
    names = "organisation legal_basis notice resident case consent plan disclosure evaluation erasure"
    names += " rights_request service_keys insight handover restriction household membership ledger delivery"
    names += " lookups"
    assert set(AGGREGATES) == set(names.split())
    for name, aggregate in AGGREGATES.items():
        assert aggregate.name == name
        for event in aggregate.events:
            assert re.fullmatch(rf"{name}\.[a-z_]+\.v[1-9]", event.TOPIC)


def test_each_topic_names_one_event() -> None:
    events = [event for aggregate in AGGREGATES.values() for event in aggregate.events]
    assert len(TOPICS) == len(events) == len({event.TOPIC for event in events})
    assert all(TOPICS[event.TOPIC] is event for event in events)


def test_every_event_there_is_belongs_to_an_aggregate() -> None:
    def topics_below(kind: type[Event]) -> set[str]:
        own = {kind.TOPIC} if "TOPIC" in vars(kind) and kind.__module__.startswith("exchange.") else set()
        return own.union(*map(topics_below, kind.__subclasses__()))

    assert topics_below(Event) == set(TOPICS)


@pytest.mark.parametrize("event", TOPICS.values(), ids=TOPICS)
def test_an_event_holds_only_what_can_be_stored(event: type[Event]) -> None:
    hints = get_type_hints(event)
    for field in fields(event):
        hint = hints[field.name]
        if get_origin(hint) is UnionType:
            assert set(get_args(hint)) == {date, type(None)}
        else:
            assert hint in STORABLE


@pytest.mark.parametrize("event", TOPICS.values(), ids=TOPICS)
def test_sealed_fields_exist_and_have_a_category(event: type[Event]) -> None:
    assert set(event.SEALED) <= {field.name for field in fields(event)} - {"resident"}
    assert all(event.SEALED.values())
    assert issubclass(event, ResidentEvent) or not event.SEALED


def test_events_about_an_organisation_have_no_resident() -> None:
    assert ORGANISATION_JOINED.resident == ""
    assert PLAN_OPENED.resident == RESIDENT_REF


@pytest.mark.parametrize(("event", "message"), SEALED_LIKE)
def test_what_the_contract_redacts_is_stored_sealed(event: type[Event], message: type[Message]) -> None:
    redacted = {
        field.name: field.GetOptions().Extensions[options_pb2.privacy].category
        for field in message.DESCRIPTOR.fields
        if field.GetOptions().debug_redact
        and field.name not in NOT_OF_THE_EVENT[message] | NOT_OF_THE_EVENT[event] | {SAID_BESIDE}
    }
    assert redacted
    assert {name: said for name, said in event.SEALED.items() if name not in TELLS_OF_A_SEAL} == redacted


def test_what_tells_of_a_seal_is_stored_sealed_and_is_no_field_of_the_contract() -> None:
    holding = [event for event in TOPICS.values() if TELLS_OF_A_SEAL & {one.name for one in fields(event)}]
    assert {event.TOPIC for event in holding} == {
        "plan.situation_described.v4",
        "plan.agreed.v3",
        "plan.agreed_on_conditions.v2",
    }
    assert all(TELLS_OF_A_SEAL & event.SEALED.keys() for event in holding)
    messages = plan_pb2.DESCRIPTOR.message_types_by_name.values()
    assert TELLS_OF_A_SEAL.isdisjoint(field.name for message in messages for field in message.fields)


def test_a_decision_is_stored_without_what_was_asked_in_the_clear() -> None:
    assert dict(DisclosureDecided.SEALED) == dict.fromkeys(
        ("request", "released", "withheld", "subject"), "LOG"
    )
    message = disclosure_service_pb2.Disclosure.DESCRIPTOR
    for name in ("released_fields", "withheld_fields"):
        options = message.fields_by_name[name].GetOptions()
        assert options.debug_redact
        assert options.Extensions[options_pb2.privacy].category == "LOG"


@pytest.mark.parametrize(("name", "element"), ELEMENTS.items())
def test_elements_have_the_contracts_names(name: str, element: type) -> None:
    names = {field.name for field in plan_pb2.DESCRIPTOR.message_types_by_name[name].fields}
    assert names <= {field.name for field in fields(element)}


@pytest.mark.parametrize(
    ("kind", "described"),
    [
        (LifeDomain, common_pb2.LifeDomain),
        (Law, common_pb2.Law),
        (ConsentKind, consent_service_pb2.ConsentKind),
        (ConsentStatus, consent_service_pb2.ConsentState),
        (ConversationKind, plan_pb2.ConversationKind),
        (ConversationOutcome, plan_pb2.ConversationOutcome),
        (LensFinding, plan_pb2.LensFinding),
        (SupportKind, plan_pb2.SupportKind),
        (SupportStatus, plan_pb2.SupportState),
        (StopReason, plan_pb2.StopReason),
        (AgreementOutcome, plan_pb2.AgreementOutcome),
        (FundingSource, plan_pb2.FundingSource),
        (GoalState, plan_pb2.GoalState),
        (GoalCarrier, plan_pb2.GoalCarrier),
        (TrajectoryState, plan_pb2.TrajectoryState),
        (PracticeAnswer, plan_pb2.PracticeAnswer),
        (SignalPartner, plan_pb2.SignalPartner),
    ],
)
def test_words_are_those_of_the_contract(kind: Any, described: Any) -> None:  # noqa: ANN401 -- two enumerations
    assert [member.value for member in kind] == _words(described.DESCRIPTOR)


def test_purposes_are_those_of_the_contract() -> None:
    words = _words(common_pb2.Purpose.DESCRIPTOR)
    assert [purpose.value for purpose in Purpose] == [word.replace("_", "-") for word in words]


def _words(described: EnumDescriptor) -> list[str]:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", described.name).upper() + "_"
    return [value.name.removeprefix(prefix).lower() for value in described.values if value.number]


def test_every_life_domain_has_a_category() -> None:
    assert set(CATEGORY_OF_LIFE_DOMAIN) == set(LifeDomain)
    assert category_of("substance_use") == "GEZONDHEID-FUNCTIONEEL"
    assert category_of("unspecified") == ""


def test_a_task_nobody_knows_is_not_without_law() -> None:
    assert law_of_task("college:PW") == "pw"
    assert law_of_task("waarzegger") == LAW_UNKNOWN
    assert LAW_UNKNOWN not in LAW_OF_TASK.values()


def test_streams_lead_back_to_their_aggregate() -> None:
    for name, aggregate in AGGREGATES.items():
        assert aggregate_of(stream_of(name, "a-b-c")) is aggregate
    assert stream_of("plan", "x") == "plan-x"


@pytest.mark.parametrize("stream", ["", "plan", "plan-", "-x", "invoice-x", "Plan-x"])
def test_a_stream_of_nobody_is_refused(stream: str) -> None:
    with pytest.raises(HistoryUnreadable) as caught:
        aggregate_of(stream)
    assert caught.value.metadata == {}


def test_a_command_of_another_aggregate_is_a_bug() -> None:
    with pytest.raises(TypeError, match="SetGoal"):
        AGGREGATES["consent"].decide(SET_GOAL, None)


COMMITTED_MAX = 5  # a leaf is at most 1 KiB, and carries a signature too


@pytest.mark.parametrize("event", [event for event in TOPICS.values() if event.COMMITTED])
def test_an_event_commits_to_few_fields_of_its_own_about_a_resident(event: type[Event]) -> None:
    assert issubclass(event, ResidentEvent)
    names = {field.name for field in fields(event)} - {"resident"}
    assert set(event.COMMITTED) <= names
    assert len(event.COMMITTED) == len(set(event.COMMITTED)) <= COMMITTED_MAX


def test_consents_supports_and_agreement_are_committed_to() -> None:
    assert {topic for topic, event in TOPICS.items() if event.COMMITTED} == {
        "consent.requested.v3",
        "consent.given.v3",
        "consent.withdrawn.v2",
        "plan.support_requested.v1",
        "plan.support_changed.v1",
        "plan.agreed.v3",
    }
