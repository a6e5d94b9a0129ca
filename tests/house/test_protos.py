"""The contract's own rules, read from the compiled protos, and the table that tells them to people."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import pytest
from google.protobuf.descriptor import FieldDescriptor

from exchange.gate.vocabulary import CATEGORIES
from exchange.v1 import options_pb2
from protos import generate
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor

PROTOS = REPOSITORY / "protos" / "exchange" / "v1"
README = REPOSITORY / "exchange" / "README.md"
READS = ("Get", "List", "Find", "Subscribe", "Replay", "Preview", "Summarise", "Facet", "Stream")
# What surrounds an answer: says nothing about a resident that the caller did not say first.
ENVELOPE = frozenset(
    {
        "decision_id",
        "next_page_token",
        "withheld_fields",
        "rules",
        "obligations",
        "cursor",
        "version",
        "plan_version",
        "expire_time",
        "told_token",
    }
)
# An event's own bookkeeping; the caller works on this plan and case, or gets no event at all.
ENVELOPE_OF_EVENTS = frozenset(
    {"event_id", "position", "kind", "plan_id", "case_id", "occur_time", "traceparent"}
)
# Free text of a request that is not about a resident.
IMPERSONAL_TEXT = frozenset(
    {
        "exchange.v1.JoinOrganisationRequest.name",
        "exchange.v1.Mandate.text",
        "exchange.v1.ProposeLegalBasisRequest.text",
        "exchange.v1.DisableLegalBasisRequest.reason",
        "exchange.v1.ProposeBudgetRequest.reason",
        "exchange.v1.RequestNamesRequest.reason",
        "exchange.v1.PreviewRegisterRequest.text",
        "exchange.v1.Necessity.text",
        "exchange.v1.Necessity.proportionality",
        "exchange.v1.Necessity.subsidiarity",
    }
)
# The register is public and says nothing about a resident: nothing to label. Nor does what is told of an
# erasure, nor of what of the own was rectified or restricted, by plan and field. A published table is noise.
# A request for names is of a cell, with a reason that names nobody. Of a subscription its subscriber is told
# what he said himself.
# Brings commands that each have an id and a claim of their own.
CARRIERS = frozenset({"exchange.v1.BatchService.SendCommands"})
IMPERSONAL_READS = frozenset(
    {
        "exchange.v1.LegalBasisService.ListLegalBases",
        "exchange.v1.LegalBasisService.ListProcessingActivities",
        "exchange.v1.InsightService.ListTables",
        "exchange.v1.LookupReviewService.ListNamesRequests",
        "exchange.v1.ResidentRightsService.GetErasureCertificate",
        "exchange.v1.ResidentRightsService.ListErasures",
        "exchange.v1.ResidentRightsService.ListPurgeRequests",
        "exchange.v1.ResidentRightsService.ListRectifications",
        "exchange.v1.ResidentRightsService.ListRestrictions",
        "exchange.v1.SubscriptionService.ListSubscriptions",
    }
)
DERIVED_CATEGORY = "@life_domain"


def described(proto: str) -> FileDescriptor:
    module = importlib.import_module(f"exchange.v1.{proto.removesuffix('.proto')}_pb2")
    descriptor: FileDescriptor = module.DESCRIPTOR
    return descriptor


@pytest.fixture(scope="module")
def contract() -> list[FileDescriptor]:
    return [described(path.name) for path in sorted(PROTOS.glob("*.proto"))]


@pytest.fixture(scope="module")
def methods(contract: list[FileDescriptor]) -> list[MethodDescriptor]:
    found = [
        method
        for file in contract
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    assert found, "there is no rpc to look at"
    return found


def privacy(field: FieldDescriptor) -> options_pb2.Privacy | None:
    options = field.GetOptions()
    return options.Extensions[options_pb2.privacy] if options.HasExtension(options_pb2.privacy) else None


def rule(field: FieldDescriptor) -> options_pb2.Rule:
    found: options_pb2.Rule = field.GetOptions().Extensions[options_pb2.rule]
    return found


def ours(field: FieldDescriptor) -> Descriptor | None:
    """Return the message of this contract that the field holds, if it does."""
    message = field.message_type
    return message if message is not None and message.full_name.startswith("exchange.v1.") else None


def leaves(message: Descriptor) -> Iterator[FieldDescriptor]:
    """Walk to the fields that hold values; a Timestamp is a value."""
    for field in message.fields:
        if inner := ours(field):
            yield from leaves(inner)
        else:
            yield field


def is_public(method: MethodDescriptor) -> bool:
    """The ledger's proofs are for everybody: no claim, nothing personal."""
    return bool(method.GetOptions().idempotency_level == 1)


# --- every rpc ---------------------------------------------------------------------------------------


def shape_faults(method: MethodDescriptor) -> Iterator[str]:
    asked, answered = method.input_type, method.output_type
    if (asked.name, answered.name) != (f"{method.name}Request", f"{method.name}Response"):
        yield f"{method.full_name}: its own Request and Response"
    if method.GetOptions().idempotency_level == 0:
        yield f"{method.full_name}: no idempotency_level"
    if method.full_name in CARRIERS:
        return
    first = asked.fields[0] if asked.fields else None
    commands = first is not None and (first.name, first.number, first.type) == (
        "request_id",
        1,
        FieldDescriptor.TYPE_STRING,
    )
    fields = asked.fields_by_name.get("fields")
    reads = fields is not None and fields.is_repeated and rule(fields).required
    if is_public(method):
        if commands or any(privacy(field) for field in leaves(answered)):
            yield f"{method.full_name}: public, yet a command or personal"
        return
    impersonal = method.full_name in IMPERSONAL_READS
    if not impersonal and (method.name.startswith(READS) != reads or reads == commands):
        yield f"{method.full_name}: a command has `string request_id = 1`, a read requires its `fields`"
    claim = asked.fields_by_name.get("claim")
    held = ours(claim) if claim is not None else None
    if claim is None or held is None or held.name != "Claim" or not rule(claim).required:
        yield f"{method.full_name}: no required claim of purpose and legal basis"


def test_every_rpc_has_its_shape(methods: list[MethodDescriptor]) -> None:
    assert [fault for method in methods for fault in shape_faults(method)] == []


def uncommented(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if line.startswith("rpc ") and not before.startswith("//")
    ]


def test_every_rpc_says_what_it_does() -> None:
    assert [
        line for path in PROTOS.glob("*.proto") for line in uncommented(path.read_text(encoding="utf-8"))
    ] == []


def test_an_rpc_without_a_word_is_seen() -> None:
    assert uncommented("service A {\n  // Says.\n  rpc B(C) returns (D);\n  rpc E(F) returns (G);\n}\n")


# --- every field ---------------------------------------------------------------------------------------


def limit_faults(method: MethodDescriptor) -> Iterator[str]:
    """Everything a caller may send has a limit."""
    todo, seen = [method.input_type], set[str]()
    while todo:
        message = todo.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        for field in message.fields:
            if inner := ours(field):
                todo.append(inner)
            if field.is_repeated and not rule(field).max_items:
                yield f"{field.full_name}: no max_items"
            if (
                field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
                and not rule(field).max_len
            ):
                yield f"{field.full_name}: no max_len"


def test_everything_a_caller_sends_has_a_limit(methods: list[MethodDescriptor]) -> None:
    assert [fault for method in methods for fault in limit_faults(method)] == []


def label_faults(method: MethodDescriptor) -> Iterator[str]:
    """A field of personal data that leaves by a read, or comes in as free text, carries its label."""
    if method.name.startswith(READS) and not is_public(method) and method.full_name not in IMPERSONAL_READS:
        for field in leaves(method.output_type):
            of_events = field.full_name.removeprefix("exchange.v1.PublishedEvent.") in ENVELOPE_OF_EVENTS
            if privacy(field) is None and field.name not in ENVELOPE and not of_events:
                yield f"{field.full_name}: leaves without a privacy label"
    for field in leaves(method.input_type):
        free_text = rule(field).format == "text" and field.full_name not in IMPERSONAL_TEXT
        if free_text and (privacy(field) is None or not field.GetOptions().debug_redact):
            yield f"{field.full_name}: free text without privacy label and debug_redact"


def test_every_personal_field_is_labelled(methods: list[MethodDescriptor]) -> None:
    assert [fault for method in methods for fault in label_faults(method)] == []


def test_what_comes_in_is_labelled_as_what_goes_out(methods: list[MethodDescriptor]) -> None:
    """A field of the plan has one category, in the command that writes it and in the plan that is read."""
    category_of: dict[str, set[str]] = {}
    for field in leaves(described("plan.proto").message_types_by_name["Plan"]):
        label = privacy(field)
        assert label is not None, field.full_name
        category_of.setdefault(field.name, set()).add(label.category)
    written = [
        field
        for method in methods
        if method.containing_service.name == "PlanService" and not method.name.startswith(READS)
        for field in method.input_type.fields
        if field.name in category_of and not field.name.endswith("_id")
    ]
    assert written
    labels = {field.full_name: privacy(field) for field in written}
    assert [
        name
        for name, label in labels.items()
        if label is None or label.category not in category_of[name.rpartition(".")[2]]
    ] == []


def test_every_category_is_one_the_gate_knows(contract: list[FileDescriptor]) -> None:
    messages = [message for file in contract for message in file.message_types_by_name.values()]
    used = {label.category for message in messages for field in message.fields if (label := privacy(field))}
    assert "WMO-PLAN" in used
    assert used - CATEGORIES - {DERIVED_CATEGORY} == set()


def test_times_are_named_so(contract: list[FileDescriptor]) -> None:
    messages = [message for file in contract for message in file.message_types_by_name.values()]
    times = [
        field.full_name
        for message in messages
        for field in message.fields
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"
    ]
    assert times
    assert [name for name in times if not name.endswith("_time")] == []


# --- the checks themselves -----------------------------------------------------------------------------

BAD_PROTO = """
syntax = "proto3";
package exchange.v1;
import "exchange/v1/options.proto";
service BadService {
  rpc GetThing(GetThingRequest) returns (GetThingResponse);
  rpc ChangeThing(Change) returns (ChangeThingResponse);
}
message GetThingRequest { string request_id = 1; }
message GetThingResponse { string name = 1; string decision_id = 2; }
message Change { repeated string words = 1; string text = 2 [(rule) = {format: "text"}]; }
message ChangeThingResponse {}
"""


@pytest.fixture(scope="module")
def bad_methods(tmp_path_factory: pytest.TempPathFactory) -> list[MethodDescriptor]:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("protos")
    (folder / "bad.proto").write_text(BAD_PROTO)
    out = folder / "bad.binpb"
    well_known = generate.well_known_protos()
    assert (
        protoc.main(
            [
                "protoc",
                f"--proto_path={folder}",
                f"--proto_path={generate.PROTOS}",
                f"--proto_path={well_known}",
                f"--descriptor_set_out={out}",
                "--include_imports",
                "bad.proto",
            ]
        )
        == 0
    )
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(out.read_bytes()).file:
        pool.Add(file)
    return list(pool.FindServiceByName("exchange.v1.BadService").methods)


def test_faults_of_shape_are_seen(bad_methods: list[MethodDescriptor]) -> None:
    read, command = (" ".join(shape_faults(method)) for method in bad_methods)
    assert "requires its `fields`" in read
    assert "no required claim" in read
    assert "its own Request and Response" in command
    assert "no idempotency_level" in command
    assert "a command has `string request_id = 1`" in command


def test_faults_of_limits_and_labels_are_seen(bad_methods: list[MethodDescriptor]) -> None:
    read, command = bad_methods
    assert list(label_faults(read)) == ["exchange.v1.GetThingResponse.name: leaves without a privacy label"]
    assert list(label_faults(command)) == [
        "exchange.v1.Change.text: free text without privacy label and debug_redact"
    ]
    assert "exchange.v1.Change.words: no max_items" in list(limit_faults(command))
    assert "exchange.v1.Change.text: no max_len" in list(limit_faults(command))


# --- the table for people ------------------------------------------------------------------------------


def table_rows(text: str) -> list[str]:
    """Return `Service.Rpc` of each row of a table whose first cell holds it."""
    return re.findall(r"^\|\s*`(\w+Service\.\w+)`", text, re.MULTILINE)


def test_the_readme_has_one_row_for_each_rpc(methods: list[MethodDescriptor]) -> None:
    rows = table_rows(README.read_text(encoding="utf-8"))
    assert sorted(rows) == sorted(f"{method.containing_service.name}.{method.name}" for method in methods)


def test_rows_are_found() -> None:
    assert table_rows("| `AService.B` | x |\n|`CService.D`|\ntext `EService.F`\n") == [
        "AService.B",
        "CService.D",
    ]
