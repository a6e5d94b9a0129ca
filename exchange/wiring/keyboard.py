"""Who gives a command at the keyboard: an organisation by its credentials, a person by a token.

Promises: known as the door knows them: the certificate is shown with its private key, each token is bound to
it, and each command is signed with the organisation's key and verified with the one that is registered.
Source: the design of the ledger, section 2; RFC 8032 (Ed25519).
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from exchange.domain import stream_of
from exchange.domain.values import Author
from exchange.errors import CallerUnknown, PersonTokenInvalid, SettingsInvalid
from exchange.ledger.signers import command_statement, request_hash
from exchange.pipeline.walk import Caller
from exchange.server.caller import signatures, tokens
from exchange.server.caller.certificates import Certificates
from exchange.server.caller.tokens import Binding
from exchange.wiring.core import utc_now

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.ledger.leaf import Signed
    from exchange.wiring.core import Core


@dataclass(frozen=True, slots=True)
class Person:
    """A person of an organisation; `registered` is the organisation's signing key, in hex."""

    caller: Caller
    registered: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def author(self) -> Author:
        """Who gives the command."""
        caller = self.caller
        return Author(caller.organisation, caller.task, caller.professional, operator=caller.operator)

    def sign(self, rpc_path: str, raw: bytes) -> Signed:
        """Sign a request's bytes. Raises SignatureInvalid where the key is not the one that is registered."""
        caller = self.caller
        request = request_hash(rpc_path, caller.professional, raw)
        signature = self.key.sign(command_statement(caller.organisation, caller.task, request))
        return signatures.verify(b64encode(signature).decode(), caller, self.registered, rpc_path, raw)


def person_at(core: Core, credentials: Path, token: str) -> Person:
    """Return who speaks. Raises CallerUnknown, PersonTokenInvalid, SettingsInvalid."""
    now = utc_now()
    pem, key = _read(credentials)
    certificate = Certificates().valid(pem, now)
    state = core.loader.load(stream_of("organisation", certificate.oin)).state
    known = None if state is None else state.certificate(certificate.thumbprint)
    if known is None or known.revoked:
        raise CallerUnknown("this certificate is not registered, or was revoked")
    binding = Binding(certificate.oin, certificate.thumbprint, known.signing_key)
    person = tokens.verify(token, binding, now)
    if person.pseudonym:
        raise PersonTokenInvalid("who speaks for a resident decides about no erasure", claim="resident")
    caller = Caller(
        organisation=certificate.oin,
        task=person.task,
        professional=person.professional,
        role=person.role,
        thumbprint=certificate.thumbprint,
        two_factor=person.two_factor,
        # The certificate was shown with its key, as TLS would have it.
        mutual_tls=True,
        authenticated_at=person.authenticated_at,
        operator=state.operator,
    )
    return Person(caller, known.signing_key, key)


def _read(credentials: Path) -> tuple[bytes, Ed25519PrivateKey]:
    """Return the certificate and the signing key. Raises CallerUnknown, SettingsInvalid."""
    try:
        pem, key, signing = (
            (credentials / name).read_bytes() for name in ("client.pem", "client.key", "signing.key")
        )
        shown = x509.load_pem_x509_certificate(pem).public_key()
        own = load_pem_private_key(key, None).public_key()
        signer = load_pem_private_key(signing, None)
    except (OSError, ValueError, TypeError):
        raise SettingsInvalid(
            "the organisation's certificate and keys cannot be read", name="credentials"
        ) from None
    if not isinstance(signer, Ed25519PrivateKey):
        raise SettingsInvalid("signing.key is not an Ed25519 key", name="credentials")
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if shown.public_bytes(*form) != own.public_bytes(*form):
        raise CallerUnknown("this key is not that of the certificate")
    return pem, signer
