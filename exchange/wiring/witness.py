"""A witness of an organisation: its key, what it cosigned, and its door, in a folder of its own.

Promises: a key is made once and never over another, its empty store with it; without that store it does not
start, for it would cosign any history from the beginning; one witness to a folder; nothing but loopback
without a certificate; says it is ready only when its store is open.
Source: c2sp.org/tlog-witness, c2sp.org/tlog-policy (the `log` lines say which logs are known).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.ledger.checkpoint import POLICY_BYTES_MAX, parse_policy
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.note import Cosigner
from exchange.ledger.witness import Outcome, Witness
from exchange.ledger.witness_store import WitnessStore
from exchange.logs import open_log
from exchange.server.beside import DIRECTORY, WITNESS, Beside
from exchange.server.web.door import WebDoor, server_tls
from exchange.server.web.witness import OUTCOMES, witness_app
from exchange.settings import LOOPBACK
from exchange.wiring.core import utc_now
from exchange.wiring.holding import held, looping, private_files
from exchange.wiring.private_file import read_key, write_private
from exchange.wiring.renewing import end_of_file

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from exchange.ledger.checkpoint import Policy
    from exchange.server.web.door import App

READY_FILE: Final = "witness.json"
EVIDENCE: Final = "evidence"
STORE: Final = "witness.db"
STOP_GRACE_S: Final = 5.0
_KEY: Final = "witness.key"
_NAME: Final = "name"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a witness, or a directory, lives and listens.

    Port 0 takes a free one; TLS where certificate and key are named. Metrics where a port is named for them.
    """

    data: Path
    logs: Path
    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    log_file: Path | None = None
    metrics_port: int | None = None


def make_key(data: Path, name: str) -> str:
    """Make a witness's key under a name, once; return its verifier key. Raises SettingsInvalid."""
    with private_files():
        data.mkdir(parents=True, exist_ok=True)
        for file in (data / _NAME, data / _KEY, data / STORE):
            if file.exists():
                raise SettingsInvalid(
                    "there is a witness in this folder: its key is never made anew", file=file.name
                )
        private = Ed25519PrivateKey.generate()
        cosigner = Cosigner(name, private)
        write_private(data / _KEY, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        WitnessStore(data / STORE).close()
        # Last: a name says that the key is there.
        write_private(data / _NAME, f"{name}\n".encode())
    return cosigner.vkey


def open_key(data: Path) -> Cosigner:
    """Return the witness's key. Raises KeyUnavailable where none was made, SettingsInvalid."""
    if not (data / _NAME).exists() or not (data / _KEY).exists():
        raise KeyUnavailable(
            "there is no witness in this folder: `exchange witness keygen` makes its key", folder=data.name
        )
    private = read_key(data / _KEY)
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsInvalid("the witness's key is not Ed25519", file=_KEY)
    return Cosigner((data / _NAME).read_text(encoding="utf-8").strip(), private)


def _store_in(data: Path) -> WitnessStore:
    """Return what this key cosigned. Raises SettingsInvalid where it is gone."""
    file = data / STORE
    if not file.exists() or not file.stat().st_size:
        raise SettingsInvalid(
            "what this witness cosigned before is gone: it could cosign another history now; make a witness"
            " with a new key in a new folder",
            file=STORE,
        )
    return WitnessStore(file)


def read_policy(file: Path) -> Policy:
    """Return a policy from its file. Raises SettingsInvalid."""
    try:
        with file.open("rb") as source:
            raw = source.read(POLICY_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsInvalid("the policy cannot be read", file=file.name) from error
    return parse_policy(raw.decode("utf-8", errors="surrogateescape"))


def serve_witness(stand: Stand, told: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `told` gets the address. Raises ExchangeError where it may not start."""
    tls = stand_tls(stand)
    logs = read_policy(stand.logs).logs
    if not logs:
        raise SettingsInvalid("the policy names no log to witness", file=stand.logs.name)
    with private_files(), held(stand.data), looping() as runner:
        cosigner = open_key(stand.data)
        with closing(_store_in(stand.data)) as store:
            witness = Witness(cosigner, logs, store, EvidenceFolder(stand.data / EVIDENCE), utc_now)
            beside, count = numbers_of(stand, WITNESS)
            door = StandDoor(
                stand.data / READY_FILE, cosigner.vkey, lambda log: witness_app(witness, log, count), beside
            )
            runner.run(serve_stand(stand, door, tls, told))


def numbers_of(stand: Stand, process: str) -> tuple[Beside, Callable[[str], None]]:
    """Return what tells the numbers of a witness, or of a directory, and what counts one answer of it."""
    beside, last = Beside(process, OUTCOMES), [utc_now().timestamp()]

    def count(outcome: str) -> None:
        beside.count(outcome)
        if outcome == Outcome.COSIGNED.name:
            last[0] = utc_now().timestamp()

    (beside.watch_taken if process == DIRECTORY else beside.watch_cosigned)(lambda: last[0])
    if stand.certificate is not None:
        end = end_of_file(stand.certificate).timestamp()
        beside.watch_certificate(lambda: end)
    return beside, count


class StandDoor(NamedTuple):
    """What a stand serves; the ready file says where, and under which verifier key."""

    ready: Path
    vkey: str
    app: Callable[[Any], App]
    beside: Beside | None = None


async def serve_stand(
    stand: Stand,
    serves: StandDoor,
    tls: Callable[[], ssl.SSLContext] | None,
    told: Callable[[str], None] | None,
) -> None:
    """Serve an application until SIGTERM or SIGINT; `told` gets the address."""
    log: Any = open_log(stand.log_file)
    ready = serves.ready
    ready.unlink(missing_ok=True)
    door = WebDoor(serves.app(log), stand.host, tls)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics_port = 0 if serves.beside is None else serves.beside.serve(stand.metrics_port)
    port = await door.start(stand.port)
    url = f"{'http' if tls is None else 'https'}://{_bracketed(stand.host)}:{port}"
    try:
        said = {"pid": os.getpid(), "url": url, "vkey": serves.vkey, "metrics_port": metrics_port}
        write_private(ready, json.dumps(said).encode())
        log.info("ready", port=port)
        if told is not None:
            told(url)
        await stop.wait()
    finally:
        ready.unlink(missing_ok=True)
        await door.stop(STOP_GRACE_S)
        if serves.beside is not None:
            serves.beside.close()
        log.info("stopped")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def stand_tls(stand: Stand) -> Callable[[], ssl.SSLContext] | None:
    """Return what makes the door's TLS, None on loopback without one. Raises SettingsInvalid."""
    if (stand.certificate is None) != (stand.key is None):
        raise SettingsInvalid("a certificate and its key are named together", name="certificate, key")
    if stand.certificate is None or stand.key is None:
        if stand.host not in LOOPBACK:
            raise SettingsInvalid(
                "without a certificate loopback only is served: name one, or put a proxy before it",
                host="not loopback",
            )
        return None
    try:
        certificate, key = stand.certificate.read_bytes(), stand.key.read_bytes()
    except OSError as error:
        raise SettingsInvalid("a certificate file cannot be read") from error
    return lambda: server_tls(certificate, key)
