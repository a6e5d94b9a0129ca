"""Suwinet over real HTTPS, in all the ways it can fail: what comes back is an answer, or a named error."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.bsn import Bsn
from adapters.simulators.suwinet.server import Fault, Simulator
from adapters.work_income.errors import (
    AnswerRefused,
    ConfigInvalid,
    FaultAnswered,
    MessageUnsafe,
    SignatureRefused,
    SuwinetUnavailable,
    WorkIncomeError,
)
from adapters.work_income.mapping import findings
from adapters.work_income.services import INCOME, SERVICES, Service
from adapters.work_income.suwinet_port import HttpsSuwinet, Line, load_line
from tests.work_income.papers import BSN, CITY_OIN, OTHER_BSN, SUWI_OIN, write_line

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.suwinet.papers import Authority, Paper

SHORT_S = 1.0
FAILS = {
    Fault.DELAY: (SuwinetUnavailable, "timeout"),
    Fault.SLOW: (SuwinetUnavailable, "timeout"),
    Fault.SLOW_HEAD: (SuwinetUnavailable, "timeout"),
    Fault.CUT: (SuwinetUnavailable, "cut"),
    Fault.ERROR_500: (SuwinetUnavailable, "status-500"),
    Fault.BUSY_429: (SuwinetUnavailable, "status-429"),
    Fault.SOAP_FAULT: (FaultAnswered, "S0042"),
    Fault.WRONG_SIGNATURE: (SignatureRefused, "signature"),
    Fault.WRONG_OIN: (SignatureRefused, "expected OIN"),
    Fault.WRONG_CLOCK: (SignatureRefused, "made now"),
    Fault.EXPIRED: (SignatureRefused, "certificate holds now"),
    Fault.DUPLICATE: (SignatureRefused, "answers this question"),
    Fault.BREAKS_SCHEMA: (AnswerRefused, "ClientSuwi/?"),
    Fault.BOMB: (MessageUnsafe, "DTD"),
    Fault.OTHER_RESIDENT: (AnswerRefused, "of the resident"),
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_each_service_answers(service: Service, simulator: Simulator, line: Line) -> None:
    simulator.know(service.name, BSN)
    suwinet = HttpsSuwinet(line)
    assert len(findings(service, suwinet.ask(service, Bsn(BSN))).facts) == 1
    assert findings(service, suwinet.ask(service, Bsn(OTHER_BSN))).nothing


@pytest.mark.parametrize(("fault", "expected"), FAILS.items(), ids=[one.value for one in FAILS])
def test_each_fault_is_a_named_error(
    fault: Fault, expected: tuple[type[WorkIncomeError], str], simulator: Simulator, line: Line
) -> None:
    kind, why = expected
    suwinet = HttpsSuwinet(line)
    hurried = HttpsSuwinet(replace(line, timeout_s=SHORT_S)) if why == "timeout" else suwinet
    simulator.know(INCOME.name, BSN)
    assert suwinet.ask(INCOME, Bsn(BSN)).name == INCOME.answer
    simulator.fail(fault)
    with pytest.raises(kind) as caught:
        hurried.ask(INCOME, Bsn(BSN))
    assert type(caught.value) is kind
    assert why in str(caught.value)
    assert BSN not in str(caught.value)
    # And then all is well again.
    assert suwinet.ask(INCOME, Bsn(BSN)).name == INCOME.answer


def test_a_fault_of_fwi_is_kept_with_its_code_and_nothing_found_is_an_answer(
    simulator: Simulator, line: Line
) -> None:
    simulator.know(INCOME.name, BSN)
    simulator.fail(Fault.FWI_FAULT, Fault.NOTHING_FOUND)
    suwinet = HttpsSuwinet(line)
    told = findings(INCOME, suwinet.ask(INCOME, Bsn(BSN)))
    assert (told.faults, told.nothing, told.notices[0].from_whom) == (("F0017",), False, "CN=proeftuin")
    assert findings(INCOME, suwinet.ask(INCOME, Bsn(BSN))).nothing


def test_what_a_source_warns_of_is_kept_beside_what_it_knows(simulator: Simulator, line: Line) -> None:
    simulator.know(INCOME.name, BSN)
    simulator.fail(Fault.FWI_WARNING)
    told = findings(INCOME, HttpsSuwinet(line).ask(INCOME, Bsn(BSN)))
    assert (len(told.facts), told.faults) == (1, ())
    assert [(one.kind, one.code) for one in told.notices] == [("Waarschuwing", "W0003")]


def test_nobody_at_the_address_is_a_named_error(line: Line) -> None:
    away = replace(line, endpoints={INCOME.name: "https://localhost:1/x"})
    with pytest.raises(SuwinetUnavailable, match="connection"):
        HttpsSuwinet(away).ask(INCOME, Bsn(BSN))


def test_a_message_id_is_used_once(simulator: Simulator, line: Line) -> None:
    suwinet = HttpsSuwinet(line, fresh_id=lambda: "urn:uuid:again")
    suwinet.ask(INCOME, Bsn(BSN))
    with pytest.raises(SuwinetUnavailable, match="status-400"):
        suwinet.ask(INCOME, Bsn(BSN))
    assert simulator.asked[-1].ended == "message id used before"


def test_a_server_of_another_authority_is_not_spoken_to(
    simulator: Simulator, authority: Authority, city: Paper, tmp_path: Path
) -> None:
    folder = write_line(tmp_path / "line", authority, city)
    (folder / "ca.pem").write_bytes(type(authority)("Een ander").paper.certificate_pem)
    before = len(simulator.asked)
    stranger = load_line(folder, {INCOME.name: simulator.endpoint(INCOME.name)}, SUWI_OIN, 5.0)
    with pytest.raises(SuwinetUnavailable, match="tls"):
        HttpsSuwinet(stranger).ask(INCOME, Bsn(BSN))
    assert len(simulator.asked) == before


@pytest.mark.parametrize("whose", ["stranger", "ended"])
def test_a_client_that_is_not_let_in_asks_nothing(
    whose: str, simulator: Simulator, authority: Authority, city: Paper, tmp_path: Path
) -> None:
    folder = write_line(tmp_path / "line", authority, city)
    paper = (
        type(authority)().issue(CITY_OIN)
        if whose == "stranger"
        else authority.issue(CITY_OIN, begins=timedelta(days=-9), days=1)
    )
    paper.write(folder, "tls")
    before = len(simulator.asked)
    ours = load_line(folder, {INCOME.name: simulator.endpoint(INCOME.name)}, SUWI_OIN, 5.0)
    # With TLS 1.3 a server says no after the client believed that it was let in.
    with pytest.raises(SuwinetUnavailable, match=r"tls|connection"):
        HttpsSuwinet(ours).ask(INCOME, Bsn(BSN))
    assert len(simulator.asked) == before


@pytest.mark.parametrize("shown", ["ended", "another name"])
def test_a_server_that_cannot_show_who_it_is_gets_no_question(
    shown: str, authority: Authority, city: Paper, tmp_path: Path
) -> None:
    ended = authority.issue(SUWI_OIN, begins=timedelta(days=-9), days=1)
    server = Simulator(authority).start(tmp_path / "server", tls=ended if shown == "ended" else None)
    try:
        endpoint = server.endpoint(INCOME.name)
        if shown == "another name":
            # The certificate is for localhost and 127.0.0.1, and this is neither.
            endpoint = endpoint.replace("localhost", "127.1")
        folder = write_line(tmp_path / "line", authority, city)
        ours = load_line(folder, {INCOME.name: endpoint}, SUWI_OIN, 5.0)
        with pytest.raises(SuwinetUnavailable, match="tls"):
            HttpsSuwinet(ours).ask(INCOME, Bsn(BSN))
        assert (server.connections, server.asked) == (1, ())
    finally:
        server.close()


def test_renewed_papers_are_taken_into_use_between_two_questions(
    line: Line, authority: Authority, city: Paper, source: Paper, tmp_path: Path
) -> None:
    folder = write_line(tmp_path / "line", authority, city)
    ours = load_line(folder, line.endpoints, SUWI_OIN, 20.0)
    suwinet = HttpsSuwinet(ours, papers=folder)
    assert suwinet.renew() is False
    # Half of a pair, then another organisation's: each is told once, and the old ones go on.
    for half, told in ((b"x", "PEM"), (source.certificate_pem, "not the key of")):
        (folder / "signing.pem").write_bytes(half)
        with pytest.raises(ConfigInvalid, match=told):
            suwinet.renew()
        assert suwinet.renew() is False
    (folder / "signing.key").write_bytes(source.key_pem)
    with pytest.raises(ConfigInvalid, match="another organisation"):
        suwinet.renew()
    assert suwinet.ask(INCOME, Bsn(OTHER_BSN)).name == INCOME.answer
    fresh = authority.issue(CITY_OIN)
    fresh.write(folder, "signing")
    fresh.write(folder, "tls")
    assert (suwinet.renew(), suwinet.renew()) == (True, False)
    assert suwinet.ask(INCOME, Bsn(OTHER_BSN)).name == INCOME.answer
    assert suwinet.identity.certificate == fresh.certificate


def test_bad_credentials_are_named(authority: Authority, city: Paper, tmp_path: Path) -> None:
    folder = write_line(tmp_path / "line", authority, city)
    (folder / "signing.key").chmod(0o644)
    with pytest.raises(ConfigInvalid, match="open to others"):
        load_line(folder, {}, SUWI_OIN, 5.0)
    (folder / "signing.key").chmod(0o600)
    (folder / "ca.pem").write_bytes(b"x")
    with pytest.raises(ConfigInvalid, match=r"ca\.pem"):
        load_line(folder, {}, SUWI_OIN, 5.0)
    (folder / "tls.key").unlink()
    (folder / "ca.pem").write_bytes(authority.paper.certificate_pem)
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_line(folder, {}, SUWI_OIN, 5.0)
