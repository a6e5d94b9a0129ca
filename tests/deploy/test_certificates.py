"""The door's certificate is renewed on disk while calls run: none is refused, a new connection sees it.

Source: deploy/README.md, certificates; exchange/wiring/renewing.py.
"""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Self

from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import NotAuthenticated, Unreachable
from adapters.sdk.tokens import Person
from deploy.local.processes import wait_until
from exchange.keys.authority import DevelopmentAuthority
from tests.e2e.service import INVESTIGATE, Case

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.service import Service

SEEN_WITHIN_S = 30
CALLS_EACH_TIME = 20
DOORS = ("target", "admin_target", "tiles_target")


def shown(service: Service, door: str) -> bytes:
    """Return the certificate that a new connection to a door is shown, DER."""
    mine = service.credentials()
    context = ssl.create_default_context(cadata=mine.root_pem.decode())
    folder = service.data / "operator"
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    context.set_alpn_protocols(["h2"] if door == "target" else ["http/1.1"])
    host, _, port = service.ready[door].rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=SEEN_WITHIN_S) as line,
        context.wrap_socket(line, server_hostname=host) as secured,
    ):
        told = secured.getpeercert(binary_form=True)
    assert told is not None
    return told


def look_again(service: Service) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)


class Callers:
    """One on a connection that stays, one that opens another for each call; what they meet is kept."""

    def __init__(self, service: Service) -> None:
        self.case = Case(service)
        self.answered = [0, 0]
        self.raised: list[BaseException] = []
        self._service = service
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(nth,)) for nth in (0, 1)]

    def _run(self, nth: int) -> None:
        client = self.case.wmo
        try:
            while not self._enough.is_set():
                if nth:
                    client = self._service.worker("college:WMO", f"w-{self.case.bsn[-5:]}")
                client.plan.get_plan(claim=INVESTIGATE, plan_id=self.case.plan_id, fields=["version"])
                self.answered[nth] += 1
                if nth:
                    client.close()
        except BaseException as raised:  # noqa: BLE001 -- looked at by the test
            self.raised.append(raised)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def go_on(self) -> None:
        goals = [count + CALLS_EACH_TIME for count in self.answered]
        wait_until(
            lambda: bool(self.raised) or all(a >= b for a, b in zip(self.answered, goals, strict=True)),
            SEEN_WITHIN_S,
            "answers to both callers",
        )
        assert self.raised == []


def test_a_certificate_is_renewed_while_calls_run_and_none_is_refused(
    service: Service, tmp_path: Path
) -> None:
    before = {door: shown(service, door) for door in DOORS}
    assert len(set(before.values())) == 1
    made = DevelopmentAuthority(service.data / "authority").issue_server(tmp_path / "renewed")
    renewed = ssl.PEM_cert_to_DER_cert(made.certificate.read_text(encoding="utf-8"))
    door = service.data / "door"
    with Callers(service) as callers:
        callers.go_on()
        # One file after the other, as a renewal may write them: the half of it changes nothing.
        (door / "server.pem").write_bytes(made.certificate.read_bytes())
        look_again(service)
        wait_until(lambda: "certificates_refused" in service.said(), SEEN_WITHIN_S, "the refusal")
        callers.go_on()
        assert {shown(service, name) for name in DOORS} == set(before.values())
        (door / "server.key").write_bytes(made.key.read_bytes())
        look_again(service)
        wait_until(lambda: "certificates_renewed" in service.said(), SEEN_WITHIN_S, "the renewal")
        callers.go_on()
        assert {shown(service, name) for name in DOORS} == {renewed}
    metrics = f"http://127.0.0.1:{service.ready['metrics_port']}/metrics"
    with urllib.request.urlopen(metrics, timeout=SEEN_WITHIN_S) as told:
        assert b"\nexchange_certificate_end_seconds 1." in told.read()


def test_an_authority_comes_and_goes_without_a_restart(service: Service, tmp_path: Path) -> None:
    """Another authority's certificate passes TLS once its root is there, and is refused as unregistered."""
    other = DevelopmentAuthority(tmp_path / "other")
    other.issue_organisation("00000003271543200000", "Zorg Voorbeeld", tmp_path / "care")
    (tmp_path / "care" / "ca.pem").write_bytes((service.data / "operator" / "ca.pem").read_bytes())
    care = Credentials.load(tmp_path / "care")
    file = service.data / "door" / "ca.pem"
    ours = file.read_bytes()

    def ask() -> type[Exception]:
        try:
            client = service.client(Person("b-1", "wmo-aanbieder", "begeleider"), care)
            client.ledger.get_checkpoint()
        except (NotAuthenticated, Unreachable) as refused:
            return type(refused)
        raise AssertionError("nobody registered this certificate")

    def told_more(before: int) -> bool:
        return service.said().count("certificates_renewed") > before

    assert ask() is Unreachable
    for content, expected in ((ours + other.root_pem, NotAuthenticated), (ours, Unreachable)):
        renewals = service.said().count("certificates_renewed")
        file.write_bytes(content)
        look_again(service)
        wait_until(partial(told_more, renewals), SEEN_WITHIN_S, "the other authorities")
        assert ask() is expected
