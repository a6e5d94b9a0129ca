"""A command is the organisation's own: without its signature over these very bytes nothing is recorded."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from adapters.sdk.errors import Denied
from adapters.sdk.line import PERSON_KEY
from adapters.sdk.signing import SIGNATURE_KEY, sign
from adapters.sdk.tokens import Person, PersonTokens
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.signers import SignatureCheck, request_hash
from exchange.server.app import handlers
from exchange.server.caller.identity import HASHED_HERE_MAX
from exchange.server.contract.commands import command_path
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_service_pb2 as plan_pb
from tests.server.town import CARE, CITY, INVESTIGATE, Town, details_of, raw_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.credentials import Credentials
    from exchange.ledger.leaf import Leaf
    from tests.server.story import Story
    from tests.signing import Headers

SET_GOAL = "/exchange.v1.PlanService/SetGoal"
ASSESS_LENS = "/exchange.v1.PlanService/AssessLens"


class Command:
    """One good command of a resident's professional, and what a test makes of its signature."""

    def __init__(self, town: Town, story: Story) -> None:
        self.town = town
        self.person = Person(f"w-{story.bsn[-5:]}", "college:WMO", "regisseur")
        self.credentials = town.credentials()
        self.request = plan_pb.SetGoalRequest(
            request_id=str(uuid4()),
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            own_words="Weer zelf koken.",
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
        self.raw = self.request.SerializeToString()

    def signature(self, **changes: Any) -> str:  # noqa: ANN401 -- any argument of `sign`
        said: dict[str, Any] = {
            "credentials": self.credentials,
            "rpc_path": SET_GOAL,
            "person": self.person,
            "raw": self.raw,
        }
        return sign(**said | changes).signature

    def send(self, *signatures: str, raw: bytes | None = None) -> plan_pb.SetGoalResponse:
        token = PersonTokens(self.credentials, time.time).token_for(self.person)
        headers: Headers = ((PERSON_KEY, token), *((SIGNATURE_KEY, one) for one in signatures))
        answer = raw_call(
            self.town,
            SET_GOAL,
            self.raw if raw is None else raw,
            credentials=self.credentials,
            headers=headers,
        )
        return plan_pb.SetGoalResponse.FromString(answer)


@pytest.fixture
def command(town: Town, story: Story) -> Command:
    return Command(town, story)


def leaves(town: Town, start: int, stop: int) -> list[Leaf]:
    return [parse_leaf(entry) for _, entry in town.core.reader.leaf_rows(start, stop)]


def position(town: Town) -> int:
    return town.core.reader.head()[0]


def last_sign_changed(signature: str) -> str:
    """Return the same 64 bytes in a spelling that is not canonical."""
    return signature[:-3] + chr(ord(signature[-3]) + 1) + "=="


WRONG: dict[str, Callable[[Command], tuple[str, ...]]] = {
    "none": lambda _: (),
    "empty": lambda _: ("",),
    "no base64": lambda _: ("!" * 88,),
    "not canonical": lambda command: (last_sign_changed(command.signature()),),
    "too short": lambda command: (command.signature()[:-4],),
    "63 bytes": lambda _: (b64encode(b"s" * 63).decode() + "====",),
    "twice": lambda command: (command.signature(), command.signature()),
    "a good one beside a bad one": lambda command: (command.signature(), b64encode(b"s" * 64).decode()),
    "of nobody": lambda _: (b64encode(b"s" * 64).decode(),),
    "over other bytes": lambda command: (command.signature(raw=command.raw + b"\x00"),),
    "for another rpc": lambda command: (command.signature(rpc_path=ASSESS_LENS),),
    "of another person": lambda command: (
        command.signature(person=Person("w-9", "college:WMO", "regisseur")),
    ),
    "in another task": lambda command: (
        command.signature(person=Person(command.person.professional, "beheer", "regisseur")),
    ),
    "of another organisation": lambda command: (command.signature(credentials=command.town.care()),),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_command_that_is_not_signed_well_is_refused_and_nothing_is_recorded(
    town: Town, command: Command, wrong: str
) -> None:
    signatures = WRONG[wrong](command)
    before = position(town)
    with pytest.raises(grpc.RpcError) as refused:
        command.send(*signatures)
    told = details_of(refused.value)
    assert told["status"].code == grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert told["ErrorInfo"].reason == "SIGNATURE_INVALID"
    assert "adapters/README.md" in told["ErrorInfo"].metadata["remedy"]
    assert "handtekening" in told["LocalizedMessage"].message
    assert position(town) == before
    # The same request id is free still: what was refused was never taken up.
    assert command.send(command.signature()).version == command.request.expected_version + 1


def test_bytes_changed_on_the_way_are_refused_though_they_say_the_same(town: Town, command: Command) -> None:
    # The same field once more, at the end: the same message to protobuf, other bytes.
    other = command.raw + plan_pb.SetGoalRequest(target_date="2027-06-01").SerializeToString()
    assert plan_pb.SetGoalRequest.FromString(other) == command.request
    before = position(town)
    with pytest.raises(grpc.RpcError) as refused:
        command.send(command.signature(), raw=other)
    assert details_of(refused.value)["ErrorInfo"].reason == "SIGNATURE_INVALID"
    assert position(town) == before


@pytest.mark.parametrize("more", [0, 1])
def test_a_request_too_large_for_the_event_loop_is_verified_alike(
    town: Town, command: Command, more: int
) -> None:
    # Unknown to the contract, so the message says the same; as large as it may be there, and one byte larger.
    filling = HASHED_HERE_MAX + more - len(command.raw) - 4
    large = command.raw + b"\xfa\x07" + bytes((filling & 0x7F | 0x80, filling >> 7)) + b"\0" * filling
    assert len(large) == HASHED_HERE_MAX + more
    before = position(town)
    with pytest.raises(grpc.RpcError) as refused:
        command.send(command.signature(), raw=large)
    assert details_of(refused.value)["ErrorInfo"].reason == "SIGNATURE_INVALID"
    assert position(town) == before
    answer = command.send(command.signature(raw=large), raw=large)
    assert answer.version == command.request.expected_version + 1


def test_each_leaf_of_a_command_carries_what_was_signed(town: Town, command: Command) -> None:
    before = position(town)
    answer = command.send(command.signature())
    found = leaves(town, before, position(town))
    assert len(found) == answer.receipt.leaves
    expected = request_hash(SET_GOAL, command.person.professional, command.raw)
    for leaf in found:
        assert leaf.signed is not None
        assert leaf.signed.request == expected
        assert b64encode(leaf.signed.signature).decode() == command.signature()
    assert parse_leaf(answer.receipt.leaf_entry) == found[-1]


def test_the_same_content_in_other_bytes_is_the_same_command_and_keeps_the_first_signature(
    town: Town, command: Command
) -> None:
    first = command.send(command.signature())
    other = command.raw + plan_pb.SetGoalRequest(target_date="2027-06-01").SerializeToString()
    before = position(town)
    again = command.send(command.signature(raw=other), raw=other)
    assert again == first
    assert position(town) == before


def test_a_refusal_by_the_gate_carries_it_and_a_question_does_not(town: Town, story: Story) -> None:
    stranger = town.worker("college:WMO", "stranger")
    before = position(town)
    with pytest.raises(Denied):
        stranger.plan.set_goal(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            own_words="Weer zelf koken.",
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
    refused, asked = leaves(town, before, position(town))
    assert {refused.topic, asked.topic} == {"disclosure.decided.v1"}
    assert refused.signed is not None
    assert asked.signed is None


def signers(*known: tuple[str, Credentials]) -> dict[str, tuple[bytes, ...]]:
    return {oin: (one.signing_key.public_key().public_bytes_raw(),) for oin, one in known}


def test_who_holds_the_log_and_the_keys_finds_every_command_signed(town: Town, story: Story) -> None:
    story.goal()
    town.care()
    check = SignatureCheck(signers((CITY, town.credentials()), (CARE, town.care())))
    entries = [entry for _, entry in town.core.reader.leaf_rows(0, position(town))]
    check.add(entries)
    assert check.faults == []
    assert check.signed >= check.commands > 3
    assert check.of_service > 1
    assert check.signed + check.questions + check.of_service == len(entries)


def test_every_rpc_with_a_receipt_is_a_command_and_no_other() -> None:
    found = {
        name: bool(command_path(kind.request)) for rpcs in handlers().values() for name, kind in rpcs.items()
    }
    commands = {name for name, is_command in found.items() if is_command}
    assert {"SetGoal", "WithdrawConsent", "JoinOrganisation", "ApproveLegalBasis", "Restrict"} <= commands
    assert not any(name.startswith(("Get", "List", "Find", "Evaluate", "Subscribe")) for name in commands)
    # What a batch brings is signed command by command.
    rest = found.keys() - commands - {"SendCommands"}
    assert all(
        name.startswith(
            (
                *("Get", "List", "Find", "Evaluate", "Subscribe"),
                *("Replay", "Preview", "Facet", "Summarise", "Stream"),
            )
        )
        for name in rest
    ), rest
