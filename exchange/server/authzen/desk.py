"""Who answers behind the administration door: evaluations through the pipeline, candidates for searches.

Promises: every yes or no is a committed decision of the gate; a search looks only where who asks stands
himself, and each of its results was evaluated on its own.
Source: AuthZEN Authorization API 1.0, sections 6 and 8; GDPR 5(1)(f), 5(2).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from exchange.domain import stream_of
from exchange.domain.case import ProfessionalJoined, has_relation
from exchange.domain.relations import relation_of
from exchange.domain.values import Author
from exchange.pipeline.elements import Asker
from exchange.pipeline.evaluation import OFFICER
from exchange.pipeline.walk import EvaluationOutcome, EvaluationWalk
from exchange.server.authzen.asking import (
    ACTIONS,
    COMMAND,
    LABELS,
    PROFESSIONAL,
    RESIDENT,
    SUBSCRIBE,
    Told,
    groups_for,
    pseudonym_of,
    tell,
)
from exchange.server.authzen.messages import Action, Entity
from exchange.store.ports import look

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from exchange.domain.case import CaseState, Professional
    from exchange.server.authzen.messages import Evaluation
    from exchange.server.house import Call
    from exchange.store.batch import Row
    from exchange.store.ports import Found

ROWS_PER_LOOK: Final = 500
# Kinds a search for resources finds: what a professional works on.
_SOUGHT: Final = frozenset({"plan", "case"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: yes or no, and what beside it who asks may know, as JSON would hold it."""

    decision: bool
    context: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible result of a search: the question it answers, and where the search goes on after it.

    `evaluation` is None where nothing is to be asked at this place.
    """

    after: int
    evaluation: Evaluation | None = None


class Desk(Protocol):
    """What the door asks. Candidates come in an order that stays, each after the place it is asked from."""

    async def evaluate(self, call: Call, asked: Evaluation) -> Answer:
        """Answer one question. Raises ExchangeError."""
        ...

    def subjects(self, call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        """Yield who could be the subject of a question without one."""
        ...

    def resources(self, call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        """Yield what could be the resource of a question without one."""
        ...

    def actions(self, call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        """Yield which actions a question without one could be about."""
        ...


class GateDesk:
    """The desk of the service. Owned by the event loop."""

    async def evaluate(self, call: Call, asked: Evaluation) -> Answer:
        """Walk a question; its answer counts as on its way until the call is done. Raises ExchangeError."""
        told = tell(asked, call.caller)
        pipeline = call.house.parts.pipeline
        outcome = await pipeline.submit(await _walk(call, told))
        assert isinstance(outcome, EvaluationOutcome)
        call.at_end.append(pipeline.answering(outcome))
        context: dict[str, Any] = {"id": outcome.decision_id, "reason_admin": {"nl": outcome.explanation}}
        if not outcome.decision:
            context["reason_user"] = {"nl-403": " ".join(outcome.remedies) or outcome.explanation}
        if outcome.rules:
            context["rules"] = list(outcome.rules)
        if outcome.withheld_paths:
            context["withheld_fields"] = list(outcome.withheld_paths)
        return Answer(outcome.decision, context)

    async def subjects(self, call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        """Yield the professionals of the case whom who asks may hear of, in the order they joined."""
        if asked.subject.type != PROFESSIONAL:
            return
        for number, subject in enumerate(await _on_case(call, asked)):
            if number >= start:
                yield Candidate(number + 1, replace(asked, subject=subject))

    async def resources(self, call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        """Yield plans or cases the subject works on, in the order he joined; places are positions."""
        kind = asked.resource.type
        about = tell(asked, call.caller).about
        if kind not in _SOUGHT or asked.subject.type != PROFESSIONAL:
            return
        who = Author(about.organisation, about.task, about.professional)
        officer, everybody = call.caller.task == OFFICER, await _is_operators_officer(call)
        head = await _head(call)
        while True:
            rows, place = await _joins(call, start, head)
            for row in rows:
                start = row.position
                found = await _worked_on(call, row, who)
                if found is None or not (everybody or _may_hear_of(call, found, who, officer=officer)):
                    # Not even judged: how far a search came must not tell how much there is.
                    continue
                key = found.case_id if kind == "case" else found.plan_id
                resource = Entity(kind, key, asked.resource.properties)
                yield Candidate(start, replace(asked, resource=resource))
            start = place
            if start >= head:
                return
            # Perhaps a long stretch of what others joined: the search may stop here and go on later.
            yield Candidate(start)

    async def actions(self, call: Call, asked: Evaluation, start: int) -> AsyncGenerator[Candidate, None]:
        """Yield every action the exchange knows."""
        del call
        if asked.subject.type != PROFESSIONAL or asked.resource.type not in LABELS:
            return
        for number, name in enumerate(ACTIONS[start:], start=start):
            yield Candidate(number + 1, replace(asked, action=Action(name)))


async def _walk(call: Call, told: Told) -> EvaluationWalk:
    caller, house = call.caller, call.house
    asker = Asker(told.about, told.claim.legal_basis, call.now)
    return EvaluationWalk(
        rpc=call.rpc,
        asker=caller,
        caller=told.about,
        claim=told.claim,
        now=call.now,
        anchor=await _anchor(call, told),
        fields=told.fields,
        groups=groups_for(told, house.plan_groups, asker),
        evaluated=told.as_recorded(call.rpc),
        understood=told.understood,
        records=told.action == COMMAND,
        allow_partial=told.allow_partial,
        delivered_later=told.action == SUBSCRIBE,
        takes_back=told.takes_back,
        about_consent=told.about_consent,
        streams=(stream_of("organisation", caller.organisation),),
        collections=house.plan_groups.collections,
        trace=call.trace,
    )


async def _anchor(call: Call, told: Told) -> str:
    if not told.key:
        return ""
    if told.kind != RESIDENT:
        return stream_of(told.kind, told.key)
    # A pseudonym is one's own organisation's: nobody can ask by another's.
    ref = await call.house.residents.find(call.caller.organisation, pseudonym_of(told.key))
    return stream_of(RESIDENT, ref)


async def _on_case(call: Call, asked: Evaluation) -> list[Entity]:
    """Return whom who asks may hear of: colleagues in his task on his case, all as the operator's officer.

    Everybody else hears of himself only, whether there is such a case or not.
    """
    caller = call.caller
    himself = [_as_subject(caller.organisation, caller.task, caller.professional)]
    case = await _case_of(call, asked.resource)
    if case is None:
        return himself
    officer, everybody = caller.task == OFFICER, await _is_operators_officer(call)
    return [
        _as_subject(one.oin, one.task, one.professional)
        for one in case.professionals
        # By the relation that counts now: nobody is found as a stand-in for somebody who left, or twice.
        if relation_of(case, one.oin, one.task, one.professional, call.now) is one
        and (
            everybody
            or _may_hear_of(call, case, Author(one.oin, one.task, one.professional), officer=officer)
        )
    ] or himself


def _may_hear_of(call: Call, case: CaseState, who: Author, *, officer: bool) -> bool:
    """Tell whether a result about somebody on a case could be for who asks, the operator's officer apart."""
    caller = call.caller
    if officer or who.oin != caller.organisation:
        return officer and who.oin == caller.organisation
    return who.task == caller.task and has_relation(
        case, caller.organisation, caller.task, caller.professional, call.now
    )


async def _case_of(call: Call, resource: Entity) -> CaseState | None:
    if resource.type not in _SOUGHT:
        return None
    state = await call.house.state(stream_of(resource.type, resource.id))
    is_case = state is None or resource.type == "case"
    case: CaseState | None = state if is_case else await call.house.state(stream_of("case", state.case_id))
    return case


async def _is_operators_officer(call: Call) -> bool:
    if call.caller.task != OFFICER:
        return False
    own = await call.house.state(stream_of("organisation", call.caller.organisation))
    return own is not None and own.operator


async def _head(call: Call) -> int:
    parts, loop = call.house.parts, asyncio.get_running_loop()
    head, _ = await loop.run_in_executor(call.house.pool, parts.reader.head)
    return head


async def _joins(call: Call, after: int, head: int) -> Found:
    reader, pool = call.house.parts.reader, call.house.pool
    return await asyncio.get_running_loop().run_in_executor(
        pool, look, reader, after, head, ROWS_PER_LOOK, (ProfessionalJoined.TOPIC,)
    )


async def _worked_on(call: Call, row: Row, who: Author) -> CaseState | None:
    """Return the case that somebody works on since he joined it by this event, else None."""
    clear, _, _ = call.house.parts.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    if (clear["oin"], clear["task"], clear["professional"]) != (who.oin, who.task, who.professional):
        return None
    case: CaseState | None = await call.house.state(row.stream)
    if case is None or case.closed:
        return None
    standing: list[Professional] = [
        one for one in case.professionals if one.is_author(who) and one.works_at(call.now)
    ]
    # Who joined again, in a new role, is found once: by the event that his relation stands on.
    return case if any(datetime.fromisoformat(clear["at"]) == one.start for one in standing) else None


def _as_subject(organisation: str, task: str, professional: str) -> Entity:
    return Entity(PROFESSIONAL, professional, {"organisation": organisation, "task": task})
