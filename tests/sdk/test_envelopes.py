"""The identity envelope: the standard's vector by a second implementation, and every way it may be wrong."""

from __future__ import annotations

import hmac
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.envelope_keys import SUFFIX, EnvelopeKeys
from adapters.sdk.envelopes import (
    ENVELOPE_BYTES,
    KEY_NAME_BYTES,
    SIGNED,
    Binding,
    Envelopes,
    Fault,
    key_name,
    open_bsn,
    recipient_key,
    recipient_key_async,
    seal_bsn,
)
from adapters.sdk.errors import CredentialsInvalid, EnvelopeRefused
from adapters.sdk.residents import Pseudonyms
from exchange.keys.envelope_key import is_envelope_key, is_signed_by
from exchange.keys.identity import IdentityKeys
from exchange.v1 import common_pb2 as pb
from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse, GetIdentityResponse
from exchange.v1.organisation_service_pb2 import GetEnvelopeKeyResponse
from tests.sdk.conftest import OIN, QUICK

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from tests.sdk.exchange_fake import FakeExchange

CASE = "0d9c7a0e-0000-4000-8000-000000000001"
SENDER = "00000001003214345000"
ANNA, BRAM = Bsn("999993653"), Bsn("999990019")
KEYS = IdentityKeys(b"m" * 32)
DELIVER = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a", "nodig")
PROVIDE = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig")
BINDING = Binding(SENDER, OIN, "college:WMO", CASE, pb.PURPOSE_WMO_ONDERZOEK)


# --- HPKE again, from the text of RFC 9180; shares no code with the SDK's -----------------------------------


def extract(salt: bytes, label: bytes, secret: bytes, suite: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, sha256)


def expand(key: bytes, label: bytes, info: bytes, length: int, suite: bytes) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\x01", sha256)[:length]


def key_and_nonce(private: bytes, encapsulated: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Sections 4.1 (Decap) and 5.1 (KeySchedule, mode base) of X25519, HKDF-SHA256, ChaCha20Poly1305."""
    key = X25519PrivateKey.from_private_bytes(private)
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    shared = key.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    context = encapsulated + key.public_key().public_bytes_raw()
    secret = expand(extract(b"", b"eae_prk", shared, kem), b"shared_secret", context, 32, kem)
    hashed = b"\x00" + extract(b"", b"psk_id_hash", b"", suite) + extract(b"", b"info_hash", info, suite)
    scheduled = extract(secret, b"secret", b"", suite)
    return (
        expand(scheduled, b"key", hashed, 32, suite),
        expand(scheduled, b"base_nonce", hashed, 12, suite),
    )


# RFC 9180 appendix A.2.1, sequence number 0.
VECTOR = {
    "info": "4f6465206f6e2061204772656369616e2055726e",
    "private": "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
    "encapsulated": "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
    "key": "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91",
    "nonce": "5c4d98150661b848853b547f",
    "associated": "436f756e742d30",
    "plain": "4265617574792069732074727574682c20747275746820626561757479",
    "sealed": "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
}


def test_the_second_implementation_meets_the_vector_of_the_standard() -> None:
    told = {name: bytes.fromhex(value) for name, value in VECTOR.items()}
    key, nonce = key_and_nonce(told["private"], told["encapsulated"], told["info"])
    assert (key, nonce) == (told["key"], told["nonce"])
    assert ChaCha20Poly1305(key).decrypt(nonce, told["sealed"], told["associated"]) == told["plain"]


def test_what_the_sdk_seals_the_second_implementation_opens_and_the_other_way_round(tmp_path: Path) -> None:
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    info = BINDING.info(key_name(public))
    envelope = seal_bsn(ANNA, public, BINDING)
    encapsulated, sealed = envelope[9:41], envelope[41:]
    key, nonce = key_and_nonce(private.private_bytes_raw(), encapsulated, info)
    assert ChaCha20Poly1305(key).decrypt(nonce, sealed, None) == b"999993653"
    again = ChaCha20Poly1305(key).encrypt(nonce, b"999990019", None)
    keys = kept(tmp_path, private)
    assert open_bsn(envelope[:41] + again, keys, BINDING) == BRAM


# --- seal and open ----------------------------------------------------------------------------------------


def kept(folder: Path, private: X25519PrivateKey) -> EnvelopeKeys:
    """A folder with a key that was made elsewhere."""
    keys = EnvelopeKeys(folder / "keys")
    name = key_name(private.public_key().public_bytes_raw()).hex()
    path = folder / "keys" / f"{name}{SUFFIX}"
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes_raw())
    return keys


@pytest.fixture
def keys(tmp_path: Path) -> EnvelopeKeys:
    return EnvelopeKeys(tmp_path / "own")


@pytest.fixture
def public(keys: EnvelopeKeys, credentials: Credentials) -> bytes:
    return keys.make(credentials)[0]


def reason_of(envelope: bytes, keys: EnvelopeKeys, binding: Binding = BINDING) -> str:
    with pytest.raises(EnvelopeRefused) as refused:
        open_bsn(envelope, keys, binding)
    assert not [bsn for bsn in (ANNA, BRAM) if bsn.reveal() in str(refused.value)]
    return refused.value.reason


def test_only_the_recipient_opens_and_every_envelope_is_new_and_of_one_length(
    keys: EnvelopeKeys, public: bytes
) -> None:
    sealed = {seal_bsn(bsn, public, BINDING) for bsn in (ANNA, BRAM) for _ in range(10)}
    assert len(sealed) == 20
    assert {len(one) for one in sealed} == {ENVELOPE_BYTES}
    assert {open_bsn(one, keys, BINDING) for one in sealed} == {ANNA, BRAM}
    assert not [one for one in sealed if b"99999" in one]


def test_an_envelope_for_another_recipient_is_refused(
    keys: EnvelopeKeys, public: bytes, tmp_path: Path, credentials: Credentials
) -> None:
    other = EnvelopeKeys(tmp_path / "other")
    other.make(credentials)
    envelope = seal_bsn(ANNA, public, BINDING)
    assert reason_of(envelope, other) == Fault.OTHER_RECIPIENT
    assert keys.drop(public)
    assert not keys.drop(public)
    assert reason_of(envelope, keys) == Fault.OTHER_RECIPIENT


@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, sender_oin="00000003271543200000"),
        replace(BINDING, recipient_oin="00000003271543200000"),
        replace(BINDING, recipient_task="college:PW"),
        replace(BINDING, case_id="0d9c7a0e-0000-4000-8000-000000000002"),
        replace(BINDING, purpose=pb.PURPOSE_WMO_LEVERING),
        # The same letters, cut elsewhere.
        replace(BINDING, recipient_oin=OIN + "c", recipient_task="ollege:WMO"),
    ],
    ids=["sender", "recipient", "task", "case", "purpose", "cut"],
)
def test_an_envelope_replayed_to_anything_else_is_refused(
    keys: EnvelopeKeys, public: bytes, other: Binding
) -> None:
    assert reason_of(seal_bsn(ANNA, public, BINDING), keys, other) == Fault.NOT_BOUND


def test_a_malformed_envelope_is_refused(keys: EnvelopeKeys, public: bytes) -> None:
    envelope = seal_bsn(ANNA, public, BINDING)
    for bad in (b"", envelope[:-1], envelope + b"\x00", b"\x02" + envelope[1:], bytes(ENVELOPE_BYTES)):
        assert reason_of(bad, keys) == Fault.MALFORMED
    # No shared secret comes of a point of small order.
    small = envelope[:9] + bytes(32) + envelope[41:]
    assert reason_of(small, keys) == Fault.NOT_BOUND


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, 8 * ENVELOPE_BYTES - 1))
def test_one_altered_bit_opens_nothing(bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    private = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    keys = kept(tmp_path_factory.mktemp("bit"), private)
    altered = bytearray(seal_bsn(ANNA, private.public_key().public_bytes_raw(), BINDING))
    altered[bit // 8] ^= 1 << bit % 8
    if bit == 8 * 41 - 1:
        # RFC 7748 section 5: the last bit of a point is not looked at; HPKE hashes it all the same.
        assert reason_of(bytes(altered), keys) == Fault.NOT_BOUND
        return
    expected = Fault.MALFORMED if bit < 8 else Fault.OTHER_RECIPIENT if bit < 72 else Fault.NOT_BOUND
    assert reason_of(bytes(altered), keys) == expected


@pytest.mark.parametrize("digits", [b"999993654", b"000000000", b"12345678x"])
def test_what_is_no_bsn_inside_is_refused(keys: EnvelopeKeys, public: bytes, digits: bytes) -> None:
    class Lie(Bsn):  # type: ignore[misc] # nobody but a test makes a Bsn that is none
        def __init__(self, digits: str) -> None:
            object.__setattr__(self, "_digits", digits)

        def reveal(self) -> str:
            return digits.decode("ascii")

    assert reason_of(seal_bsn(Lie(""), public, BINDING), keys) == Fault.NOT_A_BSN


@pytest.mark.parametrize("bad", [bytes(32), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_a_point_of_small_order(bad: bytes) -> None:
    assert not is_envelope_key(bad)
    with pytest.raises(EnvelopeRefused) as refused:
        seal_bsn(ANNA, bad, BINDING)
    assert refused.value.reason == Fault.KEY_NOT_TRUSTED


def test_which_keys_the_exchange_takes(public: bytes) -> None:
    assert is_envelope_key(public)
    prime = 2**255 - 19
    for bad in (b"", public[:31], public + b"\0", prime.to_bytes(32, "little"), b"\xff" * 32):
        assert not is_envelope_key(bad)
    # u = p - 1 has small order too.
    assert not is_envelope_key((prime - 1).to_bytes(32, "little"))


# --- the recipient's keys --------------------------------------------------------------------------------


def test_a_key_is_signed_by_its_organisation(keys: EnvelopeKeys, credentials: Credentials) -> None:
    public, signature = keys.make(credentials)
    signer = credentials.signing_key.public_key().public_bytes_raw()
    assert is_signed_by(signer, signature, OIN, public)
    assert not is_signed_by(signer, signature, SENDER, public)
    assert not is_signed_by(signer, signature, OIN, bytes(32))
    assert not is_signed_by(b"\xff" * 32, signature, OIN, public)
    assert not is_signed_by(signer, b"short", OIN, public)


def test_after_a_renewal_both_keys_open(keys: EnvelopeKeys, credentials: Credentials) -> None:
    old, new = keys.make(credentials)[0], keys.make(credentials)[0]
    assert old != new
    for public in (old, new):
        assert open_bsn(seal_bsn(ANNA, public, BINDING), keys, BINDING) == ANNA


def test_a_key_file_that_is_open_to_others_or_no_key_is_refused(
    keys: EnvelopeKeys, public: bytes, tmp_path: Path
) -> None:
    envelope = seal_bsn(ANNA, public, BINDING)
    (path,) = (tmp_path / "own").glob(f"*{SUFFIX}")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(CredentialsInvalid, match="open to others"):
        open_bsn(envelope, keys, BINDING)
    path.chmod(0o600)
    for content, says in ((b"short", "32 bytes"), (bytes(range(32)), "another key")):
        path.write_bytes(content)
        with pytest.raises(CredentialsInvalid, match=says):
            open_bsn(envelope, keys, BINDING)


def answering(answer: object, _request: object, _context: object) -> object:
    return answer


def shown(signer: Ed25519PrivateKey, public: bytes, oin: str = OIN) -> GetEnvelopeKeyResponse:
    return GetEnvelopeKeyResponse(
        envelope_key=public,
        key_signature=signer.sign(SIGNED + oin.encode() + public),
        signing_key=signer.public_key().public_bytes_raw(),
    )


async def test_the_recipients_key_is_pinned_by_who_signed_it(
    exchange: FakeExchange, client: ExchangeClient, credentials: Credentials, tmp_path: Path
) -> None:
    signer, first, second = Ed25519PrivateKey.generate(), b"\x09" + bytes(31), b"\x0a" + bytes(31)
    pin = tmp_path / "recipient"
    exchange.on("GetEnvelopeKey", lambda _request, _context: shown(signer, first))
    assert recipient_key(client.organisation, OIN, pin) == first
    # A renewed key needs no new pin.
    exchange.on("GetEnvelopeKey", lambda _request, _context: shown(signer, second))
    assert recipient_key(client.organisation, OIN, pin) == second
    async with AsyncExchangeClient(exchange.target, credentials, patience=QUICK) as other:
        assert await recipient_key_async(other.organisation, OIN, pin) == second
    exchange.on("GetEnvelopeKey", lambda _request, _context: shown(Ed25519PrivateKey.generate(), first))
    with pytest.raises(EnvelopeRefused) as refused:
        recipient_key(client.organisation, OIN, pin)
    assert refused.value.reason == Fault.KEY_NOT_TRUSTED


def test_a_key_nobody_signed_is_refused_and_pins_nothing(
    exchange: FakeExchange, client: ExchangeClient, tmp_path: Path
) -> None:
    signer, public, pin = Ed25519PrivateKey.generate(), b"\x09" + bytes(31), tmp_path / "recipient"
    for lie in (
        shown(signer, public, SENDER),
        GetEnvelopeKeyResponse(envelope_key=public),
        GetEnvelopeKeyResponse(envelope_key=public, key_signature=bytes(64), signing_key=bytes(32)),
    ):
        exchange.on("GetEnvelopeKey", partial(answering, lie))
        with pytest.raises(EnvelopeRefused) as refused:
            recipient_key(client.organisation, OIN, pin)
        assert refused.value.reason == Fault.KEY_NOT_TRUSTED
    assert not pin.exists()
    pin.write_text("no key")
    with pytest.raises(EnvelopeRefused, match="hexadecimal"):
        recipient_key(client.organisation, OIN, pin)


# --- whose BSN it is -------------------------------------------------------------------------------------


def pseudonym(bsn: Bsn) -> bytes:
    from adapters.sdk.blinding import Blinder

    blinder = Blinder(KEYS.public_key(OIN))
    blinded, state = blinder.blind(bsn)
    answer = KEYS.evaluate(OIN, blinded)
    return blinder.unblind(state, answer.element, answer.proof)


def evaluated(request: Any, _context: object) -> EvaluateBlindedResponse:  # noqa: ANN401 -- protobuf
    answer = KEYS.evaluate_batch(OIN, list(request.blinded_elements))
    return EvaluateBlindedResponse(
        evaluated_elements=answer.elements, proof=answer.proof, public_key=KEYS.public_key(OIN)
    )


@pytest.fixture
def envelopes(exchange: FakeExchange, keys: EnvelopeKeys, tmp_path: Path) -> Envelopes:
    exchange.on("EvaluateBlinded", evaluated)
    return Envelopes(OIN, "college:WMO", keys, Pseudonyms(tmp_path / "exchange.pin"))


def sent(public: bytes, bsn: Bsn | None, about: Bsn) -> GetIdentityResponse:
    return GetIdentityResponse(
        resident=pseudonym(about),
        envelope=b"" if bsn is None else seal_bsn(bsn, public, BINDING),
        sender_oin=SENDER,
        sender_task="college:WMO",
        purpose=pb.PURPOSE_WMO_ONDERZOEK,
    )


def test_a_bsn_is_handed_on_only_when_it_yields_the_same_pseudonym(
    exchange: FakeExchange, client: ExchangeClient, envelopes: Envelopes, public: bytes
) -> None:
    exchange.on("GetIdentity", lambda _request, _context: sent(public, ANNA, ANNA))
    found = envelopes.receive(client.identity, CASE, claim=DELIVER, own_claim=PROVIDE)
    assert found is not None
    assert (found.bsn, found.pseudonym, found.sender_oin) == (ANNA, pseudonym(ANNA), SENDER)
    # The check is logged at the exchange under the case it is for.
    assert exchange.requests["EvaluateBlinded"][-1].case_id == CASE
    exchange.on("GetIdentity", lambda _request, _context: sent(public, BRAM, ANNA))
    with pytest.raises(EnvelopeRefused) as refused:
        envelopes.receive(client.identity, CASE, claim=DELIVER, own_claim=PROVIDE)
    assert refused.value.reason == Fault.OTHER_RESIDENT


async def test_the_asyncio_client_receives_the_same(
    exchange: FakeExchange, credentials: Credentials, person: Person, envelopes: Envelopes, public: bytes
) -> None:
    exchange.on("GetIdentity", lambda _request, _context: sent(public, ANNA, ANNA))
    async with AsyncExchangeClient(exchange.target, credentials, person, patience=QUICK) as other:
        found = await envelopes.receive_async(other.identity, CASE, claim=DELIVER, own_claim=PROVIDE)
    assert found is not None
    assert (found.bsn, found.pseudonym) == (ANNA, pseudonym(ANNA))


def test_without_an_envelope_the_own_pseudonym_comes_alone_and_nothing_is_nobody(
    exchange: FakeExchange, client: ExchangeClient, envelopes: Envelopes, public: bytes
) -> None:
    exchange.on("GetIdentity", lambda _request, _context: sent(public, None, ANNA))
    found = envelopes.receive(client.identity, CASE, claim=DELIVER, own_claim=PROVIDE)
    assert found is not None
    assert (found.bsn, found.pseudonym) == (None, pseudonym(ANNA))
    assert not exchange.requests["EvaluateBlinded"]
    exchange.on("GetIdentity", lambda _request, _context: GetIdentityResponse())
    assert envelopes.receive(client.identity, CASE, claim=DELIVER, own_claim=PROVIDE) is None
    assert KEY_NAME_BYTES == 8
