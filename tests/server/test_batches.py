"""Many commands in one message: each is done, refused, recorded and told of as if it had come alone."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from adapters.sdk import errors
from adapters.sdk.batches import COMMANDS_MAX, SEND_COMMANDS, Batch
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.errors import Overloaded
from exchange.ledger.leaf import parse_leaf
from exchange.logs import open_log
from exchange.server.services.batch import RPCS, SPOKEN, TAKEN
from exchange.v1 import common_pb2 as pb
from exchange.v1.batch_service_pb2 import (
    BatchedCommand,
)
from exchange.v1.plan_service_pb2 import SetGoalRequest, SetGoalResponse
from tests.server.batching import SET_GOAL, Raw, goal, head
from tests.server.story import Story
from tests.server.town import CITY, INVESTIGATE, Town, details_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def raw(town: Town, story: Story) -> Raw:
    return Raw(town, story)


def test_commands_on_one_plan_are_done_in_their_order_and_those_on_others_beside_them(town: Town) -> None:
    first, second = Story(town, next(town.bsns)), Story(town, next(town.bsns))
    batch = Batch()
    found = []
    for number in range(4):
        found += [goal(batch, one, one.version + number) for one in (first, second)]
    worker = town.worker("college:WMO", f"w-{first.bsn[-5:]}")
    # Neither is the other's colleague: who may not write on a plan is refused for it alone.
    worker.send_batch(batch)
    assert [one.answer().version for one in found[::2]] == [first.version + number for number in (1, 2, 3, 4)]
    for one in found[1::2]:
        with pytest.raises(errors.Denied):
            one.answer()


def test_each_command_has_a_leaf_of_its_own_with_the_signature_it_came_with(town: Town, story: Story) -> None:
    batch = Batch()
    found = [goal(batch, story, story.version + number) for number in range(3)]
    story.wmo.send_batch(batch)
    receipts = [one.answer().receipt for one in found]
    # Sorted by place: the SDK took them, so each leaf carries what was signed of it.
    assert [one.leaf_index for one in receipts] == sorted({one.leaf_index for one in receipts})
    for receipt in receipts:
        assert parse_leaf(receipt.leaf_entry).signed is not None
        ((_, kept),) = town.core.reader.leaf_rows(receipt.leaf_index, receipt.leaf_index + 1)
        assert kept == receipt.leaf_entry


def test_one_that_is_refused_takes_no_other_along(town: Town, story: Story) -> None:
    batch = Batch()
    good = goal(batch, story, story.version)
    late = goal(batch, story, story.version)
    nobody = goal(batch, story, 1, plan_id=str(uuid4()))
    odd = goal(batch, story, story.version + 1, own_words="")
    after = goal(batch, story, story.version + 1)
    story.wmo.send_batch(batch)
    assert good.answer().version == story.version + 1
    assert after.answer().version == story.version + 2
    for one, kind in ((late, errors.Conflict), (nobody, errors.Denied), (odd, errors.Invalid)):
        with pytest.raises(kind) as refused:
            one.answer()
        assert refused.value.request_id == one.request.request_id  # type: ignore[attr-defined] # of a command
    assert isinstance(odd.refused, errors.Invalid)
    assert odd.refused.field_violations == {"own_words": "must be given"}
    assert len(town.state("plan", story.plan_id).goals) == 2


def test_what_comes_again_is_done_once_in_whatever_it_comes(town: Town, story: Story) -> None:
    ids = [str(uuid4()) for _ in range(3)]

    def sent(*numbers: int) -> list[SetGoalResponse]:
        batch = Batch()
        found = [goal(batch, story, story.version + one, request_id=ids[one]) for one in numbers]
        story.wmo.send_batch(batch)
        return [one.answer() for one in found]

    first = sent(0, 1)
    stands = head(town)
    assert sent(1) == first[1:]
    assert sent(0, 1) == first
    assert head(town) == stands
    alone = story.wmo.plan.set_goal(request_id=ids[0], **_fields(story, 0))
    assert alone == first[0]
    assert sent(0, 1, 2)[:2] == first
    with pytest.raises(errors.RequestIdReused):
        story.wmo.plan.set_goal(request_id=ids[2], **_fields(story, 2) | {"own_words": "Iets anders."})


def _fields(story: Story, number: int) -> dict[str, Any]:
    batch = Batch()
    goal(batch, story, story.version + number)
    request = batch.collected[0].request
    assert isinstance(request, SetGoalRequest)
    return {field.name: value for field, value in request.ListFields() if field.name != "request_id"}


@pytest.mark.parametrize("wrong", ["bytes", "rpc", "person"])
def test_what_its_organisation_did_not_sign_is_not_read(raw: Raw, wrong: str) -> None:
    good, bad = raw.command(), raw.command()
    if wrong == "bytes":
        bad.request += b"\x7a\x00"
    elif wrong == "rpc":
        bad = raw.command(signed_as="/exchange.v1.PlanService/MarkGoal")
    else:
        raw.person = Person("somebody-else", "college:WMO", "regisseur")
        bad, raw.person = raw.command(), Person(f"w-{raw.story.bsn[-5:]}", "college:WMO", "regisseur")
    stands = head(raw.town)
    assert raw.reason(bad)[0] == "SIGNATURE_INVALID"
    assert head(raw.town) == stands
    told = raw.send(bad, good).outcomes
    assert [one.WhichOneof("outcome") for one in told] == ["status", "response"]


@pytest.mark.parametrize(
    "rpc",
    [
        "/exchange.v1.PlanService/GetPlan",
        "/exchange.v1.PlanService/AgreeToPlan",
        "/exchange.v1.ConsentService/GiveConsent",
        "/exchange.v1.HandoverService/ReceivePart",
        "/exchange.v1.ResidentRightsService/ApproveErasure",
        SEND_COMMANDS.path,
        "SetGoal",
    ],
)
def test_what_is_not_done_in_a_batch_is_named_and_nothing_is_recorded(raw: Raw, rpc: str) -> None:
    stands = head(raw.town)
    reason, fields = raw.reason(raw.command(rpc=rpc, signed_as=rpc))
    assert (reason, list(fields)) == ("REQUEST_INVALID", ["rpc"])
    assert head(raw.town) == stands


def test_an_emergency_is_no_part_of_a_batch(raw: Raw) -> None:
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="Er is gevaar.")
    urgent = claim(pb.PURPOSE_WMO_ONDERZOEK, "AVG-6.1.d", break_glass=glass)
    stands = head(raw.town)
    reason, fields = raw.reason(raw.command(claim=urgent))
    assert (reason, list(fields)) == ("REQUEST_INVALID", ["claim.break_glass"])
    assert head(raw.town) == stands


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"rpc": ""}, "commands[1].rpc"),
        ({"request": b""}, "commands[1].request"),
        ({"signature": b"\0" * 63}, "commands[1].signature"),
        ({"rpc": "x" * 101}, "commands[1].rpc"),
    ],
)
def test_a_batch_without_its_shape_is_refused_whole(raw: Raw, changes: dict[str, Any], path: str) -> None:
    good, bad = raw.command(), raw.command()
    for name, value in changes.items():
        setattr(bad, name, value)
    stands = head(raw.town)
    with pytest.raises(grpc.RpcError) as refused:
        raw.send(good, bad)
    assert [one.field for one in details_of(refused.value)["BadRequest"].field_violations] == [path]
    assert head(raw.town) == stands


def test_none_and_too_many_are_refused_whole(raw: Raw) -> None:
    command, stands = raw.command(), head(raw.town)
    for commands in ([], [command] * (COMMANDS_MAX + 1)):
        with pytest.raises(grpc.RpcError) as refused:
            raw.send(*commands)
        assert [one.field for one in details_of(refused.value)["BadRequest"].field_violations] == ["commands"]
    assert head(raw.town) == stands


def test_bytes_that_are_no_request_of_the_rpc_are_refused_for_themselves(raw: Raw) -> None:
    bad = BatchedCommand(rpc=SET_GOAL, request=b"\xff\xff", signature=b"\0" * 64)
    told = raw.send(bad, raw.command()).outcomes
    assert [one.WhichOneof("outcome") for one in told] == ["status", "response"]


def test_each_command_takes_its_share(tmp_path: Path) -> None:
    with (tmp_path / "exchange.log").open("a", encoding="utf-8") as lines:
        town = Town(tmp_path / "town", open_log(stream=lines), calls_per_second=0.001, calls_burst=12)
        town.start()
        try:
            story = Story(town, next(town.bsns))
            stands, batch = head(town), Batch()
            # Three of twelve are used, to make him: of ten, one would not be done, so none is.
            found = [goal(batch, story, story.version + number) for number in range(10)]
            story.wmo.with_timeout(20.0).send_batch(batch)
            assert {one.refused.reason for one in found} == {"QUOTA_EXCEEDED"}  # type: ignore[union-attr] # refused
            assert head(town) == stands
            larger = Batch()
            found = [goal(larger, story, story.version + number) for number in range(13)]
            story.wmo.send_batch(larger)
            assert {type(one.refused) for one in found} == {errors.Invalid}
        finally:
            town.close()


def test_what_is_refused_for_now_holds_back_what_comes_behind_it_on_the_same_plan(
    town: Town, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Story(town, next(town.bsns))
    other.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=other.case_id,
        oin=CITY,
        task="college:WMO",
        professional=f"w-{story.bsn[-5:]}",
        role="begeleider",
    )
    submit, seen = town.pipeline.submit, []

    async def full_once(walk: Any) -> Any:  # noqa: ANN401 -- any walk
        seen.append(walk.anchor)
        if len(seen) == 1:
            raise Overloaded("the queue is full")
        return await submit(walk)

    monkeypatch.setattr(town.pipeline, "submit", full_once)
    batch = Batch()
    held = [goal(batch, story, story.version + number) for number in range(3)]
    elsewhere = goal(batch, other, other.version)
    person = Person(f"w-{story.bsn[-5:]}", "college:WMO", "regisseur")
    with ExchangeClient(town.target, town.credentials(), person) as patient:
        patient.send_batch(batch)
    # Once for the first, once for the other plan, and then the three in their order.
    assert len(seen) == 5
    assert [one.answer().version for one in held] == [story.version + number for number in (1, 2, 3)]
    assert elsewhere.answer().receipt.leaves


def test_a_line_of_the_log_for_each_and_for_the_batch_and_no_word_of_anybody(
    town: Town, story: Story
) -> None:
    batch = Batch()
    found = [goal(batch, story, story.version), goal(batch, story, story.version)]
    log = town.settings.data / "exchange.log"
    before = log.stat().st_size
    story.wmo.send_batch(batch)
    expected = [("SendCommands", "OK"), ("SetGoal", "ABORTED"), ("SetGoal", "OK")]
    # A line is written behind the answer.
    for _ in range(200):
        with log.open(encoding="utf-8") as file:
            file.seek(before)
            lines = [json.loads(line) for line in file]
        lines = [one for one in lines if one.get("rpc") in {"SendCommands", "SetGoal"}]
        if len(lines) == len(expected):
            break
        time.sleep(0.05)
    assert sorted((one["rpc"], one["code"]) for one in lines) == expected
    said = json.dumps(lines)
    for secret in ("koken", story.plan_id, story.bsn, *(one.request.request_id for one in found)):  # type: ignore[attr-defined] # of a command
        assert secret not in said
    assert len({one["request"] for one in lines if one["rpc"] == "SetGoal"}) == 2


def test_what_people_say_and_officers_decide_is_taken_one_at_a_time() -> None:
    names = {one.name for one in TAKEN.values()}
    assert not names & SPOKEN
    assert not {name for name in names if "Consent" in name or "Erasure" in name or "Handover" in name}
    assert {"SetGoal", "ReceiveReport", "AssignSupport", "StartSupport", "ConfirmPurge"} <= names
    assert all(one.kind.person for one in TAKEN.values())
    assert RPCS["SendCommands"].taken is TAKEN


def test_the_deadline_is_of_the_whole_and_what_was_done_is_found_by_its_id(
    town: Town, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit: Callable[[Any], Any] = town.pipeline.submit

    reached = threading.Event()

    async def slow(walk: Any) -> Any:  # noqa: ANN401 -- any walk
        outcome = await submit(walk)
        if walk.anchor == f"plan-{story.plan_id}" and walk.expected[1] == story.version + 1:
            reached.set()
            await asyncio.Event().wait()
        return outcome

    monkeypatch.setattr(town.pipeline, "submit", slow)
    ids = [str(uuid4()) for _ in range(2)]
    for timeout_s in (0.5, 5.0, 50.0):
        batch = Batch()
        found = [goal(batch, story, story.version + number, request_id=ids[number]) for number in range(2)]
        story.wmo.with_timeout(timeout_s).send_batch(batch)
        assert [type(one.refused) for one in found] == [errors.OutcomeUnknown] * 2
        # A busy machine may not come so far: then it is asked again, with more time.
        if reached.is_set():
            break
    monkeypatch.setattr(town.pipeline, "submit", submit)
    again = Batch()
    same = [
        goal(again, story, story.version + number, request_id=request_id)
        for number, request_id in enumerate(ids)
    ]
    stands = head(town)
    story.wmo.send_batch(again)
    assert [one.answer().version for one in same] == [story.version + 1, story.version + 2]
    assert head(town) == stands
