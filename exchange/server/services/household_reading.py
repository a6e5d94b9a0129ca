"""GetHousehold: composed when it is asked, of one walk for each member, each judged and recorded on his own.

Promises: what is told of a household is what is told of each of its members, one by one, and nothing beside;
who is not there to the caller leaves no gap, no count and no id, also not in the goals of others; nothing of
one member is told by what was released of another. That somebody belongs to a household is told where a leaf
of his own `membership` was released, and by nothing else.
Source: protos/exchange/v1/household_service.proto; GDPR 5(1)(c), 25; ADR 76.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.household import HOUSEHOLD, MEMBERSHIP
from exchange.errors import AccessDenied, RequestInvalid
from exchange.pipeline.elements import Asker, claimed_by, groups_of
from exchange.pipeline.hot import SCOPE_PREFIX
from exchange.pipeline.households import ShownMember, as_shown, member_shown, memberships_of, whole_of
from exchange.pipeline.sealed import MEMBERSHIP_PREFIX
from exchange.pipeline.walk import ReadWalk
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of, refuse_unlabelled
from exchange.server.contract.plans import PLAN_LABELS, build_plan
from exchange.server.walks import ask, claim_of
from exchange.v1 import household_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exchange.domain.household import HouseholdState, MembershipState, NamedGoal
    from exchange.pipeline.elements import Groups, Label
    from exchange.pipeline.walk import Group, ReadOutcome, View
    from exchange.server.house import Call

READ: Final = "READ"
MEMBERSHIP_PART, GOALS_PART = "membership", "household_goals"
# What a part of a household is told by, beside the leaves of a plan.
PART_LABELS: Final[Mapping[str, Label]] = {
    f"{part}.{path}": label
    for part, message in ((MEMBERSHIP_PART, pb.Membership), (GOALS_PART, pb.HouseholdGoal))
    for path, label in labels_of(message.DESCRIPTOR).items()
}
LABELS: Final[Mapping[str, Label]] = {**PLAN_LABELS, **PART_LABELS}


class Told(NamedTuple):
    """What one walk found of one resident: his plan as it is seen, and his memberships."""

    plan: Any  # PlanState, or None
    members: tuple[ShownMember, ...]


class Part(NamedTuple):
    """One member, and the walk by which he is told."""

    member: ShownMember
    outcome: ReadOutcome


class Committed:
    """States of some streams as last committed, of others none. Who is found in it is judged by a walk."""

    def __init__(self, states: Mapping[str, Any]) -> None:
        self._states = states

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state."""
        return self._states.get(stream)


async def get_household(call: Call, request: pb.GetHouseholdRequest) -> pb.GetHouseholdResponse:
    """Read the named plan's part first; then, of each household, every other member that is there."""
    asked = _refuse_unlinked(refuse_unlabelled(request.fields, LABELS))
    outcome = await ask(call, _walk(call, request, request.plan_id, asked))
    answer = pb.GetHouseholdResponse(
        decision_id=outcome.decision_id,
        withheld_fields=outcome.withheld_paths,
        rules=outcome.rules,
        obligations=outcome.obligations,
    )
    # A household once, also where two desks brought the same resident into it.
    by_household = {one.household_id: one for one in reversed(outcome.captured.members)}
    for member in reversed(by_household.values()):
        if not _leaves(Part(member, outcome), MEMBERSHIP_PART):
            continue
        others = await _others(call, request, asked, member)
        household = answer.households.add()
        order = (await _household(call, member.household_id)).membership_ids
        parts = {one.member.membership_id: one for one in (Part(member, outcome), *others)}
        there = [parts[name] for name in order if name in parts]
        for part in there:
            _tell(part, frozenset(parts), there, household.members.add())
    return answer


def _refuse_unlinked(asked: tuple[str, ...]) -> tuple[str, ...]:
    if not any(path.startswith(f"{MEMBERSHIP_PART}.") for path in asked):
        raise RequestInvalid(
            "a household is told by who belongs to it",
            fields={"fields": "must hold a leaf of `membership`; for a plan alone there is GetPlan"},
        )
    return asked


def _walk(call: Call, request: pb.GetHouseholdRequest, plan_id: str, asked: tuple[str, ...]) -> ReadWalk:
    """Return the question about one member: of his plan, and of his part in households."""
    stream, now = stream_of("plan", plan_id), call.house.parts.now()
    asker = Asker(call.caller, request.claim.legal_basis, now)

    def capture(view: View) -> Told:
        plan = call.house.plan_groups.within_term(stream, view.state(stream), now)
        whole = whole_of(view)
        members = _members(call, view, stream, asker)
        return Told(plan, tuple(as_shown(whole, one, call.caller, now) for one in members))

    return ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim_of(request.claim),
        now=now,
        anchor=stream,
        fields=asked,
        groups=groups_of_member(call, stream, asker),
        capture=capture,
        action=READ,
        allow_partial=request.allow_partial,
        # It is about more than one resident: never in an emergency.
        bulk=True,
        trace=call.trace,
        collections=call.house.plan_groups.collections,
    )


def _members(call: Call, view: View, stream: str, asker: Asker) -> tuple[MembershipState, ...]:
    plan = view.state(stream)
    return () if plan is None else memberships_of(view, plan.resident, call.caller, asker.now)


def groups_of_member(call: Call, stream: str, asker: Asker) -> Groups:
    """Return the groups of one member: of his plan as for a plan, of his part by who recorded it."""
    plan_groups = call.house.plan_groups

    def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        own = tuple(path for path in paths if path in PART_LABELS)
        found = list(
            plan_groups.of_plan(stream, asker)(view, tuple(p for p in paths if p not in PART_LABELS))
        )
        origins = dict.fromkeys(one.origin for one in _members(call, view, stream, asker))
        if not origins:
            return [*found, *plan_groups.of_whole(stream, PART_LABELS, asker)(view, own)]
        claimed = claimed_by(asker, call.house.parts.register.now)
        for path in own:
            keys = tuple((PART_LABELS[path].category, origin) for origin in origins)
            found += groups_of(path, PART_LABELS[path], keys, "", claimed)
        return found

    return groups


async def _others(
    call: Call, request: pb.GetHouseholdRequest, asked: tuple[str, ...], member: ShownMember
) -> list[Part]:
    """Return the other members of a household that are there, each by a walk of his own."""
    household = await _household(call, member.household_id)
    found: dict[str, MembershipState] = {}
    for membership_id in household.membership_ids:
        other = await found_member(call, membership_id)
        # Who is in it twice, as two desks brought him, is told once; never in the place of who was named.
        if other is not None and other.plan_id != member.plan_id:
            found.setdefault(other.plan_id, other)
    outcomes = await asyncio.gather(*(_ask(call, _walk(call, request, one, asked)) for one in found))
    parts = []
    for other, outcome in zip(found.values(), outcomes, strict=True):
        told = () if outcome is None else outcome.captured.members
        # As the walk found him: since the look above he may have left, or taken his word back.
        shown = next((one for one in told if one.membership_id == other.membership_id), None)
        if outcome is None or shown is None:
            continue
        part = Part(shown, outcome)
        if _leaves(part, MEMBERSHIP_PART):
            parts.append(part)
    return parts


async def plans_at_home(call: Call, plan_id: str) -> frozenset[str]:
    """Return the plans of the members that are there, in the households of one plan's resident."""
    plan = await call.house.state(stream_of("plan", plan_id))
    if plan is None:
        return frozenset()
    found: set[str] = set()
    for stream in await call.house.state(SCOPE_PREFIX + plan.resident):
        if not stream.startswith(MEMBERSHIP_PREFIX):
            continue
        own = await found_member(call, stream.removeprefix(MEMBERSHIP_PREFIX))
        household = None if own is None else await _household(call, own.household_id)
        for membership_id in () if household is None else household.membership_ids:
            other = await found_member(call, membership_id)
            if other is not None:
                found.add(other.plan_id)
    return frozenset(found)


async def _household(call: Call, household_id: str) -> HouseholdState:
    state: HouseholdState = await call.house.state(stream_of(HOUSEHOLD.name, household_id))
    return state


async def found_member(call: Call, membership_id: str) -> MembershipState | None:
    """Look whether a member is there to the caller, so that nobody else is even asked about."""
    streams = [stream_of(MEMBERSHIP.name, membership_id)]
    member = await call.house.state(streams[0])
    if member is None:
        return None
    states = {streams[0]: member}
    for stream in (
        stream_of("resident", member.resident),
        stream_of("consent", member.consent_id),
        stream_of("case", member.case_id),
    ):
        states[stream] = await call.house.state(stream)
    view: Any = Committed(states)
    return member_shown(view, membership_id, call.caller, call.house.parts.now())


async def _ask(call: Call, walk: ReadWalk) -> ReadOutcome | None:
    try:
        return await ask(call, walk)
    except AccessDenied:
        # Recorded with that member; here he is not there.
        return None


def _tell(part: Part, present: frozenset[str], there: Iterable[Part], told: pb.Member) -> None:
    """Write one member: of his plan and of his part, what was released of him."""
    member, outcome = part
    told.decision_id = outcome.decision_id
    told.withheld_fields.extend(outcome.withheld_paths)
    plan = outcome.captured.plan
    of_plan = [group for group in outcome.groups if group.path not in PART_LABELS]
    told.plan.CopyFrom(build_plan(plan, of_plan, outcome.released))
    copies = copies_of(pb.Membership.DESCRIPTOR)
    for leaf in _leaves(part, MEMBERSHIP_PART):
        copies[leaf](member, told.membership)
    leaves = _leaves(part, GOALS_PART)
    goals = {goal.goal_id for goal in plan.goals}
    for one in member.named_goals:
        # What is sealed or past its term in the plan is no goal of the household either.
        if leaves and one.goal_id in goals:
            _tell_goal(one, member.membership_id, leaves, present, there, told.household_goals.add())


def _tell_goal(  # noqa: PLR0917 -- what it names, and who is there
    goal: NamedGoal,
    owner: str,
    leaves: frozenset[str],
    present: frozenset[str],
    there: Iterable[Part],
    told: pb.HouseholdGoal,
) -> None:
    key = (owner, goal.goal_id)
    said_yes = {one.member.membership_id for one in there if key in one.member.agreed}
    named = [one for one in goal.membership_ids if one in present]
    if "goal_id" in leaves:
        told.goal_id = goal.goal_id
    if "membership_ids" in leaves:
        told.membership_ids.extend(named)
    if "agreed_membership_ids" in leaves:
        told.agreed_membership_ids.extend(one for one in named if one in said_yes)


def _leaves(part: Part, of: str) -> frozenset[str]:
    """Return the leaves of a member's part that were released, of who recorded him as a member."""
    prefix = f"{of}."
    return frozenset(
        group.path.removeprefix(prefix)
        for group in part.outcome.groups
        if group.path.startswith(prefix)
        and group.fact.name in part.outcome.released
        and group.origin == part.member.origin
    )
