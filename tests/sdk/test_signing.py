"""Commands are signed as they are sent, and a receipt is taken only of what was signed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import LedgerRefused, ReceiptRefused
from adapters.sdk.signing import SIGNATURE_KEY, require_own, sign
from adapters.sdk.tokens import Person
from exchange.errors import Draining
from exchange.ledger.leaf import Signed, leaf_entry, parse_leaf
from exchange.ledger.signers import command_statement, is_signed_by, request_hash
from exchange.v1.common_pb2 import Receipt
from exchange.v1.plan_service_pb2 import GetPlanResponse, SetGoalRequest, SetGoalResponse
from tests.house.tree import REPOSITORY
from tests.sdk.conftest import OIN, QUICK
from tests.sdk.exchange_fake import FakeExchange, leaf_of, refuse
from tests.sdk.test_client import PLAN, set_goal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import grpc

    from adapters.sdk.client import ExchangeClient
    from exchange.keys.authority import DevelopmentAuthority

SET_GOAL = "/exchange.v1.PlanService/SetGoal"
# The worked example of adapters/README.md: a fixed key, fixed bytes, what comes out.
EXAMPLE_REQUEST = "2fb0e192048001db02184d6ef049900926ddc9518709ddc63356d4303891ff71"
EXAMPLE_SIGNATURE = "zd19OhMqASowhprPad5LRv3ckiih+JUpLbIi8hUIuoHj2kpZnq83e24tdO/yYPYEk0vSkYFbFdFuDOdLl0bDAg=="
EXAMPLE_SENT = bytes.fromhex("0a2461303030303030302d303030302d343030302d383030302d303030303030303030303031")


def test_the_worked_example_is_what_the_sdk_signs_and_what_its_page_says(credentials: Credentials) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    mine = replace(credentials, oin="00000001003214345000", signing_key=key)
    person = Person("wt-014", "college:WMO", "regisseur")
    found = sign(mine, "/exchange.v1.CaseService/LeaveCase", person, EXAMPLE_SENT)
    assert (found.request, found.signature) == (EXAMPLE_REQUEST, EXAMPLE_SIGNATURE)
    page = (REPOSITORY / "adapters" / "README.md").read_text(encoding="utf-8")
    assert EXAMPLE_REQUEST in page
    assert EXAMPLE_SIGNATURE in page
    assert EXAMPLE_SENT.hex() in page


def test_a_command_is_signed_as_sent_and_a_question_is_not(
    exchange: FakeExchange, client: ExchangeClient, credentials: Credentials, person: Person
) -> None:
    exchange.on("SetGoal", lambda *_: SetGoalResponse())
    exchange.on("GetPlan", lambda *_: GetPlanResponse())
    leaf = parse_leaf(set_goal(client).receipt.leaf_entry)
    client.plan.get_plan(plan_id=PLAN)
    command, question = exchange.metadata
    assert SIGNATURE_KEY in command
    assert SIGNATURE_KEY not in question
    raw = exchange.requests["SetGoal"][0].SerializeToString()
    public = credentials.signing_key.public_key().public_bytes_raw()
    assert leaf.signed is not None
    assert leaf.signed.request == request_hash(SET_GOAL, person.professional, raw)
    assert is_signed_by(public, OIN, person.task, leaf.signed)


def test_a_repeat_is_signed_alike(exchange: FakeExchange, client: ExchangeClient) -> None:
    def at_second(_request: object, context: grpc.ServicerContext) -> SetGoalResponse:
        if len(exchange.metadata) == 1:
            refuse(context, Draining("stopping"))
        return SetGoalResponse(version=4)

    exchange.on("SetGoal", at_second)
    assert set_goal(client).version == 4
    first, second = (found[SIGNATURE_KEY] for found in exchange.metadata)
    assert first == second


def test_credentials_renewed_between_two_attempts_sign_the_second_and_either_receipt_is_own(
    exchange: FakeExchange, client: ExchangeClient, authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    renewed = Credentials.load(authority.issue_organisation(OIN, "A", tmp_path / "renewed").folder)
    first: list[bytes] = []

    def kept_at_first(request: SetGoalRequest, context: grpc.ServicerContext) -> SetGoalResponse:
        if not first:
            # Recorded, but the answer is lost.
            first.append(leaf_of(SET_GOAL, request.SerializeToString(), exchange.metadata[0]))
            client.rotate(renewed)
            refuse(context, Draining("stopping"))
        return SetGoalResponse(version=4, receipt=Receipt(leaf_entry=first[0]))

    exchange.on("SetGoal", kept_at_first)
    assert set_goal(client).version == 4
    one, other = (found[SIGNATURE_KEY] for found in exchange.metadata)
    assert one != other


# --- receipts of something else ----------------------------------------------------------------------


def changed(entry: bytes, **keys: str) -> bytes:
    return json.dumps(json.loads(entry) | keys, sort_keys=True, separators=(",", ":")).encode()


OTHER = {
    "none": lambda _: b"",
    "no leaf": lambda _: b"[]",
    "no JSON": lambda _: b"\xff{",
    "unsigned": lambda entry: json.dumps({"a": json.loads(entry)["a"]}).encode(),
    "of another request": lambda entry: changed(entry, rq="0" * 64),
    "another signature": lambda entry: changed(entry, sig=EXAMPLE_SIGNATURE),
    "another organisation": lambda entry: changed(entry, a="00000001003214345000"),
    "another task": lambda entry: changed(entry, k="beheer"),
}


def answering(
    exchange: FakeExchange, change: Callable[[bytes], bytes]
) -> Callable[[SetGoalRequest, object], SetGoalResponse]:
    def answer(request: SetGoalRequest, _context: object) -> SetGoalResponse:
        entry = leaf_of(SET_GOAL, request.SerializeToString(), exchange.metadata[-1])
        return SetGoalResponse(receipt=Receipt(leaf_index=17, leaf_entry=change(entry)))

    return answer


@pytest.mark.parametrize("other", OTHER)
def test_a_receipt_of_something_else_is_refused_and_handed_on(
    exchange: FakeExchange, client: ExchangeClient, other: str
) -> None:
    exchange.on("SetGoal", answering(exchange, OTHER[other]))
    with pytest.raises(ReceiptRefused, match="leaf 17") as refused:
        set_goal(client)
    assert refused.value.receipt.leaf_index == 17
    assert isinstance(refused.value, LedgerRefused)
    assert len(exchange.metadata) == 1, "what was recorded is not sent again"


async def test_the_asyncio_client_refuses_it_too(
    exchange: FakeExchange, credentials: Credentials, person: Person
) -> None:
    exchange.on("SetGoal", answering(exchange, OTHER["of another request"]))
    async with AsyncExchangeClient(exchange.target, credentials, person, patience=QUICK) as client:
        with pytest.raises(ReceiptRefused):
            await client.plan.set_goal(plan_id=PLAN)
        exchange.on("SetGoal", answering(exchange, lambda entry: entry))
        assert (await client.plan.set_goal(plan_id=PLAN)).receipt.leaf_index == 17


def test_what_differs_is_told_apart(credentials: Credentials, person: Person) -> None:
    mine = sign(credentials, SET_GOAL, person, b"request")
    request = request_hash(SET_GOAL, person.professional, b"request")
    statement = command_statement(OIN, person.task, request)
    other_key = Ed25519PrivateKey.from_private_bytes(b"o" * 32)

    def receipt(signed: Signed) -> Receipt:
        entry = leaf_entry(
            event_id=b"i" * 16,
            topic="plan.goal_set.v1",
            organisation=OIN,
            task=person.task,
            purpose="",
            basis="",
            at="2026-01-31T12:00:00Z",
            state=b"",
            pseudonym=None,
            signed=signed,
        )
        return Receipt(leaf_entry=entry)

    require_own(receipt(Signed(request, credentials.signing_key.sign(statement))), [mine])
    with pytest.raises(ReceiptRefused, match="another signature"):
        require_own(receipt(Signed(request, other_key.sign(statement))), [mine])
    with pytest.raises(ReceiptRefused, match="not of the command"):
        require_own(receipt(Signed(b"r" * 32, other_key.sign(statement))), [mine])
    with pytest.raises(ReceiptRefused):
        require_own(receipt(Signed(request, credentials.signing_key.sign(statement))), [])
