"""Every question as it was sent and every answer as it came back, held against the official schemas."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.sdk.bsn import Bsn
from adapters.simulators.suwinet.server import Fault
from adapters.work_income.errors import FaultAnswered
from adapters.work_income.services import INCOME, SERVICES, Service
from adapters.work_income.soap import Period
from adapters.work_income.suwinet_port import HttpsSuwinet
from adapters.work_income.wsse import SOAP_NS
from tests.work_income.judges import official, official_fault
from tests.work_income.papers import BSN, OTHER_BSN

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.suwinet.server import Response, Simulator
    from adapters.work_income.suwinet_port import Line


def in_the_body(message: bytes) -> etree._Element:
    (first,) = etree.fromstring(message).iterfind(f"{{{SOAP_NS}}}Body/*")
    return first


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_goes_over_the_line_is_of_the_standard_both_ways(
    service: Service,
    simulator: Simulator,
    line: Line,
    standards_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    questions, answers = [], []
    answered = simulator.answer

    def heard(path: str, data: bytes) -> Response:
        response = answered(path, data)
        questions.append(in_the_body(data))
        answers.append(in_the_body(response.content))
        return response

    monkeypatch.setattr(simulator, "answer", heard)
    simulator.know(service.name, BSN)
    suwinet = HttpsSuwinet(line)
    suwinet.ask(service, Bsn(BSN))
    # Nobody it knows: NietsGevonden.
    suwinet.ask(service, Bsn(OTHER_BSN))
    if service is INCOME:
        suwinet.ask(service, Bsn(BSN), Period("20260101", "20260531"))
    for fault in (Fault.FWI_FAULT, Fault.FWI_WARNING, Fault.NOTHING_FOUND, Fault.SOAP_FAULT):
        simulator.fail(fault)
        with suppress(FaultAnswered):
            suwinet.ask(service, Bsn(BSN))
    for asked in questions:
        official(standards_dir, service.name, "question").assertValid(asked)
    *bodies, fault_answered = answers
    for body in bodies:
        official(standards_dir, service.name, "answer").assertValid(body)
    assert fault_answered.tag == f"{{{SOAP_NS}}}Fault"
    (detail,) = fault_answered.iterfind("detail/*")
    official_fault(standards_dir).assertValid(detail)
    kinds = {etree.QName(child).localname for body in bodies for child in body}
    assert kinds == {"ClientSuwi", "FWI", "NietsGevonden"}
