"""The table of calls: complete, and each line of it right."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.sdk.batches import SEND_COMMANDS
from adapters.sdk.calls import claim, draw_request_id
from adapters.sdk.streams import STREAMS
from exchange.v1.common_pb2 import PURPOSE_ACUTE_NOOD, PURPOSE_WMO_ONDERZOEK, BreakGlass
from exchange.v1.plan_service_pb2 import GetPlanRequest, SetGoalRequest
from tests.sdk.exchange_fake import RPCS

# Not called by name: they are opened and read, and a batch brings what was collected.
BESIDE = (*STREAMS, SEND_COMMANDS)
PROTOS = Path(__file__).parents[2] / "protos" / "exchange" / "v1"


def contract() -> dict[str, tuple[str, str]]:
    """Every rpc of the contract, from the protos' own descriptors: path to (request, answer)."""
    found = {}
    for proto in sorted(PROTOS.glob("*_service.proto")):
        module = importlib.import_module(f"exchange.v1.{proto.stem}_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                found[path] = (method.input_type.full_name, method.output_type.full_name)
    return found


def test_every_rpc_of_the_contract_is_in_the_table() -> None:
    table = {
        path: (cast("Any", rpc._request).DESCRIPTOR.full_name, rpc.answer.DESCRIPTOR.full_name)
        for path, rpc in RPCS.items()
    }
    assert table == contract()


@pytest.mark.parametrize("path", sorted(path for path in RPCS if RPCS[path] not in BESIDE))
def test_each_method_is_named_as_its_rpc(path: str) -> None:
    assert RPCS[path].name == re.sub(r"(?<!^)([A-Z])", r"_\1", path.rpartition("/")[2]).lower()


def test_only_what_is_public_asks_no_person() -> None:
    without = {path for path, rpc in RPCS.items() if not rpc.needs_person}
    public = {path for path in RPCS if ".LedgerService/" in path or path.endswith("/GetEnvelopeKey")}
    assert without == public


def test_a_request_id_is_drawn_for_commands_only() -> None:
    command = SetGoalRequest()
    drawn = draw_request_id(command)
    assert drawn
    assert command.request_id == drawn
    assert draw_request_id(command) == drawn
    assert draw_request_id(GetPlanRequest()) == ""


def test_a_claim_without_reasons_states_none() -> None:
    assert not claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2").HasField("necessity")


def test_a_claim_states_what_it_was_given() -> None:
    stated = claim(
        PURPOSE_ACUTE_NOOD,
        "AVG-6.1.d",
        "life in danger",
        proportionality="one name",
        subsidiarity="no other way",
        break_glass=BreakGlass(code="LEVENSGEVAAR", reason="does not answer the door"),
    )
    assert (stated.purpose, stated.legal_basis) == (PURPOSE_ACUTE_NOOD, "AVG-6.1.d")
    assert stated.necessity.text == "life in danger"
    assert stated.necessity.proportionality == "one name"
    assert stated.necessity.subsidiarity == "no other way"
    assert stated.break_glass.code == "LEVENSGEVAAR"
