"""A whole exchange in a thread: real store, real door, real certificates; the clock can be set."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from adapters.sdk.bsn import Bsn, passes_eleven_proof
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.patience import Patience
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from exchange.domain import stream_of
from exchange.server.app import ExchangeServer, Parts, ServerConfig
from exchange.settings import Settings
from exchange.v1 import common_pb2 as pb
from exchange.wiring.core import (
    development_authority,
    fresh_uuid,
    genesis,
    open_core,
    pipeline_of,
    publisher_of,
    scanning_keys,
    utc_now,
)
from exchange.wiring.following import Following
from exchange.wiring.packs import LedgerPacks
from exchange.wiring.parties import second_party_of
from exchange.wiring.service import door_material
from tests.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from exchange.errors import ExchangeError
    from exchange.server.certificates import Material
    from tests.signing import Headers

CITY = "00000001003214345000"
CARE = "00000003271543200000"
CLOSE_WAIT_S = 20
NOTICE_START = datetime(2020, 1, 1, tzinfo=UTC)
NOTICE_END = datetime(2099, 1, 1, tzinfo=UTC)
QUICK = Patience(attempts_max=1, wait_first_s=0.001, wait_max_s=0.002)

INVESTIGATE = claim(pb.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "nodig voor het onderzoek")
DELIVER = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a", "nodig om hulp te geven")
WORK = claim(pb.PURPOSE_PW_ARBEIDSINSCHAKELING, "PW-7", "nodig voor het plan van aanpak")
ADMIN = claim(pb.PURPOSE_BEHEER, "ORG-ADMIN-24")
ACCESS = claim(pb.PURPOSE_INZAGE, "SUBJECT-15")
WORD = claim(pb.PURPOSE_WMO_ONDERZOEK, "RESIDENT-WORD")
AUDIT = claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39")


class Town:
    """Started by the `town` fixture, once for each room of tests."""

    def __init__(
        self,
        data: Path,
        log: Any,  # noqa: ANN401 -- structlog's logger has no public type
        settings: Mapping[str, Any] = MappingProxyType({}),
        **limits: Any,  # noqa: ANN401 -- any limit
    ) -> None:
        self.settings = Settings(data=data, port=0, metrics_port=0, integrate_ms=20, **settings)
        self.authority = development_authority(self.settings)
        self.skew = timedelta()
        self.stands_at: datetime | None = None
        self.fresh_uuid = fresh_uuid
        self.errors: list[ExchangeError] = []
        self._log = log
        self._limits = limits
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="town")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failed: BaseException | None = None
        self._clients: list[ExchangeClient] = []
        self._care: Credentials | None = None
        self._portal: ExchangeClient | None = None
        self.port = 0
        self.server: ExchangeServer
        self.bsns = made_up_bsns()

    def now(self) -> datetime:
        return self.stands_at or utc_now() + self.skew

    # --- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(CLOSE_WAIT_S)
        if self._failed is not None:
            raise self._failed

    def register_notice(self, notice_id: str, sha256: bytes, **changes: Any) -> None:  # noqa: ANN401 -- any field of the request
        """Register what residents are told; the same again changes nothing."""
        start, end = Timestamp(), Timestamp()
        start.FromDatetime(NOTICE_START)
        end.FromDatetime(NOTICE_END)
        told: dict[str, Any] = {
            "claim": INVESTIGATE,
            "notice_id": notice_id,
            "version": 1,
            "sha256": sha256,
            "language": "nl",
            "level": "B1",
            "withdrawal_channels": ["https://mijn.voorbeeld.nl/toestemming"],
            "start_time": start,
            "end_time": end,
        }
        self.worker().consent.register_notice(**(told | changes))

    def open_to_representatives(self) -> None:
        """Let the municipality's portal sign in who represents a resident."""
        self.worker("beheer", "beheerder-1").organisation.grant_task(
            claim=ADMIN, oin=CITY, task="wettelijk-vertegenwoordiger"
        )

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CLOSE_WAIT_S)
        assert not self._thread.is_alive()

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401 -- whatever the work gives
        """Run a coroutine on the town's own loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(CLOSE_WAIT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
            raise
        finally:
            self._started.set()

    async def _serve(self) -> None:
        material, thumbprint, signing_key = door_material(self.settings)
        core = open_core(self.settings)
        try:
            genesis(core, utc_now(), thumbprint=thumbprint, signing_key=signing_key)
            publisher = publisher_of(core, self.errors.append)
            self.pipeline, self.core = pipeline_of(core), core
            following = self.following = Following(core, self.errors.append)
            parts = Parts(
                pipeline=self.pipeline,
                hot=core.hot,
                loader=core.loader,
                reader=core.reader,
                codec=core.codec,
                identity=core.identity,
                links=core.residents,
                ledger=publisher,
                packs=LedgerPacks(self.settings, core.ledger),
                register=core.registers,
                obligations=core.obligations,
                decisions=core.decisions,
                erasures=core.records,
                lookups=core.lookups,
                tables=core.tables,
                matcher=core.matcher,
                past=core.past,
                followed=following.followed,
                now=self.now,
                fresh_uuid=self.fresh_uuid,
                log_pseudonym=core.log_pseudonym,
                scanning_keys=scanning_keys(core.keys),
                page_key=core.page_key,
                second_party=second_party_of(self.settings, core.links),
            )
            self.server = ExchangeServer(parts, self._config(material), self._log)
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await publisher.start(self.pipeline)
            following.start(self.pipeline)
            self.port = await self.server.start()
            self._started.set()
            await self._stop.wait()
            await self.server.drain(1.0)
            await self.pipeline.drain()
            await following.stop()
            await publisher.stop()
        finally:
            core.close()

    def _config(self, material: Material) -> ServerConfig:
        return ServerConfig(
            address="127.0.0.1",
            port=0,
            metrics_port=0,
            server_certificate=material.server_certificate,
            server_key=material.server_key,
            client_authorities=material.client_authorities,
            development=True,
            **self._limits,
        )

    # --- people -------------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        return f"localhost:{self.port}"

    @property
    def log_vkey(self) -> str:
        return self.core.signer.vkey

    def credentials(self, folder: str = "operator") -> Credentials:
        return Credentials.load(self.settings.data / folder)

    def issue(self, oin: str, folder: str, **validity: Any) -> Credentials:  # noqa: ANN401 -- the authority's own arguments
        self.authority.issue_organisation(oin, "Zorg Voorbeeld", self.settings.data / folder, **validity)
        return self.credentials(folder)

    def client(self, person: Person, credentials: Credentials | None = None) -> ExchangeClient:
        client = ExchangeClient(self.target, credentials or self.credentials(), person, patience=QUICK)
        self._clients.append(client)
        return client

    def signed_in(self, person: Person) -> ExchangeClient:
        """Return a client on the one connection of the portal; tokens follow the town's clock."""
        if self._portal is None:
            self._portal = ExchangeClient(
                self.target, self.credentials(), patience=QUICK, clock=lambda: self.now().timestamp()
            )
            self._clients.append(self._portal)
        return self._portal.with_person(person)

    def worker(self, task: str = "college:WMO", professional: str = "w-1") -> ExchangeClient:
        return self.client(Person(professional, task, "regisseur"))

    def join(self, oin: str, *tasks: str) -> Credentials:
        """Let an organisation join; return its credentials."""
        folder = f"of-{oin}"
        credentials = self.issue(oin, folder)
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

    def pseudonym(self, client: ExchangeClient, bsn: str, claim: pb.Claim = INVESTIGATE) -> bytes:
        pin = self.settings.data / f"pin-{threading.get_ident()}-{id(client)}-{bsn}"
        return Pseudonyms(pin).of(client.identity, claim, [Bsn(bsn)])[0]

    def resident_of(self, pseudonym: bytes, oin: str = CITY) -> str:
        resident = self.core.residents.resolve(oin, pseudonym)
        assert resident is not None
        return resident

    def state(self, aggregate: str, key: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        return self.core.loader.load(stream_of(aggregate, key)).state


def made_up_bsns() -> Iterator[str]:
    """Yield numbers that pass the 11-proof, from 900000000: none of them is given to anybody."""
    for number in range(900_000_000, 999_999_999):
        if passes_eleven_proof(str(number)):
            yield str(number)


def details_of(error: Any) -> dict[str, Any]:  # noqa: ANN401 -- an RpcError that is a Call too
    """Return the details of a refusal by the name of their message."""
    metadata: dict[str, bytes] = dict(error.trailing_metadata() or ())
    status = Status.FromString(metadata["grpc-status-details-bin"])
    found: dict[str, Any] = {"status": status}
    for packed in status.details:
        detail = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(detail)
        found[packed.TypeName().rpartition(".")[2]] = detail
    return found


def raw_call(
    town: Town,
    method: str,
    request: Message | bytes,
    *,
    credentials: Credentials | None = None,
    token: str | None = None,
    timeout_s: float | None = 10,
    headers: Headers | None = None,
) -> bytes:
    """Call without the SDK: bytes in, bytes out, any token; signed unless `headers` says otherwise."""
    mine = credentials or town.credentials()
    secrets = grpc.ssl_channel_credentials(mine.root_pem, mine.key_pem, mine.certificate_pem)
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    metadata = signed_headers(mine, method, raw, token) if headers is None else headers
    with grpc.secure_channel(town.target, secrets, (("grpc.max_send_message_length", -1),)) as channel:
        call: Any = channel.unary_unary(method)
        answer: bytes = call(raw, timeout=timeout_s, metadata=metadata)
        return answer
