"""The four services on one port of loopback: HTTPS with client certificates, and faults on demand.

Promises: answers only what proves whose it is; counts who connects, whatever becomes of it; keeps of each
question which service, which message id and how it ended, never a BSN; a fault happens as often as it was
asked for, in order, and then all is well again.
Source: SuwiML Transactiestandaard 4.0; SOAP 1.1 over HTTP.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from adapters.simulators.suwinet import people
from adapters.simulators.suwinet.messages import (
    SOAP,
    Question,
    QuestionRefused,
    Reply,
    read_question,
    written,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from adapters.simulators.suwinet.papers import Authority, Paper

OIN: Final = "00000004003214345001"
QUESTION_BYTES_MAX: Final = 256 * 1024
DELAY_S: Final = 30.0
DRIP_S: Final = 0.02
DRIP_HEAD_BYTES: Final = 1_000
_JUNK: Final = b"<html><body>Bad Gateway</body></html>"
_BOMB: Final = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'


class Fault(Enum):
    """What can go wrong on this side."""

    DELAY = "delay"
    ERROR_500 = "error-500"
    BUSY_429 = "busy-429"
    SOAP_FAULT = "soap-fault"
    FWI_FAULT = "fwi-fault"
    FWI_WARNING = "fwi-warning"
    NOTHING_FOUND = "nothing-found"
    CUT = "cut"
    SLOW = "slow"
    SLOW_HEAD = "slow-head"
    WRONG_SIGNATURE = "wrong-signature"
    WRONG_OIN = "wrong-oin"
    WRONG_CLOCK = "wrong-clock"
    EXPIRED = "expired"
    DUPLICATE = "duplicate"
    BREAKS_SCHEMA = "breaks-schema"
    BOMB = "bomb"
    OTHER_RESIDENT = "other-resident"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that came in, and how it ended: `answered`, a fault, or the rule that refused it."""

    service: str
    message_id: str
    ended: str


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back: a status, bytes, and of a cut answer how many of them."""

    status: int
    content: bytes
    sent: int | None = None
    drip: bool = False
    drip_head: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    connections = 0  # owned by the one thread that accepts

    def get_request(self) -> tuple[socket.socket, Any]:
        """Count who comes, before the first byte is read."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Take a connection that broke, before or after a question, as over."""


class Simulator:
    """Suwinet on loopback. Safe between threads."""

    def __init__(
        self,
        authority: Authority,
        oin: str = OIN,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Callable[[Asked], None] = lambda _asked: None,
    ) -> None:
        self._authority: Final = authority
        self._watch: Final = watch
        self._oin: Final = oin
        self._clock: Final = clock
        self._paper: Final = authority.issue(oin)
        self._lock: Final = threading.Lock()
        self._faults: Final[deque[Fault]] = deque()  # owned by whoever holds the lock, as all below
        self._asked: Final[list[Asked]] = []
        self._seen: Final[set[str]] = set()
        self._known: Final[dict[tuple[str, str], list[people.Told]]] = {}
        self._everybody = False
        self._last: dict[str, bytes] = {}
        self._stopping: Final = threading.Event()
        self._server: _Server | None = None

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, folder: Path, port: int = 0, tls: Paper | None = None) -> Simulator:
        """Listen; `folder` gets the files a server needs. `tls` is shown instead of our own certificate."""
        (tls or self._paper).write(folder, "server")
        (folder / "ca.pem").write_bytes(self._authority.paper.certificate_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        server = _Server(("127.0.0.1", port), _handler(self))
        # The handshake is done by the thread of the connection, not by the one that accepts.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self) -> None:
        """Stop listening."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def endpoint(self, service: str) -> str:
        """Return the address of a service."""
        if self._server is None:
            raise RuntimeError("the simulator does not listen yet")
        version, _ = people.SERVICES[service]
        return f"https://localhost:{self._server.server_address[1]}/{service}-{version}"

    # --- what a test or a demo says -----------------------------------------------------------------------

    def know(self, service: str, bsn: str, known: list[people.Told] | None = None) -> None:
        """Let a source know a resident: what is given, or what `people` tells."""
        with self._lock:
            self._known[service, bsn] = people.ANSWERS[service] if known is None else known

    def know_everybody(self) -> None:
        """Let every source know whoever is asked for: as `people` tells."""
        with self._lock:
            self._everybody = True

    def fail(self, *faults: Fault) -> None:
        """Let the next questions go wrong so, one each."""
        with self._lock:
            self._faults.extend(faults)

    @property
    def connections(self) -> int:
        """Return how often anybody connected: where it stays as it was, not one byte came."""
        return 0 if self._server is None else self._server.connections

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Return every question that came in, oldest first."""
        with self._lock:
            return tuple(self._asked)

    # --- answering ----------------------------------------------------------------------------------------

    def answer(self, path: str, data: bytes) -> Response:
        """Return what goes back for a question."""
        service = path.strip("/").partition("-v")[0]
        now = self._clock()
        try:
            question = read_question(data, self._authority.paper.certificate, now)
            self._require_new(question, service)
        except QuestionRefused as refused:
            self._note(Asked(service, "", str(refused)))
            return Response(400, b"")
        with self._lock:
            fault = self._faults.popleft() if self._faults else None
        self._note(Asked(service, question.message_id, "answered" if fault is None else fault.value))
        if fault is not None and fault in _BLUNT:
            if fault is Fault.DELAY:
                self._stopping.wait(DELAY_S)
            return _BLUNT[fault]
        return self._signed(service, question, fault, now)

    def _signed(self, service: str, question: Question, fault: Fault | None, now: datetime) -> Response:
        version, operation = people.SERVICES[service]
        action = f"http://bkwi.nl/SuwiML/Diensten/{service}-{version}/"
        action += "Fout" if fault is Fault.SOAP_FAULT else f"{operation}Response"
        body = self._body(service, question.bsn, fault)
        moment = now - timedelta(hours=1) if fault is Fault.WRONG_CLOCK else now
        paper = self._paper
        if fault is Fault.WRONG_OIN:
            paper = self._authority.issue("00000009000000000000")
        elif fault is Fault.EXPIRED:
            paper = self._authority.issue(self._oin, begins=timedelta(days=-9), days=1)
        content = written(Reply(action, question.message_id, question.asker, self._oin), body, paper, moment)
        with self._lock:
            if fault is Fault.DUPLICATE:
                content = self._last.get(service, content)
            elif fault is None:
                self._last[service] = content
        if fault is Fault.WRONG_SIGNATURE:
            content = content.replace(b"</soap:Body>", b" </soap:Body>")
        return Response(
            status=500 if fault is Fault.SOAP_FAULT else 200,
            content=content,
            sent=len(content) // 2 if fault is Fault.CUT else None,
            drip=fault is Fault.SLOW,
            drip_head=fault is Fault.SLOW_HEAD,
        )

    def _body(self, service: str, bsn: str, fault: Fault | None) -> etree._Element:
        if fault is Fault.SOAP_FAULT:
            return _soap_fault("S0042")
        if fault is Fault.FWI_FAULT:
            return people.faulty(service, "F0017")
        if fault is Fault.BREAKS_SCHEMA:
            return people.answer(service, bsn, [("Onbekend", "x")])
        with self._lock:
            known = self._known.get((service, bsn), people.ANSWERS[service] if self._everybody else None)
        if fault is Fault.OTHER_RESIDENT:
            bsn = "111222333"
        if known is None or fault is Fault.NOTHING_FOUND:
            return people.nothing(service)
        if fault is Fault.FWI_WARNING:
            return people.partly(service, bsn, known, "W0003")
        return people.answer(service, bsn, known)

    def _require_new(self, question: Question, service: str) -> None:
        _, operation = people.SERVICES.get(service, ("", ""))
        if question.action.rpartition("/")[2] != operation:
            raise QuestionRefused("action of another service")
        with self._lock:
            if question.message_id in self._seen:
                raise QuestionRefused("message id used before")
            self._seen.add(question.message_id)

    def _note(self, asked: Asked) -> None:
        with self._lock:
            self._asked.append(asked)
            self._watch(asked)


_BLUNT: Final = {
    Fault.DELAY: Response(503, b""),
    Fault.ERROR_500: Response(500, _JUNK),
    Fault.BUSY_429: Response(429, b""),
    Fault.BOMB: Response(200, _BOMB),
}


def _soap_fault(code: str) -> etree._Element:
    fault = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP})
    etree.SubElement(fault, "faultcode").text = "soap:Server"
    etree.SubElement(fault, "faultstring").text = "AanvraagNietOk"
    etree.SubElement(fault, "detail").append(people.fault(code))
    return fault


def _handler(simulator: Simulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            if not 0 < length <= QUESTION_BYTES_MAX:
                self.send_error(413)
                return
            response = simulator.answer(self.path, self.rfile.read(length))
            self.close_connection = True
            # Whoever asked may have hung up: that is his to do.
            with suppress(OSError):
                self._send(response)

        def _send(self, response: Response) -> None:
            length = len(response.content)
            if response.drip_head:
                self._drip(f"HTTP/1.1 {response.status} OK\r\nContent-Length: {length}\r\n".encode())
                self._drip(b"X-Slow: " + b"." * DRIP_HEAD_BYTES + b"\r\n")
            else:
                self.send_response(response.status)
                self.send_header("Content-Length", str(length))
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.end_headers()
            if response.drip:
                self._drip(response.content)
            else:
                self.wfile.write(response.content[: response.sent])

        def _drip(self, content: bytes) -> None:
            for at in range(len(content)):
                self.wfile.write(content[at : at + 1])
                self.wfile.flush()
                time.sleep(DRIP_S)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name of the base class
            """Write nothing: what came stands in `asked`."""

    return Handler
