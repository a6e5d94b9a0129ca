"""What a command on a plan rests on, part by part: what its caller saw, held against what he would see now.

Promises: what others wrote elsewhere is no conflict; of what they wrote in a part he named he is told what
he may read now, by a question that is judged and recorded as every read is; where he may read nothing of it
there is no conflict, and the answer is the one he would get if it had not been written.
Source: exchange/decisions/0080-versions-by-part.md; AIP-154, AIP-193.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.plan import PLAN
from exchange.domain.plan.changes import Change, changes_since, is_named, newest
from exchange.errors import RequestInvalid, VersionConflict
from exchange.pipeline.elements import Asker
from exchange.pipeline.walk import Differs, ReadWalk, Seen
from exchange.server.contract.part_versions import Reader, by_part, part_of, readable_in
from exchange.server.contract.plans import PLAN_LABELS
from exchange.server.walks import claim_of, command
from exchange.v1 import plan_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from exchange.pipeline.walk import CommandOutcome, ReadOutcome, Steps, View
    from exchange.server.house import Call

CHANGES_TOLD_MAX: Final = 20
# Of the 5,000 bytes a status may take; the rest is for the reason and its words.
CHANGES_BYTES_MAX: Final = 3_000
_IS_READ: Final = "READ"
_IS_ONE: Final = "must be left out where `seen` says what the caller saw"


class RestsOn(NamedTuple):
    """The parts a command rests on at least; `named` is the field that names an element of the first."""

    parts: tuple[str, ...]
    named: str = ""


# The resident's word is not among them: it is about all that stands there, read by whatever right.
RESTS_ON: Final[Mapping[str, RestsOn]] = {
    "RecordConversation": RestsOn(("conversations",)),
    "DescribeSituation": RestsOn(("situations",)),
    "SetGoal": RestsOn(("goals",)),
    "AssessLens": RestsOn(("lens_assessments", "goals")),
    "RecordRuleConflict": RestsOn(("rule_conflicts",)),
    "ResolveRuleConflict": RestsOn(("rule_conflicts",), "conflict_id"),
    "RequestSupport": RestsOn(("supports", "goals")),
    "AssignSupport": RestsOn(("supports", "agreements"), "support_id"),
    "StartSupport": RestsOn(("supports",), "support_id"),
    "StopSupport": RestsOn(("supports",), "support_id"),
    "RefuseSupport": RestsOn(("supports",), "support_id"),
    "ChangeSupport": RestsOn(("supports",), "support_id"),
    "SetFunding": RestsOn(("funding", "supports")),
    "MarkGoal": RestsOn(("goals",), "goal_id"),
    "PlanEvaluation": RestsOn(("evaluations",)),
    "HoldEvaluation": RestsOn(("evaluations", "goals"), "evaluation_id"),
    "StartTrajectory": RestsOn(("trajectories", "goals", "agreements")),
    "MoveTrajectory": RestsOn(("trajectories",), "trajectory_id"),
    "AnswerAgreement": RestsOn(("agreements", "answers")),
    "PreferProvider": RestsOn(("preferences",)),
    "InviteProvider": RestsOn(("preferences",), "preference_id"),
}


class Part(NamedTuple):
    """One part as it was seen: its leaf paths, the version, and the one element that counts, or empty."""

    name: str
    paths: tuple[str, ...]
    version: int
    only: str = ""

    def of(self, plan: Any) -> Sequence[Any]:  # noqa: ANN401 -- PlanState
        """Return the elements that count."""
        elements: Sequence[Any] = getattr(plan, self.name)
        return [one for one in elements if is_named(one, self.only)] if self.only else elements


class Told(NamedTuple):
    """What changed, and in which part."""

    part: Part
    change: Change


class Looked:
    """What the caller of one command on a plan saw of it, part by part."""

    def __init__(self, call: Call, request: Any) -> None:  # noqa: ANN401 -- any command on a plan
        """Refuse what does not fit. Raises RequestInvalid."""
        said: pb.Seen = request.seen
        self._call = call
        self._said = said
        self.stream = stream_of(PLAN.name, request.plan_id)
        self._reader = Reader(call.house.pages, call.caller, request.plan_id, said.claim)
        self._parts = tuple(self._opened(request))
        self._groups = call.house.plan_groups

    def _opened(self, request: Any) -> Iterator[Part]:  # noqa: ANN401 -- any command on a plan
        said, rests_on = self._said, RESTS_ON[self._call.rpc]
        read = by_part(said.fields)
        versions = {
            part_of(one): (f"seen.part_versions[{index}]", one)
            for index, one in enumerate(said.part_versions)
        }
        _refuse(dict(_faults(said, rests_on, read, versions)))
        for part, (field, one) in versions.items():
            only = getattr(request, rests_on.named) if said.only_named and part == rests_on.parts[0] else ""
            yield Part(part, read[part], self._reader.open(one, read[part], field), only)

    # --- in the walk ------------------------------------------------------------------------------------

    @property
    def seen(self) -> Seen:
        """What the walk holds against what stands."""
        call, claim = self._call, claim_of(self._said.claim)
        question = ReadWalk(
            rpc=call.rpc,
            caller=call.caller,
            claim=claim,
            now=call.now,
            anchor=self.stream,
            fields=tuple(path for part in self._parts for path in part.paths),
            groups=self._groups.of_plan(self.stream, Asker(call.caller, claim.legal_basis, call.now)),
            capture=self._plan,
            action=_IS_READ,
            allow_partial=True,
            bulk=False,
            trace=call.trace,
            collections=self._groups.collections,
        )
        return Seen(question, self._moved, self._told)

    def _plan(self, view: View) -> Any:  # noqa: ANN401 -- PlanState, or None
        return self._groups.within_term(self.stream, view.state(self.stream), self._call.now)

    def _moved(self, view: View, sealed: frozenset[str]) -> bool:
        plan = self._plan(view)
        return plan is not None and any(self._changes(plan, part, _but(part, sealed)) for part in self._parts)

    def _told(self, outcome: ReadOutcome) -> Sequence[Told]:
        found = [
            Told(part, change)
            for part in self._parts
            for change in self._changes(
                outcome.captured, part, readable_in(part.name, outcome.groups, outcome.released)
            )
        ]
        return sorted(found, key=attrgetter("change.version"), reverse=True)

    @staticmethod
    def _changes(plan: Any, part: Part, readable: Callable[[Any], Any]) -> list[Change]:  # noqa: ANN401 -- PlanState
        return list(changes_since(part.of(plan), part.version, readable))

    # --- out --------------------------------------------------------------------------------------------

    def after(self, version: int) -> list[str]:
        """Return the parts as they stand with the command in them; not one of which one element counted."""
        return [self._reader.seal(one.name, one.paths, version) for one in self._parts if not one.only]

    def conflict(self, differs: Differs) -> pb.PlanConflict:
        """Return what the caller is told, as much as a status holds."""
        outcome, changes = differs
        detail = pb.PlanConflict(decision_id=outcome.decision_id, obligations=outcome.obligations)
        detail.part_versions.extend(self._present(outcome, {told.part for told in changes}))
        for told in changes[:CHANGES_TOLD_MAX]:
            change = _change(told, outcome.links)
            if detail.ByteSize() + change.ByteSize() > CHANGES_BYTES_MAX:
                break
            detail.changes.append(change)
        detail.left_out = len(changes) - len(detail.changes)
        return detail

    def _present(self, outcome: ReadOutcome, parts: Collection[Part]) -> Iterator[str]:
        for part in self._parts:
            if part in parts:
                readable = readable_in(part.name, outcome.groups, outcome.released)
                yield self._reader.seal(part.name, part.paths, newest(part.of(outcome.captured), readable))


def _faults(
    said: pb.Seen, rests_on: RestsOn, read: Collection[str], versions: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    for index, path in enumerate(said.fields):
        if path not in PLAN_LABELS or path.partition(".")[0] not in versions:
            yield f"seen.fields[{index}]", "must be a leaf of a part whose version is given"
    for part, (field, _) in versions.items():
        if part not in read:
            yield field, "must be of a part whose fields were read"
    if len(versions) < len(said.part_versions):
        yield "seen.part_versions", "must hold each part once"
    for part in rests_on.parts:
        if part not in versions:
            yield "seen.part_versions", f"must hold the version of {part}, on which this command rests"
    if said.claim.HasField("break_glass"):
        yield "seen.claim.break_glass", "must be left out: after an emergency give expected_version"
    if said.only_named and not rests_on.named:
        yield "seen.only_named", "must be left out: this command names no element"


def _but(part: Part, sealed: frozenset[str]) -> Callable[[Any], frozenset[str]]:
    leaves = frozenset(path.partition(".")[2] for path in part.paths if path not in sealed)
    return lambda _element: leaves


def _change(told: Told, links: frozenset[str]) -> pb.PlanChange:
    part, change = told
    task, _, oin = change.by.partition("@")
    shown = f"{oin}/{task}" not in links
    return pb.PlanChange(
        part=part.name,
        element_id=change.name,
        added=change.added,
        fields=() if change.added else [f"{part.name}.{leaf}" for leaf in change.leaves],
        oin=oin if shown else "",
        task=task if shown else "",
    )


def _refuse(faults: Mapping[str, str]) -> None:
    if faults:
        raise RequestInvalid("what was seen does not fit this command", dict(faults))


async def commanded(
    call: Call,
    request: Any,  # noqa: ANN401 -- any command on a plan
    process: Callable[[View], Steps],
    streams: tuple[str, ...] = (),
    *,
    fence: bool = False,
) -> tuple[CommandOutcome, dict[str, Any]]:
    """Walk a command on a plan; return its outcome, and which versions its answer tells."""
    stream = stream_of(PLAN.name, request.plan_id)
    if call.rpc not in RESTS_ON or not request.HasField("seen"):
        _refuse({} if request.expected_version else {"expected_version": "must be given, or `seen`"})
        expected = (stream, request.expected_version)
        outcome = await command(
            call, request, anchor=stream, process=process, streams=streams, expected=expected, fence=fence
        )
        return outcome, {"version": outcome.versions[PLAN.name]}
    _refuse({"expected_version": _IS_ONE} if request.expected_version else {})
    looked = Looked(call, request)
    try:
        outcome = await command(
            call, request, anchor=stream, process=process, streams=streams, seen=looked.seen, fence=fence
        )
    except VersionConflict as conflict:
        if isinstance(conflict.differs, Differs):
            # It tells of the resident: a withdrawal waits until it has left, as for every answer.
            call.at_end.append(call.house.parts.pipeline.answering(conflict.differs.outcome))
            conflict.detail = looked.conflict(conflict.differs)
        raise
    return outcome, {"part_versions": looked.after(outcome.versions[PLAN.name])}
