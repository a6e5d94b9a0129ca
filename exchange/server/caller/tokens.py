"""The person token: who the professional is, in which task, signed and bound to the certificate.

Promises: verified with the key registered beside this very certificate, never with a key from the token; a
token lives at most fifteen minutes; what fails says only that the token is not accepted and which claim is
at fault.
Source: RFC 7519 (JWT), RFC 8037 (EdDSA), RFC 8705 section 3.1 (cnf x5t#S256), RFC 7800.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from exchange.errors import PersonTokenInvalid
from exchange.server.contract.formats import holds_bsn

if TYPE_CHECKING:
    from datetime import datetime

METADATA_KEY: Final = "x-exchange-person"
AUDIENCE: Final = "exchange.v1"
TWO_FACTOR: Final = "2fa"
# Only these speak for a resident rather than about one.
RESIDENT_TASKS: Final = frozenset({"betrokkene", "wettelijk-vertegenwoordiger"})
TOKEN_CHARS_MAX: Final = 4_096
LIFETIME_S_MAX: Final = 15 * 60
LEEWAY_S: Final = 30
CACHED_TOKENS_MAX: Final = 16_384
PSEUDONYM_BYTES: Final = 32
_REQUIRED: Final = ["iss", "sub", "aud", "iat", "exp", "task", "role", "acr", "cnf"]
_TOKEN: Final = re.compile(r"[A-Za-z0-9:._/@+-]+", re.ASCII)
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """What a verified token says.

    `pseudonym` is that of the resident who speaks, or empty; `authenticated_at` is when both factors were
    shown.
    """

    professional: str
    task: str
    role: str
    two_factor: bool
    issued_at: int
    expires_at: int
    pseudonym: bytes = b""
    authenticated_at: int = 0  # seconds since 1970; 0 where the token does not say


@dataclass(frozen=True, slots=True)
class Binding:
    """What a token must be bound to: OIN, certificate's thumbprint, raw signing key; the last two in hex."""

    oin: str
    thumbprint: str
    signing_key: str


class VerifiedTokens:
    """Tokens that were verified, until they expire. Owned by the event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, Binding], Person] = OrderedDict()

    def find(self, token: str, binding: Binding, now: datetime) -> Person | None:
        """Return the person if this token was verified for this certificate and key and still holds."""
        found = self._known.get((digest_of(token), binding))
        if found is not None:
            refuse_times(found.issued_at, found.expires_at, now)
        return found

    def keep(self, token: str, binding: Binding, person: Person) -> None:
        """Remember a verified token."""
        self._known[digest_of(token), binding] = person
        if len(self._known) > CACHED_TOKENS_MAX:
            self._known.popitem(last=False)


def verify(token: str, binding: Binding, now: datetime) -> Person:
    """Return who the token names. Raises PersonTokenInvalid. About 0.2 ms, most of it outside the GIL."""
    if len(token) > TOKEN_CHARS_MAX:
        raise PersonTokenInvalid("the person token is too long")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(binding.signing_key))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=AUDIENCE,
            issuer=binding.oin,
            # Times are judged here, by the clock the composition root gave.
            options={
                "require": _REQUIRED,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_sub": False,
            },
        )
    except jwt.MissingRequiredClaimError as error:
        raise PersonTokenInvalid("the person token lacks a claim", claim=error.claim) from None
    except jwt.InvalidIssuerError:
        raise PersonTokenInvalid("the person token is of another organisation", claim="iss") from None
    except jwt.InvalidAudienceError:
        raise PersonTokenInvalid("the person token is not meant for the exchange", claim="aud") from None
    except (jwt.PyJWTError, ValueError):
        raise PersonTokenInvalid("the person token was not signed with the registered key") from None
    return _person(claims, binding, now)


def refuse_times(issued_at: int, expires_at: int, now: datetime) -> None:
    """Refuse a token that lives too long, is over, or is not begun; both clocks may differ by the leeway."""
    moment = now.timestamp()
    if not 0 < expires_at - issued_at <= LIFETIME_S_MAX:
        raise PersonTokenInvalid("the person token lives longer than fifteen minutes", claim="exp")
    if moment >= expires_at + LEEWAY_S:
        raise PersonTokenInvalid("the person token has expired", claim="exp")
    if moment < issued_at - LEEWAY_S:
        raise PersonTokenInvalid("the person token is not valid yet", claim="iat")


def _person(claims: dict[str, Any], binding: Binding, now: datetime) -> Person:
    issued_at, expires_at = claims["iat"], claims["exp"]
    # A bool is an int to Python and never a time to anybody.
    if type(issued_at) is not int or type(expires_at) is not int:
        raise PersonTokenInvalid("the person token's times are whole seconds", claim="exp")
    refuse_times(issued_at, expires_at, now)
    # Judged once: what has begun stays begun.
    begins_at = claims.get("nbf", issued_at)
    if type(begins_at) is not int:
        raise PersonTokenInvalid("the person token's times are whole seconds", claim="nbf")
    if now.timestamp() < begins_at - LEEWAY_S:
        raise PersonTokenInvalid("the person token is not valid yet", claim="nbf")
    confirmation = claims["cnf"]
    bound = confirmation.get("x5t#S256") if isinstance(confirmation, dict) else None
    if bound != _base64url(bytes.fromhex(binding.thumbprint)):
        raise PersonTokenInvalid("the person token is bound to another certificate", claim="cnf")
    task = _word(claims, "task", 40)
    return Person(
        professional=_word(claims, "sub", 60),
        task=task,
        role=_word(claims, "role", 40),
        two_factor=claims["acr"] == TWO_FACTOR,
        issued_at=issued_at,
        expires_at=expires_at,
        pseudonym=_pseudonym(claims, task),
        authenticated_at=_authenticated_at(claims, now),
    )


def _word(claims: dict[str, Any], name: str, chars_max: int) -> str:
    value = claims[name]
    if not isinstance(value, str) or len(value) > chars_max or not _TOKEN.fullmatch(value):
        raise PersonTokenInvalid("a claim of the person token has the wrong shape", claim=name)
    # What a portal knows a resident by; it would be written beside every decision, in the clear.
    if holds_bsn(value):
        raise PersonTokenInvalid("a claim of the person token holds a burgerservicenummer", claim=name)
    return value


def _authenticated_at(claims: dict[str, Any], now: datetime) -> int:
    """Return when the person showed both factors (OpenID Connect Core 2, auth_time)."""
    value = claims.get("auth_time", 0)
    if type(value) is not int or value < 0 or value > now.timestamp() + LEEWAY_S:
        raise PersonTokenInvalid("the person token's times are whole seconds, not ahead", claim="auth_time")
    return value


def _pseudonym(claims: dict[str, Any], task: str) -> bytes:
    value = claims.get("resident")
    if value is None:
        return b""
    if task not in RESIDENT_TASKS:
        raise PersonTokenInvalid(
            "only a resident or a representative speaks for a resident", claim="resident"
        )
    try:
        if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
            raise PersonTokenInvalid("a claim of the person token has the wrong shape", claim="resident")
        found = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        found = b""
    if len(found) != PSEUDONYM_BYTES:
        raise PersonTokenInvalid("a claim of the person token has the wrong shape", claim="resident")
    return found


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def digest_of(token: str) -> bytes:
    """Return what is kept instead of a token."""
    return sha256(token.encode()).digest()
