"""A whole exchange in a process of its own, and the people who talk to it over mutual TLS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk.bsn import Bsn, passes_eleven_proof
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.patience import Patience
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from exchange.keys.authority import DevelopmentAuthority
from exchange.store.reader import SQLiteReader
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

REPOSITORY = Path(__file__).resolve().parents[2]
READY_WAIT_S = 60
STOP_WAIT_S = 60
CITY = "00000001003214345000"
CARE = "00000003271543200000"
# One attempt: what is refused or cut off is seen as it is.
ONCE = Patience(attempts_max=1, wait_first_s=0.001, wait_max_s=0.002)

INVESTIGATE = claim(pb.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "nodig voor het onderzoek")
DELIVER = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a", "nodig om hulp te geven")
ALIGN = claim(pb.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", "nodig om hulp en werk op elkaar af te stemmen")
WORK = claim(pb.PURPOSE_PW_ARBEIDSINSCHAKELING, "PW-7", "nodig voor het plan van aanpak")
ADMIN = claim(pb.PURPOSE_BEHEER, "ORG-ADMIN-24")
ACCESS = claim(pb.PURPOSE_INZAGE, "SUBJECT-15")
WORD = claim(pb.PURPOSE_WMO_ONDERZOEK, "RESIDENT-WORD")
AUDIT = claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39")


class Service:
    """One data folder, and the process that serves it; may be stopped, killed and started again."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.code = REPOSITORY  # whose code it runs
        self._environment = environment() | {f"EXCHANGE_{name.upper()}": settings[name] for name in settings}
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, Any] = {}
        self.output = data.parent / f"{data.name}.out"
        self._clients: list[ExchangeClient] = []
        self._care: Credentials | None = None
        self._bsns = made_up_bsns()
        self._drawing = threading.Lock()
        self.used_bsns: list[str] = []

    # --- life -----------------------------------------------------------------------------------------

    def start(self) -> Service:
        """Start the process and wait until it says where it listens."""
        self.data.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603 -- our own program, fixed words
                [sys.executable, *self._command()],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.code,
                env=self._environment,
            )
        self.ready = self._wait_ready(self.process)
        return self

    def _command(self) -> list[str]:
        """Return what serves, as words for Python."""
        return ["-m", "exchange", "serve", "--data", str(self.data), "--port", "0", "--metrics-port", "0"]

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        file = self.data / "service.json"
        until = time.monotonic() + READY_WAIT_S
        while time.monotonic() < until and process.poll() is None:
            # A file of a process that was killed may still lie there, and go between two looks at it.
            with suppress(FileNotFoundError):
                if (ready := json.loads(file.read_text()))["pid"] == process.pid:
                    return dict(ready)
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the service did not start:\n{self.said()[-2_000:]}")

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_WAIT_S)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_WAIT_S)

    def close(self) -> None:
        """Close what is open; the process too, if it still runs."""
        self.hang_up()
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def hang_up(self) -> None:
        """Close every client's connection."""
        while self._clients:
            self._clients.pop().close()

    def said(self) -> str:
        """Return everything the process wrote to its standard outputs."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    # --- what is stored -------------------------------------------------------------------------------

    def position(self) -> int:
        """Return the last committed position, read beside the service."""
        reader = SQLiteReader(self.data / "events.db")
        try:
            return reader.head()[0]
        finally:
            reader.close()

    def topics_after(self, position: int) -> list[str]:
        """Return the topics of the events after a position."""
        reader = SQLiteReader(self.data / "events.db")
        try:
            return [row.topic for row in reader.page(position, 10_000)]
        finally:
            reader.close()

    def verify_store(self) -> dict[str, Any]:
        """Run `exchange store verify`; return its report, the exit code among it."""
        words = ["store", "verify", "--data", str(self.data), "-o", "json"]
        done = exchange(*words)
        report: dict[str, Any] = json.loads(done.stdout)
        return report | {"exit": done.returncode}

    # --- who talks to it ------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """Where it listens."""
        target: str = self.ready["target"]
        return target

    @property
    def log_vkey(self) -> str:
        """The key of its ledger."""
        vkey: str = self.ready["log_vkey"]
        return vkey

    def credentials(self, folder: str = "operator") -> Credentials:
        """Return credentials of a folder below the data."""
        return Credentials.load(self.data / folder)

    def issue(self, oin: str, folder: str, **validity: Any) -> Credentials:  # noqa: ANN401 -- the authority's own arguments
        """Make credentials with the development authority; nobody has registered them."""
        authority = DevelopmentAuthority(self.data / "authority")
        authority.issue_organisation(oin, "Zorg Voorbeeld", self.data / folder, **validity)
        return self.credentials(folder)

    def client(self, person: Person, credentials: Credentials | None = None) -> ExchangeClient:
        """Return a blocking client that tries once."""
        client = ExchangeClient(self.target, credentials or self.credentials(), person, patience=ONCE)
        self._clients.append(client)
        return client

    def worker(self, task: str = "college:WMO", professional: str = "w-1") -> ExchangeClient:
        """Return a client of somebody of the municipality."""
        return self.client(Person(professional, task, "regisseur"))

    def join(self, oin: str, *tasks: str) -> Credentials:
        """Let an organisation join; return its credentials."""
        credentials = self.issue(oin, f"of-{oin}")
        self.worker("beheer", "beheerder-1").organisation.join_organisation(
            claim=ADMIN,
            oin=oin,
            name="Zorg Voorbeeld",
            tasks=list(tasks),
            certificate_thumbprint=credentials.thumbprint,
            signing_key=credentials.signing_key.public_key().public_bytes_raw(),
        )
        return credentials

    def care(self) -> Credentials:
        """Return the credentials of the care provider, which joins at the first call."""
        if self._care is None:
            self._care = self.join(CARE, "wmo-aanbieder")
        return self._care

    def bsn(self) -> str:
        """Draw a number nobody has."""
        with self._drawing:
            bsn = next(self._bsns)
            self.used_bsns.append(bsn)
            return bsn

    def pseudonym(self, client: ExchangeClient, bsn: str) -> bytes:
        """Blind a number as the municipality does."""
        pin = self.data.parent / f"{self.data.name}-pin-{bsn}"
        return Pseudonyms(pin).of(client.identity, INVESTIGATE, [Bsn(bsn)])[0]

    def raw_call(
        self,
        method: str,
        request: Message | bytes,
        *,
        credentials: Credentials | None = None,
        token: str | None = None,
        timeout_s: float | None = 10,
    ) -> bytes:
        """Call without the SDK: bytes in, bytes out, any token; signed as the SDK signs."""
        mine = credentials or self.credentials()
        secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
        raw = request if isinstance(request, bytes) else request.SerializeToString()
        metadata = signed_headers(mine, method, raw, token)
        with grpc.secure_channel(self.target, secrets, (("grpc.max_send_message_length", -1),)) as channel:
            call: Any = channel.unary_unary(method)
            answer: bytes = call(raw, timeout=timeout_s, metadata=metadata)
            return answer


class Case:
    """One resident with a case, opened at the Wmo desk."""

    def __init__(self, service: Service, words: str = "Ik red het huishouden niet meer.") -> None:
        self.service = service
        self.bsn = service.bsn()
        self.wmo = service.worker("college:WMO", f"w-{self.bsn[-5:]}")
        self.pseudonym = service.pseudonym(self.wmo, self.bsn)
        self.wmo.identity.register_resident(
            claim=INVESTIGATE, resident=self.pseudonym, birth_date="1980-02-29", capable=True
        )
        opened = self.report(words)
        self.case_id, self.plan_id, self.version = opened.case_id, opened.plan_id, opened.version

    def report(self, words: str, client: ExchangeClient | None = None, request_id: str = "") -> Any:  # noqa: ANN401 -- ReceiveReportResponse
        """Send one more report about the resident."""
        return (client or self.wmo).case.receive_report(
            request_id=request_id,
            claim=INVESTIGATE,
            resident=self.pseudonym,
            life_domains=[pb.LIFE_DOMAIN_INSTRUMENTAL_ADL],
            own_words=words,
            desk="wijkteam-oost",
        )

    def goal(self, words: str = "Weer zelf koken.", request_id: str = "") -> Any:  # noqa: ANN401 -- SetGoalResponse
        """Set a goal on the newest version this case knows of."""
        answer = self.wmo.plan.set_goal(
            request_id=request_id,
            claim=INVESTIGATE,
            plan_id=self.plan_id,
            expected_version=self.version,
            own_words=words,
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
        self.version = answer.version
        return answer

    def let_join(self, oin: str, task: str, professional: str, role: str = "begeleider") -> None:
        """Let somebody work on the case."""
        self.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.case_id,
            oin=oin,
            task=task,
            professional=professional,
            role=role,
        )

    def look_through_work(self, reason: str = "Dagbesteding is een stap naar werk.") -> None:
        """Let Werk & Inkomen write what the neighbourhood team may use with the resident's consent only."""
        professional = f"p-{self.bsn[-5:]}"
        self.let_join(CITY, "college:PW", professional, "consulent")
        answer = self.service.worker("college:PW", professional).plan.assess_lens(
            claim=WORK,
            plan_id=self.plan_id,
            expected_version=self.version,
            law=pb.LAW_PARTICIPATIEWET,
            # A lens that is waived needs no goal.
            finding=plan_pb2.LENS_FINDING_WAIVED,
            reason=reason,
        )
        self.version = answer.version

    def resident(self) -> ExchangeClient:
        """Return a client that speaks as the resident."""
        return self.service.client(Person("portaal", "betrokkene", "inwoner", resident=self.pseudonym))

    def ask_consent(self) -> Any:  # noqa: ANN401 -- RequestConsentResponse
        """Ask the resident whether the Wmo may use what Werk & Inkomen wrote."""
        now = datetime.now(UTC)
        start, end = Timestamp(), Timestamp()
        start.FromDatetime(datetime(2020, 1, 1, tzinfo=UTC))
        end.FromDatetime(datetime(2099, 1, 1, tzinfo=UTC))
        # The same registration again changes nothing.
        self.wmo.consent.register_notice(
            claim=INVESTIGATE,
            notice_id="folder-1",
            version=1,
            sha256=b"\1" * 32,
            language="nl",
            level="B1",
            withdrawal_channels=["https://mijn.voorbeeld.nl/toestemming"],
            start_time=start,
            end_time=end,
        )
        start.FromDatetime(now - timedelta(minutes=1))
        end.FromDatetime(now + timedelta(days=30))
        return self.wmo.consent.request_consent(
            claim=INVESTIGATE,
            case_id=self.case_id,
            kind=consent_pb.CONSENT_KIND_STATUTORY,
            consent_purpose=pb.PURPOSE_WMO_AFSTEMMING,
            recipients=[f"{CITY}/college:WMO"],
            categories=["WMO-PLAN", "ARBEID"],
            start_time=start,
            end_time=end,
            notice_id="folder-1",
            notice_sha256=b"\1" * 32,
        )

    def give_consent(self) -> str:
        """Ask and let the resident say yes; return the consent's id."""
        asked = self.ask_consent()
        self.resident().consent.give_consent(
            claim=WORD,
            consent_id=asked.consent_id,
            given_by=["self"],
            explicit=True,
            free_assessed=True,
            method="portal",
            expected_version=asked.version,
        )
        consent_id: str = asked.consent_id
        return consent_id


def made_up_bsns() -> Iterator[str]:
    """Yield numbers that pass the 11-proof, from 900000000: none of them is given to anybody."""
    for number in range(900_000_000, 999_999_999):
        if passes_eleven_proof(str(number)):
            yield str(number)


def environment() -> dict[str, str]:
    """Return the environment of a child: no settings of ours, and compiled modules kept from run to run."""
    # Compiling everything anew takes each process seconds; some machines forbid it to be kept by default.
    others = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    others.pop("PYTHONDONTWRITEBYTECODE", None)
    return others | {"PYTHONPYCACHEPREFIX": str(REPOSITORY / ".pytest_cache" / "compiled")}


def exchange(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the exchange's command line to its end."""
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *words],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env=environment(),
    )
