"""Batches of the SDK to a real node whose door knows none: each command once, with the end it has in one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.batches import SEND_COMMANDS, Batch, Collected
from adapters.sdk.one_by_one import is_taken
from exchange.server import app
from exchange.server.services.batch import TAKEN
from exchange.v1 import common_pb2 as pb
from exchange.v1.plan_service_pb2 import Seen
from tests.sdk.exchange_fake import RPCS
from tests.server.batching import goal, head
from tests.server.town import INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story


class Older:
    """A door that is of a version before for as long as a test says so."""

    def __init__(self) -> None:
        self.now = False
        self.asked: list[str] = []

    def closes(self, path: str) -> bool:
        self.asked.append(path)
        return self.now and path == SEND_COMMANDS.path


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Older:
    made, served = Older(), app._Table.service

    def service(self: app._Table, details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 -- gRPC's handler
        return None if made.closes(details.method) else served(self, details)

    monkeypatch.setattr(app._Table, "service", service)
    return made


def client_of(story: Story) -> ExchangeClient:
    """Return a line of its own: what was heard over it is heard by nobody else."""
    return story.town.worker("college:WMO", f"w-{story.bsn[-5:]}")


def again(batch: Batch) -> Batch:
    """Return the same commands, of which nothing is known."""
    made = Batch()
    made.collected.extend([Collected(one.rpc, one.request) for one in batch.collected])
    return made


def ends(batch: Batch) -> list[Any]:
    """Return what became of each command: what was answered, or all that was said of a refusal."""
    found: list[Any] = []
    for one in batch.collected:
        refused = one.refused
        if refused is None:
            found.append(one.answer())
            continue
        assert isinstance(refused, errors.ExchangeRefused)
        # A decision is recorded each time it is made.
        told = asdict(refused.refusal)
        found.append((type(refused), {**told, "decision_id": ""}))
    return found


def mixed(story: Story) -> Batch:
    """Collect commands with all kinds of ends, three of which are done."""
    batch, version = Batch(), story.version
    goal(batch, story, version)
    goal(batch, story, version)
    goal(batch, story, 1, plan_id=str(uuid4()))
    goal(batch, story, version + 1, own_words="")
    goal(batch, story, version + 1)
    goal(batch, story, version + 2)
    return batch


def test_what_is_sent_one_by_one_is_done_in_its_order_and_ends_as_in_a_batch(
    town: Town, story: Story, older: Older
) -> None:
    older.now = True
    batch, before = mixed(story), head(town)
    client_of(story).send_batch(batch)
    kinds = [type(one.refused) for one in batch.collected]
    assert kinds == [type(None), errors.Conflict, errors.Denied, errors.Invalid, type(None), type(None)]
    done = [one.answer() for one in batch.collected if one.refused is None]
    assert [one.version for one in done] == [story.version + 1, story.version + 2, story.version + 3]
    assert older.asked.count(SEND_COMMANDS.path) == 1
    assert head(town) > before
    # Sent whole to a node that was replaced, and to one that was not: what was done is answered alike.
    stands = [one.receipt for one in done]
    for now in (False, True):
        older.now = now
        same = again(batch)
        client_of(story).send_batch(same)
        assert [one.answer().receipt for one in same.collected if one.refused is None] == stands
    assert town.state("plan", story.plan_id).version == story.version + 3


def test_a_batch_of_which_part_was_done_by_a_newer_node_is_not_done_twice(
    town: Town, story: Story, older: Older
) -> None:
    batch = Batch()
    for number in range(6):
        goal(batch, story, story.version + number)
    half = Batch()
    half.collected.extend(batch.collected[:3])
    # Its answer is lost: who sent it knows nothing of it.
    client_of(story).send_batch(half)
    lost = [one.answer() for one in half.collected]
    older.now, before = True, head(town)
    whole = again(batch)
    client_of(story).send_batch(whole)
    answers = [one.answer() for one in whole.collected]
    assert answers[:3] == lost
    assert [one.version for one in answers] == [story.version + 1 + number for number in range(6)]
    assert town.state("plan", story.plan_id).version == story.version + 6
    leaves = {one.receipt.leaf_index for one in answers}
    assert len(leaves) == 6
    assert head(town) - before == 3


@pytest.mark.parametrize("what", ["spoken", "emergency", "seen", "resident"])
def test_what_a_batch_does_not_take_is_refused_alike_and_nothing_is_sent(
    town: Town, story: Story, older: Older, what: str
) -> None:
    sender: Callable[[], ExchangeClient] = lambda: client_of(story)  # noqa: E731 -- one line, replaced for one case
    batch = Batch()
    if what == "spoken":
        batch.plan.agree_to_plan(claim=INVESTIGATE, plan_id=story.plan_id)
    elif what == "emergency":
        urgent = pb.Claim()
        urgent.CopyFrom(INVESTIGATE)
        urgent.break_glass.SetInParent()
        urgent.break_glass.reason = "gevaar voor de inwoner, nu meteen"
        goal(batch, story, story.version, claim=urgent)
    elif what == "seen":
        looked = Seen(claim=INVESTIGATE, fields=["goals.own_words"], part_versions=[f"{'a' * 8}.1"])
        goal(batch, story, 0, seen=looked)
    else:
        goal(batch, story, story.version)
        sender = story.resident
    before = head(town)
    together, alone = again(batch), again(batch)
    sender().send_batch(together)
    assert [type(one.refused) for one in together.collected] == [errors.Invalid]
    older.now = True
    older.asked.clear()
    sender().send_batch(alone)
    assert [path for path in older.asked if path in RPCS] == [SEND_COMMANDS.path]
    told, whole = ends(alone)[0], ends(together)[0]
    assert told == whole
    assert head(town) == before


def test_both_know_the_same_commands_as_those_of_a_batch() -> None:
    commands = {path: rpc for path, rpc in RPCS.items() if rpc.is_command}
    assert {path for path, rpc in commands.items() if is_taken(rpc)} == set(TAKEN)
