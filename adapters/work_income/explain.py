"""What would become of an answer of Suwinet, without asking or sending anything.

Promises: names what would be filled in, what would be left to a person and what stays behind, and under which
basis; the text holds what the answer says but no BSN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.work_income.binding import judge, schema_of
from adapters.work_income.drafts import Told
from adapters.work_income.errors import AnswerRefused
from adapters.work_income.exchange_port import ASKING, WRITING
from adapters.work_income.mapping import findings
from adapters.work_income.services import SERVICES, SERVICES_OF
from adapters.work_income.wsse import SOAP_NS
from adapters.work_income.xml import parse, read_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

    from adapters.work_income.services import Service


def explain(data: bytes) -> str:
    """Return lines for a person, of an answer with its envelope or without. Raises AnswerRefused.

    The signature is not looked at: an answer that lies in a file has lost its moment and its question.
    """
    root = parse(data)
    if root.tag == f"{{{SOAP_NS}}}Envelope":
        body = root.find(f"{{{SOAP_NS}}}Body")
        if body is None or len(body) != 1:
            raise AnswerRefused("exactly one element", "Body")
        root = body[0]
    service = _service_of(root)
    answer = read_node(root)
    judge(answer, schema_of(service, "answer"))
    return "".join(f"{line}\n" for line in _lines(service, Told.of([findings(service, answer)])))


def _service_of(root: etree._Element) -> Service:
    for service in SERVICES.values():
        if root.tag == f"{{{service.namespace}}}{service.answer}":
            return service
    raise AnswerRefused("an answer of one of the four services", "/")


def _lines(service: Service, told: Told) -> Iterator[str]:
    purposes = ", ".join(purpose for purpose, asked in SERVICES_OF.items() if service in asked)
    yield f"service: {service.name} {service.version}"
    yield f"asked for: {purposes}, on {ASKING}; written on {WRITING}"
    for one in told.prefills:
        yield f"fills in {one.domain.value}, source {one.source}, where no person wrote:"
        yield from (f"  {line}" for line in one.description.splitlines())
    for goal in told.goals:
        yield f"draft of a goal, for a person: {goal.desired_effect}"
        yield from (f"  {action}" for action in goal.actions)
    for path in told.trajectories:
        yield f"draft of a trajectory, for a person: {path.activity}, from {path.start_day}"
    for notice in told.notices:
        yield f"notice {notice.kind} {notice.code} from {notice.from_whom}"
    if told.nothing:
        yield "nothing found"
    yield "stays behind: names, addresses, partners, claims, sanctions and every other element"
