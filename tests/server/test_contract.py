"""The contract's own tables, complete and in step with the domain: handlers, errors, rules, labels, names."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

import exchange
from exchange.domain import TOPICS, obligations, relations
from exchange.domain import values as domain_values
from exchange.domain.household import words as household_words
from exchange.domain.limits import determinations
from exchange.domain.limits.holds import HoldKind
from exchange.domain.obligations import COMMAND
from exchange.domain.plan.events import PlanEvent
from exchange.domain.rights import words as rights_words
from exchange.domain.rights.recipients import RectificationOutcome
from exchange.errors import ExchangeError, QuotaExceeded, RequestInvalid
from exchange.gate.vocabulary import CATEGORIES
from exchange.pipeline.apart import SUBSCRIBE
from exchange.pipeline.elements import BY_LIFE_DOMAIN
from exchange.pipeline.walk import Caller
from exchange.server.app import handlers
from exchange.server.authzen.asking import ACTIONS
from exchange.server.contract.changed import CHANGED
from exchange.server.contract.labels import label_of, labels_of, leaves_of, refuse_unlabelled, written_by
from exchange.server.contract.names import enum_names
from exchange.server.hub import TOPICS as STREAMED
from exchange.server.status import STATUS_BYTES_MAX, TABLE, status_of
from exchange.server.walks import action_of, content_of, unsalted_content_of
from exchange.v1 import (
    audit_service_pb2,
    case_service_pb2,
    common_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    household_service_pb2,
    matching_service_pb2,
    options_pb2,
    plan_pb2,
    plan_service_pb2,
    resident_rights_service_pb2,
)
from tests.golden.write_missing import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

# Messages that leave with personal data, and their leaves that say something of the answer itself.
ANSWERS = {
    plan_pb2.Plan.DESCRIPTOR: set[str](),
    plan_pb2.PracticeCheck.DESCRIPTOR: set[str](),
    matching_service_pb2.MatchForDesk.DESCRIPTOR: set[str](),
    consent_service_pb2.Consent.DESCRIPTOR: set[str](),
    disclosure_service_pb2.Disclosure.DESCRIPTOR: set[str](),
    audit_service_pb2.AuditedDecision.DESCRIPTOR: set[str](),
    disclosure_service_pb2.Notice.DESCRIPTOR: set[str](),
    audit_service_pb2.Obligation.DESCRIPTOR: set[str](),
    resident_rights_service_pb2.RightsRequest.DESCRIPTOR: set(),
    case_service_pb2.FindCaseResponse.DESCRIPTOR: {"decision_id", "expire_time"},
    household_service_pb2.Member.DESCRIPTOR: {"decision_id", "withheld_fields"},
}
ENUMS = [
    (audit_service_pb2.DutyOutcome.DESCRIPTOR, obligations.DutyOutcome),
    (household_service_pb2.MemberRole.DESCRIPTOR, household_words.MemberRole),
    (household_service_pb2.LeaveReason.DESCRIPTOR, household_words.LeaveReason),
    (resident_rights_service_pb2.ConflictKind.DESCRIPTOR, relations.ConflictKind),
    (resident_rights_service_pb2.DeterminationKind.DESCRIPTOR, determinations.DeterminationKind),
    (resident_rights_service_pb2.HoldKind.DESCRIPTOR, HoldKind),
    (resident_rights_service_pb2.Right.DESCRIPTOR, rights_words.Right),
    (resident_rights_service_pb2.RightsOutcome.DESCRIPTOR, rights_words.RightsOutcome),
    (resident_rights_service_pb2.RefusalArticle.DESCRIPTOR, rights_words.RefusalArticle),
    (resident_rights_service_pb2.RequestStatus.DESCRIPTOR, rights_words.RequestStatus),
    (resident_rights_service_pb2.RectificationOutcome.DESCRIPTOR, RectificationOutcome),
    (common_pb2.Purpose.DESCRIPTOR, domain_values.Purpose),
    (common_pb2.LifeDomain.DESCRIPTOR, domain_values.LifeDomain),
    (common_pb2.Law.DESCRIPTOR, domain_values.Law),
    (consent_service_pb2.ConsentKind.DESCRIPTOR, domain_values.ConsentKind),
    (consent_service_pb2.ConsentState.DESCRIPTOR, domain_values.ConsentStatus),
    (plan_pb2.ConversationKind.DESCRIPTOR, domain_values.ConversationKind),
    (plan_pb2.ConversationOutcome.DESCRIPTOR, domain_values.ConversationOutcome),
    (plan_pb2.LensFinding.DESCRIPTOR, domain_values.LensFinding),
    (plan_pb2.SupportKind.DESCRIPTOR, domain_values.SupportKind),
    (plan_pb2.SupportState.DESCRIPTOR, domain_values.SupportStatus),
    (plan_pb2.StopReason.DESCRIPTOR, domain_values.StopReason),
    (plan_pb2.AgreementOutcome.DESCRIPTOR, domain_values.AgreementOutcome),
]


def errors(root: type[ExchangeError] = ExchangeError) -> Iterator[type[ExchangeError]]:
    yield root
    for kind in root.__subclasses__():
        yield from errors(kind)


def every_error() -> set[type[ExchangeError]]:
    for room in pkgutil.walk_packages(exchange.__path__, "exchange."):
        if not room.name.endswith("__main__"):
            importlib.import_module(room.name)
    return {kind for kind in errors() if kind.__module__.startswith("exchange.")}


def requests() -> list[Descriptor]:
    return [
        kind.request.DESCRIPTOR  # type: ignore[misc] # the stub names two kinds of one thing
        for rpcs in handlers().values()
        for kind in rpcs.values()
    ]


def all_fields(descriptor: Descriptor) -> Iterator[FieldDescriptor]:
    for field in descriptor.fields:
        yield field
        if field.message_type is not None:
            yield from all_fields(field.message_type)


# --- handlers and errors --------------------------------------------------------------------------------


def test_every_rpc_of_the_contract_has_a_handler_with_its_own_request() -> None:
    found = handlers()
    assert len(found) == 19
    for service, rpcs in found.items():
        for name, kind in rpcs.items():
            assert kind.request.DESCRIPTOR.full_name == f"exchange.v1.{name}Request", (service, name)


def test_every_error_has_a_row_and_every_row_an_error() -> None:
    assert {kind.code for kind in every_error()} == set(TABLE)


@pytest.mark.parametrize("code", sorted(TABLE))
def test_a_row_is_a_failure_with_a_dutch_sentence(code: str) -> None:
    row = TABLE[code]
    assert row.code is not grpc.StatusCode.OK
    assert row.dutch.endswith(".")
    assert len(row.dutch) > 10


def test_retrying_is_told_only_where_it_can_help() -> None:
    told = {type_name(detail) for detail in status_of(RequestInvalid("no")).details}
    assert told == {"ErrorInfo", "LocalizedMessage"}
    told = {type_name(detail) for detail in status_of(QuotaExceeded("no", retry_after_ms=1_500)).details}
    assert told == {"ErrorInfo", "LocalizedMessage", "RetryInfo"}


def test_a_status_always_fits_in_a_header() -> None:
    faults = {f"fields[{index}]": "x" * 5_000 for index in range(1_000)}
    status = status_of(RequestInvalid("y" * 10_000, fields=faults, place="z" * 10_000))
    assert status.ByteSize() <= STATUS_BYTES_MAX
    assert type_name(status.details[0]) == "ErrorInfo"


def type_name(detail: object) -> str:
    name: str = detail.TypeName()  # type: ignore[attr-defined] # an Any message
    return name.rpartition(".")[2]


# --- rules ----------------------------------------------------------------------------------------------


def test_every_field_of_every_request_is_bounded() -> None:
    unbounded = []
    for descriptor in requests():
        for field in all_fields(descriptor):
            rule = field.GetOptions().Extensions[options_pb2.rule]
            if field.is_repeated and not rule.max_items:
                unbounded.append(field.full_name)
            text = field.type in {field.TYPE_STRING, field.TYPE_BYTES}
            if text and not rule.max_len:
                unbounded.append(field.full_name)
            number = field.cpp_type in {field.CPPTYPE_INT32, field.CPPTYPE_INT64}
            holder = field.containing_type
            assert holder is not None
            inside_time = holder.full_name == "google.protobuf.Timestamp"
            if number and not rule.ranged and not inside_time:
                unbounded.append(field.full_name)
    assert unbounded == []


def test_every_command_needs_a_request_id_and_every_call_a_claim() -> None:
    for descriptor in requests():
        public = descriptor.file.name.endswith("ledger_service.proto")
        public |= descriptor.name == "GetEnvelopeKeyRequest"
        # Each command in it has its own.
        public |= descriptor.name == "SendCommandsRequest"
        for name in ("request_id", "claim"):
            field = descriptor.fields_by_name.get(name)
            if field is not None:
                assert field.GetOptions().Extensions[options_pb2.rule].required, field.full_name
            else:
                assert public or name == "request_id", descriptor.full_name


# Sealed, and in no answer: it has no label to compare with.
NEVER_SHOWN = frozenset({"assign_date", "other_plan", "other_match"})


# --- labels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("descriptor", ANSWERS, ids=lambda one: one.name)
def test_every_leaf_that_leaves_has_a_label_of_a_known_category(descriptor: Descriptor) -> None:
    found = dict(leaves_of(descriptor))
    assert {path for path, label in found.items() if label is None} == ANSWERS[descriptor]
    for label in labels_of(descriptor).values():
        assert label.category in CATEGORIES | {BY_LIFE_DOMAIN}


def test_every_question_is_recorded_under_a_word_of_the_gate() -> None:
    found = {rpc: action_of(rpc) for table in handlers().values() for rpc in table}
    assert set(found.values()) | {SUBSCRIBE, COMMAND} == set(ACTIONS)
    named = ("FindCase", "ListConsents", "GetPlan", "GetIdentity", "GetAccessAnswer", "EvaluateBlinded")
    assert [found[rpc] for rpc in named] == ["SEARCH", "SEARCH", "READ", "DISCLOSE", "EXPORT", "READ"]


@pytest.mark.parametrize("level", ["", "high", "usual"])
def test_what_asks_more_assurance_than_anybody_shows_never_leaves(level: str) -> None:
    file = descriptor_pb2.FileDescriptorProto(name=f"level{level}.proto", package=f"level{level}")
    file.dependency.append("exchange/v1/options.proto")
    said = file.message_type.add(name="Answer").field.add(name="bsn", number=1, type=9, label=1)
    said.options.Extensions[options_pb2.privacy].CopyFrom(
        options_pb2.Privacy(category="BSN", min_level=level)
    )
    pool = descriptor_pool.DescriptorPool()
    for one in (descriptor_pb2.DESCRIPTOR, options_pb2.DESCRIPTOR):
        pool.AddSerializedFile(one.serialized_pb)
    pool.Add(file)
    labels = labels_of(pool.FindMessageTypeByName(f"level{level}.Answer"))
    assert set(labels) == (set() if level else {"bsn"})


def test_what_is_asked_must_be_a_labelled_leaf() -> None:
    labels = labels_of(plan_pb2.Plan.DESCRIPTOR)
    assert refuse_unlabelled(["version", "goals.own_words", "version"], labels) == (
        "version",
        "goals.own_words",
    )
    with pytest.raises(RequestInvalid) as refused:
        refuse_unlabelled(["goals", "version", "goals.origin", ""], labels)
    assert list(refused.value.fields) == ["fields[0]", "fields[2]", "fields[3]"]


def test_the_contract_and_the_stored_events_name_the_same_category() -> None:
    elements = {
        name: {field.name: label_of(field) for field in one.message_type.fields}
        for one in plan_pb2.Plan.DESCRIPTOR.fields
        if one.message_type is not None
        for name in [one.name]
    }
    compared = 0
    for topic, event in TOPICS.items():
        if issubclass(event, PlanEvent) and topic.rpartition(".v")[0] in CHANGED:
            collection = CHANGED[topic.rpartition(".v")[0]].collection
            assert NEVER_SHOWN.isdisjoint(elements[collection])
            for field, category in event.SEALED.items():
                # That something was kept from who wrote, and which leaves changed, stand in the event alone.
                if field in {"beside", "supports_unseen", "changed"}:
                    assert category
                    continue
                if field in NEVER_SHOWN:
                    continue
                label = elements[collection][field]
                assert label is not None
                assert label.category == category, (topic, field)
                compared += 1
    assert compared >= len(("own_words", "summary", "description", "strengths", "score", "desired_effect"))


def test_every_plan_event_ever_stored_is_streamed() -> None:
    stored = {file.stem for file in FOLDER.glob("plan.*.json")}
    assert {"plan.agreed.v1", "plan.agreed.v2", "plan.agreed.v3"} <= stored
    assert set(STREAMED) == stored


def test_every_plan_event_but_the_opening_changes_a_known_collection() -> None:
    plan_topics = {
        topic.rpartition(".v")[0] for topic, event in TOPICS.items() if issubclass(event, PlanEvent)
    }
    # Of a correction, and of what came from another municipality, the event itself says which.
    assert plan_topics - set(CHANGED) == {"plan.opened", "plan.corrected", "plan.elements_received"}
    collections = {field.name for field in plan_pb2.Plan.DESCRIPTOR.fields}
    assert {changed.collection for changed in CHANGED.values()} <= collections


def test_every_free_text_of_a_plan_can_be_a_secret_and_nothing_else_can() -> None:
    statement = resident_rights_service_pb2.AddStatementRequest.DESCRIPTOR
    services = (plan_service_pb2, matching_service_pb2)
    of_plans = [one for each in services for one in each.DESCRIPTOR.message_types_by_name.values()]
    words = {
        f"{collection}.{field}"
        for request in (*of_plans, statement)
        for field, said in request.fields_by_name.items()
        if said.GetOptions().Extensions[options_pb2.rule].format == "text"
        for collection, part in parts_of_a_plan()
        if field in part.fields_by_name
    }
    assert {path for path, label in labels_of(plan_pb2.Plan.DESCRIPTOR).items() if label.secret} == words


def parts_of_a_plan() -> list[tuple[str, Any]]:
    return [
        (one.name, one.message_type)
        for one in plan_pb2.Plan.DESCRIPTOR.fields
        if one.message_type is not None
    ]


def test_a_command_writes_its_labelled_fields_under_the_category_of_its_life_domain() -> None:
    said = plan_service_pb2.DescribeSituationRequest(
        plan_id="p", life_domain=common_pb2.LIFE_DOMAIN_HOUSING, description="Klein.", score=2
    )
    said.claim.break_glass.reason = "not data of the resident"
    assert written_by(said.DESCRIPTOR).in_request(said) == (
        ("life_domain", "WONEN"),
        ("description", "WONEN"),
        ("score", "WONEN"),
    )


def test_every_command_on_data_writes_something_with_a_label() -> None:
    labelled = {
        descriptor.name
        for descriptor in requests()
        if any(label_of(field) is not None for field in descriptor.fields)
    }
    assert labelled >= {f"{name}Request" for name in plan_commands()}


def plan_commands() -> list[str]:
    return [
        name for name in handlers()["exchange.v1.PlanService"] if name not in {"GetPlan", "GetPracticeCheck"}
    ]


# --- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("descriptor", "stored"), ENUMS, ids=lambda one: getattr(one, "name", ""))
def test_every_enum_value_has_its_stored_word_and_back(
    descriptor: EnumDescriptor, stored: type[domain_values.Purpose]
) -> None:
    names = enum_names(descriptor)
    assert names.all_stored() == {str(one) for one in stored}
    for value in descriptor.values:
        if value.number:
            assert names.number(names.stored(value.number)) == value.number
    assert names.stored(0) == ""
    assert names.number("a word of a newer store") == 0


def test_a_request_id_stands_for_who_asks_and_as_which_resident() -> None:
    caller = Caller("0" * 20, "college:WMO", "w-1", "regisseur", "t", two_factor=True, mutual_tls=True)
    said = plan_service_pb2.SetGoalRequest(plan_id="p-1")
    others = (
        replace(caller, professional="w-2"),
        replace(caller, task="college:PW"),
        replace(caller, resident="r-1"),
    )
    contents = [content_of("SetGoal", one, said) for one in (caller, *others)]
    assert len(set(contents)) == len(contents)
    assert content_of("SetGoal", replace(caller, role="consulent"), said) == contents[0]


def test_what_is_kept_of_a_command_is_salted_by_its_request_id() -> None:
    caller = Caller("0" * 20, "college:WMO", "w-1", "regisseur", "t", two_factor=True, mutual_tls=True)
    one, other = (plan_service_pb2.SetGoalRequest(plan_id="p-1", request_id=name) for name in ("1", "2"))
    assert content_of("SetGoal", caller, one) != content_of("SetGoal", caller, other)
    # What older stores hold is the same for every id, and stays what it was.
    kept = sha256(b"SetGoal\ncollege:WMO\nw-1\n\n" + b"\x1a\x03p-1").digest()
    assert (
        unsalted_content_of("SetGoal", caller, one) == unsalted_content_of("SetGoal", caller, other) == kept
    )
