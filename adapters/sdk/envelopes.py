"""The identity envelope: a BSN from one organisation to another, through the exchange, which cannot open it.

The sender seals to the recipient's own key, signed by the recipient and pinned by the sender; the recipient
opens, checks the 11-proof, and checks that the BSN yields the pseudonym under which the exchange says it
knows the resident. Promises: every envelope has one length; it opens for one sender, recipient, case and
purpose only; no BSN is handed on that was not checked; no refusal holds a digit of one.
Source: Wabb 11(1); RFC 9180 (HPKE, mode base: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from adapters.sdk.bsn import Bsn, BsnRefused
from adapters.sdk.errors import EnvelopeRefused
from adapters.sdk.pins import PinRefused, read_pin, write_pin
from adapters.sdk.proofs import is_weak_key
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from adapters.sdk.calls import Awaiting, Blocking, IdentityCalls, OrganisationCalls
    from adapters.sdk.envelope_keys import EnvelopeKeys
    from adapters.sdk.residents import Pseudonyms
    from adapters.sdk.services import Services
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.identity_service_pb2 import GetIdentityResponse, SendIdentityResponse
    from exchange.v1.organisation_service_pb2 import GetEnvelopeKeyResponse

ENVELOPE_BYTES: Final = 66  # version 1, name of the key 8, encapsulated key 32, nine digits, tag 16
KEY_NAME_BYTES: Final = 8
VERSION: Final = b"\x01"
FIELDS: Final = ("resident", "envelope", "sender_oin", "sender_task", "purpose", "send_time")
SIGNED: Final = b"exchange-envelope-key-v1\x00"

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_BOUND: Final = b"exchange-identity-envelope-v1"


class Fault(StrEnum):
    """Why an envelope is refused."""

    MALFORMED = "MALFORMED"  # not of this length or version
    OTHER_RECIPIENT = "OTHER_RECIPIENT"  # sealed to a key the recipient does not have, or has no more
    NOT_BOUND = "NOT_BOUND"  # of another sender, recipient, case or purpose, or altered
    NOT_A_BSN = "NOT_A_BSN"  # what is inside fails the 11-proof
    OTHER_RESIDENT = "OTHER_RESIDENT"  # a BSN, but of somebody else than the case is about
    KEY_NOT_TRUSTED = "KEY_NOT_TRUSTED"  # the recipient's key is not signed by the key pinned for him


@dataclass(frozen=True, slots=True)
class Binding:
    """For whom and what one envelope is; another binding opens nothing."""

    sender_oin: str
    recipient_oin: str
    recipient_task: str
    case_id: str
    purpose: Purpose.ValueType

    def info(self, key_name: bytes) -> bytes:
        """Return HPKE's `info`: each part behind its length, so that no two bindings give the same bytes."""
        parts = (
            self.sender_oin.encode(),
            self.recipient_oin.encode(),
            self.recipient_task.encode(),
            self.case_id.lower().encode(),
            Purpose.Name(self.purpose).encode(),
            key_name,
        )
        return _BOUND + VERSION + b"".join(len(part).to_bytes(2, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a case is about, as its recipient knows him: own pseudonym, and the checked BSN where one came."""

    pseudonym: bytes
    bsn: Bsn | None
    sender_oin: str
    sender_task: str


def key_name(public_key: bytes) -> bytes:
    """Return the eight bytes an envelope names its key by."""
    return sha256(b"exchange-envelope-key-name-v1\x00" + public_key).digest()[:KEY_NAME_BYTES]


def seal_bsn(bsn: Bsn, public_key: bytes, binding: Binding) -> bytes:
    """Return the envelope, 66 bytes, new at every call. `public_key` comes from `recipient_key`."""
    name, digits = key_name(public_key), bsn.reveal().encode("ascii")
    try:
        sealed = _SUITE.encrypt(digits, X25519PublicKey.from_public_bytes(public_key), binding.info(name))
    except ValueError:
        raise EnvelopeRefused("the recipient's key is no key to seal to", Fault.KEY_NOT_TRUSTED) from None
    envelope = VERSION + name + sealed
    assert len(envelope) == ENVELOPE_BYTES, "nine digits give one length"
    return envelope


def open_bsn(envelope: bytes, keys: EnvelopeKeys, binding: Binding) -> Bsn:
    """Return the BSN inside, its 11-proof checked and nothing else: `receive` checks whose it is.

    Raises EnvelopeRefused, saying why.
    """
    if len(envelope) != ENVELOPE_BYTES or envelope[:1] != VERSION:
        raise EnvelopeRefused("these bytes are no identity envelope of version 1", Fault.MALFORMED)
    name, sealed = envelope[1 : 1 + KEY_NAME_BYTES], envelope[1 + KEY_NAME_BYTES :]
    key = keys.named(name)
    if key is None:
        raise EnvelopeRefused(
            "this envelope is sealed to a key this organisation does not have", Fault.OTHER_RECIPIENT
        )
    try:
        content = _SUITE.decrypt(sealed, key, binding.info(name))
    except (InvalidTag, ValueError):
        raise EnvelopeRefused(
            "this envelope was altered, or is for another sender, recipient, case or purpose",
            Fault.NOT_BOUND,
        ) from None
    try:
        return Bsn(content.decode("latin-1"))
    except BsnRefused:
        raise EnvelopeRefused("what is in this envelope fails the 11-proof", Fault.NOT_A_BSN) from None


def recipient_key(calls: OrganisationCalls[Blocking], oin: str, pin: Path) -> bytes:
    """Return the key to seal to, signed by the recipient's own signing key: the one `pin` holds from now on.

    Fill the pin with the signing key the recipient gave you: at a first use without it, who runs the
    exchange could show a key of his own. Raises EnvelopeRefused and what the call does.
    """
    return _trusted(calls.get_envelope_key(oin=oin), oin, pin)


async def recipient_key_async(calls: OrganisationCalls[Awaiting], oin: str, pin: Path) -> bytes:
    """Do what `recipient_key` does, with the asyncio client."""
    return _trusted(await calls.get_envelope_key(oin=oin), oin, pin)


def _trusted(answer: GetEnvelopeKeyResponse, oin: str, pin: Path) -> bytes:
    try:
        pinned = read_pin(pin)
    except PinRefused as refused:
        raise EnvelopeRefused(str(refused), Fault.KEY_NOT_TRUSTED) from None
    if pinned and answer.signing_key not in pinned:
        raise EnvelopeRefused(
            f"the key of {oin} is signed by another key than {pin.name} holds; ask that organisation itself",
            Fault.KEY_NOT_TRUSTED,
        )
    if is_weak_key(answer.signing_key):
        raise EnvelopeRefused(
            f"the key of {oin} is signed with one under which anybody can sign", Fault.KEY_NOT_TRUSTED
        )
    try:
        signer = Ed25519PublicKey.from_public_bytes(answer.signing_key)
        signer.verify(answer.key_signature, SIGNED + oin.encode() + answer.envelope_key)
    except (InvalidSignature, ValueError):
        raise EnvelopeRefused(
            f"the key of {oin} is not signed by that organisation", Fault.KEY_NOT_TRUSTED
        ) from None
    write_pin(pin, (answer.signing_key,))
    return answer.envelope_key


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom an identity is sent; `pin` is the file with the recipient's signing key."""

    oin: str
    task: str
    pin: Path


def send_identity(
    services: Services[Blocking],
    sender_oin: str,
    recipient: Recipient,
    *,
    claim: Claim,
    case_id: str,
    resident: bytes,
    bsn: Bsn | None = None,
) -> SendIdentityResponse:
    """Let a recipient on the case know whom it is about; with a BSN, in an envelope bound to this claim.

    `resident` is the sender's own pseudonym. Raises EnvelopeRefused and what the calls do.
    """
    envelope = b""
    if bsn is not None:
        public_key = recipient_key(services.organisation, recipient.oin, recipient.pin)
        envelope = _sealed(bsn, public_key, sender_oin, recipient, claim=claim, case_id=case_id)
    return services.identity.send_identity(
        claim=claim,
        case_id=case_id,
        resident=resident,
        recipient_oin=recipient.oin,
        recipient_task=recipient.task,
        envelope=envelope,
    )


async def send_identity_async(
    services: Services[Awaiting],
    sender_oin: str,
    recipient: Recipient,
    *,
    claim: Claim,
    case_id: str,
    resident: bytes,
    bsn: Bsn | None = None,
) -> SendIdentityResponse:
    """Do what `send_identity` does, with the asyncio client."""
    envelope = b""
    if bsn is not None:
        public_key = await recipient_key_async(services.organisation, recipient.oin, recipient.pin)
        envelope = _sealed(bsn, public_key, sender_oin, recipient, claim=claim, case_id=case_id)
    return await services.identity.send_identity(
        claim=claim,
        case_id=case_id,
        resident=resident,
        recipient_oin=recipient.oin,
        recipient_task=recipient.task,
        envelope=envelope,
    )


def _sealed(
    bsn: Bsn, public_key: bytes, sender_oin: str, recipient: Recipient, *, claim: Claim, case_id: str
) -> bytes:
    return seal_bsn(
        bsn, public_key, Binding(sender_oin, recipient.oin, recipient.task, case_id, claim.purpose)
    )


class Envelopes:
    """What one organisation receives in one task: opens and checks. Safe between threads."""

    def __init__(self, oin: str, task: str, keys: EnvelopeKeys, pseudonyms: Pseudonyms) -> None:
        self._oin: Final = oin
        self._task: Final = task
        self._keys: Final = keys
        self._pseudonyms: Final = pseudonyms

    def receive(
        self, identity: IdentityCalls[Blocking], case_id: str, *, claim: Claim, own_claim: Claim
    ) -> Identity | None:
        """Return whom the case is about, None where nothing was sent.

        `claim` is for reading what the sender discloses, `own_claim` for blinding the BSN to check it. Raises
        EnvelopeRefused: then report it to the sender, and use neither BSN nor pseudonym.
        """
        told = identity.get_identity(claim=claim, case_id=case_id, fields=FIELDS)
        bsn = self._opened(told, case_id)
        yields: Sequence[bytes] = ()
        if bsn is not None:
            yields = self._pseudonyms.of(identity, own_claim, [bsn], case_id=case_id)
        return self._checked(told, bsn, yields)

    async def receive_async(
        self, identity: IdentityCalls[Awaiting], case_id: str, *, claim: Claim, own_claim: Claim
    ) -> Identity | None:
        """Do what `receive` does, with the asyncio client."""
        told = await identity.get_identity(claim=claim, case_id=case_id, fields=FIELDS)
        bsn = self._opened(told, case_id)
        yields: Sequence[bytes] = ()
        if bsn is not None:
            yields = await self._pseudonyms.of_async(identity, own_claim, [bsn], case_id=case_id)
        return self._checked(told, bsn, yields)

    def _opened(self, told: GetIdentityResponse, case_id: str) -> Bsn | None:
        if not told.envelope:
            return None
        binding = Binding(told.sender_oin, self._oin, self._task, case_id, told.purpose)
        return open_bsn(told.envelope, self._keys, binding)

    def _checked(
        self, told: GetIdentityResponse, bsn: Bsn | None, yields: Sequence[bytes]
    ) -> Identity | None:
        if bsn is not None and list(yields) != [told.resident]:
            raise EnvelopeRefused(
                "the BSN in this envelope is of somebody else than the case is about", Fault.OTHER_RESIDENT
            )
        if not told.resident:
            return None
        return Identity(told.resident, bsn, told.sender_oin, told.sender_task)
