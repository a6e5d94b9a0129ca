"""Composition of a console: its credentials, its client at the identity provider, its roles, its theme.

Promises: what was loaded belongs together; an error names the setting, never what a file holds.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from exchange.console.app import Console, Setup
from exchange.console.line import Credentials, Line
from exchange.console.login import BACK, Claims
from exchange.console.provider import Registration
from exchange.errors import SettingsInvalid
from exchange.wiring.console_door import credentials_folder, roles_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from exchange.settings import Settings

FILE_BYTES_MAX: Final = 64 * 1024
FILES: Final = ("ca.pem", "client.pem", "client.key", "signing.key", "organisation.json")


def line_of(settings: Settings, target: str, clock: Callable[[], datetime]) -> Line:
    """Return the line to the exchange, not opened. Raises SettingsInvalid."""
    return Line(target, _credentials(credentials_folder(settings)), lambda: clock().timestamp())


def renewed_credentials(settings: Settings, now: Credentials) -> Credentials | None:
    """Return the credentials that lie there, None where they are those of now. Raises SettingsInvalid."""
    found = _credentials(credentials_folder(settings))
    if _written(found) == _written(now):
        return None
    if found.oin != now.oin:
        raise SettingsInvalid(
            "the console's credentials became those of another organisation", name="console_credentials"
        )
    return found


def _written(one: Credentials) -> tuple[bytes, ...]:
    return one.root_pem, one.certificate_pem, one.key_pem, one.signing_key.private_bytes_raw()


def console_of(
    settings: Settings,
    url: str,
    line: Line,
    *,
    log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
    clock: Callable[[], datetime],
    fresh: Callable[[int], bytes],
    log_keys: Callable[[], tuple[str, ...]] = tuple,
) -> Console:
    """Return the application. Raises SettingsInvalid."""
    secret, authority, theme = (
        settings.console_client_secret_file,
        settings.console_issuer_authority,
        settings.console_theme,
    )
    assert secret is not None, "half a console was refused before"
    named = tuple(key for key in settings.console_log_keys.split(",") if key)
    registration = Registration(
        issuer=settings.console_issuer,
        client_id=settings.console_client_id,
        secret=_read(secret, "console_client_secret_file").decode("utf-8", "replace").strip(),
        redirect_uri=f"{url}{BACK}",
        authority=_read(authority, "console_issuer_authority").decode("ascii", "replace")
        if authority
        else "",
    )
    claims = Claims(
        role=settings.console_role_claim,
        roles=roles_of(settings),
        bsn=settings.console_bsn_claim,
        two_factor=frozenset(one.strip() for one in settings.console_two_factor.split(",") if one.strip()),
    )
    return Console(
        Setup(
            url=url,
            registration=registration,
            claims=claims,
            line=line,
            log=log,
            clock=lambda: clock().timestamp(),
            fresh=fresh,
            log_keys=log_keys if not named else lambda: named,
            theme=_read(theme, "console_theme") if theme else b"",
            away=settings.console_away,
            notices=_notices(settings.console_notices),
        )
    )


def _notices(folder: Path | None) -> dict[str, str]:
    """Return each text by the SHA-256 it was registered by. Raises SettingsInvalid."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise SettingsInvalid("there is no such folder", name="console_notices", file=folder.name)
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.txt")):
        content = _read(file, "console_notices")
        try:
            found[sha256(content).hexdigest()] = content.decode("utf-8")
        except UnicodeDecodeError:
            raise SettingsInvalid(
                "a text for residents is not UTF-8", name="console_notices", file=file.name
            ) from None
    return found


def _credentials(folder: Path) -> Credentials:
    files = {name: _read(folder / name, "console_credentials") for name in FILES}
    try:
        told = json.loads(files["organisation.json"])
        oin, name = str(told["oin"]), str(told["name"])
        certificate = x509.load_pem_x509_certificate(files["client.pem"])
        signing_key = load_pem_private_key(files["signing.key"], None)
        key = load_pem_private_key(files["client.key"], None)
    except (ValueError, KeyError, TypeError):
        raise SettingsInvalid(
            "the console's credentials cannot be read", name="console_credentials"
        ) from None
    serials = [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]
    # A renewal that is half written: the other half follows.
    fits = key.public_key() == certificate.public_key()
    if serials != [oin] or not fits or not isinstance(signing_key, Ed25519PrivateKey):
        raise SettingsInvalid("the console's credentials do not belong together", name="console_credentials")
    return Credentials(
        oin=oin,
        name=name,
        root_pem=files["ca.pem"],
        certificate_pem=files["client.pem"],
        key_pem=files["client.key"],
        signing_key=signing_key,
        thumbprint=sha256(certificate.public_bytes(Encoding.DER)).digest(),
    )


def _read(file: Path, setting: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError:
        raise SettingsInvalid("a file of the console cannot be read", name=setting, file=file.name) from None
    if not content or len(content) > FILE_BYTES_MAX:
        raise SettingsInvalid("a file of the console is empty, or too large", name=setting, file=file.name)
    return content
