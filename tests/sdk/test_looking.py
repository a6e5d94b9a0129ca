"""A command that rests on what was read: asked anew after a conflict on a part, and never merely repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.sdk.errors import Conflict, Refusal, RuleBroken, refused_from
from adapters.sdk.looking import LOOKS_MAX, Look, decide, decide_async, look, look_async
from exchange.errors import VersionConflict
from exchange.v1 import common_pb2 as common
from exchange.v1 import plan_pb2
from exchange.v1 import plan_service_pb2 as pb
from tests.sdk.test_errors import failed

if TYPE_CHECKING:
    from adapters.sdk.aio import AsyncExchangeClient
    from adapters.sdk.client import ExchangeClient

WHY = common.Claim(purpose=common.PURPOSE_WMO_ONDERZOEK, legal_basis="WMO-2.3.2")
CHANGED = pb.PlanConflict(
    decision_id="d-1",
    part_versions=["goals:abc"],
    changes=[pb.PlanChange(part="goals", element_id="g-1", fields=["goals.state"], task="college:PW")],
)


def conflict(changed: pb.PlanConflict | None = CHANGED) -> Conflict:
    return Conflict(Refusal("VERSION_CONFLICT", "changed", conflict=changed))


def read() -> Look:
    return Look(plan_pb2.Plan(), pb.Seen(claim=WHY))


@dataclass
class Plans:
    """Gives what a plan's read would, and keeps what was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def plan(self) -> Plans:
        return self

    def get_plan(self, **asked: Any) -> pb.GetPlanResponse:  # noqa: ANN401 -- fields of the request
        self.asked.append(asked)
        return pb.GetPlanResponse(part_versions=["goals:abc"])


def test_a_look_says_what_was_read_and_on_which_claim() -> None:
    plans = Plans()
    looked = look(cast("ExchangeClient", plans), WHY, "p-1", ["goals.state", "version"], only_named=True)
    assert looked.seen == pb.Seen(
        claim=WHY, fields=["goals.state"], part_versions=["goals:abc"], only_named=True
    )
    (asked,) = plans.asked
    # Of the plan itself only its id: who counts no versions asks for none.
    assert asked["fields"] == ["plan_id", "goals.state"]
    assert asked["with_part_versions"]


@pytest.mark.parametrize("conflicts", range(LOOKS_MAX))
def test_who_decides_is_asked_again_with_what_changed(conflicts: int) -> None:
    told: list[pb.PlanConflict | None] = []

    def command(looked: Look) -> str:
        told.append(looked.changed)
        if len(told) <= conflicts:
            raise conflict()
        return "done"

    assert decide(read, command) == "done"
    assert told == [None, *[CHANGED] * conflicts]


def test_it_ends() -> None:
    tries: list[Look] = []

    def command(looked: Look) -> str:
        tries.append(looked)
        raise conflict()

    with pytest.raises(Conflict) as refused:
        decide(read, command)
    assert refused.value.changed == CHANGED
    assert len(tries) == LOOKS_MAX
    with pytest.raises(ValueError, match="at least one look"):
        decide(read, command, looks_max=0)


@pytest.mark.parametrize("error", [conflict(None), RuleBroken(Refusal("RULE_BROKEN", "no"))])
def test_what_is_no_conflict_of_parts_is_for_who_asked(error: Exception) -> None:
    tries: list[Look] = []

    def command(looked: Look) -> str:
        tries.append(looked)
        raise error

    with pytest.raises(type(error)):
        decide(read, command)
    assert len(tries) == 1


def test_what_changed_comes_with_the_refusal() -> None:
    error = VersionConflict("changed")
    error.detail = CHANGED
    refused = refused_from(failed(error))
    assert isinstance(refused, Conflict)
    assert refused.changed == CHANGED
    assert "g-1" not in str(refused)
    plain = refused_from(failed(VersionConflict("first", expected="1", found="2")))
    assert isinstance(plain, Conflict)
    assert plain.changed is None


class AsyncPlans(Plans):
    """The same for the asyncio client."""

    @property
    def plan(self) -> Any:  # noqa: ANN401 -- its get_plan is a coroutine
        return self

    async def get_plan(self, **asked: Any) -> pb.GetPlanResponse:  # type: ignore[override] # noqa: ANN401 -- as the asyncio client has it
        return Plans.get_plan(self, **asked)


async def test_the_asyncio_client_looks_alike() -> None:
    plans, blocking = AsyncPlans(), Plans()
    fields = ["goals.state", "version"]
    looked = await look_async(cast("AsyncExchangeClient", plans), WHY, "p-1", fields, only_named=True)
    assert looked == look(cast("ExchangeClient", blocking), WHY, "p-1", fields, only_named=True)
    assert plans.asked == blocking.asked


@pytest.mark.parametrize("conflicts", range(LOOKS_MAX + 1))
async def test_the_asyncio_client_decides_alike(conflicts: int) -> None:
    told: list[pb.PlanConflict | None] = []

    async def look_now() -> Look:
        return read()

    async def command(looked: Look) -> str:
        told.append(looked.changed)
        if len(told) <= conflicts:
            raise conflict()
        return "done"

    if conflicts == LOOKS_MAX:
        with pytest.raises(Conflict):
            await decide_async(look_now, command)
    else:
        assert await decide_async(look_now, command) == "done"
    assert told == [None, *[CHANGED] * conflicts][:LOOKS_MAX]
    with pytest.raises(ValueError, match="at least one look"):
        await decide_async(look_now, command, looks_max=0)
