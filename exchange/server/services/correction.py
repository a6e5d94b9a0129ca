"""Correcting a plan, and the resident's statement beside an element, of ResidentRightsService.

Promises: the correction and who is told of it are one commit, by all that had left before; what is written is
judged under the category of the very field; a plan that is not there is refused like one of others; whoever
is behind a sealed link is told, and nothing in the answer counts it.
Source: GDPR 16, 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.plan import PLAN, AddStatement, PlanCorrected, RectifyPlan
from exchange.domain.plan.correctable import STATEMENT
from exchange.domain.plan.corrections import ElementName
from exchange.domain.plan.fitting import leaves_changed
from exchange.domain.plan.rectified import NAMED_BY
from exchange.domain.rights.corrections import NoteRectified, is_granted
from exchange.domain.rights.request import RIGHTS_REQUEST
from exchange.domain.values import category_of, origin_of
from exchange.errors import RequestInvalid
from exchange.pipeline.elements import BY_LIFE_DOMAIN
from exchange.pipeline.recipients import Wrong, parted, recipients_of
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import Steps
from exchange.server.contract.names import enum_names
from exchange.server.contract.plans import PLAN_COLLECTIONS, PLAN_LABELS
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, receipt
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.descriptor import FieldDescriptor

    from exchange.domain.kernel import Events
    from exchange.domain.rights.recipients import ToTell
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

REQUEST_ID: Final = "rights_request_id"
TOLD: Final = "told"


class Wanted(NamedTuple):
    """What is to be written, by which order, and whose released leaves carried what was wrong.

    A correction is told by those leaves, each recipient of what it got: others may follow from the one that
    is written. A statement is told as the leaf it is.
    """

    order: RectifyPlan | AddStatement
    paths: tuple[str, ...]
    looked_for: tuple[str, ...]
    rights_request_id: str = ""


class Drawn(NamedTuple):
    """Names for what is noted unasked: of those its caller is shown, and of those he is not."""

    request_id: str
    apart_id: str


async def rectify_plan(call: Call, request: pb.RectifyPlanRequest) -> pb.RectifyPlanResponse:
    """Correct one field."""
    element = _element(call, request.element)
    path = f"{element.collection}.{request.field}"
    order = RectifyPlan(
        now=call.now,
        author=author_of(call.caller),
        element=element,
        field=request.field,
        values=_stored(_leaf(path), request.values),
    )
    wanted = Wanted(order, (path,), leaves_changed(path), request.rights_request_id)
    outcome = await _walked(call, request, wanted)
    return pb.RectifyPlanResponse(**_told(outcome))


async def add_statement(call: Call, request: pb.AddStatementRequest) -> pb.AddStatementResponse:
    """Put the resident's words beside an element."""
    element = _element(call, request.element)
    path = f"{element.collection}.{STATEMENT}"
    order = AddStatement(
        now=call.now, author=author_of(call.caller), element=element, statement=request.statement
    )
    # Nobody got it before: who got anything of the element has it incomplete.
    leaves = tuple(sorted(PLAN_COLLECTIONS.get(element.collection, ())))
    outcome = await _walked(call, request, Wanted(order, (path,), leaves))
    return pb.AddStatementResponse(**_told(outcome))


async def _walked(
    call: Call, request: pb.RectifyPlanRequest | pb.AddStatementRequest, wanted: Wanted
) -> CommandOutcome:
    stream = stream_of(PLAN.name, request.plan_id)
    fresh_uuid = call.house.parts.fresh_uuid
    drawn = Drawn(fresh_uuid(), fresh_uuid())

    def process(view: View) -> Steps:
        return _steps(call, view, stream, wanted, drawn)

    return await command(
        call,
        request,
        anchor=stream,
        process=process,
        expected=(stream, request.expected_version),
        fields=_written(wanted),
        # What left before is all on disk then, and nobody is told too little.
        alone=True,
    )


def _steps(call: Call, view: View, stream: str, wanted: Wanted, drawn: Drawn) -> Steps:
    """Return the correction, and before it what is noted and told: the receipt is of the correction."""
    plan, order, asked = view.state(stream), wanted.order, bool(wanted.rights_request_id)
    if isinstance(order, RectifyPlan) and asked and plan is not None:
        request = view.state(stream_of(RIGHTS_REQUEST.name, wanted.rights_request_id))
        order = replace(order, granted=is_granted(request, plan.resident))
    events = PLAN.decide(order, plan)
    (corrected,) = events
    assert isinstance(corrected, PlanCorrected)
    links = kept_from(view.state(stream_of("resident", plan.resident)), call.caller).links
    recipients = _recipients(call, view, corrected, wanted)
    unseen = tuple(one for one in recipients if f"{one.organisation}/{one.task}" in links)
    shown = tuple(one for one in recipients if one not in unseen)
    note = NoteRectified(
        now=call.now,
        author=order.author,
        rights_request_id=wanted.rights_request_id or drawn.request_id,
        resident=plan.resident,
        case_id=plan.case_id,
        plan_id=plan.plan_id,
        paths=wanted.looked_for if isinstance(order, RectifyPlan) else wanted.paths,
        recipients=recipients if asked else shown,
        asked=asked,
    )
    # Under a request all are told on its own stream. Unasked, whoever is behind a sealed link is told on
    # another one: where there is nobody else, the answer names none.
    apart = replace(note, rights_request_id=drawn.apart_id, recipients=unseen, apart=True)
    alone = () if asked else _noted(view, apart)
    noted = [(name, parted(told, links)) for name, told in _noted(view, note)]
    kept = [*alone, *((name, hidden) for name, (hidden, _) in noted if hidden)]
    seen = [(name, told) for name, (_, told) in noted]
    ids = {REQUEST_ID: note.rights_request_id if seen else "", TOLD: str(len(shown))}
    return Steps((*seen, (stream, events)), ids, tuple(kept))


def _noted(view: View, note: NoteRectified) -> list[tuple[str, Events]]:
    """Return what is noted and told, with its stream; nothing where there is nothing to note."""
    stream = stream_of(RIGHTS_REQUEST.name, note.rights_request_id)
    noted = RIGHTS_REQUEST.decide(note, view.state(stream))
    return [(stream, noted)] if noted else []


def _recipients(call: Call, view: View, corrected: PlanCorrected, wanted: Wanted) -> tuple[ToTell, ...]:
    parts = call.house.parts
    found = recipients_of(
        parts.reader,
        parts.codec,
        view,
        corrected.resident,
        wanted.looked_for,
        but=wanted.order.author,
        of=Wrong(corrected.category, corrected.origin, corrected.recorded),
    )
    of_this = (one for one in found if corrected.plan_id in one.plan_ids)
    said = isinstance(wanted.order, AddStatement)
    return tuple(
        replace(one, plan_ids=(corrected.plan_id,), paths=wanted.paths if said else one.paths)
        for one in of_this
    )


def _element(call: Call, said: pb.PlanElement) -> ElementName:
    caller = call.caller
    origin = origin_of(said.task or caller.task, said.oin or caller.organisation)
    leaf = _leaf(f"{said.collection}.{NAMED_BY.get(said.collection, '')}")
    (name,) = _stored(leaf, (said.name,))
    return ElementName(said.collection, name, origin, said.before)


def _leaf(path: str) -> FieldDescriptor | None:
    """Return a leaf of a collection of the plan; None where the plan has none of this name."""
    collection, _, leaf = path.partition(".")
    held = Plan.DESCRIPTOR.fields_by_name.get(collection)
    message = None if held is None else held.message_type
    return None if message is None else message.fields_by_name.get(leaf)


def _stored(leaf: FieldDescriptor | None, values: Iterable[str]) -> tuple[str, ...]:
    """Return the words as they are stored; of an enum's value this version does not know the empty word."""
    if leaf is None or leaf.enum_type is None:
        return tuple(values)
    names, known = enum_names(leaf.enum_type), leaf.enum_type.values_by_name
    return tuple(names.stored(known[one].number) if one in known else "" for one in values)


def _written(wanted: Wanted) -> tuple[tuple[str, str], ...]:
    """Return what the gate judges: the very field, under its category. Raises RequestInvalid."""
    (path,), element = wanted.paths, wanted.order.element
    label = PLAN_LABELS.get(path)
    if label is None:
        raise RequestInvalid("the plan has no such field", fields={"field": "is no field of this collection"})
    by_domain = label.category == BY_LIFE_DOMAIN
    return ((path, category_of(element.name) if by_domain else label.category),)


def _told(outcome: CommandOutcome) -> dict[str, Any]:
    return {
        "receipt": receipt(outcome),
        "version": outcome.versions[PLAN.name],
        REQUEST_ID: outcome.ids[REQUEST_ID],
        "recipients": int(outcome.ids[TOLD]),
    }


RPCS: Final[Mapping[str, Unary]] = {
    "RectifyPlan": Unary(pb.RectifyPlanRequest, rectify_plan),
    "AddStatement": Unary(pb.AddStatementRequest, add_statement),
}
