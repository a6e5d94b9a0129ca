"""The identity key split over two parties: the exchange's line to the other one, and that one's own process.

Promises: a shard goes on with the second party its links were made with, or does not start; the second party
has a folder, a key, a count and a log of its own, and is told nothing but blinded elements.
Source: LEDGER design section 6 (k = k1·k2).
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.errors import SettingsInvalid
from exchange.keys.half_renewal import HalfBook, HalfStep, half_name
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from exchange.keys.second_party import SecondPartyKey, half_of
from exchange.logs import open_log
from exchange.server.beside import SECOND_PARTY, Beside
from exchange.server.party.door import OUTCOMES, PartyDoor
from exchange.server.party.line import PartyLine
from exchange.wiring.core import utc_now
from exchange.wiring.holding import held, private_files
from exchange.wiring.renewing import end_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.keys.links import LinkStore
    from exchange.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySettings:
    """Where the second party stands and whom it answers; certificates are PEM files."""

    data: Path
    host: str
    port: int
    certificate: Path
    key: Path
    caller_authority: Path
    caller_thumbprint: str
    elements_per_day: int
    metrics_port: int | None = None


def second_party_of(settings: Settings, links: LinkStore) -> PartyLine | None:
    """Return the line to the second party, None where the key is whole. Raises SettingsInvalid."""
    public_key = bytes.fromhex(settings.identity_second_party_key)
    links.bind_second_party(public_key)
    if not settings.identity_second_party:
        return None
    host, _, port = settings.identity_second_party.rpartition(":")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        tls.load_verify_locations(settings.identity_second_party_authority)
        assert settings.identity_line_certificate is not None
        tls.load_cert_chain(settings.identity_line_certificate, settings.identity_line_key)
    except (OSError, ssl.SSLError):
        raise SettingsInvalid("a certificate for the second party cannot be read") from None
    return PartyLine(host, int(port), tls, public_key)


def party_public_key(data: Path) -> bytes:
    """Return the second party's public key; its folder and key are made where they are missing."""
    with private_files(), ExitStack() as opened:
        halves = _open_halves(data, opened)
        return half_of(halves.secret(halves.book.generation())).public


def begin_half_renewal(data: Path, elements: int) -> bytes:
    """Make the next half and allow so many links to be taken over to it; return its public key.

    Done again, the same half, and the last number holds. Raises SettingsInvalid where there is no half yet,
    DataFolderInUse, KeyUnavailable.
    """
    with private_files(), _standing_still(data) as halves:
        following = half_of(halves.secret(halves.book.generation() + 1)).public
        halves.book.begin(elements)
        return following


def finish_half_renewal(data: Path, links: int) -> bytes:
    """Let the next half hold and destroy the former; return the public key that holds now.

    Raises RuleBroken where fewer than `links` were taken over or no renewal was begun, and as
    `begin_half_renewal`.
    """
    with private_files(), _standing_still(data) as halves:
        return half_of(halves.secret(halves.book.finish(links))).public


def serve_party(settings: PartySettings, told: Callable[[str], None] | None = None) -> None:
    """Run the second party until SIGTERM or SIGINT. Raises SettingsInvalid, KeyUnavailable."""
    with private_files(), held(settings.data), ExitStack() as opened:
        halves = _open_halves(settings.data, opened)
        key = halves.key(settings.elements_per_day)
        opened.callback(key.close)
        asyncio.run(_serve(settings, key, halves.steps(), told))


async def _serve(
    settings: PartySettings,
    key: SecondPartyKey,
    steps: HalfStep | None,
    told: Callable[[str], None] | None,
) -> None:
    log = open_log(None, "info")
    beside, tls = Beside(SECOND_PARTY, OUTCOMES), party_tls(settings)
    end = end_of_file(settings.certificate).timestamp()
    beside.watch_certificate(lambda: end)
    door = PartyDoor(key, tls, settings.caller_thumbprint, log, steps, count=beside.count)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        port = await door.start(settings.host, settings.port)
    except OSError:
        raise SettingsInvalid("the second party's port cannot be opened", port=str(settings.port)) from None
    metrics_port = beside.serve(settings.metrics_port)
    log.info("ready", port=port, metrics_port=metrics_port)
    if told is not None:
        told(f"{settings.host}:{port}")
    await stop.wait()
    await door.stop()
    beside.close()
    log.info("stopped")


def party_tls(settings: PartySettings) -> ssl.SSLContext:
    """Return a context that asks every caller for a certificate. Raises SettingsInvalid."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.verify_mode = ssl.CERT_REQUIRED
    try:
        tls.load_verify_locations(settings.caller_authority)
        tls.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError):
        raise SettingsInvalid("a certificate of the second party cannot be read") from None
    return tls


@dataclass(frozen=True, slots=True)
class _Halves:
    """The second party's folder, open."""

    path: Path
    store: KeyStore
    book: HalfBook

    def secret(self, generation: int) -> bytes:
        """Return the secret of a half, made where it is missing."""
        return self.store.service_secret(half_name(generation))

    def key(self, elements_per_day: int) -> SecondPartyKey:
        """Return the half that holds."""
        return SecondPartyKey(self.secret(self.book.generation()), self.path, elements_per_day, utc_now)

    def steps(self) -> HalfStep | None:
        """Return what takes over to the next half, None where no renewal was begun."""
        if self.book.allowed() is None:
            return None
        generation = self.book.generation()
        return HalfStep(self.secret(generation), self.secret(generation + 1), self.book)


@contextmanager
def _standing_still(data: Path) -> Iterator[_Halves]:
    if not (data / "keys.db").exists():
        raise SettingsInvalid("no second party has a key in this folder", folder=data.name)
    with held(data), ExitStack() as opened:
        yield _open_halves(data, opened)


def _open_halves(data: Path, opened: ExitStack) -> _Halves:
    data.mkdir(parents=True, exist_ok=True)
    path, kek = data / "keys.db", data / "kek"
    store = opened.enter_context(closing(KeyStore(path, FileKek(kek, create=not path.exists()))))
    return _Halves(path, store, opened.enter_context(closing(HalfBook(path))))
