"""Commands that rest on what was read: say so, and look again where somebody else changed it.

Promises: nothing is repeated that was decided on what has changed since; who decides is asked again, with
what stands now and what the other changed; every try is a command of its own, under its own request id.
Source: AIP-154; exchange/README.md (what was seen).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from adapters.sdk.errors import Conflict
from exchange.v1.plan_service_pb2 import Seen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from adapters.sdk.aio import AsyncExchangeClient
    from adapters.sdk.client import ExchangeClient
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.plan_pb2 import Plan
    from exchange.v1.plan_service_pb2 import GetPlanResponse, PlanConflict

_Answer = TypeVar("_Answer")

LOOKS_MAX: Final = 3
# Asked with all else: who may read nothing of a part yet is told its version all the same.
_OWN_ID: Final = "plan_id"


class Look(NamedTuple):
    """A plan as it was read, and what a command says of that; `changed` is why it was read again."""

    plan: Plan
    seen: Seen
    changed: PlanConflict | None = None


def look(
    client: ExchangeClient,
    claim: Claim,
    plan_id: str,
    fields: Iterable[str],
    *,
    only_named: bool = False,
) -> Look:
    """Read these leaf paths of a plan. Raises ExchangeRefused.

    `only_named` is for a command that names an element: of its part nothing but that element counts then.
    """
    asked = _of_parts(fields)
    answer = client.plan.get_plan(
        claim=claim, plan_id=plan_id, fields=[_OWN_ID, *asked], allow_partial=True, with_part_versions=True
    )
    return _looked(answer, claim, asked, only_named=only_named)


async def look_async(
    client: AsyncExchangeClient,
    claim: Claim,
    plan_id: str,
    fields: Iterable[str],
    *,
    only_named: bool = False,
) -> Look:
    """Do what `look` does, with the asyncio client."""
    asked = _of_parts(fields)
    answer = await client.plan.get_plan(
        claim=claim, plan_id=plan_id, fields=[_OWN_ID, *asked], allow_partial=True, with_part_versions=True
    )
    return _looked(answer, claim, asked, only_named=only_named)


def _of_parts(fields: Iterable[str]) -> list[str]:
    return [path for path in fields if "." in path]


def _looked(answer: GetPlanResponse, claim: Claim, asked: list[str], *, only_named: bool) -> Look:
    seen = Seen(claim=claim, fields=asked, part_versions=answer.part_versions, only_named=only_named)
    return Look(answer.plan, seen)


def decide(
    read: Callable[[], Look], command: Callable[[Look], _Answer], *, looks_max: int = LOOKS_MAX
) -> _Answer:
    """Read, and give a command that rests on it; after a conflict read again and decide again.

    `command` gets what stands now and, in `changed`, what another did since: it gives the command with
    `seen=look.seen` and without a request id of before, or raises where it would decide otherwise now. Raises
    Conflict where somebody was first each time, and what `read` and `command` raise.
    """
    changed: PlanConflict | None = None
    for left in reversed(range(looks_max)):
        try:
            return command(read()._replace(changed=changed))
        except Conflict as conflict:
            # A version of the whole plan tells nothing of parts: that one is for who gave it.
            if not left or conflict.changed is None:
                raise
            changed = conflict.changed
    raise ValueError("a command that rests on what was read takes at least one look")


async def decide_async(
    read: Callable[[], Awaitable[Look]],
    command: Callable[[Look], Awaitable[_Answer]],
    *,
    looks_max: int = LOOKS_MAX,
) -> _Answer:
    """Do what `decide` does, with the asyncio client."""
    changed: PlanConflict | None = None
    for left in reversed(range(looks_max)):
        try:
            return await command((await read())._replace(changed=changed))
        except Conflict as conflict:
            # As above: of the whole plan, or the last look.
            if not left or conflict.changed is None:
                raise
            changed = conflict.changed
    raise ValueError("a command that rests on what was read takes at least one look")
