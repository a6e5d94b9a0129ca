"""What the service writes beside its stores: log lines, standard outputs, metrics. Nothing of it is personal.

Source: house rules on logs; GDPR 5(1)(c), 32.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.errors import Denied
from adapters.sdk.tokens import Person
from exchange.logs import ALLOWED_KEYS
from tests.e2e.service import ACCESS, AUDIT, CARE, DELIVER, INVESTIGATE, WORD, Case
from tests.e2e.wire import GET_PLAN, REPORT, question, refused, report, token_of

if TYPE_CHECKING:
    from tests.e2e.service import Service

OWN_WORDS = "Ik durf de kelder niet meer in."
REASON = "De spanningen thuis lopen hoog op."
GOAL_WORDS = "Weer rustig slapen in augustus."
NECESSITY = "nodig voor het onderzoek"
PROFESSIONAL = "prof-geheim-77"
METRIC = re.compile(r"^exchange_\w+(?:\{(?P<labels>[^}]*)\})? [-+0-9.einfa]+$")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LABEL = re.compile(r'(?:rpc|code|le|version)="(?:[A-Za-z]+|[A-Z_]+|[0-9.]+|\+Inf)"')


def busy_session(service: Service) -> list[Case]:
    """Let people do what they do, rightly and wrongly; return the cases."""
    care = service.care()
    cases = [Case(service, OWN_WORDS) for _ in range(2)]
    case = cases[0]
    case.goal(GOAL_WORDS)
    case.look_through_work(REASON)
    consent_id = case.give_consent()
    case.let_join(CARE, "wmo-aanbieder", PROFESSIONAL)
    carer = service.client(Person(PROFESSIONAL, "wmo-aanbieder", "begeleider"), care)
    carer.plan.get_plan(claim=DELIVER, plan_id=case.plan_id, fields=["goals.own_words"])
    case.wmo.case.find_case(claim=INVESTIGATE, resident=case.pseudonym, fields=["case_id"])
    case.resident().consent.withdraw_consent(claim=WORD, consent_id=consent_id)
    case.resident().disclosure.list_disclosures(
        claim=ACCESS, case_id=case.case_id, fields=["disclosures.outcome"]
    )
    service.worker("fg", "fg-1").audit.list_decisions(
        claim=AUDIT, fields=["decisions.resident_pseudonym", "decisions.officer_explanation"]
    )
    wrong(service, case)
    return cases


def wrong(service: Service, case: Case) -> None:
    """Do what is refused: what came in must not come out in a log either."""
    stranger = service.worker("college:WMO", PROFESSIONAL)
    with pytest.raises(Denied):
        stranger.plan.get_plan(claim=INVESTIGATE, plan_id=case.plan_id, fields=["goals.own_words"])
    refused(service, REPORT, report(own_words=f"{OWN_WORDS} {case.bsn}"))
    refused(service, REPORT, report(request_id=OWN_WORDS[:36]))
    refused(service, GET_PLAN, question(fields=[f"goals.{case.bsn}"]))
    refused(service, GET_PLAN, question(), token=case.bsn)
    refused(service, GET_PLAN, question(plan_id=case.bsn))
    refused(service, REPORT, report(resident=b"\xff" * 32, own_words=OWN_WORDS))
    refused(service, GET_PLAN, question(), token=token_of(service.credentials(), professional=case.bsn))
    refused(service, GET_PLAN, OWN_WORDS.encode())


def forbidden(cases: list[Case]) -> dict[str, bytes]:
    """Return what must be nowhere, by what it is."""
    found = {
        "own words": b"durf de kelder",
        "a reason": b"spanningen thuis",
        "a goal": b"rustig slapen",
        "a necessity": NECESSITY.encode(),
        "a professional": PROFESSIONAL.encode(),
        "a birth date": b"1980-02-29",
        "another professional": f"w-{cases[0].bsn[-5:]}".encode(),
    }
    for number, case in enumerate(cases):
        raw = case.pseudonym
        found |= {
            f"BSN {number}": case.bsn.encode(),
            f"BSN {number} in UTF-16": case.bsn.encode("utf-16-le"),
            f"pseudonym {number}": raw,
            f"pseudonym {number} in hexadecimal": raw.hex().encode(),
            f"pseudonym {number} in base64": base64.b64encode(raw)[:40],
            f"pseudonym {number} in base64url": base64.urlsafe_b64encode(raw)[:40],
            f"case {number}": case.case_id.encode(),
            f"plan {number}": case.plan_id.encode(),
        }
    return found


def knock(service: Service) -> None:
    """Come without TLS, and wait until that is over: gRPC has a line of its own to say of it."""
    host, port = service.target.split(":")
    with socket.create_connection((host, int(port)), 10) as line, suppress(ConnectionError):
        line.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while line.recv(4_096):
            pass


def metrics(service: Service) -> str:
    """Return one scrape."""
    address = f"http://127.0.0.1:{service.ready['metrics_port']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 -- cases, lines, metrics
    from tests.e2e.service import Service as New

    folder = tmp_path_factory.mktemp("logged")
    service = New(folder / "exchange", log_file=str(folder / "exchange.log"), log_level="debug").start()
    try:
        cases = busy_session(service)
        knock(service)
        scraped = metrics(service)
    finally:
        service.close()
    return cases, (folder / "exchange.log").read_text(encoding="utf-8"), scraped, service


def test_nothing_personal_is_in_logs_metrics_or_standard_outputs(written: Any) -> None:  # noqa: ANN401 -- as above
    cases, lines, scraped, service = written
    assert lines.count('"rpc"') > 20
    wrote = {"log": lines.encode(), "metrics": scraped.encode(), "outputs": service.output.read_bytes()}
    found = [
        f"{what} in {where}"
        for where, text in wrote.items()
        for what, secret in forbidden(cases).items()
        if secret in text
    ]
    assert found == []


def test_nothing_personal_is_stored_in_the_clear(written: Any) -> None:  # noqa: ANN401 -- as above
    cases, _, _, service = written
    secrets = {
        what: secret
        for what, secret in forbidden(cases).items()
        # Who did something, and what it is called here, is what the event store is for.
        if not what.startswith(("case", "plan", "a professional", "another"))
    }
    files = [file for file in service.data.rglob("*") if file.is_file()]
    assert any(file.name == "events.db" for file in files)
    found = [
        f"{what} in {file.name}"
        for file in files
        for what, secret in secrets.items()
        if secret in file.read_bytes()
    ]
    assert found == []


def test_every_log_line_is_json_with_allowed_keys_and_one_for_each_call(written: Any) -> None:  # noqa: ANN401 -- as above
    _, lines, _, _ = written
    told = [json.loads(line) for line in lines.splitlines()]
    assert all(set(line) <= ALLOWED_KEYS for line in told)
    calls = [line for line in told if line["event"] == "call"]
    assert {"GetPlan", "ReceiveReport", "WithdrawConsent", "ListDecisions"} <= {line["rpc"] for line in calls}
    assert {"OK", "PERMISSION_DENIED", "INVALID_ARGUMENT", "UNAUTHENTICATED"} <= {
        line["code"] for line in calls
    }
    assert not [line for line in told if line["event"] == "defect"]
    names = [line["request"] for line in calls if "request" in line]
    assert len(names) > 10
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in names)
    # An id is the salt of what is kept of its command, and stands in no line.
    assert UUID.search(lines) is None


def test_nothing_but_our_lines_is_written(written: Any) -> None:  # noqa: ANN401 -- as above
    _, _, _, service = written
    assert service.said() == ""


def test_metrics_count_calls_by_rpc_and_code_only(written: Any) -> None:  # noqa: ANN401 -- as above
    _, _, scraped, _ = written
    rows = [line for line in scraped.splitlines() if line and not line.startswith("#")]
    assert any(line.startswith('exchange_calls_total{code="OK",rpc="GetPlan"}') for line in rows)
    for line in rows:
        row = METRIC.match(line)
        assert row is not None, line
        labels = row["labels"]
        assert labels is None or all(LABEL.fullmatch(one) for one in labels.split(",")), line
