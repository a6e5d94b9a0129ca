"""Intake: a report, at whichever desk, lands in the same case and plan.

Promises: the desk is recorded and never used to decide; reporting gives a relation to a college only, and
only where no college professional works on the case, so that a report is no way to look into a plan; who has
none afterwards is not to learn whether there was a case.
Source: the domain's design section 2 (P1); Wmo 2015 article 2.3.2 (melding).
"""

from dataclasses import replace
from typing import Final, TypeAlias

from exchange.domain.case import CASE, CaseState, OpenCase, RecordReporter, has_relation
from exchange.domain.kernel import Events, stream_of
from exchange.domain.plan import PLAN, PlanState, ReceiveReport

CASE_PREFIX: Final = stream_of(CASE.name, "")
StreamsOfEvents: TypeAlias = tuple[tuple[str, Events], ...]


def receive_report(
    command: ReceiveReport,
    case: CaseState | None,
    plan: PlanState | None,
    ended: frozenset[tuple[str, str]] = frozenset(),
) -> StreamsOfEvents:
    """Decide on a report over the resident's case and that case's plan; pairs of stream and its new events.

    Without an open case both are opened under the command's ids, which must be new. `ended` are colleges on
    the case, OIN and task, whose task has ended.
    """
    if case is None or case.closed:
        orders = OpenCase(
            now=command.now,
            author=command.author,
            case_id=command.case_id,
            plan_id=command.plan_id,
            resident=command.resident,
        )
        case_events = CASE.decide(orders, None)
        plan_events = PLAN.decide(command, None)
    else:
        # Only a bug of the walk can bring another resident's case.
        assert case.resident == command.resident
        command = replace(command, case_id=case.case_id, plan_id=case.plan_id)
        order = RecordReporter(now=command.now, author=command.author, ended=ended)
        case_events = CASE.decide(order, case)
        plan_events = PLAN.decide(command, plan)
    streams = (
        (stream_of(CASE.name, command.case_id), case_events),
        (stream_of(PLAN.name, command.plan_id), plan_events),
    )
    return tuple((stream, events) for stream, events in streams if events)


def works_on_case_afterwards(
    command: ReceiveReport, case: CaseState | None, streams: StreamsOfEvents
) -> bool:
    """Tell whether the reporter works on the case after these events: then it is no secret to him."""
    state = None if case is None or case.closed else case
    for stream, events in streams:
        if stream.startswith(CASE_PREFIX):
            for event in events:
                state = CASE.evolve(state, event)
    who = command.author
    return has_relation(state, who.oin, who.task, who.professional, command.now)
