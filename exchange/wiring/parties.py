"""The identity key split over two parties: the exchange's line to the other one, and that one's own process.

Promises: a shard goes on with the second party its links were made with, or does not start; the second party
has a folder, a key, a count and a log of its own, and is told nothing but blinded elements.
Source: LEDGER design section 6 (k = k1·k2).
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.errors import SettingsInvalid
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from exchange.keys.second_party import SecondPartyKey
from exchange.logs import open_log
from exchange.server.party.door import PartyDoor
from exchange.server.party.line import PartyLine
from exchange.wiring.core import utc_now
from exchange.wiring.holding import held, private_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.keys.links import LinkStore
    from exchange.settings import Settings

KEY_NAME: Final = "identity-second-party"


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
        return _open_key(data, 1, opened).public_key


def serve_party(settings: PartySettings, told: Callable[[str], None] | None = None) -> None:
    """Run the second party until SIGTERM or SIGINT. Raises SettingsInvalid, KeyUnavailable."""
    with private_files(), held(settings.data), ExitStack() as opened:
        key = _open_key(settings.data, settings.elements_per_day, opened)
        asyncio.run(_serve(settings, key, told))


async def _serve(settings: PartySettings, key: SecondPartyKey, told: Callable[[str], None] | None) -> None:
    log = open_log(None, "info")
    door = PartyDoor(key, party_tls(settings), settings.caller_thumbprint, log)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        port = await door.start(settings.host, settings.port)
    except OSError:
        raise SettingsInvalid("the second party's port cannot be opened", port=str(settings.port)) from None
    log.info("ready", port=port)
    if told is not None:
        told(f"{settings.host}:{port}")
    await stop.wait()
    await door.stop()
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


def _open_key(data: Path, elements_per_day: int, opened: ExitStack) -> SecondPartyKey:
    data.mkdir(parents=True, exist_ok=True)
    path, kek = data / "keys.db", data / "kek"
    store = opened.enter_context(closing(KeyStore(path, FileKek(kek, create=not path.exists()))))
    key = SecondPartyKey(store.service_secret(KEY_NAME), path, elements_per_day, utc_now)
    opened.callback(key.close)
    return key
